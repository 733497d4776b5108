//! Round trips, and bytes from a hostile other side: no decoder panics, and what is invalid is a typed error.

use pinring_protocol::mailbox::{Command, ContextId, Message, Quiesce};
use pinring_protocol::*;
use proptest::prelude::*;

/// Each decoder on any bytes: it accepts exactly what its reserved bits, codes and rules allow, and what it accepts encodes back to
/// the same bytes; entries with a single reserved bit set are refused by name.
macro_rules! hostile {
    ($($test:ident: $structure:ident),+ $(,)?) => { $(
        proptest! {
            #[test]
            fn $test(mut bytes in proptest::collection::vec(any::<u8>(), $structure::BYTES), clear in any::<bool>(), extra in 1usize..9) {
                if clear {
                    for (word, reserved) in bytes.chunks_exact_mut(8).zip($structure::RESERVED) {
                        word.iter_mut().zip(reserved.to_le_bytes()).for_each(|(byte, mask)| *byte &= !mask);
                    }
                }
                let set: u64 = bytes.chunks_exact(8).zip($structure::RESERVED)
                    .map(|(word, mask)| u64::from_le_bytes(word.try_into().unwrap()) & mask).fold(0, |a, b| a | b);
                match $structure::decode(&bytes) {
                    Ok(entry) => {
                        prop_assert_eq!(set, 0);
                        prop_assert_eq!(&entry.encode()[..], &bytes[..]);
                        prop_assert_eq!($structure::from_words(entry.to_words()), entry);
                    }
                    Err(error) => {
                        prop_assert_eq!(set != 0, matches!(error, DecodeError::Reserved { structure: stringify!($structure), .. })
                            && !matches!(error, DecodeError::Reserved { offset, .. } if stringify!($structure) == "AdminEntry" && offset >= 16));
                        prop_assert!(!error.to_string().is_empty());
                    }
                }
                bytes.truncate($structure::BYTES - extra.min($structure::BYTES));
                let found = bytes.len();
                prop_assert_eq!($structure::decode(&bytes), Err(DecodeError::Length {
                    structure: stringify!($structure), expected: $structure::BYTES, found,
                }));
            }
        }
    )+ };
}

hostile! {
    submission_survives: SubmissionEntry,
    completion_survives: CompletionEntry,
    context_survives: QueueContext,
    admin_survives: AdminEntry,
    region_survives: RegionEntry,
    element_survives: SgElement,
    uniform_element_survives: SgUniformElement,
    doorbell_survives: Doorbell,
    msix_survives: MsixEntry,
}

/// Every reserved bit of a valid entry, set alone, is refused with its place.
fn refuses_each_reserved_bit<const N: usize, const W: usize>(
    valid: [u8; N],
    reserved: [u64; W],
    decode: impl Fn(&[u8]) -> Result<(), DecodeError>,
) {
    assert_eq!(decode(&valid), Ok(()));
    for bit in (0..N * 8).filter(|bit| reserved[bit / 64] >> (bit % 64) & 1 == 1) {
        let mut bytes = valid;
        bytes[bit / 8] |= 1 << (bit % 8);
        match decode(&bytes) {
            Err(DecodeError::Reserved { offset, bits, .. }) => {
                assert_eq!((offset, bits), (bit / 64 * 8, 1 << (bit % 64)));
            }
            other => panic!("bit {bit}: {other:?}"),
        }
    }
}

fn transfer() -> SubmissionEntry {
    SubmissionEntry::new()
        .with_opcode(Opcode::C2h)
        .with_length(1)
}

fn context() -> QueueContext {
    QueueContext::new()
        .with_sq_entries_log2(6)
        .with_cq_entries_log2(6)
        .with_sq_address(0x1000)
        .with_cq_address(0x2000)
}

fn region() -> RegionEntry {
    RegionEntry::new()
        .with_sg_table(0x1000)
        .with_length(1)
        .with_element_count(1)
        .with_format(SgFormat::PageGranular)
        .with_page_shift(12)
}

fn element() -> SgElement {
    SgElement::new().with_valid(true).with_pages(1)
}

#[test]
fn reserved_bits_are_refused_one_by_one() {
    refuses_each_reserved_bit(transfer().encode(), SubmissionEntry::RESERVED, |b| {
        SubmissionEntry::decode(b).map(drop)
    });
    refuses_each_reserved_bit(context().encode(), QueueContext::RESERVED, |b| {
        QueueContext::decode(b).map(drop)
    });
    refuses_each_reserved_bit(region().encode(), RegionEntry::RESERVED, |b| {
        RegionEntry::decode(b).map(drop)
    });
    refuses_each_reserved_bit(element().encode(), SgElement::RESERVED, |b| {
        SgElement::decode(b).map(drop)
    });
    refuses_each_reserved_bit([0; 32], CompletionEntry::RESERVED, |b| {
        CompletionEntry::decode(b).map(drop)
    });
    assert_eq!(SubmissionEntry::RESERVED[0], 0xff00);
    assert_eq!(SubmissionEntry::RESERVED[6..], [u64::MAX; 2]);
    assert_eq!(SgElement::RESERVED[0], 0xffe);
}

fn broken_field(result: Result<(), DecodeError>) -> Option<&'static str> {
    match result {
        Err(DecodeError::OutOfRange { field, .. } | DecodeError::UnknownCode { field, .. }) => {
            Some(field)
        }
        _ => None,
    }
}

#[test]
fn submission_rules() {
    let mut bytes = transfer().encode();
    bytes[0] = 4;
    let error = DecodeError::UnknownCode {
        structure: "SubmissionEntry",
        field: "opcode",
        value: 4,
    };
    assert_eq!(SubmissionEntry::decode(&bytes), Err(error));
    assert_eq!(
        broken_field(transfer().with_length(0).check()),
        Some("length")
    );
    assert_eq!(transfer().with_offset(u64::MAX - 1).check(), Ok(()));
    assert_eq!(
        broken_field(transfer().with_offset(u64::MAX).check()),
        Some("length")
    );
    assert_eq!(
        SubmissionEntry::new().with_opcode(Opcode::Fence).check(),
        Ok(())
    );
}

#[test]
fn context_rules() {
    assert_eq!(
        broken_field(context().with_sq_address(0x1008).check()),
        Some("sq_address")
    );
    assert_eq!(
        broken_field(context().with_cq_address(0x1008).check()),
        Some("cq_address")
    );
    assert_eq!(
        broken_field(context().with_sq_entries_log2(0).check()),
        Some("sq_entries_log2")
    );
    assert_eq!(
        broken_field(context().with_sq_entries_log2(16).check()),
        Some("sq_entries_log2")
    );
    assert_eq!(
        broken_field(context().with_cq_entries_log2(255).check()),
        Some("cq_entries_log2")
    );
    assert_eq!(
        broken_field(context().with_vector(16).check()),
        Some("vector")
    );
    assert_eq!(
        broken_field(context().with_tdest_first(1).check()),
        Some("tdest_last")
    );
    for (count, time, broken) in [
        (0, 0, None),
        (1, 0, None),
        (2, 0, Some("moderation_time")),
        (u16::MAX, 1, None),
        (0, u16::MAX, None),
    ] {
        let moderated = context()
            .with_moderation_count(count)
            .with_moderation_time(time);
        assert_eq!(broken_field(moderated.check()), broken, "{count}, {time}");
    }
    let mut bytes = context().encode();
    bytes[0x12] = 2;
    assert_eq!(
        broken_field(QueueContext::decode(&bytes).map(drop)),
        Some("direction")
    );
}

#[test]
fn admin_rules() {
    let create = AdminEntry::new()
        .with_opcode(AdminOpcode::CreateQueue)
        .with_target(1)
        .with_body(context());
    assert_eq!(create.body(), context());
    assert_eq!(create.check(), Ok(()));
    assert_eq!(broken_field(create.with_target(16).check()), Some("target"));
    assert_eq!(
        broken_field(create.with_body(context().with_vector(99)).check()),
        Some("vector")
    );
    let invalidate = create.with_opcode(AdminOpcode::InvalidateRegion);
    assert!(matches!(
        invalidate.check(),
        Err(DecodeError::Reserved {
            structure: "AdminEntry",
            offset: 0x10,
            ..
        })
    ));
    assert_eq!(
        invalidate
            .with_body(QueueContext::new())
            .with_target(65535)
            .check(),
        Ok(())
    );
    assert_eq!(broken_field(AdminEntry::new().check()), Some("opcode"));
}

#[test]
fn region_rules() {
    assert_eq!(
        broken_field(region().with_sg_table(8).check()),
        Some("sg_table")
    );
    assert_eq!(
        broken_field(region().with_page_shift(13).check()),
        Some("page_shift")
    );
    assert_eq!(
        broken_field(region().with_first_byte_offset(4096).check()),
        Some("first_byte_offset")
    );
    assert_eq!(
        broken_field(region().with_length(0).check()),
        Some("length")
    );
    assert_eq!(
        broken_field(
            region()
                .with_first_byte_offset(1)
                .with_length(u64::MAX)
                .check()
        ),
        Some("length")
    );
    assert_eq!(
        broken_field(region().with_element_count(0).check()),
        Some("element_count")
    );
    let uniform = region().with_format(SgFormat::Uniform);
    for (shift, fits) in [
        (11, false),
        (12, true),
        (30, true),
        (31, false),
        (255, false),
    ] {
        assert_eq!(
            uniform.with_page_shift(shift).check().is_ok(),
            fits,
            "2^{shift}"
        );
    }
    let mut bytes = region().encode();
    bytes[0x1d] = 3;
    assert_eq!(
        broken_field(RegionEntry::decode(&bytes).map(drop)),
        Some("format")
    );
    assert_eq!(
        RegionEntry::new().check(),
        Ok(()),
        "an unused entry is all zero"
    );
}

#[test]
fn element_rules() {
    assert_eq!(
        broken_field(element().with_valid(false).check()),
        Some("valid")
    );
    assert_eq!(broken_field(element().with_pages(0).check()), Some("pages"));
    assert_eq!(element().with_start_page(u32::MAX).check(), Ok(()));
    assert_eq!(
        broken_field(element().with_start_page(u32::MAX).with_pages(2).check()),
        Some("start_page")
    );
    let last = (1 << 52) - 1;
    assert_eq!(element().with_page_frame(last).check(), Ok(()));
    assert_eq!(
        broken_field(element().with_page_frame(last).with_pages(2).check()),
        Some("page_frame")
    );
    assert_eq!(broken_field(SgUniformElement::new().check()), Some("valid"));
    assert_eq!(SgUniformElement::new().with_valid(true).check(), Ok(()));
}

#[test]
fn completion_status_must_be_known() {
    let mut bytes = [0; 32];
    for status in 0..=u16::MAX {
        bytes[0x16..0x18].copy_from_slice(&status.to_le_bytes());
        let known = Status::from_code(status.into());
        assert_eq!(CompletionEntry::decode(&bytes).is_ok(), known.is_some());
        assert_eq!(known.is_some(), matches!(status, 0..=20 | 32..=34 | 48));
    }
}

proptest! {
    #[test]
    fn submission_round_trip(
        index: u16, region: u32, cookie: u64, offset in 0..u64::MAX / 2, length in 1..u64::MAX / 2, generation: u16, tdest: u16,
        sg_hint: u32, user: u32,
    ) {
        let entry = SubmissionEntry::new().with_opcode(Opcode::H2c).with_index(index).with_region(region).with_cookie(cookie)
            .with_offset(offset).with_length(length).with_generation(generation).with_tdest(tdest).with_sg_hint(sg_hint)
            .with_user(user);
        let read = SubmissionEntry::decode(&entry.encode())?;
        prop_assert_eq!(read.opcode()?, Opcode::H2c);
        prop_assert_eq!((read.index(), read.region(), read.cookie()), (index, region, cookie));
        prop_assert_eq!((read.offset(), read.length(), read.generation()), (offset, length, generation));
        prop_assert_eq!((read.tdest(), read.sg_hint(), read.user()), (tdest, sg_hint, user));
    }

    #[test]
    fn completion_round_trip(
        cookie: u64, timestamp: u64, bytes in 0u64..1 << 48, status in 0usize..24, user: u32, slot: u16, queue in 0u16..1 << 12,
        eop: bool, phase: bool,
    ) {
        let status = Status::ALL[status];
        let entry = CompletionEntry::new().with_cookie(cookie).with_timestamp(timestamp).with_bytes_moved(bytes).with_status(status)
            .with_user(user).with_slot(slot).with_queue(queue).with_eop(eop).with_phase(phase);
        let read = CompletionEntry::decode(&entry.encode())?;
        prop_assert_eq!((read.cookie(), read.timestamp(), read.bytes_moved()), (cookie, timestamp, bytes));
        prop_assert_eq!((read.status()?, read.user(), read.slot()), (status, user, slot));
        prop_assert_eq!((read.queue(), read.eop(), read.phase()), (queue, eop, phase));
    }

    /// A field takes its own bits and leaves every other alone, whatever stood there before.
    #[test]
    fn setters_touch_only_their_field(words: [u32; 4], frame in 0u64..1 << 52, wide: u16) {
        let before = SgElement::from_words(words);
        let after = before.with_page_frame(frame);
        prop_assert_eq!(after.page_frame(), frame);
        prop_assert_eq!((after.valid(), after.pages(), after.start_page()), (before.valid(), before.pages(), before.start_page()));
        prop_assert_eq!(after.with_page_frame(before.page_frame()), before);
        let tag = CompletionEntry::new().with_queue(wide);
        prop_assert_eq!((tag.queue(), tag.eop(), tag.slot()), (wide & 0xfff, false, 0));
    }

    #[test]
    fn mailbox_survives(words: [u32; 4], kind in 0u32..16, clear: bool) {
        let mut words = words;
        words[0] = words[0] & !0xff | kind;
        if clear {
            words = [words[0] & 0x0003_1fff, words[1] & 0xf, words[2], 0];
        }
        if let Ok(message) = Message::decode(words) {
            prop_assert_eq!(message.encode(), words);
        }
        if let Ok(command) = Command::decode(words) {
            prop_assert_eq!(command.encode(), words);
        }
    }
}

fn ctx() -> ContextId {
    ContextId::new(Direction::H2c, 3).expect("context 3")
}

#[test]
fn every_message_round_trips_to_the_documented_words() {
    let table = [
        (
            Message::Miss {
                ctx: ctx(),
                generation: 9,
                region: 5,
                sg_hint: 2,
                valid: 0xf,
                used: 4,
                pinned: 8,
            },
            [0x0009_1301, 5, 2, 0x0008_040f],
        ),
        (
            Message::Admin {
                exists: 1,
                ticket: 0xfe,
            },
            [0x0105, 0, 0xfe, 0],
        ),
        (
            Message::Quiesced {
                direction: Direction::H2c,
                what: Quiesce::Queue,
                id: 4,
                ticket: 7,
            },
            [0x0001_0106, 4, 7, 0],
        ),
    ];
    for (message, words) in table {
        assert_eq!(message.encode(), words);
        assert_eq!(Message::decode(words), Ok(message));
    }
    assert_eq!(table.len(), mailbox::MessageKind::ALL.len());
}

#[test]
fn every_command_round_trips_to_the_documented_words() {
    let table = [
        (Command::Fill { ctx: ctx(), way: 3 }, [0x0003_1301, 0, 0, 0]),
        (
            Command::Fill {
                ctx: ctx(),
                way: mailbox::NOT_KEPT,
            },
            [0xffff_1301, 0, 0, 0],
        ),
        (
            Command::Reject {
                ctx: ctx(),
                status: Status::BadRegion,
            },
            [0x0004_1302, 0, 0, 0],
        ),
        (
            Command::Queue {
                queue: 2,
                word: 5,
                low: 1,
                high: 2,
            },
            [0x0005_0204, 1, 2, 0],
        ),
        (Command::Enable { queue: 15 }, [0x0f05, 0, 0, 0]),
        (Command::Disable { queue: 1 }, [0x0106, 0, 0, 0]),
        (
            Command::AbortRegion {
                region: 65535,
                ticket: 9,
            },
            [7, 65535, 9, 0],
        ),
        (
            Command::AdminDone {
                status: Status::QueueExists,
                cookie_low: 1,
                cookie_high: 2,
                ticket: 3,
            },
            [0x0021_0008, 1, 2, 3],
        ),
        (
            Command::Heartbeat {
                state: FirmwareState::Running,
                detail: 9,
            },
            [9, 1, 9, 0],
        ),
        (
            Command::Log {
                count: 12,
                bytes0: 1,
                bytes1: 2,
                bytes2: 3,
            },
            [0x000c_000a, 1, 2, 3],
        ),
        (
            Command::AbortQueue {
                queue: 3,
                ticket: 5,
            },
            [0x030b, 0, 5, 0],
        ),
    ];
    for (command, words) in table {
        assert_eq!(command.encode(), words);
        assert_eq!(Command::decode(words), Ok(command));
    }
    let kinds: std::collections::BTreeSet<u32> =
        table.iter().map(|(_, words)| words[0] & 0xff).collect();
    assert_eq!(kinds.len(), mailbox::CommandKind::ALL.len());
}

#[test]
fn mailbox_refuses_what_is_out_of_range() {
    let unknown = |structure, value| DecodeError::UnknownCode {
        structure,
        field: "kind",
        value,
    };
    assert_eq!(Message::decode([0, 0, 0, 0]), Err(unknown("Message", 0)));
    assert_eq!(Command::decode([12, 0, 0, 0]), Err(unknown("Command", 12)));
    let field = |words| broken_field(Command::decode(words).map(drop));
    assert_eq!(field([0x0004_0001, 0, 0, 0]), Some("way"));
    assert_eq!(field([0xfffe_0001, 0, 0, 0]), Some("way"));
    assert_eq!(field([0x0006_0004, 0, 0, 0]), Some("word"));
    for kind in [4, 5, 6, 11] {
        assert_eq!(field([0x1000 | kind, 0, 0, 0]), Some("queue"));
    }
    assert_eq!(
        broken_field(Message::decode([0x0206, 0, 0, 0]).map(drop)),
        Some("direction")
    );
    assert_eq!(field([0x0000_000a, 0, 0, 0]), Some("count"));
    assert_eq!(field([0x000d_000a, 0, 0, 0]), Some("count"));
    assert_eq!(field([0x0015_0002, 0, 0, 0]), Some("status"));
    assert_eq!(field([9, 5, 0, 0]), Some("state"));
    assert_eq!(
        broken_field(Message::decode([0x0002_0006, 0, 0, 0]).map(drop)),
        Some("what")
    );
    assert!(matches!(
        Message::decode([0x0005, 1, 0, 0]),
        Err(DecodeError::Reserved {
            structure: "Admin",
            ..
        })
    ));
}

#[test]
fn context_ids_hold_direction_index_and_sequence() {
    assert_eq!(
        (
            ctx().direction(),
            ctx().index(),
            ctx().number(),
            ctx().sequence()
        ),
        (Direction::H2c, 3, 0x13, 0)
    );
    assert_eq!(ContextId::new(Direction::C2h, 16), None);
    for code in 0..=0xff {
        let id = ContextId::from_code(code).expect("any byte is an id");
        assert_eq!(id.code(), code);
        assert!(id.number() < ContextId::COUNT && id.index() < pinring_protocol::limits::CONTEXTS);
        assert_eq!(u64::from(id.sequence()), code >> 5);
    }
}
