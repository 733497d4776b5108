//! Writes every generated file below the folder given, or below the repository's root.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let root = std::env::args_os().nth(1).map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."));
    for path in pinring_protocol::generate::write(&root)? {
        println!("wrote {path}");
    }
    Ok(())
}
