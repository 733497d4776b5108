//! Cycles that the engine could have used and did not.

use rust_hdl::prelude::*;

/// Tells of each cycle whether a direction left the link idle without need.
///
/// The link is free when it could take a beat and none is offered, of whatever kind. Who is to blame for that? C2H, if
/// it keeps the user stream waiting in spite of a transfer for it, or has all the data of a write. A stream that is taken
/// as fast as it comes is never idle: a write must not begin before all of its data is here. H2C, if bytes are left to ask
/// for, and slots and completion space allow it: with all slots taken, the reads' way there and back or the user stream is
/// the limit. Waiting for the list has a counter of its own.
#[derive(LogicBlock, Default)]
pub struct IdleCycles {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Reads and writes may begin, the link takes beats, and none is offered.
    pub link_free: Signal<In, Bit>,
    /// A C2H transfer takes bytes from the stream, or is the next to do so.
    pub c2h_work: Signal<In, Bit>,
    /// A beat of the C2H stream is offered and not taken.
    pub c2h_refuses: Signal<In, Bit>,
    /// All the payload of a write is here, and it has not been sent yet.
    pub c2h_holds: Signal<In, Bit>,
    /// C2H waits for its list.
    pub c2h_list_wait: Signal<In, Bit>,
    /// An H2C transfer has bytes left to ask for, or is the next to have some.
    pub h2c_work: Signal<In, Bit>,
    /// There is a slot, and completion space, for one more read.
    pub h2c_room: Signal<In, Bit>,
    /// H2C waits for its list.
    pub h2c_list_wait: Signal<In, Bit>,
    /// The cycle before was an idle one of C2H.
    pub c2h_idle: Signal<Out, Bit>,
    /// The cycle before was an idle one of H2C.
    pub h2c_idle: Signal<Out, Bit>,

    c2h: DFF<Bit>,
    h2c: DFF<Bit>,
}

impl Logic for IdleCycles {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, c2h, h2c);
        self.c2h.d.next = (self.link_free.val() & !self.c2h_list_wait.val())
            & (self.c2h_holds.val() | (self.c2h_work.val() & self.c2h_refuses.val()));
        self.h2c.d.next = (self.link_free.val() & !self.h2c_list_wait.val())
            & (self.h2c_work.val() & self.h2c_room.val());
        self.c2h_idle.next = self.c2h.q.val();
        self.h2c_idle.next = self.h2c.q.val();
        if self.reset.val() {
            self.c2h.d.next = false;
            self.h2c.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
