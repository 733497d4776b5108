//! The link's transmit side against three sources that are never idle for long, and a host that answers reads.

use super::TransmitMux;
use crate::testing::{Result, chance, get128, reset, seeded, set_all, set128};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};

/// Completion space of the receiver.
const HEADERS: u64 = 60;
const UNITS: u64 = 200;
/// As many as there are without ten-bit tags; a few of them are used.
const TAGS: usize = 256;
const FETCHES: std::ops::Range<u64> = 0..8;
const DATA: std::ops::Range<u64> = 224..256;

/// A read in flight.
struct Read {
    tag: u64,
    /// Bytes still to come, and the address they come from.
    left: u64,
    addr: u64,
    /// Space it holds.
    headers: u64,
    units: u64,
}

struct Bench {
    dut: Pair<TransmitMux<128, TAGS, 9>>,
    random: StdRng,
    rcb: u64,
    /// The posted TLP that is offered: beats, and how many of them have passed.
    posted: Option<(u64, u64)>,
    /// Reads that were taken, and those that went out.
    taken: Vec<Read>,
    flying: Vec<Read>,
    midway: bool,
    /// What was on offer and not taken.
    held: Option<Vec<u128>>,
    counts: [usize; 3],
}

impl Bench {
    fn new(rcb: u64) -> Result<Self> {
        let mut dut = Pair::new(
            TransmitMux::<128, TAGS, 9>::default(),
            ports!(TransmitMux<128, TAGS, 9> {
                clock: clock;
                in reset, bus_master, forget, expected, rcb, cpl_headers, cpl_data, cpl_sop, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr,
                    cpl_status, posted_valid, posted_sop, posted_eop, posted_data, posted_kind, posted_addr, posted_len,
                    posted_first_be, posted_last_be, fetch_valid, fetch_addr, fetch_bytes, fetch_tag, read_valid, read_addr,
                    read_len, read_first_be, read_last_be, read_tag, tx_ready;
                out may_write, settled, reads_out, room, cpl_final, posted_ready, fetch_ready, read_ready, tx_valid, tx_sop, tx_eop, tx_data, tx_kind, tx_addr, tx_len,
                    tx_first_be, tx_last_be, tx_tag
            }),
        )?;
        reset(&mut dut)?;
        set_all(
            &mut dut,
            &[
                ("rcb", rcb),
                ("cpl_headers", HEADERS),
                ("cpl_data", UNITS),
                ("bus_master", 1),
            ],
        )?;
        Ok(Self {
            dut,
            random: seeded(rcb),
            rcb,
            posted: None,
            taken: Vec::new(),
            flying: Vec::new(),
            midway: false,
            held: None,
            counts: [0; 3],
        })
    }

    /// A tag of `tags` that no read uses.
    fn tag(&mut self, tags: std::ops::Range<u64>) -> Option<u64> {
        let tag = self.random.random_range(tags);
        let mut reads = self.taken.iter().chain(&self.flying);
        reads.all(|read| read.tag != tag).then_some(tag)
    }

    fn sources(&mut self) -> Result {
        let random = &mut self.random;
        if self.posted.is_none() && chance(random, 40) {
            let beats = random.random_range(1..5);
            self.posted = Some((beats, 0));
            let fields = [
                ("posted_kind", [0, 0, 2, 3][random.random_range(0..4)]),
                ("posted_addr", random.random()),
                ("posted_len", random.random_range(1..64)),
                ("posted_first_be", random.random_range(1..16)),
                ("posted_last_be", random.random_range(0..16)),
            ];
            set_all(&mut self.dut, &fields)?;
            set128(&mut self.dut, "posted_data", random.random())?;
        }
        if let Some((beats, passed)) = self.posted {
            let fields = [
                ("posted_valid", 1),
                ("posted_sop", (passed == 0).into()),
                ("posted_eop", (passed + 1 == beats).into()),
            ];
            set_all(&mut self.dut, &fields)?;
        } else {
            self.dut.set("posted_valid", false)?;
        }
        if !self.dut.is("fetch_valid")?
            && chance(&mut self.random, 30)
            && let Some(tag) = self.tag(FETCHES)
        {
            let bytes = self.random.random_range(1..=64) * 8;
            let addr = self.random.random::<u64>() >> 4 << 4;
            set_all(
                &mut self.dut,
                &[
                    ("fetch_valid", 1),
                    ("fetch_addr", addr),
                    ("fetch_bytes", bytes),
                    ("fetch_tag", tag),
                ],
            )?;
        }
        if !self.dut.is("read_valid")?
            && chance(&mut self.random, 50)
            && let Some(tag) = self.tag(DATA)
        {
            let fields = [
                ("read_valid", 1),
                ("read_addr", self.random.random::<u64>() >> 2 << 2),
                ("read_len", self.random.random_range(1..=128)),
                ("read_first_be", 15),
                ("read_last_be", 15),
                ("read_tag", tag),
            ];
            set_all(&mut self.dut, &fields)?;
        }
        Ok(())
    }

    /// A completion of some read that is out, cut at the boundary; or of a read that nobody made.
    fn completions(&mut self) -> Result {
        self.dut.set("cpl_sop", false)?;
        if self.flying.is_empty() || chance(&mut self.random, 70) {
            if chance(&mut self.random, 10)
                && let Some(tag) = self.tag(0..1024)
                && !(self.dut.is("fetch_valid")? && self.dut.get("fetch_tag")? == tag)
                && !(self.dut.is("read_valid")? && self.dut.get("read_tag")? == tag)
            {
                set_all(
                    &mut self.dut,
                    &[
                        ("cpl_sop", 1),
                        ("cpl_tag", tag),
                        ("cpl_len", 1),
                        ("cpl_byte_count", 4),
                    ],
                )?;
            }
            return Ok(());
        }
        let index = self.random.random_range(0..self.flying.len());
        let read = &mut self.flying[index];
        let boundary = 64 << self.rcb;
        let failed = chance(&mut self.random, 5);
        let bytes = if failed || chance(&mut self.random, 30) {
            read.left
        } else {
            read.left.min(boundary - read.addr % boundary)
        };
        let fields = [
            ("cpl_sop", 1),
            ("cpl_tag", read.tag),
            ("cpl_len", if failed { 0 } else { bytes / 4 }),
            ("cpl_byte_count", read.left),
            ("cpl_lower_addr", read.addr % 128),
            ("cpl_status", failed.into()),
        ];
        set_all(&mut self.dut, &fields)?;
        (read.left, read.addr) = (read.left - bytes, read.addr.wrapping_add(bytes));
        Ok(())
    }

    fn step(&mut self) -> Result {
        let mut out = [0; TAGS / 32];
        for read in &self.flying {
            out[read.tag as usize / 32] |= 1 << (read.tag % 32);
        }
        assert_eq!(self.dut.get_wide("reads_out")?, out);
        self.sources()?;
        self.completions()?;
        let ready = chance(&mut self.random, 70);
        self.dut.set("tx_ready", ready)?;
        self.check_taken()?;
        self.check_beat(ready)?;
        self.flying.retain(|read| read.left > 0);
        let mut taken = Vec::new();
        for (valid, ready) in [("fetch_valid", "fetch_ready"), ("read_valid", "read_ready")] {
            if self.dut.is(valid)? && self.dut.is(ready)? {
                taken.push(valid);
            }
        }
        self.dut.step()?;
        for valid in taken {
            self.dut.set(valid, false)?;
        }
        self.dut.set("cpl_status", 0)
    }

    /// A read that is taken has room for all of its completions.
    fn check_taken(&mut self) -> Result {
        let dut = &mut self.dut;
        let fetch = dut.is("fetch_valid")? && dut.is("fetch_ready")?;
        let read = dut.is("read_valid")? && dut.is("read_ready")?;
        assert!(!(fetch && read));
        if read {
            assert!(!dut.is("fetch_valid")?, "fetches go first");
        }
        if !(fetch || read) {
            return Ok(());
        }
        let (tag, addr, dwords) = if fetch {
            (
                dut.get("fetch_tag")?,
                dut.get("fetch_addr")?,
                dut.get("fetch_bytes")? / 4,
            )
        } else {
            (
                dut.get("read_tag")?,
                dut.get("read_addr")?,
                dut.get("read_len")?,
            )
        };
        // A completion per boundary that the read touches, and a unit per 16 bytes of each.
        let boundary = 64 << self.rcb;
        let left = dwords * 4;
        let headers = (addr % boundary + left).div_ceil(boundary);
        let units = left.div_ceil(16);
        self.taken.push(Read {
            tag,
            left,
            addr,
            headers,
            units,
        });
        let mut used = [0, 0];
        for read in self.taken.iter().chain(&self.flying) {
            used = [used[0] + read.headers, used[1] + read.units];
        }
        assert!(
            used[0] <= HEADERS && used[1] <= UNITS,
            "{used:?}: completions without room"
        );
        Ok(())
    }

    fn check_beat(&mut self, ready: bool) -> Result {
        let dut = &mut self.dut;
        let mut offer = Vec::new();
        for port in [
            "tx_sop",
            "tx_eop",
            "tx_kind",
            "tx_addr",
            "tx_len",
            "tx_first_be",
            "tx_last_be",
        ] {
            offer.push(dut.get(port)?.into());
        }
        let valid = dut.is("tx_valid")?;
        let read = offer[2] == 1;
        let on = dut.is("bus_master")?;
        assert_eq!(dut.is("settled")?, self.held.is_none() && !self.midway);
        let write_stands = self.midway || self.held.as_ref().is_some_and(|held| held[2] != 1);
        assert_eq!(dut.is("may_write")?, on || write_stands);
        if valid && offer[2] < 2 && offer[0] == 1 {
            assert!(on || self.held.is_some(), "a request without bus mastering");
        }
        offer.push(if read {
            dut.get("tx_tag")?.into()
        } else {
            get128(dut, "tx_data")?
        });
        if let Some(held) = self.held.take() {
            assert!(valid && offer == held, "a beat changed before it was taken");
        }
        assert_eq!(
            valid && ready && !read,
            self.posted.is_some() && dut.is("posted_ready")?
        );
        if !valid {
            return Ok(());
        }
        assert_eq!(
            offer[0] == 0,
            self.midway,
            "a TLP begins inside another one"
        );
        if !ready {
            self.held = Some(offer);
            return Ok(());
        }
        self.midway = offer[1] == 0;
        if read {
            let index = self
                .taken
                .iter()
                .position(|read| u128::from(read.tag) == offer[7])
                .expect("a read that was taken");
            let read = self.taken.remove(index);
            assert_eq!(
                [offer[3], offer[4]],
                [read.addr.into(), (read.left / 4).into()]
            );
            assert_eq!(
                [offer[5], offer[6]],
                [15, if read.left == 4 { offer[6] } else { 15 }]
            );
            self.counts[usize::from(FETCHES.contains(&read.tag))] += 1;
            self.flying.push(read);
        } else {
            let (beats, passed) = self.posted.expect("a posted TLP");
            let names = [
                "posted_sop",
                "posted_eop",
                "posted_kind",
                "posted_addr",
                "posted_len",
                "posted_first_be",
                "posted_last_be",
            ];
            for (name, value) in names.iter().zip(&offer) {
                assert_eq!(u128::from(dut.get(name)?), *value, "{name}");
            }
            assert_eq!(get128(dut, "posted_data")?, offer[7]);
            self.posted = (passed + 1 < beats).then_some((beats, passed + 1));
            self.counts[2] += 1;
            if self.posted.is_some() {
                set128(dut, "posted_data", self.random.random())?;
            }
        }
        Ok(())
    }
}

#[test]
fn tlps_pass_whole_and_reads_with_room() -> Result {
    for rcb in 0..2 {
        let mut bench = Bench::new(rcb)?;
        for _ in 0..2500 {
            bench.step()?;
        }
        // If space leaked, reads would have stopped long ago.
        assert!(
            bench.counts.iter().all(|count| *count > 100),
            "{:?}",
            bench.counts
        );
        let before = bench.counts;
        for _ in 0..300 {
            bench.step()?;
        }
        assert!(
            bench
                .counts
                .iter()
                .zip(before)
                .all(|(now, before)| *now > before),
            "somebody has stopped"
        );
    }
    Ok(())
}

/// Without bus mastering only completions go out.
#[test]
fn bus_mastering() -> Result {
    let mut bench = Bench::new(0)?;
    bench.dut.set("bus_master", false)?;
    for _ in 0..400 {
        bench.step()?;
        // A write would wait for ever.
        if bench.posted.is_some_and(|(_, passed)| passed == 0) && bench.dut.get("posted_kind")? == 0
        {
            assert!(!bench.dut.is("tx_valid")?, "a write without bus mastering");
            bench.posted = None;
        }
    }
    assert_eq!(bench.counts[..2], [0, 0], "a read without bus mastering");
    assert!(bench.counts[2] > 20);
    Ok(())
}

/// Bus mastering comes and goes: requests stop at a TLP's end, and what stands on the link stays. In the pauses all reads
/// are forgotten once nothing stands there: none of them goes out, and their space is free.
#[test]
fn bus_mastering_comes_and_goes() -> Result {
    let mut bench = Bench::new(1)?;
    let mut forgotten = [0; 2];
    for cycle in 0..6000 {
        let on = cycle / 50 % 2 == 0;
        bench.dut.set("bus_master", on)?;
        let forget = cycle % 100 == 99 && bench.held.is_none() && !bench.midway;
        bench.dut.set("forget", forget)?;
        bench.step()?;
        if forget {
            forgotten[0] += bench.taken.len();
            forgotten[1] += bench.flying.len();
            bench.taken.clear();
            bench.flying.clear();
        }
    }
    assert!(
        bench.counts.iter().all(|count| *count > 100),
        "{:?}",
        bench.counts
    );
    assert!(forgotten.iter().all(|count| *count > 5), "{forgotten:?}");
    Ok(())
}
