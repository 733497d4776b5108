//! From a design with a soft core to complete Verilog.

use super::{CoreMemory, MEMORY_WORDS_LOG2};
use rust_hdl::core::check_error::CheckError;
use rust_hdl::prelude::*;

/// File from which synthesis takes the memory's contents, in the folder in which it runs.
pub const FIRMWARE_IMAGE: &str = "firmware.hex";

/// A program whose image a [`CoreMemory`](super::CoreMemory) starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its plus argument in a simulation.
    pub name: &'static str,
    /// File from which synthesis takes it, in the folder in which it runs.
    pub image: &'static str,
}

impl Program {
    /// The device's firmware, and the program of the self-test's host.
    pub const ALL: [Self; 2] = [
        Self {
            name: "firmware",
            image: FIRMWARE_IMAGE,
        },
        Self {
            name: "selftest",
            image: "selftest.hex",
        },
    ];

    /// The macro that names the file.
    pub(super) fn image_macro(&self) -> String {
        format!("PINRING_{}_IMAGE", self.name.to_uppercase())
    }
}

/// Why a design with a soft core could not be emitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// rust-hdl's own checks refuse the design.
    #[error("rust-hdl refuses the design: {0:?}")]
    Design(CheckError),
    /// The processor's Verilog is not what the wrapper is written for.
    #[error(
        "the processor's Verilog lacks `{missing}`: pass the text of VexRiscv_Lite.v of the PyPI package \
         pythondata-cpu-vexriscv (`cargo xtask` fetches it)"
    )]
    Processor {
        /// What was looked for.
        missing: &'static str,
    },
    /// There is no such device.
    #[error("no such device with a bus of {width} bits: it has one of {widths:?}")]
    Width {
        /// Bits that were asked for.
        width: usize,
        /// Those that there are.
        widths: &'static [usize],
    },
    /// The operating system gives no thread to build the design in.
    #[error("cannot start a thread to emit the design: {0}")]
    Thread(#[from] std::io::Error),
}

/// Verilog of `design` (which must be connected, and is named `top`), followed by the processor.
///
/// `processor` is the text of VexRiscv_Lite.v. Synthesis finds the firmware in [`FIRMWARE_IMAGE`], simulation by
/// `+firmware=FILE`; other programs as [`Program`] says.
///
/// # Errors
/// A design that rust-hdl refuses; a text that is not the processor.
pub fn emit<U: Block>(design: &U, processor: &str) -> Result<String, EmitError> {
    check_all(design).map_err(EmitError::Design)?;
    for missing in [
        "module VexRiscv (",
        "externalResetVector",
        "iBusWishbone_CTI",
        "dBusWishbone_SEL",
    ] {
        if !processor.contains(missing) {
            return Err(EmitError::Processor { missing });
        }
    }
    let verilog = generate_verilog_unchecked(design);
    Ok(format!("{}\n{processor}", define_images(&verilog)))
}

/// Verilog of a soft core's memory alone, as a module `name`, with the firmware in it.
pub fn memory_verilog(name: &str) -> String {
    let mut memory = CoreMemory::<MEMORY_WORDS_LOG2, 0>::default();
    memory.connect_all();
    let mut modules = ModuleDefines::default();
    memory.accept(name, &mut modules);
    define_images(&modules.defines())
}

/// Names the images of the programs that a design has in front of its Verilog.
fn define_images(verilog: &str) -> String {
    let images = Program::ALL.iter().filter_map(|program| {
        let image = program.image_macro();
        verilog
            .contains(&format!("`{image}"))
            .then(|| format!("`define {image} \"{}\"\n", program.image))
    });
    images.collect::<String>() + verilog
}

/// [`emit`] of a new design, for designs that are too large for the stack that a thread usually has.
pub(crate) fn emit_new<U: Block + Default>(processor: &str) -> Result<String, EmitError> {
    const STACK: usize = 256 << 20;
    std::thread::scope(|scope| {
        let build = || {
            let mut design = U::default();
            design.connect_all();
            emit(&design, processor)
        };
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, build)?;
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
