//! Slots and contexts of one direction: who gets the next free SG slot.

use heapless::{Deque, Vec};
use pinring_protocol::limits::{CONTEXTS, SG_SLOTS};
use pinring_protocol::mailbox::{Command, ContextId};

/// Slots for second blocks: one of the running transfer, one of the next, so that neither waits at a block's end.
const SECONDS: usize = 2;

/// Contexts that may hold slots at a time; the others wait with their MISS.
const BOUND: usize = SG_SLOTS - SECONDS;

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Serves no transfer.
    Free,
    /// Its MISS waits for a slot.
    Waiting,
    /// FILL was sent; the slot is in window 0 until OPENED tells which block it is.
    Filled,
    /// The region is known.
    Open,
}

/// One transfer context as the firmware sees it. A context holds at most two blocks, block b in window b mod 2.
#[derive(Clone, Copy)]
struct Context {
    phase: Phase,
    /// The whole id, sequence number included.
    id: Option<ContextId>,
    /// Slot held in each window, or `NONE`.
    windows: [u32; 2],
    /// Block to ask for next.
    next: u32,
    /// Blocks of the table from `next` on.
    left: u32,
}

impl Context {
    const FREE: Self = Self {
        phase: Phase::Free,
        id: None,
        windows: [NONE; 2],
        next: 0,
        left: 0,
    };

    /// Whether it could take a slot for its next block.
    #[inline]
    fn wants(&self) -> bool {
        self.left != 0 && self.windows[(self.next & 1) as usize] == NONE
    }

    #[inline]
    fn holds_none(&self) -> bool {
        self.windows == [NONE; 2]
    }
}

/// A message that does not fit what the firmware knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexpected {
    /// It belongs to a transfer that the context no longer serves: to be ignored.
    Stale,
    /// It belongs to the context's transfer, but the rules exclude it now: a fault of the gateware.
    OutOfTurn,
}

/// The prefetcher of one direction.
///
/// Order in which free slots are given away:
/// 1. a context whose last block was just consumed, for the block that it waits for;
/// 2. the second blocks of the two oldest contexts: the running and the next;
/// 3. a waiting MISS, first come first served, while fewer than six contexts hold slots;
/// 4. second blocks of younger contexts, oldest first, while more than two slots are free, or from a slot of their own.
///
/// A context that needs more blocks always holds one (rule 1), so bound contexts can always go on, and their slots come back.
pub struct Prefetcher {
    contexts: [Context; CONTEXTS],
    free: Vec<u32, SG_SLOTS>,
    /// Contexts whose MISS waits, first come first.
    waiting: Deque<usize, CONTEXTS>,
    /// Contexts that hold or held slots, oldest first.
    bound: Vec<usize, CONTEXTS>,
}

impl Default for Prefetcher {
    fn default() -> Self {
        Self {
            contexts: [Context::FREE; CONTEXTS],
            free: (0..SG_SLOTS as u32).collect(),
            waiting: Deque::new(),
            bound: Vec::new(),
        }
    }
}

impl Prefetcher {
    /// MISS: the context starts a transfer.
    ///
    /// # Errors
    /// [`Unexpected::OutOfTurn`] if it still served another one, whose slots come back; the new one is served nevertheless.
    #[inline]
    pub fn miss(
        &mut self,
        ctx: ContextId,
        send: &mut impl FnMut(Command),
    ) -> Result<(), Unexpected> {
        let index = ctx.index();
        let in_turn = self.contexts[index].phase == Phase::Free;
        if !in_turn {
            self.release(index);
        }
        let context = &mut self.contexts[index];
        context.phase = Phase::Waiting;
        context.id = Some(ctx);
        // Has room: a context waits at most once.
        let _ = self.waiting.push_back(index);
        self.give_away(send);
        if in_turn {
            Ok(())
        } else {
            Err(Unexpected::OutOfTurn)
        }
    }

    /// OPENED: the FILL brings in block `first` of a table that ends with block `last`.
    ///
    /// # Errors
    /// [`Unexpected`]; a first block behind the last is out of turn, and nothing is read ahead.
    #[inline]
    pub fn opened(
        &mut self,
        ctx: ContextId,
        first: u32,
        last: u32,
        send: &mut impl FnMut(Command),
    ) -> Result<(), Unexpected> {
        let context = self.serving(ctx)?;
        if context.phase != Phase::Filled {
            return Err(Unexpected::OutOfTurn);
        }
        context.phase = Phase::Open;
        if first & 1 == 1 {
            context.windows.swap(0, 1);
        }
        context.next = first.wrapping_add(1);
        context.left = last.checked_sub(first).ok_or(Unexpected::OutOfTurn)?;
        self.give_away(send);
        Ok(())
    }

    /// CONSUMED: the context has left `block` behind.
    ///
    /// # Errors
    /// [`Unexpected`]; a block that the context does not hold is out of turn.
    #[inline]
    pub fn consumed(
        &mut self,
        ctx: ContextId,
        block: u32,
        send: &mut impl FnMut(Command),
    ) -> Result<(), Unexpected> {
        let nothing_waits = self.waiting.is_empty();
        let context = self.serving(ctx)?;
        let window = (block & 1) as usize;
        let age = context.next.wrapping_sub(block);
        let slot = context.windows[window];
        if context.phase != Phase::Open || !(age == 1 || age == 2) || slot == NONE {
            return Err(Unexpected::OutOfTurn);
        }
        context.windows[window] = NONE;
        if context.wants() && (nothing_waits || context.holds_none()) {
            prefetch(context, slot, send);
        } else {
            self.put_back(slot);
            self.give_away(send);
        }
        Ok(())
    }

    /// CLOSED: the transfer has ended, with whatever the context still held.
    ///
    /// # Errors
    /// [`Unexpected::Stale`].
    #[inline]
    pub fn closed(
        &mut self,
        ctx: ContextId,
        send: &mut impl FnMut(Command),
    ) -> Result<(), Unexpected> {
        self.serving(ctx)?;
        self.release(ctx.index());
        self.give_away(send);
        Ok(())
    }

    /// The context, if it serves the transfer that `ctx` names.
    #[inline]
    fn serving(&mut self, ctx: ContextId) -> Result<&mut Context, Unexpected> {
        let context = &mut self.contexts[ctx.index()];
        if context.id == Some(ctx) {
            Ok(context)
        } else {
            Err(Unexpected::Stale)
        }
    }

    /// Ends the context's transfer and takes its slots back.
    fn release(&mut self, index: usize) {
        let context = core::mem::replace(&mut self.contexts[index], Context::FREE);
        if context.phase == Phase::Waiting {
            for _ in 0..self.waiting.len() {
                if let Some(other) = self.waiting.pop_front()
                    && other != index
                {
                    let _ = self.waiting.push_back(other);
                }
            }
            return;
        }
        self.bound.retain(|other| *other != index);
        for slot in context.windows {
            if slot != NONE {
                self.put_back(slot);
            }
        }
    }

    #[inline]
    fn put_back(&mut self, slot: u32) {
        // Has room: every slot is either free or in one window.
        let _ = self.free.push(slot);
    }

    /// Rules 2 to 4, until nobody is left who may have a slot.
    #[inline]
    fn give_away(&mut self, send: &mut impl FnMut(Command)) {
        while let Some(&slot) = self.free.last() {
            let urgent = self
                .bound
                .iter()
                .take(SECONDS)
                .copied()
                .find(|index| self.contexts[*index].wants());
            let may_bind = self.bound.len() < BOUND;
            if let Some(index) = urgent {
                prefetch(&mut self.contexts[index], slot, send);
            } else if may_bind && let Some(index) = self.waiting.pop_front() {
                let context = &mut self.contexts[index];
                context.phase = Phase::Filled;
                context.windows[0] = slot;
                let _ = self.bound.push(index);
                if let Some(ctx) = context.id {
                    send(Command::Fill {
                        ctx,
                        slot: slot as u16,
                    });
                }
            } else if self.free.len() > SECONDS
                && let Some(index) = self
                    .bound
                    .iter()
                    .copied()
                    .find(|index| self.contexts[*index].wants())
            {
                prefetch(&mut self.contexts[index], slot, send);
            } else {
                return;
            }
            self.free.pop();
        }
    }
}

/// Asks for the context's next block.
#[inline]
fn prefetch(context: &mut Context, slot: u32, send: &mut impl FnMut(Command)) {
    let block = context.next;
    context.windows[(block & 1) as usize] = slot;
    context.next = block.wrapping_add(1);
    context.left -= 1;
    if let Some(ctx) = context.id {
        send(Command::Prefetch {
            ctx,
            slot: slot as u16,
            block,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_protocol::Direction;

    fn ctx(index: u8) -> ContextId {
        ContextId::new(Direction::H2c, index).expect("index below 16")
    }

    /// Runs one call and returns what it sent.
    fn sent<T>(call: impl FnOnce(&mut dyn FnMut(Command)) -> T) -> Vec<Command, 16> {
        let mut commands = Vec::new();
        call(&mut |command| commands.push(command).expect("few commands"));
        commands
    }

    #[test]
    fn a_transfer_holds_two_blocks_ahead_and_stops_at_the_last() {
        let mut prefetcher = Prefetcher::default();
        let fill = sent(|mut send| prefetcher.miss(ctx(0), &mut send));
        assert!(matches!(fill[..], [Command::Fill { .. }]));
        let opened = sent(|mut send| prefetcher.opened(ctx(0), 5, 7, &mut send));
        assert!(matches!(opened[..], [Command::Prefetch { block: 6, .. }]));
        let consumed = sent(|mut send| prefetcher.consumed(ctx(0), 5, &mut send));
        assert!(matches!(consumed[..], [Command::Prefetch { block: 7, .. }]));
        assert!(
            sent(|mut send| prefetcher.consumed(ctx(0), 6, &mut send)).is_empty(),
            "nothing behind block 7"
        );
        assert!(sent(|mut send| prefetcher.consumed(ctx(0), 7, &mut send)).is_empty());
        assert!(sent(|mut send| prefetcher.closed(ctx(0), &mut send)).is_empty());
        assert_eq!(prefetcher.free.len(), SG_SLOTS);
    }

    #[test]
    fn running_and_next_read_ahead_before_more_contexts_are_bound() {
        let mut prefetcher = Prefetcher::default();
        for index in 0..BOUND as u8 {
            let fill = sent(|mut send| prefetcher.miss(ctx(index), &mut send));
            assert!(
                matches!(fill[..], [Command::Fill { .. }]),
                "context {index}"
            );
        }
        assert!(
            sent(|mut send| prefetcher.miss(ctx(9), &mut send)).is_empty(),
            "the last two slots are for second blocks"
        );
        for index in 0..BOUND as u8 {
            let opened = sent(|mut send| prefetcher.opened(ctx(index), 0, 9, &mut send));
            assert_eq!(opened.len(), usize::from(index < 2), "context {index}");
        }
        // Block by block the running one keeps both of its windows, whoever waits.
        for block in 0..4 {
            let consumed = sent(|mut send| prefetcher.consumed(ctx(0), block, &mut send));
            assert!(
                matches!(consumed[..], [Command::Prefetch { ctx: served, block: next, .. }]
                    if served == ctx(0) && next == block + 2)
            );
        }
        // Its end brings the new next one a second block, and the waiting one a place.
        let closed = sent(|mut send| prefetcher.closed(ctx(0), &mut send));
        assert!(
            matches!(closed[..], [Command::Prefetch { ctx: next, block: 1, .. }, Command::Fill { ctx: filled, .. }]
                if next == ctx(2) && filled == ctx(9))
        );
        // A younger one that is served out of turn still gets the block that it waits for.
        let starving = sent(|mut send| prefetcher.consumed(ctx(5), 0, &mut send));
        assert!(
            matches!(starving[..], [Command::Prefetch { ctx: served, block: 1, .. }] if served == ctx(5))
        );
    }

    #[test]
    fn stale_messages_change_nothing_and_a_waiting_miss_can_be_closed() {
        let mut prefetcher = Prefetcher::default();
        let old = ctx(2);
        let new = ContextId::from_code(old.code() | 0x20).expect("sequence number 1");
        let none = &mut |command| panic!("{command:?} is not due");
        assert_eq!(
            prefetcher.closed(old, none),
            Err(Unexpected::Stale),
            "nothing is served yet"
        );
        sent(|mut send| prefetcher.miss(new, &mut send));
        assert_eq!(prefetcher.opened(old, 0, 9, none), Err(Unexpected::Stale));
        assert_eq!(prefetcher.closed(old, none), Err(Unexpected::Stale));
        assert_eq!(
            prefetcher.consumed(new, 0, none),
            Err(Unexpected::OutOfTurn),
            "not open yet"
        );
        for index in 3..3 + BOUND as u8 {
            sent(|mut send| prefetcher.miss(ctx(index), &mut send));
        }
        assert_eq!(prefetcher.waiting.len(), 1);
        assert_eq!(prefetcher.closed(ctx(2 + BOUND as u8), none), Ok(()));
        assert_eq!(
            (prefetcher.waiting.len(), prefetcher.free.len()),
            (0, SECONDS)
        );
        assert_eq!(prefetcher.closed(new, none), Ok(()));
        assert_eq!(prefetcher.free.len(), SECONDS + 1);
    }

    #[test]
    fn a_miss_of_a_context_in_use_takes_its_slots_back() {
        let mut prefetcher = Prefetcher::default();
        sent(|mut send| prefetcher.miss(ctx(2), &mut send));
        let mut commands = 0;
        assert_eq!(
            prefetcher.miss(ctx(2), &mut |_| commands += 1),
            Err(Unexpected::OutOfTurn)
        );
        assert_eq!(
            (commands, prefetcher.free.len(), prefetcher.bound.len()),
            (1, SG_SLOTS - 1, 1)
        );
    }
}
