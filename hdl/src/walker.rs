//! Walks a transfer's SG elements and cuts what they name into chunks.

#[cfg(test)]
mod tests;

use crate::generated::structures::{SgElementDecode, SgUniformElementDecode};
use crate::sizes::{SLOT_BITS, WORD_BITS};
use crate::widgets::Const;
use pinring_protocol::Status;
use rust_hdl::prelude::*;

/// From a transfer to chunks: bus address and length, never across a naturally aligned boundary of `chunk_max` bytes.
///
/// The elements come from the SG RAM of the direction, in blocks of 512 bytes; a block b is read when its window
/// b mod 2 of the context is valid, and `consumed` gives it back. Every job yields exactly one chunk with
/// `chunk_last`; a job that fails, is aborted or has nothing to move ends with a *terminal* chunk of length 0.
#[derive(LogicBlock, Default)]
pub struct Walker {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A transfer is offered.
    pub job_valid: Signal<In, Bit>,
    /// The transfer is taken.
    pub job_ready: Signal<Out, Bit>,
    /// Context.
    pub job_ctx: Signal<In, Bits<4>>,
    /// Byte position of the first byte from the start of the region's first page.
    pub job_position: Signal<In, Bits<64>>,
    /// Bytes; 0 for a transfer that moves nothing.
    pub job_length: Signal<In, Bits<48>>,
    /// Element that holds the first byte.
    pub job_element: Signal<In, Bits<32>>,
    /// Last element of the table.
    pub job_last_element: Signal<In, Bits<32>>,
    /// Uniform pages.
    pub job_uniform: Signal<In, Bit>,
    /// log2 of the uniform page size.
    pub job_shift: Signal<In, Bits<5>>,
    /// Not 0: the transfer has failed already.
    pub job_status: Signal<In, Bits<8>>,
    /// TDEST of the transfer.
    pub job_tdest: Signal<In, Bits<16>>,
    /// Largest chunk: 128, 256 or 512 bytes.
    pub chunk_max: Signal<In, Bits<10>>,
    /// Window looked at: context and block mod 2.
    pub window: Signal<Out, Bits<5>>,
    /// Its block is on chip.
    pub window_valid: Signal<In, Bit>,
    /// SG slot of the block.
    pub window_slot: Signal<In, Bits<SLOT_BITS>>,
    /// Not 0: the block could not be read.
    pub window_status: Signal<In, Bits<8>>,
    /// Word of the SG RAM; its data comes in the next cycle.
    pub sg_address: Signal<Out, Bits<WORD_BITS>>,
    /// One page-granular or two uniform elements.
    pub sg_data: Signal<In, Bits<128>>,
    /// A block is left behind.
    pub consumed_valid: Signal<Out, Bit>,
    /// The note is taken.
    pub consumed_ready: Signal<In, Bit>,
    /// Index of the block in its table.
    pub consumed_block: Signal<Out, Bits<32>>,
    /// Contexts to abort.
    pub aborts: Signal<In, Bits<16>>,
    /// End the job of `stop_ctx` without an error: the stream has ended it.
    pub stop: Signal<In, Bit>,
    /// Context to stop.
    pub stop_ctx: Signal<In, Bits<4>>,
    /// A chunk leaves.
    pub chunk_valid: Signal<Out, Bit>,
    /// There is room for it.
    pub chunk_ready: Signal<In, Bit>,
    /// Bus address.
    pub chunk_addr: Signal<Out, Bits<64>>,
    /// Bytes.
    pub chunk_len: Signal<Out, Bits<10>>,
    /// First of its transfer.
    pub chunk_first: Signal<Out, Bit>,
    /// Last of its transfer.
    pub chunk_last: Signal<Out, Bit>,
    /// Why a terminal chunk ends the transfer.
    pub chunk_status: Signal<Out, Bits<8>>,
    /// Context of the job.
    pub ctx: Signal<Out, Bits<4>>,
    /// Length of the job.
    pub length: Signal<Out, Bits<48>>,
    /// TDEST of the job.
    pub tdest: Signal<Out, Bits<16>>,
    /// No job in hand.
    pub idle: Signal<Out, Bit>,
    /// There is a job, and chunks with bytes may still come of it.
    pub cutting: Signal<Out, Bit>,
    /// Waiting for a block of the list.
    pub list_wait: Signal<Out, Bit>,

    state: DFF<WalkerState>,
    job: DFF<Bits<4>>,
    position: DFF<Bits<64>>,
    whole: DFF<Bits<48>>,
    remaining: DFF<Bits<48>>,
    element: DFF<Bits<32>>,
    last_element: DFF<Bits<32>>,
    uniform: DFF<Bit>,
    shift: DFF<Bits<5>>,
    destination: DFF<Bits<16>>,
    status: DFF<Bits<8>>,
    first: DFF<Bit>,
    whole_element: DFF<Bit>,
    seg_addr: DFF<Bits<64>>,
    seg_left: DFF<Bits<48>>,
    frame: DFF<Bits<52>>,
    page_index: DFF<Bits<32>>,
    pages: DFF<Bits<32>>,

    granular: SgElementDecode,
    even: SgUniformElementDecode,
    odd: SgUniformElementDecode,
    bad_element: Const<8, { Status::BadSgElement as u64 }>,
    bad_hint: Const<8, { Status::BadHint as u64 }>,
    aborted: Const<8, { Status::Aborted as u64 }>,

    page: Signal<Local, Bits<52>>,
    start: Signal<Local, Bits<52>>,
    depth: Signal<Local, Bits<52>>,
    element_ok: Signal<Local, Bit>,
    depth_fits: Signal<Local, Bit>,
    uniform_page: Signal<Local, Bits<52>>,
    element52: Signal<Local, Bits<52>>,
    beyond_page: Signal<Local, Bits<5>>,
    one: Signal<Local, Bits<19>>,
    page_pages: Signal<Local, Bits<19>>,
    all: Signal<Local, Bits<18>>,
    outside: Signal<Local, Bits<18>>,
    page_number: Signal<Local, Bits<18>>,
    page_offset: Signal<Local, Bits<30>>,
    pages_left: Signal<Local, Bits<32>>,
    run: Signal<Local, Bits<44>>,
    run48: Signal<Local, Bits<48>>,
    into_element: Signal<Local, Bits<64>>,
    place: Signal<Local, Bits<64>>,
    boundary_mask: Signal<Local, Bits<10>>,
    into_boundary: Signal<Local, Bits<10>>,
    room: Signal<Local, Bits<10>>,
    room48: Signal<Local, Bits<48>>,
    fits: Signal<Local, Bit>,
    len: Signal<Local, Bits<10>>,
    len48: Signal<Local, Bits<48>>,
    next_element: Signal<Local, Bits<32>>,
    block_end: Signal<Local, Bit>,
    block: Signal<Local, Bits<32>>,
    interrupted: Signal<Local, Bit>,
    aborting: Signal<Local, Bit>,
    stopping: Signal<Local, Bit>,
}

/// Where the walker is.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum WalkerState {
    /// No job.
    Idle,
    /// Waiting for the element's block.
    Window,
    /// The element is here: does it hold the position?
    Check,
    /// Where the segment starts and how long it is.
    Place,
    /// Cutting the segment.
    Split,
    /// On to the next element.
    Next,
    /// Giving the block back.
    Consume,
    /// The terminal chunk.
    End,
}

impl Logic for Walker {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            job,
            position,
            whole,
            remaining,
            element,
            last_element,
            uniform,
            shift,
            destination,
            status,
            first,
            whole_element,
            seg_addr,
            seg_left,
            frame,
            page_index,
            pages
        );
        self.ctx.next = self.job.q.val();
        self.length.next = self.whole.q.val();
        self.tdest.next = self.destination.q.val();
        self.idle.next = self.state.q.val() == WalkerState::Idle;
        self.job_ready.next = self.state.q.val() == WalkerState::Idle;
        self.cutting.next =
            (self.state.q.val() != WalkerState::Idle) & (self.state.q.val() != WalkerState::End);
        self.list_wait.next = false;

        // Where the element's block is.
        self.block.next = self.element.q.val() >> 5;
        if self.uniform.q.val() {
            self.block.next = self.element.q.val() >> 6;
        }
        self.window.next = (bit_cast::<5, 4>(self.job.q.val()) << 1)
            | bit_cast::<5, 1>(self.block.val().get_bits::<1>(0));
        self.sg_address.next = (bit_cast::<WORD_BITS, SLOT_BITS>(self.window_slot.val()) << 5)
            | bit_cast::<WORD_BITS, 5>(self.element.q.val().get_bits::<5>(0));
        if self.uniform.q.val() {
            self.sg_address.next = (bit_cast::<WORD_BITS, SLOT_BITS>(self.window_slot.val()) << 5)
                | bit_cast::<WORD_BITS, 5>(self.element.q.val().get_bits::<5>(1));
        }
        self.consumed_valid.next = false;
        self.consumed_block.next = self.block.val();

        // The element.
        self.granular.raw.next = self.sg_data.val();
        self.even.raw.next = self.sg_data.val().get_bits::<64>(0);
        self.odd.raw.next = self.sg_data.val().get_bits::<64>(64);
        self.page.next = self.position.q.val().get_bits::<52>(12);
        self.start.next = bit_cast::<52, 32>(self.granular.start_page.val());
        self.depth.next = self.page.val() - self.start.val();
        // A page has 2^12 bytes, a uniform one up to 2^30: so many bits more.
        self.beyond_page.next = 0.into();
        if self.uniform.q.val() {
            self.beyond_page.next = self.shift.q.val() - 12;
        }
        self.uniform_page.next = self.page.val() >> self.beyond_page.val();
        self.element52.next = bit_cast::<52, 32>(self.element.q.val());
        self.element_ok.next = false;
        self.one.next = 1.into();
        self.page_pages.next = self.one.val() << self.beyond_page.val();
        self.all.next = 0x3ffff.into();
        self.outside.next = self.all.val() << self.beyond_page.val();
        self.page_number.next =
            self.position.q.val().get_bits::<18>(12) & (self.outside.val() ^ 0x3ffff);
        self.page_offset.next = bit_cast::<30, 12>(self.position.q.val().get_bits::<12>(0))
            | (bit_cast::<30, 18>(self.page_number.val()) << 12);

        // The segment: from the position to the element's end, or the transfer's.
        self.pages_left.next = self.pages.q.val() - self.page_index.q.val();
        if self.uniform.q.val() {
            self.pages_left.next = bit_cast::<32, 19>(self.page_pages.val());
        }
        self.run.next = (bit_cast::<44, 32>(self.pages_left.val()) << 12)
            - bit_cast::<44, 30>(self.page_offset.val());
        self.run48.next = bit_cast::<48, 44>(self.run.val());
        // A uniform element is one page, so its index is zero; the offset in another page has 12 bits.
        self.into_element.next = (bit_cast::<64, 32>(self.page_index.q.val()) << 12)
            | bit_cast::<64, 30>(self.page_offset.val());
        self.place.next = (bit_cast::<64, 52>(self.frame.q.val()) << 12) + self.into_element.val();

        // The chunk: from the segment's position to the next boundary.
        self.boundary_mask.next = self.chunk_max.val() - 1;
        self.into_boundary.next =
            self.seg_addr.q.val().get_bits::<10>(0) & self.boundary_mask.val();
        self.room.next = self.chunk_max.val() - self.into_boundary.val();
        self.room48.next = bit_cast::<48, 10>(self.room.val());
        self.fits.next = self.seg_left.q.val() <= self.room48.val();
        self.len.next = self.room.val();
        if self.fits.val() {
            self.len.next = bit_cast::<10, 48>(self.seg_left.q.val());
        }
        self.len48.next = bit_cast::<48, 10>(self.len.val());

        self.next_element.next = self.element.q.val() + 1;
        self.block_end.next = !self.next_element.val().get_bits::<5>(0).any();
        if self.uniform.q.val() {
            self.block_end.next = !self.next_element.val().get_bits::<6>(0).any();
        }
        self.aborting.next = self.aborts.val().get_bit(self.job.q.val().index());
        self.stopping.next = self.stop.val() & (self.stop_ctx.val() == self.job.q.val());
        self.interrupted.next = self.aborting.val() | self.stopping.val();

        self.depth_fits.next = false;
        self.chunk_valid.next = false;
        self.chunk_addr.next = self.seg_addr.q.val();
        self.chunk_len.next = self.len.val();
        self.chunk_first.next = self.first.q.val();
        self.chunk_last.next = false;
        self.chunk_status.next = 0.into();

        match self.state.q.val() {
            WalkerState::Idle => {
                if self.job_valid.val() {
                    self.job.d.next = self.job_ctx.val();
                    self.position.d.next = self.job_position.val();
                    self.whole.d.next = self.job_length.val();
                    self.remaining.d.next = self.job_length.val();
                    self.element.d.next = self.job_element.val();
                    self.last_element.d.next = self.job_last_element.val();
                    self.uniform.d.next = self.job_uniform.val();
                    self.shift.d.next = self.job_shift.val();
                    self.destination.d.next = self.job_tdest.val();
                    self.status.d.next = self.job_status.val();
                    self.first.d.next = true;
                    self.state.d.next = WalkerState::Window;
                    if self.job_status.val().any() | !self.job_length.val().any() {
                        self.state.d.next = WalkerState::End;
                    }
                }
            }
            WalkerState::Window => {
                if self.interrupted.val() {
                    self.state.d.next = WalkerState::End;
                    if self.aborting.val() {
                        self.status.d.next = self.aborted.val();
                    }
                } else {
                    if self.window_valid.val() {
                        self.state.d.next = WalkerState::Check;
                        if self.window_status.val().any() {
                            self.status.d.next = self.window_status.val();
                            self.state.d.next = WalkerState::End;
                        }
                    } else {
                        self.list_wait.next = true;
                    }
                }
            }
            WalkerState::Check => {
                self.pages.d.next = self.granular.pages.val();
                self.page_index.d.next = bit_cast::<32, 52>(self.depth.val());
                self.frame.d.next = self.granular.page_frame.val();
                // The first element may hold the position anywhere; those after it continue at their first page.
                // A page before the element's start is at a depth that wraps, and has bits that no number of pages has.
                self.depth_fits.next = !self.depth.val().get_bits::<20>(32).any()
                    & (self.depth.val().get_bits::<32>(0) < self.granular.pages.val());
                self.element_ok.next = (self.granular.valid.val() & self.depth_fits.val())
                    & (self.first.q.val() | !self.depth.val().any());
                if self.uniform.q.val() {
                    self.page_index.d.next = 0.into();
                    self.frame.d.next = self.even.page_frame.val();
                    self.element_ok.next =
                        self.even.valid.val() & (self.uniform_page.val() == self.element52.val());
                    if self.element.q.val().get_bit(0) {
                        self.frame.d.next = self.odd.page_frame.val();
                        self.element_ok.next = self.odd.valid.val()
                            & (self.uniform_page.val() == self.element52.val());
                    }
                }
                self.state.d.next = WalkerState::Place;
                if !self.element_ok.val() {
                    self.state.d.next = WalkerState::End;
                    self.status.d.next = self.bad_element.val();
                    if self.first.q.val() {
                        self.status.d.next = self.bad_hint.val();
                    }
                }
            }
            WalkerState::Place => {
                self.seg_addr.d.next = self.place.val();
                self.seg_left.d.next = self.run48.val();
                self.whole_element.d.next = true;
                if self.remaining.q.val() <= self.run48.val() {
                    self.seg_left.d.next = self.remaining.q.val();
                    self.whole_element.d.next = false;
                }
                self.state.d.next = WalkerState::Split;
            }
            WalkerState::Split => {
                self.chunk_valid.next = !self.interrupted.val();
                self.chunk_last.next = self.fits.val() & !self.whole_element.q.val();
                if self.interrupted.val() {
                    self.state.d.next = WalkerState::End;
                    if self.aborting.val() {
                        self.status.d.next = self.aborted.val();
                    }
                } else {
                    if self.chunk_ready.val() {
                        self.first.d.next = false;
                        self.seg_addr.d.next =
                            self.seg_addr.q.val() + bit_cast::<64, 10>(self.len.val());
                        self.position.d.next =
                            self.position.q.val() + bit_cast::<64, 10>(self.len.val());
                        self.seg_left.d.next = self.seg_left.q.val() - self.len48.val();
                        self.remaining.d.next = self.remaining.q.val() - self.len48.val();
                        if self.fits.val() {
                            self.state.d.next = WalkerState::Idle;
                            if self.whole_element.q.val() {
                                self.state.d.next = WalkerState::Next;
                            }
                        }
                    }
                }
            }
            WalkerState::Next => {
                if self.element.q.val() == self.last_element.q.val() {
                    self.status.d.next = self.bad_element.val();
                    self.state.d.next = WalkerState::End;
                } else {
                    if self.block_end.val() {
                        self.state.d.next = WalkerState::Consume;
                    } else {
                        self.element.d.next = self.next_element.val();
                        self.state.d.next = WalkerState::Window;
                    }
                }
            }
            WalkerState::Consume => {
                self.consumed_valid.next = true;
                if self.consumed_ready.val() {
                    self.element.d.next = self.next_element.val();
                    self.state.d.next = WalkerState::Window;
                }
            }
            WalkerState::End => {
                self.chunk_valid.next = true;
                self.chunk_len.next = 0.into();
                self.chunk_last.next = true;
                self.chunk_status.next = self.status.q.val();
                if self.chunk_ready.val() {
                    self.state.d.next = WalkerState::Idle;
                }
            }
        }
        if self.reset.val() {
            self.state.d.next = WalkerState::Idle;
        }
    }
}
