//! The root complex's receiver: the device's writes go to host memory, its reads and completions to whoever answers them.

use crate::widgets::Const;
use pinring_protocol::selftest::{
    BUS_ADDRESS, HOST_MEMORY_BYTES, MALFORMED, STRAY_READ, STRAY_WRITE,
};
use pinring_protocol::{CompletionEntry, limits};
use rust_hdl::prelude::*;

/// Max_Payload_Size of the link, as PCIe encodes it: 256 bytes.
pub const MPS: u64 = 1;
/// Max_Read_Request_Size of the link, as PCIe encodes it: 512 bytes.
pub const MRRS: u64 = 2;

// Kernels take literals: host memory is a 64 KiB window of 2^13 words, and what a read needs packs into 46 bits.
const _: () = {
    assert!(HOST_MEMORY_BYTES == 1 << 16 && BUS_ADDRESS.is_multiple_of(HOST_MEMORY_BYTES as u64));
    assert!(STRAY_WRITE == 1 && STRAY_READ == 2 && MALFORMED == 4);
    assert!(limits::PAGE == 4096);
};

/// Takes the device's transmit stream (docs/gateware.md, "TLP streams") at 64 bits, a beat a cycle.
///
/// What a root complex would report as an error is noted in `violations`, as far as it can be seen here: addresses outside of host
/// memory (a write is dropped, a read marked), requests across 4 KiB or longer than [`MPS`] and [`MRRS`], TLPs with other beats
/// than their length says. While `fault` is set, one bit of host memory is written wrong, once from reset to reset: in the
/// second beat of the first write that is longer than a completion entry.
#[derive(LogicBlock, Default)]
pub struct TlpReceiver {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Clears `violations`, and lets a fault be injected anew.
    pub reset: Signal<In, Bit>,
    /// Injects a fault.
    pub fault: Signal<In, Bit>,
    /// A beat is on offer.
    pub tx_valid: Signal<In, Bit>,
    /// It is taken.
    pub tx_ready: Signal<Out, Bit>,
    /// First beat.
    pub tx_sop: Signal<In, Bit>,
    /// Last beat.
    pub tx_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub tx_data: Signal<In, Bits<64>>,
    /// 0 MWr, 1 MRd, 2 CplD, 3 Cpl.
    pub tx_kind: Signal<In, Bits<2>>,
    /// Byte address, or lower address.
    pub tx_addr: Signal<In, Bits<64>>,
    /// DWs.
    pub tx_len: Signal<In, Bits<11>>,
    /// First byte enables.
    pub tx_first_be: Signal<In, Bits<4>>,
    /// Last byte enables.
    pub tx_last_be: Signal<In, Bits<4>>,
    /// Tag.
    pub tx_tag: Signal<In, Bits<10>>,
    /// Status of a completion.
    pub tx_status: Signal<In, Bits<3>>,
    /// Host memory's word to write.
    pub write_address: Signal<Out, Bits<13>>,
    /// Data to write.
    pub write_data: Signal<Out, Bits<64>>,
    /// Bytes to write in this cycle.
    pub write_bytes: Signal<Out, Bits<8>>,
    /// There is room for a read; without it no beat is taken.
    pub read_room: Signal<In, Bit>,
    /// A read, in this cycle.
    pub read_valid: Signal<Out, Bit>,
    /// From bit 0 on: low address (16), length in DWs (11), first (4) and last (4) byte enables, tag (10), within host memory (1).
    pub read: Signal<Out, Bits<46>>,
    /// A completion, in this cycle; of its data the first DW.
    pub cpl_valid: Signal<Out, Bit>,
    /// Its tag.
    pub cpl_tag: Signal<Out, Bits<10>>,
    /// It is successful and brings data.
    pub cpl_success: Signal<Out, Bit>,
    /// Its first DW.
    pub cpl_data: Signal<Out, Bits<32>>,
    /// Bits of [`VIOLATIONS`](pinring_protocol::selftest::VIOLATIONS), 2:0.
    pub violations: Signal<Out, Bits<3>>,
    // Of the beat after the one that was taken last: the DW of the TLP in its low lane, its word in memory.
    index: DFF<Bits<12>>,
    word: DFF<Bits<13>>,
    seen: DFF<Bits<3>>,
    injected: DFF<Bit>,
    base: Const<48, { BUS_ADDRESS >> 16 }>,
    entry_dws: Const<12, { (CompletionEntry::BYTES / 4) as u64 }>,
    max_payload: Const<12, { 32 << MPS }>,
    max_read: Const<12, { 32 << MRRS }>,
    page_dws: Const<12, { (limits::PAGE / 4) as u64 }>,
    taken: Signal<Local, Bit>,
    ours: Signal<Local, Bit>,
    odd: Signal<Local, Bit>,
    len: Signal<Local, Bits<12>>,
    low: Signal<Local, Bits<12>>,
    behind_low: Signal<Local, Bits<12>>,
    after: Signal<Local, Bits<12>>,
    page_end: Signal<Local, Bits<12>>,
    address: Signal<Local, Bits<13>>,
    low_be: Signal<Local, Bits<4>>,
    high_be: Signal<Local, Bits<4>>,
    with_data: Signal<Local, Bit>,
    is_write: Signal<Local, Bit>,
    is_read: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    bad: Signal<Local, Bit>,
    spoil: Signal<Local, Bit>,
}

impl Logic for TlpReceiver {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, index, word, seen, injected);
        self.tx_ready.next = self.read_room.val();
        self.taken.next = self.tx_valid.val() & self.read_room.val();
        self.ours.next = self.tx_addr.val().get_bits::<48>(16) == self.base.val();
        self.odd.next = self.tx_addr.val().get_bit(2);
        self.len.next = bit_cast::<12, 11>(self.tx_len.val());
        self.is_write.next = self.tx_kind.val() == 0;
        self.is_read.next = self.tx_kind.val() == 1;
        self.with_data.next = !self.tx_kind.val().get_bit(0);

        self.low.next = self.index.q.val();
        self.address.next = self.word.q.val();
        self.after.next = self.index.q.val() + 2;
        if self.tx_sop.val() {
            self.low.next = 0.into();
            self.address.next = self.tx_addr.val().get_bits::<13>(3);
            self.after.next = 2.into();
            if self.odd.val() {
                self.after.next = 1.into();
            }
        }
        self.behind_low.next = self.low.val() + 1;
        self.ends.next = !self.with_data.val() | (self.after.val() >= self.len.val());
        if self.taken.val() {
            self.index.d.next = self.after.val();
            self.word.d.next = self.address.val() + 1;
        }

        // Byte enables (PCIe Base Spec 5.0, 2.2.5): those of the first DW count if it is the last one as well.
        self.low_be.next = 15.into();
        if self.behind_low.val() == self.len.val() {
            self.low_be.next = self.tx_last_be.val();
        }
        self.high_be.next = 15.into();
        if self.after.val() == self.len.val() {
            self.high_be.next = self.tx_last_be.val();
        }
        if self.after.val() > self.len.val() {
            self.high_be.next = 0.into();
        }
        if self.tx_sop.val() {
            self.low_be.next = self.tx_first_be.val();
            if self.odd.val() {
                self.low_be.next = 0.into();
                self.high_be.next = self.tx_first_be.val();
            }
        }
        self.write_address.next = self.address.val();
        self.write_bytes.next = 0.into();
        if (self.taken.val() & self.is_write.val()) & self.ours.val() {
            self.write_bytes.next =
                bit_cast::<8, 4>(self.low_be.val()) | (bit_cast::<8, 4>(self.high_be.val()) << 4);
        }
        self.spoil.next = ((self.fault.val() & !self.injected.q.val())
            & (self.taken.val() & self.is_write.val()))
            & ((!self.tx_sop.val() & self.ours.val()) & (self.len.val() > self.entry_dws.val()));
        self.write_data.next = self.tx_data.val();
        if self.spoil.val() {
            self.write_data.next = self.tx_data.val() ^ 1;
            self.injected.d.next = true;
        }

        self.read_valid.next = self.taken.val() & self.is_read.val();
        self.read.next = ((bit_cast::<46, 16>(self.tx_addr.val().get_bits::<16>(0))
            | (bit_cast::<46, 11>(self.tx_len.val()) << 16))
            | ((bit_cast::<46, 4>(self.tx_first_be.val()) << 27)
                | (bit_cast::<46, 4>(self.tx_last_be.val()) << 31)))
            | ((bit_cast::<46, 10>(self.tx_tag.val()) << 35)
                | (bit_cast::<46, 1>(self.ours.val().into()) << 45));

        self.cpl_valid.next =
            (self.taken.val() & self.tx_sop.val()) & self.tx_kind.val().get_bit(1);
        self.cpl_tag.next = self.tx_tag.val();
        self.cpl_success.next = self.with_data.val() & (self.tx_status.val() == 0);
        self.cpl_data.next = self.tx_data.val().get_bits::<32>(0);
        if self.odd.val() {
            self.cpl_data.next = self.tx_data.val().get_bits::<32>(32);
        }

        self.page_end.next =
            bit_cast::<12, 10>(self.tx_addr.val().get_bits::<10>(2)) + self.len.val();
        self.bad.next = self.tx_eop.val() != self.ends.val();
        if !self.tx_kind.val().get_bit(1) {
            if (self.page_end.val() > self.page_dws.val()) | !self.tx_len.val().any() {
                self.bad.next = true;
            }
            if self.is_write.val() & (self.len.val() > self.max_payload.val()) {
                self.bad.next = true;
            }
            if self.is_read.val() & (self.len.val() > self.max_read.val()) {
                self.bad.next = true;
            }
        }
        if self.taken.val() {
            if self.is_write.val() & !self.ours.val() {
                self.seen.d.next = self.seen.q.val() | 1;
            }
            if self.is_read.val() & !self.ours.val() {
                self.seen.d.next = self.seen.q.val() | 2;
            }
            if self.bad.val() {
                self.seen.d.next = self.seen.q.val() | 4;
            }
        }
        self.violations.next = self.seen.q.val();

        if self.reset.val() {
            self.seen.d.next = 0.into();
            self.injected.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, chance, reset, seeded, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::{RngExt, rngs::StdRng};
    use std::collections::VecDeque;

    fn receiver() -> Result<Pair<TlpReceiver>> {
        let ports = ports!(TlpReceiver {
            clock: clock;
            in reset, fault, tx_valid, tx_sop, tx_eop, tx_data, tx_kind, tx_addr, tx_len, tx_first_be, tx_last_be, tx_tag,
               tx_status, read_room;
            out tx_ready, write_address, write_data, write_bytes, read_valid, read, cpl_valid, cpl_tag, cpl_success, cpl_data,
                violations
        });
        let mut dut = Pair::new(TlpReceiver::default(), ports)?;
        dut.set("read_room", true)?;
        reset(&mut dut)?;
        Ok(dut)
    }

    /// A TLP of the device's: header, and for kinds 0 and 2 the bytes of its DWs.
    #[derive(Clone, Debug, Default)]
    struct Tlp {
        kind: u64,
        address: u64,
        dws: u64,
        first_be: u64,
        last_be: u64,
        tag: u64,
        status: u64,
        data: Vec<u8>,
    }

    impl Tlp {
        /// A write or read of `length` bytes from `address` on.
        fn request(random: &mut StdRng, kind: u64, address: u64, length: u64) -> Self {
            let dws = (address % 4 + length).div_ceil(4);
            let end = (address + length) % 4;
            let (first, last) = (0xf << (address % 4) & 0xf, 0xf >> ((4 - end) % 4));
            let (first_be, last_be) = if dws == 1 {
                (first & last, 0)
            } else {
                (first, last)
            };
            let count = if kind == 0 { 4 * dws as usize } else { 0 };
            Self {
                kind,
                address: address & !3,
                dws,
                first_be,
                last_be,
                tag: random.random_range(0..1024),
                status: 0,
                data: (0..count).map(|_| random.random()).collect(),
            }
        }

        /// Its beats; lanes without data hold garbage.
        fn beats(&self, random: &mut StdRng) -> VecDeque<u64> {
            let lane = (self.address % 8) as usize;
            let mut lanes = vec![0; lane];
            lanes.extend(&self.data);
            if self.data.is_empty() {
                return [random.random()].into();
            }
            lanes[..lane].fill_with(|| random.random());
            lanes.resize_with(lanes.len().next_multiple_of(8), || random.random());
            lanes
                .chunks(8)
                .map(|beat| u64::from_le_bytes(beat.try_into().expect("eight lanes")))
                .collect()
        }
    }

    /// What came out for one TLP.
    #[derive(Debug, Default)]
    struct Seen {
        written: Vec<(u64, u8)>,
        reads: Vec<u64>,
        completions: Vec<(u64, bool, u64)>,
    }

    fn send(dut: &mut Pair<TlpReceiver>, random: &mut StdRng, tlp: &Tlp) -> Result<Seen> {
        let mut seen = Seen::default();
        let mut beats = tlp.beats(random);
        let count = beats.len();
        set_all(
            dut,
            &[
                ("tx_kind", tlp.kind),
                ("tx_addr", tlp.address),
                ("tx_len", tlp.dws),
                ("tx_first_be", tlp.first_be),
                ("tx_last_be", tlp.last_be),
                ("tx_tag", tlp.tag),
                ("tx_status", tlp.status),
            ],
        )?;
        while let Some(beat) = beats.front().copied() {
            let valid = chance(random, 80);
            let room = chance(random, 80);
            set_all(
                dut,
                &[
                    ("tx_valid", valid.into()),
                    ("tx_sop", (beats.len() == count).into()),
                    ("tx_eop", (beats.len() == 1).into()),
                    ("tx_data", beat),
                    ("read_room", room.into()),
                ],
            )?;
            assert_eq!(dut.is("tx_ready")?, room);
            let (bytes, word) = (dut.get("write_bytes")?, dut.get("write_address")?);
            let data = dut.get("write_data")?.to_le_bytes();
            let lanes = (0..8).filter(|lane| bytes >> lane & 1 == 1);
            seen.written
                .extend(lanes.map(|lane| (8 * word + lane, data[lane as usize])));
            if dut.is("read_valid")? {
                seen.reads.push(dut.get("read")?);
            }
            if dut.is("cpl_valid")? {
                seen.completions.push((
                    dut.get("cpl_tag")?,
                    dut.is("cpl_success")?,
                    dut.get("cpl_data")?,
                ));
            }
            if valid && room {
                beats.pop_front();
            }
            dut.step()?;
        }
        dut.set("tx_valid", false)?;
        Ok(seen)
    }

    /// Any place of host memory for `length` bytes that do not cross a page.
    fn place(random: &mut StdRng, length: u64) -> u64 {
        let page = random.random_range(0..16) * 4096;
        BUS_ADDRESS + page + random.random_range(0..=4096 - length)
    }

    #[test]
    fn writes_reach_their_bytes_and_no_others() -> Result {
        let mut dut = receiver()?;
        let mut random = seeded(1);
        for _ in 0..300 {
            let length = [random.random_range(1..12), random.random_range(1..=253)]
                [random.random_range(0..2)];
            let address = place(&mut random, length);
            let tlp = Tlp::request(&mut random, 0, address, length);
            let seen = send(&mut dut, &mut random, &tlp)?;
            let from = (address % 4) as usize;
            let expected: Vec<_> = (address - BUS_ADDRESS..)
                .zip(tlp.data[from..from + length as usize].iter().copied())
                .collect();
            assert_eq!(seen.written, expected, "{tlp:?}");
            assert!(seen.reads.is_empty() && seen.completions.is_empty());
        }
        assert_eq!(dut.get("violations")?, 0);
        Ok(())
    }

    #[test]
    fn reads_and_completions_are_handed_on() -> Result {
        let mut dut = receiver()?;
        let mut random = seeded(2);
        for _ in 0..100 {
            let length = random.random_range(1..=509);
            let address = place(&mut random, length);
            let tlp = Tlp::request(&mut random, 1, address, length);
            let seen = send(&mut dut, &mut random, &tlp)?;
            let expected = tlp.address & 0xffff
                | tlp.dws << 16
                | tlp.first_be << 27
                | tlp.last_be << 31
                | tlp.tag << 35
                | 1 << 45;
            assert_eq!(seen.reads, [expected], "{tlp:?}");
            assert!(seen.written.is_empty() && seen.completions.is_empty());

            let with_data = chance(&mut random, 70);
            let status = random.random_range(0..2);
            let completion = Tlp {
                kind: if with_data { 2 } else { 3 },
                address: random.random_range(0..32) * 4,
                dws: with_data.into(),
                tag: random.random_range(0..1024),
                status,
                data: vec![0x5a; if with_data { 4 } else { 0 }],
                ..Tlp::default()
            };
            let seen = send(&mut dut, &mut random, &completion)?;
            assert!(seen.written.is_empty() && seen.reads.is_empty());
            let (tag, success, data) = seen.completions[0];
            assert_eq!(seen.completions.len(), 1);
            assert_eq!((tag, success), (completion.tag, with_data && status == 0));
            assert!(!with_data || data == 0x5a5a_5a5a, "{completion:?}");
        }
        assert_eq!(dut.get("violations")?, 0);
        Ok(())
    }

    #[test]
    fn violations_are_noted_and_stray_writes_dropped() -> Result {
        let mut dut = receiver()?;
        let mut random = seeded(3);
        let end = BUS_ADDRESS + u64::from(HOST_MEMORY_BYTES);
        let request = |random: &mut StdRng, kind, address, length| {
            Tlp::request(random, kind, address, length)
        };
        let fine = request(&mut random, 0, BUS_ADDRESS, 200);
        let cases = [
            (request(&mut random, 0, BUS_ADDRESS - 4, 4), STRAY_WRITE),
            (request(&mut random, 0, end, 8), STRAY_WRITE),
            (
                request(&mut random, 0, BUS_ADDRESS & 0xffff_ffff, 8),
                STRAY_WRITE,
            ),
            (request(&mut random, 1, end + 64, 64), STRAY_READ),
            (request(&mut random, 0, BUS_ADDRESS + 4092, 8), MALFORMED),
            (request(&mut random, 1, BUS_ADDRESS + 3585, 512), MALFORMED),
            (request(&mut random, 0, BUS_ADDRESS, 257), MALFORMED),
            (request(&mut random, 1, BUS_ADDRESS, 513), MALFORMED),
            // A beat too many, and one too few.
            (
                Tlp {
                    dws: 48,
                    ..fine.clone()
                },
                MALFORMED,
            ),
            (
                Tlp {
                    dws: 52,
                    ..fine.clone()
                },
                MALFORMED,
            ),
            (
                Tlp {
                    dws: 0,
                    ..request(&mut random, 1, BUS_ADDRESS, 4)
                },
                MALFORMED,
            ),
            (request(&mut random, 0, BUS_ADDRESS, 256), 0),
            (request(&mut random, 1, BUS_ADDRESS, 512), 0),
            (fine, 0),
        ];
        for (tlp, violation) in cases {
            let seen = send(&mut dut, &mut random, &tlp)?;
            assert_eq!(dut.get("violations")?, u64::from(violation), "{tlp:?}");
            assert!(violation != STRAY_WRITE || seen.written.is_empty());
            let inside = seen.reads.iter().all(|read| read >> 45 == 1);
            assert_eq!(inside, violation != STRAY_READ);
            reset(&mut dut)?;
            assert_eq!(dut.get("violations")?, 0);
        }
        Ok(())
    }

    #[test]
    fn a_fault_spoils_one_bit_of_one_long_write() -> Result {
        let mut dut = receiver()?;
        let mut random = seeded(4);
        dut.set("fault", true)?;
        for lap in 0..3 {
            // A completion entry stays whole; of two long writes the first is spoilt.
            for (length, expected) in [(32, 0), (256, 1), (256, 0), (64, 0)] {
                let tlp = Tlp::request(&mut random, 0, BUS_ADDRESS + 0x104, length);
                let seen = send(&mut dut, &mut random, &tlp)?;
                let flipped: u32 = seen
                    .written
                    .iter()
                    .zip(&tlp.data)
                    .map(|((_, found), sent)| (found ^ sent).count_ones())
                    .sum();
                assert_eq!(flipped, expected, "lap {lap}, {length} bytes");
                assert_eq!(seen.written.len() as u64, length);
            }
            reset(&mut dut)?;
        }
        Ok(())
    }
}
