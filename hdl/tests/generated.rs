//! Every generated decode and encode block against the structures of `pinring_protocol`, natively and under Verilator.
//!
//! The blocks hold bit positions as literals; a position that moves in the gateware alone makes a test here fail.

use pinring_hdl::generated::{commands, messages, structures};
use pinring_protocol::catalogue::{CODES, COMMANDS, MESSAGES, STRUCTURES};
use pinring_protocol::describe::{Field, Structure};
use pinring_verilator::equivalence::{Error, Pair};
use pinring_verilator::ports;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rust_hdl::prelude::Block;

/// Random words that each block is given.
const WORDS: usize = 60;

/// Bits of the gateware's words.
const WORD: usize = 128;

/// One word of a structure, as the protocol has it.
struct Word {
    structure: &'static Structure,
    number: usize,
    random: StdRng,
}

impl Word {
    fn find(structures: &'static [Structure], name: &str, number: usize) -> Self {
        let structure = structures.iter().find(|structure| structure.name == name);
        Self {
            structure: structure.expect("a structure's name"),
            number,
            random: StdRng::seed_from_u64(number as u64),
        }
    }

    /// Bits of the word: less than 128 at the end of a short structure.
    fn bits(&self) -> usize {
        (self.structure.bytes * 8 - self.number * WORD).min(WORD)
    }

    /// The fields in this word.
    fn fields(&self) -> Vec<&'static Field> {
        let here = |field: &&Field| field.offset / WORD == self.number;
        self.structure.fields.iter().filter(here).collect()
    }

    /// Checks that `ports` are `fields`; a name that Verilog keeps for itself has `_id` at its end.
    fn same_names(&self, fields: &[&Field], ports: &[&str]) {
        let bare = |name: &str| name.trim_end_matches("_id").to_owned();
        let names = |names: Vec<&str>| names.into_iter().map(bare).collect::<Vec<_>>();
        let fields = fields.iter().map(|field| field.name).collect();
        assert_eq!(
            names(ports.to_vec()),
            names(fields),
            "{}",
            self.structure.name
        );
    }

    /// Random bits; now and then a single one, so that a position shows.
    fn draw(&mut self, bits: usize) -> u128 {
        let mask = u128::MAX >> (128 - bits);
        match self.random.random_range(0..3) {
            0 => 1 << self.random.random_range(0..bits),
            _ => self.random.random::<u128>() & mask,
        }
    }

    fn decode<U: Block>(mut self, mut dut: Pair<U>, ports: &[&str]) -> Result<(), Error> {
        let fields = self.fields();
        self.same_names(&fields, ports);
        for _ in 0..WORDS {
            let raw = self.draw(self.bits());
            dut.set_wide("raw", &words(raw)[..self.bits() / 32])?;
            let mut owned = 0;
            for (field, port) in fields.iter().zip(ports) {
                assert_eq!(
                    u128::from(dut.get(port)?),
                    take(raw, field),
                    "{raw:#x} {port}"
                );
                if !field.must_be_zero {
                    owned |= place(u128::MAX, field);
                }
            }
            assert_eq!(dut.is("reserved")?, raw & !owned != 0, "{raw:#x}");
        }
        Ok(())
    }

    fn encode<U: Block>(mut self, mut dut: Pair<U>, ports: &[&str]) -> Result<(), Error> {
        // The kind of a mailbox entry is fixed by the block, and what must be zero is no input of it.
        let fields = self.fields();
        let (inputs, fixed): (Vec<_>, Vec<_>) = fields
            .into_iter()
            .partition(|field| !field.must_be_zero && field.name != "kind");
        self.same_names(&inputs, ports);
        let kinds = CODES
            .iter()
            .find(|set| set.name == "MessageKind")
            .expect("the kinds of messages");
        let kind = kinds
            .codes
            .iter()
            .find(|code| code.name == self.structure.name);
        for _ in 0..WORDS {
            let mut expected = 0;
            for field in fixed.iter().filter(|field| field.name == "kind") {
                expected |= place(kind.expect("a message's kind").value.into(), field);
            }
            for (field, port) in inputs.iter().zip(ports) {
                let value = self.draw(field.width);
                dut.set(port, value as u64)?;
                expected |= place(value, field);
            }
            assert_eq!(
                dut.get_wide("raw")?,
                words(expected),
                "{}",
                self.structure.name
            );
        }
        Ok(())
    }
}

fn words(value: u128) -> [u32; 4] {
    std::array::from_fn(|word| (value >> (32 * word)) as u32)
}

fn take(raw: u128, field: &Field) -> u128 {
    raw >> (field.offset % WORD) & (u128::MAX >> (128 - field.width))
}

fn place(value: u128, field: &Field) -> u128 {
    (value & (u128::MAX >> (128 - field.width))) << (field.offset % WORD)
}

/// Checks that every block of a generated file was tested.
fn complete(file: &str, tested: &[&str]) {
    let declared: Vec<_> = file
        .lines()
        .filter_map(|line| line.strip_prefix("pub struct ")?.strip_suffix(" {"))
        .collect();
    assert_eq!(
        declared, tested,
        "blocks of the file, and those in the test"
    );
}

/// Tests blocks, one line each: the block, where its structure is, the number of its word, its ports. Gives their names.
macro_rules! blocks {
    ($($way:ident $module:ident::$block:ident, $list:ident $name:literal $number:literal [$($port:ident),*];)+) => {{
        let names = vec![$(stringify!($block)),+];
        $(
            let dut = Pair::new($module::$block::default(), blocks!(@$way $module::$block [$($port),*]))?;
            Word::find($list, $name, $number).$way(dut, &[$(stringify!($port)),*])?;
        )+
        names
    }};
    (@decode $module:ident::$block:ident [$($port:ident),*]) => {
        ports!($module::$block { in raw; out reserved $(, $port)* })
    };
    (@encode $module:ident::$block:ident [$($port:ident),*]) => {
        ports!($module::$block { in $($port),*; out raw })
    };
}

/// Structures in host memory and BAR0.
#[test]
fn structures_match_the_protocol() -> Result<(), Error> {
    let tested = blocks! {
        decode structures::SubmissionEntryDecode0, STRUCTURES "SubmissionEntry" 0 [opcode, flags, index, region, cookie];
        decode structures::SubmissionEntryDecode1, STRUCTURES "SubmissionEntry" 1 [offset, length];
        decode structures::SubmissionEntryDecode2, STRUCTURES "SubmissionEntry" 2 [generation, tdest, sg_hint, user, pasid, traffic_class, attributes];
        decode structures::SubmissionEntryDecode3, STRUCTURES "SubmissionEntry" 3 [];
        decode structures::CompletionEntryDecode0, STRUCTURES "CompletionEntry" 0 [cookie, timestamp];
        encode structures::CompletionEntryEncode0, STRUCTURES "CompletionEntry" 0 [cookie, timestamp];
        decode structures::CompletionEntryDecode1, STRUCTURES "CompletionEntry" 1 [bytes_moved, status, user, slot, queue_id, eop, phase];
        encode structures::CompletionEntryEncode1, STRUCTURES "CompletionEntry" 1 [bytes_moved, status, user, slot, queue_id, eop, phase];
        decode structures::QueueContextDecode0, STRUCTURES "QueueContext" 0 [sq_address, cq_address];
        decode structures::QueueContextDecode1, STRUCTURES "QueueContext" 1 [sq_entries_log2, cq_entries_log2, direction, flags, vector, function_id, protection_domain, tdest_first, tdest_last];
        encode structures::QueueContextEncode1, STRUCTURES "QueueContext" 1 [sq_entries_log2, cq_entries_log2, direction, vector, protection_domain, tdest_first, tdest_last];
        decode structures::QueueContextDecode2, STRUCTURES "QueueContext" 2 [pasid, traffic_class, attributes, moderation_count, moderation_time];
        decode structures::AdminEntryDecode0, STRUCTURES "AdminEntry" 0 [opcode, flags, index, target, cookie];
        decode structures::RegionEntryDecode0, STRUCTURES "RegionEntry" 0 [sg_table, length];
        decode structures::RegionEntryDecode1, STRUCTURES "RegionEntry" 1 [element_count, generation, first_byte_offset, protection_domain, allow_c2h, allow_h2c, format, page_shift, one_shot];
        decode structures::RegionEntryDecode2, STRUCTURES "RegionEntry" 2 [pasid, traffic_class, attributes];
        decode structures::RegionEntryDecode3, STRUCTURES "RegionEntry" 3 [check_byte];
        decode structures::SgElementDecode, STRUCTURES "SgElement" 0 [valid, check_bits, page_frame, pages, start_page];
        decode structures::SgUniformElementDecode, STRUCTURES "SgUniformElement" 0 [valid, check_bits, page_frame];
        decode structures::DoorbellDecode, STRUCTURES "Doorbell" 0 [sq_tail, cq_head, arm];
        decode structures::MsixEntryDecode, STRUCTURES "MsixEntry" 0 [address, data, masked];
    };
    complete(include_str!("../src/generated/structures.rs"), &tested);
    Ok(())
}

/// Mailbox entries to the firmware.
#[test]
fn messages_match_the_protocol() -> Result<(), Error> {
    let tested = blocks! {
        decode messages::MessageMissDecode, MESSAGES "Miss" 0 [kind, ctx, generation, region, sg_hint, valid, used, pinned];
        encode messages::MessageMissEncode, MESSAGES "Miss" 0 [ctx, generation, region, sg_hint, valid, used, pinned];
        decode messages::MessageAdminDecode, MESSAGES "Admin" 0 [kind, exists, ticket];
        encode messages::MessageAdminEncode, MESSAGES "Admin" 0 [exists, ticket];
        decode messages::MessageQuiescedDecode, MESSAGES "Quiesced" 0 [kind, direction, what, id, ticket];
        encode messages::MessageQuiescedEncode, MESSAGES "Quiesced" 0 [direction, what, id, ticket];
    };
    complete(include_str!("../src/generated/messages.rs"), &tested);
    Ok(())
}

/// Mailbox entries from the firmware.
#[test]
fn commands_match_the_protocol() -> Result<(), Error> {
    let tested = blocks! {
        decode commands::CommandFillDecode, COMMANDS "Fill" 0 [kind, ctx, way];
        decode commands::CommandRejectDecode, COMMANDS "Reject" 0 [kind, ctx, status];
        decode commands::CommandQueueDecode, COMMANDS "Queue" 0 [kind, queue_id, word, low, high];
        decode commands::CommandEnableDecode, COMMANDS "Enable" 0 [kind, queue_id];
        decode commands::CommandDisableDecode, COMMANDS "Disable" 0 [kind, queue_id];
        decode commands::CommandAbortRegionDecode, COMMANDS "AbortRegion" 0 [kind, region, ticket];
        decode commands::CommandAdminDoneDecode, COMMANDS "AdminDone" 0 [kind, status, cookie_low, cookie_high, ticket];
        decode commands::CommandHeartbeatDecode, COMMANDS "Heartbeat" 0 [kind, state, detail];
        decode commands::CommandLogDecode, COMMANDS "Log" 0 [kind, count, bytes0, bytes1, bytes2];
        decode commands::CommandAbortQueueDecode, COMMANDS "AbortQueue" 0 [kind, queue_id, ticket];
    };
    complete(include_str!("../src/generated/commands.rs"), &tested);
    Ok(())
}
