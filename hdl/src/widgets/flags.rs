//! Up to sixteen flags that several parties set and clear.

use super::Size;
use crate::sizes::{Count, Exactly, Ones};
use rust_hdl::prelude::*;

/// A register of the lowest `C` of sixteen bits; a bit that is set and cleared in the same cycle ends up clear.
#[derive(LogicBlock, Default)]
pub struct Flags<C: Count = Exactly<16>> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Clears all.
    pub reset: Signal<In, Bit>,
    /// Bits to set.
    pub set: Signal<In, Bits<16>>,
    /// Bits to clear.
    pub clear: Signal<In, Bits<16>>,
    /// The flags.
    pub q: Signal<Out, Bits<16>>,
    state: DFF<Bits<16>>,
    all: Size<16, Ones<C>>,
    keep: Signal<Local, Bits<16>>,
}

impl<C: Count> Logic for Flags<C> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state);
        self.keep.next = !self.clear.val();
        self.q.next = self.state.q.val();
        self.state.d.next =
            (self.state.q.val() | self.set.val()) & (self.keep.val() & self.all.val());
        if self.reset.val() {
            self.state.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    fn exercise<C: Count>() -> Result<(), Error> {
        let ports = ports!(Flags<C> { clock: clock; in reset, set, clear; out q });
        let mut dut = Pair::new(Flags::default(), ports)?;
        let mut random = StdRng::seed_from_u64(1);
        let all = ((1u32 << C::N) - 1) as u16;
        let mut flags = 0u16;
        for _ in 0..1000 {
            let [set, clear] = [(); 2].map(|()| random.random::<u16>() & random.random::<u16>());
            let reset = random.random_bool(0.05);
            dut.set("set", u64::from(set))?;
            dut.set("clear", u64::from(clear))?;
            dut.set("reset", reset)?;
            assert_eq!(dut.get("q")?, u64::from(flags));
            dut.step()?;
            flags = if reset {
                0
            } else {
                (flags | set) & !clear & all
            };
        }
        Ok(())
    }

    #[test]
    fn clearing_wins() -> Result<(), Error> {
        exercise::<Exactly<16>>()
    }

    #[test]
    fn flags_beyond_the_count_stay_clear() -> Result<(), Error> {
        exercise::<Exactly<3>>()
    }
}
