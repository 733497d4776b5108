// Generated from the declarations in protocol/src: do not edit.
// Made by: cargo xtask generate

//! Mailbox entries to the firmware.

use rust_hdl::prelude::*;

/// Splits a raw word into its fields: Miss.
#[derive(LogicBlock, Default)]
pub struct MessageMissDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Context.
    pub ctx: Signal<Out, Bits<8>>,
    /// Generation that the submission names.
    pub generation: Signal<Out, Bits<16>>,
    /// Region id: its low bits are the set.
    pub region: Signal<Out, Bits<32>>,
    /// The submission's sg_hint, not checked yet.
    pub sg_hint: Signal<Out, Bits<32>>,
    /// Ways of the set that hold a region, one bit each.
    pub valid: Signal<Out, Bits<8>>,
    /// Ways that have been hit since a region last came to stay in the set.
    pub used: Signal<Out, Bits<8>>,
    /// Ways whose SG block a transfer uses: they cannot be given away.
    pub pinned: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for MessageMissDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.ctx.next = self.raw.val().get_bits::<8>(8);
        self.generation.next = self.raw.val().get_bits::<16>(16);
        self.region.next = self.raw.val().get_bits::<32>(32);
        self.sg_hint.next = self.raw.val().get_bits::<32>(64);
        self.valid.next = self.raw.val().get_bits::<8>(96);
        self.used.next = self.raw.val().get_bits::<8>(104);
        self.pinned.next = self.raw.val().get_bits::<8>(112);
        self.reserved.next = self.raw.val().get_bits::<8>(120).any();
    }
}

/// Joins fields into a raw word: Miss.
#[derive(LogicBlock, Default)]
pub struct MessageMissEncode {
    /// Context.
    pub ctx: Signal<In, Bits<8>>,
    /// Generation that the submission names.
    pub generation: Signal<In, Bits<16>>,
    /// Region id: its low bits are the set.
    pub region: Signal<In, Bits<32>>,
    /// The submission's sg_hint, not checked yet.
    pub sg_hint: Signal<In, Bits<32>>,
    /// Ways of the set that hold a region, one bit each.
    pub valid: Signal<In, Bits<8>>,
    /// Ways that have been hit since a region last came to stay in the set.
    pub used: Signal<In, Bits<8>>,
    /// Ways whose SG block a transfer uses: they cannot be given away.
    pub pinned: Signal<In, Bits<8>>,
    /// The raw word.
    pub raw: Signal<Out, Bits<128>>,
}

impl Logic for MessageMissEncode {
    #[hdl_gen]
    fn update(&mut self) {
        self.raw.next = bits::<128>(1)
            | (bit_cast::<128, 8>(self.ctx.val()) << 8)
            | (bit_cast::<128, 16>(self.generation.val()) << 16)
            | (bit_cast::<128, 32>(self.region.val()) << 32)
            | (bit_cast::<128, 32>(self.sg_hint.val()) << 64)
            | (bit_cast::<128, 8>(self.valid.val()) << 96)
            | (bit_cast::<128, 8>(self.used.val()) << 104)
            | (bit_cast::<128, 8>(self.pinned.val()) << 112);
    }
}

/// Splits a raw word into its fields: Admin.
#[derive(LogicBlock, Default)]
pub struct MessageAdminDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// 1 if the queue that the entry names was enabled when the entry came.
    pub exists: Signal<Out, Bits<8>>,
    /// Names this message among others: what is done for it echoes it.
    pub ticket: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for MessageAdminDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.exists.next = self.raw.val().get_bits::<8>(8);
        self.ticket.next = self.raw.val().get_bits::<8>(64);
        self.reserved.next = (self.raw.val().get_bits::<48>(16).any()) | (self.raw.val().get_bits::<56>(72).any());
    }
}

/// Joins fields into a raw word: Admin.
#[derive(LogicBlock, Default)]
pub struct MessageAdminEncode {
    /// 1 if the queue that the entry names was enabled when the entry came.
    pub exists: Signal<In, Bits<8>>,
    /// Names this message among others: what is done for it echoes it.
    pub ticket: Signal<In, Bits<8>>,
    /// The raw word.
    pub raw: Signal<Out, Bits<128>>,
}

impl Logic for MessageAdminEncode {
    #[hdl_gen]
    fn update(&mut self) {
        self.raw.next = bits::<128>(5)
            | (bit_cast::<128, 8>(self.exists.val()) << 8)
            | (bit_cast::<128, 8>(self.ticket.val()) << 64);
    }
}

/// Splits a raw word into its fields: Quiesced.
#[derive(LogicBlock, Default)]
pub struct MessageQuiescedDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Direction that has gone quiet; the other one sends its own message.
    pub direction: Signal<Out, Bits<8>>,
    /// What was aborted.
    pub what: Signal<Out, Bits<16>>,
    /// Its id.
    pub id: Signal<Out, Bits<32>>,
    /// Ticket of the abort.
    pub ticket: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for MessageQuiescedDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.direction.next = self.raw.val().get_bits::<8>(8);
        self.what.next = self.raw.val().get_bits::<16>(16);
        self.id.next = self.raw.val().get_bits::<32>(32);
        self.ticket.next = self.raw.val().get_bits::<8>(64);
        self.reserved.next = self.raw.val().get_bits::<56>(72).any();
    }
}

/// Joins fields into a raw word: Quiesced.
#[derive(LogicBlock, Default)]
pub struct MessageQuiescedEncode {
    /// Direction that has gone quiet; the other one sends its own message.
    pub direction: Signal<In, Bits<8>>,
    /// What was aborted.
    pub what: Signal<In, Bits<16>>,
    /// Its id.
    pub id: Signal<In, Bits<32>>,
    /// Ticket of the abort.
    pub ticket: Signal<In, Bits<8>>,
    /// The raw word.
    pub raw: Signal<Out, Bits<128>>,
}

impl Logic for MessageQuiescedEncode {
    #[hdl_gen]
    fn update(&mut self) {
        self.raw.next = bits::<128>(6)
            | (bit_cast::<128, 8>(self.direction.val()) << 8)
            | (bit_cast::<128, 16>(self.what.val()) << 16)
            | (bit_cast::<128, 32>(self.id.val()) << 32)
            | (bit_cast::<128, 8>(self.ticket.val()) << 64);
    }
}
