//! `pinring info`.

use anyhow::Result;
use pinring_ioctl::DeviceInfo;
use serde::Serialize;

use super::Run;
use super::format::{bytes, count, words};
use crate::{Error, Reason, Tier};

#[derive(Serialize)]
struct Info {
    devices: Vec<String>,
    device: Option<Device>,
    /// Why the device cannot be described.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Device {
    running: bool,
    driver_version: String,
    interface_version: u32,
    gateware_version: u32,
    layout_hash: String,
    features: Vec<&'static str>,
    clock_hz: u32,
    data_width_bits: u32,
    queues: u32,
    messages: u32,
    max_regions: u32,
    ring_entries: u32,
    prepare_depth: u32,
    max_transfer_bytes: u64,
    max_locked_bytes_per_handle: u64,
    max_locked_bytes: u64,
    resets: u32,
    tiers: Vec<Offered>,
}

#[derive(Serialize)]
struct Offered {
    tier: Tier,
    available: bool,
    reason: String,
}

pub(super) fn run(run: &mut Run<'_, '_>) -> Result<bool> {
    let devices = (run.host.list)()?;
    let (device, error) = match run.open().and_then(|device| device.query()) {
        Ok(info) => (Some(describe(&info)), None),
        Err(Error::NoDevice) if devices.is_empty() => (None, None),
        Err(error) => (None, Some(error)),
    };
    let info = Info {
        devices,
        device,
        error: error.as_ref().map(ToString::to_string),
    };
    // A device that cannot be described, such as one whose driver is of another version, does not hide which there are.
    run.print(&info, text)?;
    match error {
        Some(error) if !run.common.json => Err(error.into()),
        _ => Ok(info.device.is_some_and(|device| device.running)),
    }
}

fn describe(info: &DeviceInfo) -> Device {
    let offered = |tier, missing| Offered {
        tier,
        available: missing == 0,
        reason: match missing {
            0 => String::new(),
            _ => Reason::describe(missing),
        },
    };
    Device {
        running: info.running != 0,
        driver_version: format!(
            "{}.{}",
            info.driver_version >> 16,
            info.driver_version & 0xffff
        ),
        interface_version: info.interface_version,
        gateware_version: info.device_version,
        layout_hash: format!("{:#018x}", info.layout_hash),
        features: features(info.features),
        clock_hz: info.clock_hz,
        data_width_bits: info.data_width_bits,
        queues: info.queues,
        messages: info.messages,
        max_regions: info.max_regions,
        ring_entries: info.ring_entries,
        prepare_depth: info.prepare_depth,
        max_transfer_bytes: info.max_transfer_bytes,
        max_locked_bytes_per_handle: info.max_locked_bytes_per_handle,
        max_locked_bytes: info.max_locked_bytes,
        resets: info.resets,
        tiers: vec![
            offered(Tier::Bypass, info.bypass_missing),
            offered(Tier::MappedOnce, info.mapped_once_missing),
            offered(Tier::PerTransfer, 0),
            offered(Tier::CommonBuffer, 0),
        ],
    }
}

/// Names of the bits of register FEATURES.
fn features(bits: u64) -> Vec<&'static str> {
    let names = [
        "inline doorbell",
        "uniform lists",
        "resident hits",
        "parity",
    ];
    let set = names.iter().enumerate();
    set.filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, name)| *name)
        .collect()
}

fn text(info: &Info) -> String {
    let mut out = String::new();
    for name in &info.devices {
        out += &format!("device {name}\n");
    }
    if info.error.is_some() {
        return out;
    }
    let Some(device) = &info.device else {
        return out + "no Pinring device is present: see Device Manager, or run `pinring doctor`\n";
    };
    let row = |name: &str, value: String| vec![name.to_string(), value];
    out += &words(
        &[],
        &[
            row(
                "state",
                match device.running {
                    true => "running".to_string(),
                    false => "NOT RUNNING: see the event log".to_string(),
                },
            ),
            row(
                "versions",
                format!(
                    "driver {}, interface {}, gateware {:#x}, layout {}",
                    device.driver_version,
                    device.interface_version,
                    device.gateware_version,
                    device.layout_hash
                ),
            ),
            row(
                "data path",
                format!(
                    "{} bits at {} MHz",
                    device.data_width_bits,
                    device.clock_hz / 1_000_000
                ),
            ),
            row("features", device.features.join(", ")),
            row(
                "queues",
                format!(
                    "{}, {} messages, {} transfers in flight per handle and direction",
                    device.queues,
                    device.messages,
                    count(device.ring_entries.into())
                ),
            ),
            row(
                "regions",
                format!(
                    "{}; locked at most {} per handle, {} in all",
                    count(device.max_regions.into()),
                    bytes(device.max_locked_bytes_per_handle),
                    bytes(device.max_locked_bytes)
                ),
            ),
            row(
                "lists ahead",
                format!(
                    "{}, of transfers of at most {} (tier PerTransfer)",
                    device.prepare_depth,
                    bytes(device.max_transfer_bytes)
                ),
            ),
            row("resets", count(device.resets.into())),
        ],
    );
    let tiers: Vec<_> = device
        .tiers
        .iter()
        .map(|offered| {
            let is = if offered.available { "yes" } else { "no" };
            vec![
                offered.tier.to_string(),
                is.to_string(),
                offered.reason.clone(),
            ]
        })
        .collect();
    out + &words(&["tier", "to be had", "why not"], &tiers)
}
