//! Writes the device's Verilog, that of the demo user logic and that of the device behind a shim. Started by `cargo xtask verilog`.

use std::path::Path;
use std::process::ExitCode;

use pinring_hdl::device::Config;
use pinring_protocol::LAYOUT_HASH;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || {
        eprintln!(
            "usage: emit CONFIG WIDTH DIR VexRiscv_Lite.v [--demo] [--shim-uscale-plus] (start it with `cargo xtask verilog`)"
        );
        ExitCode::FAILURE
    };
    let [config, width, out, processor, flags @ ..] = &arguments[..] else {
        return usage();
    };
    let mut extras = Extras::default();
    for flag in flags {
        match flag.as_str() {
            "--demo" => extras.demo = true,
            "--shim-uscale-plus" => extras.uscale_plus = true,
            _ => return usage(),
        }
    }
    match write(config, width, Path::new(out), Path::new(processor), &extras) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is written beside the device.
#[derive(Default)]
struct Extras {
    /// The demo user logic.
    demo: bool,
    /// The device behind the shim of UltraScale+.
    uscale_plus: bool,
}

fn write(
    config: &str,
    width: &str,
    out: &Path,
    processor: &Path,
    extras: &Extras,
) -> Result<(), Box<dyn std::error::Error>> {
    let config: Config = config.parse()?;
    if config != Config::Full && (extras.demo || extras.uscale_plus) {
        return Err("only the full configuration has a demo and a shim".into());
    }
    let bits = width
        .parse()
        .map_err(|_| format!("no width in bits: {width}"))?;
    let core = std::fs::read_to_string(processor)
        .map_err(|error| format!("cannot read {}: {error}", processor.display()))?;
    let (mut command, mut name) = (
        format!("cargo xtask verilog --width {width}"),
        "pinring".to_owned(),
    );
    if config != Config::Full {
        command += &format!(" --config {}", config.name());
        name += &format!("_{}", config.name());
    }
    let version = env!("CARGO_PKG_VERSION");
    let notes = format!(
        "// data width {width} bits, soft core clock {} Hz, layout hash {LAYOUT_HASH:#018x}\n\
         // Verilog 2005; top module: top; firmware image: {}\n",
        pinring_hdl::device::CORE_HZ,
        pinring_hdl::soft_core::FIRMWARE_IMAGE,
    );
    let mut files = vec![(
        format!("{name}_{width}.v"),
        format!("// Pinring {version} device. Made by: {command}\n{notes}"),
        pinring_hdl::device::verilog(config, bits, &core)?,
    )];
    if extras.uscale_plus {
        let widths = pinring_hdl::shim::uscale_plus::WIDTHS;
        if !widths.contains(&bits) {
            return Err(format!(
                "the shim uscale-plus has a data path of {widths:?} bits, not {bits}"
            )
            .into());
        }
        files.push((
            format!("pinring_uscale_plus_{width}.v"),
            format!("// Pinring {version} device for pcie4_uscale_plus. Made by: {command} --shim uscale-plus\n{notes}"),
            pinring_hdl::shim::uscale_plus::verilog(bits, &core)?,
        ));
    }
    if extras.demo {
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
