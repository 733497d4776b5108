//! Which regions are on chip.

use crate::sizes::{Full, Last, Log2, Ones, PLACE_BITS, PLACES, Places, Sets, Sizes};
use crate::widgets::{LutRam, Size};
use rust_hdl::prelude::*;

/// Directory of the resident regions of a direction: up to sixteen sets of four ways, the set being the low bits of the region id.
///
/// A place (set and way) holds a region of a generation, and one block of its SG table or none. What it holds lies in the
/// context RAM and in the SG RAM; here is what decides who may use it. A place is pinned while a transfer looks at its block: then
/// neither region nor block may be replaced, which is up to who uses the directory.
///
/// One action in a cycle, for `place`, and beside it `filled`. The answers to `region` and `generation` come in the next cycle,
/// and are those of the cycle before.
#[derive(LogicBlock, Default)]
pub struct Directory<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Forgets all.
    pub reset: Signal<In, Bit>,

    /// Region asked for.
    pub region: Signal<In, Bits<32>>,
    /// Its generation.
    pub generation: Signal<In, Bits<16>>,
    /// It is here, in some generation.
    pub known: Signal<Out, Bit>,
    /// It is here, in this generation.
    pub hit: Signal<Out, Bit>,
    /// Way that holds it.
    pub way: Signal<Out, Bits<2>>,
    /// That way holds a block.
    pub here: Signal<Out, Bit>,
    /// Its number.
    pub block: Signal<Out, Bits<32>>,
    /// Ways of the set that hold a region.
    pub valid: Signal<Out, Bits<4>>,
    /// Those that were used since a region last came to the set.
    pub used: Signal<Out, Bits<4>>,
    /// Those that are pinned.
    pub pinned: Signal<Out, Bits<4>>,

    /// Set and way of an action.
    pub place: Signal<In, Bits<PLACE_BITS>>,
    /// It holds the region asked for, and no block; its set's ways count as unused.
    pub install: Signal<In, Bit>,
    /// It holds nothing any more; a block that is on its way to it is not its own.
    pub forget: Signal<In, Bit>,
    /// It is used.
    pub touch: Signal<In, Bit>,
    /// One more transfer looks at its block.
    pub pin: Signal<In, Bit>,
    /// One less.
    pub unpin: Signal<In, Bit>,
    /// It will hold this block: with `pin`.
    pub claim: Signal<In, Bit>,
    /// Number of the block.
    pub claim_block: Signal<In, Bits<32>>,
    /// The block that it will hold is asked for.
    pub fill: Signal<In, Bit>,
    /// A block has come.
    pub filled: Signal<In, Bit>,
    /// For this place.
    pub filled_place: Signal<In, Bits<PLACE_BITS>>,
    /// As a whole.
    pub filled_well: Signal<In, Bit>,

    // One bit per place.
    holding: DFF<Bits<PLACES>>,
    touched: DFF<Bits<PLACES>>,
    looked_at: DFF<Bits<PLACES>>,
    has_block: DFF<Bits<PLACES>>,
    filling: DFF<Bits<PLACES>>,
    // By set: generation and the rest of the region id. By place: the block, and how many look at it.
    tags0: LutRam<Bits<48>, 4, Sets<S>>,
    tags1: LutRam<Bits<48>, 4, Sets<S>>,
    tags2: LutRam<Bits<48>, 4, Sets<S>>,
    tags3: LutRam<Bits<48>, 4, Sets<S>>,
    blocks: LutRam<Bits<32>, PLACE_BITS, Places<S>>,
    lookers: LutRam<Bits<5>, PLACE_BITS, Places<S>>,
    last_set: Size<4, Last<Sets<S>>>,
    set_width: Size<5, Log2<Sets<S>>>,
    all: Size<PLACES, Ones<Places<S>>>,
    // Answers.
    known_now: DFF<Bit>,
    hit_now: DFF<Bit>,
    way_now: DFF<Bits<2>>,
    here_now: DFF<Bit>,
    block_now: DFF<Bits<32>>,
    valid_now: DFF<Bits<4>>,
    used_now: DFF<Bits<4>>,
    pinned_now: DFF<Bits<4>>,

    one: Signal<Local, Bits<PLACES>>,
    four: Signal<Local, Bits<PLACES>>,
    place_bit: Signal<Local, Bits<PLACES>>,
    others: Signal<Local, Bits<PLACES>>,
    filled_bit: Signal<Local, Bits<PLACES>>,
    not_filled: Signal<Local, Bits<PLACES>>,
    set: Signal<Local, Bits<4>>,
    base: Signal<Local, Bits<PLACE_BITS>>,
    set_bits: Signal<Local, Bits<PLACES>>,
    other_sets: Signal<Local, Bits<PLACES>>,
    rest: Signal<Local, Bits<32>>,
    shifted: Signal<Local, Bits<PLACES>>,
    shifted_used: Signal<Local, Bits<PLACES>>,
    shifted_pins: Signal<Local, Bits<PLACES>>,
    set_valid: Signal<Local, Bits<4>>,
    matches0: Signal<Local, Bit>,
    matches1: Signal<Local, Bit>,
    matches2: Signal<Local, Bit>,
    matches3: Signal<Local, Bit>,
    found: Signal<Local, Bits<2>>,
    found_place: Signal<Local, Bits<PLACE_BITS>>,
    held: Signal<Local, Bits<48>>,
    held_generation: Signal<Local, Bits<16>>,
    tag: Signal<Local, Bits<48>>,
    any_match: Signal<Local, Bit>,
    is_pinned: Signal<Local, Bit>,
    count: Signal<Local, Bits<5>>,
    write_way: Signal<Local, Bits<2>>,
    write_set: Signal<Local, Bits<4>>,
}

impl<S: Sizes> Logic for Directory<S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, holding, touched, looked_at, has_block, filling, known_now, hit_now,
            way_now, here_now, block_now, valid_now, used_now, pinned_now
        );
        clock!(self, clock, tags0, tags1, tags2, tags3, blocks, lookers);
        self.one.next = 1.into();
        self.four.next = 15.into();

        // The region asked for.
        self.set.next = self.region.val().get_bits::<4>(0) & self.last_set.val();
        self.rest.next = self.region.val() >> self.set_width.val();
        self.base.next = bit_cast::<PLACE_BITS, 4>(self.set.val()) << 2;
        self.set_bits.next = self.four.val() << self.base.val();
        self.other_sets.next = !self.set_bits.val();
        self.tags0.read_address.next = self.region.val().get_bits::<4>(0);
        self.tags1.read_address.next = self.region.val().get_bits::<4>(0);
        self.tags2.read_address.next = self.region.val().get_bits::<4>(0);
        self.tags3.read_address.next = self.region.val().get_bits::<4>(0);
        self.shifted.next = self.holding.q.val() >> self.base.val();
        self.shifted_used.next = self.touched.q.val() >> self.base.val();
        self.shifted_pins.next = self.looked_at.q.val() >> self.base.val();
        self.set_valid.next = self.shifted.val().get_bits::<4>(0);
        self.matches0.next = self.set_valid.val().get_bit(0)
            & (self.tags0.read_data.val().get_bits::<32>(0) == self.rest.val());
        self.matches1.next = self.set_valid.val().get_bit(1)
            & (self.tags1.read_data.val().get_bits::<32>(0) == self.rest.val());
        self.matches2.next = self.set_valid.val().get_bit(2)
            & (self.tags2.read_data.val().get_bits::<32>(0) == self.rest.val());
        self.matches3.next = self.set_valid.val().get_bit(3)
            & (self.tags3.read_data.val().get_bits::<32>(0) == self.rest.val());
        self.any_match.next = (self.matches0.val() | self.matches1.val())
            | (self.matches2.val() | self.matches3.val());
        self.found.next = 0.into();
        self.held.next = self.tags0.read_data.val();
        if self.matches1.val() {
            self.found.next = 1.into();
            self.held.next = self.tags1.read_data.val();
        }
        if self.matches2.val() {
            self.found.next = 2.into();
            self.held.next = self.tags2.read_data.val();
        }
        if self.matches3.val() {
            self.found.next = 3.into();
            self.held.next = self.tags3.read_data.val();
        }
        self.held_generation.next = self.held.val().get_bits::<16>(32);
        self.found_place.next = self.base.val() | bit_cast::<PLACE_BITS, 2>(self.found.val());
        self.blocks.read_address.next = self.found_place.val();
        self.known_now.d.next = self.any_match.val();
        self.hit_now.d.next =
            self.any_match.val() & (self.held_generation.val() == self.generation.val());
        self.way_now.d.next = self.found.val();
        self.here_now.d.next = self.any_match.val()
            & self
                .has_block
                .q
                .val()
                .get_bit(self.found_place.val().index());
        self.block_now.d.next = self.blocks.read_data.val();
        self.valid_now.d.next = self.set_valid.val();
        self.used_now.d.next = self.shifted_used.val().get_bits::<4>(0);
        self.pinned_now.d.next = self.shifted_pins.val().get_bits::<4>(0);
        self.known.next = self.known_now.q.val();
        self.hit.next = self.hit_now.q.val();
        self.way.next = self.way_now.q.val();
        self.here.next = self.here_now.q.val();
        self.block.next = self.block_now.q.val();
        self.valid.next = self.valid_now.q.val();
        self.used.next = self.used_now.q.val();
        self.pinned.next = self.pinned_now.q.val();

        // A block comes: it counts if its place still waits for it.
        self.filled_bit.next = (self.one.val() << self.filled_place.val()) & self.all.val();
        self.not_filled.next = !self.filled_bit.val();
        if self.filled.val() {
            self.filling.d.next = self.filling.q.val() & self.not_filled.val();
            if self.filled_well.val() {
                self.has_block.d.next =
                    self.has_block.q.val() | (self.filling.q.val() & self.filled_bit.val());
            }
        }

        // Actions.
        self.place_bit.next = (self.one.val() << self.place.val()) & self.all.val();
        self.others.next = !self.place_bit.val();
        self.write_way.next = self.place.val().get_bits::<2>(0);
        self.write_set.next = self.place.val().get_bits::<4>(2);
        self.tag.next =
            bit_cast::<48, 32>(self.rest.val()) | (bit_cast::<48, 16>(self.generation.val()) << 32);
        self.tags0.write_address.next = self.write_set.val();
        self.tags1.write_address.next = self.write_set.val();
        self.tags2.write_address.next = self.write_set.val();
        self.tags3.write_address.next = self.write_set.val();
        self.tags0.write_data.next = self.tag.val();
        self.tags1.write_data.next = self.tag.val();
        self.tags2.write_data.next = self.tag.val();
        self.tags3.write_data.next = self.tag.val();
        self.tags0.write_enable.next = self.install.val() & (self.write_way.val() == 0);
        self.tags1.write_enable.next = self.install.val() & (self.write_way.val() == 1);
        self.tags2.write_enable.next = self.install.val() & (self.write_way.val() == 2);
        self.tags3.write_enable.next = self.install.val() & (self.write_way.val() == 3);
        self.blocks.write_address.next = self.place.val();
        self.blocks.write_data.next = self.claim_block.val();
        self.blocks.write_enable.next = self.claim.val();
        if self.install.val() {
            self.holding.d.next = self.holding.q.val() | self.place_bit.val();
        }
        if self.forget.val() {
            self.holding.d.next = self.holding.q.val() & self.others.val();
        }
        if self.touch.val() {
            self.touched.d.next = self.touched.q.val() | self.place_bit.val();
        }
        if self.forget.val() {
            self.touched.d.next = self.touched.q.val() & self.others.val();
        }
        if self.install.val() {
            self.touched.d.next = self.touched.q.val() & self.other_sets.val();
        }
        if self.fill.val() {
            self.filling.d.next = self.filling.q.val() | self.place_bit.val();
            if self.filled.val() {
                self.filling.d.next =
                    (self.filling.q.val() & self.not_filled.val()) | self.place_bit.val();
            }
        }
        // Whatever comes now for a block that was is dropped.
        if self.install.val() | (self.forget.val() | self.claim.val()) {
            self.filling.d.next = self.filling.q.val() & self.others.val();
            self.has_block.d.next = self.has_block.q.val() & self.others.val();
            if self.filled.val() {
                self.filling.d.next =
                    (self.filling.q.val() & self.not_filled.val()) & self.others.val();
                if self.filled_well.val() {
                    self.has_block.d.next = (self.has_block.q.val()
                        | (self.filling.q.val() & self.filled_bit.val()))
                        & self.others.val();
                }
            }
        }

        // A count counts only while its place is pinned, so that it needs no reset.
        self.lookers.read_address.next = self.place.val();
        self.lookers.write_address.next = self.place.val();
        self.is_pinned.next = self.looked_at.q.val().get_bit(self.place.val().index());
        self.count.next = 0.into();
        if self.is_pinned.val() {
            self.count.next = self.lookers.read_data.val();
        }
        self.lookers.write_data.next = self.count.val() + 1;
        self.lookers.write_enable.next = self.pin.val() | self.unpin.val();
        if self.pin.val() {
            self.looked_at.d.next = self.looked_at.q.val() | self.place_bit.val();
        }
        if self.unpin.val() {
            self.lookers.write_data.next = self.count.val() - 1;
            if self.count.val() == 1 {
                self.looked_at.d.next = self.looked_at.q.val() & self.others.val();
            }
        }

        if self.reset.val() {
            self.holding.d.next = 0.into();
            self.touched.d.next = 0.into();
            self.looked_at.d.next = 0.into();
            self.has_block.d.next = 0.into();
            self.filling.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests;
