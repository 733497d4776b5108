//! Writes modules of the device by themselves, as `cargo xtask formal` proves them: MODULE.v, with a top module of the same name.

use pinring_hdl::demo::module;
use pinring_hdl::widgets::{AsyncFifo, BlockFifo, SmallFifo};
use rust_hdl::prelude::Bits;
use std::path::Path;
use std::process::ExitCode;

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
    std::fs::create_dir_all(out)?;
    for (name, verilog) in [
        module("small_fifo", SmallFifo::<Bits<4>, 2, 3>::default()),
        module("block_fifo", BlockFifo::<Bits<4>, 2, 3>::default()),
        module("async_fifo", AsyncFifo::<Bits<4>, 2, 3>::default()),
    ] {
        std::fs::write(out.join(format!("{name}.v")), verilog)?;
    }
    Ok(())
}
