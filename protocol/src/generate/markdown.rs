//! docs/wire-format.md.

use std::fmt::Write;

use heck::ToShoutySnakeCase;

use super::drawing::draw;
use super::{COMMAND, prose};
use crate::catalogue::{
    APERTURES, CODES, COMMANDS, LAYOUT_HASH, LIMITS, MESSAGES, MMIO, REGISTERS, STRUCTURES,
};
use crate::describe::{Access, CodeSet, ConstantSet, Field, Register, Structure};

/// Appends one line; writing into a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {{
        let _ = writeln!($out, $($format)*);
    }};
}

pub(super) fn document() -> String {
    let mut out = format!(
        "<!-- Generated from the declarations in protocol/src: do not edit. Made by: {COMMAND} -->\n\
         # Wire format\n\n\
         Everything that driver, firmware and gateware share, byte by byte. Little-endian; bit 0 is the lowest bit of byte 0. \
         Bits without a name are reserved: written as zero, and an entry in which one is set is refused. Fields marked \
         *zero* have a name already and are reserved until a feature bit gives them a meaning. In the drawings each row is \
         32 bits, the byte offset on the left; names that do not fit are cut, the tables have them in full.\n\n\
         ABI version {}.{}, layout hash `{LAYOUT_HASH:#018x}`: 64-bit FNV-1a over the major version and every name, place and \
         value on this page, of the limits only those of SG slots. Driver and firmware refuse a device whose hash differs.\n\n\
         - [Structures](#structures)\n- [Codes](#codes)\n- [BAR0](#bar0)\n- [Mailbox](#mailbox)\n- [Limits](#limits)\n\n\
         ## Structures\n",
        crate::ABI_MAJOR,
        crate::ABI_MINOR,
    );
    for item in STRUCTURES {
        structure(&mut out, item);
    }
    line!(out, "\n## Codes");
    for set in CODES {
        codes(&mut out, set);
    }
    bar0(&mut out);
    line!(
        out,
        "\n## Mailbox\n\nEntries of 128 bits between gateware and firmware; who sends what when is told in \
         [gateware.md](gateware.md#mailbox)."
    );
    for (title, entries) in [
        ("Messages: gateware to firmware", MESSAGES),
        ("Commands: firmware to gateware", COMMANDS),
    ] {
        line!(out, "\n### {title}");
        for item in entries {
            mailbox_entry(&mut out, item);
        }
    }
    line!(
        out,
        "\n### The soft core's window\n\nByte offsets from the base.\n"
    );
    constants(&mut out, &MMIO);
    line!(out, "\n## Limits\n");
    constants(&mut out, &LIMITS);
    out
}

fn structure(out: &mut String, structure: &Structure) {
    line!(
        out,
        "\n### {}\n\n{} {} bytes.\n",
        structure.name,
        prose(structure.doc),
        structure.bytes
    );
    line!(
        out,
        "```text\n{}```\n",
        draw(structure.fields, structure.bytes * 8)
    );
    line!(out, "| byte | bits | field | meaning |\n|---|---|---|---|");
    for item in structure.items {
        if item.parts.is_empty() {
            row(out, &item.field, item.field.offset);
        }
        for field in item.parts {
            row(out, field, item.field.offset);
        }
    }
}

/// One row of a field table, its bits counted from bit `base`.
fn row(out: &mut String, field: &Field, base: usize) {
    let low = field.offset - base;
    line!(
        out,
        "| {:#04x} | {} | `{}` | {} |",
        base / 8,
        bits(low, field.width),
        field.name,
        meaning(field)
    );
}

fn bits(low: usize, width: usize) -> String {
    if width == 1 {
        low.to_string()
    } else {
        format!("{}:{low}", low + width - 1)
    }
}

fn meaning(field: &Field) -> String {
    // Some types are told about in the field's own text.
    let of = field
        .of
        .filter(|of| {
            let mut headings = CODES
                .iter()
                .map(|set| set.name)
                .chain(STRUCTURES.iter().map(|item| item.name));
            headings.any(|name| name == *of)
        })
        .map(|of| format!(" ([{of}](#{}))", of.to_lowercase()))
        .unwrap_or_default();
    let zero = if field.must_be_zero { " *zero*" } else { "" };
    format!("{}{of}{zero}", prose(field.doc))
}

fn mailbox_entry(out: &mut String, entry: &Structure) {
    line!(
        out,
        "\n#### {}\n\n{}\n",
        entry.name.to_shouty_snake_case(),
        prose(entry.doc)
    );
    line!(out, "```text\n{}```\n", draw(entry.fields, entry.bytes * 8));
    line!(out, "| byte | bits | field | meaning |\n|---|---|---|---|");
    for field in entry.fields {
        row(out, field, field.offset);
    }
}

fn codes(out: &mut String, set: &CodeSet) {
    line!(
        out,
        "\n### {}\n\n{}\n\n| value | code | meaning |\n|---|---|---|",
        set.name,
        prose(set.doc)
    );
    for code in set.codes {
        line!(
            out,
            "| {:#x} | {} | {} |",
            code.value,
            code.name.to_shouty_snake_case(),
            prose(code.doc)
        );
    }
}

fn bar0(out: &mut String) {
    line!(out, "\n## BAR0\n\n### Apertures\n");
    constants(out, &APERTURES);
    line!(
        out,
        "\n### Registers\n\nRegisters are 32 bits wide; a 64-bit register is a pair, low half first, and may also be read or \
         written by one 64-bit access.\n\n| offset | bits | access | register | meaning |\n|---|---|---|---|---|"
    );
    for register in REGISTERS {
        let (offset, width, name) = (register.offset, register.width, register.name);
        line!(
            out,
            "| {offset:#05x} | {width} | {} | `{name}` | {} |",
            access(register.access),
            prose(register.doc)
        );
    }
    for register in REGISTERS
        .iter()
        .filter(|register| !register.fields.is_empty())
    {
        fields(out, register);
    }
}

fn access(access: Access) -> &'static str {
    match access {
        Access::Ro => "ro",
        Access::Rw => "rw",
        Access::W1c => "w1c",
        Access::Pop => "pop",
    }
}

fn fields(out: &mut String, register: &Register) {
    line!(
        out,
        "\n#### {}\n\n```text\n{}```\n",
        register.name,
        draw(register.fields, register.width)
    );
    line!(out, "| bits | field | meaning |\n|---|---|---|");
    for field in register.fields {
        line!(
            out,
            "| {} | `{}` | {} |",
            bits(field.offset, field.width),
            field.name,
            meaning(field)
        );
    }
}

fn constants(out: &mut String, set: &ConstantSet) {
    line!(out, "| name | value | meaning |\n|---|---|---|");
    for constant in set.constants {
        line!(
            out,
            "| {} | {} | {} |",
            constant.name,
            number(constant.value),
            prose(constant.doc)
        );
    }
}

/// Offsets and addresses in hexadecimal, small numbers in decimal.
fn number(value: u64) -> String {
    if value < 10 {
        value.to_string()
    } else {
        format!("{value} ({value:#x})")
    }
}
