//! The whole of BAR0.

use super::csr::Csr;
use super::doorbell::DoorbellUnit;
use super::inline::InlineSlots;
use super::msix::MsixTable;
use super::target::MmioTarget;
use crate::sizes::{Full, Sizes, WORD_BITS};
use rust_hdl::prelude::*;

/// Target, registers, doorbells, inline slots and MSI-X table on one bus; the ports are theirs.
///
/// `CLOCK_HZ` is the frequency of `clock`.
#[derive(LogicBlock, Default)]
pub struct Bar0<
    const W: usize,
    const B: usize,
    const L: usize,
    const CLOCK_HZ: u64 = 250_000_000,
    S: Sizes = Full,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A beat of a request is on offer.
    pub req_valid: Signal<In, Bit>,
    /// The beat is taken.
    pub req_ready: Signal<Out, Bit>,
    /// First beat.
    pub req_sop: Signal<In, Bit>,
    /// Last beat.
    pub req_eop: Signal<In, Bit>,
    /// Payload, address-aligned.
    pub req_data: Signal<In, Bits<W>>,
    /// Write, otherwise read.
    pub req_write: Signal<In, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub req_addr: Signal<In, Bits<24>>,
    /// Length in DW.
    pub req_len: Signal<In, Bits<11>>,
    /// Byte enables of the first DW.
    pub req_first_be: Signal<In, Bits<4>>,
    /// Byte enables of the last DW, zero for requests of 1 DW.
    pub req_last_be: Signal<In, Bits<4>>,
    /// Tag of a read.
    pub req_tag: Signal<In, Bits<10>>,
    /// Requester id.
    pub req_id: Signal<In, Bits<16>>,
    /// A completion is on offer.
    pub cpl_valid: Signal<Out, Bit>,
    /// The completion is taken.
    pub cpl_ready: Signal<In, Bit>,
    /// Completion status: 0 successful, 1 unsupported request (PCIe 5.0, section 2.2.9).
    pub cpl_status: Signal<Out, Bits<3>>,
    /// Tag of the request.
    pub cpl_tag: Signal<Out, Bits<10>>,
    /// Requester id of the request.
    pub cpl_id: Signal<Out, Bits<16>>,
    /// Bytes that satisfy the request (PCIe 5.0, section 2.3.1.1), 1 to 4096.
    pub cpl_byte_count: Signal<Out, Bits<13>>,
    /// Low bits of the address of the first enabled byte (PCIe 5.0, section 2.3.1.1).
    pub cpl_lower_addr: Signal<Out, Bits<7>>,
    /// DW of data, 0 to 2.
    pub cpl_len: Signal<Out, Bits<11>>,
    /// Data, the first DW in the low bits.
    pub cpl_data: Signal<Out, Bits<64>>,
    /// CONTROL.enable: the device may master the bus.
    pub enable: Signal<Out, Bit>,
    /// CONTROL.reset: the device is to restart.
    pub soft_reset: Signal<Out, Bit>,
    /// The device restarts in this cycle.
    pub restart: Signal<In, Bit>,
    /// H2C reads that may be in flight.
    pub read_tags: Signal<In, Bits<32>>,
    /// Bus address of the admin submission ring.
    pub admin_sq: Signal<Out, Bits<64>>,
    /// Bus address of the admin completion ring.
    pub admin_cq: Signal<Out, Bits<64>>,
    /// log2 of the admin submission ring's entries.
    pub admin_sq_log2: Signal<Out, Bits<4>>,
    /// log2 of the admin completion ring's entries.
    pub admin_cq_log2: Signal<Out, Bits<4>>,
    /// MSI-X vector of the admin queue.
    pub admin_vector: Signal<Out, Bits<4>>,
    /// Bus address of the region table.
    pub region_table: Signal<Out, Bits<64>>,
    /// Entries of the region table.
    pub region_count: Signal<Out, Bits<32>>,
    /// Cycles since reset.
    pub timestamp: Signal<Out, Bits<64>>,
    /// The firmware's heartbeat.
    pub fw_state_valid: Signal<In, Bit>,
    /// Its state, a code of `FirmwareState`.
    pub fw_state: Signal<In, Bits<32>>,
    /// Detail; the register shows bits 23:0.
    pub fw_detail: Signal<In, Bits<32>>,
    /// Restarts of the firmware since reset.
    pub fw_restarts: Signal<In, Bits<32>>,
    /// The firmware logs a word.
    pub log_valid: Signal<In, Bit>,
    /// Its bytes, the first one lowest.
    pub log_data: Signal<In, Bits<96>>,
    /// How many bytes, 1 to 12.
    pub log_count: Signal<In, Bits<4>>,
    /// A transfer or command ends in an error.
    pub error_valid: Signal<In, Bit>,
    /// Its status code.
    pub error_status: Signal<In, Bits<16>>,
    /// Queue id.
    pub error_queue: Signal<In, Bits<4>>,
    /// Direction: 0 C2H, 1 H2C.
    pub error_direction: Signal<In, Bit>,
    /// Bus address, or zero.
    pub error_address: Signal<In, Bits<64>>,
    /// Payload bytes that went to host memory in this cycle.
    pub c2h_bytes_inc: Signal<In, Bits<13>>,
    /// Payload bytes that came from host memory in this cycle.
    pub h2c_bytes_inc: Signal<In, Bits<13>>,
    /// A C2H transfer completed.
    pub c2h_done: Signal<In, Bit>,
    /// An H2C transfer completed.
    pub h2c_done: Signal<In, Bit>,
    /// C2H waits for an SG block.
    pub c2h_list_wait: Signal<In, Bit>,
    /// H2C waits for an SG block.
    pub h2c_list_wait: Signal<In, Bit>,
    /// An idle data cycle of C2H.
    pub c2h_idle: Signal<In, Bit>,
    /// An idle data cycle of H2C.
    pub h2c_idle: Signal<In, Bit>,
    /// A completion entry was written.
    pub completion: Signal<In, Bit>,
    /// A doorbell rings, for one cycle.
    pub db_valid: Signal<Out, Bit>,
    /// Its queue.
    pub db_queue: Signal<Out, Bits<4>>,
    /// Index behind the last submission entry written.
    pub db_tail: Signal<Out, Bits<16>>,
    /// Index behind the last completion entry reaped.
    pub db_head: Signal<Out, Bits<16>>,
    /// Arm the queue's interrupt.
    pub db_arm: Signal<Out, Bit>,
    /// An entry is named in its queue's inline slot.
    pub hint_valid: Signal<Out, Bit>,
    /// Its queue.
    pub hint_queue: Signal<Out, Bits<4>>,
    /// Its ring index.
    pub hint_index: Signal<Out, Bits<16>>,
    /// And all of it is here.
    pub hint_whole: Signal<Out, Bit>,
    /// The scheduler has looked.
    pub hint_ready: Signal<In, Bit>,
    /// It takes the entry.
    pub hint_take: Signal<In, Bit>,
    /// For a context of this direction: 0 C2H, 1 H2C.
    pub take_target: Signal<In, Bits<2>>,
    /// Which one.
    pub take_id: Signal<In, Bits<5>>,
    /// First word in its memory.
    pub take_word: Signal<In, Bits<WORD_BITS>>,
    /// A word of the entry for that memory.
    pub fill_valid: Signal<Out, Bit>,
    /// It is written.
    pub fill_ready: Signal<In, Bit>,
    /// The entry's last.
    pub fill_last: Signal<Out, Bit>,
    /// Whose memory.
    pub fill_target: Signal<Out, Bits<2>>,
    /// Context.
    pub fill_id: Signal<Out, Bits<5>>,
    /// Where.
    pub fill_word: Signal<Out, Bits<WORD_BITS>>,
    /// The word.
    pub fill_data: Signal<Out, Bits<128>>,
    /// MSI-X Enable of the capability.
    pub cfg_msix_enable: Signal<In, Bit>,
    /// Function Mask of the capability.
    pub cfg_msix_mask: Signal<In, Bit>,
    /// A vector is to be signalled.
    pub irq_valid: Signal<In, Bit>,
    /// The request is taken.
    pub irq_ready: Signal<Out, Bit>,
    /// The vector.
    pub irq_vector: Signal<In, Bits<4>>,
    /// A message is on offer: one DW to be written.
    pub msg_valid: Signal<Out, Bit>,
    /// The message is taken.
    pub msg_ready: Signal<In, Bit>,
    /// Bus address, a multiple of 4.
    pub msg_addr: Signal<Out, Bits<64>>,
    /// The DW.
    pub msg_data: Signal<Out, Bits<32>>,
    target: MmioTarget<W, B, L>,
    csr: Csr<L, CLOCK_HZ, S>,
    doorbells: DoorbellUnit<S>,
    inline: InlineSlots<W, S>,
    msix: MsixTable<S>,
}

impl<const W: usize, const B: usize, const L: usize, const CLOCK_HZ: u64, S: Sizes> Logic
    for Bar0<W, B, L, CLOCK_HZ, S>
{
    #[hdl_gen]
    fn update(&mut self) {
        // The link.
        self.target.clock.next = self.clock.val();
        self.target.reset.next = self.reset.val();
        self.target.req_valid.next = self.req_valid.val();
        self.req_ready.next = self.target.req_ready.val();
        self.target.req_sop.next = self.req_sop.val();
        self.target.req_eop.next = self.req_eop.val();
        self.target.req_data.next = self.req_data.val();
        self.target.req_write.next = self.req_write.val();
        self.target.req_addr.next = self.req_addr.val();
        self.target.req_len.next = self.req_len.val();
        self.target.req_first_be.next = self.req_first_be.val();
        self.target.req_last_be.next = self.req_last_be.val();
        self.target.req_tag.next = self.req_tag.val();
        self.target.req_id.next = self.req_id.val();
        self.cpl_valid.next = self.target.cpl_valid.val();
        self.target.cpl_ready.next = self.cpl_ready.val();
        self.cpl_status.next = self.target.cpl_status.val();
        self.cpl_tag.next = self.target.cpl_tag.val();
        self.cpl_id.next = self.target.cpl_id.val();
        self.cpl_byte_count.next = self.target.cpl_byte_count.val();
        self.cpl_lower_addr.next = self.target.cpl_lower_addr.val();
        self.cpl_len.next = self.target.cpl_len.val();
        self.cpl_data.next = self.target.cpl_data.val();
        // Registers.
        self.csr.clock.next = self.clock.val();
        self.csr.reset.next = self.reset.val();
        self.csr.write_valid.next = self.target.write_valid.val();
        self.csr.write_addr.next = self.target.write_addr.val();
        self.csr.write_data.next = self.target.write_data.val();
        self.csr.write_be.next = self.target.write_be.val();
        self.csr.read_valid.next = self.target.read_valid.val();
        self.csr.read_addr.next = self.target.read_addr.val();
        self.enable.next = self.csr.enable.val();
        self.soft_reset.next = self.csr.soft_reset.val();
        self.csr.restart.next = self.restart.val();
        self.csr.read_tags.next = self.read_tags.val();
        self.admin_sq.next = self.csr.admin_sq.val();
        self.admin_cq.next = self.csr.admin_cq.val();
        self.admin_sq_log2.next = self.csr.admin_sq_log2.val();
        self.admin_cq_log2.next = self.csr.admin_cq_log2.val();
        self.admin_vector.next = self.csr.admin_vector.val();
        self.region_table.next = self.csr.region_table.val();
        self.region_count.next = self.csr.region_count.val();
        self.timestamp.next = self.csr.timestamp.val();
        self.csr.fw_state_valid.next = self.fw_state_valid.val();
        self.csr.fw_state.next = self.fw_state.val();
        self.csr.fw_detail.next = self.fw_detail.val();
        self.csr.fw_restarts.next = self.fw_restarts.val();
        self.csr.log_valid.next = self.log_valid.val();
        self.csr.log_data.next = self.log_data.val();
        self.csr.log_count.next = self.log_count.val();
        self.csr.error_valid.next = self.error_valid.val();
        self.csr.error_status.next = self.error_status.val();
        self.csr.error_queue.next = self.error_queue.val();
        self.csr.error_direction.next = self.error_direction.val();
        self.csr.error_address.next = self.error_address.val();
        self.csr.c2h_bytes_inc.next = self.c2h_bytes_inc.val();
        self.csr.h2c_bytes_inc.next = self.h2c_bytes_inc.val();
        self.csr.c2h_done.next = self.c2h_done.val();
        self.csr.h2c_done.next = self.h2c_done.val();
        self.csr.c2h_list_wait.next = self.c2h_list_wait.val();
        self.csr.h2c_list_wait.next = self.h2c_list_wait.val();
        self.csr.c2h_idle.next = self.c2h_idle.val();
        self.csr.h2c_idle.next = self.h2c_idle.val();
        self.csr.completion.next = self.completion.val();
        self.csr.interrupt_sent.next = self.msix.msg_valid.val() & self.msg_ready.val();
        // Doorbells.
        self.doorbells.clock.next = self.clock.val();
        self.doorbells.reset.next = self.reset.val();
        self.doorbells.write_valid.next = self.target.write_valid.val();
        self.doorbells.write_addr.next = self.target.write_addr.val();
        self.doorbells.write_data.next = self.target.write_data.val();
        self.doorbells.write_be.next = self.target.write_be.val();
        self.doorbells.write_last.next = self.target.write_last.val();
        self.db_valid.next = self.doorbells.db_valid.val();
        self.db_queue.next = self.doorbells.db_queue.val();
        self.db_tail.next = self.doorbells.db_tail.val();
        self.db_head.next = self.doorbells.db_head.val();
        self.db_arm.next = self.doorbells.db_arm.val();
        // Inline slots. A request waits until the scheduler has looked at what the one before names.
        self.target.hold.next = self.inline.hint_valid.val();
        self.inline.clock.next = self.clock.val();
        self.inline.reset.next = self.reset.val() | self.restart.val();
        self.inline.beat.next =
            (self.req_valid.val() & self.target.req_ready.val()) & self.req_write.val();
        self.inline.beat_sop.next = self.req_sop.val();
        self.inline.beat_eop.next = self.req_eop.val();
        self.inline.beat_data.next = self.req_data.val();
        self.inline.beat_addr.next = self.req_addr.val();
        self.inline.beat_len.next = self.req_len.val();
        self.inline.beat_first_be.next = self.req_first_be.val();
        self.inline.beat_last_be.next = self.req_last_be.val();
        self.inline.write_valid.next = self.target.write_valid.val();
        self.inline.write_addr.next = self.target.write_addr.val();
        self.inline.write_data.next = self.target.write_data.val();
        self.inline.write_be.next = self.target.write_be.val();
        self.hint_valid.next = self.inline.hint_valid.val();
        self.hint_queue.next = self.inline.hint_queue.val();
        self.hint_index.next = self.inline.hint_index.val();
        self.hint_whole.next = self.inline.hint_whole.val();
        self.inline.hint_ready.next = self.hint_ready.val();
        self.inline.hint_take.next = self.hint_take.val();
        self.inline.take_target.next = self.take_target.val();
        self.inline.take_id.next = self.take_id.val();
        self.inline.take_word.next = self.take_word.val();
        self.fill_valid.next = self.inline.fill_valid.val();
        self.inline.fill_ready.next = self.fill_ready.val();
        self.fill_last.next = self.inline.fill_last.val();
        self.fill_target.next = self.inline.fill_target.val();
        self.fill_id.next = self.inline.fill_id.val();
        self.fill_word.next = self.inline.fill_word.val();
        self.fill_data.next = self.inline.fill_data.val();
        // MSI-X.
        self.msix.clock.next = self.clock.val();
        self.msix.reset.next = self.reset.val();
        self.msix.write_valid.next = self.target.write_valid.val();
        self.msix.write_addr.next = self.target.write_addr.val();
        self.msix.write_data.next = self.target.write_data.val();
        self.msix.write_be.next = self.target.write_be.val();
        self.msix.read_valid.next = self.target.read_valid.val();
        self.msix.read_addr.next = self.target.read_addr.val();
        self.msix.cfg_msix_enable.next = self.cfg_msix_enable.val();
        self.msix.cfg_msix_mask.next = self.cfg_msix_mask.val();
        self.msix.irq_valid.next = self.irq_valid.val();
        self.irq_ready.next = self.msix.irq_ready.val();
        self.msix.irq_vector.next = self.irq_vector.val();
        self.msg_valid.next = self.msix.msg_valid.val();
        self.msix.msg_ready.next = self.msg_ready.val();
        self.msg_addr.next = self.msix.msg_addr.val();
        self.msg_data.next = self.msix.msg_data.val();
        // Both answer in the same cycle, and one of them with zero.
        self.target.read_ack.next = self.csr.read_ack.val() & self.msix.read_ack.val();
        self.target.read_data.next = self.csr.read_data.val() | self.msix.read_data.val();
    }
}
