//! A device that lies, in random sequences; the fuzz target `lying` (`fuzz/`) runs the same.

#[path = "lying/peer.rs"]
mod peer;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_device_that_lies_is_not_believed(sequence in prop::collection::vec(any::<u8>(), 0..400)) {
        peer::run(&sequence);
    }
}

/// What the sequences come to is not all refused: an honest device's transfers are reported as they end.
#[test]
fn an_honest_device_is_believed() {
    // Submit two transfers of 1 and 2 bytes on queue 1, let the device work, reap.
    let submit = [0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0];
    let work = [2, 3];
    let reap = [6, 0];
    assert_eq!(peer::run(&[&submit[..], &work, &reap].concat()), 2);
}
