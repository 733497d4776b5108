//! Every decoder on any bytes: see `tests/bytes/decoders.rs`.
#![no_main]

// Shared with the property test tests/bytes.rs.
#[path = "../../tests/bytes/decoders.rs"]
mod decoders;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| decoders::run(bytes));
