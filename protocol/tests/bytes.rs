//! What the fuzz targets in `fuzz/` run, on random bytes.

#[path = "bytes/decoders.rs"]
mod decoders;
#[path = "bytes/rings.rs"]
mod rings;

use pinring_protocol::*;
use proptest::prelude::*;

/// Bytes in which reserved bits are mostly zero, so that some get past them.
fn sparse() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(0), 1 => 0u8..8, 1 => any::<u8>()];
    prop::collection::vec(byte, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoders_refuse_or_give_back_the_same(bytes in sparse()) {
        decoders::run(&bytes);
    }

    #[test]
    fn rings_believe_no_index_that_cannot_be(log2 in 0u8..18, steps in prop::collection::vec((any::<u8>(), prop_oneof![0u16..40, any::<u16>()]), 0..200)) {
        let mut bytes = vec![log2];
        for (what, number) in steps {
            bytes.push(what);
            bytes.extend(number.to_le_bytes());
        }
        rings::run(&bytes);
    }
}

/// What is right is accepted, so that the round trip is not of refusals alone.
#[test]
fn what_is_right_gets_past_the_decoders() {
    let entry = SubmissionEntry::new()
        .with_opcode(Opcode::C2h)
        .with_length(1);
    assert_eq!(SubmissionEntry::decode(&entry.encode()), Ok(entry));
    decoders::run(&entry.encode());
    decoders::run(&[entry.encode(), entry.encode()].concat());
}
