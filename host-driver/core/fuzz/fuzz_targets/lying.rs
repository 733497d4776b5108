//! The driver core against a device that lies: see `tests/lying/peer.rs`.
#![no_main]

// Shared with the property test tests/lying.rs.
#[path = "../../tests/lying/peer.rs"]
mod peer;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|sequence: &[u8]| {
    peer::run(sequence);
});
