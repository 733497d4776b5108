//! From a design with a soft core to complete Verilog.

use rust_hdl::core::check_error::CheckError;
use rust_hdl::prelude::*;

/// File from which synthesis takes the memory's contents, in the folder in which it runs.
pub const FIRMWARE_IMAGE: &str = "firmware.hex";

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
/// `+firmware=FILE`.
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
    Ok(format!(
        "`define PINRING_FIRMWARE_IMAGE \"{FIRMWARE_IMAGE}\"\n{}\n{processor}",
        generate_verilog_unchecked(design)
    ))
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
