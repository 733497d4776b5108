"""The host's side: root complex with a checker of its own, memory, rings, regions, interrupts."""

import logging
from dataclasses import dataclass, field

from cocotb.triggers import Timer
from cocotbext.pcie.core import RootComplex
from cocotbext.pcie.core.tlp import TlpType
from cocotbext.pcie.core.utils import PcieId

import wire

PAGE = wire.LIMIT["PAGE"]
# Pages that lie together: what a run of an SG element, or a uniform page, is taken from.
GROUP = 4
UNIFORM_SHIFT = wire.LIMIT["PAGE_SHIFT"] + 2
WRITES = {TlpType.MEM_WRITE, TlpType.MEM_WRITE_64}
READS = {TlpType.MEM_READ, TlpType.MEM_READ_64}
# Memory above 4 GiB, of which addresses take four DWs of header; the root complex' own pool lies below.
HIGH = 0x0000_0123_0000_0000
HIGH_BYTES = 1 << 28
# Max_Payload_Size as its register has it: 256 bytes.
MAX_PAYLOAD = 1


class Complaints(logging.Handler):
    """What the models have to complain of: each warning and error of theirs, and what `CheckedRoot` finds."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.found = []
        logging.getLogger("cocotb").addHandler(self)

    def emit(self, record):
        self.found.append(record.getMessage())

    def expected(self, *words):
        """Takes what was said so far; each must hold one of the words, and each word must be held."""
        found, self.found = self.found, []
        strangers = [line for line in found if not any(word in line for word in words)]
        assert not strangers, strangers
        missing = [word for word in words if not any(word in line for line in found)]
        assert not missing, (missing, found)


class CheckedRoot(RootComplex):
    """Looks at each TLP of the device: limits of the configuration and byte enables (PCIe Base Spec 5.0, 2.2.2, 2.2.5 and 7.5.3.4)."""

    def __init__(self, complaints):
        super().__init__()
        self.complaints = complaints
        self.seen = {"writes": 0, "reads": 0, "completions": 0}

    async def downstream_recv(self, tlp):
        wrong = None
        if tlp.fmt_type in WRITES | READS:
            write = tlp.fmt_type in WRITES
            self.seen["writes" if write else "reads"] += 1
            most = 128 << (self.max_payload_size if write else self.max_read_request_size)
            first, last = tlp.first_be, tlp.last_be
            if tlp.length * 4 > most:
                wrong = f"longer than {most} bytes"
            elif (tlp.length == 1) != (last == 0) or (first == 0 and tlp.length > 1):
                wrong = "byte enables against the length"
            elif tlp.length > 2 and not (_ends(first) and _starts(last)):
                wrong = "byte enables with holes"
            elif tlp.attr or tlp.tc:
                wrong = "traffic class or attributes that nobody asked for"
        elif tlp.fmt_type in {TlpType.CPL, TlpType.CPL_DATA}:
            self.seen["completions"] += 1
        if wrong:
            self.complaints.found.append(f"{wrong}: {tlp!r}")
        await super().downstream_recv(tlp)


def _ends(first):
    return first in (0x8, 0xC, 0xE, 0xF)


def _starts(last):
    return last in (0x1, 0x3, 0x7, 0xF)


@dataclass
class Arena:
    """Memory whose pages are given away in a random order."""

    base: int
    memory: object
    groups: list

    @classmethod
    def new(cls, pool, groups, random):
        memory = pool.alloc_region(groups * GROUP * PAGE)
        memory[0 : len(memory.mem)] = random.randbytes(len(memory.mem))
        order = list(range(groups))
        random.shuffle(order)
        return cls(memory.get_absolute_address(0), memory, order)

    def image(self):
        return bytearray(self.memory.mem[:])

    def run(self, pages):
        """Address of that many neighbouring pages, at most a group's."""
        return self.base + self.groups.pop() * GROUP * PAGE + (GROUP - pages) * PAGE


@dataclass
class Region:
    """A registered buffer: its entry in the region table, and where its bytes are."""

    number: int
    generation: int
    first: int
    uniform: bool
    # Address, first byte and bytes of each element.
    elements: list = field(default_factory=list)

    def element(self, position):
        for index, (_, start, length) in enumerate(self.elements):
            if start <= position < start + length:
                return index
        raise ValueError(f"position {position} is behind the region")

    def pieces(self, offset, length):
        """Address and length of each piece of a range."""
        position, end = self.first + offset, self.first + offset + length
        while position < end:
            address, start, room = self.elements[self.element(position)]
            piece = min(end, start + room) - position
            yield address + position - start, piece
            position += piece


class Queue:
    """Submission ring, completion ring, doorbell."""

    def __init__(self, host, number, vector, log2=4):
        self.host, self.number, self.vector, self.log2 = host, number, vector, log2
        self.submission = host.page_aligned(wire.size("SubmissionEntry") << log2)
        self.completion = host.page_aligned(wire.size("CompletionEntry") << log2)
        self.tail = self.head = 0

    def room(self):
        return (1 << self.log2) - (self.tail - self.head)

    def put(self, structure, **values):
        """Writes an entry; `ring` tells the device of it."""
        assert self.room() > 0
        data = wire.pack(structure, index=self.tail & 0xFFFF, **values)
        at = (self.tail & (1 << self.log2) - 1) * len(data)
        self.submission[at : at + len(data)] = data
        self.tail += 1

    async def ring(self, arm=True):
        doorbell = wire.pack("Doorbell", sq_tail=self.tail & 0xFFFF, cq_head=self.head & 0xFFFF, arm=arm)
        place = wire.APERTURE["DOORBELLS"] + self.number * wire.APERTURE["DOORBELL_STRIDE"]
        await self.host.bar.write(place + wire.APERTURE["DOORBELL"], doorbell)

    def reap(self):
        """The next completion entry, if it is there."""
        at = (self.head & (1 << self.log2) - 1) * wire.size("CompletionEntry")
        entry = wire.unpack("CompletionEntry", self.completion[at : at + wire.size("CompletionEntry")])
        if entry["phase"] == self.head >> self.log2 & 1:
            return None
        assert (entry["slot"], entry["queue"]) == (self.head & 0xFFFF, self.number), entry
        self.head += 1
        return entry

    async def interrupt(self):
        await self.vector.event.wait()
        self.vector.event.clear()

    async def next(self):
        """Waits for the next completion entry by its interrupt."""
        while (entry := self.reap()) is None:
            await self.interrupt()
        return entry


class Host:
    """A root complex with the device enumerated."""

    def __init__(self, device, random):
        self.complaints = Complaints()
        self.root = CheckedRoot(self.complaints)
        self.root.max_payload_size = MAX_PAYLOAD
        self.root.make_port().connect(device)
        self.device, self.random = device, random
        self.high = self.root.mem_address_space.create_pool(HIGH, HIGH_BYTES)
        self.messages = []
        self.regions = set()

    async def enumerate(self):
        await self.root.enumerate()
        # Of the places where no device is.
        self.complaints.expected("Failed to route config type 0")
        self.function = self.root.find_device(self.device.functions[0].pcie_id)
        self.bar = self.function.bar_window[0]

    async def enable(self, vectors):
        """Bus mastering and MSI-X."""
        await self.function.enable_device()
        await self.function.set_master()
        assert await self.function.alloc_irq_vectors(vectors, vectors) == vectors
        self.vectors = self.function.msi_vectors[:vectors]
        self.messages = [0] * vectors
        for number, vector in enumerate(self.vectors):
            vector.cb.append(lambda number=number: self._count(number))

    async def _count(self, number):
        self.messages[number] += 1

    def page_aligned(self, size):
        """Zeroed memory below 4 GiB; its address is `get_absolute_address(0)`."""
        return self.root.mem_pool.alloc_region(max(size, PAGE))

    async def read(self, name):
        width = wire.LAYOUT["registers"][name]["width"]
        return int.from_bytes(await self.bar.read(wire.register(name), width // 8), "little")

    async def write(self, name, value):
        width = wire.LAYOUT["registers"][name]["width"]
        await self.bar.write(wire.register(name), value.to_bytes(width // 8, "little"))

    async def status(self, bit):
        """Waits for a bit of STATUS."""
        for _ in range(2000):
            if wire.register_fields("STATUS", await self.read("STATUS"))[bit]:
                return
        raise AssertionError(f"STATUS.{bit} does not come")

    async def start(self, regions):
        """Rings of the admin queue, the region table, CONTROL.enable."""
        await self.status("firmware_running")
        self.admin = Queue(self, wire.LIMIT["ADMIN_QUEUE"], self.vectors[0])
        self.table = self.high.alloc_region(regions * wire.size("RegionEntry"))
        await self.write("ADMIN_SQ", self.admin.submission.get_absolute_address(0))
        await self.write("ADMIN_CQ", self.admin.completion.get_absolute_address(0))
        sizes = wire.register_value("ADMIN_SIZE", sq_log2=self.admin.log2, cq_log2=self.admin.log2, vector=0)
        await self.write("ADMIN_SIZE", sizes)
        await self.write("REGION_TABLE", self.table.get_absolute_address(0))
        await self.write("REGION_COUNT", regions)
        await self.write("CONTROL", wire.register_value("CONTROL", enable=1))
        await self.status("ready")

    async def command(self, **values):
        """Status of an admin command."""
        cookie = self.random.getrandbits(64)
        self.admin.put("AdminEntry", cookie=cookie, **values)
        await self.admin.ring()
        entry = await self.admin.next()
        assert entry["cookie"] == cookie, entry
        return entry["status"]

    async def create_queue(self, number, direction, vector, domain, tdest):
        queue = Queue(self, number, self.vectors[vector])
        context = wire.pack(
            "QueueContext", sq_address=queue.submission.get_absolute_address(0),
            cq_address=queue.completion.get_absolute_address(0), sq_entries_log2=queue.log2,
            cq_entries_log2=queue.log2, direction=wire.code("Direction", direction), vector=vector,
            protection_domain=domain, tdest_first=tdest, tdest_last=tdest)
        status = await self.command(opcode=wire.code("AdminOpcode", "CreateQueue"), target=number, body=context)
        assert status == wire.code("Status", "Ok"), status
        return queue

    def register(self, number, length, domain, arena, allow, uniform):
        """Makes a region of `length` bytes of scattered pages and enters it into the table."""
        assert number not in self.regions
        self.regions.add(number)
        region = Region(number, self.random.getrandbits(16), self.random.randrange(PAGE), uniform)
        end, start = region.first + length, 0
        while start < end:
            pages = GROUP if uniform else self.random.choice((1, 1, 1, 2, 3))
            region.elements.append((arena.run(pages), start, pages * PAGE))
            start += pages * PAGE
        self.enter(region, length, domain, allow)
        return region

    def enter(self, region, length, domain, allow):
        """Writes the SG table and the entry of a region."""
        if region.uniform:
            elements = [wire.pack("SgUniformElement", valid=1, page_frame=address // PAGE)
                        for address, _, _ in region.elements]
        else:
            elements = [wire.pack("SgElement", valid=1, page_frame=address // PAGE, pages=length // PAGE,
                                  start_page=start // PAGE) for address, start, length in region.elements]
        data = b"".join(elements)
        table = self.page_aligned(-(-len(data) // PAGE) * PAGE)
        table[0 : len(data)] = data
        shift = UNIFORM_SHIFT if region.uniform else wire.LIMIT["PAGE_SHIFT"]
        entry = wire.pack(
            "RegionEntry", sg_table=table.get_absolute_address(0), length=length, element_count=len(elements),
            generation=region.generation, first_byte_offset=region.first, protection_domain=domain,
            format=wire.code("SgFormat", "Uniform" if region.uniform else "PageGranular"), page_shift=shift, **allow)
        at = region.number * len(entry)
        self.table[at : at + len(entry)] = entry

    async def mask(self, vector, masked):
        """The mask of a vector in the MSI-X table."""
        entry = wire.LAYOUT["structures"]["MsixEntry"]["fields"]["masked"]["offset"] // 8
        place = wire.APERTURE["MSIX_TABLE"] + vector * wire.size("MsixEntry") + entry
        await self.bar.write_dword(place, int(masked))
        # A read behind it, so that the write has arrived.
        assert await self.bar.read_dword(place) == int(masked)

    async def pending(self):
        """The pending bit array."""
        return await self.bar.read_qword(wire.APERTURE["MSIX_PBA"])


async def microseconds(count):
    await Timer(count, "us")
