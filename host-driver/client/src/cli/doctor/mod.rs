//! `pinring doctor`: which mapping tier a machine will give, before anything is installed.

mod facts;
mod predict;

#[cfg(any(windows, test))]
pub(crate) use facts::Registry;
pub use facts::{Facts, InfPolicy};
pub use predict::{Chance, Forecast, Prediction, predict};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::Run;
use super::format::{paragraph, words};

/// Facts on the command line; what is left out is read from this machine, where it can be.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Build number of Windows, such as 19045, 20348 or 22631
    #[arg(long, value_name = "BUILD")]
    os_build: Option<u32>,
    /// Windows remaps DMA: "Kernel DMA Protection" in msinfo32
    #[arg(long, value_enum)]
    remapping: Option<Switch>,
    /// Virtualization-based security runs: msinfo32 says so. It tells why remapping may be on; it decides nothing alone
    #[arg(long, value_enum)]
    vbs: Option<Switch>,
    /// How the driver was installed to take part in remapping
    #[arg(long, value_enum)]
    inf_policy: Option<InfPolicy>,
    /// The card sits in an external enclosure (Thunderbolt, USB4)
    #[arg(long, value_enum)]
    external: Option<Switch>,
    /// The application's buffers are physically contiguous
    #[arg(long, value_enum)]
    contiguous: Option<Switch>,
    /// The application's buffers start and end on a page
    #[arg(long, value_enum)]
    whole_pages: Option<Switch>,
    /// Reads nothing from this machine: what is not given is unknown
    #[arg(long)]
    offline: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Switch {
    fn is_on(self) -> bool {
        self == Self::On
    }
}

pub(super) fn run(run: &mut Run<'_, '_>, arguments: &Arguments) -> Result<bool> {
    let device = run.common.device.as_deref();
    ensure!(
        device.is_none() || !arguments.offline,
        "--offline reads nothing from this machine, and so nothing of a device: leave out --offline or --device"
    );
    ensure!(
        device.is_none() || cfg!(windows),
        "--device: only Windows says anything of a device; leave it out, and give facts such as --external"
    );
    let read = match arguments.offline {
        true => Facts::default(),
        false => Facts::read(device)?,
    };
    let facts = Facts {
        os_build: arguments.os_build.or(read.os_build),
        remapping: arguments.remapping.map(Switch::is_on).or(read.remapping),
        vbs: arguments.vbs.map(Switch::is_on).or(read.vbs),
        inf_policy: arguments.inf_policy.or(read.inf_policy),
        external: arguments.external.map(Switch::is_on).or(read.external),
        contiguous: arguments.contiguous.map(Switch::is_on).or(read.contiguous),
        whole_pages: arguments
            .whole_pages
            .map(Switch::is_on)
            .or(read.whole_pages),
    };
    let prediction = predict(&facts);
    run.print(&prediction, text)?;
    Ok(prediction.supported)
}

fn text(prediction: &Prediction) -> String {
    let facts: Vec<_> = prediction
        .facts
        .in_words()
        .into_iter()
        .map(|(name, value)| vec![name.to_string(), value])
        .collect();
    let tiers: Vec<_> = prediction
        .tiers
        .iter()
        .map(|forecast| {
            vec![
                forecast.tier.to_string(),
                forecast.chance.to_string(),
                forecast.why.clone(),
                forecast.change.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let mut out = words(&["fact", "value"], &facts);
    out += &words(&["tier", "to be had", "why", "what to change"], &tiers);
    out + &paragraph(&prediction.summary)
}

#[cfg(test)]
mod tests;
