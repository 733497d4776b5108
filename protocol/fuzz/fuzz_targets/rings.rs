//! Ring indices against a peer that says anything: see `tests/bytes/rings.rs`.
#![no_main]

// Shared with the property test tests/bytes.rs.
#[path = "../../tests/bytes/rings.rs"]
mod rings;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rings::run(bytes));
