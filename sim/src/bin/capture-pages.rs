//! Reads the page map of freshly allocated, touched buffers and writes layout files. Started by `cargo xtask capture-pages`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use pinring_sim::host::{capture_buffers, captured_text};

/// Capture which physical pages this machine gives to an application's buffers. Needs root.
#[derive(Parser)]
#[command(
    name = "cargo xtask capture-pages",
    bin_name = "cargo xtask capture-pages"
)]
struct Arguments {
    /// Folder for buffer-0.layout, buffer-1.layout, ...
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Buffers that exist at the same time
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// Size of each in bytes
    #[arg(long, default_value_t = 73_400_320)]
    bytes: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let layouts = capture_buffers(arguments.count, arguments.bytes)?;
    let out = &arguments.out;
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    for (index, layout) in layouts.iter().enumerate() {
        let file = out.join(format!("buffer-{index}.layout"));
        std::fs::write(&file, captured_text(layout))
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!(
            "{}: {} pages in {} runs",
            file.display(),
            layout.pages(),
            layout.runs().len()
        );
    }
    Ok(())
}
