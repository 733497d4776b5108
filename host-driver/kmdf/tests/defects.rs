//! Drivers with one defect each: the double reports every one of them, and names the function.
//!
//! The table is `defects/table.toml`. Each defect is a copy of this crate in which one text is replaced; all copies and the unchanged
//! driver are built into one program (`defects/runner.rs`), which runs the scenario of a defect and prints what the double finds. The
//! workspace of the copies lies below `CARGO_TARGET_TMPDIR` and has a target folder of its own: only what has changed is built again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use toml::{Table, Value};

/// Name of the copy without a defect.
const UNCHANGED: &str = "unchanged";
/// A driver may spin for ever: so long may one run of it take.
const LIMIT: Duration = Duration::from_secs(120);

/// One entry of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defect {
    /// Name, in lower case and with underscores.
    name: String,
    /// What it is, in a sentence.
    what: String,
    /// Source file, from the crate's `src`.
    file: String,
    /// What is replaced; there exactly once.
    find: String,
    /// By what.
    replace: String,
    /// A scenario of the runner.
    scenario: String,
    /// Rule and function of the finding.
    rule: String,
    ddi: String,
    /// What its text has besides.
    #[serde(default)]
    names: String,
    /// What else is replaced.
    #[serde(default)]
    also: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Source file, if it is another.
    file: Option<String>,
    find: String,
    replace: String,
}

impl Defect {
    /// File, what is replaced, and by what.
    fn changes(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let also = self.also.iter().map(|change| {
            let file = change.file.as_deref().unwrap_or(&self.file);
            (file, &*change.find, &*change.replace)
        });
        core::iter::once((&*self.file, &*self.find, &*self.replace)).chain(also)
    }

    /// A file's text with the defect.
    fn apply(&self, file: &str, text: &str) -> String {
        self.changes()
            .filter(|(changed, ..)| *changed == file)
            .fold(text.to_owned(), |text, (_, find, replace)| {
                text.replace(find, replace)
            })
    }
}

#[derive(Deserialize)]
struct Defects {
    defect: Vec<Defect>,
}

fn defects() -> Vec<Defect> {
    let table: Defects = toml::from_str(include_str!("defects/table.toml")).expect("the table");
    table.defect
}

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source of this crate, by path.
fn source() -> BTreeMap<String, String> {
    let folder = crate_folder().join("src");
    fs::read_dir(&folder)
        .expect("the driver's source")
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("its name").to_string_lossy();
            let text = fs::read_to_string(&path).expect("text, as src has no folders");
            (name.into_owned(), text)
        })
        .collect()
}

/// What the table has wrong, a line for each.
fn stale(defects: &[Defect], source: &BTreeMap<String, String>) -> String {
    let mut complaints = String::new();
    let mut names = BTreeSet::from([UNCHANGED]);
    for defect in defects {
        let name = &defect.name;
        for (file, find, _) in defect.changes() {
            let count = source
                .get(file)
                .map_or(0, |text| text.matches(find).count());
            if count != 1 {
                writeln!(complaints, "{name}: src/{file} has the text to replace {count} times: take the driver's present text into tests/defects/table.toml\n{find}").expect("text");
            }
        }
        if !names.insert(&defect.name) {
            writeln!(complaints, "{}: twice in the table", defect.name).expect("text");
        }
    }
    complaints
}

/// Writes a file unless it is like that: what has not changed is not built again.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("written");
}

/// Makes the workspace: a crate for each driver, one that has all of them under the driver's name, and the runner.
fn generate(folder: &Path, defects: &[Defect], source: &BTreeMap<String, String>) {
    let root = crate_folder().join("../..");
    let read = |path: PathBuf| -> Table {
        let text = fs::read_to_string(path).expect("a manifest");
        text.parse().expect("a manifest")
    };
    let mut names: Vec<&str> = defects.iter().map(|defect| &*defect.name).collect();
    names.push(UNCHANGED);

    // The workspace's own table, with the paths seen from here.
    let manifest = read(root.join("Cargo.toml"));
    let mut workspace = manifest["workspace"].as_table().expect("a table").clone();
    workspace.remove("default-members");
    let members = names.iter().map(|name| format!("drivers/{name}"));
    let members = members.chain(["all".into(), "runner".into()]);
    workspace.insert(
        "members".into(),
        Value::Array(members.map(Value::String).collect()),
    );
    let dependencies = workspace["dependencies"].as_table_mut().expect("a table");
    for (name, dependency) in dependencies.iter_mut() {
        if let Some(path) = dependency.get_mut("path") {
            *path = Value::String(match &**name {
                "pinring-kmdf" => "all".into(),
                _ => {
                    let there = root.join(path.as_str().expect("a path"));
                    let there = there.canonicalize().expect("a folder");
                    there.display().to_string()
                }
            });
        }
    }
    let profile: Table = "[dev]\nopt-level = 0\ndebug = false\nincremental = false\n[dev.package.kmdf-sim]\nopt-level = 1\n"
        .parse()
        .expect("a profile");
    let mut top = Table::new();
    top.insert("workspace".into(), Value::Table(workspace));
    top.insert("profile".into(), Value::Table(profile));
    write(&folder.join("Cargo.toml"), &top.to_string());
    let lock = fs::read_to_string(root.join("Cargo.lock")).expect("the lock file");
    // What cargo has made of it stays as long as the lock file is the same.
    if fs::read_to_string(folder.join("Cargo.lock.of"))
        .ok()
        .as_ref()
        != Some(&lock)
    {
        write(&folder.join("Cargo.lock"), &lock);
        write(&folder.join("Cargo.lock.of"), &lock);
    }

    // Dependencies as on this system.
    let own = read(crate_folder().join("Cargo.toml"));
    let mut dependencies = own["dependencies"].as_table().expect("a table").clone();
    let double = own["target"]["cfg(not(windows))"]["dependencies"].as_table();
    dependencies.extend(double.expect("the double").clone());
    let package = |name: &str, dependencies: &Table, rest: &str| {
        let dependencies = Table::from_iter([(
            "dependencies".to_owned(),
            Value::Table(dependencies.clone()),
        )]);
        format!("[package]\nname = \"{name}\"\nedition.workspace = true\n\n{rest}\n{dependencies}")
    };
    let one = |text: &str| -> Table { text.parse().expect("a table") };

    let (mut all, mut known, mut entries) = (Table::new(), String::new(), String::new());
    for name in names {
        let place = folder.join("drivers").join(name);
        let crate_name = format!("driver_{name}");
        write(
            &place.join("Cargo.toml"),
            &package(&crate_name, &dependencies, ""),
        );
        for (file, text) in source {
            let changed = defects
                .iter()
                .find(|defect| defect.name == name)
                .map(|defect| defect.apply(file, text));
            write(
                &place.join("src").join(file),
                changed.as_ref().unwrap_or(text),
            );
        }
        all.extend(one(&format!("{crate_name}.path = \"../drivers/{name}\"")));
        writeln!(entries, "    (\"{name}\", {crate_name}::driver_entry),").expect("text");
    }
    all.extend(one("kmdf-sim.workspace = true"));
    write!(known, "use std::cell::Cell;\nuse kmdf_sim::{{NTSTATUS, PCUNICODE_STRING, PDRIVER_OBJECT}};\ntype Entry = unsafe extern \"system\" fn(PDRIVER_OBJECT, PCUNICODE_STRING) -> NTSTATUS;\nconst DRIVERS: &[(&str, Entry)] = &[\n{entries}];\nthread_local! {{ static SELECTED: Cell<Option<Entry>> = const {{ Cell::new(None) }}; }}\npub fn select(name: &str) -> bool {{\n    let found = DRIVERS.iter().find(|(known, _)| *known == name);\n    SELECTED.set(found.map(|(_, entry)| *entry));\n    found.is_some()\n}}\npub unsafe extern \"system\" fn driver_entry(driver: PDRIVER_OBJECT, path: PCUNICODE_STRING) -> NTSTATUS {{\n    let entry = SELECTED.get().expect(\"a driver is selected\");\n    unsafe {{ entry(driver, path) }}\n}}\n").expect("text");
    write(
        &folder.join("all/Cargo.toml"),
        &package("pinring-kmdf", &all, ""),
    );
    write(&folder.join("all/src/lib.rs"), &known);
    let runner = one(
        "kmdf-sim.workspace = true\npinring-core = { workspace = true, features = [\"mock\"] }\npinring-ioctl.workspace = true\npinring-kmdf.workspace = true\npinring-protocol.workspace = true\nzerocopy.workspace = true",
    );
    let main = crate_folder().join("tests/defects/runner.rs");
    let binary = format!(
        "[[bin]]\nname = \"runner\"\npath = \"{}\"\n",
        main.display()
    );
    write(
        &folder.join("runner/Cargo.toml"),
        &package("runner", &runner, &binary),
    );
}

/// Builds the runner; its path.
fn build(folder: &Path) -> PathBuf {
    let target = folder.join("target");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--package", "runner"])
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        // A replacement leaves names and code without a use. The host's own settings are for the workspace's builds, not for this one.
        .env("CARGO_ENCODED_RUSTFLAGS", "--cap-lints\x1fallow")
        .env_remove("CARGO_BUILD_TARGET")
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "a copy of the driver is not built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let name = format!("runner{}", std::env::consts::EXE_SUFFIX);
    target.join("debug").join(name)
}

/// What one run of the runner came to.
struct Findings {
    /// Rule, function and all of it.
    found: Vec<(String, String, String)>,
    /// It got to its end.
    ended: bool,
}

fn run(runner: &Path, arguments: &[&str]) -> Findings {
    let mut child = Command::new(runner)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the runner starts");
    let mut output = child.stdout.take().expect("its output");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = output.read_to_string(&mut text);
        text
    });
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if begun.elapsed() > LIMIT {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let text = reader.join().expect("it reads");
    let found = text
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, '\t').map(str::to_owned);
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
        .collect();
    Findings {
        found,
        ended: text.ends_with("end\n"),
    }
}

/// The complaints of all jobs, several of which run at a time.
fn side_by_side<T: Sync>(jobs: &[T], run: impl Fn(&T) -> Option<String> + Sync) -> Vec<String> {
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(complaint) = run(job) {
                        complaints.lock().expect("no panic").push(complaint);
                    }
                }
            });
        }
    });
    complaints.into_inner().expect("no panic")
}

#[test]
fn every_text_to_replace_is_in_the_driver_once() {
    let complaints = stale(&defects(), &source());
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn every_defect_is_reported() {
    let (defects, source) = (defects(), source());
    let complaints = stale(&defects, &source);
    assert!(complaints.is_empty(), "{complaints}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("defects");
    generate(&folder, &defects, &source);
    let begun = Instant::now();
    let runner = build(&folder);
    println!("{} drivers built in {:?}", defects.len(), begun.elapsed());

    // The control: the driver as it is, in the same scenarios.
    let ran = Instant::now();
    let scenarios: BTreeSet<&str> = defects.iter().map(|defect| &*defect.scenario).collect();
    let scenarios: Vec<&str> = scenarios.into_iter().collect();
    let mut complaints = side_by_side(&scenarios, |scenario| {
        let begun = Instant::now();
        let findings = run(&runner, &[UNCHANGED, scenario]);
        println!("{scenario}: {:?}", begun.elapsed());
        let lines: Vec<&str> = findings.found.iter().map(|(_, _, all)| &**all).collect();
        (!findings.ended || !lines.is_empty()).then(|| {
            format!(
                "the driver as it is, in {scenario}: ended {}, {lines:#?}",
                findings.ended
            )
        })
    });
    complaints.extend(side_by_side(&defects, |defect| {
        let Defect {
            name,
            what,
            scenario,
            rule,
            ddi,
            names,
            ..
        } = defect;
        let findings = run(&runner, &[name, scenario, rule, ddi]);
        let found = findings.found.iter().find(|(its_rule, its_ddi, all)| {
            its_rule == rule && its_ddi == ddi && all.contains(names)
        });
        if let Some((_, _, all)) = found {
            println!("{name} ({what}): {all}");
            return None;
        }
        let mut others: Vec<_> = findings.found.iter().map(|(_, _, all)| &**all).collect();
        others.truncate(8);
        Some(format!(
            "{name} ({what}): {rule} in {ddi} is not reported in {scenario}; ended {}, {others:#?}",
            findings.ended
        ))
    }));
    println!("{} drivers ran in {:?}", defects.len(), ran.elapsed());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
