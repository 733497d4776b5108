//! Page layouts: which physical pages a buffer has, in order.
//!
//! The file format, one buffer per file, is text. A line is empty, a comment (`#` to the end of the line), or a run:
//!
//! ```text
//! # pfn   pages
//! 1203f4  17        # 17 pages, physically consecutive, from address 0x1203f4000
//! 11c001            # one page
//! ```
//!
//! Runs follow each other in the buffer: the buffer's first byte is the first byte of the first run. `pfn` is the page
//! frame number (physical address / 4096), hexadecimal with or without 0x; `pages` counts pages of 4 KiB, decimal, and is 1
//! when it is left out.

use std::fmt::Write as _;
use std::path::Path;

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::intervals::Intervals;
use super::{PAGE_BYTES, PAGE_SHIFT};

/// Pages of 4 KiB in a huge page of 2 MiB.
pub const HUGE_PAGE_PAGES: u64 = 512;

/// Page frame numbers have 40 bits: x86-64 defines physical addresses of at most 52 bits.
const FRAMES: u64 = 1 << 40;

/// Physically consecutive pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Page frame number of the first page: physical address / 4096.
    pub pfn: u64,
    /// Number of pages, at least 1.
    pub pages: u64,
}

/// The physical pages of one buffer, in the buffer's order. Never empty, no page twice.
#[derive(Debug, Clone)]
pub struct Layout {
    name: String,
    runs: Vec<Run>,
    /// First page of each run, counted in the buffer, for look-up by offset.
    starts: Vec<u64>,
    pages: u64,
}

/// A layout that cannot be used, with the place that says so.
#[derive(Debug, thiserror::Error)]
#[error("{file}, line {line}: {problem}")]
pub struct LayoutError {
    /// File, or the name of what was to be built.
    pub file: String,
    /// Line, counted from 1; run, for layouts that come from no file; 0 when it is the whole file.
    pub line: usize,
    /// What is wrong there.
    pub problem: LayoutProblem,
}

/// What can be wrong with a layout.
#[derive(Debug, thiserror::Error)]
pub enum LayoutProblem {
    /// The file cannot be read.
    #[error("cannot read it: {0}; pass the path of a page layout, or write one with capture-pages")]
    Unreadable(#[from] std::io::Error),
    /// The line is not a run.
    #[error(
        "`{0}` is not a run; write `PFN` or `PFN PAGES`, the first hexadecimal, the second decimal"
    )]
    NotARun(String),
    /// A run of no pages.
    #[error("a run of 0 pages; remove the line or give it at least 1 page")]
    ZeroPages,
    /// No run at all.
    #[error("no runs; a buffer has at least one page")]
    NoPages,
    /// A run past what 52 address bits reach.
    #[error(
        "run {pfn:#x} + {pages} pages ends past page {FRAMES:#x}, where 52 address bits end; was an address given for a page number?"
    )]
    TooHigh {
        /// First page of the run.
        pfn: u64,
        /// Pages of the run.
        pages: u64,
    },
    /// A page that is in the buffer already.
    #[error("page {pfn:#x} is in the run of line {other} already; a buffer has each page once")]
    Overlap {
        /// First page that is there twice.
        pfn: u64,
        /// Line of the run that has it.
        other: usize,
    },
}

impl Layout {
    /// Reads a layout file. The buffer's name is the file's name without its ending.
    pub fn load(path: &Path) -> Result<Self, LayoutError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| LayoutError {
            file: file.clone(),
            line: 0,
            problem: error.into(),
        })?;
        let mut layout = Self::parse(&file, &text)?;
        if let Some(stem) = path.file_stem() {
            layout.name = stem.to_string_lossy().into_owned();
        }
        Ok(layout)
    }

    /// Reads the text of a layout file; `name` is the buffer's name and the file in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, LayoutError> {
        let mut runs = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default().trim();
            if content.is_empty() {
                continue;
            }
            let run = parse_run(content).ok_or_else(|| LayoutError {
                file: name.to_string(),
                line: index + 1,
                problem: LayoutProblem::NotARun(content.to_string()),
            })?;
            runs.push((index + 1, run));
        }
        Self::build(name, runs)
    }

    /// Layout of `runs`, in this order. Errors count runs from 1.
    pub fn from_runs(name: &str, runs: impl IntoIterator<Item = Run>) -> Result<Self, LayoutError> {
        Self::build(
            name,
            runs.into_iter()
                .enumerate()
                .map(|(index, run)| (index + 1, run))
                .collect(),
        )
    }

    /// Layout of single pages, in this order; neighbours are joined into runs.
    pub fn from_pages(
        name: &str,
        pages: impl IntoIterator<Item = u64>,
    ) -> Result<Self, LayoutError> {
        let mut runs: Vec<Run> = Vec::new();
        for pfn in pages {
            match runs.last_mut() {
                Some(run) if run.pfn.checked_add(run.pages) == Some(pfn) => run.pages += 1,
                _ => runs.push(Run { pfn, pages: 1 }),
            }
        }
        Self::from_runs(name, runs)
    }

    /// `pages` consecutive pages from frame `base_pfn`.
    pub fn contiguous(base_pfn: u64, pages: u64) -> Result<Self, LayoutError> {
        Self::from_runs(
            "contiguous",
            [Run {
                pfn: base_pfn,
                pages,
            }],
        )
    }

    /// `pages` single pages in random order out of the `pages` frames from `base_pfn`; for pages above 4 GiB, as most of
    /// a process's are, begin at 0x10_0000 or above.
    pub fn shuffled(base_pfn: u64, pages: u64, seed: u64) -> Result<Self, LayoutError> {
        Self::contiguous(base_pfn, pages)?;
        Self::from_pages(
            "shuffled",
            permutation(pages, seed)
                .into_iter()
                .map(|page| base_pfn + page),
        )
    }

    /// `huge_pages` pages of 2 MiB in random order from `base_pfn`, which is rounded up to a multiple of 512.
    pub fn huge(base_pfn: u64, huge_pages: u64, seed: u64) -> Result<Self, LayoutError> {
        let base = base_pfn.min(FRAMES).next_multiple_of(HUGE_PAGE_PAGES);
        Self::contiguous(base, huge_pages.saturating_mul(HUGE_PAGE_PAGES))?;
        let order = permutation(huge_pages, seed);
        let runs = order.into_iter().map(|page| Run {
            pfn: base + page * HUGE_PAGE_PAGES,
            pages: HUGE_PAGE_PAGES,
        });
        Self::from_runs("huge", runs)
    }

    fn build(name: &str, lines: Vec<(usize, Run)>) -> Result<Self, LayoutError> {
        let fail = |line, problem| {
            Err(LayoutError {
                file: name.to_string(),
                line,
                problem,
            })
        };
        let mut taken = Intervals::default();
        let mut runs = Vec::with_capacity(lines.len());
        let mut starts = Vec::with_capacity(lines.len());
        let mut pages = 0;
        for &(line, run) in &lines {
            if run.pages == 0 {
                return fail(line, LayoutProblem::ZeroPages);
            }
            if run
                .pfn
                .checked_add(run.pages)
                .is_none_or(|end| end > FRAMES)
            {
                return fail(
                    line,
                    LayoutProblem::TooHigh {
                        pfn: run.pfn,
                        pages: run.pages,
                    },
                );
            }
            if let Err(pfn) = taken.insert(run.pfn, run.pages) {
                let holds = |other: &Run| (other.pfn..other.pfn + other.pages).contains(&pfn);
                let other = lines
                    .iter()
                    .find(|(_, other)| holds(other))
                    .map_or(0, |&(line, _)| line);
                return fail(line, LayoutProblem::Overlap { pfn, other });
            }
            starts.push(pages);
            pages += run.pages;
            runs.push(run);
        }
        if runs.is_empty() {
            return fail(0, LayoutProblem::NoPages);
        }
        Ok(Self {
            name: name.to_string(),
            runs,
            starts,
            pages,
        })
    }

    /// The text of a layout file with these runs; each line of `header` becomes a comment at its top.
    pub fn to_text(&self, header: &str) -> String {
        let mut text = String::new();
        for line in header.lines() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# {line}");
        }
        for run in &self.runs {
            let _ = match run.pages {
                1 => writeln!(text, "{:x}", run.pfn),
                pages => writeln!(text, "{:x} {pages}", run.pfn),
            };
        }
        text
    }

    /// Name of the buffer, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same layout under another name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_string();
        self
    }

    /// The runs in the buffer's order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Number of pages of 4 KiB, at least 1.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.pages * PAGE_BYTES
    }

    /// Page frame numbers in the buffer's order.
    pub fn frames(&self) -> impl Iterator<Item = u64> + '_ {
        self.runs
            .iter()
            .flat_map(|run| run.pfn..run.pfn + run.pages)
    }

    /// Physical address of the buffer's byte `offset`, or nothing past its end.
    pub fn physical(&self, offset: u64) -> Option<u64> {
        self.pieces(offset, 1).next().map(|(address, _)| address)
    }

    /// The physically consecutive pieces (address, bytes) of `len` bytes from `offset`, cut at the buffer's end.
    pub fn pieces(&self, offset: u64, len: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let end = offset.saturating_add(len).min(self.bytes());
        let first = self
            .starts
            .partition_point(|&start| start * PAGE_BYTES <= offset)
            .saturating_sub(1);
        self.starts[first..]
            .iter()
            .zip(&self.runs[first..])
            .map_while(move |(&start, run)| {
                let run_start = start * PAGE_BYTES;
                let from = offset.max(run_start);
                let to = end.min(run_start + run.pages * PAGE_BYTES);
                (from < to).then(|| ((run.pfn << PAGE_SHIFT) + (from - run_start), to - from))
            })
    }
}

fn parse_run(content: &str) -> Option<Run> {
    let mut words = content.split_whitespace();
    let word = words.next()?;
    let pfn = u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()?;
    let pages = words.next().map_or(Some(1), |word| word.parse().ok())?;
    words.next().is_none().then_some(Run { pfn, pages })
}

/// The numbers below `count` in random order (Fisher-Yates).
fn permutation(count: u64, seed: u64) -> Vec<u64> {
    let mut rng = SplitMix64::seed_from_u64(seed);
    let mut numbers: Vec<u64> = (0..count).collect();
    for last in (1..numbers.len()).rev() {
        numbers.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        Layout::parse("buffer.layout", text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn each_bad_line_is_named_with_its_file_and_number() {
        assert!(error("# nothing\n\n").starts_with("buffer.layout, line 0: no runs"));
        assert!(
            error("0x100 2\n200 0x2\n")
                .starts_with("buffer.layout, line 2: `200 0x2` is not a run")
        );
        assert!(
            error("0x100 2 3\n").starts_with("buffer.layout, line 1: `0x100 2 3` is not a run")
        );
        assert!(error("0xzz 2\n").contains("is not a run"));
        assert!(
            error("0x100 2\n# note\n0x200 0 # empty\n")
                .starts_with("buffer.layout, line 3: a run of 0 pages")
        );
        assert!(error("0xffffffffffffffff 2\n").contains("ends past page"));
        assert!(error("0xffffffffff 2\n").contains("ends past page"));
    }

    #[test]
    fn overlaps_name_both_lines() {
        let text = "# header\n0x100 16\n0x200 1\n\n0x10f 1\n";
        assert_eq!(
            error(text),
            "buffer.layout, line 5: page 0x10f is in the run of line 2 already; a buffer has each page once"
        );
        assert!(error("7 1\n7 1\n").starts_with("buffer.layout, line 2: page 0x7"));
    }

    #[test]
    fn files_are_read_and_missing_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frame-3.layout");
        std::fs::write(&path, "0x100 2\n").unwrap();
        let layout = Layout::load(&path).unwrap();
        assert_eq!((layout.name(), layout.bytes()), ("frame-3", 8192));
        let missing = folder.path().join("none.layout");
        assert!(
            Layout::load(&missing)
                .unwrap_err()
                .to_string()
                .contains("none.layout, line 0: cannot read it")
        );
    }

    #[test]
    fn shuffled_layouts_have_each_page_once_and_in_disorder() {
        let layout = Layout::shuffled(0x10_0000, 256, 1).unwrap();
        let frames: BTreeSet<u64> = layout.frames().collect();
        assert_eq!(frames, (0x10_0000..0x10_0100).collect());
        assert!(layout.runs().len() > 200, "{} runs", layout.runs().len());
        assert_eq!(
            layout.runs(),
            Layout::shuffled(0x10_0000, 256, 1).unwrap().runs()
        );
        assert_ne!(
            layout.runs(),
            Layout::shuffled(0x10_0000, 256, 2).unwrap().runs()
        );
    }

    #[test]
    fn huge_layouts_consist_of_aligned_huge_pages() {
        let layout = Layout::huge(0x10_0001, 35, 7).unwrap();
        assert_eq!(layout.bytes(), 70 << 20);
        assert!(
            layout
                .runs()
                .iter()
                .all(|run| run.pfn % 512 == 0 && run.pages == 512 && run.pfn > 0x10_0000)
        );
    }

    #[test]
    fn synthetic_layouts_refuse_what_cannot_be() {
        assert!(matches!(
            Layout::shuffled(0x100, 0, 1).unwrap_err().problem,
            LayoutProblem::ZeroPages
        ));
        assert!(matches!(
            Layout::shuffled(u64::MAX, 1, 1).unwrap_err().problem,
            LayoutProblem::TooHigh { .. }
        ));
        assert!(matches!(
            Layout::huge(u64::MAX, u64::MAX, 1).unwrap_err().problem,
            LayoutProblem::TooHigh { .. }
        ));
    }

    proptest! {
        /// Text and back gives the same runs.
        #[test]
        fn text_round_trip(seed: u64, pages in 1u64..300) {
            let layout = Layout::shuffled(0x12_3456, pages, seed).unwrap();
            let back = Layout::parse("x", &layout.to_text("two\nlines")).unwrap();
            prop_assert_eq!(back.runs(), layout.runs());
        }

        /// No text panics, and what is accepted holds the promises of `Layout`.
        #[test]
        fn any_text_is_refused_or_sound(text in "([0-9a-fx #\n]|0x|1 |\n){0,200}") {
            if let Ok(layout) = Layout::parse("x", &text) {
                prop_assert!(layout.pages() > 0 && layout.runs().iter().all(|run| run.pages > 0));
            }
        }

        /// Pieces name exactly the bytes asked for, in order.
        #[test]
        fn pieces_cover_the_range(seed: u64, pages in 1u64..40, offset in 0u64..200_000, len in 0u64..200_000) {
            let layout = Layout::shuffled(0x10_0000, pages, seed).unwrap();
            let frames: Vec<u64> = layout.frames().collect();
            let mut at = offset;
            for (address, bytes) in layout.pieces(offset, len) {
                for byte in (0..bytes).step_by(511).chain([bytes - 1]) {
                    let frame = frames[((at + byte) / PAGE_BYTES) as usize];
                    prop_assert_eq!(address + byte, frame * PAGE_BYTES + (at + byte) % PAGE_BYTES);
                }
                at += bytes;
            }
            prop_assert_eq!(at, (offset + len).min(layout.bytes()).max(offset));
        }
    }
}
