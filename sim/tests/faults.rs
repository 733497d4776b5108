//! What goes wrong on the link and in host memory, in the middle of a burst of 24 transfers: exactly one transfer ends, with the status that
//! tells why, the others arrive byte for byte, and the bursts behind it are as fast as if nothing had been.

mod common;

use std::sync::Mutex;

use common::options;
use pinring_core::{Completion, Permissions, Tier, TierPolicy, Transfer};
use pinring_protocol::registers;
use pinring_protocol::{Direction, Status};
use pinring_sim::report::{Report, table};
use pinring_sim::run::{self, Bench, DOMAIN};
use pinring_sim::scenario::{
    self, Fault, FaultKind, FaultScope, FaultTarget, LayoutKind, Scenario, Strategy,
};

const TRANSFERS: u64 = 24;
/// Transfer that the fault is in.
const HIT: u64 = 12;
/// 320 KiB in scattered pages: two blocks of a list.
const BUFFER: u64 = 80 * 4096;
/// A byte of that transfer whose place the second block tells.
const SECOND_BLOCK: u64 = 290_000;
/// Longer than the device waits for a read: 50 ms.
const TIMEOUT_NS: u64 = 50_000_000;

/// What bounds H2C when the link's round trip is long: one tag or one read's completion space less, and it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Bound {
    /// 63 reads of 256 bytes in flight.
    Tags,
    /// Completion space for 62 reads of 512 bytes.
    Space,
}

/// A chain with 24 buffers, a queue per direction, and a round trip that the bound does not cover.
struct Rig {
    bench: Bench,
    direction: Direction,
    bound: Bound,
    /// Bursts so far.
    rounds: u64,
    /// Transfers that have failed.
    failed: u64,
    /// Of those, packets that had begun.
    cuts: u64,
}

fn length(number: u64) -> u64 {
    match number {
        HIT => 300_001,
        _ => 160_001 + 64 * number,
    }
}

/// Where the payload of a transfer begins in the endless stream of payload bytes.
fn position(round: u64, number: u64) -> u64 {
    (round << 32) + (0..number).map(length).sum::<u64>()
}

impl Rig {
    fn new(bound: Bound, direction: Direction) -> Self {
        let mut scenario = Scenario::gen3_x4();
        scenario.buffers.count = TRANSFERS as u32;
        scenario.buffers.bytes = BUFFER;
        scenario.buffers.layout = LayoutKind::Shuffled;
        scenario.burst.transfers = TRANSFERS as u32;
        scenario.burst.length_bytes = BUFFER;
        scenario.burst.direction = match direction {
            Direction::C2h => scenario::Direction::C2h,
            Direction::H2c => scenario::Direction::H2c,
        };
        scenario.link.rcb_bytes = 128;
        (scenario.link.mrrs_bytes, scenario.link.one_way_latency_ns) = match bound {
            Bound::Tags => (256, 3_000),
            Bound::Space => (512, 6_000),
        };
        let bench = Bench::with_regions(&scenario, Strategy::Registered, &options(), 512);
        let mut bench = bench.expect("the device starts");
        bench.machine().streams.allow_cuts();
        Self {
            bench,
            direction,
            bound,
            rounds: 0,
            failed: 0,
            cuts: 0,
        }
    }

    fn transfer(&self, number: u64) -> Transfer {
        Transfer {
            region: self.bench.regions[number as usize].1,
            offset: 5 * number,
            length: length(number),
            tdest: 0,
            user: 0,
            cookie: number,
        }
    }

    /// Registers a buffer once more: the device knows nothing of the new region.
    fn register_anew(&mut self, number: u64) {
        let policy = TierPolicy {
            first: Tier::Bypass,
            last: Tier::Bypass,
        };
        let (buffer, region) = &mut self.bench.regions[number as usize];
        *region = self
            .bench
            .device
            .register(*buffer, Permissions::BOTH, DOMAIN, policy)
            .expect("a buffer may have several regions");
    }

    /// Whether a transfer has brought its buffer the payload from `position` on.
    fn arrived(&mut self, number: u64, position: u64) -> bool {
        self.begins(number, position, length(number))
    }

    /// Whether a transfer's first `bytes` bytes are those of the payload from `position` on.
    fn begins(&mut self, number: u64, position: u64, bytes: u64) -> bool {
        let payload = self.bench.payload.clone();
        let id = self.bench.regions[number as usize].0;
        let (memory, buffers) = self.bench.device.platform_mut().memory_and_buffers();
        let (layout, first) = buffers.get(id).expect("it is locked");
        let at = first + 5 * number;
        payload.check(memory, layout, at, bytes, position).is_ok()
    }

    /// Source and sink, or the buffers, get what a round's transfers are to carry; those of `left_out` have no packet.
    fn announce(&mut self, left_out: &[u64]) {
        for number in 0..TRANSFERS {
            let at = position(self.rounds, number);
            if self.direction == Direction::H2c {
                let payload = self.bench.payload.clone();
                let id = self.bench.regions[number as usize].0;
                let (memory, buffers) = self.bench.device.platform_mut().memory_and_buffers();
                let (layout, first) = buffers.get(id).expect("it is locked");
                payload
                    .write_to(memory, layout, first + 5 * number, length(number), at)
                    .expect("it is in memory");
            }
            if left_out.contains(&number) {
                continue;
            }
            let streams = &mut self.bench.machine().streams;
            match self.direction {
                Direction::H2c => streams.expect(at, length(number), 0),
                Direction::C2h => streams.send(at, length(number), 0),
            }
        }
    }

    fn inject(&mut self, fault: &Fault, number: u64) {
        let transfer = self.transfer(number);
        let index = self.rounds * TRANSFERS + number;
        self.bench
            .inject(fault, self.direction, &transfer, index)
            .expect("its region is registered");
    }

    /// Submits all transfers. Gives how each ended, and the nanoseconds from submission to the last entry.
    fn submit(&mut self) -> (Vec<Completion>, u64) {
        let queue = self.bench.queue(self.direction).expect("it is used").handle;
        let transfers: Vec<_> = (0..TRANSFERS).map(|i| self.transfer(i)).collect();
        self.bench.machine().entries.clear();
        let begin = self.bench.machine().now_ps();
        self.bench
            .device
            .submit(queue, &transfers)
            .expect("there is room");
        let ended = self
            .bench
            .reap(queue, transfers.len(), 3 * TIMEOUT_NS)
            .expect("the run goes on");
        self.rounds += 1;
        let entries = &self.bench.machine().entries;
        let last = entries.back().expect("there are entries").at_ps;
        // What is still on its way arrives.
        self.bench.pass(100_000).expect("and stays quiet");
        (ended, (last - begin) / 1000)
    }

    /// A burst with the case's fault in the transfers of `hit`. They end as the case says; all others are whole.
    fn burst(&mut self, case: Option<&Case>, hit: &[u64]) -> u64 {
        let hit = if case.is_some() { hit } else { &[] };
        let what = format!(
            "{case:?} in {hit:?} of {:?}, {:?}",
            self.direction, self.bound
        );
        let fails = case.is_some_and(|case| case.status != Status::Ok);
        // Fails before anything of its data moves.
        let early = fails && case.is_some_and(Case::is_early);
        // Of what is known on chip nothing is read.
        for number in [HIT]
            .iter()
            .chain(hit)
            .filter(|number| **number == HIT || early)
        {
            self.register_anew(*number);
        }
        self.announce(if early { hit } else { &[] });
        let injected = self.bench.machine().link.faults().injected();
        for &number in hit {
            let case = case.expect("whoever is hit is hit by something");
            self.inject(&case.fault(number), number);
        }
        let round = self.rounds;
        let (ended, took) = self.submit();

        let status_of = |number: u64| match case {
            Some(case) if hit.contains(&number) => case.status,
            _ => Status::Ok,
        };
        let expected: Vec<_> = (0..TRANSFERS)
            .map(|number| {
                let status = status_of(number);
                let bytes = (status == Status::Ok).then_some(length(number));
                (number, status, bytes)
            })
            .collect();
        let found: Vec<_> = ended
            .iter()
            .map(|end| {
                let bytes = (end.status == Status::Ok).then_some(end.bytes);
                (end.cookie, end.status, bytes)
            })
            .collect();
        assert_eq!(found, expected, "{what}");
        for number in 0..TRANSFERS {
            if self.direction == Direction::C2h && status_of(number) == Status::Ok {
                let whole = self.arrived(number, position(round, number));
                assert!(whole, "transfer {number} has wrong bytes: {what}");
            }
        }
        if fails {
            self.failed += hit.len() as u64;
            self.cuts += if early { 0 } else { hit.len() as u64 };
        }
        let machine = self.bench.machine();
        let (streams, faults) = (&machine.streams, machine.link.faults());
        assert_eq!(faults.injected() - injected, hit.len() as u64, "{what}");
        assert_eq!(faults.pending(), 0, "{what}");
        assert_eq!(
            (streams.cuts(), streams.unfinished()),
            (self.cuts, 0),
            "{what}"
        );
        let errors = self.bench.device.read_register(&registers::ERRORS);
        assert_eq!(errors, self.failed, "{what}");
        println!("{what}: {took} ns");
        took
    }

    /// A burst without a fault takes as long as in an undisturbed run.
    fn is_unharmed(&mut self) {
        let took = self.burst(None, &[]);
        let expected = undisturbed(self.bound, self.direction);
        assert!(
            took.abs_diff(expected) * 200 <= expected,
            "{took} ns, undisturbed {expected} ns"
        );
        assert_eq!(self.bench.machine().link.outstanding_reads(), 0);
    }
}

/// Time of a burst when all is well.
fn undisturbed(bound: Bound, direction: Direction) -> u64 {
    static KNOWN: Mutex<Vec<((Bound, Direction), u64)>> = Mutex::new(Vec::new());
    // Held while a time is found: whoever else wants it waits.
    let mut known = KNOWN.lock().expect("no other test has failed here");
    if let Some((_, time)) = known.iter().find(|(of, _)| *of == (bound, direction)) {
        return *time;
    }
    let mut rig = Rig::new(bound, direction);
    rig.burst(None, &[]);
    let time = rig.burst(None, &[]);
    known.push(((bound, direction), time));
    time
}

/// A fault, and how its transfer ends.
#[derive(Debug)]
struct Case {
    kind: FaultKind,
    target: FaultTarget,
    at_byte: Option<u64>,
    duration_ns: Option<u64>,
    status: Status,
}

impl Case {
    /// Of the read that holds a byte in the middle.
    fn data(kind: FaultKind, status: Status) -> Self {
        Self {
            kind,
            target: FaultTarget::Data,
            at_byte: Some(80_000),
            duration_ns: None,
            status,
        }
    }

    /// Of the read of an entry, or of the list's first block.
    fn of(kind: FaultKind, target: FaultTarget, status: Status) -> Self {
        Self {
            target,
            at_byte: (target == FaultTarget::SgBlock).then_some(0),
            ..Self::data(kind, status)
        }
    }

    fn is_early(&self) -> bool {
        self.target != FaultTarget::Data && self.at_byte != Some(SECOND_BLOCK)
    }

    fn fault(&self, number: u64) -> Fault {
        Fault {
            target: (self.kind.scope() != FaultScope::Interrupt
                && self.kind.scope() != FaultScope::Doorbell)
                .then_some(self.target),
            transfer: number as u32,
            at_byte: self.at_byte,
            duration_ns: self.duration_ns,
            ..Fault::new(self.kind)
        }
    }
}

/// Read faults that the device learns of at once, and what it makes of them.
const TOLD: [(FaultKind, Status); 4] = [
    (FaultKind::CompletionUr, Status::ReadUnsupported),
    (FaultKind::CompletionCa, Status::ReadAborted),
    (FaultKind::Poisoned, Status::ReadPoisoned),
    (FaultKind::Oversized, Status::ReadMalformed),
];

/// One after the other: what any of them had cost for good would show in the last burst.
fn data_reads(bound: Bound) {
    let mut rig = Rig::new(bound, Direction::H2c);
    let harmless = [FaultKind::Duplicate, FaultKind::Unexpected].map(|kind| (kind, Status::Ok));
    for (kind, status) in TOLD.into_iter().chain(harmless) {
        rig.burst(Some(&Case::data(kind, status)), &[HIT]);
    }
    rig.is_unharmed();
}

#[test]
fn a_data_read_that_fails_costs_its_transfer_and_no_tag() {
    data_reads(Bound::Tags);
}

#[test]
fn a_data_read_that_fails_costs_its_transfer_and_no_completion_space() {
    data_reads(Bound::Space);
}

/// 50 ms pass until the device gives the read up, and its tag and completion space with it: its answer could still come.
#[test]
fn a_lost_data_read_costs_its_transfer_and_its_tag() {
    let mut rig = Rig::new(Bound::Tags, Direction::H2c);
    let lost = Case::data(FaultKind::Lost, Status::ReadTimeout);
    let took = rig.burst(Some(&lost), &[HIT]);
    assert!(took > TIMEOUT_NS, "{took} ns");
    // One of 63 reads in flight.
    let took = rig.burst(None, &[]);
    let expected = undisturbed(Bound::Tags, Direction::H2c);
    assert!(
        took < expected * 102 / 100,
        "{took} ns, undisturbed {expected} ns"
    );
    assert_eq!(rig.bench.machine().link.outstanding_reads(), 1);
}

/// The answer comes behind the time-out, and brings the tag back.
#[test]
fn a_late_data_read_costs_its_transfer_alone() {
    let mut rig = Rig::new(Bound::Tags, Direction::H2c);
    let late = Case {
        duration_ns: Some(TIMEOUT_NS + 20_000),
        ..Case::data(FaultKind::Late, Status::ReadTimeout)
    };
    rig.burst(Some(&late), &[HIT]);
    rig.is_unharmed();
}

/// The read whose tag it was has got the wrong bytes, and nobody knows; but the read that it was the answer to times out.
#[test]
fn data_under_another_reads_tag_costs_its_transfer() {
    let mut rig = Rig::new(Bound::Space, Direction::H2c);
    let wrong = Case::data(FaultKind::WrongTag, Status::ReadTimeout);
    rig.burst(Some(&wrong), &[HIT]);
    let took = rig.burst(None, &[]);
    let expected = undisturbed(Bound::Space, Direction::H2c);
    assert!(
        took < expected * 102 / 100,
        "{took} ns, undisturbed {expected} ns"
    );
    assert_eq!(rig.bench.machine().link.outstanding_reads(), 1);
}

const FETCHED: [FaultTarget; 3] = [
    FaultTarget::SubmissionEntry,
    FaultTarget::RegionEntry,
    FaultTarget::SgBlock,
];

/// More faults than the fetch unit has tags.
const NINE: [u64; 9] = [3, 5, 7, 9, 11, 13, 15, 17, 19];

fn fetches(direction: Direction) {
    let mut rig = Rig::new(Bound::Tags, direction);
    for (kind, status) in TOLD {
        for target in FETCHED {
            rig.burst(Some(&Case::of(kind, target, status)), &[HIT]);
        }
        let entry = Case::of(kind, FaultTarget::RegionEntry, status);
        rig.burst(Some(&entry), &NINE);
    }
    for target in FETCHED {
        rig.burst(
            Some(&Case::of(FaultKind::Unexpected, target, Status::Ok)),
            &[HIT],
        );
    }
    // Where no read has taken the tag by then, and asks for as much: of lists see docs/reliability.md.
    for target in [FaultTarget::SubmissionEntry, FaultTarget::RegionEntry] {
        let twice = Case::of(FaultKind::Duplicate, target, Status::Ok);
        rig.register_anew(TRANSFERS - 1);
        rig.burst(Some(&twice), &[TRANSFERS - 1]);
    }
    rig.is_unharmed();
}

#[test]
fn a_fetch_that_fails_costs_its_h2c_transfer_and_no_tag() {
    fetches(Direction::H2c);
}

#[test]
fn a_fetch_that_fails_costs_its_c2h_transfer_and_no_tag() {
    fetches(Direction::C2h);
}

#[test]
fn a_lost_fetch_costs_its_transfer_alone() {
    let mut rig = Rig::new(Bound::Tags, Direction::C2h);
    let lost = Case::of(
        FaultKind::Lost,
        FaultTarget::RegionEntry,
        Status::ReadTimeout,
    );
    let took = rig.burst(Some(&lost), &[HIT]);
    assert!(took > TIMEOUT_NS, "{took} ns");
    // Its tag stays out of use; seven others serve as well here.
    let took = rig.burst(None, &[]);
    let expected = undisturbed(Bound::Tags, Direction::C2h);
    assert!(
        took.abs_diff(expected) * 100 <= expected,
        "{took} ns, undisturbed {expected} ns"
    );
}

#[test]
fn an_h2c_transfer_that_loses_its_list_half_way_ends_its_packet() {
    let mut rig = Rig::new(Bound::Tags, Direction::H2c);
    for (kind, status) in &TOLD[..3] {
        let block = Case {
            at_byte: Some(SECOND_BLOCK),
            ..Case::of(*kind, FaultTarget::SgBlock, *status)
        };
        rig.burst(Some(&block), &[HIT]);
    }
    rig.is_unharmed();
}

/// What the failed transfer has taken of the stream is gone; those behind it go on from there, without a gap.
#[test]
fn a_c2h_transfer_that_loses_its_list_half_way_leaves_the_stream_where_it_is() {
    let mut rig = Rig::new(Bound::Tags, Direction::C2h);
    let all = position(0, TRANSFERS);
    rig.bench.machine().streams.send(0, all, 0);
    let block = Case {
        at_byte: Some(SECOND_BLOCK),
        ..Case::of(
            FaultKind::CompletionUr,
            FaultTarget::SgBlock,
            Status::ReadUnsupported,
        )
    };
    rig.inject(&block.fault(HIT), HIT);
    let (ended, _) = rig.submit();
    let status_of = |number| match number {
        HIT => Status::ReadUnsupported,
        _ => Status::Ok,
    };
    for (number, end) in (0..).zip(&ended) {
        assert_eq!((end.cookie, end.status), (number, status_of(number)));
        assert!(number == HIT || end.bytes == length(number));
    }
    let (first, last) = (position(0, HIT), position(0, HIT + 1));
    let went_on = (first..=last).find(|&at| rig.begins(HIT + 1, at, 16));
    let went_on = went_on.expect("a stretch of the stream");
    for number in 0..TRANSFERS {
        let at = match number {
            0..HIT => position(0, number),
            HIT => continue,
            _ => went_on + position(0, number) - last,
        };
        assert!(rig.arrived(number, at), "transfer {number} has wrong bytes");
    }
    assert!(first < went_on, "nothing had moved");
    println!("{} of {} bytes were gone", went_on - first, last - first);
    // The rest of the packet goes to one more transfer, which it ends.
    let rest = all - (went_on + all - last);
    let queue = rig.bench.queue(Direction::C2h).expect("it is used").handle;
    let transfer = rig.transfer(0);
    rig.bench.device.submit(queue, &[transfer]).expect("room");
    let ended = rig.bench.reap(queue, 1, 1_000_000).expect("goes on");
    assert_eq!(
        (ended[0].status, ended[0].bytes),
        (Status::Ok, rest.min(length(0)))
    );
}

/// Credits stay away for longer than the burst takes.
#[test]
fn without_credits_everything_waits_and_nothing_fails() {
    for direction in [Direction::C2h, Direction::H2c] {
        let mut rig = Rig::new(Bound::Tags, direction);
        rig.burst(None, &[]);
        let starved = Case {
            duration_ns: Some(4_000_000),
            ..Case::data(FaultKind::CreditStarvation, Status::Ok)
        };
        let took = rig.burst(Some(&starved), &[HIT]);
        assert!(took > 4_000_000, "{took} ns");
        rig.is_unharmed();
    }
}

#[test]
fn a_delayed_doorbell_delays_its_burst_alone() {
    let mut rig = Rig::new(Bound::Tags, Direction::C2h);
    rig.burst(None, &[]);
    let delayed = Case {
        at_byte: None,
        duration_ns: Some(500_000),
        ..Case::data(FaultKind::DelayedDoorbell, Status::Ok)
    };
    let took = rig.burst(Some(&delayed), &[HIT]);
    let expected = undisturbed(Bound::Tags, Direction::C2h) + 500_000;
    assert!(
        took.abs_diff(expected) * 100 <= expected,
        "{took} ns, not {expected} ns"
    );
    rig.is_unharmed();
}

/// Entries do not depend on interrupts, and arming a queue tells of what has not been seen.
#[test]
fn a_lost_interrupt_is_made_good_by_arming_and_one_too_many_does_no_harm() {
    let mut rig = Rig::new(Bound::Tags, Direction::C2h);
    let queue = rig.bench.queue(Direction::C2h).expect("it is used").handle;
    let counts = |rig: &mut Rig| {
        let arrived = rig.bench.machine().link.statistics().interrupts;
        (
            arrived,
            rig.bench.device.read_register(&registers::INTERRUPTS),
        )
    };
    let before = counts(&mut rig);
    let case = |kind| Case {
        at_byte: None,
        ..Case::data(kind, Status::Ok)
    };
    // The burst is reaped as a driver does that looks by itself.
    rig.burst(Some(&case(FaultKind::LostInterrupt)), &[HIT]);
    let after = counts(&mut rig);
    assert_eq!(after.0 - before.0 + 1, after.1 - before.1);

    // A transfer that nobody reaps, and whose interrupt is lost: nothing comes by itself, arming brings another.
    let rearmed = |rig: &mut Rig, kind| {
        rig.bench.device.arm(queue).expect("it exists");
        let number = rig.rounds;
        rig.inject(&case(kind).fault(0), 0);
        let before = counts(rig);
        rig.bench.machine().streams.send(1 << 50, length(0), 0);
        let transfer = rig.transfer(0);
        rig.bench.device.submit(queue, &[transfer]).expect("room");
        rig.bench.pass(1_000_000).expect("the run goes on");
        let unseen = counts(rig);
        rig.bench.device.arm(queue).expect("it exists");
        rig.bench.pass(100_000).expect("the run goes on");
        let armed = counts(rig);
        let ended = rig.bench.reap(queue, 1, 1000).expect("the run goes on");
        assert_eq!(ended.len(), 1, "{number}");
        assert_eq!(ended[0].status, Status::Ok);
        (unseen.0 - before.0, armed.0 - unseen.0, armed.1 - before.1)
    };
    assert_eq!(rearmed(&mut rig, FaultKind::LostInterrupt), (0, 1, 2));
    assert_eq!(rearmed(&mut rig, FaultKind::SpuriousInterrupt), (2, 1, 2));
}

/// What a scenario file asks for, from its text to the report: `cargo xtask cosim` runs the same.
#[test]
fn a_scenario_run_goes_on_behind_its_faults_and_reports_them() {
    let text = "
        strategies = [\"registered\"]
        device.width_bits = 128
        link = { lanes = 4 }
        buffers = { count = 8, bytes = 1_048_576, layout = \"shuffled\" }
        burst = { transfers = 8, length_bytes = 400_000, direction = \"h2c\", bursts = 2 }
        [[faults]]
        kind = \"poisoned\"
        transfer = 3
        at_byte = 5000
        [[faults]]
        kind = \"completion-ur\"
        target = \"sg-block\"
        transfer = 5
        [[faults]]
        kind = \"completion-ca\"
        target = \"submission-entry\"
        transfer = 6
        burst = 1
        [[faults]]
        kind = \"credit-starvation\"
        transfer = 2
        burst = 1
        duration_ns = 30_000
        [[faults]]
        kind = \"lost\"
        target = \"region-entry\"
        transfer = 7
        burst = 1
    ";
    let scenario = Scenario::parse("faults.toml", text).expect("a scenario");
    let mut report = Report::new(&scenario, run::ceiling_ns(&scenario));
    run::run(&scenario, &options(), &mut report, &mut Vec::new()).expect("the run goes on");
    let result = report.strategy(Strategy::Registered).expect("it was run");
    assert!(result.complete);
    assert_eq!((result.completions, result.mismatches), (16, 0));
    let faults = result.faults.as_ref().expect("there were some");
    // A region that is on chip is not read again.
    assert_eq!((faults.injected, faults.without_occasion), (4, 1));
    let failed: Vec<_> = faults
        .failed
        .iter()
        .map(|end| (end.burst, end.transfer, end.status.as_str()))
        .collect();
    assert_eq!(
        failed,
        [
            (0, 3, "ReadPoisoned"),
            (0, 5, "ReadUnsupported"),
            (1, 6, "ReadAborted")
        ]
    );
    let said = "4 injected, 1 without an occasion; 3 transfers failed: 3 of burst 0 ReadPoisoned";
    assert!(table(&report).contains(said), "{}", table(&report));
}
