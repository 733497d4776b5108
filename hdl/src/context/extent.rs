//! Which part of its region's list a transfer needs.

use crate::generated::structures::{
    RegionEntryDecode0, RegionEntryDecode1, SubmissionEntryDecode1, SubmissionEntryDecode2,
};
use crate::widgets::Const;
use pinring_protocol::SgFormat;
use rust_hdl::prelude::*;

/// Positions, elements and SG blocks of a transfer, from its words.
///
/// An element covers a page at least, so the list is needed up to the element of the hint plus one for each page boundary that the
/// transfer crosses, or up to its end. Lengths are those of sound transfers: below 2^48, in pages of 2^12 to 2^30 bytes. `end_block` is that of the words of two cycles before; all else is that of the words now.
#[derive(LogicBlock, Default)]
pub struct Extent {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Word 1 of the submission.
    pub s1: Signal<In, Bits<128>>,
    /// Word 2 of the submission.
    pub s2: Signal<In, Bits<128>>,
    /// Word 0 of the region entry.
    pub r0: Signal<In, Bits<128>>,
    /// Word 1 of the region entry.
    pub r1: Signal<In, Bits<128>>,
    /// A block of the table.
    pub block: Signal<In, Bits<32>>,
    /// Bus address of the block.
    pub block_addr: Signal<Out, Bits<64>>,
    /// Its bytes: 512, or less at the table's end.
    pub block_bytes: Signal<Out, Bits<10>>,
    /// Position of the first byte in the region's pages.
    pub position: Signal<Out, Bits<64>>,
    /// Uniform pages.
    pub uniform: Signal<Out, Bit>,
    /// Last element of the table.
    pub last_element: Signal<Out, Bits<32>>,
    /// Block of the first byte.
    pub first_block: Signal<Out, Bits<32>>,
    /// Last block that can be needed.
    pub end_block: Signal<Out, Bits<32>>,

    sub1: SubmissionEntryDecode1,
    sub2: SubmissionEntryDecode2,
    reg0: RegionEntryDecode0,
    reg1: RegionEntryDecode1,
    format_uniform: Const<8, { SgFormat::Uniform as u64 }>,
    // Bytes from the first page's start to the last byte.
    reach: DFF<Bits<49>>,
    last_needed: DFF<Bits<32>>,
    is_uniform: Signal<Local, Bit>,
    from: Signal<Local, Bits<64>>,
    last: Signal<Local, Bits<32>>,
    all: Signal<Local, Bits<18>>,
    outside: Signal<Local, Bits<18>>,
    page_number: Signal<Local, Bits<18>>,
    in_page: Signal<Local, Bits<49>>,
    length: Signal<Local, Bits<49>>,
    beyond_page: Signal<Local, Bits<5>>,
    pages: Signal<Local, Bits<37>>,
    crossed: Signal<Local, Bits<37>>,
    end_element: Signal<Local, Bits<38>>,
    last38: Signal<Local, Bits<38>>,
    needed: Signal<Local, Bits<32>>,
    table_bytes: Signal<Local, Bits<37>>,
    block_offset: Signal<Local, Bits<41>>,
    left: Signal<Local, Bits<37>>,
}

impl Logic for Extent {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, reach, last_needed);
        self.sub1.raw.next = self.s1.val();
        self.sub2.raw.next = self.s2.val();
        self.reg0.raw.next = self.r0.val();
        self.reg1.raw.next = self.r1.val();
        self.is_uniform.next = self.reg1.format.val() == self.format_uniform.val();
        self.uniform.next = self.is_uniform.val();
        self.from.next =
            self.sub1.offset.val() + bit_cast::<64, 16>(self.reg1.first_byte_offset.val());
        self.position.next = self.from.val();
        self.last.next = self.reg1.element_count.val() - 1;
        self.last_element.next = self.last.val();

        // Where the list ends for the transfer.
        // Pages have 2^12 bytes at least: so many bits more.
        self.beyond_page.next = self.reg1.page_shift.val().get_bits::<5>(0) - 12;
        self.all.next = 0x3ffff.into();
        self.outside.next = self.all.val() << self.beyond_page.val();
        self.page_number.next = self.from.val().get_bits::<18>(12) & (self.outside.val() ^ 0x3ffff);
        self.in_page.next = bit_cast::<49, 12>(self.from.val().get_bits::<12>(0))
            | (bit_cast::<49, 18>(self.page_number.val()) << 12);
        self.length.next = bit_cast::<49, 48>(self.sub1.length.val().get_bits::<48>(0));
        self.reach.d.next = (self.in_page.val() + self.length.val()) - 1;
        self.pages.next = self.reach.q.val().get_bits::<37>(12);
        self.crossed.next = self.pages.val() >> self.beyond_page.val();
        self.end_element.next =
            bit_cast::<38, 37>(self.crossed.val()) + bit_cast::<38, 32>(self.sub2.sg_hint.val());
        self.last38.next = bit_cast::<38, 32>(self.last.val());
        self.needed.next = bit_cast::<32, 38>(self.end_element.val());
        if self.end_element.val() > self.last38.val() {
            self.needed.next = self.last.val();
        }
        self.last_needed.d.next = self.needed.val() >> 5;
        self.first_block.next = self.sub2.sg_hint.val() >> 5;
        self.table_bytes.next = bit_cast::<37, 32>(self.reg1.element_count.val()) << 4;
        if self.is_uniform.val() {
            self.last_needed.d.next = self.needed.val() >> 6;
            self.first_block.next = self.sub2.sg_hint.val() >> 6;
            self.table_bytes.next = bit_cast::<37, 32>(self.reg1.element_count.val()) << 3;
        }
        self.end_block.next = self.last_needed.q.val();

        // The block.
        self.block_offset.next = bit_cast::<41, 32>(self.block.val()) << 9;
        // A block begins within the table, below 2^36 bytes.
        self.left.next = self.table_bytes.val() - self.block_offset.val().get_bits::<37>(0);
        self.block_addr.next =
            self.reg0.sg_table.val() + bit_cast::<64, 41>(self.block_offset.val());
        self.block_bytes.next = 512.into();
        if self.left.val() < 512 {
            self.block_bytes.next = bit_cast::<10, 37>(self.left.val());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, seeded, set128};
    use pinring_protocol::{RegionEntry, SubmissionEntry};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    #[test]
    fn the_list_is_read_as_far_as_the_transfer_can_need_it() -> Result {
        let mut dut = Pair::new(
            Extent::default(),
            ports!(Extent {
                clock: clock;
                in s1, s2, r0, r1, block;
                out block_addr, block_bytes, position, uniform, last_element, first_block, end_block
            }),
        )?;
        let mut random = seeded(1);
        let mut whole = 0;
        for round in 0..600 {
            let uniform: bool = random.random();
            let (shift, per_block) = if uniform {
                (random.random_range(12..=30), 64)
            } else {
                (12, 32)
            };
            let count = random.random_range(1..=400);
            let hint = random.random_range(0..count);
            let start = random.random_range(0..4096u64);
            let offset = random.random_range(0..1u64 << 44);
            // Up to some page boundary, and a byte less or more.
            let in_page = (start + offset) % (1 << shift);
            let length = (random.random_range(1..=200u64) << shift)
                .saturating_sub(in_page)
                .saturating_add_signed(random.random_range(-1..=1))
                .max(1);
            let region = RegionEntry::new()
                .with_sg_table(random.random::<u64>() >> 13 << 12)
                .with_element_count(count)
                .with_first_byte_offset(start as u16)
                .with_format(if uniform {
                    SgFormat::Uniform
                } else {
                    SgFormat::PageGranular
                })
                .with_page_shift(shift);
            let submission = SubmissionEntry::new()
                .with_offset(offset)
                .with_length(length)
                .with_sg_hint(hint);
            let join = |words: &[u32]| {
                words
                    .iter()
                    .rev()
                    .fold(0, |all, word| all << 32 | u128::from(*word))
            };
            let (submission, entry) = (submission.to_words(), region.to_words());
            set128(&mut dut, "s1", join(&submission[4..8]))?;
            set128(&mut dut, "s2", join(&submission[8..12]))?;
            set128(&mut dut, "r0", join(&entry[..4]))?;
            set128(&mut dut, "r1", join(&entry[4..8]))?;
            let pages = ((in_page + length - 1) >> shift) + 1;
            let end = (u64::from(hint) + pages - 1).min(u64::from(count) - 1);
            whole += u32::from(end == u64::from(count) - 1);
            let block = random.random_range(0..=(count - 1) / per_block);
            dut.set("block", u64::from(block))?;
            dut.step()?;
            dut.step()?;
            let got = [
                dut.get("first_block")?,
                dut.get("end_block")?,
                dut.get("position")?,
                dut.get("last_element")?,
                dut.get("block_addr")?,
            ];
            let expected = [
                u64::from(hint / per_block),
                end / u64::from(per_block),
                start + offset,
                u64::from(count) - 1,
                region.sg_table() + u64::from(block) * 512,
            ];
            assert_eq!(got, expected, "round {round}");
            let bytes = count * (512 / per_block) - block * 512;
            assert_eq!(dut.get("block_bytes")?, u64::from(bytes.min(512)));
            assert_eq!(dut.is("uniform")?, uniform);
        }
        assert!(whole > 100 && whole < 500, "{whole}");
        Ok(())
    }
}
