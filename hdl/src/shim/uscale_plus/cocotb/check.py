"""The device behind its shim before cocotbext-pcie's model of the UltraScale+ integrated block and its root complex.

The models were written by others from the same documents: what both sides of this repository's own tests could get wrong alike, they would
not. What they complain of is a failure.
"""

import logging
import os
from dataclasses import dataclass
from random import Random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, gather, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from cocotbext.pcie.xilinx.us import UltraScalePlusPcieDevice

import wire
from host import Arena, Host, Region, microseconds

WIDTH = int(os.environ["PINRING_WIDTH"])
LANES = WIDTH // 8
SEED = 0x70_69_6E
VECTORS = wire.LIMIT["VECTORS"]
DOMAIN = 7
REGIONS = 256
# Queue, vector and TDEST of each direction.
C2H, H2C = 1, 2
# No admin opcode.
OPCODE = 0xEE
EDGES = [1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097, 65535, 65536]
TRANSFERS = 200

log = logging.getLogger("pinring")
log.setLevel(logging.INFO)
# A line for each TLP and frame takes longer than the simulation.
for models in ("cocotb.pcie", "cocotb.bench"):
    logging.getLogger(models).setLevel(logging.WARNING)


def model(dut):
    bus = {f"{stream}_bus": AxiStreamBus.from_prefix(dut, f"{prefix}_axis_{stream}")
           for stream, prefix in [("rq", "s"), ("rc", "m"), ("cq", "m"), ("cc", "s")]}
    same = ["pcie_rq_seq_num0", "pcie_rq_seq_num_vld0", "pcie_cq_np_req", "cfg_max_payload", "cfg_max_read_req", "cfg_rcb_status", "cfg_function_status",
            "cfg_interrupt_msix_enable", "cfg_interrupt_msix_mask", "cfg_mgmt_addr", "cfg_mgmt_function_number",
            "cfg_mgmt_write", "cfg_mgmt_write_data", "cfg_mgmt_byte_enable", "cfg_mgmt_read", "cfg_mgmt_read_data",
            "cfg_mgmt_read_write_done", "cfg_mgmt_debug_access"]
    if WIDTH == 512:
        same += ["pcie_rq_seq_num1", "pcie_rq_seq_num_vld1"]
    # The model has no credits to tell of.
    dut.pcie_tfc_nph_av.value = 15
    device = UltraScalePlusPcieDevice(
        pcie_generation=3, pcie_link_width=8 if WIDTH == 256 else 16, user_clk_frequency=250e6, alignment="dword",
        enable_client_tag=True, enable_extended_tag=True, max_payload_size=512,
        pf0_msix_enable=True, pf0_msix_table_size=VECTORS - 1, pf0_msix_table_bir=0,
        pf0_msix_table_offset=wire.APERTURE["MSIX_TABLE"], pf0_msix_pba_bir=0,
        pf0_msix_pba_offset=wire.APERTURE["MSIX_PBA"],
        user_clk=dut.clock, user_reset=dut.reset, **bus, **{name: getattr(dut, name) for name in same})
    device.functions[0].configure_bar(0, wire.APERTURE["BAR0_BYTES"], ext=True)
    return device


async def begin(dut, random):
    """The device enumerated, with its clocks and user streams."""
    host = Host(model(dut), random)
    cocotb.start_soon(Clock(dut.core_clock, 8, "ns").start())
    # A beat is one item of these streams, and bench.v hands TKEEP over in TUSER: a call a beat and not one a byte.
    host.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_c2h"), dut.clock, dut.reset, byte_lanes=1)
    host.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_h2c"), dut.clock, dut.reset, byte_lanes=1)
    await RisingEdge(dut.reset)
    await host.enumerate()
    return host


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def the_ip_model_and_the_device_understand_each_other(dut):
    """Enumeration, BAR size, registers (CQ, CC), a refused read, an unknown admin command with entry and interrupt (RQ, RC)."""
    host = await begin(dut, Random(SEED))
    assert host.function.bar_size[0] == wire.APERTURE["BAR0_BYTES"], host.function.bar_size
    assert await host.read("MAGIC") == wire.IDENTITY["MAGIC"]
    assert await host.read("LAYOUT_HASH") == wire.IDENTITY["LAYOUT_HASH"]
    limits = wire.register_fields("LIMITS1", await host.read("LIMITS1"))
    assert 1 << limits["data_width_log2"] == WIDTH, limits
    # Bytes within a DW, and both DWs of a quad word.
    for offset, byte in enumerate(wire.IDENTITY["LAYOUT_HASH"].to_bytes(8, "little")):
        assert await host.bar.read(wire.register("LAYOUT_HASH") + offset, 1) == bytes([byte]), offset
    host.complaints.expected()
    # A read that the device does not support ends in UR, which the model reports, and the next one is answered.
    refused = False
    try:
        await host.bar.read(wire.register("MAGIC"), 64, timeout=20, timeout_unit="us")
    except Exception as error:
        refused = "Unsuccessful" in str(error)
    assert refused, "a read of 64 bytes is to be refused"
    host.complaints.found.clear()
    await host.enable(VECTORS)
    await host.start(REGIONS)
    assert await host.command(opcode=OPCODE) == wire.code("Status", "BadOpcode")
    await microseconds(1)
    assert host.messages[0] == 1 and sum(host.messages) == 1, host.messages
    assert not int(dut.discontinued.value)
    host.complaints.expected()


@dataclass
class Transfer:
    """One transfer: where it goes or comes from, and its bytes."""

    region: Region
    offset: int
    # What the entry asks for: more than the packet's bytes if that is to be short.
    asked: int
    data: bytes
    cookie: int
    user: int

    def entry(self, opcode, tdest):
        return dict(
            opcode=wire.code("Opcode", opcode), region=self.region.number, cookie=self.cookie, offset=self.offset,
            length=self.asked, generation=self.region.generation, tdest=tdest, user=self.user,
            sg_hint=self.region.element(self.region.first + self.offset))


def plan(host, arena, image, direction, allow, numbers):
    """Transfers of all sizes, in a random order, on regions of about ten of them each, with gaps between them."""
    random = host.random
    sizes = EDGES + [round(2 ** random.uniform(0, 16)) for _ in range(TRANSFERS - len(EDGES))]
    random.shuffle(sizes)
    transfers = []
    for number, start in enumerate(range(0, len(sizes), 10)):
        places, length = [], 0
        for size in sizes[start : start + 10]:
            short = random.randrange(1, 300) if direction == C2H and random.random() < 0.15 else 0
            length += random.randrange(300)
            places.append((length, size, short))
            length += size + short
        region = host.register(numbers[number], length + random.randrange(1, 300), DOMAIN, arena, allow, number % 3 == 0)
        for offset, size, short in places:
            data = b""
            for address, piece in region.pieces(offset, size):
                at = address - arena.base
                if direction == C2H:
                    image[at : at + piece] = random.randbytes(piece)
                data += image[at : at + piece]
            transfers.append(Transfer(region, offset, size + short, data, random.getrandbits(64), random.getrandbits(32)))
    random.shuffle(transfers)
    return transfers


def frame(data):
    """A packet as beats."""
    pieces = [data[at : at + LANES] for at in range(0, len(data), LANES)]
    return AxiStreamFrame([int.from_bytes(piece, "little") for piece in pieces],
                          tuser=[(1 << len(piece)) - 1 for piece in pieces], tdest=C2H)


def content(frame, tdest):
    """The bytes of a packet from the device."""
    data = bytearray()
    for number, (beat, keep, dest) in enumerate(zip(frame.tdata, frame.tuser, frame.tdest)):
        assert keep >> LANES == 0, "TUSER of a transfer without an error"
        lanes = keep.bit_count()
        assert keep == (1 << lanes) - 1, f"TKEEP has holes: {keep:#x}"
        assert lanes == LANES or number == len(frame.tdata) - 1, "TKEEP is partial before the last beat"
        assert dest == tdest, dest
        data += beat.to_bytes(LANES, "little")[:lanes]
    return bytes(data)


async def run(host, queue, transfers, opcode, tdest, ended):
    """Submits in batches as the ring has room, and hands each completion entry with its transfer to `ended`."""
    waiting, running, time = list(reversed(transfers)), [], 0
    while waiting or running:
        for _ in range(min(host.random.randrange(1, 9), queue.room(), len(waiting))):
            transfer = waiting.pop()
            queue.put("SubmissionEntry", **transfer.entry(opcode, tdest))
            running.append(transfer)
        await queue.ring()
        await queue.interrupt()
        while (entry := queue.reap()) is not None:
            transfer = running.pop(0)
            assert entry["status"] == wire.code("Status", "Ok"), entry
            assert (entry["cookie"], entry["user"]) == (transfer.cookie, transfer.user), entry
            assert entry["timestamp"] >= time, entry
            time = entry["timestamp"]
            assert entry["bytes_moved"] == len(transfer.data), (entry, len(transfer.data))
            ended(transfer, entry)


@dataclass
class Tally:
    """What was moved in one direction."""

    transfers: int = 0
    bytes: int = 0
    mismatches: int = 0

    def add(self, got, expected):
        self.transfers += 1
        self.bytes += len(expected)
        self.mismatches += sum(a != b for a, b in zip(got, expected)) + abs(len(got) - len(expected))

    def __str__(self):
        return f"{self.transfers} transfers, {self.bytes} bytes, {self.mismatches} mismatches"


def pauses(random, share):
    while True:
        paused = random.random() < share
        for _ in range(random.randrange(1, 40)):
            yield paused


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def transfers_of_all_sizes_go_both_ways(dut):
    """Both directions at once, through rings and doorbells, interrupts and completion entries; each byte is compared."""
    random = Random(SEED + WIDTH)
    host = await begin(dut, random)
    await host.enable(VECTORS)
    await host.start(REGIONS)
    queues = {C2H: await host.create_queue(C2H, "C2h", C2H, DOMAIN, C2H),
              H2C: await host.create_queue(H2C, "H2c", H2C, DOMAIN, H2C)}
    # Five regions a set, of which four stay on chip.
    numbers = [16 * k + s for k in range(10) for s in (1, 6, 11, 12)]
    random.shuffle(numbers)
    arenas = {way: Arena.new(pool, 1024, random) for way, pool in [(C2H, host.high), (H2C, host.root.mem_pool)]}
    images = {way: arena.image() for way, arena in arenas.items()}
    plans = {way: plan(host, arenas[way], images[way], way, allow, numbers[20 * way - 20 : 20 * way])
             for way, allow in [(C2H, {"allow_c2h": 1}), (H2C, {"allow_h2c": 1})]}
    tally = {C2H: Tally(), H2C: Tally()}

    def written(transfer, entry):
        assert entry["eop"] == 1, entry
        arena = arenas[C2H]
        got = b"".join(bytes(arena.memory[at - arena.base : at - arena.base + piece])
                       for at, piece in transfer.region.pieces(transfer.offset, len(transfer.data)))
        tally[C2H].add(got, transfer.data)
        host.root.split_on_all_rcb = random.random() < 0.5

    async def streamed():
        for transfer in plans[H2C]:
            tally[H2C].add(content(await host.sink.recv(compact=False), H2C), transfer.data)

    host.source.set_pause_generator(pauses(Random(SEED + 1), 0.2))
    host.sink.set_pause_generator(pauses(Random(SEED + 2), 0.2))
    for transfer in plans[C2H]:
        host.source.send_nowait(frame(transfer.data))
    await gather(
        streamed(),
        run(host, queues[C2H], plans[C2H], "C2h", C2H, written),
        run(host, queues[H2C], plans[H2C], "H2c", H2C, lambda transfer, entry: None),
    )
    # Nothing else was written.
    for way, arena in arenas.items():
        assert arena.image() == images[way], "bytes outside the transfers were written"
    assert host.sink.empty() and host.source.empty()
    for way, name in [(C2H, "C2H"), (H2C, "H2C")]:
        assert tally[way].transfers == TRANSFERS and tally[way].mismatches == 0, (name, str(tally[way]))
        assert await host.read(f"{name}_BYTES") == tally[way].bytes
        assert await host.read(f"{name}_TRANSFERS") == TRANSFERS
    assert await host.read("ERRORS") == 0
    assert not int(dut.discontinued.value)
    host.complaints.expected()
    summary = f"C2H {tally[C2H]}; H2C {tally[H2C]}; TLPs of the device {host.root.seen}"
    log.info("%s", summary)
    with open(os.environ["PINRING_SUMMARY"], "w", encoding="utf-8") as file:
        file.write(summary)


@cocotb.test(timeout_time=6, timeout_unit="ms")
async def masked_vectors_wait_in_the_pending_bits(dut):
    """MSI-X: no message of a masked vector or function, its pending bit instead, and one message when the mask goes."""
    random = Random(SEED)
    host = await begin(dut, random)
    await host.enable(VECTORS)
    await host.start(REGIONS)
    queue = await host.create_queue(H2C, "H2c", H2C, DOMAIN, H2C)
    arena = Arena.new(host.root.mem_pool, 16, random)
    region = host.register(3, 5000, DOMAIN, arena, {"allow_h2c": 1}, uniform=False)
    await microseconds(1)
    messages = list(host.messages)

    async def transfer():
        """One transfer, until its packet and its completion entry are there, whatever the interrupt does."""
        offset, length = random.randrange(1000), random.randrange(1, 4000)
        image = b"".join(bytes(arena.memory[at - arena.base : at - arena.base + piece])
                         for at, piece in region.pieces(offset, length))
        one = Transfer(region, offset, length, image, random.getrandbits(64), 0)
        queue.put("SubmissionEntry", **one.entry("H2c", H2C))
        await queue.ring()
        assert content(await host.sink.recv(compact=False), H2C) == image
        for _ in range(100):
            if entry := queue.reap():
                assert entry["status"] == wire.code("Status", "Ok") and entry["cookie"] == one.cookie, entry
                break
            await microseconds(1)
        else:
            raise AssertionError("the completion entry does not come")
        await microseconds(3)

    async def one_message():
        messages[H2C] += 1
        await microseconds(3)
        assert host.messages == messages, (host.messages, messages)
        assert await host.pending() == 0

    await transfer()
    await one_message()
    # The vector.
    await host.mask(H2C, True)
    await transfer()
    assert host.messages == messages, "a message of a masked vector"
    assert await host.pending() == 1 << H2C
    # Others are not masked with it.
    assert await host.command(opcode=OPCODE) == wire.code("Status", "BadOpcode")
    messages[0] += 1
    await microseconds(3)
    assert host.messages == messages and await host.pending() == 1 << H2C
    await host.mask(H2C, False)
    await one_message()
    # The function: Function Mask is bit 14 of Message Control (PCIe Base Spec 5.0, 7.7.2.2).
    await function_mask(host, True)
    await transfer()
    assert host.messages == messages, "a message of a masked function"
    assert await host.pending() == 1 << H2C
    await function_mask(host, False)
    await one_message()
    await transfer()
    await one_message()
    host.complaints.expected()


async def function_mask(host, masked):
    from cocotbext.pcie.core.caps import PciCapId

    control = await host.function.capability_read_word(PciCapId.MSIX, 2)
    control = control | 0x4000 if masked else control & ~0x4000
    await host.function.capability_write_word(PciCapId.MSIX, 2, control)
    await microseconds(1)


@cocotb.test(timeout_time=6, timeout_unit="ms")
async def writes_go_on_while_reads_have_no_credit(dut):
    """Without credits for non-posted requests no read leaves, and a running C2H transfer ends all the same."""
    random = Random(SEED)
    host = await begin(dut, random)
    await host.enable(VECTORS)
    await host.start(REGIONS)
    queues = [await host.create_queue(C2H, "C2h", C2H, DOMAIN, C2H), await host.create_queue(H2C, "H2c", H2C, DOMAIN, H2C)]
    arena = Arena.new(host.root.mem_pool, 32, random)
    image = arena.image()
    written = host.register(1, 40_000, DOMAIN, arena, {"allow_c2h": 1}, uniform=True)
    read = host.register(2, 40_000, DOMAIN, arena, {"allow_h2c": 1}, uniform=True)
    data = random.randbytes(30_001)
    at = 0
    for address, piece in written.pieces(77, len(data)):
        image[address - arena.base : address - arena.base + piece] = data[at : at + piece]
        at += piece
    host.source.send_nowait(frame(data))
    queues[0].put("SubmissionEntry", **Transfer(written, 77, len(data), data, 1, 0).entry("C2h", C2H))
    queues[1].put("SubmissionEntry", **Transfer(read, 5, 30_001, b"", 2, 0).entry("H2c", H2C))
    before = host.root.seen["writes"]
    for queue in queues:
        await queue.ring()
    while host.root.seen["writes"] < before + 10:
        await microseconds(0.1)
    dut.pcie_tfc_nph_av.value = 0
    await microseconds(0.1)
    reads = host.root.seen["reads"]
    assert queues[0].reap() is None and queues[1].reap() is None, "the transfers are through too early for this test"
    entry = await with_timeout(queues[0].next(), 100, "us")
    assert entry["status"] == wire.code("Status", "Ok") and entry["bytes_moved"] == len(data), entry
    assert arena.image() == image
    await microseconds(5)
    assert host.root.seen["reads"] == reads, "a read without a credit"
    assert queues[1].reap() is None
    # A register is read meanwhile.
    assert await host.read("C2H_BYTES") == len(data)
    dut.pcie_tfc_nph_av.value = 15
    entry = await with_timeout(queues[1].next(), 100, "us")
    assert entry["status"] == wire.code("Status", "Ok"), entry
    got = content(await host.sink.recv(compact=False), H2C)
    assert got == b"".join(bytes(image[at - arena.base : at - arena.base + piece]) for at, piece in read.pieces(5, 30_001))
    host.complaints.expected()


@cocotb.test(timeout_time=6, timeout_unit="ms")
async def a_read_that_the_host_refuses_ends_one_transfer(dut):
    """A page that is not there: UR for its reads, a status for the transfer, and the next one is whole."""
    random = Random(SEED)
    host = await begin(dut, random)
    await host.enable(VECTORS)
    await host.start(REGIONS)
    queue = await host.create_queue(H2C, "H2c", H2C, DOMAIN, H2C)
    arena = Arena.new(host.root.mem_pool, 16, random)
    region = host.register(5, 3 * 4096, DOMAIN, arena, {"allow_h2c": 1}, uniform=False)
    start = region.first + 100
    hole = Region(6, 1, start % 4096, False, [(0x0000_0456_0000_0000, 0, 4096 * 4)])
    host.enter(hole, 8192, DOMAIN, {"allow_h2c": 1})
    host.complaints.expected()
    for place, status in [(hole, "ReadUnsupported"), (region, "Ok")]:
        queue.put("SubmissionEntry", **Transfer(place, 0, 700, b"", 1, 0).entry("H2c", H2C))
        await queue.ring()
        entry = await with_timeout(queue.next(), 200, "us")
        assert entry["status"] == wire.code("Status", status), (entry, status)
    packets = [await host.sink.recv(compact=False) for _ in range(2)]
    assert packets[0].tuser[-1] >> LANES == 1, "a packet that was cut has no error"
    got = content(packets[1], H2C)
    image = b"".join(bytes(arena.memory[at - arena.base : at - arena.base + piece])
                     for at, piece in region.pieces(0, 700))
    assert got == image
    host.complaints.expected("did not match any regions", "Bad status")
