//! Reaching a block's top-level signals by name, as words.

use crate::ports::{Direction, Port};
use rust_hdl::prelude::{Bits, Clock, In, Out, Signal, Synth};

/// A signal's value as 32-bit words, least significant first.
pub trait Words: Synth {
    /// The value in `words`, which hold at least `BITS` bits.
    fn from_words(words: &[u32]) -> Self;
    /// Writes the value to `words`, which are zero before.
    fn to_words(self, words: &mut [u32]);
}

impl Words for bool {
    fn from_words(words: &[u32]) -> Self {
        words[0] & 1 == 1
    }
    fn to_words(self, words: &mut [u32]) {
        words[0] = self.into();
    }
}

impl Words for Clock {
    fn from_words(words: &[u32]) -> Self {
        bool::from_words(words).into()
    }
    fn to_words(self, words: &mut [u32]) {
        self.clk.to_words(words);
    }
}

impl<const N: usize> Words for Bits<N> {
    fn from_words(words: &[u32]) -> Self {
        if N <= 32 {
            return u64::from(words[0]).into();
        }
        Self::Long(std::array::from_fn(|bit| words[bit / 32] >> (bit % 32) & 1 == 1).into())
    }
    fn to_words(self, words: &mut [u32]) {
        match self {
            Self::Short(short) => words[0] = short.short(),
            Self::Long(long) => {
                for bit in 0..N {
                    words[bit / 32] |= u32::from(long.get_bit(bit)) << (bit % 32);
                }
            }
        }
    }
}

/// What a port is to the test bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Driven by [`Pair::step`](super::Pair::step).
    Clock,
    /// Driven by [`Pair::set`](super::Pair::set).
    Input,
    /// Compared.
    Output,
}

/// Sets a signal of a block from words.
pub type Write<U> = fn(&mut U, &[u32]);

/// Reads a signal of a block as words.
pub type Read<U> = fn(&U, &mut [u32]);

/// One port of block `U`.
pub struct Access<U> {
    /// Name in the Verilog: the field's, interfaces' fields joined by `$`.
    pub name: String,
    /// Width in bits.
    pub width: usize,
    /// Role.
    pub role: Role,
    /// Sets the native signal; outputs have none.
    pub write: Option<Write<U>>,
    /// Reads the native signal.
    pub read: Read<U>,
}

impl<U> Access<U> {
    pub(super) fn port(&self) -> Port {
        let direction = if self.role == Role::Output {
            Direction::Output
        } else {
            Direction::Input
        };
        Port {
            name: self.name.clone(),
            width: self.width,
            direction,
        }
    }
}

/// All ports of block `U`: what [`ports!`](crate::ports) makes.
pub type Ports<U> = Vec<Access<U>>;

/// Names every top-level port of a block: `ports!(Block<8> { clock: clock; in a, bus.data; out x, y })`.
///
/// Several clocks are separated by commas; a block without a clock, or without inputs, leaves that section out.
#[macro_export]
macro_rules! ports {
    (@name $($part:ident).+) => { [$(stringify!($part)),+].join("$") };
    ($block:ty {
        $(clock: $($($clock:ident).+),+ $(,)?;)?
        $(in $($($input:ident).+),+ $(,)?;)?
        $(out $($($output:ident).+),+ $(,)? $(;)?)?
    }) => {{
        let ports: $crate::equivalence::Ports<$block> = vec![
            $($($crate::equivalence::clock(
                $crate::ports!(@name $($clock).+),
                |block: &$block| &block.$($clock).+,
                |block, words| block.$($clock).+.next = $crate::equivalence::Words::from_words(words),
                |block, words| $crate::equivalence::Words::to_words(block.$($clock).+.val(), words),
            ),)+)?
            $($($crate::equivalence::input(
                $crate::ports!(@name $($input).+),
                |block: &$block| &block.$($input).+,
                |block, words| block.$($input).+.next = $crate::equivalence::Words::from_words(words),
                |block, words| $crate::equivalence::Words::to_words(block.$($input).+.val(), words),
            ),)+)?
            $($($crate::equivalence::output(
                $crate::ports!(@name $($output).+),
                |block: &$block| &block.$($output).+,
                |block, words| $crate::equivalence::Words::to_words(block.$($output).+.val(), words),
            ),)+)?
        ];
        ports
    }};
}

/// Port of a clock. `_signal` only tells the signal's type.
#[doc(hidden)]
pub fn clock<U>(
    name: String,
    _signal: fn(&U) -> &Signal<In, Clock>,
    write: Write<U>,
    read: Read<U>,
) -> Access<U> {
    Access {
        name,
        width: 1,
        role: Role::Clock,
        write: Some(write),
        read,
    }
}

/// Port of an input. `_signal` only tells the signal's type.
#[doc(hidden)]
pub fn input<U, T: Words>(
    name: String,
    _signal: fn(&U) -> &Signal<In, T>,
    write: Write<U>,
    read: Read<U>,
) -> Access<U> {
    Access {
        name,
        width: T::BITS,
        role: Role::Input,
        write: Some(write),
        read,
    }
}

/// Port of an output. `_signal` only tells the signal's type.
#[doc(hidden)]
pub fn output<U, T: Words>(
    name: String,
    _signal: fn(&U) -> &Signal<Out, T>,
    read: Read<U>,
) -> Access<U> {
    Access {
        name,
        width: T::BITS,
        role: Role::Output,
        write: None,
        read,
    }
}
