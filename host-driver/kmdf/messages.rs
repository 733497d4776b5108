//! The texts of the driver's entries in the system's event log, and the resource that holds them.
//!
//! The build script compiles it on Windows; a test of `xtask` does everywhere, and compares the numbers with the driver's.

/// Number of the event in the driver (`src/trace.rs`), its severity, its text. `%1` is the device; the entry's data are the event's
/// 64-bit numbers.
pub const MESSAGES: &[(u16, Severity, &str)] = &[
    (
        2,
        Severity::Informational,
        "%1: the device serves. Data: MSI-X messages, why not tier Bypass, why not tier MappedOnce (0: it is to be had), longest list in bytes.",
    ),
    (
        3,
        Severity::Informational,
        "%1: a buffer was registered. Data: its tier (0 Bypass, 1 MappedOnce, 2 PerTransfer, 3 CommonBuffer), why not a stronger one (0: it is the strongest that was asked for), bytes, nanoseconds. Logged once for each handle, tier and reason.",
    ),
    (
        5,
        Severity::Error,
        "%1: the device was reset; transfers in flight were reported as aborted. Data: cause, resets so far.",
    ),
    (
        6,
        Severity::Error,
        "%1: the device does not serve. Data: cause, two numbers that explain it (docs/windows.md lists them). Disable and enable the device, or restart the system.",
    ),
    (
        7,
        Severity::Error,
        "%1: Bus Master Enable does not read back as 0: the memory that the device may reach stays locked. Restart the system.",
    ),
];

/// Severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Informational.
    Informational = 1,
    /// Error.
    Error = 3,
}

/// The code under which the event log looks a text up: severity, customer bit, the driver's facility, number.
pub const fn code(number: u16, severity: Severity) -> u32 {
    (severity as u32) << 30 | 1 << 29 | 0x00a1_1000 | number as u32
}

/// The message table: MESSAGE_RESOURCE_DATA of winnt.h, with one block for each message.
pub fn table() -> Vec<u8> {
    let mut messages: Vec<_> = MESSAGES
        .iter()
        .map(|&(number, severity, text)| (code(number, severity), text))
        .collect();
    messages.sort_unstable();
    let mut blocks = Vec::new();
    let mut entries = Vec::new();
    let first = 4 + 12 * messages.len();
    for (code, text) in &messages {
        for word in [*code, *code, (first + entries.len()) as u32] {
            blocks.extend(word.to_le_bytes());
        }
        let mut units: Vec<u16> = format!("{text}\r\n\0").encode_utf16().collect();
        // An entry is a whole number of 32-bit words.
        units.resize(units.len().next_multiple_of(2), 0);
        entries.extend((4 + 2 * units.len() as u16).to_le_bytes());
        entries.extend(1_u16.to_le_bytes()); // MESSAGE_RESOURCE_UNICODE
        entries.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    }
    let mut table = (messages.len() as u32).to_le_bytes().to_vec();
    table.append(&mut blocks);
    table.append(&mut entries);
    table
}

/// The resource script: version and message table, which lies beside it as `messages.bin`.
pub fn script(version: &str) -> String {
    let parts: Vec<_> = version.split(['.', '-', '+']).take(3).collect();
    let comma = parts.join(",");
    format!(
        r#"1 11 "messages.bin"
1 VERSIONINFO
FILEVERSION {comma},0
PRODUCTVERSION {comma},0
FILEOS 0x40004
FILETYPE 0x3
FILESUBTYPE 0x7
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904b0"
    BEGIN
      VALUE "CompanyName", "Pinring"
      VALUE "FileDescription", "Pinring DMA driver"
      VALUE "FileVersion", "{version}"
      VALUE "InternalName", "pinring_kmdf"
      VALUE "LegalCopyright", "MIT OR Apache-2.0"
      VALUE "OriginalFilename", "pinring_kmdf.sys"
      VALUE "ProductName", "Pinring"
      VALUE "ProductVersion", "{version}"
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x409, 0x4b0
  END
END
"#
    )
}
