//! The SG slots of one direction, and which blocks are read into them.

use pinring_protocol::limits::{CONTEXTS, SG_SLOTS, SG_WINDOWS};
use pinring_protocol::mailbox::{Command, ContextId};

/// Every context has a slot for each of its windows, so that none ever waits for another one to give a slot back.
///
/// That is what keeps a direction's queues apart: a transfer that waits for its user stream keeps what it holds for as
/// long as the stream likes.
const _: () = assert!(SG_SLOTS == CONTEXTS * SG_WINDOWS && SG_WINDOWS == 2);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Serves no transfer.
    Free,
    /// FILL was sent; OPENED will tell which block it is.
    Filled,
    /// The region is known.
    Open,
}

/// One transfer context as the firmware sees it. It holds at most two blocks: block b in window b mod 2.
#[derive(Clone, Copy)]
struct Context {
    phase: Phase,
    /// The whole id, sequence number included.
    id: Option<ContextId>,
    /// Whether each window holds a block.
    held: [bool; SG_WINDOWS],
    /// 1 if window 1 has the context's first slot, which FILL named before the block was known.
    swapped: u32,
    /// Block to ask for next.
    next: u32,
    /// Blocks of the table from `next` on.
    left: u32,
}

impl Context {
    const FREE: Self = Self {
        phase: Phase::Free,
        id: None,
        held: [false; SG_WINDOWS],
        swapped: 0,
        next: 0,
        left: 0,
    };

    /// Asks for the next block, if there is one and its window is free.
    #[inline]
    fn read_ahead(&mut self, ctx: ContextId, send: &mut impl FnMut(Command)) {
        let block = self.next;
        let window = block & 1;
        if self.left == 0 || self.held[window as usize] {
            return;
        }
        self.held[window as usize] = true;
        self.next = block.wrapping_add(1);
        self.left -= 1;
        send(Command::Prefetch {
            ctx,
            slot: slot(ctx.index(), window ^ self.swapped),
            block,
        });
    }
}

/// One of the context's two slots.
#[inline]
fn slot(index: usize, which: u32) -> u16 {
    // The mask tells the compiler that the sum fits: the core shifts bit by bit.
    (SG_WINDOWS as u32 * index as u32 + (which & 1)) as u16
}

/// A message that does not fit what the firmware knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexpected {
    /// It belongs to a transfer that the context no longer serves: to be ignored.
    Stale,
    /// It belongs to the context's transfer, but the rules exclude it now: a fault of the gateware.
    OutOfTurn,
}

/// The prefetcher of one direction: every MISS is filled at once, and every context reads one block ahead.
pub struct Prefetcher {
    contexts: [Context; CONTEXTS],
}

impl Default for Prefetcher {
    fn default() -> Self {
        Self {
            contexts: [Context::FREE; CONTEXTS],
        }
    }
}

impl Prefetcher {
    /// MISS: the context starts a transfer.
    ///
    /// # Errors
    /// [`Unexpected::OutOfTurn`] if it still served another one, whose slots it takes over; it is served nevertheless.
    #[inline]
    pub fn miss(
        &mut self,
        ctx: ContextId,
        send: &mut impl FnMut(Command),
    ) -> Result<(), Unexpected> {
        let context = &mut self.contexts[ctx.index()];
        let in_turn = context.phase == Phase::Free;
        *context = Context {
            phase: Phase::Filled,
            id: Some(ctx),
            ..Context::FREE
        };
        send(Command::Fill {
            ctx,
            slot: slot(ctx.index(), 0),
        });
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
        context.swapped = first & 1;
        context.held[(first & 1) as usize] = true;
        context.next = first.wrapping_add(1);
        context.left = last.checked_sub(first).ok_or(Unexpected::OutOfTurn)?;
        context.read_ahead(ctx, send);
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
        let context = self.serving(ctx)?;
        let window = (block & 1) as usize;
        let age = context.next.wrapping_sub(block);
        if context.phase != Phase::Open || !(age == 1 || age == 2) || !context.held[window] {
            return Err(Unexpected::OutOfTurn);
        }
        context.held[window] = false;
        context.read_ahead(ctx, send);
        Ok(())
    }

    /// CLOSED: the transfer has ended, with whatever the context still held.
    ///
    /// # Errors
    /// [`Unexpected::Stale`].
    #[inline]
    pub fn closed(&mut self, ctx: ContextId) -> Result<(), Unexpected> {
        *self.serving(ctx)? = Context::FREE;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapless::Vec;
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

    fn fill(ctx: ContextId, slot: u16) -> Command {
        Command::Fill { ctx, slot }
    }

    fn prefetch(ctx: ContextId, slot: u16, block: u32) -> Command {
        Command::Prefetch { ctx, slot, block }
    }

    #[test]
    fn a_transfer_holds_two_blocks_and_stops_at_the_last() {
        let mut prefetcher = Prefetcher::default();
        let ctx = ctx(3);
        let mut call = |message: u32, block| {
            sent(|mut send| match message {
                1 => prefetcher.miss(ctx, &mut send),
                2 => prefetcher.opened(ctx, block, 8, &mut send),
                3 => prefetcher.consumed(ctx, block, &mut send),
                _ => prefetcher.closed(ctx),
            })
        };
        // From an odd block: slot 6 is window 1's. Then, in the same context, from an even one.
        assert_eq!(call(1, 0)[..], [fill(ctx, 6)]);
        assert_eq!(call(2, 5)[..], [prefetch(ctx, 7, 6)]);
        assert_eq!(call(3, 5)[..], [prefetch(ctx, 6, 7)]);
        assert_eq!(call(3, 6)[..], [prefetch(ctx, 7, 8)]);
        assert_eq!(call(3, 7)[..], [], "nothing behind block 8");
        assert_eq!(call(3, 8)[..], []);
        assert_eq!(call(4, 0)[..], []);
        assert_eq!(call(1, 0)[..], [fill(ctx, 6)]);
        assert_eq!(call(2, 6)[..], [prefetch(ctx, 7, 7)]);
        assert_eq!(call(3, 6)[..], [prefetch(ctx, 6, 8)]);
    }

    #[test]
    fn all_contexts_hold_two_blocks_at_once() {
        let mut prefetcher = Prefetcher::default();
        let mut slots = Vec::<u16, SG_SLOTS>::new();
        for index in 0..CONTEXTS as u8 {
            let filled = sent(|mut send| prefetcher.miss(ctx(index), &mut send));
            let [Command::Fill { slot, .. }] = filled[..] else {
                panic!("context {index}: {filled:?}")
            };
            slots.push(slot).expect("room");
        }
        for index in 0..CONTEXTS as u8 {
            let first = u32::from(index);
            let ahead = sent(|mut send| prefetcher.opened(ctx(index), first, 99, &mut send));
            let [Command::Prefetch { slot, .. }] = ahead[..] else {
                panic!("context {index}: {ahead:?}")
            };
            slots.push(slot).expect("room");
        }
        slots.sort_unstable();
        assert!(slots.iter().copied().eq(0..SG_SLOTS as u16), "{slots:?}");
    }

    #[test]
    fn stale_messages_and_those_out_of_turn_change_nothing() {
        let mut prefetcher = Prefetcher::default();
        let old = ctx(2);
        let new = ContextId::from_code(old.code() | 0x20).expect("sequence number 1");
        let none = &mut |command| panic!("{command:?} is not due");
        assert_eq!(
            prefetcher.closed(old),
            Err(Unexpected::Stale),
            "nothing is served yet"
        );
        sent(|mut send| prefetcher.miss(new, &mut send));
        assert_eq!(prefetcher.opened(old, 0, 9, none), Err(Unexpected::Stale));
        assert_eq!(prefetcher.closed(old), Err(Unexpected::Stale));
        assert_eq!(
            prefetcher.consumed(new, 0, none),
            Err(Unexpected::OutOfTurn),
            "not open yet"
        );
        sent(|mut send| prefetcher.opened(new, 4, 5, &mut send));
        assert_eq!(
            prefetcher.opened(new, 4, 5, none),
            Err(Unexpected::OutOfTurn)
        );
        for block in [2, 3, 6] {
            assert_eq!(
                prefetcher.consumed(new, block, none),
                Err(Unexpected::OutOfTurn),
                "block {block} is not held"
            );
        }
        assert_eq!(prefetcher.consumed(new, 4, none), Ok(()));
        assert_eq!(
            prefetcher.consumed(new, 4, none),
            Err(Unexpected::OutOfTurn),
            "once"
        );
        assert_eq!(prefetcher.closed(new), Ok(()));
        assert_eq!(prefetcher.closed(new), Err(Unexpected::Stale));
    }

    #[test]
    fn a_miss_of_a_context_in_use_is_served() {
        let mut prefetcher = Prefetcher::default();
        sent(|mut send| prefetcher.miss(ctx(2), &mut send));
        let mut commands = 0;
        assert_eq!(
            prefetcher.miss(ctx(2), &mut |_| commands += 1),
            Err(Unexpected::OutOfTurn)
        );
        assert_eq!(commands, 1);
    }
}
