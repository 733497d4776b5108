//! Sequences of requests against the model of `tests/common/hostile/`: a head of four bytes, then sixteen per step.
#![no_main]

// Shared with the property test tests/hostile_ioctls.rs, which keeps what is found here.
#[path = "../../tests/common/mod.rs"]
mod common;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|sequence: &[u8]| {
    common::hostile::run(sequence);
});
