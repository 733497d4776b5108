//! The list of proofs.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// `hdl/formal/proofs.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub proof: Vec<Proof>,
}

/// Modules in a harness.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    pub name: String,
    /// The modules, as people call them.
    pub module: String,
    /// The modules, as `emit_modules` calls them.
    pub sources: Vec<String>,
    /// File of the harness, whose top module is `harness`.
    pub harness: String,
    /// Macros of the harness, `NAME` or `NAME=VALUE`.
    #[serde(default)]
    pub defines: Vec<String>,
    /// The harness drives the clocks: a step is less than a cycle.
    #[serde(default)]
    pub two_clocks: bool,
    /// Takes seconds.
    #[serde(default)]
    pub quick: bool,
    /// Cycles in which everything must have happened that the harness lists, and mutants of unbounded proofs must have failed.
    pub reach: u32,
    pub property: Vec<Property>,
}

/// A property of the harness.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// Label of its assertion.
    pub name: String,
    pub says: String,
    /// Cycles for which it is shown; without: for ever.
    pub depth: Option<u32>,
    pub mutant: Mutant,
}

/// A change of one line of the Verilog that breaks a property.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// Text that is there exactly once.
    pub find: String,
    pub replace: String,
}

impl Plan {
    /// Reads and checks the list.
    pub fn read(file: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let plan: Self = toml::from_str(text)?;
        let mut names = BTreeSet::new();
        for proof in &plan.proof {
            ensure!(
                is_name(&proof.name),
                "{:?} is no name of a proof",
                proof.name
            );
            ensure!(
                !proof.sources.is_empty(),
                "proof {} has no sources",
                proof.name
            );
            for property in &proof.property {
                let full = format!("{}.{}", proof.name, property.name);
                ensure!(is_name(&property.name), "{full}: no name of a property");
                let mutant = &property.mutant;
                ensure!(
                    mutant.find != mutant.replace && !mutant.find.is_empty(),
                    "{full}: its mutant changes nothing"
                );
                ensure!(
                    !mutant.find.contains('\n'),
                    "{full}: its mutant changes more than a line"
                );
                ensure!(names.insert(full.clone()), "{full} is there twice");
            }
        }
        Ok(plan)
    }
}

/// Names of proofs are names of folders, too.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}

impl Mutant {
    /// The Verilog with the change.
    ///
    /// # Errors
    /// Verilog that does not have the text exactly once: then nobody knows what the mutant would be.
    pub fn apply(&self, verilog: &str) -> Result<String> {
        let times = verilog.matches(&self.find).count();
        ensure!(
            times == 1,
            "the mutant's text is there {times} times, not once: {:?}",
            self.find
        );
        Ok(verilog.replacen(&self.find, &self.replace, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [[proof]]
        name = "a"
        module = "A"
        sources = ["a"]
        harness = "a.sv"
        reach = 9
        [[proof.property]]
        name = "p"
        says = "nothing"
        mutant = { find = "x + 1", replace = "x + 2" }
    "#;

    #[test]
    fn a_list_that_is_not_right_is_refused() {
        let plan = Plan::parse(GOOD).unwrap();
        assert_eq!(plan.proof[0].property[0].depth, None);
        for (from, to, message) in [
            ("reach = 9", "reach = 9\ndepht = 3", "depht"),
            ("name = \"a\"", "name = \"../a\"", "no name of a proof"),
            ("name = \"p\"", "name = \"p q\"", "no name of a property"),
            ("[\"a\"]", "[]", "no sources"),
            ("x + 2", "x + 1", "changes nothing"),
            ("x + 1", "x\\n+ 1", "more than a line"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = format!("{:#}", Plan::parse(&GOOD.replace(from, to)).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
        let property = &GOOD[GOOD.find("[[proof.property]]").unwrap()..];
        let error = Plan::parse(&format!("{GOOD}{property}")).unwrap_err();
        assert_eq!(error.to_string(), "a.p is there twice");
    }

    #[test]
    fn a_mutant_must_know_its_place() {
        let plan = Plan::parse(GOOD).unwrap();
        let mutant = &plan.proof[0].property[0].mutant;
        assert_eq!(mutant.apply("a = x + 1;").unwrap(), "a = x + 2;");
        let error = mutant.apply("a = x - 1;").unwrap_err().to_string();
        assert!(
            error.contains("0 times") && error.contains("x + 1"),
            "{error}"
        );
        let error = mutant
            .apply("a = x + 1; b = x + 1;")
            .unwrap_err()
            .to_string();
        assert!(error.contains("2 times"), "{error}");
    }
}
