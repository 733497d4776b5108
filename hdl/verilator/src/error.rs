//! What can go wrong between Verilog text and a running model.

use std::path::PathBuf;

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every failure names its cause and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No Verilator in any of the places that are searched.
    #[error(
        "Verilator not found (looked in {}); run `cargo xtask test`, which provisions it, or `cargo xtask doctor` \
         to see what is missing, or point PINRING_VERILATOR_ROOT at an installation",
        list(.looked)
    )]
    VerilatorNotFound {
        /// Folders that were searched for `bin/verilator_bin`.
        looked: Vec<PathBuf>,
    },
    /// No yosys in any of the places that are searched.
    #[error(
        "yosys not found (looked for {}); run `cargo xtask test`, which provisions it, or `cargo xtask doctor` \
         to see what is missing, or point PINRING_YOSYS at the program",
        list(.looked)
    )]
    YosysNotFound {
        /// Programs that were searched for.
        looked: Vec<PathBuf>,
    },
    /// The C++ compiler does not start.
    #[error(
        "C++ compiler `{compiler}` does not start: {source}; install g++ (Debian: `apt-get install g++`) or set CXX"
    )]
    CompilerNotFound {
        /// Name that was called.
        compiler: String,
        /// Why the call failed.
        source: std::io::Error,
    },
    /// A port list or module name that cannot be built.
    #[error("port list of `{top}`: {reason}")]
    Ports {
        /// Top module.
        top: String,
        /// What is wrong with the list.
        reason: String,
    },
    /// A tool refused its input; its own words follow.
    #[error("{tool} refuses module `{top}`:\n{output}")]
    Refused {
        /// Which tool and check.
        tool: &'static str,
        /// Top module.
        top: String,
        /// What the tool printed.
        output: String,
    },
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The shared object that was built does not load.
    #[error("{}: {source}; delete the folder to have it built again", path.display())]
    Load {
        /// The shared object.
        path: PathBuf,
        /// The loader's reason.
        source: libloading::Error,
    },
    /// The running model failed: `$stop`, `$fatal`, a missing `$readmemh` file.
    #[error("verilated model of `{top}`: {message}")]
    Model {
        /// Top module.
        top: String,
        /// Verilator's message, with file and line in the Verilog.
        message: String,
    },
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    names.join(", ")
}
