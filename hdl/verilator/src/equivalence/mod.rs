//! The same stimulus through rust-hdl's native simulation and through Verilator, compared at every step.
//!
//! rust-hdl's simulator and the Verilog it emits can disagree silently. So a gateware module's test drives a [`Pair`]: one
//! test bench, written as if there were one device, runs on both, and the first difference ends it with the step, the
//! port, both values and the inputs that led there. Making a `Pair` also runs [`lint`](crate::lint) and
//! [`yosys_check`](crate::yosys_check) over the emitted Verilog.
//!
//! Every port of the top level is listed with [`ports!`](crate::ports); `bool`, `Clock` and `Bits<N>` signals are known.
//! Use: set inputs, read what depends on them, [`step`](Pair::step), read again.
//!
//! ```no_run
//! use pinring_verilator::{equivalence::{self, Pair}, ports};
//! use rust_hdl::prelude::*;
//!
//! #[derive(LogicBlock, Default)]
//! struct Delay {
//!     pub clock: Signal<In, Clock>,
//!     pub a: Signal<In, Bits<8>>,
//!     pub q: Signal<Out, Bits<8>>,
//!     register: DFF<Bits<8>>,
//! }
//!
//! impl Logic for Delay {
//!     #[hdl_gen]
//!     fn update(&mut self) {
//!         dff_setup!(self, clock, register);
//!         self.register.d.next = self.a.val();
//!         self.q.next = self.register.q.val();
//!     }
//! }
//!
//! # fn main() -> Result<(), equivalence::Error> {
//! let mut dut = Pair::new(Delay::default(), ports!(Delay { clock: clock; in a; out q }))?;
//! dut.set("a", 42)?;
//! dut.step()?;
//! assert_eq!(dut.get("q")?, 42);
//! # Ok(())
//! # }
//! ```

mod access;
mod pair;

pub use access::{Access, Ports, Role, Words};
#[doc(hidden)]
pub use access::{clock, input, output};
pub use pair::{Error, Pair, Value};

#[cfg(test)]
mod tests;
