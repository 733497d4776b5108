//! `pinring log`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use defmt_decoder::{DecodeError, StreamDecoder, Table};
use serde::Serialize;

use super::Run;
use crate::Transport;

/// Bytes that one request takes.
const READ_BYTES: usize = 4096;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The firmware's ELF file, of the very build that runs: `cargo xtask firmware` makes it
    #[arg(long, required_unless_present = "save")]
    elf: Option<PathBuf>,
    /// Reads the log's bytes from a file that --save wrote, without a device
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Writes the log's bytes, as they are, to a file; without --elf it shows nothing
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    save: Option<PathBuf>,
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

/// What bytes were saved, when nothing else is shown.
#[derive(Serialize)]
struct Saved {
    bytes: u64,
}

pub(super) fn run(run: &mut Run<'_, '_>, arguments: &Arguments) -> Result<bool> {
    let table = arguments.elf.as_deref().map(table).transpose()?;
    let mut decoder = table.as_ref().map(|table| Decoder {
        recovers: table.encoding().can_recover(),
        stream: table.new_stream_decoder(),
        lost: 0,
    });
    let mut show = |run: &mut Run<'_, '_>, bytes: &[u8]| {
        decoder
            .as_mut()
            .map_or(Ok(()), |decoder| decoder.show(run, bytes))
    };
    if let Some(input) = &arguments.input {
        let bytes =
            std::fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
        show(run, &bytes)?;
    } else {
        let device = run.open()?;
        // Only now: what was saved before is not lost to a device that cannot be opened.
        let mut file = arguments.save.as_deref().map(create).transpose()?;
        let (mut bytes, mut saved) = ([0; READ_BYTES], 0);
        loop {
            let read = device.read_log(&mut bytes)?;
            if read == 0 && !arguments.follow {
                break;
            }
            if read == 0 {
                device.transport().sleep(250_000_000);
                continue;
            }
            // First, as the driver has given it away.
            if let Some((name, file)) = &mut file {
                file.write_all(&bytes[..read])
                    .with_context(|| format!("cannot write {name}"))?;
            }
            saved += read as u64;
            show(run, &bytes[..read])?;
        }
        if let (Some((name, _)), None) = (&file, &arguments.elf) {
            run.print_one(&Saved { bytes: saved }, |_| {
                format!("{saved} bytes saved: `pinring log --input {name} --elf FILE` shows them\n")
            })?;
        }
    }
    let lost = decoder.map_or(0, |decoder| decoder.lost);
    if lost > 0 {
        writeln!(
            run.host.err,
            "{lost} frames could not be decoded: bytes were lost, or the ELF file is of another build"
        )?;
    }
    Ok(lost == 0)
}

fn table(elf: &Path) -> Result<Table> {
    let name = elf.display();
    let bytes = std::fs::read(elf).with_context(|| format!("cannot read {name}"))?;
    Table::parse(&bytes)
        .with_context(|| format!("cannot read {name}"))?
        .with_context(|| {
            format!("{name} has no defmt table: give the firmware's ELF file, not its image")
        })
}

fn create(path: &Path) -> Result<(String, File)> {
    let name = path.display().to_string();
    let file = File::create(path).with_context(|| format!("cannot write {name}"))?;
    Ok((name, file))
}

struct Decoder<'t> {
    stream: Box<dyn StreamDecoder + Send + Sync + 't>,
    recovers: bool,
    /// Frames that made no sense.
    lost: u64,
}

impl Decoder<'_> {
    fn show(&mut self, run: &mut Run<'_, '_>, bytes: &[u8]) -> Result<()> {
        self.stream.received(bytes);
        loop {
            match self.stream.decode() {
                Ok(frame) => {
                    let line = Line {
                        timestamp: frame.display_timestamp().map(|time| time.to_string()),
                        level: frame.level().map(|level| level.as_str().to_uppercase()),
                        message: frame.display_message().to_string(),
                    };
                    run.print_one(&line, text)?;
                }
                Err(DecodeError::UnexpectedEof) => return Ok(()),
                Err(DecodeError::Malformed) if self.recovers => self.lost += 1,
                Err(DecodeError::Malformed) => {
                    bail!(
                        "the log does not fit the ELF file: give that of the very build that runs"
                    )
                }
            }
        }
    }
}

fn text(line: &Line) -> String {
    let time = line.timestamp.as_deref().unwrap_or_default();
    let level = line.level.as_deref().unwrap_or_default();
    format!("{time:>10} {level:5} {}\n", line.message)
}
