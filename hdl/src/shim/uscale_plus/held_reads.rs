//! Reads that wait for credits, out of the way of writes.

use crate::widgets::SmallFifo;
use rust_hdl::prelude::*;

/// Between the device's requests and RQ: a read for which the link partner has no credit waits here, and the writes behind it go on.
///
/// A write must be able to pass a read (PCIe Base Spec 5.0, 2.4.1), but what RQ has taken stays in its order. So a read goes to RQ only with a credit
/// for a header (PG213, "Avoiding Head-of-Line Blocking for Posted Requests"; a read takes no data credit). `nph_av` tells of what RQ took two
/// cycles ago, so that reads count against it from when they leave here until three cycles after the IP has taken them.
///
/// There is room for 256 reads, more than the device has tags, so that none ever waits before it. A read keeps its
/// place behind earlier writes and earlier reads. Reads that wait go before the device's next TLP, but not while Bus Master Enable is off.
#[derive(LogicBlock, Default)]
pub struct HeldReads {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Bus Master Enable.
    pub bus_master: Signal<In, Bit>,
    /// pcie_tfc_nph_av: credits, 15 or more.
    pub nph_av: Signal<In, Bits<4>>,
    /// A beat of a request of the device's.
    pub in_valid: Signal<In, Bit>,
    /// It is taken.
    pub in_ready: Signal<Out, Bit>,
    /// Last beat.
    pub in_eop: Signal<In, Bit>,
    /// Memory read, of one beat; otherwise write.
    pub in_read: Signal<In, Bit>,
    /// A write may begin.
    pub in_room: Signal<In, Bit>,
    /// Byte address.
    pub in_addr: Signal<In, Bits<64>>,
    /// DWs.
    pub in_len: Signal<In, Bits<11>>,
    /// First byte enables.
    pub in_first_be: Signal<In, Bits<4>>,
    /// Last byte enables.
    pub in_last_be: Signal<In, Bits<4>>,
    /// Tag.
    pub in_tag: Signal<In, Bits<10>>,
    /// A beat is on offer: the read whose header is here, or the device's own beat.
    pub out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub out_ready: Signal<In, Bit>,
    /// It is a read that has waited.
    pub out_held: Signal<Out, Bit>,
    /// Byte address.
    pub out_addr: Signal<Out, Bits<64>>,
    /// DWs.
    pub out_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub out_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub out_last_be: Signal<Out, Bits<4>>,
    /// Tag.
    pub out_tag: Signal<Out, Bits<10>>,
    /// A read goes to the IP.
    pub sent: Signal<In, Bit>,

    fifo: SmallFifo<Bits<93>, 8, 9>,
    // The device's TLP has begun: whatever waits, it goes on.
    own: DFF<Bit>,
    // A read that has waited is on offer, and stays so.
    stands: DFF<Bit>,
    // Reads that count against the credits, and those that the IP has taken, by cycles.
    counted: DFF<Bits<5>>,
    sent1: DFF<Bit>,
    sent2: DFF<Bit>,
    sent3: DFF<Bit>,
    credits: Signal<Local, Bits<5>>,
    credit: Signal<Local, Bit>,
    waited: Signal<Local, Bit>,
    passes: Signal<Local, Bit>,
    waits: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    reads: Signal<Local, Bit>,
    more: Signal<Local, Bits<5>>,
    less: Signal<Local, Bits<5>>,
    entry: Signal<Local, Bits<93>>,
    oldest: Signal<Local, Bits<93>>,
}

impl Logic for HeldReads {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, own, stands, counted, sent1, sent2, sent3);
        clock!(self, clock, fifo);
        self.fifo.reset.next = self.reset.val();
        self.credits.next = bit_cast::<5, 4>(self.nph_av.val());
        self.credit.next = (self.credits.val() > self.counted.q.val()) & self.bus_master.val();

        // What has been offered stays, whatever the credits say by then.
        self.waited.next = self.stands.q.val()
            | (!self.own.q.val() & (!self.fifo.empty.val() & self.credit.val()));
        self.passes.next = self.own.q.val()
            | (self.in_valid.val()
                & ((!self.in_read.val() & self.in_room.val())
                    | ((self.in_read.val() & self.fifo.empty.val()) & self.credit.val())));
        // Not in the middle of a TLP, as `own` is then set.
        self.waits.next = ((self.in_valid.val() & self.in_read.val()) & !self.fifo.full.val())
            & !self.passes.val();

        self.out_held.next = self.waited.val();
        self.out_valid.next = self.waited.val() | (self.in_valid.val() & self.passes.val());
        self.taken.next =
            (self.in_valid.val() & self.passes.val()) & (!self.waited.val() & self.out_ready.val());
        self.in_ready.next =
            self.waits.val() | ((self.passes.val() & !self.waited.val()) & self.out_ready.val());
        self.stands.d.next = self.waited.val() & !self.out_ready.val();
        if (self.in_valid.val() & self.passes.val()) & !self.waited.val() {
            self.own.d.next = !(self.taken.val() & self.in_eop.val());
        }

        self.entry.next = (bit_cast::<93, 64>(self.in_addr.val())
            | (bit_cast::<93, 11>(self.in_len.val()) << 64))
            | ((bit_cast::<93, 4>(self.in_first_be.val()) << 75)
                | ((bit_cast::<93, 4>(self.in_last_be.val()) << 79)
                    | (bit_cast::<93, 10>(self.in_tag.val()) << 83)));
        self.fifo.data_in.next = self.entry.val();
        self.fifo.write.next = self.waits.val();
        self.fifo.read.next = self.waited.val() & self.out_ready.val();
        self.oldest.next = self.fifo.data_out.val();
        self.out_addr.next = self.in_addr.val();
        self.out_len.next = self.in_len.val();
        self.out_first_be.next = self.in_first_be.val();
        self.out_last_be.next = self.in_last_be.val();
        self.out_tag.next = self.in_tag.val();
        if self.waited.val() {
            self.out_addr.next = self.oldest.val().get_bits::<64>(0);
            self.out_len.next = self.oldest.val().get_bits::<11>(64);
            self.out_first_be.next = self.oldest.val().get_bits::<4>(75);
            self.out_last_be.next = self.oldest.val().get_bits::<4>(79);
            self.out_tag.next = self.oldest.val().get_bits::<10>(83);
        }

        self.reads.next = self.fifo.read.val() | (self.taken.val() & self.in_read.val());
        self.more.next = bit_cast::<5, 1>(self.reads.val().into());
        self.sent1.d.next = self.sent.val();
        self.sent2.d.next = self.sent1.q.val();
        self.sent3.d.next = self.sent2.q.val();
        self.less.next = bit_cast::<5, 1>(self.sent3.q.val().into());
        self.counted.d.next = (self.counted.q.val() + self.more.val()) - self.less.val();
        if self.reset.val() {
            self.own.d.next = false;
            self.stands.d.next = false;
            self.counted.d.next = 0.into();
            self.sent1.d.next = false;
            self.sent2.d.next = false;
            self.sent3.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shim::testing::{Beat, Source};
    use crate::testing::{Result, chance, reset, seeded};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::{RngExt, rngs::StdRng};
    use std::collections::VecDeque;

    const FIELDS: [&str; 5] = ["addr", "len", "first_be", "last_be", "tag"];

    /// A request of the device's: its beats, and its header, of which the lowest bits of the address count requests.
    fn request(number: u64, random: &mut StdRng) -> (Vec<Beat>, (bool, [u64; 5])) {
        let read = chance(random, 50);
        let beats = if read { 1 } else { random.random_range(1..6) };
        let addr = random.random::<u64>() << 20 | number;
        let [len, first, last, tag] =
            [1024, 16, 16, 1024].map(|below| random.random_range(0..below));
        let header = [addr, len, first, last, tag];
        let inputs = ["in_addr", "in_len", "in_first_be", "in_last_be", "in_tag"];
        let beat = |index| Beat {
            first: index == 0,
            ports: (inputs.into_iter().zip(header))
                .map(|(name, value)| {
                    let words = [value as u32, (value >> 32) as u32];
                    (name, words[..1 + usize::from(name == "in_addr")].to_vec())
                })
                .chain([
                    ("in_read", vec![u32::from(read)]),
                    ("in_eop", vec![u32::from(index + 1 == beats)]),
                ])
                .collect(),
        };
        ((0..beats).map(beat).collect(), (read, header))
    }

    #[test]
    fn reads_go_with_credits_and_writes_pass_them() -> Result {
        let mut dut = Pair::new(
            HeldReads::default(),
            ports!(HeldReads {
                clock: clock;
                in reset, bus_master, nph_av, in_valid, in_eop, in_read, in_room, in_addr, in_len, in_first_be, in_last_be,
                    in_tag, out_ready, sent;
                out in_ready, out_valid, out_held, out_addr, out_len, out_first_be, out_last_be, out_tag
            }),
        )?;
        reset(&mut dut)?;
        let mut random = seeded(93);
        let mut source = Source::new("in_valid", "in_ready", true);
        let mut writes: VecDeque<[u64; 5]> = VecDeque::new();
        let mut reads: VecDeque<[u64; 5]> = VecDeque::new();
        // Beats in RQ's register; credits, and what of the last three cycles the IP does not tell yet.
        let mut inside: VecDeque<bool> = VecDeque::new();
        let (mut credits, mut unseen) = (0u64, [0u64; 3]);
        let mut offer: Option<(bool, Vec<u64>)> = None;
        let (mut number, mut passed, mut midway) = (0, 0, false);
        // Reads, writes, reads that have waited, most reads that waited, cycles in which bus mastering was off.
        let mut counts = [0; 5];
        for cycle in 0..30_000 {
            let phase = cycle / 300 % 5;
            let (returning, ready) = [(100, 100), (0, 100), (20, 60), (60, 30), (100, 100)][phase];
            let bus_master = cycle % 700 < 600;
            counts[4] += u32::from(!bus_master);
            source.rate = [100, 60][cycle / 100 % 2];
            // At most as many reads as the device has tags.
            if source.beats.is_empty() && reads.len() < 200 {
                let (beats, (read, header)) = request(number, &mut random);
                number += 1;
                source.beats.extend(beats);
                if read {
                    reads.push_back(header);
                } else {
                    writes.push_back(header);
                }
            }
            counts[3] = counts[3].max(reads.len() as u32);
            source.offer(&mut dut, &mut random)?;
            let room = chance(&mut random, 90);
            dut.set("in_room", room)?;
            dut.set("bus_master", bus_master)?;
            dut.set("nph_av", (credits + unseen.iter().sum::<u64>()).min(15))?;
            let takes = inside.len() < 2 && chance(&mut random, ready);
            dut.set("out_ready", takes)?;
            let sent = !inside.is_empty() && chance(&mut random, ready);
            let sent_read = sent && inside[0];
            dut.set("sent", sent_read)?;

            // What is on offer stays until it is taken.
            let valid = dut.is("out_valid")?;
            let held = dut.is("out_held")?;
            let fresh = offer.is_none();
            let mut header = [0; 5];
            for (value, field) in header.iter_mut().zip(FIELDS) {
                *value = dut.get(&format!("out_{field}"))?;
            }
            if let Some(before) = offer.take() {
                assert!(valid && before == (held, header.to_vec()), "cycle {cycle}");
            }
            let mut end = false;
            if valid {
                let is_read = held || source_reads(&source);
                if is_read {
                    assert_eq!(Some(&header), reads.front(), "cycle {cycle}");
                    assert!(!fresh || bus_master);
                    // A read does not pass a write.
                    let before = writes
                        .front()
                        .is_none_or(|write| number_of(write) > number_of(&header));
                    assert!(
                        before && !midway,
                        "a read before a write of before, or within one"
                    );
                } else {
                    assert_eq!(Some(&header), writes.front(), "cycle {cycle}");
                    assert!(midway || !fresh || room);
                    let oldest = reads.front();
                    passed += u32::from(
                        !midway
                            && takes
                            && oldest.is_some_and(|read| number_of(read) < number_of(&header)),
                    );
                }
                if takes {
                    inside.push_back(is_read);
                    end = is_read;
                    if is_read {
                        reads.pop_front();
                        counts[0] += 1;
                        counts[2] += u32::from(held);
                    }
                } else {
                    offer = Some((held, header.to_vec()));
                }
            }
            let taken = source.taken(&mut dut)?;
            if let Some(beat) = taken {
                let value = |name| {
                    beat.ports
                        .iter()
                        .find(|port| port.0 == name)
                        .map(|port| port.1[0])
                };
                if value("in_read") == Some(0) {
                    assert!(valid && takes && !end, "cycle {cycle}");
                    midway = value("in_eop") == Some(0);
                    if !midway {
                        writes.pop_front();
                        counts[1] += 1;
                    }
                }
            }
            dut.step()?;
            unseen = [u64::from(sent_read), unseen[0], unseen[1]];
            if sent {
                inside.pop_front();
            }
            if sent_read {
                assert!(credits > 0, "a read without a credit, cycle {cycle}");
                credits -= 1;
            }
            credits = (credits + u64::from(chance(&mut random, returning))).min(20);
        }
        assert!(
            counts.iter().all(|count| *count > 60) && passed > 500,
            "{counts:?} {passed}"
        );
        Ok(())
    }

    fn number_of(header: &[u64; 5]) -> u64 {
        header[0] & ((1 << 20) - 1)
    }

    fn source_reads(source: &Source) -> bool {
        let read = |beat: &Beat| {
            beat.ports
                .iter()
                .any(|port| port.0 == "in_read" && port.1[0] == 1)
        };
        source.beats.front().is_some_and(read)
    }
}
