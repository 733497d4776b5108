//! The page layout of a real, freshly allocated buffer of this machine.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use memmap2::MmapMut;

use super::{Layout, LayoutError, PAGE_BYTES};

/// Bits of a /proc/PID/pagemap entry (Linux, Documentation/admin-guide/mm/pagemap.rst).
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const FRAME: u64 = (1 << 55) - 1;

/// Why the page layout could not be captured.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Not a size that pages can have.
    #[error(
        "a buffer of {0} bytes cannot be captured; give a multiple of {PAGE_BYTES}, at least one page"
    )]
    Size(usize),
    /// The buffer could not be allocated.
    #[error("cannot allocate {bytes} bytes: {error}; give a smaller size")]
    Allocate {
        /// Size of the buffer.
        bytes: usize,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The page map could not be read.
    #[error(
        "cannot read /proc/self/pagemap: {0}; it exists on Linux only (WSL2 included), and reading it takes root"
    )]
    Unreadable(#[from] std::io::Error),
    /// Linux hides page frame numbers from processes without CAP_SYS_ADMIN: they read as 0.
    #[error(
        "the page map shows page frame number 0 for page {page}: the kernel hides them; run as root (CAP_SYS_ADMIN)"
    )]
    NotPrivileged {
        /// Page of the buffer.
        page: usize,
    },
    /// A page is not in memory.
    #[error(
        "page {page} of the buffer was moved out of memory while it was captured; free some memory and try again"
    )]
    NotPresent {
        /// Page of the buffer.
        page: usize,
    },
    /// The page map names a page twice, or one out of range.
    #[error("the page map is not that of a private buffer: {0}")]
    Layout(#[from] LayoutError),
}

/// Page layout of a buffer of `bytes` bytes: private anonymous memory, each page touched in order, then freed again.
pub fn capture_pages(bytes: usize) -> Result<Layout, CaptureError> {
    Ok(capture(bytes)?.0)
}

/// As [`capture_pages`], for `count` buffers that exist at the same time, so that no page is in two of them.
pub fn capture_buffers(count: usize, bytes: usize) -> Result<Vec<Layout>, CaptureError> {
    let buffers = (0..count)
        .map(|_| capture(bytes))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(buffers.into_iter().map(|(layout, _)| layout).collect())
}

/// Text of a layout file for a captured buffer, with a header that says what the kernel has given.
pub fn captured_text(layout: &Layout) -> String {
    let (pages, runs) = (layout.pages(), layout.runs().len());
    let longest = layout.runs().iter().map(|run| run.pages).max().unwrap_or(0);
    let single = layout.runs().iter().filter(|run| run.pages == 1).count();
    layout.to_text(&format!(
        "Page layout of a real buffer, written by `cargo xtask capture-pages`: private anonymous memory, touched page\n\
         after page, as /proc/self/pagemap shows it. {bytes} bytes, {pages} pages of 4 KiB in {runs} runs; the longest has\n\
         {longest} pages, {single} have one. Nothing is shuffled: where runs are long, the kernel had contiguous memory to give.\n\
         Columns: page frame number (physical address / 4096, hexadecimal), pages (1 if left out).",
        bytes = layout.bytes(),
    ))
}

fn capture(bytes: usize) -> Result<(Layout, MmapMut), CaptureError> {
    if bytes == 0 || !(bytes as u64).is_multiple_of(PAGE_BYTES) {
        return Err(CaptureError::Size(bytes));
    }
    let mut buffer =
        MmapMut::map_anon(bytes).map_err(|error| CaptureError::Allocate { bytes, error })?;
    for byte in buffer.iter_mut().step_by(PAGE_BYTES as usize) {
        *byte = 1;
    }
    let first_page = buffer.as_ptr() as u64 / PAGE_BYTES;
    let mut map = File::open("/proc/self/pagemap")?;
    map.seek(SeekFrom::Start(first_page * 8))?;
    let mut entries = vec![0; bytes / PAGE_BYTES as usize * 8];
    map.read_exact(&mut entries)?;
    Ok((decode(&entries)?, buffer))
}

/// Turns page map entries into a layout.
fn decode(entries: &[u8]) -> Result<Layout, CaptureError> {
    let mut frames = Vec::with_capacity(entries.len() / 8);
    for (page, entry) in entries.as_chunks().0.iter().enumerate() {
        let entry = u64::from_le_bytes(*entry);
        if entry & PRESENT == 0 || entry & SWAPPED != 0 {
            return Err(CaptureError::NotPresent { page });
        }
        match entry & FRAME {
            0 => return Err(CaptureError::NotPrivileged { page }),
            frame => frames.push(frame),
        }
    }
    Ok(Layout::from_pages("captured", frames)?)
}

#[cfg(test)]
mod tests {
    use super::super::PageAllocator;
    use super::*;

    fn bytes(entries: &[u64]) -> Vec<u8> {
        entries
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect()
    }

    #[test]
    fn entries_become_runs() {
        let soft_dirty = 1 << 55;
        let layout = decode(&bytes(&[
            PRESENT | 0x1234,
            PRESENT | 0x1235 | soft_dirty,
            PRESENT | 0x9,
        ]))
        .unwrap();
        assert_eq!(layout.to_text(""), "1234 2\n9\n");
    }

    #[test]
    fn hidden_missing_and_double_pages_are_errors() {
        assert!(matches!(
            decode(&bytes(&[PRESENT | 1, PRESENT])),
            Err(CaptureError::NotPrivileged { page: 1 })
        ));
        assert!(matches!(
            decode(&bytes(&[PRESENT | 1, 0])),
            Err(CaptureError::NotPresent { page: 1 })
        ));
        let swapped = PRESENT | SWAPPED | 5;
        assert!(matches!(
            decode(&bytes(&[swapped])),
            Err(CaptureError::NotPresent { page: 0 })
        ));
        assert!(matches!(
            decode(&bytes(&[PRESENT | 1, PRESENT | 1])),
            Err(CaptureError::Layout(_))
        ));
    }

    #[test]
    fn sizes_must_be_whole_pages() {
        assert!(matches!(capture_pages(0), Err(CaptureError::Size(0))));
        assert!(matches!(capture_pages(4097), Err(CaptureError::Size(4097))));
    }

    /// Root gets layouts of the right size that share no page; anyone else the error that says what to do.
    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_captures_or_says_why_not() {
        match capture_buffers(2, 1 << 20) {
            Ok(layouts) => {
                let mut pages = PageAllocator::new(1 << 52);
                for layout in &layouts {
                    assert_eq!(layout.bytes(), 1 << 20);
                    pages.claim(layout).unwrap();
                }
            }
            Err(error) => assert!(
                matches!(
                    error,
                    CaptureError::NotPrivileged { .. } | CaptureError::Unreadable(_)
                ),
                "{error}"
            ),
        }
    }

    /// The captured layouts that come with the project: ten buffers of 70 MB that exist side by side.
    #[test]
    fn the_committed_layouts_are_ten_buffers_of_70_mib() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("layouts");
        let mut pages = PageAllocator::new(1 << 46);
        for index in 0..10 {
            let layout = Layout::load(&folder.join(format!("buffer-{index}.layout"))).unwrap();
            assert_eq!(layout.bytes(), 70 * 1024 * 1024, "{}", layout.name());
            pages.claim(&layout).unwrap();
        }
    }

    #[test]
    fn a_captured_file_reads_back() {
        let layout = Layout::shuffled(0x10_0000, 50, 3).unwrap();
        let text = captured_text(&layout);
        assert!(text.contains("204800 bytes, 50 pages"), "{text}");
        assert_eq!(Layout::parse("x", &text).unwrap().runs(), layout.runs());
    }
}
