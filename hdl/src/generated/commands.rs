// Generated from the declarations in protocol/src: do not edit.
// Made by: cargo xtask generate

//! Mailbox entries from the firmware.

use rust_hdl::prelude::*;

/// Splits a raw word into its fields: Fill.
#[derive(LogicBlock, Default)]
pub struct CommandFillDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Context.
    pub ctx: Signal<Out, Bits<8>>,
    /// Way of the region's set to keep it in, in the place of what that holds; 0xffff: for this transfer alone.
    pub way: Signal<Out, Bits<16>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandFillDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.ctx.next = self.raw.val().get_bits::<8>(8);
        self.way.next = self.raw.val().get_bits::<16>(16);
        self.reserved.next = self.raw.val().get_bits::<96>(32).any();
    }
}

/// Splits a raw word into its fields: Reject.
#[derive(LogicBlock, Default)]
pub struct CommandRejectDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Context.
    pub ctx: Signal<Out, Bits<8>>,
    /// Status of the completion.
    pub status: Signal<Out, Bits<16>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandRejectDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.ctx.next = self.raw.val().get_bits::<8>(8);
        self.status.next = self.raw.val().get_bits::<16>(16);
        self.reserved.next = self.raw.val().get_bits::<96>(32).any();
    }
}

/// Splits a raw word into its fields: Queue.
#[derive(LogicBlock, Default)]
pub struct CommandQueueDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Queue id.
    pub queue_id: Signal<Out, Bits<8>>,
    /// Which 64-bit word of the queue context, 0 to 5.
    pub word: Signal<Out, Bits<16>>,
    /// Its bits 31:0.
    pub low: Signal<Out, Bits<32>>,
    /// Its bits 63:32.
    pub high: Signal<Out, Bits<32>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandQueueDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.queue_id.next = self.raw.val().get_bits::<8>(8);
        self.word.next = self.raw.val().get_bits::<16>(16);
        self.low.next = self.raw.val().get_bits::<32>(32);
        self.high.next = self.raw.val().get_bits::<32>(64);
        self.reserved.next = self.raw.val().get_bits::<32>(96).any();
    }
}

/// Splits a raw word into its fields: Enable.
#[derive(LogicBlock, Default)]
pub struct CommandEnableDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Queue id.
    pub queue_id: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandEnableDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.queue_id.next = self.raw.val().get_bits::<8>(8);
        self.reserved.next = self.raw.val().get_bits::<112>(16).any();
    }
}

/// Splits a raw word into its fields: Disable.
#[derive(LogicBlock, Default)]
pub struct CommandDisableDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Queue id.
    pub queue_id: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandDisableDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.queue_id.next = self.raw.val().get_bits::<8>(8);
        self.reserved.next = self.raw.val().get_bits::<112>(16).any();
    }
}

/// Splits a raw word into its fields: AbortRegion.
#[derive(LogicBlock, Default)]
pub struct CommandAbortRegionDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Region id.
    pub region: Signal<Out, Bits<32>>,
    /// Ticket of the ADMIN that asks for it.
    pub ticket: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandAbortRegionDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.region.next = self.raw.val().get_bits::<32>(32);
        self.ticket.next = self.raw.val().get_bits::<8>(64);
        self.reserved.next = (self.raw.val().get_bits::<24>(8).any()) | (self.raw.val().get_bits::<56>(72).any());
    }
}

/// Splits a raw word into its fields: AdminDone.
#[derive(LogicBlock, Default)]
pub struct CommandAdminDoneDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// How the command ended.
    pub status: Signal<Out, Bits<16>>,
    /// Bits 31:0 of the admin entry's cookie.
    pub cookie_low: Signal<Out, Bits<32>>,
    /// Bits 63:32 of the admin entry's cookie.
    pub cookie_high: Signal<Out, Bits<32>>,
    /// Ticket of the ADMIN.
    pub ticket: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandAdminDoneDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.status.next = self.raw.val().get_bits::<16>(16);
        self.cookie_low.next = self.raw.val().get_bits::<32>(32);
        self.cookie_high.next = self.raw.val().get_bits::<32>(64);
        self.ticket.next = self.raw.val().get_bits::<8>(96);
        self.reserved.next = (self.raw.val().get_bits::<8>(8).any()) | (self.raw.val().get_bits::<24>(104).any());
    }
}

/// Splits a raw word into its fields: Heartbeat.
#[derive(LogicBlock, Default)]
pub struct CommandHeartbeatDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// State.
    pub state: Signal<Out, Bits<32>>,
    /// Detail: the register shows bits 23:0.
    pub detail: Signal<Out, Bits<32>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandHeartbeatDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.state.next = self.raw.val().get_bits::<32>(32);
        self.detail.next = self.raw.val().get_bits::<32>(64);
        self.reserved.next = (self.raw.val().get_bits::<24>(8).any()) | (self.raw.val().get_bits::<32>(96).any());
    }
}

/// Splits a raw word into its fields: Log.
#[derive(LogicBlock, Default)]
pub struct CommandLogDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// How many bytes, 1 to 12.
    pub count: Signal<Out, Bits<16>>,
    /// Bytes 0 to 3, the first one lowest.
    pub bytes0: Signal<Out, Bits<32>>,
    /// Bytes 4 to 7.
    pub bytes1: Signal<Out, Bits<32>>,
    /// Bytes 8 to 11.
    pub bytes2: Signal<Out, Bits<32>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandLogDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.count.next = self.raw.val().get_bits::<16>(16);
        self.bytes0.next = self.raw.val().get_bits::<32>(32);
        self.bytes1.next = self.raw.val().get_bits::<32>(64);
        self.bytes2.next = self.raw.val().get_bits::<32>(96);
        self.reserved.next = self.raw.val().get_bits::<8>(8).any();
    }
}

/// Splits a raw word into its fields: AbortQueue.
#[derive(LogicBlock, Default)]
pub struct CommandAbortQueueDecode {
    /// The raw word.
    pub raw: Signal<In, Bits<128>>,
    /// Kind of the entry.
    pub kind: Signal<Out, Bits<8>>,
    /// Queue id.
    pub queue_id: Signal<Out, Bits<8>>,
    /// Ticket of the ADMIN that asks for it.
    pub ticket: Signal<Out, Bits<8>>,
    /// A bit that must be zero is set.
    pub reserved: Signal<Out, Bit>,
}

impl Logic for CommandAbortQueueDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.kind.next = self.raw.val().get_bits::<8>(0);
        self.queue_id.next = self.raw.val().get_bits::<8>(8);
        self.ticket.next = self.raw.val().get_bits::<8>(64);
        self.reserved.next = (self.raw.val().get_bits::<48>(16).any()) | (self.raw.val().get_bits::<56>(72).any());
    }
}
