//! User logic to try the device with: a source for the C2H stream, a checking sink for the H2C stream, and a device with both.
//!
//! ```text
//!   PatternSource ---- C2H ----> +--------+ ---> link
//!                                | Device |
//!   CheckingSink <---- H2C ----- +--------+ <--- link
//! ```
//!
//! Both speak the one [`pattern`], which software computes too: a host reads what the source sent, or writes what the sink
//! expects, and knows every byte.

mod device;
mod sink;
mod source;
#[cfg(test)]
mod testing;
mod words;

pub use device::{DemoDevice, verilog};
pub use pinring_protocol::pattern;
pub use sink::CheckingSink;
pub use source::PatternSource;
pub use words::{DifferingLanes, PatternWords};

use crate::soft_core::EmitError;
use rust_hdl::prelude::*;

/// Verilog modules to instantiate beside the device with a bus of `width` bits, by name: source and sink.
///
/// # Errors
/// A width that no device has.
// Not generic, so that the gateware is compiled in this crate alone.
pub fn modules(width: usize) -> Result<[(&'static str, String); 2], EmitError> {
    match width {
        64 => Ok(both::<64, 8, 3, 4>()),
        128 => Ok(both::<128, 16, 4, 5>()),
        256 => Ok(both::<256, 32, 5, 6>()),
        512 => Ok(both::<512, 64, 6, 7>()),
        _ => Err(EmitError::Width {
            width,
            widths: &crate::device::WIDTHS,
        }),
    }
}

fn both<const W: usize, const B: usize, const L: usize, const L1: usize>()
-> [(&'static str, String); 2] {
    let source = PatternSource::<W, B, L>::default();
    let sink = CheckingSink::<W, B, L1>::default();
    [
        module("pinring_pattern_source", source),
        module("pinring_checking_sink", sink),
    ]
}

/// A block as a Verilog module with a name of its own.
pub fn module<U: Block>(name: &'static str, mut block: U) -> (&'static str, String) {
    block.connect_all();
    let mut modules = ModuleDefines::default();
    block.accept(name, &mut modules);
    (name, modules.defines())
}

#[cfg(test)]
mod tests {
    use crate::device::WIDTHS;

    #[test]
    fn modules_stand_alone() {
        let modules = |width| super::modules(width).expect("a width of a device");
        for (name, verilog) in WIDTHS.into_iter().flat_map(modules) {
            pinring_verilator::lint(&verilog, name).expect("Verilator accepts it");
            pinring_verilator::yosys_check(&verilog, name).expect("yosys accepts it");
            // In one design with the device, whose modules are named `top...`.
            let names = verilog
                .lines()
                .filter_map(|line| line.strip_prefix("module "));
            assert!(names.into_iter().all(|module| module.starts_with(name)));
        }
    }
}
