//! The C header: stdint structures, and shift and mask macros for fields inside a word.

use std::fmt::Write;

use heck::{ToShoutySnakeCase, ToSnakeCase};

use super::{COMMAND, prose};
use crate::catalogue::{
    APERTURES, CODES, COMMANDS, LAYOUT_HASH, LIMITS, MESSAGES, MMIO, REGISTERS, STRUCTURES,
};
use crate::describe::{CodeSet, ConstantSet, Field, Register, Structure, mask};

pub(super) fn header() -> String {
    let mut out = format!(
        "/* Generated from the declarations in protocol/src: do not edit.\n * Made by: {COMMAND}\n *\n \
         * Pinring's wire format. Everything is little-endian; bits without a name are reserved and zero.\n \
         */\n\
         /* SPDX-License-Identifier: MIT OR Apache-2.0 */\n\
         #ifndef PINRING_H\n#define PINRING_H\n\n#include <stdint.h>\n\n\
         #define PINRING_MAGIC {:#x}u\n\
         #define PINRING_ABI_MAJOR {}u\n\
         #define PINRING_ABI_MINOR {}u\n\
         /* Hash over every layout; a device whose register LAYOUT_HASH differs must be refused. */\n\
         #define PINRING_LAYOUT_HASH UINT64_C({LAYOUT_HASH:#018x})\n",
        crate::MAGIC,
        crate::ABI_MAJOR,
        crate::ABI_MINOR,
    );
    for set in CODES {
        codes(&mut out, set);
    }
    for set in [APERTURES, LIMITS, MMIO] {
        constants(&mut out, &set);
    }
    for register in REGISTERS {
        self::register(&mut out, register);
    }
    for structure in STRUCTURES.iter().chain(MESSAGES).chain(COMMANDS) {
        self::structure(&mut out, structure);
    }
    out += "\n#endif\n";
    out
}

/// Appends one line; writing into a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {{
        let _ = writeln!($out, $($format)*);
    }};
}

fn codes(out: &mut String, set: &CodeSet) {
    line!(out, "\n/* {} */", prose(set.doc));
    for code in set.codes {
        line!(out, "/* {} */", prose(code.doc));
        let (set, name) = (
            set.name.to_shouty_snake_case(),
            code.name.to_shouty_snake_case(),
        );
        line!(out, "#define PINRING_{set}_{name} {:#x}u", code.value);
    }
}

fn constants(out: &mut String, set: &ConstantSet) {
    line!(out, "");
    for constant in set.constants {
        line!(out, "/* {} */", prose(constant.doc));
        line!(
            out,
            "#define PINRING_{}_{} {:#x}u",
            set.name.to_shouty_snake_case(),
            constant.name,
            constant.value
        );
    }
}

fn register(out: &mut String, register: &Register) {
    line!(out, "\n/* {} */", prose(register.doc));
    line!(
        out,
        "#define PINRING_REG_{} {:#05x}u /* {} bits, {:?} */",
        register.name,
        register.offset,
        register.width,
        register.access
    );
    for field in register.fields {
        part(
            out,
            &format!("REG_{}", register.name),
            field,
            0,
            register.width,
        );
    }
}

/// Shift and mask of a field within the word that starts at bit `base`.
fn part(out: &mut String, owner: &str, field: &Field, base: usize, word: usize) {
    let name = field.name.to_shouty_snake_case();
    let literal = if word == 64 { "UINT64_C" } else { "UINT32_C" };
    line!(out, "/* {} */", prose(field.doc));
    line!(
        out,
        "#define PINRING_{owner}_{name}_SHIFT {}",
        field.offset - base
    );
    line!(
        out,
        "#define PINRING_{owner}_{name}_MASK {literal}({:#x})",
        mask(field.width) << (field.offset - base)
    );
}

/// Name of a structure, in snake case, with the group that it is unique in.
fn name(structure: &Structure) -> String {
    format!("{} {}", structure.group, structure.name).to_snake_case()
}

fn structure(out: &mut String, structure: &Structure) {
    let name = name(structure);
    line!(
        out,
        "\n/* {} {} bytes. */",
        prose(structure.doc),
        structure.bytes
    );
    line!(out, "struct pinring_{name} {{");
    let mut next = 0;
    for item in structure.items {
        let field = &item.field;
        reserved(out, next, field.offset / 8);
        line!(
            out,
            "\t/* {:#04x}: {} */",
            field.offset / 8,
            prose(field.doc)
        );
        match field.of.filter(|_| field.width > 64) {
            Some(nested) => line!(
                out,
                "\tstruct pinring_{} {};",
                nested.to_snake_case(),
                field.name
            ),
            None => line!(out, "\tuint{}_t {};", field.width, field.name),
        }
        next = (field.offset + field.width) / 8;
    }
    reserved(out, next, structure.bytes);
    line!(out, "}};");
    for item in structure.items {
        for field in item.parts {
            part(
                out,
                &name.to_shouty_snake_case(),
                field,
                item.field.offset,
                item.field.width,
            );
        }
    }
}

fn reserved(out: &mut String, from: usize, to: usize) {
    if from < to {
        line!(out, "\tuint8_t reserved_{from:02x}[{}];", to - from);
    }
}
