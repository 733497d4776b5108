//! The walker against a model that walks the table byte range by byte range.

use crate::walker::Walker;
use pinring_protocol::limits;
use pinring_protocol::{SgElement, SgUniformElement, Status};
use pinring_verilator::equivalence::{Error, Pair};
use pinring_verilator::ports;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const SLOTS: u64 = limits::SG_SLOTS as u64;

type Result<T = ()> = std::result::Result<T, Error>;

/// How many elements a test's table has; it may begin at any element number.
const ELEMENTS: u64 = 70;

/// An element: pages of 4 KiB (page-granular), or one page (uniform).
#[derive(Clone, Copy, Debug)]
struct Element {
    valid: bool,
    frame: u64,
    pages: u64,
    start_page: u64,
}

/// A transfer and the table it walks.
#[derive(Clone, Debug)]
struct Job {
    /// None: page-granular. Else log2 of the page size.
    uniform: Option<u32>,
    /// Number of `table[0]`.
    base: u64,
    table: Vec<Element>,
    last_element: u64,
    hint: u64,
    position: u64,
    length: u64,
    status: u64,
    /// This block cannot be read.
    bad_block: Option<u64>,
    /// Abort or stop after this many chunks.
    abort_at: Option<usize>,
    stop_at: Option<usize>,
}

/// What comes out: chunks, the status of a terminal chunk, blocks given back.
#[derive(Clone, Debug, Default, PartialEq)]
struct Walk {
    chunks: Vec<(u64, u64)>,
    terminal: Option<u64>,
    consumed: Vec<u64>,
}

impl Job {
    fn per_block(&self) -> u64 {
        if self.uniform.is_some() { 64 } else { 32 }
    }

    fn page(&self) -> u64 {
        1 << self.uniform.unwrap_or(12)
    }

    /// Positions that an element covers.
    fn covers(&self, number: u64) -> std::ops::Range<u64> {
        let element = &self.table[(number - self.base) as usize];
        let start = self.uniform.map_or(element.start_page, |_| number);
        start * self.page()..(start + element.pages) * self.page()
    }

    fn expected(&self, max: u64) -> Walk {
        let mut walk = Walk::default();
        if self.status != 0 || self.length == 0 {
            walk.terminal = Some(self.status);
            return walk;
        }
        let (mut at, end, mut number) = (self.position, self.position + self.length, self.hint);
        while at < end {
            let fail = |status: Status| Some(status as u64);
            if self.bad_block == Some(number / self.per_block()) {
                walk.terminal = fail(Status::ReadPoisoned);
                return walk;
            }
            let element = &self.table[(number - self.base) as usize];
            let range = self.covers(number);
            if at == self.position && !(element.valid && range.contains(&at)) {
                walk.terminal = fail(Status::BadHint);
                return walk;
            }
            if at > self.position && !(element.valid && range.start == at && !range.is_empty()) {
                walk.terminal = fail(Status::BadSgElement);
                return walk;
            }
            let stop = end.min(range.end);
            while at < stop {
                let addr = (element.frame << 12) + (at - range.start);
                let len = (max - addr % max).min(stop - at);
                walk.chunks.push((addr, len));
                at += len;
            }
            if at < end {
                if number == self.last_element {
                    walk.terminal = fail(Status::BadSgElement);
                    return walk;
                }
                if (number + 1) % self.per_block() == 0 {
                    walk.consumed.push(number / self.per_block());
                }
                number += 1;
            }
        }
        walk
    }

    /// A word of the SG RAM: word `word` of block `block`.
    fn word(&self, block: u64, word: u64) -> [u32; 4] {
        let element = |number: u64| {
            let index = number.checked_sub(self.base)?;
            (number <= self.last_element).then(|| self.table.get(index as usize))?
        };
        match self.uniform {
            None => element(block * 32 + word).map_or([0; 4], |element| {
                SgElement::new()
                    .with_valid(element.valid)
                    .with_page_frame(element.frame)
                    .with_pages(element.pages as u32)
                    .with_start_page(element.start_page as u32)
                    .to_words()
            }),
            Some(_) => {
                let half = |number| {
                    element(number).map_or([0; 2], |element| {
                        SgUniformElement::new()
                            .with_valid(element.valid)
                            .with_page_frame(element.frame)
                            .to_words()
                    })
                };
                let [even, odd] = [half(block * 64 + 2 * word), half(block * 64 + 2 * word + 1)];
                [even[0], even[1], odd[0], odd[1]]
            }
        }
    }

    fn new(random: &mut StdRng) -> Self {
        let uniform = [None, None, Some(12), Some(16), Some(21)][random.random_range(0..5)];
        let shift = uniform.unwrap_or(12);
        let base = [0, 7, 1_000_003][random.random_range(0..3)];
        let mut start_page = random.random_range(0..1 << 20) * base.min(1);
        let table: Vec<Element> = (0..ELEMENTS)
            .map(|_| {
                let pages = if uniform.is_some() {
                    1
                } else {
                    random.random_range(1..5)
                };
                let frame = (random.random::<u64>() >> 13) >> (shift - 12) << (shift - 12);
                let element = Element {
                    valid: true,
                    frame,
                    pages,
                    start_page,
                };
                start_page += pages;
                element
            })
            .collect();
        let mut job = Self {
            uniform,
            base,
            table,
            last_element: base + ELEMENTS - 1,
            hint: base + random.random_range(0..ELEMENTS - 8),
            position: 0,
            length: random.random_range(1..3000),
            status: 0,
            bad_block: None,
            abort_at: None,
            stop_at: None,
        };
        if random.random_bool(0.3) {
            // Close before the end of a block.
            job.hint = (job.hint / job.per_block() + 1) * job.per_block() - 1;
            job.hint = job.hint.min(base + ELEMENTS - 8);
        }
        let range = job.covers(job.hint);
        job.position = random.random_range(range.clone());
        if random.random_bool(0.6) {
            // Through the end of the element, and perhaps of several.
            job.position = range.end - random.random_range(1..=(range.end - range.start).min(900));
            let further = job.covers(job.hint + random.random_range(1..5)).start;
            if further - job.position < 30_000 {
                job.length = further - job.position + random.random_range(0..600);
            }
        }
        let hint = (job.hint - base) as usize;
        match random.random_range(0..24) {
            0 => job.table[hint].valid = false,
            1 => job.table[hint].pages = if uniform.is_some() { 1 } else { 0 },
            2 if job.position >= range.start + job.page() => job.table[hint].start_page += 1000,
            3 => job.hint += 1,
            4 if hint > 0 => job.hint -= 1,
            5 => job.table[hint + 1].valid = false,
            6 if uniform.is_none() => job.table[hint + 1].pages = 0,
            7 => job.table[hint + 1].start_page += 1,
            8 => job.table[hint + 1].start_page = job.table[hint].start_page,
            9 => job.last_element = job.hint,
            10 => job.bad_block = Some(job.hint / job.per_block()),
            11 => job.bad_block = Some(job.hint / job.per_block() + 1),
            12 => job.status = Status::OutOfBounds as u64,
            13 => job.length = 0,
            14..16 => job.abort_at = Some(random.random_range(0..6)),
            16..18 => job.stop_at = Some(random.random_range(0..6)),
            _ => {}
        }
        job
    }
}

/// The context's two windows: which block they hold and in which slot.
type Windows = [Option<(u64, u64)>; 2];

#[derive(Debug, Default)]
struct Seen {
    whole: u32,
    bad_hint: u32,
    bad_element: u32,
    unread: u32,
    nothing: u32,
    aborted: u32,
    stopped: u32,
    crossings: u32,
    list_wait: u32,
}

/// Walks one job and compares what came out.
fn walk(
    dut: &mut Pair<Walker>,
    random: &mut StdRng,
    job: &Job,
    max: u64,
    seen: &mut Seen,
) -> Result {
    let ctx = random.random_range(0..16u64);
    let tdest = random.random_range(0..1 << 16);
    dut.set("chunk_max", max)?;
    dut.set("job_valid", true)?;
    dut.set("job_ctx", ctx)?;
    dut.set("job_position", job.position)?;
    dut.set("job_length", job.length)?;
    dut.set("job_element", job.hint)?;
    dut.set("job_last_element", job.last_element)?;
    dut.set("job_uniform", job.uniform.is_some())?;
    dut.set("job_shift", u64::from(job.uniform.unwrap_or(12)))?;
    dut.set("job_status", job.status)?;
    dut.set("job_tdest", tdest)?;
    assert!(dut.is("job_ready")? && dut.is("idle")?);
    dut.step()?;
    dut.set("job_valid", false)?;

    let expected = job.expected(max);
    let mut found = Walk::default();
    let mut windows: Windows = [None; 2];
    let mut next_block = job.hint / job.per_block();
    let last_block = job.last_element / job.per_block();
    let mut address = 0;
    // Another context's abort and stop do nothing.
    let mut abort = 0xffff & !(1u64 << ctx) & random.random::<u64>();
    let (mut done, mut interrupted) = (false, None);
    for cycle in 0.. {
        assert!(cycle < 6000, "no end: {job:?}");
        // Blocks arrive in order, each in a slot that the other window does not use.
        let free = windows[(next_block % 2) as usize].is_none();
        if next_block <= last_block && free && random.random_bool(0.1) {
            let other = windows[(next_block + 1) as usize % 2].map(|(_, slot)| slot);
            let slot = (random.random_range(0..SLOTS) + u64::from(other.is_some())) % SLOTS;
            let slot = if Some(slot) == other {
                (slot + 1) % SLOTS
            } else {
                slot
            };
            windows[(next_block % 2) as usize] = Some((next_block, slot));
            next_block += 1;
        }
        let stop = job.stop_at.is_some_and(|at| found.chunks.len() >= at);
        if job.abort_at.is_some_and(|at| found.chunks.len() >= at) {
            abort |= 1 << ctx;
        }
        if stop {
            interrupted = Some(Status::Ok as u64);
        }
        if abort >> ctx & 1 == 1 {
            interrupted = Some(Status::Aborted as u64);
        }
        let other_stop = !stop && random.random_bool(0.3);
        dut.set("stop", stop || other_stop)?;
        dut.set("stop_ctx", if stop { ctx } else { (ctx + 1) % 16 })?;
        dut.set("aborts", abort)?;

        let (slot, word) = (address >> 5, address & 31);
        let block = windows.iter().flatten().find(|(_, used)| *used == slot);
        // Slots of others hold valid elements, too.
        let stranger = [0xffff_f001, 0xffff, 0xffff_ffff, 0];
        let data = block.map_or(stranger, |(block, _)| job.word(*block, word));
        dut.set_wide("sg_data", &data)?;
        let window = dut.get("window")?;
        assert_eq!(window >> 1, ctx);
        let held = windows[(window & 1) as usize];
        dut.set("window_valid", held.is_some())?;
        dut.set(
            "window_slot",
            held.map_or(random.random_range(0..8), |(_, slot)| slot),
        )?;
        let unread = held.is_some_and(|(block, _)| job.bad_block == Some(block));
        dut.set(
            "window_status",
            if unread {
                Status::ReadPoisoned as u64
            } else {
                0
            },
        )?;
        let chunk_ready = random.random_bool(0.8);
        let consumed_ready = random.random_bool(0.5);
        dut.set("chunk_ready", chunk_ready)?;
        dut.set("consumed_ready", consumed_ready)?;
        address = dut.get("sg_address")?;

        if dut.is("list_wait")? {
            assert!(held.is_none());
            seen.list_wait += 1;
        }
        if chunk_ready && dut.is("chunk_valid")? {
            let first = found.chunks.is_empty();
            assert_eq!(dut.is("chunk_first")?, first);
            let sides = [dut.get("ctx")?, dut.get("length")?, dut.get("tdest")?];
            assert_eq!(sides, [ctx, job.length, tdest]);
            let (addr, len) = (dut.get("chunk_addr")?, dut.get("chunk_len")?);
            let status = dut.get("chunk_status")?;
            done = dut.is("chunk_last")?;
            if len == 0 {
                assert!(done);
                found.terminal = Some(status);
            } else {
                assert_eq!(status, 0);
                found.chunks.push((addr, len));
                assert_eq!(
                    done,
                    expected.terminal.is_none() && found.chunks.len() == expected.chunks.len(),
                    "{job:?}"
                );
            }
        }
        if consumed_ready && dut.is("consumed_valid")? {
            let block = dut.get("consumed_block")?;
            let held = windows[(block % 2) as usize].take();
            assert_eq!(held.map(|(block, _)| block), Some(block));
            found.consumed.push(block);
            seen.crossings += 1;
        }
        dut.step()?;
        if done {
            break;
        }
        assert!(!dut.is("idle")?);
    }
    assert!(dut.is("idle")?);
    dut.set("stop", false)?;
    dut.set("aborts", 0)?;
    match (interrupted, found.terminal) {
        (Some(status), Some(terminal)) if found != expected => {
            assert!(
                expected.chunks.starts_with(&found.chunks)
                    && expected.consumed.starts_with(&found.consumed)
            );
            assert_eq!(terminal, status, "{job:?}");
            *(if status == 0 {
                &mut seen.stopped
            } else {
                &mut seen.aborted
            }) += 1;
        }
        _ => {
            assert_eq!(found, expected, "{job:x?}");
            *(match found.terminal.and_then(Status::from_code) {
                Some(Status::BadHint) => &mut seen.bad_hint,
                Some(Status::BadSgElement) => &mut seen.bad_element,
                Some(Status::ReadPoisoned) => &mut seen.unread,
                Some(_) => &mut seen.nothing,
                None => &mut seen.whole,
            }) += 1;
        }
    }
    Ok(())
}

#[test]
fn chunks_cover_the_range() -> Result {
    let mut dut = Pair::new(
        Walker::default(),
        ports!(Walker {
            clock: clock;
            in reset, job_valid, job_ctx, job_position, job_length, job_element, job_last_element, job_uniform, job_shift,
                job_status, job_tdest, chunk_max, window_valid, window_slot, window_status, sg_data, consumed_ready, aborts,
                stop, stop_ctx, chunk_ready;
            out job_ready, window, sg_address, consumed_valid, consumed_block, chunk_valid, chunk_addr, chunk_len,
                chunk_first, chunk_last, chunk_status, ctx, length, tdest, idle, cutting, list_wait
        }),
    )?;
    let mut random = StdRng::seed_from_u64(1);
    let mut seen = Seen::default();
    for round in 0..500 {
        let job = Job::new(&mut random);
        walk(&mut dut, &mut random, &job, 128 << (round % 3), &mut seen)?;
    }
    let Seen {
        whole,
        bad_hint,
        bad_element,
        unread,
        nothing,
        aborted,
        stopped,
        crossings,
        list_wait,
    } = seen;
    let counts = [
        whole,
        bad_hint,
        bad_element,
        unread,
        nothing,
        aborted,
        stopped,
        crossings,
        list_wait,
    ];
    assert!(counts.iter().all(|count| *count >= 5), "{counts:?}");
    Ok(())
}
