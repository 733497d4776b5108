//! Writes the device's Verilog. Started by `cargo xtask verilog`.

use std::path::Path;
use std::process::ExitCode;

use pinring_protocol::LAYOUT_HASH;

/// Widths that the device is built for.
const WIDTHS: [&str; 1] = ["128"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, out, processor] = &arguments[..] else {
        eprintln!("usage: emit WIDTH DIR VexRiscv_Lite.v (start it with `cargo xtask verilog`)");
        return ExitCode::FAILURE;
    };
    match write(width, Path::new(out), Path::new(processor)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(width: &str, out: &Path, processor: &Path) -> Result<(), Box<dyn std::error::Error>> {
    if !WIDTHS.contains(&width) {
        return Err(format!(
            "no device with a bus of {width} bits: this version has {}",
            WIDTHS.join(", ")
        )
        .into());
    }
    let core = std::fs::read_to_string(processor)
        .map_err(|error| format!("cannot read {}: {error}", processor.display()))?;
    let header = format!(
        "// Pinring {} device. Made by: cargo xtask verilog --width {width}\n// data width {width} bits, soft core clock {} Hz, \
         layout hash {LAYOUT_HASH:#018x}\n// Verilog 2005; top module: top; firmware image: {}\n",
        env!("CARGO_PKG_VERSION"),
        pinring_hdl::device::CORE_HZ,
        pinring_hdl::soft_core::FIRMWARE_IMAGE,
    );
    std::fs::create_dir_all(out)
        .map_err(|error| format!("cannot create {}: {error}", out.display()))?;
    let file = out.join(format!("pinring_{width}.v"));
    std::fs::write(&file, header + &pinring_hdl::device::verilog(&core)?)
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}
