//! MSI-X table, pending bit array, and the messages (PCIe 5.0, sections 6.1.4 and 7.7.2).

use super::byte_write::ByteWrite;
use super::layout::bit;
use crate::sizes::{Full, MsixBytes, Ones, Sizes, Vectors};
use crate::widgets::{Const, LutRam, Size};
use pinring_protocol::registers::aperture::{MSIX_PBA, MSIX_TABLE};
use pinring_protocol::{MsixEntry, limits};
use rust_hdl::prelude::*;

// Vector numbers have four bits here, and a vector is masked by the lowest byte of its control DW.
const _: () = assert!(limits::VECTORS == 16 && bit(MsixEntry::FIELDS, "masked") % 32 < 8);

/// DW of an entry that a field begins in.
const fn dword(field: &str) -> u64 {
    bit(MsixEntry::FIELDS, field) / 32
}

/// Where a BAR0 offset lies in table and pending bit array.
#[derive(LogicBlock, Default)]
pub struct MsixAddress<S: Sizes = Full> {
    /// Byte offset in BAR0, a multiple of 4.
    pub addr: Signal<In, Bits<24>>,
    /// In the table.
    pub in_table: Signal<Out, Bit>,
    /// The low DW of the pending bit array: the only one with bits in it.
    pub in_pba: Signal<Out, Bit>,
    /// Entry of the table.
    pub entry: Signal<Out, Bits<4>>,
    /// DW of the entry.
    pub dword: Signal<Out, Bits<2>>,
    offset: Signal<Local, Bits<24>>,
    table_start: Const<24, { MSIX_TABLE as u64 }>,
    table_bytes: Size<24, MsixBytes<S>>,
    pba_start: Const<24, { MSIX_PBA as u64 }>,
}

impl<S: Sizes> Logic for MsixAddress<S> {
    #[hdl_gen]
    fn update(&mut self) {
        // Below the table the difference wraps, and lies beyond its end as well.
        self.offset.next = self.addr.val() - self.table_start.val();
        self.in_table.next = self.offset.val() < self.table_bytes.val();
        self.in_pba.next = self.addr.val() == self.pba_start.val();
        // An entry is four DWs.
        self.entry.next = self.offset.val().get_bits::<4>(4);
        self.dword.next = self.offset.val().get_bits::<2>(2);
    }
}

/// 16 vectors, masked after reset.
///
/// A request sets the vector's pending bit; a scan over the vectors, one per cycle, turns pending bits of unmasked vectors
/// into messages. Requests of a vector that is pending already coalesce; with MSI-X disabled they are dropped.
#[derive(LogicBlock, Default)]
pub struct MsixTable<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// MSI-X Enable of the capability.
    pub cfg_msix_enable: Signal<In, Bit>,
    /// Function Mask of the capability.
    pub cfg_msix_mask: Signal<In, Bit>,
    /// A DW is written; never together with `read_valid`.
    pub write_valid: Signal<In, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub write_addr: Signal<In, Bits<24>>,
    /// The DW.
    pub write_data: Signal<In, Bits<32>>,
    /// Its byte enables.
    pub write_be: Signal<In, Bits<4>>,
    /// A DW is read.
    pub read_valid: Signal<In, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub read_addr: Signal<In, Bits<24>>,
    /// The answer, one cycle after `read_valid`.
    pub read_ack: Signal<Out, Bit>,
    /// The DW, with `read_ack`; zero outside of table and pending bit array.
    pub read_data: Signal<Out, Bits<32>>,
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
    write_at: MsixAddress<S>,
    read_at: MsixAddress<S>,
    write: ByteWrite,
    address_low: LutRam<Bits<32>, 4>,
    address_high: LutRam<Bits<32>, 4>,
    data: LutRam<Bits<32>, 4>,
    unmasked: DFF<Bits<16>>,
    pending: DFF<Bits<16>>,
    scan: DFF<Bits<4>>,
    message: DFF<Bit>,
    message_address: DFF<Bits<64>>,
    message_data: DFF<Bits<32>>,
    ack: DFF<Bit>,
    answer: DFF<Bits<32>>,
    ram_entry: Signal<Local, Bits<4>>,
    mask_value: Signal<Local, Bits<32>>,
    write_vector: Signal<Local, Bits<16>>,
    read_vector: Signal<Local, Bits<16>>,
    read_unmasked: Signal<Local, Bits<16>>,
    scan_vector: Signal<Local, Bits<16>>,
    eligible: Signal<Local, Bits<16>>,
    send: Signal<Local, Bit>,
    sent: Signal<Local, Bits<16>>,
    requested: Signal<Local, Bits<16>>,
    address_low_dword: Const<2, { dword("address") }>,
    address_high_dword: Const<2, { dword("address") + 1 }>,
    data_dword: Const<2, { dword("data") }>,
    control_dword: Const<2, { dword("masked") }>,
    masked: Const<32, { 1 << (bit(MsixEntry::FIELDS, "masked") % 32) }>,
    dword_address: Const<32, 0xffff_fffc>,
    all: Size<16, Ones<Vectors<S>>>,
    one: Const<16, 1>,
}

impl<S: Sizes> Logic for MsixTable<S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            unmasked,
            pending,
            scan,
            message,
            message_address,
            message_data,
            ack,
            answer
        );
        self.address_low.clock.next = self.clock.val();
        self.address_high.clock.next = self.clock.val();
        self.data.clock.next = self.clock.val();
        self.write_at.addr.next = self.write_addr.val();
        self.read_at.addr.next = self.read_addr.val();
        // The RAMs' read port: a write needs the bytes it keeps, a read its entry; the scan has it otherwise.
        self.ram_entry.next = self.scan.q.val();
        if self.read_valid.val() {
            self.ram_entry.next = self.read_at.entry.val();
        }
        if self.write_valid.val() {
            self.ram_entry.next = self.write_at.entry.val();
        }
        self.address_low.read_address.next = self.ram_entry.val();
        self.address_high.read_address.next = self.ram_entry.val();
        self.data.read_address.next = self.ram_entry.val();
        // Writes.
        self.write.data.next = self.write_data.val();
        self.write.be.next = self.write_be.val();
        self.address_low.write_address.next = self.write_at.entry.val();
        self.address_low.write_data.next =
            (self.address_low.read_data.val() & self.write.keep.val()) | self.write.change.val();
        self.address_low.write_enable.next = (self.write_valid.val()
            & self.write_at.in_table.val())
            & (self.write_at.dword.val() == self.address_low_dword.val());
        self.address_high.write_address.next = self.write_at.entry.val();
        self.address_high.write_data.next =
            (self.address_high.read_data.val() & self.write.keep.val()) | self.write.change.val();
        self.address_high.write_enable.next = (self.write_valid.val()
            & self.write_at.in_table.val())
            & (self.write_at.dword.val() == self.address_high_dword.val());
        self.data.write_address.next = self.write_at.entry.val();
        self.data.write_data.next =
            (self.data.read_data.val() & self.write.keep.val()) | self.write.change.val();
        self.data.write_enable.next = (self.write_valid.val() & self.write_at.in_table.val())
            & (self.write_at.dword.val() == self.data_dword.val());
        self.write_vector.next = (self.one.val() << self.write_at.entry.val()) & self.all.val();
        self.mask_value.next = self.write_data.val() & self.masked.val();
        if (self.write_valid.val() & self.write_at.in_table.val())
            & (self.write_at.dword.val() == self.control_dword.val())
            & self.write_be.val().get_bit(0)
        {
            if self.mask_value.val() == 0 {
                self.unmasked.d.next = self.unmasked.q.val() | self.write_vector.val();
            } else {
                self.unmasked.d.next = self.unmasked.q.val() & !self.write_vector.val();
            }
        }
        // Reads.
        self.read_vector.next = self.one.val() << self.read_at.entry.val();
        self.read_unmasked.next = self.unmasked.q.val() & self.read_vector.val();
        self.ack.d.next = self.read_valid.val();
        self.answer.d.next = 0.into();
        if self.read_at.in_table.val() {
            if self.read_at.dword.val() == self.address_low_dword.val() {
                self.answer.d.next = self.address_low.read_data.val();
            } else if self.read_at.dword.val() == self.address_high_dword.val() {
                self.answer.d.next = self.address_high.read_data.val();
            } else if self.read_at.dword.val() == self.data_dword.val() {
                self.answer.d.next = self.data.read_data.val();
            } else if self.read_unmasked.val() == 0 {
                self.answer.d.next = self.masked.val();
            }
        } else if self.read_at.in_pba.val() {
            self.answer.d.next = bit_cast::<32, 16>(self.pending.q.val());
        }
        self.read_ack.next = self.ack.q.val();
        self.read_data.next = self.answer.q.val();
        // The scan: it goes on whether or not it may send.
        self.scan.d.next = self.scan.q.val() + 1;
        self.scan_vector.next = self.one.val() << self.scan.q.val();
        self.eligible.next =
            (self.pending.q.val() & self.unmasked.q.val()) & self.scan_vector.val();
        self.send.next = (self.eligible.val() != 0)
            & self.cfg_msix_enable.val()
            & !self.cfg_msix_mask.val()
            & !self.message.q.val()
            & !self.read_valid.val()
            & !self.write_valid.val();
        self.sent.next = 0.into();
        if self.send.val() {
            self.sent.next = self.scan_vector.val();
            self.message.d.next = true;
            // A message is a DW write: the address bits that the host must leave zero are not trusted.
            self.message_address.d.next = (bit_cast::<64, 32>(self.address_high.read_data.val())
                << 32)
                | bit_cast::<64, 32>(self.address_low.read_data.val() & self.dword_address.val());
            self.message_data.d.next = self.data.read_data.val();
        }
        if self.message.q.val() & self.msg_ready.val() {
            self.message.d.next = false;
        }
        self.msg_valid.next = self.message.q.val();
        self.msg_addr.next = self.message_address.q.val();
        self.msg_data.next = self.message_data.q.val();
        // Requests: one that arrives while its vector is being sent asks for another message.
        self.irq_ready.next = true;
        self.requested.next = 0.into();
        if self.irq_valid.val() {
            // There is no message for a vector that is not there.
            self.requested.next = (self.one.val() << self.irq_vector.val()) & self.all.val();
        }
        self.pending.d.next = (self.pending.q.val() & !self.sent.val()) | self.requested.val();
        if !self.cfg_msix_enable.val() {
            self.pending.d.next = 0.into();
        }
        if self.reset.val() {
            self.unmasked.d.next = 0.into();
            self.pending.d.next = 0.into();
            self.message.d.next = false;
            self.ack.d.next = false;
        }
    }
}
