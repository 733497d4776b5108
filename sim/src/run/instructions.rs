//! Instructions of the driver's hot path, counted once and entered here.
//!
//! Counted by `cargo run --release -p pinring-core --example submit_cost` (callgrind, x86-64, page-granular table): a
//! submit of 1 and of 8 transfers takes 361 and 1,614 instructions, a reap 329 and 1,946, at any buffer size. Between the
//! two counts the cost is a fixed part and a part per transfer.

/// Instructions of one `Device::submit` of `transfers` transfers.
pub fn submit(transfers: u64) -> u64 {
    SUBMIT_FIXED + SUBMIT_EACH * transfers
}

/// Instructions of one `Device::reap` that finds `transfers` completions.
pub fn reap(transfers: u64) -> u64 {
    REAP_FIXED + REAP_EACH * transfers
}

const SUBMIT_FIXED: u64 = 182;
const SUBMIT_EACH: u64 = 179;
const REAP_FIXED: u64 = 98;
const REAP_EACH: u64 = 231;
