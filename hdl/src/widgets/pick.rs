//! Picks one of sixteen.

use rust_hdl::prelude::*;

/// Index of the lowest set bit.
#[derive(LogicBlock, Default)]
pub struct PickFirst {
    /// Candidates.
    pub among: Signal<In, Bits<16>>,
    /// There is one.
    pub found: Signal<Out, Bit>,
    /// Its index.
    pub index: Signal<Out, Bits<4>>,
    zero: Signal<Local, Bits<16>>,
    negative: Signal<Local, Bits<16>>,
    lowest: Signal<Local, Bits<16>>,
    odd: Signal<Local, Bits<16>>,
    pairs: Signal<Local, Bits<16>>,
    quads: Signal<Local, Bits<16>>,
    upper: Signal<Local, Bits<16>>,
}

impl Logic for PickFirst {
    #[hdl_gen]
    fn update(&mut self) {
        self.zero.next = 0.into();
        self.negative.next = self.zero.val() - self.among.val();
        self.lowest.next = self.among.val() & self.negative.val();
        self.odd.next = self.lowest.val() & 0xaaaa;
        self.pairs.next = self.lowest.val() & 0xcccc;
        self.quads.next = self.lowest.val() & 0xf0f0;
        self.upper.next = self.lowest.val() & 0xff00;
        self.found.next = self.among.val().any();
        self.index.next = bit_cast::<4, 1>(self.odd.val().any().into())
            | (bit_cast::<4, 1>(self.pairs.val().any().into()) << 1)
            | (bit_cast::<4, 1>(self.quads.val().any().into()) << 2)
            | (bit_cast::<4, 1>(self.upper.val().any().into()) << 3);
    }
}

/// Index of the first set bit at or after `start`, wrapping around: round robin.
#[derive(LogicBlock, Default)]
pub struct PickNext {
    /// Candidates.
    pub among: Signal<In, Bits<16>>,
    /// Where to begin.
    pub start: Signal<In, Bits<4>>,
    /// There is one.
    pub found: Signal<Out, Bit>,
    /// Its index.
    pub index: Signal<Out, Bits<4>>,
    ones: Signal<Local, Bits<16>>,
    later: PickFirst,
    any: PickFirst,
}

impl Logic for PickNext {
    #[hdl_gen]
    fn update(&mut self) {
        self.ones.next = 0xffff.into();
        self.later.among.next = self.among.val() & (self.ones.val() << self.start.val());
        self.any.among.next = self.among.val();
        self.found.next = self.any.found.val();
        self.index.next = self.any.index.val();
        if self.later.found.val() {
            self.index.next = self.later.index.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    #[test]
    fn first_is_the_lowest() -> Result<(), Error> {
        let mut dut = Pair::new(
            PickFirst::default(),
            ports!(PickFirst { in among; out found, index }),
        )?;
        for among in 0..1u64 << 16 {
            dut.set("among", among)?;
            assert_eq!(dut.is("found")?, among != 0);
            assert_eq!(
                dut.get("index")?,
                u64::from(among.trailing_zeros()) % 64,
                "{among:#x}"
            );
        }
        Ok(())
    }

    #[test]
    fn next_goes_round() -> Result<(), Error> {
        let mut dut = Pair::new(
            PickNext::default(),
            ports!(PickNext { in among, start; out found, index }),
        )?;
        let mut random = StdRng::seed_from_u64(1);
        for round in 0..500 {
            // Few candidates, so that many searches wrap around.
            let among = match round {
                0..16 => 1 << round,
                16 => 0,
                17 => 0xffff,
                _ => random.random::<u16>() & random.random::<u16>() & random.random::<u16>(),
            };
            dut.set("among", u64::from(among))?;
            for start in 0..16 {
                dut.set("start", start)?;
                let next = (start..start + 16)
                    .map(|at| at % 16)
                    .find(|at| among >> at & 1 == 1);
                assert_eq!(dut.is("found")?, next.is_some());
                assert_eq!(
                    dut.get("index")?,
                    next.unwrap_or(0),
                    "{among:#x} from {start}"
                );
            }
        }
        Ok(())
    }
}
