//! Region entries and scatter/gather elements: where a registered buffer's bytes are.

use crate::declare::*;
use crate::limits::{MAX_UNIFORM_SHIFT, PAGE, PAGE_SHIFT};
use crate::{DecodeError, SgFormat};

wire! {
    /// Region entry: one registered buffer, in the region table in host memory.
    pub struct RegionEntry: 64 bytes, checked by check_region {
        /// Bus address of the SG table, page-aligned.
        sg_table: u64 @ 0x00,
        /// Bytes of the region.
        length: u64 @ 0x08,
        /// Elements in the SG table.
        element_count: u32 @ 0x10,
        /// Counts the registrations of this id, so that late submissions to an earlier one are caught.
        generation: u16 @ 0x14,
        /// Where the region starts in its first page, below 4096.
        first_byte_offset: u16 @ 0x16,
        /// Protection domain: only queues of the same reach the region.
        protection_domain: u32 @ 0x18,
        /// What the device may do.
        permissions: u8 @ 0x1c {
            /// C2H: the device may write the region.
            allow_c2h: bool [0:0],
            /// H2C: the device may read the region.
            allow_h2c: bool [1:1],
        },
        /// How the SG table is written.
        format: u8 @ 0x1d as SgFormat,
        /// log2 of the page size: 12 if page-granular, 12 to 30 if uniform.
        page_shift: u8 @ 0x1e,
        /// How long the region lives.
        flags: u8 @ 0x1f {
            /// Serves one transfer: never kept on chip after it.
            one_shot: bool [0:0],
        },
        /// Attributes of the TLPs; all zero for now.
        routing: u32 @ 0x20 {
            /// Process address space id (PCIe 5.0, section 6.20).
            pasid: u32 [19:0] = 0,
            /// Traffic class (PCIe 5.0, section 2.2.6.6).
            traffic_class: u8 [22:20] = 0,
            /// Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3).
            attributes: u8 [25:23] = 0,
        },
        /// XOR of the other bytes, once a feature bit says so; zero until then.
        check_byte: u8 @ 0x3f = 0,
    }
}

fn check_region(entry: &RegionEntry) -> Result<(), DecodeError> {
    let (aligned, shift) = (
        entry.sg_table().is_multiple_of(PAGE as u64),
        entry.page_shift(),
    );
    let (shift_fits, rule) = match entry.format()? {
        SgFormat::Invalid => return Ok(()),
        SgFormat::PageGranular => (shift == PAGE_SHIFT, "page-granular pages are 2^12 bytes"),
        SgFormat::Uniform => (
            (PAGE_SHIFT..=MAX_UNIFORM_SHIFT).contains(&shift),
            "uniform pages are 2^12 to 2^30 bytes",
        ),
    };
    let end = u64::from(entry.first_byte_offset()).checked_add(entry.length());
    let rules = [
        (
            "sg_table",
            entry.sg_table(),
            aligned,
            "the SG table starts on a page",
        ),
        ("page_shift", shift.into(), shift_fits, rule),
        (
            "first_byte_offset",
            entry.first_byte_offset().into(),
            usize::from(entry.first_byte_offset()) < PAGE,
            "the region starts in its first 4 KiB",
        ),
        (
            "length",
            entry.length(),
            entry.length() != 0 && end.is_some(),
            "a region has 1 to 2^64 - 4096 bytes",
        ),
        (
            "element_count",
            entry.element_count().into(),
            entry.element_count() != 0,
            "a region has at least one element",
        ),
    ];
    match rules.into_iter().find(|(_, _, holds, _)| !holds) {
        Some((field, value, _, rule)) => Err(DecodeError::OutOfRange {
            structure: "RegionEntry",
            field,
            value,
            rule,
        }),
        None => Ok(()),
    }
}

wire! {
    /// Page-granular SG element: a run of neighbouring 4 KiB pages.
    pub struct SgElement: 16 bytes, checked by check_element {
        /// The page address, with flags in its low 12 bits.
        address: u64 @ 0x00 {
            /// The element is in use.
            valid: bool [0:0],
            /// Check bits, once a feature bit says so; zero until then.
            check_bits: u8 [11:4] = 0,
            /// Bits 63:12 of the bus address of the first page.
            page_frame: u64 [63:12],
        },
        /// Pages in the run, at least 1.
        pages: u32 @ 0x08,
        /// Number of the first page within the region.
        start_page: u32 @ 0x0c,
    }
}

fn check_element(element: &SgElement) -> Result<(), DecodeError> {
    let out_of_range = |field, value, rule| {
        Err(DecodeError::OutOfRange {
            structure: "SgElement",
            field,
            value,
            rule,
        })
    };
    let pages = u64::from(element.pages());
    if !element.valid() {
        return out_of_range("valid", 0, "an element in use is valid");
    }
    if pages == 0 {
        return out_of_range("pages", 0, "an element holds at least one page");
    }
    if u64::from(element.start_page()) + pages > 1 << 32 {
        return out_of_range(
            "start_page",
            element.start_page().into(),
            "a region has at most 2^32 pages",
        );
    }
    if element.page_frame() + pages > 1 << 52 {
        return out_of_range(
            "page_frame",
            element.page_frame(),
            "the run ends past the 64-bit bus address",
        );
    }
    Ok(())
}

wire! {
    /// Uniform SG element: one page of 2^page_shift bytes.
    pub struct SgUniformElement: 8 bytes, checked by check_uniform_element {
        /// The page address, with flags in its low 12 bits.
        address: u64 @ 0x00 {
            /// The element is in use.
            valid: bool [0:0],
            /// Check bits, once a feature bit says so; zero until then.
            check_bits: u8 [11:4] = 0,
            /// Bits 63:12 of the bus address of the page, which is aligned to its own size.
            page_frame: u64 [63:12],
        },
    }
}

fn check_uniform_element(element: &SgUniformElement) -> Result<(), DecodeError> {
    if element.valid() {
        return Ok(());
    }
    Err(DecodeError::OutOfRange {
        structure: "SgUniformElement",
        field: "valid",
        value: 0,
        rule: "an element in use is valid",
    })
}
