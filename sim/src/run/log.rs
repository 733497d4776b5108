//! The firmware's defmt log, in words.

use std::path::Path;

use defmt_decoder::{DecodeError, Table};
use pinring_core::Device;

use super::bench::redeem;
use crate::platform::SimPlatform;

/// Bytes taken at most: more would be a log without an end.
pub(super) const MOST: usize = 64 << 10;

/// Takes what the firmware has logged. Without its ELF file, which holds the words, the bytes are counted.
pub(super) fn take(device: &mut Device<SimPlatform>, elf: Option<&Path>) -> Vec<String> {
    // What the firmware still holds comes only from one that serves.
    if let Ok(ticket) = device.flush_log() {
        let _ = redeem(device, ticket);
    }
    let mut bytes = vec![0; MOST];
    let taken = device.take_log(&mut bytes);
    bytes.truncate(taken);
    show(&bytes, elf)
}

/// A log in words.
pub(super) fn show(bytes: &[u8], elf: Option<&Path>) -> Vec<String> {
    let taken = bytes.len();
    match elf.map(|elf| decode(bytes, elf)) {
        Some(Ok(lines)) => lines,
        Some(Err(cause)) => vec![format!("{taken} bytes that cannot be read: {cause}")],
        None => vec![format!("{taken} bytes")],
    }
}

fn decode(bytes: &[u8], elf: &Path) -> Result<Vec<String>, String> {
    let file = std::fs::read(elf).map_err(|error| format!("{}: {error}", elf.display()))?;
    let table = Table::parse(&file)
        .map_err(|error| format!("{}: {error}", elf.display()))?
        .ok_or_else(|| format!("{} has no defmt section", elf.display()))?;
    let mut decoder = table.new_stream_decoder();
    decoder.received(bytes);
    let mut lines = Vec::new();
    loop {
        match decoder.decode() {
            Ok(frame) => lines.push(frame.display(false).to_string()),
            Err(DecodeError::UnexpectedEof) => return Ok(lines),
            // A restart or a full mailbox cuts a line off; lines of another firmware are all so.
            Err(DecodeError::Malformed) => {
                let unreadable = "(a line that was cut off, or is not of this firmware)";
                if lines.last().is_none_or(|line| line != unreadable) {
                    lines.push(unreadable.to_string());
                }
            }
        }
    }
}
