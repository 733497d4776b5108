// Generated from the declarations in protocol/src: do not edit.
// Made by: cargo xtask generate

//! Words of the structures in host memory and BAR0.

use rust_hdl::prelude::*;

/// Splits a raw word into its fields: SubmissionEntry, bytes 0x00 to 0x0f.
#[derive(LogicBlock, Default)]
pub struct SubmissionEntryDecode0 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// What to do.
    pub opcode: Signal<Out, Bits<8>>,
    /// No flags are defined yet.
    pub flags: Signal<Out, Bits<8>>,
    /// Free-running ring index of this entry: the low bits are the slot, the higher bits the phase. The device completes the entry with BAD_INDEX when it is not the index that it fetched.
    pub index: Signal<Out, Bits<16>>,
    /// Region id.
    pub region: Signal<Out, Bits<32>>,
    /// Returned in the completion entry, of no meaning to the device.
    pub cookie: Signal<Out, Bits<64>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for SubmissionEntryDecode0 {
    #[hdl_gen]
    fn update(&mut self) {
        self.opcode.next = self.raw.val().get_bits::<8>(0);
        self.flags.next = self.raw.val().get_bits::<8>(8);
        self.index.next = self.raw.val().get_bits::<16>(16);
        self.region.next = self.raw.val().get_bits::<32>(32);
        self.cookie.next = self.raw.val().get_bits::<64>(64);
        self.reserved.next = self.raw.val().get_bits::<8>(8).any();
    }
}

/// Splits a raw word into its fields: SubmissionEntry, bytes 0x10 to 0x1f.
#[derive(LogicBlock, Default)]
pub struct SubmissionEntryDecode1 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// First byte, counted from the start of the region.
    pub offset: Signal<Out, Bits<64>>,
    /// Bytes to move.
    pub length: Signal<Out, Bits<64>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for SubmissionEntryDecode1 {
    #[hdl_gen]
    fn update(&mut self) {
        self.offset.next = self.raw.val().get_bits::<64>(0);
        self.length.next = self.raw.val().get_bits::<64>(64);
        self.reserved.next = false;
    }
}

/// Splits a raw word into its fields: SubmissionEntry, bytes 0x20 to 0x2f.
#[derive(LogicBlock, Default)]
pub struct SubmissionEntryDecode2 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Generation of the region that the submitter means.
    pub generation: Signal<Out, Bits<16>>,
    /// TDEST of the user stream; within the queue's range.
    pub tdest: Signal<Out, Bits<16>>,
    /// Index of the SG element that holds the first byte.
    pub sg_hint: Signal<Out, Bits<32>>,
    /// Returned in the completion entry; user metadata.
    pub user: Signal<Out, Bits<32>>,
    /// Process address space id (PCIe 5.0, section 6.20).
    pub pasid: Signal<Out, Bits<20>>,
    /// Traffic class (PCIe 5.0, section 2.2.6.6).
    pub traffic_class: Signal<Out, Bits<3>>,
    /// Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3).
    pub attributes: Signal<Out, Bits<3>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for SubmissionEntryDecode2 {
    #[hdl_gen]
    fn update(&mut self) {
        self.generation.next = self.raw.val().get_bits::<16>(0);
        self.tdest.next = self.raw.val().get_bits::<16>(16);
        self.sg_hint.next = self.raw.val().get_bits::<32>(32);
        self.user.next = self.raw.val().get_bits::<32>(64);
        self.pasid.next = self.raw.val().get_bits::<20>(96);
        self.traffic_class.next = self.raw.val().get_bits::<3>(116);
        self.attributes.next = self.raw.val().get_bits::<3>(119);
        self.reserved.next = self.raw.val().get_bits::<32>(96).any();
    }
}

/// Splits a raw word into its fields: SubmissionEntry, bytes 0x30 to 0x3f.
#[derive(LogicBlock, Default)]
pub struct SubmissionEntryDecode3 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for SubmissionEntryDecode3 {
    #[hdl_gen]
    fn update(&mut self) {
        self.reserved.next = self.raw.val().get_bits::<128>(0).any();
    }
}

/// Splits a raw word into its fields: CompletionEntry, bytes 0x00 to 0x0f.
#[derive(LogicBlock, Default)]
pub struct CompletionEntryDecode0 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// The submission entry's cookie.
    pub cookie: Signal<Out, Bits<64>>,
    /// Device clock cycles when the entry was made.
    pub timestamp: Signal<Out, Bits<64>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CompletionEntryDecode0 {
    #[hdl_gen]
    fn update(&mut self) {
        self.cookie.next = self.raw.val().get_bits::<64>(0);
        self.timestamp.next = self.raw.val().get_bits::<64>(64);
        self.reserved.next = false;
    }
}

/// Joins fields into a raw word: CompletionEntry, bytes 0x00 to 0x0f.
#[derive(LogicBlock, Default)]
pub struct CompletionEntryEncode0 {
    /// The submission entry's cookie.
    pub cookie: Signal<In, Bits<64>>,
    /// Device clock cycles when the entry was made.
    pub timestamp: Signal<In, Bits<64>>,
    /// The raw word.
    pub raw: Signal<Out, Bits<128>>,
}

impl Logic for CompletionEntryEncode0 {
    #[hdl_gen]
    fn update(&mut self) {
        self.raw.next = bit_cast::<128, 64>(self.cookie.val())
            | (bit_cast::<128, 64>(self.timestamp.val()) << 64);
    }
}

/// Splits a raw word into its fields: CompletionEntry, bytes 0x10 to 0x1f.
#[derive(LogicBlock, Default)]
pub struct CompletionEntryDecode1 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Bytes moved.
    pub bytes_moved: Signal<Out, Bits<48>>,
    /// How the transfer ended.
    pub status: Signal<Out, Bits<16>>,
    /// The submission entry's user metadata.
    pub user: Signal<Out, Bits<32>>,
    /// Ring index of the submission entry: the driver's state is keyed by it.
    pub slot: Signal<Out, Bits<16>>,
    /// Queue id.
    pub queue_id: Signal<Out, Bits<12>>,
    /// C2H: the transfer ended with the packet's TLAST.
    pub eop: Signal<Out, Bit>,
    /// 1 on the first lap of the ring, then the inverse on each lap; the ring is zeroed at the start.
    pub phase: Signal<Out, Bit>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CompletionEntryDecode1 {
    #[hdl_gen]
    fn update(&mut self) {
        self.bytes_moved.next = self.raw.val().get_bits::<48>(0);
        self.status.next = self.raw.val().get_bits::<16>(48);
        self.user.next = self.raw.val().get_bits::<32>(64);
        self.slot.next = self.raw.val().get_bits::<16>(96);
        self.queue_id.next = self.raw.val().get_bits::<12>(112);
        self.eop.next = self.raw.val().get_bit(124);
        self.phase.next = self.raw.val().get_bit(127);
        self.reserved.next = self.raw.val().get_bits::<2>(125).any();
    }
}

/// Joins fields into a raw word: CompletionEntry, bytes 0x10 to 0x1f.
#[derive(LogicBlock, Default)]
pub struct CompletionEntryEncode1 {
    /// Bytes moved.
    pub bytes_moved: Signal<In, Bits<48>>,
    /// How the transfer ended.
    pub status: Signal<In, Bits<16>>,
    /// The submission entry's user metadata.
    pub user: Signal<In, Bits<32>>,
    /// Ring index of the submission entry: the driver's state is keyed by it.
    pub slot: Signal<In, Bits<16>>,
    /// Queue id.
    pub queue_id: Signal<In, Bits<12>>,
    /// C2H: the transfer ended with the packet's TLAST.
    pub eop: Signal<In, Bit>,
    /// 1 on the first lap of the ring, then the inverse on each lap; the ring is zeroed at the start.
    pub phase: Signal<In, Bit>,
    /// The raw word.
    pub raw: Signal<Out, Bits<128>>,
}

impl Logic for CompletionEntryEncode1 {
    #[hdl_gen]
    fn update(&mut self) {
        self.raw.next = bit_cast::<128, 48>(self.bytes_moved.val())
            | (bit_cast::<128, 16>(self.status.val()) << 48)
            | (bit_cast::<128, 32>(self.user.val()) << 64)
            | (bit_cast::<128, 16>(self.slot.val()) << 96)
            | (bit_cast::<128, 12>(self.queue_id.val()) << 112)
            | (bit_cast::<128, 1>(self.eop.val().into()) << 124)
            | (bit_cast::<128, 1>(self.phase.val().into()) << 127);
    }
}

/// Splits a raw word into its fields: QueueContext, bytes 0x00 to 0x0f.
#[derive(LogicBlock, Default)]
pub struct QueueContextDecode0 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Bus address of the submission ring, page-aligned.
    pub sq_address: Signal<Out, Bits<64>>,
    /// Bus address of the completion ring, page-aligned.
    pub cq_address: Signal<Out, Bits<64>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for QueueContextDecode0 {
    #[hdl_gen]
    fn update(&mut self) {
        self.sq_address.next = self.raw.val().get_bits::<64>(0);
        self.cq_address.next = self.raw.val().get_bits::<64>(64);
        self.reserved.next = false;
    }
}

/// Splits a raw word into its fields: QueueContext, bytes 0x10 to 0x1f.
#[derive(LogicBlock, Default)]
pub struct QueueContextDecode1 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// log2 of the submission ring's entries.
    pub sq_entries_log2: Signal<Out, Bits<8>>,
    /// log2 of the completion ring's entries.
    pub cq_entries_log2: Signal<Out, Bits<8>>,
    /// Direction of every transfer of the queue.
    pub direction: Signal<Out, Bits<8>>,
    /// No flags are defined yet.
    pub flags: Signal<Out, Bits<8>>,
    /// MSI-X vector.
    pub vector: Signal<Out, Bits<16>>,
    /// PCIe function that the queue belongs to; zero for now.
    pub function_id: Signal<Out, Bits<16>>,
    /// Protection domain: the queue reaches only regions of the same.
    pub protection_domain: Signal<Out, Bits<32>>,
    /// Lowest TDEST that entries may name.
    pub tdest_first: Signal<Out, Bits<16>>,
    /// Highest TDEST that entries may name.
    pub tdest_last: Signal<Out, Bits<16>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for QueueContextDecode1 {
    #[hdl_gen]
    fn update(&mut self) {
        self.sq_entries_log2.next = self.raw.val().get_bits::<8>(0);
        self.cq_entries_log2.next = self.raw.val().get_bits::<8>(8);
        self.direction.next = self.raw.val().get_bits::<8>(16);
        self.flags.next = self.raw.val().get_bits::<8>(24);
        self.vector.next = self.raw.val().get_bits::<16>(32);
        self.function_id.next = self.raw.val().get_bits::<16>(48);
        self.protection_domain.next = self.raw.val().get_bits::<32>(64);
        self.tdest_first.next = self.raw.val().get_bits::<16>(96);
        self.tdest_last.next = self.raw.val().get_bits::<16>(112);
        self.reserved.next = (self.raw.val().get_bits::<8>(24).any()) | (self.raw.val().get_bits::<16>(48).any());
    }
}

/// Joins fields into a raw word: QueueContext, bytes 0x10 to 0x1f.
#[derive(LogicBlock, Default)]
pub struct QueueContextEncode1 {
    /// log2 of the submission ring's entries.
    pub sq_entries_log2: Signal<In, Bits<8>>,
    /// log2 of the completion ring's entries.
    pub cq_entries_log2: Signal<In, Bits<8>>,
    /// Direction of every transfer of the queue.
    pub direction: Signal<In, Bits<8>>,
    /// MSI-X vector.
    pub vector: Signal<In, Bits<16>>,
    /// Protection domain: the queue reaches only regions of the same.
    pub protection_domain: Signal<In, Bits<32>>,
    /// Lowest TDEST that entries may name.
    pub tdest_first: Signal<In, Bits<16>>,
    /// Highest TDEST that entries may name.
    pub tdest_last: Signal<In, Bits<16>>,
    /// The raw word.
    pub raw: Signal<Out, Bits<128>>,
}

impl Logic for QueueContextEncode1 {
    #[hdl_gen]
    fn update(&mut self) {
        self.raw.next = bit_cast::<128, 8>(self.sq_entries_log2.val())
            | (bit_cast::<128, 8>(self.cq_entries_log2.val()) << 8)
            | (bit_cast::<128, 8>(self.direction.val()) << 16)
            | (bit_cast::<128, 16>(self.vector.val()) << 32)
            | (bit_cast::<128, 32>(self.protection_domain.val()) << 64)
            | (bit_cast::<128, 16>(self.tdest_first.val()) << 96)
            | (bit_cast::<128, 16>(self.tdest_last.val()) << 112);
    }
}

/// Splits a raw word into its fields: QueueContext, bytes 0x20 to 0x2f.
#[derive(LogicBlock, Default)]
pub struct QueueContextDecode2 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Process address space id (PCIe 5.0, section 6.20).
    pub pasid: Signal<Out, Bits<20>>,
    /// Traffic class (PCIe 5.0, section 2.2.6.6).
    pub traffic_class: Signal<Out, Bits<3>>,
    /// Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3).
    pub attributes: Signal<Out, Bits<3>>,
    /// Interrupt moderation: an armed queue's vector fires when this many completion entries lie behind the armed head (compare NVMe 2.0, section 5.27.1.5, interrupt coalescing). 0 and 1: with each.
    pub moderation_count: Signal<Out, Bits<16>>,
    /// Interrupt moderation: the vector of an armed queue with fewer entries behind its head than `moderation_count` fires when it has been so for this long, in units of 16 device clock cycles. Not zero if `moderation_count` is above 1.
    pub moderation_time: Signal<Out, Bits<16>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for QueueContextDecode2 {
    #[hdl_gen]
    fn update(&mut self) {
        self.pasid.next = self.raw.val().get_bits::<20>(0);
        self.traffic_class.next = self.raw.val().get_bits::<3>(20);
        self.attributes.next = self.raw.val().get_bits::<3>(23);
        self.moderation_count.next = self.raw.val().get_bits::<16>(64);
        self.moderation_time.next = self.raw.val().get_bits::<16>(80);
        self.reserved.next = (self.raw.val().get_bits::<64>(0).any()) | (self.raw.val().get_bits::<32>(96).any());
    }
}

/// Splits a raw word into its fields: AdminEntry, bytes 0x00 to 0x0f.
#[derive(LogicBlock, Default)]
pub struct AdminEntryDecode0 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// What to do.
    pub opcode: Signal<Out, Bits<8>>,
    /// No flags are defined yet.
    pub flags: Signal<Out, Bits<8>>,
    /// Free-running ring index of this entry, as in a submission entry.
    pub index: Signal<Out, Bits<16>>,
    /// The queue or the region that is meant.
    pub target: Signal<Out, Bits<32>>,
    /// Returned in the completion entry.
    pub cookie: Signal<Out, Bits<64>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for AdminEntryDecode0 {
    #[hdl_gen]
    fn update(&mut self) {
        self.opcode.next = self.raw.val().get_bits::<8>(0);
        self.flags.next = self.raw.val().get_bits::<8>(8);
        self.index.next = self.raw.val().get_bits::<16>(16);
        self.target.next = self.raw.val().get_bits::<32>(32);
        self.cookie.next = self.raw.val().get_bits::<64>(64);
        self.reserved.next = self.raw.val().get_bits::<8>(8).any();
    }
}

/// Splits a raw word into its fields: RegionEntry, bytes 0x00 to 0x0f.
#[derive(LogicBlock, Default)]
pub struct RegionEntryDecode0 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Bus address of the SG table, page-aligned.
    pub sg_table: Signal<Out, Bits<64>>,
    /// Bytes of the region.
    pub length: Signal<Out, Bits<64>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for RegionEntryDecode0 {
    #[hdl_gen]
    fn update(&mut self) {
        self.sg_table.next = self.raw.val().get_bits::<64>(0);
        self.length.next = self.raw.val().get_bits::<64>(64);
        self.reserved.next = false;
    }
}

/// Splits a raw word into its fields: RegionEntry, bytes 0x10 to 0x1f.
#[derive(LogicBlock, Default)]
pub struct RegionEntryDecode1 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Elements in the SG table.
    pub element_count: Signal<Out, Bits<32>>,
    /// Counts the registrations of this id, so that late submissions to an earlier one are caught.
    pub generation: Signal<Out, Bits<16>>,
    /// Where the region starts in its first page, below 4096.
    pub first_byte_offset: Signal<Out, Bits<16>>,
    /// Protection domain: only queues of the same reach the region.
    pub protection_domain: Signal<Out, Bits<32>>,
    /// C2H: the device may write the region.
    pub allow_c2h: Signal<Out, Bit>,
    /// H2C: the device may read the region.
    pub allow_h2c: Signal<Out, Bit>,
    /// How the SG table is written.
    pub format: Signal<Out, Bits<8>>,
    /// log2 of the page size: 12 if page-granular, 12 to 30 if uniform.
    pub page_shift: Signal<Out, Bits<8>>,
    /// Serves one transfer: never kept on chip after it.
    pub one_shot: Signal<Out, Bit>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for RegionEntryDecode1 {
    #[hdl_gen]
    fn update(&mut self) {
        self.element_count.next = self.raw.val().get_bits::<32>(0);
        self.generation.next = self.raw.val().get_bits::<16>(32);
        self.first_byte_offset.next = self.raw.val().get_bits::<16>(48);
        self.protection_domain.next = self.raw.val().get_bits::<32>(64);
        self.allow_c2h.next = self.raw.val().get_bit(96);
        self.allow_h2c.next = self.raw.val().get_bit(97);
        self.format.next = self.raw.val().get_bits::<8>(104);
        self.page_shift.next = self.raw.val().get_bits::<8>(112);
        self.one_shot.next = self.raw.val().get_bit(120);
        self.reserved.next = (self.raw.val().get_bits::<6>(98).any()) | (self.raw.val().get_bits::<7>(121).any());
    }
}

/// Splits a raw word into its fields: RegionEntry, bytes 0x20 to 0x2f.
#[derive(LogicBlock, Default)]
pub struct RegionEntryDecode2 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Process address space id (PCIe 5.0, section 6.20).
    pub pasid: Signal<Out, Bits<20>>,
    /// Traffic class (PCIe 5.0, section 2.2.6.6).
    pub traffic_class: Signal<Out, Bits<3>>,
    /// Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3).
    pub attributes: Signal<Out, Bits<3>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for RegionEntryDecode2 {
    #[hdl_gen]
    fn update(&mut self) {
        self.pasid.next = self.raw.val().get_bits::<20>(0);
        self.traffic_class.next = self.raw.val().get_bits::<3>(20);
        self.attributes.next = self.raw.val().get_bits::<3>(23);
        self.reserved.next = self.raw.val().get_bits::<128>(0).any();
    }
}

/// Splits a raw word into its fields: RegionEntry, bytes 0x30 to 0x3f.
#[derive(LogicBlock, Default)]
pub struct RegionEntryDecode3 {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// XOR of the other bytes, once a feature bit says so; zero until then.
    pub check_byte: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for RegionEntryDecode3 {
    #[hdl_gen]
    fn update(&mut self) {
        self.check_byte.next = self.raw.val().get_bits::<8>(120);
        self.reserved.next = self.raw.val().get_bits::<128>(0).any();
    }
}

/// Splits a raw word into its fields: SgElement.
#[derive(LogicBlock, Default)]
pub struct SgElementDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// The element is in use.
    pub valid: Signal<Out, Bit>,
    /// Check bits, once a feature bit says so; zero until then.
    pub check_bits: Signal<Out, Bits<8>>,
    /// Bits 63:12 of the bus address of the first page.
    pub page_frame: Signal<Out, Bits<52>>,
    /// Pages in the run, at least 1.
    pub pages: Signal<Out, Bits<32>>,
    /// Number of the first page within the region.
    pub start_page: Signal<Out, Bits<32>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for SgElementDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.valid.next = self.raw.val().get_bit(0);
        self.check_bits.next = self.raw.val().get_bits::<8>(4);
        self.page_frame.next = self.raw.val().get_bits::<52>(12);
        self.pages.next = self.raw.val().get_bits::<32>(64);
        self.start_page.next = self.raw.val().get_bits::<32>(96);
        self.reserved.next = self.raw.val().get_bits::<11>(1).any();
    }
}

/// Splits a raw word into its fields: SgUniformElement.
#[derive(LogicBlock, Default)]
pub struct SgUniformElementDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<64>>,
    /// The element is in use.
    pub valid: Signal<Out, Bit>,
    /// Check bits, once a feature bit says so; zero until then.
    pub check_bits: Signal<Out, Bits<8>>,
    /// Bits 63:12 of the bus address of the page, which is aligned to its own size.
    pub page_frame: Signal<Out, Bits<52>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for SgUniformElementDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.valid.next = self.raw.val().get_bit(0);
        self.check_bits.next = self.raw.val().get_bits::<8>(4);
        self.page_frame.next = self.raw.val().get_bits::<52>(12);
        self.reserved.next = self.raw.val().get_bits::<11>(1).any();
    }
}

/// Splits a raw word into its fields: Doorbell.
#[derive(LogicBlock, Default)]
pub struct DoorbellDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<64>>,
    /// Free-running index behind the last submission entry written.
    pub sq_tail: Signal<Out, Bits<16>>,
    /// Free-running index behind the last completion entry reaped.
    pub cq_head: Signal<Out, Bits<16>>,
    /// Interrupt once when a completion entry lies at or behind cq_head; at once if one already does. With interrupt moderation: when `moderation_count` entries do, or one has for `moderation_time`, whichever is first.
    pub arm: Signal<Out, Bit>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for DoorbellDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.sq_tail.next = self.raw.val().get_bits::<16>(0);
        self.cq_head.next = self.raw.val().get_bits::<16>(16);
        self.arm.next = self.raw.val().get_bit(32);
        self.reserved.next = self.raw.val().get_bits::<31>(33).any();
    }
}

/// Splits a raw word into its fields: MsixEntry.
#[derive(LogicBlock, Default)]
pub struct MsixEntryDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Message address; bits 1:0 are zero.
    pub address: Signal<Out, Bits<64>>,
    /// Message data.
    pub data: Signal<Out, Bits<32>>,
    /// The vector is masked: its messages wait in the pending bit array.
    pub masked: Signal<Out, Bit>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for MsixEntryDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.address.next = self.raw.val().get_bits::<64>(0);
        self.data.next = self.raw.val().get_bits::<32>(64);
        self.masked.next = self.raw.val().get_bit(96);
        self.reserved.next = self.raw.val().get_bits::<31>(97).any();
    }
}
