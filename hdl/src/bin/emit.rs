//! Writes the device's Verilog, and that of the demo user logic. Started by `cargo xtask verilog`.

use std::path::Path;
use std::process::ExitCode;

use pinring_protocol::LAYOUT_HASH;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (width, out, processor, demo) = match &arguments[..] {
        [width, out, processor] => (width, out, processor, false),
        [width, out, processor, flag] if flag == "--demo" => (width, out, processor, true),
        _ => {
            eprintln!(
                "usage: emit WIDTH DIR VexRiscv_Lite.v [--demo] (start it with `cargo xtask verilog`)"
            );
            return ExitCode::FAILURE;
        }
    };
    match write(width, Path::new(out), Path::new(processor), demo) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(
    width: &str,
    out: &Path,
    processor: &Path,
    demo: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let bits = width
        .parse()
        .map_err(|_| format!("no width in bits: {width}"))?;
    let core = std::fs::read_to_string(processor)
        .map_err(|error| format!("cannot read {}: {error}", processor.display()))?;
    let command = format!("cargo xtask verilog --width {width}");
    let version = env!("CARGO_PKG_VERSION");
    let notes = format!(
        "// data width {width} bits, soft core clock {} Hz, layout hash {LAYOUT_HASH:#018x}\n\
         // Verilog 2005; top module: top; firmware image: {}\n",
        pinring_hdl::device::CORE_HZ,
        pinring_hdl::soft_core::FIRMWARE_IMAGE,
    );
    let mut files = vec![(
        format!("pinring_{width}.v"),
        format!("// Pinring {version} device. Made by: {command}\n{notes}"),
        pinring_hdl::device::verilog(bits, &core)?,
    )];
    if demo {
        files.push((
            format!("pinring_demo_{width}.v"),
            format!("// Pinring {version} device with demo user logic. Made by: {command} --demo\n{notes}"),
            pinring_hdl::demo::verilog(bits, &core)?,
        ));
        files.extend(pinring_hdl::demo::modules(bits)?.map(|(name, verilog)| {
            let header = format!(
                "// Pinring {version} demo user logic. Made by: {command} --demo\n\
                 // data width {width} bits\n// Verilog 2005; top module: {name}\n"
            );
            (format!("{name}_{width}.v"), header, verilog)
        }));
    }
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
