//! yosys and ABC.

use super::plan::Proof;
use crate::debian;
use crate::process::output;
use crate::python::Tools;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's package of ABC.
pub const DEBIAN_PACKAGES: &[&str] = &["berkeley-abc"];

/// Names under which ABC comes.
const PROGRAMS: [&str; 3] = ["berkeley-abc", "yosys-abc", "abc"];

/// Seconds that one proof may take.
const LIMIT: u32 = 1800;

/// Extension of what harnesses share.
const SHARED: &str = "svh";

/// From module and harness to an and-inverter graph: the passes that SymbiYosys uses. Memories become flip-flops, clocks are
/// implied, and flip-flops without an initial value begin with any.
const PASSES: &str = "\
hierarchy -check -top harness
proc
flatten
opt_clean
check -assert
delete -output
memory_map -formal
opt -full
CLOCKS
chformal -lower
formalff -clk2ff -ff2anyinit
techmap
simplemap
dffunmap
setundef -anyseq
aigmap
opt_clean
write_aiger -I -B -zinit -no-startoffset -map model.aim -ywmap model.ywa model.aig
";

/// How a question to ABC came out.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// The property holds for ever.
    Proved,
    /// It holds in so many cycles.
    HoldsFor(u32),
    /// It is violated in this cycle at the latest.
    Refuted(u32),
    /// Time ran out.
    Open,
}

/// The tools, and where they work.
pub struct Engine {
    yosys: PathBuf,
    yosys_cache: PathBuf,
    abc: &'static str,
    work: PathBuf,
    harnesses: PathBuf,
}

/// An and-inverter graph.
pub struct Model {
    folder: PathBuf,
    properties: Vec<String>,
}

impl Model {
    /// Labels of its assertions.
    pub fn properties(&self) -> &[String] {
        &self.properties
    }

    fn output(&self, property: &str) -> Result<usize> {
        let found = self.properties.iter().position(|name| name == property);
        found.with_context(|| {
            format!(
                "{}: its harness asserts no {property}",
                self.folder.display()
            )
        })
    }
}

/// What yosys tells of the graph it writes.
#[derive(Deserialize)]
struct Map {
    /// Path of each assertion, in the order of the outputs.
    asserts: Vec<Vec<String>>,
}

/// ABC's program, if it is there.
pub fn abc() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| {
        let said = output(Command::new(program).args(["-c", "version"]));
        said.is_ok_and(|said| said.contains("ABC"))
    })
}

impl Engine {
    /// Finds the tools, or gets them.
    pub fn provision(tools: &Tools, work: &Path, harnesses: &Path) -> Result<Self> {
        if abc().is_none() {
            debian::install("the model checker ABC is missing", DEBIAN_PACKAGES)?;
        }
        Ok(Self {
            yosys: tools.yosys.clone(),
            yosys_cache: tools.yosys_cache.clone(),
            abc: abc().context("ABC does not run")?,
            work: work.to_owned(),
            harnesses: harnesses.to_owned(),
        })
    }

    /// Makes the graph of a proof's modules, given as `verilog`, in its harness.
    pub fn model(
        &self,
        proof: &Proof,
        variant: &str,
        defines: &[&str],
        verilog: &str,
    ) -> Result<Model> {
        let folder = self.work.join(&proof.name).join(variant);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        // yosys is WebAssembly that sees nothing but the folder in which it runs.
        for entry in fs::read_dir(&self.harnesses)? {
            let path = entry?.path();
            let wanted = path.ends_with(&proof.harness)
                || path
                    .extension()
                    .is_some_and(|extension| extension == SHARED);
            if let (true, Some(name)) = (wanted, path.file_name()) {
                fs::copy(&path, folder.join(name))
                    .with_context(|| format!("cannot copy {}", path.display()))?;
            }
        }
        fs::write(folder.join("modules.v"), verilog)?;
        let macros: String = defines
            .iter()
            .copied()
            .chain(proof.defines.iter().map(String::as_str))
            .map(|name| format!(" -D{name}"))
            .collect();
        let clocks = if proof.two_clocks {
            "clk2fflogic"
        } else {
            "async2sync"
        };
        let script = format!(
            "read_verilog modules.v\nread_verilog -sv -formal{macros} {}\n{}",
            proof.harness,
            PASSES.replace("CLOCKS", clocks)
        );
        fs::write(folder.join("model.ys"), script)?;
        self.yosys(&folder, "model.ys")?;
        let map: Map = serde_json::from_str(&fs::read_to_string(folder.join("model.ywa"))?)
            .context("yosys' map of the graph")?;
        let label = |path: &Vec<String>| {
            let last = path.last().map(String::as_str).unwrap_or_default();
            last.trim_start_matches('\\').to_owned()
        };
        let properties = map.asserts.iter().map(label).collect();
        Ok(Model { folder, properties })
    }

    /// Proves a property without bound.
    pub fn prove(&self, model: &Model, property: &str) -> Result<Verdict> {
        self.ask(model, property, &format!("scleanup; pdr -T {LIMIT}"))
    }

    /// Looks for a violation in the first `depth` cycles.
    pub fn refute(&self, model: &Model, property: &str, depth: u32) -> Result<Verdict> {
        let verdict = self.ask(
            model,
            property,
            &format!("scleanup; bmc3 -F {depth} -T {LIMIT}"),
        )?;
        Ok(match verdict {
            // Time ran out.
            Verdict::HoldsFor(cycles) if cycles < depth => Verdict::Open,
            other => other,
        })
    }

    fn ask(&self, model: &Model, property: &str, question: &str) -> Result<Verdict> {
        let output_number = model.output(property)?;
        // Assumptions become part of every output; then the one in question is left alone.
        let commands =
            format!("read_aiger model.aig; fold; strash; cone -s -O {output_number}; {question}");
        let said = output(
            Command::new(self.abc)
                .current_dir(&model.folder)
                .args(["-c", &commands]),
        )?;
        match verdict(&said) {
            Some(verdict) => Ok(verdict),
            None => bail!("{} said what nobody understands:\n{said}", self.abc),
        }
    }

    /// What the harness was given, cycle by cycle, up to a violation in this cycle: a file.
    pub fn trace(&self, model: &Model, property: &str, cycle: u32) -> Result<PathBuf> {
        // On the graph as yosys wrote it, to which its map belongs.
        let depth = cycle.saturating_add(1);
        let witness = format!("{property}.aiw");
        self.ask(
            model,
            property,
            &format!("bmc3 -F {depth}; write_cex -a {witness}"),
        )?;
        let read = |name: &str| -> Result<String> {
            let file = model.folder.join(name);
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
        };
        let file = model.folder.join(format!("{property}.txt"));
        fs::write(&file, inputs(&read("model.aim")?, &read(&witness)?)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    fn yosys(&self, folder: &Path, script: &str) -> Result<()> {
        let mut command = Command::new(&self.yosys);
        command
            .current_dir(folder)
            .env("YOWASP_CACHE_DIR", &self.yosys_cache)
            .args(["-q", script]);
        output(&mut command).map(drop)
    }
}

/// What ABC's answer means.
fn verdict(said: &str) -> Option<Verdict> {
    let number = |line: &str, before: &str| -> Option<u32> {
        let rest = line.split_once(before)?.1;
        let end = rest.find(|character: char| !character.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse().ok()
    };
    said.lines().find_map(|line| {
        if line.contains("was asserted in frame ") {
            number(line, "was asserted in frame ").map(Verdict::Refuted)
        } else if line.contains("Property proved") {
            Some(Verdict::Proved)
        } else if line.contains("No output asserted in ") {
            number(line, "No output asserted in ").map(Verdict::HoldsFor)
        } else if line.contains("Property UNDECIDED") || line.contains("timeout") {
            Some(Verdict::Open)
        } else {
            None
        }
    })
}

/// Inputs in each cycle of a witness (a line of initial states, then one of input bits per cycle), by yosys' map of their bits.
fn inputs(map: &str, witness: &str) -> Result<String> {
    let mut bits = Vec::new();
    for line in map.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["input" | "init", number, bit, name] = words[..] {
            let number: usize = number.parse().context("the map's number of an input")?;
            let bit: usize = bit.parse().context("the map's number of a bit")?;
            bits.push((number, bit, name));
        }
    }
    let mut text = String::new();
    for (cycle, line) in witness.lines().skip(1).enumerate() {
        let mut values: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for &(number, bit, name) in &bits {
            let value = line.as_bytes().get(number).copied().unwrap_or(b'?');
            let digits = values.entry(name).or_default();
            if digits.len() <= bit {
                digits.resize(bit + 1, b'?');
            }
            digits[bit] = value;
        }
        text += &format!("cycle {cycle}\n");
        for (name, digits) in values {
            let digits: String = digits
                .iter()
                .rev()
                .map(|&digit| char::from(digit))
                .collect();
            text += &format!("  {name} {digits}\n");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_abc_are_understood() {
        for (said, meant) in [
            (
                "Output 0 of miter \"model\" was asserted in frame 12. Time = 0.01 sec",
                Some(Verdict::Refuted(12)),
            ),
            (
                "Property proved.  Time =     0.45 sec",
                Some(Verdict::Proved),
            ),
            (
                "No output asserted in 30 frames. Resource limit reached (conf limit 0). Time = 7 sec",
                Some(Verdict::HoldsFor(30)),
            ),
            (
                "Property UNDECIDED.  Time =    60.00 sec",
                Some(Verdict::Open),
            ),
            ("Cannot open input file \"model.aig\".", None),
        ] {
            let text = format!("ABC command line: ...\nWarning: something.\n{said}\n");
            assert_eq!(verdict(&text), meant);
        }
    }

    #[test]
    fn a_witness_shows_the_inputs() {
        let map = "input 0 1 data\ninput 1 0 data\ninput 2 0 write\nlatch 0 0 head\nninitff 3\n";
        let text = inputs(map, "0000\n101\n010\n").unwrap();
        assert_eq!(
            text,
            "cycle 0\n  data 10\n  write 1\ncycle 1\n  data 01\n  write 0\n"
        );
        assert!(inputs("input x 0 data\n", "").is_err());
    }
}
