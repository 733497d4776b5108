//! A cache of folders that parallel processes share.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// `<target>/verilated`.
pub(crate) fn root() -> PathBuf {
    crate::tools::target_dir().join("verilated")
}

/// Hash of everything that goes into a build: 32 hexadecimal digits.
pub(crate) fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Folder `root/name`, filled by `fill` unless it is there already.
///
/// One process fills while the others wait on a file lock; the folder appears by a rename, whole or not at all.
pub(crate) fn folder(
    root: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let folder = root.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(root).map_err(Error::io(root))?;
    let lock_path = root.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).map_err(Error::io(&lock_path))?;
    lock.lock().map_err(Error::io(&lock_path))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let scratch = tempfile::Builder::new()
        .prefix("building-")
        .tempdir_in(root)
        .map_err(Error::io(root))?;
    fill(scratch.path())?;
    fs::rename(scratch.path(), &folder).map_err(Error::io(&folder))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn parallel_users_fill_once() {
        let root = tempfile::tempdir().unwrap();
        let fills = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let folder = folder(root.path(), "name", |scratch| {
                        fills.fetch_add(1, Ordering::SeqCst);
                        fs::write(scratch.join("file"), "whole").map_err(Error::io(scratch))
                    });
                    assert_eq!(
                        fs::read_to_string(folder.unwrap().join("file")).unwrap(),
                        "whole"
                    );
                });
            }
        });
        assert_eq!(fills.into_inner(), 1);
    }

    #[test]
    fn failed_fill_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let refused = || Error::Ports {
            top: "top".into(),
            reason: "refused".into(),
        };
        assert!(folder(root.path(), "name", |_| Err(refused())).is_err());
        assert!(!root.path().join("name").exists());
        assert!(folder(root.path(), "name", |_| Ok(())).is_ok());
    }

    #[test]
    fn key_depends_on_every_part() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["ab"]), key(&["ab", ""]));
        assert_eq!(key(&["ab"]).len(), 32);
    }
}
