"""The device behind its shim before cocotbext-pcie's model of the UltraScale+ integrated block and its root complex.

The model was written by others from the same product guide: what both sides of this repository's own tests could get wrong
alike, it would not. Enumerates, sizes the BAR, reads the identity registers (CQ, CC), is refused a read that is too long, submits an admin command
that the device fetches (RQ, RC), and waits for its completion entry and interrupt (RQ).
"""

import os
import re
import struct

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus
from cocotbext.pcie.core import RootComplex
from cocotbext.pcie.xilinx.us import UltraScalePlusPcieDevice

# Names and numbers of protocol/include/pinring.h.
HEADER = {
    name: int(value, 0)
    for name, value in re.findall(
        r"#define PINRING_(\w+) (?:UINT\d+_C\()?(0x[0-9a-fA-F]+|\d+)", open(os.environ["PINRING_HEADER"]).read()
    )
}
WIDTH = int(os.environ["PINRING_WIDTH"])
RING_LOG2 = 4
COOKIE = 0x0123456789ABCDEF
# No admin opcode.
OPCODE = 0xEE


def reg(name):
    return HEADER["REG_" + name]


def model(dut):
    bus = {f"{stream}_bus": AxiStreamBus.from_prefix(dut, f"{prefix}_axis_{stream}")
           for stream, prefix in [("rq", "s"), ("rc", "m"), ("cq", "m"), ("cc", "s")]}
    same = ["pcie_cq_np_req", "cfg_max_payload", "cfg_max_read_req", "cfg_rcb_status", "cfg_function_status",
            "cfg_interrupt_msix_enable", "cfg_interrupt_msix_mask", "cfg_mgmt_addr", "cfg_mgmt_function_number",
            "cfg_mgmt_write", "cfg_mgmt_write_data", "cfg_mgmt_byte_enable", "cfg_mgmt_read", "cfg_mgmt_read_data",
            "cfg_mgmt_read_write_done", "cfg_mgmt_debug_access"]
    device = UltraScalePlusPcieDevice(
        pcie_generation=3, pcie_link_width=8 if WIDTH == 256 else 16, user_clk_frequency=250e6, alignment="dword",
        enable_client_tag=True, enable_extended_tag=True, max_payload_size=512,
        pf0_msix_enable=True, pf0_msix_table_size=15, pf0_msix_table_bir=0,
        pf0_msix_table_offset=HEADER["BAR0_MSIX_TABLE"], pf0_msix_pba_bir=0, pf0_msix_pba_offset=HEADER["BAR0_MSIX_PBA"],
        user_clk=dut.clock, user_reset=dut.reset, **bus, **{name: getattr(dut, name) for name in same})
    device.functions[0].configure_bar(0, HEADER["BAR0_BAR0_BYTES"], ext=True)
    return device


async def status(bar, bit):
    """Waits for a bit of STATUS."""
    for _ in range(2000):
        if await bar.read_dword(reg("STATUS")) & HEADER[f"REG_STATUS_{bit}_MASK"]:
            return
    raise AssertionError(f"STATUS.{bit} does not come")


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def the_ip_model_and_the_device_understand_each_other(dut):
    host = RootComplex()
    device = model(dut)
    host.make_port().connect(device)
    cocotb.start_soon(Clock(dut.core_clock, 8, "ns").start())
    await RisingEdge(dut.reset)
    await host.enumerate()

    function = host.find_device(device.functions[0].pcie_id)
    assert function.bar_size[0] == HEADER["BAR0_BAR0_BYTES"], function.bar_size
    bar = function.bar_window[0]
    assert await bar.read_dword(reg("MAGIC")) == HEADER["MAGIC"]
    assert await bar.read_qword(reg("LAYOUT_HASH")) == HEADER["LAYOUT_HASH"]
    limits = await bar.read_dword(reg("LIMITS1"))
    assert 1 << (limits & 0xFF) == WIDTH, hex(limits)
    # Bytes within a DW, and both DWs of a quad word.
    for offset, byte in enumerate(struct.pack("<Q", HEADER["LAYOUT_HASH"])):
        assert await bar.read(reg("LAYOUT_HASH") + offset, 1) == bytes([byte]), offset
    # A read that the device does not support ends in UR, which the model reports, and the next one is answered.
    refused = False
    try:
        await bar.read(reg("MAGIC"), 64, timeout=20, timeout_unit="us")
    except Exception as error:
        refused = "UR" in str(error) or "Unsuccessful" in str(error)
    assert refused, "a read of 64 bytes is to be refused"
    await function.enable_device()
    await function.set_master()
    vectors = await function.alloc_irq_vectors(1, 1)
    assert vectors == 1, vectors

    await status(bar, "FIRMWARE_RUNNING")
    memory = host.mem_pool.alloc_region(0x4000)
    base = memory.get_absolute_address(0)
    submission, completion = base, base + 0x1000
    await bar.write_qword(reg("ADMIN_SQ"), submission)
    await bar.write_qword(reg("ADMIN_CQ"), completion)
    await bar.write_dword(reg("ADMIN_SIZE"), RING_LOG2 | RING_LOG2 << 8)
    await bar.write_dword(reg("CONTROL"), HEADER["REG_CONTROL_ENABLE_MASK"])
    await status(bar, "READY")
    memory[0:64] = struct.pack("<BBHIQ48x", OPCODE, 0, 0, 0, COOKIE)
    # Tail 1, head 0, armed.
    await bar.write_qword(HEADER["BAR0_DOORBELLS"], 1 | 1 << 32)
    await with_timeout(function.msi_vectors[0].event.wait(), 2, "ms")
    entry = bytes(memory[0x1000:0x1020])
    cookie, _, moved_status = struct.unpack_from("<QQQ", entry)
    dut._log.info("completion entry %s", entry.hex())
    assert cookie == COOKIE, entry.hex()
    assert moved_status >> 48 == HEADER["STATUS_BAD_OPCODE"], entry.hex()
    assert not int(dut.discontinued.value)
