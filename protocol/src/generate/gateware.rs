//! Decode and encode blocks in rust-hdl, one for each 128-bit word of each structure, and constants.
//!
//! rust-hdl turns expressions into Verilog as they are written, so offsets must stand in them as literals: hence generated code.
//! A block is wires only; slices of a port and `|` of shifted casts are forms for which its simulation and its Verilog agree.

use std::fmt::Write;

use heck::{ToShoutySnakeCase, ToUpperCamelCase};

use super::{COMMAND, prose};
use crate::catalogue::{
    APERTURES, CODES, COMMANDS, LAYOUT_HASH, LIMITS, MESSAGES, MMIO, REGISTERS, STRUCTURES,
};
use crate::describe::{ConstantSet, Field, Structure};

/// Bits of the gateware's descriptor words.
const WORD: usize = 128;

/// Appends one line; writing into a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {{
        let _ = writeln!($out, $($format)*);
    }};
}

pub(super) fn files() -> Vec<(&'static str, String)> {
    let blocks = |doc: &str, structures: &[Structure]| {
        let mut out = start(doc);
        out += "use rust_hdl::prelude::*;\n";
        for structure in structures {
            structure_blocks(&mut out, structure);
        }
        out
    };
    vec![
        ("hdl/src/generated/mod.rs", module()),
        ("hdl/src/generated/constants.rs", constants()),
        (
            "hdl/src/generated/structures.rs",
            blocks(
                "Words of the structures in host memory and BAR0.",
                STRUCTURES,
            ),
        ),
        (
            "hdl/src/generated/messages.rs",
            blocks("Mailbox entries to the firmware.", MESSAGES),
        ),
        (
            "hdl/src/generated/commands.rs",
            blocks("Mailbox entries from the firmware.", COMMANDS),
        ),
    ]
}

fn start(doc: &str) -> String {
    format!(
        "// Generated from the declarations in protocol/src: do not edit.\n// Made by: {COMMAND}\n\n//! {doc}\n\n"
    )
}

fn module() -> String {
    let mut out = start("What the gateware knows of the wire format.");
    for name in ["commands", "constants", "messages", "structures"] {
        line!(out, "#[rustfmt::skip]\npub mod {name};");
    }
    out
}

fn constants() -> String {
    let mut out = start("Numbers of the wire format, for `Constant::new(NAME.into())`.");
    line!(
        out,
        "/// Hash over every layout.\npub const LAYOUT_HASH: u64 = {LAYOUT_HASH:#018x};"
    );
    line!(
        out,
        "/// \"PRNG\" in little-endian ASCII.\npub const MAGIC: u64 = {:#x};",
        crate::MAGIC
    );
    line!(
        out,
        "/// Major version of the binary interface.\npub const ABI_MAJOR: u64 = {};",
        crate::ABI_MAJOR
    );
    line!(
        out,
        "/// Minor version of the binary interface.\npub const ABI_MINOR: u64 = {};",
        crate::ABI_MINOR
    );
    for register in REGISTERS {
        line!(
            out,
            "\n/// Offset in BAR0 ({} bits). {}",
            register.width,
            prose(register.doc)
        );
        line!(
            out,
            "pub const REG_{}: u64 = {:#05x};",
            register.name,
            register.offset
        );
    }
    for set in CODES {
        line!(out, "");
        for code in set.codes {
            line!(out, "/// {}", prose(code.doc));
            let (set, name) = (
                set.name.to_shouty_snake_case(),
                code.name.to_shouty_snake_case(),
            );
            line!(out, "pub const {set}_{name}: u64 = {:#x};", code.value);
        }
    }
    for set in [APERTURES, MMIO, LIMITS] {
        constant_set(&mut out, &set);
    }
    out
}

fn constant_set(out: &mut String, set: &ConstantSet) {
    line!(out, "");
    for constant in set.constants {
        line!(out, "/// {}", prose(constant.doc));
        line!(
            out,
            "pub const {}_{}: u64 = {:#x};",
            set.name.to_shouty_snake_case(),
            constant.name,
            constant.value
        );
    }
}

/// One word of a structure, as a block sees it.
struct Word<'a> {
    /// `SubmissionEntry`, `MessageMiss`.
    name: String,
    /// Empty if the structure is a single word.
    number: String,
    /// What it is, for the documentation.
    what: String,
    /// Bits of the raw port.
    width: usize,
    /// First bit of the word in the structure.
    base: usize,
    fields: Vec<&'a Field>,
}

fn structure_blocks(out: &mut String, structure: &Structure) {
    let words = (structure.bytes * 8).div_ceil(WORD);
    for number in 0..words {
        let base = number * WORD;
        let width = WORD.min(structure.bytes * 8 - base);
        let inside =
            |field: &&Field| field.offset < base + width && field.offset + field.width > base;
        let fields: Vec<&Field> = structure.fields.iter().filter(inside).collect();
        if fields.iter().any(|field| field.width > WORD) {
            continue; // a nested structure has blocks of its own
        }
        let bytes = format!("bytes {:#04x} to {:#04x}", base / 8, (base + width) / 8 - 1);
        let word = Word {
            name: format!("{} {}", structure.group, structure.name).to_upper_camel_case(),
            number: if words == 1 {
                String::new()
            } else {
                number.to_string()
            },
            what: if words == 1 {
                structure.name.to_owned()
            } else {
                format!("{}, {bytes}", structure.name)
            },
            width,
            base,
            fields,
        };
        decode(out, &word);
        if structure.group == "message"
            || structure.name == "CompletionEntry"
            || (structure.name == "QueueContext" && number == 1)
        {
            encode(out, &word);
        }
    }
}

/// The type of a field's port.
fn port(field: &Field) -> String {
    if field.width == 1 {
        "Bit".to_owned()
    } else {
        format!("Bits<{}>", field.width)
    }
}

/// The name of a field's port: its own, unless Verilog or Verilator's C++ keeps that word for itself.
fn port_name(field: &Field) -> &'static str {
    match field.name {
        "function" => "function_id",
        "queue" => "queue_id",
        name => name,
    }
}

/// A slice of the raw port that gives the field.
fn slice(low: usize, width: usize) -> String {
    if width == 1 {
        format!("self.raw.val().get_bit({low})")
    } else {
        format!("self.raw.val().get_bits::<{width}>({low})")
    }
}

fn decode(out: &mut String, word: &Word) {
    let name = format!("{}Decode{}", word.name, word.number);
    line!(
        out,
        "\n/// Splits a raw word into its fields: {}.",
        word.what
    );
    line!(out, "#[derive(LogicBlock, Default)]\npub struct {name} {{");
    line!(
        out,
        "    /// The raw word.\n    pub raw: Signal<In, Bits<{}>>,",
        word.width
    );
    for field in &word.fields {
        line!(
            out,
            "    /// {}\n    pub {}: Signal<Out, {}>,",
            prose(field.doc),
            port_name(field),
            port(field)
        );
    }
    line!(
        out,
        "    /// A bit that must be zero is set.\n    pub reserved: Signal<Out, Bit>,\n}}\n"
    );
    line!(
        out,
        "impl Logic for {name} {{\n    #[hdl_gen]\n    fn update(&mut self) {{"
    );
    for field in &word.fields {
        line!(
            out,
            "        self.{}.next = {};",
            port_name(field),
            slice(field.offset - word.base, field.width)
        );
    }
    let terms: Vec<String> = gaps(word)
        .into_iter()
        .map(|(low, width)| match width {
            1 => slice(low, 1),
            _ => format!("{}.any()", slice(low, width)),
        })
        .collect();
    match terms.as_slice() {
        [] => line!(out, "        self.reserved.next = false;"),
        [term] => line!(out, "        self.reserved.next = {term};"),
        terms => line!(
            out,
            "        self.reserved.next = ({});",
            terms.join(") | (")
        ),
    }
    line!(out, "    }}\n}}");
}

/// The runs of bits in the word that must be zero.
fn gaps(word: &Word) -> Vec<(usize, usize)> {
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    for bit in 0..word.width {
        let at = word.base + bit;
        let free = |field: &&&Field| {
            !field.must_be_zero && (field.offset..field.offset + field.width).contains(&at)
        };
        if word.fields.iter().any(|field| free(&field)) {
            continue;
        }
        match gaps.last_mut() {
            Some((low, width)) if *low + *width == bit => *width += 1,
            _ => gaps.push((bit, 1)),
        }
    }
    gaps
}

fn encode(out: &mut String, word: &Word) {
    let name = format!("{}Encode{}", word.name, word.number);
    // The kind of a mailbox entry is fixed by the block, not an input of it.
    let kind = CODES.iter().find(|set| {
        word.fields
            .iter()
            .any(|f| f.name == "kind" && f.of == Some(set.name))
    });
    let kind = kind
        .and_then(|set| set.codes.iter().find(|code| word.what == code.name))
        .map(|code| code.value);
    let inputs: Vec<&&Field> = word
        .fields
        .iter()
        .filter(|field| !(field.must_be_zero || (kind.is_some() && field.name == "kind")))
        .collect();
    line!(out, "\n/// Joins fields into a raw word: {}.", word.what);
    line!(out, "#[derive(LogicBlock, Default)]\npub struct {name} {{");
    for field in &inputs {
        line!(
            out,
            "    /// {}\n    pub {}: Signal<In, {}>,",
            prose(field.doc),
            port_name(field),
            port(field)
        );
    }
    line!(
        out,
        "    /// The raw word.\n    pub raw: Signal<Out, Bits<{}>>,\n}}\n",
        word.width
    );
    line!(
        out,
        "impl Logic for {name} {{\n    #[hdl_gen]\n    fn update(&mut self) {{"
    );
    let mut terms: Vec<String> = kind
        .map(|kind| format!("bits::<{}>({kind})", word.width))
        .into_iter()
        .collect();
    terms.extend(inputs.iter().map(|field| {
        let (low, into) = (
            field.offset - word.base,
            if field.width == 1 { ".into()" } else { "" },
        );
        let cast = format!(
            "bit_cast::<{}, {}>(self.{}.val(){into})",
            word.width,
            field.width,
            port_name(field)
        );
        if low == 0 {
            cast
        } else {
            format!("({cast} << {low})")
        }
    }));
    line!(
        out,
        "        self.raw.next = {};",
        terms.join("\n            | ")
    );
    line!(out, "    }}\n}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keywords of Verilog and SystemVerilog (IEEE 1800-2017, annex B) and of C++ that could be a field's name.
    const KEYWORDS: &str = "alias always and assert assign assume automatic before begin bind bins bit break buf byte case \
        cell chandle checker class clocking config const constraint context continue cover cross deassign default design disable \
        dist do edge else end endcase enum event expect export extends extern final first_match for force forever fork \
        function generate global if iff implements import include initial inout input inside instance int integer interface \
        intersect join large let library local logic longint macromodule matches medium modport module nand negedge new \
        nexttime nor not null or output package packed parameter posedge primitive priority program property protected pull0 pull1 \
        pure rand randc real ref reg reject_on release repeat restrict return scalared sequence shortint signed small solve \
        specify static string strong struct super supply0 supply1 table tagged task this throughout time timeprecision timeunit \
        tran tri type typedef union unique unsigned until untyped use uwire var vectored virtual void wait weak while \
        wildcard wire with within wor xor \
        auto bool catch char delete double explicit float friend goto inline long mutable namespace operator private public queue \
        register short sizeof switch template throw true false try typename using volatile";

    #[test]
    fn no_port_is_a_keyword() {
        for structure in STRUCTURES.iter().chain(MESSAGES).chain(COMMANDS) {
            for field in structure.fields {
                let taken = KEYWORDS
                    .split_whitespace()
                    .any(|word| word == port_name(field));
                assert!(!taken, "{}.{} cannot be a port", structure.name, field.name);
            }
        }
    }
}
