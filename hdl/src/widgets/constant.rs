//! Gateware constants whose values are Rust constants.

use std::marker::PhantomData;

use crate::sizes::{Count, Exactly, Value};
use rust_hdl::prelude::*;
// The atom's trait types are not in the prelude.
use rust_hdl::core::ast::VerilogLiteral;
use rust_hdl::core::atom::{Atom, AtomKind};
use rust_hdl::core::block::Block;
use rust_hdl::core::constraint::PinConstraint;
use rust_hdl::core::probe::Probe;
use rust_hdl::core::signal::get_signal_id;
use rust_hdl::core::synth::VCDValue;
use rust_hdl::core::type_descriptor::TypeDescriptor;

/// The number of `C` as `Bits<N>`, readable in HDL kernels through [`Size::val`].
///
/// rust-hdl kernels accept literals, not Rust constants, and its own `Constant` has no `Default`. This one carries
/// its value in its type, so `#[derive(Default)]` works and the value can be a constant of the protocol crate.
#[derive(Clone, Debug)]
pub struct Size<const N: usize, C> {
    id: usize,
    _count: PhantomData<C>,
}

/// The value `V`.
pub type Const<const N: usize, const V: u64> = Size<N, Value<V>>;

/// The same for a const generic parameter of the block: `Param<4, L>`.
pub type Param<const N: usize, const V: usize> = Size<N, Exactly<V>>;

impl<const N: usize, C> Default for Size<N, C> {
    fn default() -> Self {
        Self {
            id: get_signal_id(),
            _count: PhantomData,
        }
    }
}

impl<const N: usize, C: Count> Size<N, C> {
    /// The value.
    pub fn val(&self) -> Bits<N> {
        bits(C::N)
    }
}

impl<const N: usize, C: Count> Logic for Size<N, C> {
    fn update(&mut self) {}
    fn connect(&mut self) {}
}

impl<const N: usize, C: Count> Atom for Size<N, C> {
    fn bits(&self) -> usize {
        N
    }
    fn connected(&self) -> bool {
        true
    }
    fn changed(&self) -> bool {
        false
    }
    fn kind(&self) -> AtomKind {
        AtomKind::Constant
    }
    fn descriptor(&self) -> TypeDescriptor {
        <Bits<N> as Synth>::descriptor()
    }
    fn vcd(&self) -> VCDValue {
        self.val().vcd()
    }
    fn id(&self) -> usize {
        self.id
    }
    fn verilog(&self) -> VerilogLiteral {
        self.val().verilog()
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        vec![]
    }
}

impl<const N: usize, C: Count> Block for Size<N, C> {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {}
    fn has_changed(&self) -> bool {
        false
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;

    const WIDE: u64 = 0xfeed_5eed_0000_0001;

    /// Constants in sums, comparisons and shifts, as kernels use them.
    #[derive(LogicBlock, Default)]
    struct Uses<const L: usize> {
        pub a: Signal<In, Bits<64>>,
        pub sum: Signal<Out, Bits<64>>,
        pub same: Signal<Out, Bit>,
        pub shifted: Signal<Out, Bits<64>>,
        pub alone: Signal<Out, Bits<8>>,
        wide: Const<64, WIDE>,
        narrow: Const<8, { u8::MAX as u64 }>,
        width: Param<6, L>,
    }

    impl<const L: usize> Logic for Uses<L> {
        #[hdl_gen]
        fn update(&mut self) {
            self.sum.next = self.a.val() + self.wide.val();
            self.same.next = self.a.val() == self.wide.val();
            self.shifted.next = self.a.val() >> self.width.val();
            self.alone.next = self.narrow.val();
        }
    }

    #[test]
    fn constants_reach_the_verilog() -> Result<(), Error> {
        let mut dut = Pair::new(
            Uses::<4>::default(),
            ports!(Uses<4> { in a; out sum, same, shifted, alone }),
        )?;
        for a in [0, 1, WIDE - 1, WIDE, WIDE + 1, u64::MAX] {
            dut.set("a", a)?;
            assert_eq!(dut.get("sum")?, a.wrapping_add(WIDE));
            assert_eq!(dut.is("same")?, a == WIDE);
            assert_eq!(dut.get("shifted")?, a >> 4);
            assert_eq!(dut.get("alone")?, 255);
        }
        Ok(())
    }
}
