//! Generators: what C, the gateware and readers get from the declarations.

mod c_header;
mod drawing;
mod gateware;
mod markdown;

use std::io;
use std::path::Path;

/// The command that makes the files; each of them starts with it.
pub const COMMAND: &str = "cargo xtask generate";

/// Every generated file: its path from the repository's root, and its contents.
pub fn files() -> Vec<(&'static str, String)> {
    let mut files = vec![
        ("protocol/include/pinring.h", c_header::header()),
        ("docs/wire-format.md", markdown::document()),
    ];
    files.extend(gateware::files());
    files
}

/// The generated files below `root` that are missing or differ from what the declarations say now.
///
/// # Errors
/// A file that cannot be read for another reason than being missing.
pub fn stale(root: &Path) -> io::Result<Vec<&'static str>> {
    let mut stale = Vec::new();
    for (path, contents) in files() {
        match std::fs::read_to_string(root.join(path)) {
            // A checkout on Windows may have changed the line ends.
            Ok(found) if found.replace("\r\n", "\n") == contents => {}
            Ok(_) => stale.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => stale.push(path),
            Err(error) => return Err(error),
        }
    }
    Ok(stale)
}

/// Writes the stale files below `root` and returns their paths.
///
/// # Errors
/// What the file system says.
pub fn write(root: &Path) -> io::Result<Vec<&'static str>> {
    let stale = stale(root)?;
    for (path, contents) in files() {
        if stale.contains(&path) {
            let path = root.join(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, contents)?;
        }
    }
    Ok(stale)
}

/// A doc comment as one line of prose, without the links that only rustdoc follows.
fn prose(doc: &str) -> String {
    let words: Vec<&str> = doc.split_whitespace().collect();
    words
        .join(" ")
        .replace("[`", "`")
        .replace("`]", "`")
        .replace("crate::", "")
}
