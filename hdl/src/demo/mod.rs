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
pub mod pattern;
mod sink;
mod source;
#[cfg(test)]
mod testing;
mod words;

pub use device::{DemoDevice, verilog};
pub use sink::CheckingSink;
pub use source::PatternSource;
pub use words::{DifferingLanes, PatternWords};

use rust_hdl::prelude::*;

/// Verilog modules to instantiate beside the device of 128 bits, by name: source and sink.
// Not generic, so that the gateware is compiled in this crate alone.
pub fn modules() -> [(&'static str, String); 2] {
    [
        module(
            "pinring_pattern_source",
            PatternSource::<128, 16, 4>::default(),
        ),
        module(
            "pinring_checking_sink",
            CheckingSink::<128, 16, 5>::default(),
        ),
    ]
}

/// A block as a Verilog module with a name of its own.
fn module<U: Block>(name: &'static str, mut block: U) -> (&'static str, String) {
    block.connect_all();
    let mut modules = ModuleDefines::default();
    block.accept(name, &mut modules);
    (name, modules.defines())
}

#[cfg(test)]
mod tests {
    #[test]
    fn modules_stand_alone() {
        for (name, verilog) in super::modules() {
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
