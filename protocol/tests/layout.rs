//! Sizes and offsets, written down a second time by hand: a change of the wire format must be meant.

use pinring_protocol::describe::{Field, Structure};
use pinring_protocol::mailbox::{command, message};
use pinring_protocol::registers::{self, aperture};
use pinring_protocol::*;

const _: () = {
    assert!(size_of::<SubmissionEntry>() == 64);
    assert!(size_of::<AdminEntry>() == 64);
    assert!(size_of::<QueueContext>() == 48);
    assert!(size_of::<CompletionEntry>() == 32);
    assert!(size_of::<RegionEntry>() == 64);
    assert!(size_of::<SgElement>() == 16);
    assert!(size_of::<SgUniformElement>() == 8);
    assert!(size_of::<Doorbell>() == 8);
    assert!(size_of::<MsixEntry>() == 16);
    assert!(size_of::<message::Miss>() == 16);
    assert!(size_of::<command::Log>() == 16);
    assert!(align_of::<SubmissionEntry>() == 1);
};

macro_rules! offsets {
    ($structure:ty { $($name:ident: $at:literal [$high:literal:$low:literal]),+ $(,)? }) => {
        const _: () = {
            let expected = [$( (stringify!($name), $at * 8 + $low, $high - $low + 1) ),+];
            let fields = <$structure>::FIELDS;
            assert!(fields.len() == expected.len(), "a field was added or removed");
            let mut i = 0;
            while i < fields.len() {
                assert!(same(fields[i].name, expected[i].0), "a field was renamed");
                assert!(fields[i].offset == expected[i].1, "a field was moved");
                assert!(fields[i].width == expected[i].2, "a field changed its width");
                i += 1;
            }
        };
    };
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

offsets! { SubmissionEntry {
    opcode: 0x00 [7:0], flags: 0x01 [7:0], index: 0x02 [15:0], region: 0x04 [31:0], cookie: 0x08 [63:0], offset: 0x10 [63:0],
    length: 0x18 [63:0], generation: 0x20 [15:0], tdest: 0x22 [15:0], sg_hint: 0x24 [31:0], user: 0x28 [31:0],
    pasid: 0x2c [19:0], traffic_class: 0x2c [22:20], attributes: 0x2c [25:23],
} }
offsets! { CompletionEntry {
    cookie: 0x00 [63:0], timestamp: 0x08 [63:0], bytes_moved: 0x10 [47:0], status: 0x10 [63:48], user: 0x18 [31:0],
    slot: 0x1c [15:0], queue: 0x1c [27:16], eop: 0x1c [28:28], phase: 0x1c [31:31],
} }
offsets! { AdminEntry {
    opcode: 0x00 [7:0], flags: 0x01 [7:0], index: 0x02 [15:0], target: 0x04 [31:0], cookie: 0x08 [63:0], body: 0x10 [383:0],
} }
offsets! { QueueContext {
    sq_address: 0x00 [63:0], cq_address: 0x08 [63:0], sq_entries_log2: 0x10 [7:0], cq_entries_log2: 0x11 [7:0],
    direction: 0x12 [7:0], flags: 0x13 [7:0], vector: 0x14 [15:0], function: 0x16 [15:0], protection_domain: 0x18 [31:0],
    tdest_first: 0x1c [15:0], tdest_last: 0x1e [15:0], pasid: 0x20 [19:0], traffic_class: 0x20 [22:20],
    attributes: 0x20 [25:23], moderation_count: 0x28 [15:0], moderation_time: 0x2a [15:0],
} }
offsets! { RegionEntry {
    sg_table: 0x00 [63:0], length: 0x08 [63:0], element_count: 0x10 [31:0], generation: 0x14 [15:0],
    first_byte_offset: 0x16 [15:0], protection_domain: 0x18 [31:0], allow_c2h: 0x1c [0:0], allow_h2c: 0x1c [1:1],
    format: 0x1d [7:0], page_shift: 0x1e [7:0], one_shot: 0x1f [0:0], pasid: 0x20 [19:0], traffic_class: 0x20 [22:20],
    attributes: 0x20 [25:23], check_byte: 0x3f [7:0],
} }
offsets! { SgElement {
    valid: 0x00 [0:0], check_bits: 0x00 [11:4], page_frame: 0x00 [63:12], pages: 0x08 [31:0], start_page: 0x0c [31:0],
} }
offsets! { SgUniformElement { valid: 0x00 [0:0], check_bits: 0x00 [11:4], page_frame: 0x00 [63:12] } }
offsets! { Doorbell { sq_tail: 0x00 [15:0], cq_head: 0x02 [15:0], arm: 0x04 [0:0] } }
offsets! { MsixEntry { address: 0x00 [63:0], data: 0x08 [31:0], masked: 0x0c [0:0] } }
offsets! { message::Miss {
    kind: 0x00 [7:0], ctx: 0x01 [7:0], generation: 0x02 [15:0], region: 0x04 [31:0], sg_hint: 0x08 [31:0],
    valid: 0x0c [7:0], used: 0x0d [7:0], pinned: 0x0e [7:0],
} }
offsets! { message::Quiesced { kind: 0x00 [7:0], direction: 0x01 [7:0], what: 0x02 [15:0], id: 0x04 [31:0], ticket: 0x08 [7:0] } }
offsets! { command::Fill { kind: 0x00 [7:0], ctx: 0x01 [7:0], way: 0x02 [15:0] } }
offsets! { command::AdminDone {
    kind: 0x00 [7:0], status: 0x02 [15:0], cookie_low: 0x04 [31:0], cookie_high: 0x08 [31:0], ticket: 0x0c [7:0],
} }

const _: () = {
    assert!(registers::LAYOUT_HASH.offset == 0x008);
    assert!(registers::CONTROL.offset == 0x040);
    assert!(registers::STATUS.offset == 0x044);
    assert!(registers::LOG_DATA.offset == 0x0a0);
    assert!(registers::ERRORS.offset == 0x150);
    assert!(aperture::MSIX_TABLE == 0x4000 && aperture::MSIX_PBA == 0x5000);
    assert!(aperture::DOORBELLS == 0x1_0000 && aperture::DOORBELL_STRIDE == 0x1000);
};

fn structures() -> impl Iterator<Item = &'static Structure> {
    catalogue::STRUCTURES
        .iter()
        .chain(catalogue::MESSAGES)
        .chain(catalogue::COMMANDS)
}

#[test]
fn no_field_straddles_a_128_bit_word() {
    let straddles = |field: &&Field| {
        field.width <= 128 && field.offset / 128 != (field.offset + field.width - 1) / 128
    };
    for structure in structures() {
        assert_eq!(
            structure
                .fields
                .iter()
                .find(straddles)
                .map(|field| field.name),
            None,
            "{}",
            structure.name
        );
    }
}

#[test]
fn catalogue_is_complete_and_without_doubles() {
    let count = structures().count();
    assert_eq!(
        count,
        9 + mailbox::MessageKind::ALL.len() + mailbox::CommandKind::ALL.len()
    );
    let mut names: Vec<_> = structures()
        .map(|structure| (structure.group, structure.name))
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for set in catalogue::CODES {
        let mut values: Vec<_> = set.codes.iter().map(|code| code.value).collect();
        values.dedup();
        assert_eq!(
            values.len(),
            set.codes.len(),
            "{} has a value twice",
            set.name
        );
    }
    let known = |of: &str| {
        catalogue::CODES.iter().any(|set| set.name == of) || structures().any(|s| s.name == of)
    };
    for field in structures().flat_map(|structure| structure.fields) {
        let linked = field.of.is_none_or(|of| known(of) || of == "ContextId");
        assert!(
            linked,
            "{} names {:?}, which is not in the catalogue",
            field.name, field.of
        );
    }
}

#[test]
fn bytes_are_where_a_hex_dump_shows_them() {
    let entry = CompletionEntry::new()
        .with_cookie(0x0807_0605_0403_0201)
        .with_bytes_moved(0x1615_1413_1211)
        .with_status(Status::BadRegion)
        .with_slot(0x1d1c)
        .with_queue(0xabc)
        .with_eop(true)
        .with_phase(true);
    let bytes = entry.encode();
    assert_eq!(bytes[0..8], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(
        bytes[0x10..0x18],
        [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 4, 0]
    );
    assert_eq!(bytes[0x1c..], [0x1c, 0x1d, 0xbc, 0x9a]);
    assert_eq!(registers::DeviceStatus::new().with_fatal(true).raw(), 0x10);
    assert_eq!(
        registers::Version::new().with_major(1).with_patch(2).raw(),
        0x0100_0002
    );
    assert_eq!(MAGIC.to_le_bytes(), *b"PRNG");
}
