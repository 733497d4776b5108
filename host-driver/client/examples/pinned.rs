//! What locking does to a copy, and what it does not: the measurements behind docs/faq.md.
//!
//! ```sh
//! cargo run --release --package pinring-client --example pinned            # a table
//! cargo run --release --package pinring-client --example pinned -- --json  # the same for programs
//! ```
//!
//! For buffers of 30 MB (an UHD frame) and 70 MB it times, per buffer: the copy into memory that has never been touched, the copy
//! into warm memory, the copies with source and destination locked, the locking itself (`mlock`, `VirtualLock`) of untouched and of
//! warm memory, and writing one byte per page of untouched memory, which is what an application does that warms a buffer itself.
//! Each row is a median with the lowest and the highest of the runs. Nothing here needs the driver or a card.

use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::hint::black_box;
use std::io::{Error, Result};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::{Duration, Instant};

/// Times copies from and to plain, warm and locked memory.
#[derive(Parser)]
struct Arguments {
    /// Bytes of a buffer in units of 1,000,000; may be given several times
    #[arg(long = "megabytes", value_name = "MB", default_values_t = [30, 70], value_parser = clap::value_parser!(u32).range(1..=4000))]
    megabytes: Vec<u32>,
    /// Runs of each measurement
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// What was measured, on what.
#[derive(Serialize)]
struct Report {
    cpu: String,
    os: &'static str,
    page_bytes: usize,
    runs: u32,
    measurements: Vec<Measurement>,
}

/// One row of the table.
#[derive(Serialize)]
struct Measurement {
    bytes: usize,
    what: &'static str,
    /// Why it could not be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    time: Option<Spread>,
}

/// Median and spread of the runs, in microseconds.
#[derive(Serialize)]
struct Spread {
    median_us: f64,
    lowest_us: f64,
    highest_us: f64,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
        Self {
            median_us: microseconds(times[times.len() / 2]),
            lowest_us: microseconds(times[0]),
            highest_us: microseconds(times[times.len() - 1]),
        }
    }
}

fn main() {
    let arguments = Arguments::parse();
    let mut measurements = Vec::new();
    for &megabytes in &arguments.megabytes {
        measure(
            megabytes as usize * 1_000_000,
            arguments.runs,
            &mut measurements,
        );
    }
    let report = Report {
        cpu: cpu(),
        os: std::env::consts::OS,
        page_bytes: page_bytes(),
        runs: arguments.runs,
        measurements,
    };
    if arguments.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report).expect("a report is plain data")
        );
    } else {
        print(&report);
    }
}

/// Measures every row for one size. The rows take turns, so that what else the machine does strikes all of them.
fn measure(bytes: usize, runs: u32, measurements: &mut Vec<Measurement>) {
    // A row locks two buffers at most.
    let permitted = os::permit_locks(2 * bytes);
    let mut times: Vec<Result<Vec<Duration>>> = ROWS.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..runs {
        for ((_, run), times) in ROWS.iter().zip(&mut times) {
            if let Ok(list) = times {
                match run(bytes) {
                    Ok(time) => list.push(time),
                    Err(error) => *times = Err(error),
                }
            }
        }
    }
    for (&(what, _), times) in ROWS.iter().zip(times) {
        let (time, missing) = match (times, &permitted) {
            (Ok(times), _) => (Some(Spread::of(times)), None),
            (Err(_), Err(error)) => (None, Some(error.to_string())),
            (Err(error), Ok(())) => (None, Some(error.to_string())),
        };
        measurements.push(Measurement {
            bytes,
            what,
            missing,
            time,
        });
    }
}

/// A row: what is measured, and one run of it.
type Row = (&'static str, fn(usize) -> Result<Duration>);

/// The rows, in the table's order.
const ROWS: &[Row] = &[
    ("copy, destination never touched", |bytes| {
        copy(bytes, Before::Nothing)
    }),
    ("copy, destination warm", |bytes| copy(bytes, Before::Touch)),
    ("copy, both locked", |bytes| copy(bytes, Before::Lock)),
    ("lock, never touched", |bytes| lock(bytes, Before::Nothing)),
    ("lock, warm", |bytes| lock(bytes, Before::Touch)),
    ("touch each page once", |bytes| {
        let mut buffer = Buffer::allocate(bytes)?;
        Ok(timed(|| buffer.touch()))
    }),
];

/// What happens to the memory before the clock starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Touch,
    Lock,
}

fn copy(bytes: usize, before: Before) -> Result<Duration> {
    let (mut source, mut destination) = (Buffer::allocate(bytes)?, Buffer::allocate(bytes)?);
    source.fill(0x5a);
    match before {
        Before::Nothing => {}
        Before::Touch => destination.fill(0),
        Before::Lock => {
            destination.fill(0);
            source.lock()?;
            destination.lock()?;
        }
    }
    let time =
        timed(|| black_box(destination.bytes_mut()).copy_from_slice(black_box(source.bytes())));
    assert_eq!(destination.bytes()[bytes - 1], 0x5a);
    Ok(time)
}

fn lock(bytes: usize, before: Before) -> Result<Duration> {
    let mut buffer = Buffer::allocate(bytes)?;
    if before == Before::Touch {
        buffer.fill(1);
    }
    let mut result = Ok(());
    let time = timed(|| result = buffer.lock());
    result.map(|()| time)
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Zeroed pages straight from the operating system: none has a physical page before it is touched.
struct Buffer {
    start: NonNull<u8>,
    bytes: usize,
}

impl Buffer {
    fn allocate(bytes: usize) -> Result<Self> {
        let start = NonNull::new(os::allocate(bytes)?).ok_or_else(Error::last_os_error)?;
        Ok(Self { start, bytes })
    }

    fn lock(&mut self) -> Result<()> {
        os::lock(self.start.as_ptr(), self.bytes)
    }

    /// Writes one byte of each page.
    fn touch(&mut self) {
        let page = page_bytes();
        for byte in self.bytes_mut().iter_mut().step_by(page) {
            // SAFETY: the reference is valid. Volatile, so that the writes are not left out.
            unsafe { ptr::write_volatile(byte, 1) };
        }
    }

    fn fill(&mut self, value: u8) {
        self.bytes_mut().fill(value);
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: so many zeroed bytes were allocated there, and nobody else has them.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        os::free(self.start.as_ptr(), self.bytes);
    }
}

fn print(report: &Report) {
    println!(
        "{}, {}, pages of {} bytes, median (lowest - highest) of {} runs\n",
        report.cpu, report.os, report.page_bytes, report.runs
    );
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_header(["MB", "what", "ms", "range, ms", "GB/s"]);
    for row in &report.measurements {
        let mut cells = vec![(row.bytes / 1_000_000).to_string(), row.what.into()];
        match (&row.time, &row.missing) {
            (Some(time), _) => cells.extend([
                format!("{:.2}", time.median_us / 1e3),
                format!("{:.2} - {:.2}", time.lowest_us / 1e3, time.highest_us / 1e3),
                format!("{:.1}", row.bytes as f64 / time.median_us / 1e3),
            ]),
            (None, missing) => cells.push(missing.clone().unwrap_or_default()),
        }
        table.add_row(cells);
    }
    for column in [0, 2, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}");
}

#[cfg(unix)]
mod os {
    use std::io::{Error, Result};
    use std::ptr;

    pub fn allocate(bytes: usize) -> Result<*mut u8> {
        // SAFETY: a private mapping that touches no memory of ours.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            Err(Error::last_os_error())
        } else {
            Ok(start.cast())
        }
    }

    /// The limit is the user's (`ulimit -l`); root has none.
    pub fn permit_locks(_bytes: usize) -> Result<()> {
        Ok(())
    }

    pub fn lock(start: *mut u8, bytes: usize) -> Result<()> {
        // SAFETY: locking changes no contents.
        let result = unsafe { libc::mlock(start.cast(), bytes) };
        if result == 0 {
            Ok(())
        } else {
            Err(Error::last_os_error())
        }
    }

    pub fn free(start: *mut u8, bytes: usize) {
        // SAFETY: `allocate` mapped it, and its owner is being dropped. The lock goes with the mapping.
        unsafe { libc::munmap(start.cast(), bytes) };
    }

    pub fn page_bytes() -> usize {
        // SAFETY: no memory is involved.
        let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(bytes).unwrap_or(4096)
    }

    pub fn cpu() -> Option<String> {
        let information = std::fs::read_to_string("/proc/cpuinfo").ok()?;
        let line = information
            .lines()
            .find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    }
}

#[cfg(windows)]
mod os {
    use std::io::{Error, Result};
    use std::ptr;
    use windows_sys::Win32::System::Memory::{
        MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree,
        VirtualLock,
    };
    use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, SetProcessWorkingSetSize};

    pub fn allocate(bytes: usize) -> Result<*mut u8> {
        // SAFETY: an allocation of its own.
        let start =
            unsafe { VirtualAlloc(ptr::null(), bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE) };
        if start.is_null() {
            Err(Error::last_os_error())
        } else {
            Ok(start.cast())
        }
    }

    /// VirtualLock locks no more than the working set's minimum, so that this is raised.
    pub fn permit_locks(bytes: usize) -> Result<()> {
        let least = bytes + (64 << 20);
        // SAFETY: the pseudo-handle is always valid.
        let result =
            unsafe { SetProcessWorkingSetSize(GetCurrentProcess(), least, least + (256 << 20)) };
        if result == 0 {
            Err(Error::last_os_error())
        } else {
            Ok(())
        }
    }

    pub fn lock(start: *mut u8, bytes: usize) -> Result<()> {
        // SAFETY: locking changes no contents.
        let result = unsafe { VirtualLock(start.cast(), bytes) };
        if result == 0 {
            Err(Error::last_os_error())
        } else {
            Ok(())
        }
    }

    pub fn free(start: *mut u8, _bytes: usize) {
        // SAFETY: `allocate` made it, and its owner is being dropped. The lock goes with the allocation.
        unsafe { VirtualFree(start.cast(), 0, MEM_RELEASE) };
    }

    pub fn page_bytes() -> usize {
        // SAFETY: plain data that the call fills.
        unsafe {
            let mut information: SYSTEM_INFO = std::mem::zeroed();
            GetSystemInfo(&mut information);
            information.dwPageSize as usize
        }
    }

    pub fn cpu() -> Option<String> {
        std::env::var("PROCESSOR_IDENTIFIER").ok()
    }
}

fn page_bytes() -> usize {
    os::page_bytes()
}

/// The processor's name.
fn cpu() -> String {
    os::cpu().unwrap_or_else(|| std::env::consts::ARCH.into())
}
