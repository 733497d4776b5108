//! The checked-in generated files are what the declarations say, and C sees the same offsets.

use std::path::Path;
use std::process::Command;

use pinring_protocol::catalogue::{COMMANDS, MESSAGES, REGISTERS, STRUCTURES};
use pinring_protocol::describe::{Field, mask};
use pinring_protocol::generate;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn checked_in_files_are_fresh() {
    let stale = generate::stale(root()).expect("the repository's files can be read");
    assert!(
        stale.is_empty(),
        "stale: {stale:?}; run `{}`",
        generate::COMMAND
    );
}

#[test]
fn every_generated_file_starts_with_its_command() {
    for (path, contents) in generate::files() {
        let start: String = contents.lines().take(2).collect();
        assert!(
            start.contains("cargo xtask generate"),
            "{path} starts with {start:?}"
        );
    }
}

#[test]
fn stale_and_missing_files_are_noticed_and_rewritten() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let all: Vec<_> = generate::files()
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(generate::write(folder.path()).expect("written"), all);
    assert_eq!(generate::stale(folder.path()).expect("read"), [""; 0]);
    let header = folder.path().join("protocol/include/pinring.h");
    let text = std::fs::read_to_string(&header).expect("the header");
    std::fs::write(
        &header,
        text.replace("uint64_t cookie;", "uint32_t cookie;"),
    )
    .expect("written");
    assert_eq!(
        generate::stale(folder.path()).expect("read"),
        ["protocol/include/pinring.h"]
    );
}

/// `SgUniformElement` in group `message` to `message_sg_uniform_element`; written apart from the generator's own naming.
fn c_name(group: &str, name: &str) -> String {
    let mut out = if group.is_empty() {
        String::new()
    } else {
        format!("{group}_")
    };
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn assertion(condition: &str) -> String {
    format!("_Static_assert({condition}, \"{condition}\");\n")
}

/// Shift and mask of a field of the word that begins at bit `base`.
fn part(owner: &str, field: &Field, base: usize) -> String {
    let name = format!(
        "PINRING_{}_{}",
        owner.to_uppercase(),
        field.name.to_uppercase()
    );
    let shift = field.offset - base;
    assertion(&format!("{name}_SHIFT == {shift}"))
        + &assertion(&format!(
            "{name}_MASK == {:#x}ull",
            mask(field.width) << shift
        ))
}

/// A translation unit that asserts every size, offset, shift and mask against the header.
fn translation_unit() -> String {
    let mut unit = String::from("#include <stddef.h>\n#include \"pinring.h\"\n");
    for structure in STRUCTURES.iter().chain(MESSAGES).chain(COMMANDS) {
        let name = c_name(structure.group, structure.name);
        let tag = format!("struct pinring_{name}");
        unit += &assertion(&format!("sizeof({tag}) == {}", structure.bytes));
        for item in structure.items {
            let member = item.field.name;
            unit += &assertion(&format!(
                "offsetof({tag}, {member}) * 8 == {}",
                item.field.offset
            ));
            unit += &assertion(&format!(
                "sizeof((({tag} *)0)->{member}) * 8 == {}",
                item.field.width
            ));
            for field in item.parts {
                unit += &part(&name, field, item.field.offset);
            }
        }
    }
    for register in REGISTERS {
        unit += &assertion(&format!(
            "PINRING_REG_{} == {:#x}",
            register.name, register.offset
        ));
        for field in register.fields {
            unit += &part(&format!("REG_{}", register.name), field, 0);
        }
    }
    unit += &assertion(&format!(
        "PINRING_LAYOUT_HASH == {:#x}ull",
        pinring_protocol::LAYOUT_HASH
    ));
    unit
}

fn compile(header: &str, unit: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("layout.c");
    std::fs::write(folder.path().join("pinring.h"), header).expect("written");
    std::fs::write(&source, unit).expect("written");
    let output = Command::new("gcc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-fsyntax-only",
        ])
        .arg(&source)
        .output()
        .map_err(|error| format!("gcc does not start ({error}): install the package gcc"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn c_sees_the_same_layout() {
    let header =
        std::fs::read_to_string(root().join("protocol/include/pinring.h")).expect("the header");
    let unit = translation_unit();
    assert!(
        unit.matches("_Static_assert").count() > 300,
        "the unit asserts next to nothing"
    );
    compile(&header, &unit).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn c_notices_a_moved_field_and_a_moved_bit() {
    let header =
        std::fs::read_to_string(root().join("protocol/include/pinring.h")).expect("the header");
    let changes = [
        ("uint32_t pages;", "uint16_t pages; uint16_t more;"),
        (
            "PINRING_SG_ELEMENT_VALID_SHIFT 0",
            "PINRING_SG_ELEMENT_VALID_SHIFT 1",
        ),
        (
            "PINRING_SG_ELEMENT_VALID_MASK UINT64_C(0x1)",
            "PINRING_SG_ELEMENT_VALID_MASK UINT64_C(0x2)",
        ),
        ("PINRING_REG_CONTROL 0x040u", "PINRING_REG_CONTROL 0x044u"),
    ];
    for (from, to) in changes {
        let broken = header.replace(from, to);
        assert_ne!(broken, header, "{from} is not in the header");
        let error = compile(&broken, &translation_unit()).expect_err(from);
        assert!(error.contains("static assertion failed"), "{error}");
    }
}
