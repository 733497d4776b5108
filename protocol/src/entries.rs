//! Entries of the submission, completion and admin rings, and the queue context that an admin entry carries.

use crate::declare::*;
use crate::limits::{MAX_RING_LOG2, PAGE, QUEUES, VECTORS};
use crate::{AdminOpcode, DecodeError, Direction, Opcode, Status};

wire! {
    /// Submission entry: one transfer between a region and the user stream.
    pub struct SubmissionEntry: 64 bytes, checked by check_submission {
        /// What to do.
        opcode: u8 @ 0x00 as Opcode,
        /// No flags are defined yet.
        flags: u8 @ 0x01 = 0,
        /// Free-running ring index of this entry: the low bits are the slot, the higher bits the phase. The device completes the entry
        /// with BAD_INDEX when it is not the index that it fetched.
        index: u16 @ 0x02,
        /// Region id.
        region: u32 @ 0x04,
        /// Returned in the completion entry, of no meaning to the device.
        cookie: u64 @ 0x08,
        /// First byte, counted from the start of the region.
        offset: u64 @ 0x10,
        /// Bytes to move.
        length: u64 @ 0x18,
        /// Generation of the region that the submitter means.
        generation: u16 @ 0x20,
        /// TDEST of the user stream; within the queue's range.
        tdest: u16 @ 0x22,
        /// Index of the SG element that holds the first byte.
        sg_hint: u32 @ 0x24,
        /// Returned in the completion entry; user metadata.
        user: u32 @ 0x28,
        /// Attributes of the TLPs; all zero for now.
        routing: u32 @ 0x2c {
            /// Process address space id (PCIe 5.0, section 6.20).
            pasid: u32 [19:0] = 0,
            /// Traffic class (PCIe 5.0, section 2.2.6.6).
            traffic_class: u8 [22:20] = 0,
            /// Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3).
            attributes: u8 [25:23] = 0,
        },
    }
}

fn check_submission(entry: &SubmissionEntry) -> Result<(), DecodeError> {
    if !matches!(entry.opcode()?, Opcode::C2h | Opcode::H2c) {
        return Ok(());
    }
    let out_of_range = |field, value, rule| {
        Err(DecodeError::OutOfRange {
            structure: "SubmissionEntry",
            field,
            value,
            rule,
        })
    };
    if entry.length() == 0 {
        return out_of_range("length", 0, "a transfer moves at least one byte");
    }
    if entry.offset().checked_add(entry.length()).is_none() {
        return out_of_range(
            "length",
            entry.length(),
            "offset plus length must stay below 2^64",
        );
    }
    Ok(())
}

wire! {
    /// Completion entry: written by the device as one TLP, behind the transfer's data.
    pub struct CompletionEntry: 32 bytes {
        /// The submission entry's cookie.
        cookie: u64 @ 0x00,
        /// Device clock cycles when the entry was made.
        timestamp: u64 @ 0x08,
        /// How much, and how it ended.
        result: u64 @ 0x10 {
            /// Bytes moved.
            bytes_moved: u64 [47:0],
            /// How the transfer ended.
            status: u16 [63:48] as Status,
        },
        /// The submission entry's user metadata.
        user: u32 @ 0x18,
        /// What the host looks at first; the phase is in the last dword, so that it is visible last.
        tag: u32 @ 0x1c {
            /// Ring index of the submission entry: the driver's state is keyed by it.
            slot: u16 [15:0],
            /// Queue id.
            queue: u16 [27:16],
            /// C2H: the transfer ended with the packet's TLAST.
            eop: bool [28:28],
            /// 1 on the first lap of the ring, then the inverse on each lap; the ring is zeroed at the start.
            phase: bool [31:31],
        },
    }
}

wire! {
    /// Queue context: what the kernel driver says about a queue when it creates it.
    pub struct QueueContext: 48 bytes, checked by check_context {
        /// Bus address of the submission ring, page-aligned.
        sq_address: u64 @ 0x00,
        /// Bus address of the completion ring, page-aligned.
        cq_address: u64 @ 0x08,
        /// log2 of the submission ring's entries.
        sq_entries_log2: u8 @ 0x10,
        /// log2 of the completion ring's entries.
        cq_entries_log2: u8 @ 0x11,
        /// Direction of every transfer of the queue.
        direction: u8 @ 0x12 as Direction,
        /// No flags are defined yet.
        flags: u8 @ 0x13 = 0,
        /// MSI-X vector.
        vector: u16 @ 0x14,
        /// PCIe function that the queue belongs to; zero for now.
        function: u16 @ 0x16 = 0,
        /// Protection domain: the queue reaches only regions of the same.
        protection_domain: u32 @ 0x18,
        /// Lowest TDEST that entries may name.
        tdest_first: u16 @ 0x1c,
        /// Highest TDEST that entries may name.
        tdest_last: u16 @ 0x1e,
        /// Attributes of the queue's TLPs; all zero for now.
        routing: u32 @ 0x20 {
            /// Process address space id (PCIe 5.0, section 6.20).
            pasid: u32 [19:0] = 0,
            /// Traffic class (PCIe 5.0, section 2.2.6.6).
            traffic_class: u8 [22:20] = 0,
            /// Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 ID-based ordering (PCIe 5.0, section 2.2.6.3).
            attributes: u8 [25:23] = 0,
        },
        /// Interrupt moderation: an armed queue's vector fires when this many completion entries lie behind the armed head (compare
        /// NVMe 2.0, section 5.27.1.5, interrupt coalescing). 0 and 1: with each.
        moderation_count: u16 @ 0x28,
        /// Interrupt moderation: the vector of an armed queue with fewer entries behind its head than `moderation_count` fires when it
        /// has been so for this long, in units of 16 device clock cycles. Not zero if `moderation_count` is above 1.
        moderation_time: u16 @ 0x2a,
    }
}

fn check_context(context: &QueueContext) -> Result<(), DecodeError> {
    let page = PAGE as u64;
    let ring = 1..=MAX_RING_LOG2;
    let rules = [
        (
            "sq_address",
            context.sq_address(),
            context.sq_address().is_multiple_of(page),
            "a ring starts on a page",
        ),
        (
            "cq_address",
            context.cq_address(),
            context.cq_address().is_multiple_of(page),
            "a ring starts on a page",
        ),
        (
            "sq_entries_log2",
            context.sq_entries_log2().into(),
            ring.contains(&context.sq_entries_log2()),
            "a ring has 2^1 to 2^15 entries",
        ),
        (
            "cq_entries_log2",
            context.cq_entries_log2().into(),
            ring.contains(&context.cq_entries_log2()),
            "a ring has 2^1 to 2^15 entries",
        ),
        (
            "vector",
            context.vector().into(),
            usize::from(context.vector()) < VECTORS,
            "a device has at most 16 vectors",
        ),
        (
            "tdest_last",
            context.tdest_last().into(),
            context.tdest_first() <= context.tdest_last(),
            "it must not be below tdest_first",
        ),
        (
            "moderation_time",
            context.moderation_time().into(),
            context.moderation_count() <= 1 || context.moderation_time() != 0,
            "with a moderation_count above 1 it must not be zero, or the last entries of a burst wake nobody",
        ),
    ];
    match rules.into_iter().find(|(_, _, holds, _)| !holds) {
        Some((field, value, _, rule)) => Err(DecodeError::OutOfRange {
            structure: "QueueContext",
            field,
            value,
            rule,
        }),
        None => Ok(()),
    }
}

wire! {
    /// Admin entry: a command of the kernel driver, on the admin queue. Its completion is a completion entry.
    pub struct AdminEntry: 64 bytes, checked by check_admin {
        /// What to do.
        opcode: u8 @ 0x00 as AdminOpcode,
        /// No flags are defined yet.
        flags: u8 @ 0x01 = 0,
        /// Free-running ring index of this entry, as in a submission entry.
        index: u16 @ 0x02,
        /// The queue or the region that is meant.
        target: u32 @ 0x04,
        /// Returned in the completion entry.
        cookie: u64 @ 0x08,
    } nested {
        /// The queue context, for CREATE_QUEUE; zero otherwise.
        body: QueueContext @ 0x10,
    }
}

fn check_admin(entry: &AdminEntry) -> Result<(), DecodeError> {
    match entry.opcode()? {
        AdminOpcode::CreateQueue => entry.body().check()?,
        _ => {
            if let Some(word) = entry.body().words.iter().position(|word| word.get() != 0) {
                let bits = entry.body().words[word].get();
                return Err(DecodeError::Reserved {
                    structure: "AdminEntry",
                    offset: 0x10 + word * 8,
                    bits,
                });
            }
        }
    }
    let target = entry.target();
    if matches!(
        entry.opcode()?,
        AdminOpcode::CreateQueue | AdminOpcode::DestroyQueue
    ) && target as usize >= QUEUES
    {
        return Err(DecodeError::OutOfRange {
            structure: "AdminEntry",
            field: "target",
            value: target.into(),
            rule: "a device has at most 16 queues",
        });
    }
    Ok(())
}
