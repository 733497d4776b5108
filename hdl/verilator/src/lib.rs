//! Builds Verilog with Verilator, loads it, and checks gateware against it.
//!
//! [`Model::build`] turns Verilog text into a shared object with a flat C interface (`shim/shim.cpp`), kept in
//! `<target>/verilated` under a hash of everything that went in. [`equivalence`] runs a rust-hdl block natively and as
//! emitted Verilog side by side; [`lint`] and [`yosys_check`] are the checks that all emitted Verilog must pass.
//!
//! Needs Verilator, yosys and g++ when it is used, not when it is compiled; `cargo xtask test` provisions the first two.
//!
//! ```no_run
//! use pinring_verilator::{Model, Port, Spec};
//! # fn main() -> pinring_verilator::Result<()> {
//! let model = Model::build(&Spec {
//!     verilog: "module top(input wire clock, input wire [7:0] a, output reg [7:0] q);
//!               always @(posedge clock) q <= a; endmodule".into(),
//!     top: "top".into(),
//!     ports: vec![Port::input("clock", 1), Port::input("a", 8), Port::output("q", 8)],
//!     ..Spec::default()
//! })?;
//! let mut instance = model.instance()?;
//! instance.set(1, 42);
//! instance.cycle(0, 2_000, 1)?; // one cycle of 4 ns
//! assert_eq!(instance.get(2), 42);
//! # Ok(())
//! # }
//! ```

mod build;
mod cache;
mod check;
mod error;
mod model;
mod ports;
mod tools;

pub mod equivalence;

pub use build::Spec;
pub use check::{lint, yosys_check};
pub use error::{Error, Result};
pub use model::{Instance, Model};
pub use ports::{Direction, Layout, Port};
pub use tools::target_dir;
