//! The command-line tool `pinring`, as a function: over the driver, a simulated machine, or a double.

mod bench;
mod chart;
pub mod doctor;
mod format;
mod info;
mod log;
mod selftest;
mod watch;

use std::ffi::OsString;
use std::io::Write;
use std::rc::Rc;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::{Device, Error, Transport};

/// Opens the device of a name; `None` opens the first.
pub type Open<'a> = dyn FnMut(Option<&str>) -> Result<Rc<dyn Transport>, Error> + 'a;

/// What the tool works on.
pub struct Host<'a> {
    /// Names of the devices that are present.
    pub list: &'a mut dyn FnMut() -> Result<Vec<String>, Error>,
    /// Opens the device of a name; `None` opens the first.
    pub open: &'a mut Open<'a>,
    /// Where results go.
    pub out: &'a mut dyn Write,
    /// Where errors go.
    pub err: &'a mut dyn Write,
    /// Somebody watches: show progress.
    pub interactive: bool,
}

#[derive(Parser)]
#[command(
    name = "pinring",
    version,
    about = "Looks at a Pinring device, measures it and tests it",
    after_help = "Examples:
  pinring doctor                      which mapping tier this machine will give, and why
  pinring info                        the device, its limits and tiers
  pinring selftest                    does it work, step by step
  pinring bench --fps 240             what each strategy costs of a frame period
  pinring bench --json | jq '.strategies[].last_ns.median'
  pinring watch --interval 0.5        rates while an application runs
  pinring log --elf firmware.elf      what the firmware says
  pinring log --save firmware.log     keeps it for a machine that has the ELF file"
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Common {
    /// Prints JSON for programs in place of text for people
    #[arg(long, global = true)]
    json: bool,
    /// Name of the device, as `pinring info` lists it; without it, the first
    #[arg(long, global = true, value_name = "NAME")]
    device: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Shows device, limits and tiers, and why a tier is missing
    Info,
    /// Times bursts of transfers, one way after another
    Bench(bench::Arguments),
    /// Shows the driver's counters as rates
    Watch(watch::Arguments),
    /// Shows the firmware's log, or saves it
    Log(log::Arguments),
    /// Moves data both ways in every tier and checks what comes back; what the card was sent, only the card can check
    Selftest(selftest::Arguments),
    /// Says which mapping tier a machine will give; needs neither driver nor device
    Doctor(doctor::Arguments),
}

/// A run of the tool: where it prints, and what it works on.
struct Run<'a, 'h> {
    host: &'a mut Host<'h>,
    common: Common,
}

impl Run<'_, '_> {
    fn open(&mut self) -> Result<Device<Rc<dyn Transport>>, Error> {
        Device::new((self.host.open)(self.common.device.as_deref())?)
    }

    /// Prints a result: as JSON, or as the text that `text` makes.
    fn print<R: Serialize>(&mut self, result: &R, text: impl FnOnce(&R) -> String) -> Result<()> {
        let text = if self.common.json {
            serde_json::to_string_pretty(result)? + "\n"
        } else {
            text(result)
        };
        self.host.out.write_all(text.as_bytes())?;
        Ok(self.host.out.flush()?)
    }

    /// Prints one of a series of results: a line of JSON, or text.
    fn print_one<R: Serialize>(
        &mut self,
        result: &R,
        text: impl FnOnce(&R) -> String,
    ) -> Result<()> {
        if self.common.json {
            let line = serde_json::to_string(result)? + "\n";
            self.host.out.write_all(line.as_bytes())?;
            return Ok(self.host.out.flush()?);
        }
        self.print(result, text)
    }
}

/// Runs the tool with these arguments, the program's name first, and gives its exit status: 0 if all is well, 1 after an error or a
/// verdict against the device, 2 if the arguments make no sense.
pub fn run(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    host: &mut Host<'_>,
) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if wants_json && error.use_stderr() => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
            let _ = writeln!(host.out, "{}", serde_json::json!({ "error": text }));
            return 2;
        }
        Err(error) => {
            let (out, status): (&mut dyn Write, u8) = match error.use_stderr() {
                true => (host.err, 2),
                false => (host.out, 0),
            };
            let _ = write!(out, "{error}");
            return status;
        }
    };
    let json = cli.common.json;
    let mut run = Run {
        host,
        common: cli.common,
    };
    let ran = match cli.command {
        Command::Info => info::run(&mut run),
        Command::Bench(arguments) => bench::run(&mut run, &arguments),
        Command::Watch(arguments) => watch::run(&mut run, &arguments),
        Command::Log(arguments) => log::run(&mut run, &arguments),
        Command::Selftest(arguments) => selftest::run(&mut run, &arguments),
        Command::Doctor(arguments) => doctor::run(&mut run, &arguments),
    };
    match ran {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            // Nobody is left to tell when even this cannot be written.
            let _ = if json {
                writeln!(
                    host.out,
                    "{}",
                    serde_json::json!({ "error": format!("{error:#}") })
                )
            } else {
                writeln!(host.err, "error: {error:#}")
            };
            1
        }
    }
}
