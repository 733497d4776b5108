//! Byte enables as a mask.

use crate::widgets::Const;
use rust_hdl::prelude::*;

/// What a write changes in a DW: the new value is `(old & keep) | change`.
#[derive(LogicBlock, Default)]
pub struct ByteWrite {
    /// The DW written.
    pub data: Signal<In, Bits<32>>,
    /// Its byte enables.
    pub be: Signal<In, Bits<4>>,
    /// Bits that keep their value.
    pub keep: Signal<Out, Bits<32>>,
    /// New value of the others.
    pub change: Signal<Out, Bits<32>>,
    byte0: Signal<Local, Bits<32>>,
    byte1: Signal<Local, Bits<32>>,
    byte2: Signal<Local, Bits<32>>,
    byte3: Signal<Local, Bits<32>>,
    mask: Signal<Local, Bits<32>>,
    mask0: Const<32, 0x0000_00ff>,
    mask1: Const<32, 0x0000_ff00>,
    mask2: Const<32, 0x00ff_0000>,
    mask3: Const<32, 0xff00_0000>,
}

impl Logic for ByteWrite {
    #[hdl_gen]
    fn update(&mut self) {
        self.byte0.next = 0.into();
        self.byte1.next = 0.into();
        self.byte2.next = 0.into();
        self.byte3.next = 0.into();
        if self.be.val().get_bit(0) {
            self.byte0.next = self.mask0.val();
        }
        if self.be.val().get_bit(1) {
            self.byte1.next = self.mask1.val();
        }
        if self.be.val().get_bit(2) {
            self.byte2.next = self.mask2.val();
        }
        if self.be.val().get_bit(3) {
            self.byte3.next = self.mask3.val();
        }
        self.mask.next =
            (self.byte0.val() | self.byte1.val()) | (self.byte2.val() | self.byte3.val());
        self.keep.next = !self.mask.val();
        self.change.next = self.data.val() & self.mask.val();
    }
}
