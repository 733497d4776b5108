"""LitePCIe's DMA as one Verilog module: crossbar, writer, reader and their tables, with the TLP requests and completions as
streams with headers beside the data.

Header insertion is left out, which costs LitePCIe cycles of its bus; what it reaches here is its best. Run as:
python litepcie_dma.py WIDTH OUT.v
"""

import sys

from migen import *
from litex.gen import *
from litex.gen.fhdl.verilog import convert
from litex.soc.interconnect import csr_bus, stream
from litex.soc.interconnect.csr import *

from litepcie.core.crossbar import LitePCIeCrossbar
from litepcie.frontend.dma import LitePCIeDMAReader, LitePCIeDMAWriter

PENDING = 8      # Reads in flight, as in LitePCIe's own systems.
TABLE   = 256    # Descriptors of a table.


class Phy:
    """What the DMA asks of a PHY."""
    def __init__(self, width, mps, mrrs):
        self.data_width       = width
        self.max_payload_size = mps
        self.max_request_size = mrrs
        self.id               = Signal(16)


class Endpoint(LiteXModule):
    """An endpoint without packetizers."""
    def __init__(self, phy):
        self.phy                  = phy
        self.max_pending_requests = PENDING
        self.crossbar = LitePCIeCrossbar(phy.data_width, 64, PENDING)


class Dma(LiteXModule):
    """Writer and reader behind one CSR bank."""
    def __init__(self, width):
        self.cd_sys = ClockDomain()
        self.mps  = Signal(16)
        self.mrrs = Signal(16)
        phy = Phy(width, self.mps, self.mrrs)
        self.endpoint = endpoint = Endpoint(phy)
        crossbar = endpoint.crossbar
        self.writer = LitePCIeDMAWriter(endpoint, crossbar.get_master_port(write_only=True),
            table_depth=TABLE, address_width=64)
        self.reader = LitePCIeDMAReader(endpoint, crossbar.get_master_port(read_only=True),
            table_depth=TABLE, address_width=64)

        # Registers, 32 bits each, in the order of their declaration: see the offsets in sim/src/bench/peers.
        registers = []
        for part in [self.writer, self.reader]:
            table = part.table
            registers += [part._enable, table.value, table.we, table.loop_prog_n, table.loop_status, table.level, table.reset]
        self.bus  = csr_bus.Interface(data_width=32, address_width=14)
        self.bank = csr_bus.CSRBank(registers, address=0, bus=self.bus, ordering="big", paging=0x800)

        req, cmp = crossbar.phy_master.source, crossbar.phy_master.sink
        self.ios = {
            "req": req, "cmp": cmp, "c2h": self.writer.sink, "h2c": self.reader.source,
        }


def main():
    width, out = int(sys.argv[1]), sys.argv[2]
    dma = Dma(width)
    ios = set()

    def port(signal, name):
        signal.name_override = name
        ios.add(signal)

    port(dma.cd_sys.clk, "clock")
    port(dma.cd_sys.rst, "reset")
    port(dma.mps,  "mps")
    port(dma.mrrs, "mrrs")
    port(dma.bus.adr,   "csr_adr")
    port(dma.bus.we,    "csr_we")
    port(dma.bus.dat_w, "csr_dat_w")
    port(dma.writer.table.level.status, "writer_level")
    port(dma.reader.table.level.status, "reader_level")
    names = {
        "req": ["valid", "ready", "first", "last", "we", "adr", "len", "tag", "dat"],
        "cmp": ["valid", "ready", "first", "last", "adr", "len", "end", "err", "tag", "dat"],
        "c2h": ["valid", "ready", "data", "last"],
        "h2c": ["valid", "ready", "data"],
    }
    for stream_name, fields in names.items():
        endpoint = dma.ios[stream_name]
        for field in fields:
            port(getattr(endpoint, field), f"{stream_name}_{field}")
    result = convert(dma, ios=ios, name="litepcie_dma")
    # LiteX writes combinational processes with non-blocking assignments, and simulates them with this warning off, too.
    with open(out, "w") as file:
        file.write("/* verilator lint_off COMBDLY */\n/* verilator lint_off CASEINCOMPLETE */\n" + str(result))


main()
