//! What a read asks for, in bytes.

use rust_hdl::prelude::*;

/// From the length and the byte enables of a memory read to the byte count and the lowest address bits of its completion
/// (PCIe Base Spec 5.0, 2.3.1.1).
#[derive(LogicBlock, Default)]
pub struct ReadSpan {
    /// DWs, 1..=1024.
    pub len: Signal<In, Bits<11>>,
    /// Byte enables of the first DW.
    pub first_be: Signal<In, Bits<4>>,
    /// Byte enables of the last DW, zero when there is only one.
    pub last_be: Signal<In, Bits<4>>,
    /// Bytes, 1..=4096.
    pub byte_count: Signal<Out, Bits<13>>,
    /// Address bits 1:0 of the first enabled byte.
    pub offset: Signal<Out, Bits<2>>,
    one: Signal<Local, Bit>,
    end_be: Signal<Local, Bits<4>>,
    skipped_first: Signal<Local, Bits<2>>,
    skipped_last: Signal<Local, Bits<2>>,
    bytes: Signal<Local, Bits<13>>,
}

impl Logic for ReadSpan {
    #[hdl_gen]
    fn update(&mut self) {
        self.one.next = self.len.val() == 1;
        self.end_be.next = self.last_be.val();
        if self.one.val() {
            self.end_be.next = self.first_be.val();
        }
        // Bytes that are not asked for, before the first enabled one and behind the last one.
        self.skipped_first.next = 0.into();
        if self.first_be.val().get_bit(0) {
            self.skipped_first.next = 0.into();
        } else if self.first_be.val().get_bit(1) {
            self.skipped_first.next = 1.into();
        } else if self.first_be.val().get_bit(2) {
            self.skipped_first.next = 2.into();
        } else if self.first_be.val().get_bit(3) {
            self.skipped_first.next = 3.into();
        }
        self.skipped_last.next = 0.into();
        if self.end_be.val().get_bit(3) {
            self.skipped_last.next = 0.into();
        } else if self.end_be.val().get_bit(2) {
            self.skipped_last.next = 1.into();
        } else if self.end_be.val().get_bit(1) {
            self.skipped_last.next = 2.into();
        } else if self.end_be.val().get_bit(0) {
            self.skipped_last.next = 3.into();
        }
        self.offset.next = self.skipped_first.val();
        self.bytes.next = ((bit_cast::<13, 11>(self.len.val()) << 2)
            - bit_cast::<13, 2>(self.skipped_first.val()))
            - bit_cast::<13, 2>(self.skipped_last.val());
        self.byte_count.next = self.bytes.val();
        // A read of no bytes counts as one of one byte.
        if self.one.val() & !self.first_be.val().any() {
            self.byte_count.next = 1.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;

    #[test]
    fn spans_from_the_first_to_the_last_enabled_byte() -> Result {
        let mut dut = Pair::new(
            ReadSpan::default(),
            ports!(ReadSpan { in len, first_be, last_be; out byte_count, offset }),
        )?;
        for len in [1u64, 2, 3, 17, 1023, 1024] {
            for (first, last) in (0..16).flat_map(|first| (0..16).map(move |last| (first, last))) {
                // No last enables in a single DW; both are needed in a longer read.
                if (len == 1) != (last == 0) || (len > 1 && first == 0) {
                    continue;
                }
                set_all(
                    &mut dut,
                    &[("len", len), ("first_be", first), ("last_be", last)],
                )?;
                let enables = (0..4 * len).filter(|byte| match byte / 4 {
                    0 => first >> (byte % 4) & 1 == 1,
                    dword if dword == len - 1 => last >> (byte % 4) & 1 == 1,
                    _ => true,
                });
                let enabled: Vec<u64> = enables.collect();
                let (low, high) = match (enabled.first(), enabled.last()) {
                    (Some(low), Some(high)) => (*low, *high),
                    _ => (0, 0),
                };
                let found = (dut.get("byte_count")?, dut.get("offset")?);
                assert_eq!(found, (high - low + 1, low), "{len} {first:#x} {last:#x}");
            }
        }
        Ok(())
    }
}
