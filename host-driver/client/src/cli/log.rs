//! `pinring log`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use defmt_decoder::{DecodeError, Table};
use serde::Serialize;

use super::Run;
use crate::Transport;

/// Bytes that one request takes.
const READ_BYTES: usize = 4096;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The firmware's ELF file, of the very build that runs: `cargo xtask firmware` makes it
    #[arg(long)]
    elf: PathBuf,
    /// Reads the log's bytes from a file, without a device
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Goes on until it is stopped, looking every quarter of a second
    #[arg(long, conflicts_with = "input")]
    follow: bool,
}

#[derive(Serialize)]
struct Line {
    timestamp: Option<String>,
    level: Option<String>,
    message: String,
}

pub(super) fn run(run: &mut Run<'_, '_>, arguments: &Arguments) -> Result<bool> {
    let name = arguments.elf.display();
    let elf = std::fs::read(&arguments.elf).with_context(|| format!("cannot read {name}"))?;
    let table = Table::parse(&elf)
        .with_context(|| format!("cannot read {name}"))?
        .with_context(|| {
            format!("{name} has no defmt table: give the firmware's ELF file, not its image")
        })?;
    let mut decoder = table.new_stream_decoder();
    let recovers = table.encoding().can_recover();
    let mut lost = 0_u64;
    let mut print = |run: &mut Run<'_, '_>, bytes: &[u8]| -> Result<()> {
        decoder.received(bytes);
        loop {
            match decoder.decode() {
                Ok(frame) => {
                    let line = Line {
                        timestamp: frame.display_timestamp().map(|time| time.to_string()),
                        level: frame.level().map(|level| level.as_str().to_uppercase()),
                        message: frame.display_message().to_string(),
                    };
                    run.print_one(&line, text)?;
                }
                Err(DecodeError::UnexpectedEof) => return Ok(()),
                Err(DecodeError::Malformed) if recovers => lost += 1,
                Err(DecodeError::Malformed) => bail!(
                    "the log does not fit {name}: give the ELF file of the very build that runs"
                ),
            }
        }
    };
    if let Some(input) = &arguments.input {
        let bytes =
            std::fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
        print(run, &bytes)?;
    } else {
        let device = run.open()?;
        let mut bytes = [0; READ_BYTES];
        loop {
            match device.read_log(&mut bytes)? {
                0 if arguments.follow => device.transport().sleep(250_000_000),
                0 => break,
                read => print(run, &bytes[..read])?,
            }
        }
    }
    if lost > 0 {
        writeln!(
            run.host.err,
            "{lost} frames could not be decoded: bytes were lost, or the ELF file is of another build"
        )?;
    }
    Ok(lost == 0)
}

fn text(line: &Line) -> String {
    let time = line.timestamp.as_deref().unwrap_or_default();
    let level = line.level.as_deref().unwrap_or_default();
    format!("{time:>10} {level:5} {}\n", line.message)
}
