//! Writes modules of the device by themselves, as `cargo xtask formal` proves them: MODULE.v, with a top module of the same name.

use pinring_hdl::c2h::Cutter;
use pinring_hdl::completion::CompletionUnit;
use pinring_hdl::demo::module;
use pinring_hdl::fetch::FetchUnit;
use pinring_hdl::h2c::ReadRequester;
use pinring_hdl::scheduler::QueueScheduler;
use pinring_hdl::sizes::{read_slots, read_tags};
use pinring_hdl::tlp::{PostedMux, TransmitMux};
use pinring_hdl::walker::Walker;
use pinring_hdl::widgets::{AsyncFifo, BlockFifo, SmallFifo};
use rust_hdl::prelude::Bits;
use std::path::Path;
use std::process::ExitCode;

/// The narrowest bus: rules of requests do not depend on the width, and solvers take long enough over this one.
const WIDTH: usize = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out] = &arguments[..] else {
        eprintln!("usage: emit_modules DIR (started by `cargo xtask formal`)");
        return ExitCode::FAILURE;
    };
    match write(Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {out}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(out: &Path) -> std::io::Result<()> {
    const SLOTS: usize = read_slots(WIDTH);
    const TAGS: usize = read_tags(WIDTH);
    std::fs::create_dir_all(out)?;
    for (name, verilog) in [
        module("small_fifo", SmallFifo::<Bits<4>, 2, 3>::default()),
        module("block_fifo", BlockFifo::<Bits<4>, 2, 3>::default()),
        module("async_fifo", AsyncFifo::<Bits<4>, 2, 3>::default()),
        module("walker", Walker::default()),
        module("cutter", Cutter::<WIDTH, 8, 3>::default()),
        module("requester", ReadRequester::<SLOTS, 6, 7>::default()),
        module("fetch_unit", FetchUnit::default()),
        module("posted_mux", PostedMux::<WIDTH, 3>::default()),
        module("transmit_mux", TransmitMux::<WIDTH, TAGS, 7>::default()),
        module("scheduler", <QueueScheduler>::default()),
        module("completion_unit", <CompletionUnit>::default()),
    ] {
        std::fs::write(out.join(format!("{name}.v")), verilog)?;
    }
    Ok(())
}
