//! Writes the Verilog of the self-test image and of a soft core's memory alone. Started by `cargo xtask bitstream`.

use std::path::Path;
use std::process::ExitCode;

use pinring_hdl::{selftest, soft_core};
use pinring_protocol::LAYOUT_HASH;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, processor] = &arguments[..] else {
        eprintln!(
            "usage: emit_selftest DIR VexRiscv_Lite.v (start it with `cargo xtask bitstream`)"
        );
        return ExitCode::FAILURE;
    };
    match write(Path::new(out), Path::new(processor)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(out: &Path, processor: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let core = std::fs::read_to_string(processor)
        .map_err(|error| format!("cannot read {}: {error}", processor.display()))?;
    let version = env!("CARGO_PKG_VERSION");
    let notes = format!(
        "// data width {} bits, soft cores' clock {} Hz, layout hash {LAYOUT_HASH:#018x}\n",
        selftest::WIDTH,
        selftest::CORE_HZ,
    );
    let files = [
        (
            "pinring_selftest.v",
            format!("// Pinring {version} self-test, top module: top\n{notes}"),
            selftest::verilog(&core)?,
        ),
        (
            "core_memory.v",
            format!("// Pinring {version} soft core's memory, top module: core_memory\n"),
            soft_core::memory_verilog("core_memory"),
        ),
    ];
    std::fs::create_dir_all(out)
        .map_err(|error| format!("cannot create {}: {error}", out.display()))?;
    for (name, header, verilog) in files {
        let file = out.join(name);
        std::fs::write(&file, header + &verilog)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}
