//! Hands admin entries to the firmware and its answers to the completion unit.

use crate::generated::messages::MessageAdminEncode;
use crate::widgets::LutRam;
use rust_hdl::prelude::*;

/// One admin command at a time: its 64 bytes are read, sent as ADMIN and four raw entries, and completed by ADMIN_DONE.
#[derive(LogicBlock, Default)]
pub struct AdminUnit {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// No command in hand.
    pub free: Signal<Out, Bit>,
    /// The read of an entry has begun.
    pub alloc: Signal<In, Bit>,
    /// Its ring index.
    pub alloc_index: Signal<In, Bits<16>>,
    /// A word of the entry.
    pub fill_write: Signal<In, Bit>,
    /// Which one.
    pub fill_word: Signal<In, Bits<2>>,
    /// The word.
    pub fill_data: Signal<In, Bits<128>>,
    /// The read is complete.
    pub done_valid: Signal<In, Bit>,
    /// How it ended.
    pub done_status: Signal<In, Bits<8>>,
    /// A mailbox entry for the firmware.
    pub msg_valid: Signal<Out, Bit>,
    /// The entry is taken.
    pub msg_ready: Signal<In, Bit>,
    /// The entry.
    pub msg_data: Signal<Out, Bits<128>>,
    /// More entries of the same message follow.
    pub msg_more: Signal<Out, Bit>,
    /// The firmware has carried the command out.
    pub answer_valid: Signal<In, Bit>,
    /// The answer is taken.
    pub answer_ready: Signal<Out, Bit>,
    /// Status.
    pub answer_status: Signal<In, Bits<8>>,
    /// Cookie.
    pub answer_cookie: Signal<In, Bits<64>>,
    /// A record for the completion unit.
    pub rec_valid: Signal<Out, Bit>,
    /// The record is taken.
    pub rec_ready: Signal<In, Bit>,
    /// Ring index of the command.
    pub rec_index: Signal<Out, Bits<16>>,
    /// Cookie.
    pub rec_cookie: Signal<Out, Bits<64>>,
    /// Status.
    pub rec_status: Signal<Out, Bits<8>>,

    state: DFF<AdminState>,
    index: DFF<Bits<16>>,
    word: DFF<Bits<2>>,
    status: DFF<Bits<8>>,
    cookie: DFF<Bits<64>>,
    entry: LutRam<Bits<128>, 2>,
    header: MessageAdminEncode,
}

/// Where the admin command is.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum AdminState {
    /// No command.
    Free,
    /// Its entry is being read.
    Read,
    /// ADMIN goes to the firmware.
    Header,
    /// The entry's words follow.
    Words,
    /// The firmware works on it.
    Work,
    /// The completion record waits.
    Record,
}

impl Logic for AdminUnit {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, index, word, status, cookie);
        clock!(self, clock, entry);
        self.free.next = self.state.q.val() == AdminState::Free;
        self.entry.write_enable.next = self.fill_write.val();
        self.entry.write_address.next = self.fill_word.val();
        self.entry.write_data.next = self.fill_data.val();
        self.entry.read_address.next = self.word.q.val();
        self.header.index.next = self.index.q.val();
        self.msg_valid.next = false;
        self.msg_more.next = false;
        self.msg_data.next = self.header.raw.val();
        self.answer_ready.next = false;
        self.rec_valid.next = false;
        self.rec_index.next = self.index.q.val();
        self.rec_cookie.next = self.cookie.q.val();
        self.rec_status.next = self.status.q.val();
        match self.state.q.val() {
            AdminState::Free => {
                if self.alloc.val() {
                    self.index.d.next = self.alloc_index.val();
                    self.state.d.next = AdminState::Read;
                }
            }
            AdminState::Read => {
                self.word.d.next = 0.into();
                if self.done_valid.val() {
                    self.state.d.next = AdminState::Header;
                    if self.done_status.val().any() {
                        self.status.d.next = self.done_status.val();
                        self.cookie.d.next = 0.into();
                        self.state.d.next = AdminState::Record;
                    }
                }
            }
            AdminState::Header => {
                self.msg_valid.next = true;
                self.msg_more.next = true;
                if self.msg_ready.val() {
                    self.state.d.next = AdminState::Words;
                }
            }
            AdminState::Words => {
                self.msg_valid.next = true;
                self.msg_more.next = self.word.q.val() != 3;
                self.msg_data.next = self.entry.read_data.val();
                if self.msg_ready.val() {
                    self.word.d.next = self.word.q.val() + 1;
                    if self.word.q.val() == 3 {
                        self.state.d.next = AdminState::Work;
                    }
                }
            }
            AdminState::Work => {
                if self.answer_valid.val() {
                    self.answer_ready.next = true;
                    self.status.d.next = self.answer_status.val();
                    self.cookie.d.next = self.answer_cookie.val();
                    self.state.d.next = AdminState::Record;
                }
            }
            AdminState::Record => {
                self.rec_valid.next = true;
                if self.rec_ready.val() {
                    self.state.d.next = AdminState::Free;
                }
            }
        }
        if self.reset.val() {
            self.state.d.next = AdminState::Free;
        }
    }
}
