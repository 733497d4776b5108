//! What the host writes into BAR0 beyond registers: doorbells and the MSI-X table.

use crate::declare::*;

wire! {
    /// Doorbell: one 64-bit write at the start of a queue's doorbell page.
    pub struct Doorbell: 8 bytes {
        /// Free-running index behind the last submission entry written.
        sq_tail: u16 @ 0x00,
        /// Free-running index behind the last completion entry reaped.
        cq_head: u16 @ 0x02,
        /// What else the write does.
        action: u32 @ 0x04 {
            /// Interrupt once when a completion entry lies at or behind cq_head; at once if one already does. With interrupt
            /// moderation: when `moderation_count` entries do, or one has for `moderation_time`, whichever is first.
            arm: bool [0:0],
        },
    }
}

wire! {
    /// MSI-X table entry (PCIe 5.0, section 7.7.2).
    pub struct MsixEntry: 16 bytes {
        /// Message address; bits 1:0 are zero.
        address: u64 @ 0x00,
        /// Message data.
        data: u32 @ 0x08,
        /// Vector control.
        control: u32 @ 0x0c {
            /// The vector is masked: its messages wait in the pending bit array.
            masked: bool [0:0],
        },
    }
}
