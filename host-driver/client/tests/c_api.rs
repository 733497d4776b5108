//! The C interface: the example is compiled and run against the static and the shared library.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Builds the libraries as an application would, with the double and without the command-line tool.
fn libraries(folder: &Path) -> PathBuf {
    run(Command::new(env!("CARGO"))
        .args(["build", "--lib", "--package", "pinring-client"])
        .args(["--no-default-features", "--features", "capi,loopback"])
        .arg("--target-dir")
        .arg(folder)
        .current_dir(env!("CARGO_MANIFEST_DIR")));
    folder.join("debug")
}

#[test]
fn example_runs() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-api");
    let libraries = libraries(&folder);
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = package.join("examples/burst.c");
    let include = package.join("include");
    let compile = |compiler: &str| {
        let mut command = Command::new(compiler);
        command
            .args(["-Wall", "-Wextra", "-Werror", "-DPINRING_LOOPBACK", "-I"])
            .arg(&include);
        command
    };
    let program = |name: &str| folder.join(name);
    run(compile("cc")
        .args(["-std=c11", "-pedantic", "-o"])
        .arg(program("burst-static"))
        .arg(&source)
        .arg(libraries.join("libpinring_client.a"))
        .args(["-lpthread", "-ldl", "-lm"]));
    run(compile("cc")
        .arg("-o")
        .arg(program("burst-shared"))
        .arg(&source)
        .arg(format!("-Wl,-rpath,{}", libraries.display()))
        .arg("-L")
        .arg(&libraries)
        .arg("-lpinring_client"));
    for name in ["burst-static", "burst-shared"] {
        let out = run(&mut Command::new(program(name)));
        let transfers = out
            .lines()
            .filter(|line| line.ends_with(": 4194304 bytes, done"));
        assert_eq!(transfers.count(), 8, "{out}");
        assert!(out.contains("first bytes b9 79 37 9e"), "{out}");
        assert!(out.contains("8 transfers took 1 doorbells"), "{out}");
    }
    // The header is one for C++, too, and the example compiles for the real driver.
    run(Command::new("c++")
        .args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++"])
        .arg(include.join("pinring_client.h")));
    run(Command::new("cc")
        .arg("-fsyntax-only")
        .arg("-I")
        .arg(&include)
        .arg(&source));
}
