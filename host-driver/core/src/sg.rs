//! Scatter/gather tables in the device's format, built in host memory from the pages of a mapping.
//!
//! The pages are walked twice: once to see what the table will look like, once to write it. Nothing but the hint index is kept.

use pinring_protocol::limits::{MAX_UNIFORM_SHIFT, PAGE, PAGE_SHIFT, SG_BLOCK_BYTES};
use pinring_protocol::{SgElement, SgFormat, SgUniformElement};

use crate::hint::{HintIndex, Ranked};
use crate::{DmaHandle, DmaMemory, Mapping, PageRun, Platform, SgError};

/// What a region's table looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// How the elements are written.
    pub format: SgFormat,
    /// log2 of the page size: 12 if page-granular.
    pub page_shift: u8,
    /// Number of elements.
    pub elements: u32,
    /// Number of 4 KiB pages.
    pub pages: u32,
}

impl TableInfo {
    /// Size of the table in bytes, whole SG blocks, as the device reads it.
    pub fn bytes(&self) -> usize {
        let element = match self.format {
            SgFormat::Uniform => SgUniformElement::BYTES,
            _ => SgElement::BYTES,
        };
        (self.elements as usize * element).next_multiple_of(SG_BLOCK_BYTES)
    }
}

/// Bytes that the table of `length` bytes may need at worst, whichever pages they lie in.
pub(crate) fn worst_case_bytes(length: u64) -> usize {
    let pages = (length / PAGE as u64).saturating_add(2);
    let bytes = pages
        .saturating_mul(SgElement::BYTES as u64)
        .next_multiple_of(SG_BLOCK_BYTES as u64);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Looks at the pages of `mappings`, which follow each other, and chooses the smaller format.
pub(crate) fn survey<P: Platform>(
    platform: &mut P,
    mappings: &[Mapping],
    uniform: bool,
) -> Result<TableInfo, SgError> {
    let mut runs = Runs::new(mappings)?;
    let (mut pages, mut count) = (0u32, 0u32);
    // Pages of 2^shift fit as long as every run starts on one, in the region and on the bus.
    let mut shift = MAX_UNIFORM_SHIFT - PAGE_SHIFT;
    while let Some(run) = runs.next(platform)? {
        let aligned = |number: u64| {
            if number == 0 {
                u8::MAX
            } else {
                number.trailing_zeros() as u8
            }
        };
        shift = shift.min(aligned(run.frame)).min(aligned(pages.into()));
        pages += run.pages;
        count += 1;
    }
    let granular = TableInfo {
        format: SgFormat::PageGranular,
        page_shift: PAGE_SHIFT,
        elements: count,
        pages,
    };
    let elements = pages.div_ceil(1 << shift);
    let uniform_is_smaller = u64::from(elements) * (SgUniformElement::BYTES as u64)
        < u64::from(count) * SgElement::BYTES as u64;
    Ok(if uniform && uniform_is_smaller {
        TableInfo {
            format: SgFormat::Uniform,
            page_shift: PAGE_SHIFT + shift,
            elements,
            pages,
        }
    } else {
        granular
    })
}

/// Writes the table that `survey` chose into `memory` and returns its index; one that knows the first element alone unless `indexed`.
pub(crate) fn write<P: Platform>(
    platform: &mut P,
    mappings: &[Mapping],
    info: &TableInfo,
    memory: &DmaMemory,
    indexed: bool,
) -> Result<HintIndex, SgError> {
    let mut runs = Runs::new(mappings)?;
    let mut table = TableWriter::new(memory);
    let (mut start_page, mut elements) = (0u32, 0u32);
    let index = if info.format == SgFormat::Uniform {
        let pages_each = 1u32 << (info.page_shift - PAGE_SHIFT);
        while let Some(run) = runs.next(platform)? {
            for at in (0..run.pages).step_by(pages_each as usize) {
                let element = SgUniformElement::new()
                    .with_valid(true)
                    .with_page_frame(run.frame + u64::from(at));
                table.push(platform, &element.encode())?;
                elements += 1;
            }
            start_page += run.pages;
        }
        HintIndex::Uniform {
            shift: info.page_shift,
        }
    } else {
        let mut ranked = Ranked::new(if indexed { info.pages } else { 0 })?;
        while let Some(run) = runs.next(platform)? {
            let element = SgElement::new()
                .with_valid(true)
                .with_page_frame(run.frame)
                .with_pages(run.pages)
                .with_start_page(start_page);
            table.push(platform, &element.encode())?;
            if indexed {
                ranked.push(elements, run.pages);
            }
            start_page += run.pages;
            elements += 1;
        }
        HintIndex::Ranked(ranked)
    };
    table.finish(platform)?;
    if (start_page, elements) != (info.pages, info.elements) {
        return Err(SgError::PagesChanged);
    }
    Ok(if indexed { index } else { HintIndex::First })
}

/// Writes the table of contiguous memory: one element.
pub(crate) fn write_single<P: Platform>(
    platform: &mut P,
    memory: &DmaMemory,
    length: u64,
    table: &DmaMemory,
) -> Result<TableInfo, SgError> {
    let pages = length.div_ceil(PAGE as u64);
    let pages = u32::try_from(pages).map_err(|_| SgError::TooLarge { pages })?;
    let element = SgElement::new()
        .with_valid(true)
        .with_page_frame(memory.bus_address >> PAGE_SHIFT)
        .with_pages(pages);
    let mut writer = TableWriter::new(table);
    writer.push(platform, &element.encode())?;
    writer.finish(platform)?;
    Ok(TableInfo {
        format: SgFormat::PageGranular,
        page_shift: PAGE_SHIFT,
        elements: 1,
        pages,
    })
}

/// The pages of mappings that follow each other, neighbours merged.
struct Runs<'a> {
    mappings: &'a [Mapping],
    /// Pages of the first of `mappings` that have not come yet.
    left: u64,
    cursor: u64,
    chunk: [PageRun; 32],
    at: usize,
    filled: usize,
    /// Taken, but perhaps continued by what comes next.
    held: Option<PageRun>,
}

impl<'a> Runs<'a> {
    fn new(mappings: &'a [Mapping]) -> Result<Self, SgError> {
        let mut pages = 0u64;
        for (number, mapping) in mappings.iter().enumerate() {
            let end = u64::from(mapping.first_byte_offset).saturating_add(mapping.length);
            let (first, last) = (number == 0, number + 1 == mappings.len());
            let page = PAGE as u64;
            if mapping.length == 0
                || u64::from(mapping.first_byte_offset) >= page
                || (!first && mapping.first_byte_offset != 0)
                || (!last && end % page != 0)
            {
                return Err(SgError::Shape {
                    first_byte_offset: mapping.first_byte_offset,
                    length: mapping.length,
                });
            }
            pages = pages.saturating_add(end.div_ceil(page));
        }
        if pages > u32::MAX.into() {
            return Err(SgError::TooLarge { pages });
        }
        let left = mappings.first().map_or(0, pages_of);
        Ok(Self {
            mappings,
            left,
            cursor: 0,
            chunk: [PageRun::default(); 32],
            at: 0,
            filled: 0,
            held: None,
        })
    }

    /// The next run that does not touch the one before, on the bus.
    fn next<P: Platform>(&mut self, platform: &mut P) -> Result<Option<PageRun>, SgError> {
        loop {
            let Some(run) = self.take(platform)? else {
                return Ok(self.held.take());
            };
            match &mut self.held {
                Some(held) if held.frame + u64::from(held.pages) == run.frame => {
                    held.pages += run.pages
                }
                held => {
                    if let Some(done) = held.replace(run) {
                        return Ok(Some(done));
                    }
                }
            }
        }
    }

    /// The next run as the platform gives it, checked.
    fn take<P: Platform>(&mut self, platform: &mut P) -> Result<Option<PageRun>, SgError> {
        while let Some(mapping) = self.mappings.first() {
            if self.at == self.filled {
                self.filled = platform
                    .pages(mapping.id, &mut self.cursor, &mut self.chunk)
                    .min(self.chunk.len());
                self.at = 0;
            }
            if self.filled == 0 {
                if self.left != 0 {
                    return Err(SgError::PagesMissing { missing: self.left });
                }
                self.mappings = &self.mappings[1..];
                self.left = self.mappings.first().map_or(0, pages_of);
                self.cursor = 0;
                continue;
            }
            let run = self.chunk[self.at];
            self.at += 1;
            if run.pages == 0 || run.frame.saturating_add(run.pages.into()) > 1 << (64 - PAGE_SHIFT)
            {
                return Err(SgError::BadRun {
                    frame: run.frame,
                    pages: run.pages,
                });
            }
            self.left = self
                .left
                .checked_sub(run.pages.into())
                .ok_or(SgError::PagesTooMany)?;
            return Ok(Some(run));
        }
        Ok(None)
    }
}

fn pages_of(mapping: &Mapping) -> u64 {
    u64::from(mapping.first_byte_offset)
        .saturating_add(mapping.length)
        .div_ceil(PAGE as u64)
}

/// Collects elements into SG blocks, so that host memory is written a block at a time.
struct TableWriter {
    handle: DmaHandle,
    bytes: usize,
    written: usize,
    block: [u8; SG_BLOCK_BYTES],
    fill: usize,
}

impl TableWriter {
    fn new(memory: &DmaMemory) -> Self {
        Self {
            handle: memory.handle,
            bytes: memory.bytes,
            written: 0,
            block: [0; SG_BLOCK_BYTES],
            fill: 0,
        }
    }

    fn push<P: Platform>(&mut self, platform: &mut P, element: &[u8]) -> Result<(), SgError> {
        // Elements are 8 or 16 bytes, so that none is split between blocks.
        self.block[self.fill..self.fill + element.len()].copy_from_slice(element);
        self.fill += element.len();
        if self.fill == SG_BLOCK_BYTES {
            self.flush(platform)
        } else {
            Ok(())
        }
    }

    fn flush<P: Platform>(&mut self, platform: &mut P) -> Result<(), SgError> {
        if self.written + SG_BLOCK_BYTES > self.bytes {
            return Err(SgError::PagesChanged);
        }
        platform.dma_write(self.handle, self.written, &self.block);
        self.written += SG_BLOCK_BYTES;
        self.block = [0; SG_BLOCK_BYTES];
        self.fill = 0;
        Ok(())
    }

    fn finish<P: Platform>(&mut self, platform: &mut P) -> Result<(), SgError> {
        if self.fill == 0 {
            Ok(())
        } else {
            self.flush(platform)
        }
    }
}
