//! Hands admin entries to the firmware and its answers to the completion unit.

use crate::generated::messages::MessageAdminEncode;
use crate::generated::structures::AdminEntryDecode0;
use crate::widgets::LutRam;
use rust_hdl::prelude::*;

/// One admin command at a time: its 64 bytes are read, sent as ADMIN and four raw entries, and completed by ADMIN_DONE.
///
/// Firmware that starts anew gets the command `again`, with the next ticket. An ADMIN_DONE that does not answer the last ticket is dropped: it is
/// the answer to an earlier copy, or to nothing.
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
    /// Queues that are enabled.
    pub queues: Signal<In, Bits<16>>,
    /// The firmware starts anew.
    pub again: Signal<In, Bit>,
    /// A mailbox entry for the firmware.
    pub msg_valid: Signal<Out, Bit>,
    /// The entry is taken.
    pub msg_ready: Signal<In, Bit>,
    /// The entry.
    pub msg_data: Signal<Out, Bits<128>>,
    /// More entries of the same message follow.
    pub msg_more: Signal<Out, Bit>,
    /// The entry is a quarter of the admin entry.
    pub msg_raw: Signal<Out, Bit>,
    /// The firmware has carried the command out.
    pub answer_valid: Signal<In, Bit>,
    /// The answer is taken.
    pub answer_ready: Signal<Out, Bit>,
    /// Status.
    pub answer_status: Signal<In, Bits<8>>,
    /// Cookie.
    pub answer_cookie: Signal<In, Bits<64>>,
    /// Ticket of the ADMIN that is answered.
    pub answer_ticket: Signal<In, Bits<8>>,
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
    ticket: DFF<Bits<8>>,
    // Queue that the command names, and whether it was enabled when the entry came: before anything was done for it.
    target: DFF<Bits<4>>,
    exists: DFF<Bit>,
    // The firmware that had the command is gone.
    resend: DFF<Bit>,
    header: MessageAdminEncode,
    head: AdminEntryDecode0,
    with_firmware: Signal<Local, Bit>,
    answers: Signal<Local, Bit>,
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
        dff_setup!(
            self, clock, state, index, word, status, cookie, ticket, target, exists, resend
        );
        clock!(self, clock, entry);
        self.free.next = self.state.q.val() == AdminState::Free;
        self.entry.write_enable.next = self.fill_write.val();
        self.entry.write_address.next = self.fill_word.val();
        self.entry.write_data.next = self.fill_data.val();
        self.entry.read_address.next = self.word.q.val();
        self.head.raw.next = self.fill_data.val();
        if self.fill_write.val() & (self.fill_word.val() == 0) {
            self.target.d.next = bit_cast::<4, 32>(self.head.target.val());
        }
        self.header.ticket.next = self.ticket.q.val();
        self.header.exists.next = bit_cast::<8, 1>(self.exists.q.val().into());
        self.with_firmware.next = false;
        self.answers.next =
            self.answer_valid.val() & (self.answer_ticket.val() == self.ticket.q.val());
        self.msg_valid.next = false;
        self.msg_more.next = false;
        self.msg_raw.next = false;
        self.msg_data.next = self.header.raw.val();
        self.answer_ready.next = true;
        self.rec_valid.next = false;
        self.rec_index.next = self.index.q.val();
        self.rec_cookie.next = self.cookie.q.val();
        self.rec_status.next = self.status.q.val();
        match self.state.q.val() {
            AdminState::Free => {
                self.resend.d.next = false;
                if self.alloc.val() {
                    self.index.d.next = self.alloc_index.val();
                    self.state.d.next = AdminState::Read;
                }
            }
            AdminState::Read => {
                self.word.d.next = 0.into();
                if self.done_valid.val() {
                    self.exists.d.next = self.queues.val().get_bit(self.target.q.val().index());
                    self.ticket.d.next = self.ticket.q.val() + 1;
                    self.state.d.next = AdminState::Header;
                    if self.done_status.val().any() {
                        self.status.d.next = self.done_status.val();
                        self.cookie.d.next = 0.into();
                        self.state.d.next = AdminState::Record;
                    }
                }
            }
            AdminState::Header => {
                self.with_firmware.next = true;
                self.msg_valid.next = true;
                self.msg_more.next = true;
                if self.msg_ready.val() {
                    self.state.d.next = AdminState::Words;
                }
            }
            AdminState::Words => {
                self.with_firmware.next = true;
                self.msg_valid.next = true;
                self.msg_raw.next = true;
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
                self.with_firmware.next = true;
                self.word.d.next = 0.into();
                if self.resend.q.val() {
                    self.resend.d.next = false;
                    self.ticket.d.next = self.ticket.q.val() + 1;
                    self.state.d.next = AdminState::Header;
                } else if self.answers.val() {
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
        if self.again.val() & self.with_firmware.val() {
            self.resend.d.next = true;
        }
        if self.reset.val() {
            self.state.d.next = AdminState::Free;
            self.resend.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AdminUnit;
    use crate::testing::{Result, chance, get128, reset, seeded, set_all, set128};
    use pinring_protocol::{Status, mailbox::Message};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::{RngExt, rngs::StdRng};

    /// At times, an answer to no command: it is taken.
    fn nobody_asked(dut: &mut Pair<AdminUnit>, random: &mut StdRng) -> Result {
        if chance(random, 30) {
            set_all(
                dut,
                &[
                    ("answer_valid", 1),
                    ("answer_status", random.random_range(0..35)),
                    ("answer_cookie", random.random()),
                    ("answer_ticket", random.random_range(0..256)),
                ],
            )?;
            assert!(dut.is("answer_ready")?, "the router waits for ever");
            dut.step()?;
            dut.set("answer_valid", false)?;
        }
        Ok(())
    }

    /// A cycle in which the firmware may start anew; true if it does.
    fn restarts(dut: &mut Pair<AdminUnit>, random: &mut StdRng) -> Result<bool> {
        let again = chance(random, 3);
        dut.set("again", again)?;
        dut.step()?;
        dut.set("again", false)?;
        Ok(again)
    }

    /// Admin commands from read to record, some with a read that fails; the firmware may start anew at any time, and answers that nobody asked
    /// for, or that answer an earlier copy, change nothing.
    #[test]
    fn commands_are_completed() -> Result {
        let mut dut = Pair::new(
            AdminUnit::default(),
            ports!(AdminUnit {
                clock: clock;
                in reset, alloc, alloc_index, fill_write, fill_word, fill_data, done_valid, done_status, queues, again, msg_ready,
                    answer_valid, answer_status, answer_cookie, answer_ticket, rec_ready;
                out free, msg_valid, msg_data, msg_more, msg_raw, answer_ready, rec_valid, rec_index, rec_cookie, rec_status
            }),
        )?;
        reset(&mut dut)?;
        let mut random = seeded(1);
        let (mut ticket, mut copies) = (0u8, [0; 3]);
        for _ in 0..300 {
            assert!(dut.is("free")?);
            restarts(&mut dut, &mut random)?;
            nobody_asked(&mut dut, &mut random)?;
            let index: u16 = random.random();
            set_all(&mut dut, &[("alloc", 1), ("alloc_index", index.into())])?;
            dut.step()?;
            dut.set("alloc", false)?;
            assert!(!dut.is("free")?);
            let words: [u128; 4] = random.random();
            for (number, word) in (0..).zip(words) {
                set_all(&mut dut, &[("fill_write", 1), ("fill_word", number)])?;
                set128(&mut dut, "fill_data", word)?;
                dut.step()?;
                dut.set("fill_write", false)?;
                assert!(
                    !dut.is("msg_valid")? && !dut.is("rec_valid")?,
                    "before the read is complete"
                );
            }
            nobody_asked(&mut dut, &mut random)?;
            restarts(&mut dut, &mut random)?;
            let queues: u16 = random.random();
            dut.set("queues", u64::from(queues))?;
            let exists = (queues >> (words[0] >> 32 & 0xf) & 1) as u8;
            let failed = chance(&mut random, 20);
            let (mut status, mut cookie) = (Status::ReadAborted.code(), 0);
            set_all(
                &mut dut,
                &[
                    ("done_valid", 1),
                    ("done_status", if failed { status } else { 0 }),
                ],
            )?;
            dut.step()?;
            dut.set("done_valid", false)?;
            // What was enabled when the command came counts for all its copies.
            dut.set("queues", random.random::<u64>() & 0xffff)?;
            if failed {
                // Its ticket was never told.
                ticket = ticket.wrapping_add(1);
            } else {
                for copy in 0.. {
                    ticket = ticket.wrapping_add(1);
                    copies[copy.min(2)] += 1;
                    let header = Message::Admin { exists, ticket }.encode();
                    let header = header
                        .iter()
                        .rev()
                        .fold(0, |value, word| value << 32 | u128::from(*word));
                    let mut again = false;
                    for (number, expected) in [header].into_iter().chain(words).enumerate() {
                        loop {
                            let ready = chance(&mut random, 50);
                            dut.set("msg_ready", ready)?;
                            assert!(dut.is("msg_valid")? && !dut.is("free")?);
                            assert_eq!(get128(&mut dut, "msg_data")?, expected, "entry {number}");
                            assert_eq!(dut.is("msg_more")?, number < 4);
                            assert_eq!(dut.is("msg_raw")?, number > 0);
                            again |= restarts(&mut dut, &mut random)?;
                            if ready {
                                break;
                            }
                        }
                    }
                    for _ in 0..random.random_range(0..6) {
                        if again {
                            break;
                        }
                        assert!(!dut.is("msg_valid")? && !dut.is("rec_valid")? && !dut.is("free")?);
                        // An answer to an earlier copy.
                        let stale = u64::from(ticket.wrapping_sub(1));
                        set_all(&mut dut, &[("answer_valid", 1), ("answer_ticket", stale)])?;
                        again = restarts(&mut dut, &mut random)?;
                        dut.set("answer_valid", false)?;
                    }
                    if !again {
                        break;
                    }
                    // Even its own answer comes too late now.
                    let own = u64::from(ticket);
                    set_all(&mut dut, &[("answer_valid", 1), ("answer_ticket", own)])?;
                    assert!(!dut.is("msg_valid")?);
                    dut.step()?;
                    dut.set("answer_valid", false)?;
                }
                (status, cookie) = (random.random_range(0..35), random.random());
                set_all(
                    &mut dut,
                    &[
                        ("answer_valid", 1),
                        ("answer_status", status),
                        ("answer_cookie", cookie),
                        ("answer_ticket", ticket.into()),
                    ],
                )?;
                assert!(dut.is("answer_ready")?);
                dut.step()?;
                dut.set("answer_valid", false)?;
            }
            nobody_asked(&mut dut, &mut random)?;
            loop {
                let ready = chance(&mut random, 50);
                dut.set("rec_ready", ready)?;
                assert!(dut.is("rec_valid")? && !dut.is("free")?);
                let record = [
                    dut.get("rec_index")?,
                    dut.get("rec_status")?,
                    dut.get("rec_cookie")?,
                ];
                assert_eq!(record, [index.into(), status, cookie]);
                dut.step()?;
                if ready {
                    break;
                }
            }
            dut.set("rec_ready", false)?;
        }
        assert!(copies.iter().all(|copies| *copies > 5), "{copies:?}");
        Ok(())
    }
}
