//! From Verilog text to a shared object.

use crate::cache;
use crate::error::{Error, Result};
use crate::ports::{Layout, Port};
use crate::tools::Verilator;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SHIM: &str = include_str!("../shim/shim.cpp");

/// Lint is [`crate::lint`]'s business; here only what would silently build another circuit is fatal: undeclared names in
/// the design, and, by `-Wall` on the wrapper, a port list that does not match it.
const WARNINGS: &str = r#"`verilator_config
lint_off -file "design.v"
lint_on -rule IMPLICIT -file "design.v"
lint_off -rule UNUSEDSIGNAL -file "pinring_model.v"
"#;

/// One `$time` unit is a picosecond; X is whatever is fastest, the same in every run.
const VERILATOR_FLAGS: &[&str] = &[
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-timing",
    "--timescale-override",
    "1ps/1ps",
    "--top-module",
    "pinring_model",
    "--prefix",
    "Vmodel",
    "--Mdir",
    "cpp",
    "-Wall",
    "--output-split",
    "40000",
];

/// Hidden, non-unique symbols: every model brings classes of the same names, and none may bind to another's.
const COMPILER_FLAGS: &[&str] = &[
    "-std=c++17",
    "-fPIC",
    "-fvisibility=hidden",
    "-fvisibility-inlines-hidden",
    "-fno-gnu-unique",
    "-w",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TIMING=0",
    "-DVL_TIME_CONTEXT",
    "-DVL_INCLUDE_OPT=include",
    "-DVL_USER_FATAL",
    "-DVL_USER_WARN",
];

const RUNTIME: &[&str] = &["verilated", "verilated_threads", "verilated_vcd_c"];

/// What to build.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Verilog source text.
    pub verilog: String,
    /// Name of the top module in it.
    pub top: String,
    /// Every port of the top module, in the order in which the caller wants them laid out.
    pub ports: Vec<Port>,
    /// Preprocessor macros, name and value.
    pub defines: Vec<(String, String)>,
    /// Whether instances can write VCD traces, which costs build time and speed.
    pub trace: bool,
    /// Arguments that `$value$plusargs` and `$test$plusargs` see, such as `+image=firmware.hex`. No part of the build.
    pub plusargs: Vec<String>,
}

/// Builds, or finds in the cache, the shared object for `spec`.
pub(crate) fn shared_object(
    tools: &Verilator,
    root: &Path,
    spec: &Spec,
    layout: &Layout,
) -> Result<PathBuf> {
    let header = layout.header(spec.trace);
    let wrapper = layout.wrapper(&spec.top);
    let versions = tools.versions()?;
    let mut flags: Vec<String> = VERILATOR_FLAGS
        .iter()
        .map(|flag| flag.to_string())
        .collect();
    flags.extend(
        spec.defines
            .iter()
            .map(|(name, value)| format!("-D{name}={value}")),
    );
    if spec.trace {
        flags.push("--trace-vcd".into());
    }
    let key = cache::key(&[
        &spec.verilog,
        &wrapper,
        &header,
        SHIM,
        WARNINGS,
        &versions,
        &flags.join("\0"),
        &COMPILER_FLAGS.join("\0"),
    ]);
    let folder = cache::folder(root, &key, |scratch| {
        let runtime = runtime(tools, root, &versions)?;
        for (name, text) in [
            ("design.v", &*spec.verilog),
            ("pinring_model.v", &wrapper),
            ("warnings.vlt", WARNINGS),
            ("ports.h", &header),
            ("shim.cpp", SHIM),
        ] {
            write(&scratch.join(name), text)?;
        }
        let mut verilator = tools.command();
        verilator.current_dir(scratch).args(&flags).args([
            "warnings.vlt",
            "design.v",
            "pinring_model.v",
        ]);
        run(&mut verilator, "Verilator", &spec.top, |source| Error::Io {
            path: tools.include(),
            source,
        })?;
        compile(tools, scratch, &spec.top, &runtime)
    })?;
    Ok(folder.join("model.so"))
}

/// Verilator's own runtime, compiled once for all models.
fn runtime(tools: &Verilator, root: &Path, versions: &str) -> Result<PathBuf> {
    let key = cache::key(&[versions, &COMPILER_FLAGS.join("\0")]);
    cache::folder(root, &format!("runtime-{key}"), |scratch| {
        let sources = RUNTIME
            .iter()
            .map(|name| (tools.include().join(format!("{name}.cpp")), "-O2"));
        objects(tools, scratch, "runtime", sources.collect()).map(drop)
    })
}

/// Compiles what Verilator wrote to `cpp`, and links it with shim and runtime.
fn compile(tools: &Verilator, folder: &Path, top: &str, runtime: &Path) -> Result<()> {
    let cpp = folder.join("cpp");
    let (mut slow, mut fast) = (Vec::new(), vec![("shim.cpp".to_owned(), SHIM.len() as u64)]);
    for entry in fs::read_dir(&cpp).map_err(Error::io(&cpp))? {
        let entry = entry.map_err(Error::io(&cpp))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let size = entry.metadata().map_err(Error::io(&cpp))?.len();
        if name.ends_with("__Slow.cpp") {
            slow.push((name, size));
        } else if name.ends_with(".cpp") {
            fast.push((name, size));
        }
    }
    // Start-up code runs once: -O0. The rest, on a small design, is quickest in one piece, as every piece parses
    // Verilator's headers again.
    let pieces = if fast.iter().map(|(_, size)| size).sum::<u64>() < 200_000 {
        1
    } else {
        parallelism()
    };
    let mut units = vec![("slow0".to_owned(), "-O0", slow)];
    for (piece, names) in split(fast, pieces).into_iter().enumerate() {
        units.push((format!("fast{piece}"), "-O3", names));
    }
    let mut sources = Vec::new();
    for (unit, level, names) in units {
        let source = folder.join(format!("{unit}.cpp"));
        let includes: String = names
            .iter()
            .map(|(name, _)| format!("#include \"{name}\"\n"))
            .collect();
        write(&source, &includes)?;
        sources.push((source, level));
    }
    let objects = objects(tools, folder, top, sources)?;
    let mut link = tools.compiler();
    link.current_dir(folder)
        .args(["-shared", "-Wl,-Bsymbolic", "-Wl,-z,defs", "-o", "model.so"])
        .args(objects);
    link.args(RUNTIME.iter().map(|name| runtime.join(format!("{name}.o"))))
        .args(["-pthread", "-latomic"]);
    run(&mut link, "The linker", top, |source| {
        tools.compiler_missing(source)
    })
}

/// Compiles each source (with its optimisation level) into `folder`, as many at a time as there are CPUs.
fn objects(
    tools: &Verilator,
    folder: &Path,
    top: &str,
    sources: Vec<(PathBuf, &str)>,
) -> Result<Vec<PathBuf>> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((source, level)) =
            sources.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        {
            let object = folder
                .join(source.file_name().unwrap_or_default())
                .with_extension("o");
            let mut compiler = tools.compiler();
            compiler.current_dir(folder).arg(level).args(COMPILER_FLAGS);
            for include in [
                folder,
                &folder.join("cpp"),
                &tools.include(),
                &tools.include().join("vltstd"),
            ] {
                compiler.arg("-I").arg(include);
            }
            compiler.arg("-c").arg(source).arg("-o").arg(&object);
            run(&mut compiler, "The C++ compiler", top, |source| {
                tools.compiler_missing(source)
            })?;
            done.push(object);
        }
        Ok(done)
    };
    let results: Vec<Result<Vec<PathBuf>>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..parallelism()).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker does not panic"))
            .collect()
    });
    Ok(results.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Deals the files out, largest first, to the piece that has least.
fn split(mut files: Vec<(String, u64)>, pieces: usize) -> Vec<Vec<(String, u64)>> {
    files.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
    let mut split = vec![(0, Vec::new()); pieces.min(files.len())];
    for file in files {
        if let Some((size, piece)) = split.iter_mut().min_by_key(|(size, _)| *size) {
            *size += file.1;
            piece.push(file);
        }
    }
    split.into_iter().map(|(_, piece)| piece).collect()
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io(path))
}

/// Runs a tool; what it printed becomes the error when it fails.
pub(crate) fn run(
    command: &mut Command,
    tool: &'static str,
    top: &str,
    missing: impl FnOnce(std::io::Error) -> Error,
) -> Result<()> {
    let output = command.output().map_err(missing)?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let output = format!("{}({})", String::from_utf8_lossy(&text), output.status);
    Err(Error::Refused {
        tool,
        top: top.into(),
        output,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_keeps_every_file_and_balances() {
        let files: Vec<_> = (1..=9).map(|size| (format!("{size}.cpp"), size)).collect();
        let split = split(files, 2);
        let sizes: Vec<u64> = split
            .iter()
            .map(|piece| piece.iter().map(|(_, size)| size).sum())
            .collect();
        assert_eq!(sizes.iter().sum::<u64>(), 45);
        assert!(
            sizes.iter().all(|size| (20..=25).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn missing_compiler_is_named() {
        let tools = Verilator::find().unwrap().with_compiler("no-such-compiler");
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new("top", &[]).unwrap();
        let error = shared_object(&tools, root.path(), &Spec::default(), &layout).unwrap_err();
        assert!(matches!(error, Error::CompilerNotFound { .. }), "{error}");
        assert!(error.to_string().contains("apt-get install g++"), "{error}");
    }
}
