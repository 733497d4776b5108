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
