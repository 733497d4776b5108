//! `cargo xtask formal`: proofs over the emitted Verilog, each beside a mutant of it that must be refuted.
//!
//! `hdl/formal/proofs.toml` lists the proofs; a harness in SystemVerilog there says what a module may be given and what must hold. yosys
//! makes an and-inverter graph of module and harness, in which ABC proves a property without bound (property directed
//! reachability) or to a depth (bounded model checking).

mod engine;
mod plan;

use crate::process::{self, say};
use crate::python;
use crate::workspace::{Workspace, cargo};
use anyhow::{Context, Result, bail, ensure};
use engine::{Engine, Verdict};
use plan::{Mutant, Plan, Proof, Property};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub use engine::{DEBIAN_PACKAGES, abc};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only proofs, or single properties (`proof.property`), of this name
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only the proofs that take seconds
    #[arg(long)]
    quick: bool,
    /// Show the names of proofs and properties and what they say
    #[arg(long)]
    list: bool,
    /// Write the results to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One line of the table.
#[derive(Debug, Serialize)]
struct Row {
    proof: String,
    property: String,
    module: String,
    /// Cycles for which the property was shown; none: for ever.
    depth: Option<u32>,
    seconds: f64,
    /// Cycle in which the mutant breaks the property.
    mutant_refuted_in: u32,
    mutant_seconds: f64,
}

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let folder = workspace.root.join("hdl/formal");
    let plan = Plan::read(&folder.join("proofs.toml"))?;
    let wanted = choose(&plan, arguments)?;
    if arguments.list {
        for (proof, properties) in &wanted {
            for property in properties {
                println!("{}.{}: {}", proof.name, property.name, property.says);
            }
        }
        return Ok(());
    }
    prove(workspace, &folder, &wanted, arguments.json.as_deref())
}

/// Runs the proofs that take seconds.
pub fn quick(workspace: &Workspace) -> Result<()> {
    run(
        workspace,
        &Arguments {
            only: Vec::new(),
            quick: true,
            list: false,
            json: None,
        },
    )
}

/// The proofs that are asked for, with the properties of each.
fn choose<'a>(
    plan: &'a Plan,
    arguments: &Arguments,
) -> Result<Vec<(&'a Proof, Vec<&'a Property>)>> {
    let mut found = vec![false; arguments.only.len()];
    let mut chosen = Vec::new();
    for proof in &plan.proof {
        let mut properties = Vec::new();
        for property in &proof.property {
            let full = format!("{}.{}", proof.name, property.name);
            let mut asked = arguments.only.is_empty() && (proof.quick || !arguments.quick);
            for (name, found) in arguments.only.iter().zip(&mut found) {
                if *name == proof.name || *name == full {
                    (asked, *found) = (true, true);
                }
            }
            if asked {
                properties.push(property);
            }
        }
        if !properties.is_empty() {
            chosen.push((proof, properties));
        }
    }
    if let Some((name, _)) = arguments
        .only
        .iter()
        .zip(&found)
        .find(|(_, found)| !**found)
    {
        bail!("no proof nor property is named {name}; `cargo xtask formal --list` shows them");
    }
    Ok(chosen)
}

fn prove(
    workspace: &Workspace,
    harnesses: &Path,
    wanted: &[(&Proof, Vec<&Property>)],
    json: Option<&Path>,
) -> Result<()> {
    let tools = python::provision(workspace)?;
    let work = workspace.target.join("formal");
    let sources = emit(workspace, &work.join("verilog"))?;
    let engine = Engine::provision(&tools, &work, harnesses)?;
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for (proof, properties) in wanted {
        say(&format!("{}: {}", proof.name, proof.module));
        let verilog = text(proof, &sources, None)?;
        let covered = cover(&engine, proof, &verilog)?;
        faults.extend(covered);
        for property in properties {
            match check(&engine, proof, property, &verilog, &sources)? {
                Ok(row) => rows.push(row),
                Err(fault) => {
                    say(&format!("  {fault}"));
                    faults.push(fault);
                }
            }
        }
    }
    print!("{}", table(&rows));
    if let Some(file) = json {
        fs::write(file, serde_json::to_string_pretty(&rows)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    ensure!(
        faults.is_empty(),
        "{} failed:\n{}",
        faults.len(),
        faults.join("\n")
    );
    Ok(())
}

/// Emits the modules that proofs are about; the text of each by name.
fn emit(workspace: &Workspace, folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut command = cargo();
    command
        .args([
            "run",
            "--quiet",
            "--package",
            "pinring-hdl",
            "--bin",
            "emit_modules",
        ])
        .arg("--manifest-path")
        .arg(workspace.root.join("Cargo.toml"))
        .arg("--")
        .arg(folder);
    process::run_long("emitting the modules' Verilog", &mut command)?;
    let mut sources = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            sources.insert(name.to_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(sources)
}

/// The Verilog of a proof's modules, changed by a mutant.
fn text(
    proof: &Proof,
    sources: &BTreeMap<String, String>,
    mutant: Option<&Mutant>,
) -> Result<String> {
    let mut text = String::new();
    for name in &proof.sources {
        let source = sources
            .get(name)
            .with_context(|| format!("proof {}: no module {name} is emitted", proof.name))?;
        text += source;
    }
    match mutant {
        None => Ok(text),
        Some(mutant) => mutant
            .apply(&text)
            .with_context(|| format!("proof {}", proof.name)),
    }
}

/// Shows that the harness lets everything happen that it lists; what it does not let happen.
fn cover(engine: &Engine, proof: &Proof, verilog: &str) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let model = engine.model(proof, "reached", &["REACHED_ONLY"], verilog)?;
    ensure!(
        !model.properties().is_empty(),
        "proof {}: its harness lists nothing that must be reached",
        proof.name
    );
    for name in model.properties() {
        let start = Instant::now();
        match engine.refute(&model, name, proof.reach)? {
            Verdict::Refuted(cycle) => say(&format!(
                "  {name} happens in cycle {cycle} ({:.1} s)",
                start.elapsed().as_secs_f64()
            )),
            other => faults.push(format!(
                "{}: {name} never happens in {} cycles ({other:?}): the harness assumes too much",
                proof.name, proof.reach
            )),
        }
    }
    Ok(faults)
}

/// Proves a property and refutes its mutant; the fault is what did not come out so.
fn check(
    engine: &Engine,
    proof: &Proof,
    property: &Property,
    verilog: &str,
    sources: &BTreeMap<String, String>,
) -> Result<Result<Row, String>> {
    let name = &property.name;
    let full = format!("{}.{name}", proof.name);
    let model = engine.model(proof, "design", &[], verilog)?;
    let start = Instant::now();
    let verdict = match property.depth {
        None => engine.prove(&model, name)?,
        Some(depth) => engine.refute(&model, name, depth)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    match (&verdict, property.depth) {
        (Verdict::Proved, _) | (Verdict::HoldsFor(_), Some(_)) => {}
        (Verdict::Refuted(cycle), _) => {
            let trace = engine.trace(&model, name, *cycle)?;
            return Ok(Err(format!(
                "{full} is violated in cycle {cycle}: {}",
                trace.display()
            )));
        }
        _ => return Ok(Err(format!("{full} is not decided after {seconds:.0} s"))),
    }
    let changed = text(proof, sources, Some(&property.mutant))?;
    let mutant = engine.model(proof, &format!("mutant-{name}"), &[], &changed)?;
    let start = Instant::now();
    let broken = engine.refute(&mutant, name, property.depth.unwrap_or(proof.reach))?;
    let mutant_seconds = start.elapsed().as_secs_f64();
    let Verdict::Refuted(cycle) = broken else {
        return Ok(Err(format!(
            "{full} holds for its mutant as well ({broken:?})"
        )));
    };
    let reach = match property.depth {
        Some(depth) => format!("holds for {depth} cycles"),
        None => "holds for ever".to_owned(),
    };
    say(&format!(
        "  {name} {reach} ({seconds:.1} s); its mutant fails in cycle {cycle} ({mutant_seconds:.1} s)"
    ));
    Ok(Ok(Row {
        proof: proof.name.clone(),
        property: name.clone(),
        module: proof.module.clone(),
        depth: property.depth,
        seconds,
        mutant_refuted_in: cycle,
        mutant_seconds,
    }))
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<44} {:>9} {:>8} {:>16} {:>8}\n",
        "property", "depth", "seconds", "mutant in cycle", "seconds"
    );
    for row in rows {
        let depth = row
            .depth
            .map_or("unbounded".to_owned(), |depth| depth.to_string());
        text += &format!(
            "{:<44} {depth:>9} {:>8.1} {:>16} {:>8.1}\n",
            format!("{}.{}", row.proof, row.property),
            row.seconds,
            row.mutant_refuted_in,
            row.mutant_seconds
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hdl/formal/proofs.toml");
        Plan::read(&file).unwrap()
    }

    fn arguments(only: &[&str], quick: bool) -> Arguments {
        Arguments {
            only: only.iter().map(|name| name.to_string()).collect(),
            quick,
            list: false,
            json: None,
        }
    }

    #[test]
    fn proofs_are_chosen_by_name() {
        let plan = plan();
        let count = |only: &[&str], quick| -> usize {
            let chosen = choose(&plan, &arguments(only, quick)).unwrap();
            chosen.iter().map(|(_, properties)| properties.len()).sum()
        };
        let all = count(&[], false);
        let properties = plan.proof.iter().map(|proof| proof.property.len());
        assert_eq!(all, properties.sum::<usize>());
        let quick = count(&[], true);
        assert!(quick > 0 && quick < all, "{quick} of {all}");
        assert_eq!(count(&["small-fifo.order"], false), 1);
        assert_eq!(
            count(&["small-fifo.order"], true),
            1,
            "a name beats --quick"
        );
        let whole = count(&["small-fifo"], false);
        assert!(whole > 1 && whole < all);
        assert_eq!(count(&["small-fifo", "small-fifo.order"], false), whole);
        let error = choose(&plan, &arguments(&["small-fifo", "no-such"], false));
        let error = error.expect_err("a name that nothing has").to_string();
        assert!(error.contains("no-such"), "{error}");
    }

    #[test]
    fn a_proof_names_modules_that_are_emitted() {
        let plan = plan();
        let proof = &plan.proof[0];
        let error = text(proof, &BTreeMap::new(), None).unwrap_err().to_string();
        assert!(error.contains(&proof.sources[0]), "{error}");
    }
}
