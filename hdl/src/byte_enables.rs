//! DW length and byte enables of a request.

use rust_hdl::prelude::*;

/// From the low address bits and the length in bytes to the DW count and the byte enables (PCIe Base Spec 5.0, 2.2.5).
#[derive(LogicBlock, Default)]
pub struct ByteEnables {
    /// Address bits 1:0 of the first byte.
    pub offset: Signal<In, Bits<2>>,
    /// Bytes, 1..=1023.
    pub bytes: Signal<In, Bits<10>>,
    /// DWs touched.
    pub dwords: Signal<Out, Bits<11>>,
    /// Byte enables of the first DW.
    pub first: Signal<Out, Bits<4>>,
    /// Byte enables of the last DW, 0 when there is only one.
    pub last: Signal<Out, Bits<4>>,
    span: Signal<Local, Bits<11>>,
    rounded: Signal<Local, Bits<11>>,
    past: Signal<Local, Bits<2>>,
    head: Signal<Local, Bits<4>>,
    tail: Signal<Local, Bits<4>>,
    count: Signal<Local, Bits<11>>,
}

impl Logic for ByteEnables {
    #[hdl_gen]
    fn update(&mut self) {
        self.span.next =
            bit_cast::<11, 2>(self.offset.val()) + bit_cast::<11, 10>(self.bytes.val());
        self.rounded.next = self.span.val() + 3;
        self.count.next = self.rounded.val() >> 2;
        self.past.next = self.span.val().get_bits::<2>(0);
        self.head.next = 15.into();
        if self.offset.val() == 1 {
            self.head.next = 14.into();
        }
        if self.offset.val() == 2 {
            self.head.next = 12.into();
        }
        if self.offset.val() == 3 {
            self.head.next = 8.into();
        }
        self.tail.next = 15.into();
        if self.past.val() == 1 {
            self.tail.next = 1.into();
        }
        if self.past.val() == 2 {
            self.tail.next = 3.into();
        }
        if self.past.val() == 3 {
            self.tail.next = 7.into();
        }
        self.dwords.next = self.count.val();
        self.first.next = self.head.val();
        self.last.next = self.tail.val();
        if self.count.val() == 1 {
            self.first.next = self.head.val() & self.tail.val();
            self.last.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;

    #[test]
    fn enables_name_exactly_the_bytes() -> Result<(), Error> {
        let ports = ports!(ByteEnables { in offset, bytes; out dwords, first, last });
        let mut dut = Pair::new(ByteEnables::default(), ports)?;
        for offset in 0..4 {
            for bytes in 1..1024 {
                dut.set("offset", offset)?;
                dut.set("bytes", bytes)?;
                let dwords = (offset + bytes).div_ceil(4);
                // Bytes of DW `dword` that lie in offset..offset + bytes.
                let enables = |dword: u64| {
                    (0..4)
                        .filter(|byte| (offset..offset + bytes).contains(&(4 * dword + byte)))
                        .fold(0, |enables, byte| enables | 1 << byte)
                };
                let last = if dwords == 1 { 0 } else { enables(dwords - 1) };
                let found = (dut.get("dwords")?, dut.get("first")?, dut.get("last")?);
                assert_eq!(
                    found,
                    (dwords, enables(0), last),
                    "{bytes} bytes from {offset}"
                );
            }
        }
        Ok(())
    }
}
