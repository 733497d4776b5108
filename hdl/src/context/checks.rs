//! What a submission entry and a region entry must hold for a transfer to run.

use crate::generated::structures::{
    RegionEntryDecode0, RegionEntryDecode1, SubmissionEntryDecode0, SubmissionEntryDecode1,
    SubmissionEntryDecode2,
};
use crate::widgets::{Const, Param};
use pinring_protocol::{Opcode, SgFormat, Status, limits};
use rust_hdl::prelude::*;

/// Checks a submission entry of direction `D`, given its first three words.
#[derive(LogicBlock, Default)]
pub struct SubmissionCheck<const D: usize> {
    /// How its read ended.
    pub read_status: Signal<In, Bits<8>>,
    /// Word 0.
    pub s0: Signal<In, Bits<128>>,
    /// Word 1.
    pub s1: Signal<In, Bits<128>>,
    /// Word 2.
    pub s2: Signal<In, Bits<128>>,
    /// Word 3 has a bit set that must be zero.
    pub s3_reserved: Signal<In, Bit>,
    /// Ring index that it was read from.
    pub index: Signal<In, Bits<16>>,
    /// Entries in the region table.
    pub region_count: Signal<In, Bits<32>>,
    /// The queue's lowest TDEST.
    pub first_tdest: Signal<In, Bits<16>>,
    /// Its highest.
    pub last_tdest: Signal<In, Bits<16>>,
    /// 0, or why the transfer fails.
    pub status: Signal<Out, Bits<8>>,
    /// It moves no data: a NOP or a fence.
    pub moves_nothing: Signal<Out, Bit>,

    sub0: SubmissionEntryDecode0,
    sub1: SubmissionEntryDecode1,
    sub2: SubmissionEntryDecode2,
    nothing: Signal<Local, Bit>,
    wrong_way: Signal<Local, Bit>,
    direction: Param<1, D>,
    opcode_nop: Const<8, { Opcode::Nop as u64 }>,
    opcode_fence: Const<8, { Opcode::Fence as u64 }>,
    opcode_c2h: Const<8, { Opcode::C2h as u64 }>,
    opcode_h2c: Const<8, { Opcode::H2c as u64 }>,
    bad_opcode: Const<8, { Status::BadOpcode as u64 }>,
    bad_index: Const<8, { Status::BadIndex as u64 }>,
    bad_region: Const<8, { Status::BadRegion as u64 }>,
    bounds: Const<8, { Status::OutOfBounds as u64 }>,
    reserved: Const<8, { Status::ReservedNotZero as u64 }>,
    bad_tdest: Const<8, { Status::BadTdest as u64 }>,
}

impl<const D: usize> Logic for SubmissionCheck<D> {
    #[hdl_gen]
    fn update(&mut self) {
        self.sub0.raw.next = self.s0.val();
        self.sub1.raw.next = self.s1.val();
        self.sub2.raw.next = self.s2.val();
        self.nothing.next = (self.sub0.opcode.val() == self.opcode_nop.val())
            | (self.sub0.opcode.val() == self.opcode_fence.val());
        self.moves_nothing.next = self.nothing.val();
        self.wrong_way.next = self.sub0.opcode.val() != self.opcode_c2h.val();
        if self.direction.val() == 1 {
            self.wrong_way.next = self.sub0.opcode.val() != self.opcode_h2c.val();
        }
        self.status.next = 0.into();
        if self.read_status.val().any() {
            self.status.next = self.read_status.val();
        } else if self.sub0.index.val() != self.index.val() {
            self.status.next = self.bad_index.val();
        } else if self.s3_reserved.val() | (self.sub0.reserved.val() | self.sub2.reserved.val()) {
            self.status.next = self.reserved.val();
        } else if !self.nothing.val() {
            if self.wrong_way.val() {
                self.status.next = self.bad_opcode.val();
            } else if !self.sub1.length.val().any() {
                self.status.next = self.bounds.val();
            } else if self.sub0.region.val() >= self.region_count.val() {
                self.status.next = self.bad_region.val();
            } else if (self.sub2.tdest.val() < self.first_tdest.val())
                | (self.sub2.tdest.val() > self.last_tdest.val())
            {
                self.status.next = self.bad_tdest.val();
            }
        }
    }
}

/// Checks a region entry against a submission of direction `D`.
#[derive(LogicBlock, Default)]
pub struct RegionCheck<const D: usize> {
    /// How its read ended.
    pub read_status: Signal<In, Bits<8>>,
    /// Word 1 of the submission.
    pub s1: Signal<In, Bits<128>>,
    /// Word 2 of the submission.
    pub s2: Signal<In, Bits<128>>,
    /// Word 0 of the region entry.
    pub r0: Signal<In, Bits<128>>,
    /// Word 1 of the region entry.
    pub r1: Signal<In, Bits<128>>,
    /// Its other words have a bit set that must be zero.
    pub rest_reserved: Signal<In, Bit>,
    /// The queue's protection domain.
    pub domain: Signal<In, Bits<32>>,
    /// 0, or why the transfer fails.
    pub status: Signal<Out, Bits<8>>,

    sub1: SubmissionEntryDecode1,
    sub2: SubmissionEntryDecode2,
    reg0: RegionEntryDecode0,
    reg1: RegionEntryDecode1,
    uniform: Signal<Local, Bit>,
    permitted: Signal<Local, Bit>,
    after_offset: Signal<Local, Bits<65>>,
    short: Signal<Local, Bit>,
    last_element: Signal<Local, Bits<32>>,
    direction: Param<1, D>,
    format_granular: Const<8, { SgFormat::PageGranular as u64 }>,
    format_uniform: Const<8, { SgFormat::Uniform as u64 }>,
    shift_min: Const<8, { limits::PAGE_SHIFT as u64 }>,
    shift_max: Const<8, { limits::MAX_UNIFORM_SHIFT as u64 }>,
    stale: Const<8, { Status::StaleGeneration as u64 }>,
    wrong_domain: Const<8, { Status::WrongDomain as u64 }>,
    no_permission: Const<8, { Status::NoPermission as u64 }>,
    bounds: Const<8, { Status::OutOfBounds as u64 }>,
    bad_hint: Const<8, { Status::BadHint as u64 }>,
    bad_entry: Const<8, { Status::BadRegionEntry as u64 }>,
}

impl<const D: usize> Logic for RegionCheck<D> {
    #[hdl_gen]
    fn update(&mut self) {
        self.sub1.raw.next = self.s1.val();
        self.sub2.raw.next = self.s2.val();
        self.reg0.raw.next = self.r0.val();
        self.reg1.raw.next = self.r1.val();
        self.uniform.next = self.reg1.format.val() == self.format_uniform.val();
        self.permitted.next = self.reg1.allow_c2h.val();
        if self.direction.val() == 1 {
            self.permitted.next = self.reg1.allow_h2c.val();
        }
        // Bit 64: the offset is beyond the region. Lengths have 48 bits.
        self.after_offset.next =
            bit_cast::<65, 64>(self.reg0.length.val()) - bit_cast::<65, 64>(self.sub1.offset.val());
        self.short.next = !self.after_offset.val().get_bits::<16>(48).any()
            & (self.sub1.length.val().get_bits::<48>(0)
                > self.after_offset.val().get_bits::<48>(0));
        self.last_element.next = self.reg1.element_count.val() - 1;
        self.status.next = 0.into();
        if self.read_status.val().any() {
            self.status.next = self.read_status.val();
        } else if ((self.reg1.format.val() != self.format_granular.val()) & !self.uniform.val())
            | (self.reg1.element_count.val() == 0)
        {
            self.status.next = self.bad_entry.val();
        } else if (self.reg1.reserved.val() | self.rest_reserved.val())
            | (self.reg1.first_byte_offset.val().get_bits::<4>(12).any()
                | self.reg0.sg_table.val().get_bits::<12>(0).any())
        {
            self.status.next = self.bad_entry.val();
        } else if !self.uniform.val() & (self.reg1.page_shift.val() != self.shift_min.val()) {
            self.status.next = self.bad_entry.val();
        } else if self.uniform.val()
            & ((self.reg1.page_shift.val() < self.shift_min.val())
                | (self.reg1.page_shift.val() > self.shift_max.val()))
        {
            self.status.next = self.bad_entry.val();
        } else if self.reg1.generation.val() != self.sub2.generation.val() {
            self.status.next = self.stale.val();
        } else if self.reg1.protection_domain.val() != self.domain.val() {
            self.status.next = self.wrong_domain.val();
        } else if !self.permitted.val() {
            self.status.next = self.no_permission.val();
        } else if self.after_offset.val().get_bit(64)
            | (self.short.val() | self.sub1.length.val().get_bits::<16>(48).any())
        {
            self.status.next = self.bounds.val();
        } else if self.sub2.sg_hint.val() > self.last_element.val() {
            self.status.next = self.bad_hint.val();
        }
    }
}
