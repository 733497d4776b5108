//! Scenario files of any text: see `tests/text/any.rs`.
#![no_main]
#![allow(dead_code, reason = "of the scenario's module only reading is used")]

// Shared with the property test tests/text.rs.
#[path = "../../tests/text/any.rs"]
mod any;
// The module by itself: the whole of the co-simulation would take many times as long to build.
#[path = "../../src/scenario/mod.rs"]
mod scenario;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    any::read(text);
});
