//! Which region gives its place on chip to one that is missed.

use pinring_protocol::limits::RESIDENT_WAYS;
use pinring_protocol::mailbox::NOT_KEPT;

/// The ways of a set, one bit each, as a MISS shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Hold a region.
    pub valid: u8,
    /// Were hit since a region last came to the set.
    pub used: u8,
    /// A transfer uses their block: the gateware would not give them away.
    pub pinned: u8,
}

/// The ways' bits: the core shifts bit by bit.
const BITS: [u8; RESIDENT_WAYS] = [1, 2, 4, 8];

/// The way for a missed region: an empty one, else one that was not used since a region last came, else any that is not
/// pinned, each time the first from `turn` on; without one, [`NOT_KEPT`].
///
/// All that decides comes with the MISS. `turn` only spreads the choice over equals, so nothing is lost when it starts again.
pub fn victim(ways: Ways, turn: u8) -> u16 {
    let free = !ways.pinned;
    for candidates in [!ways.valid & free, !ways.used & free, free] {
        for step in 0..RESIDENT_WAYS {
            let way = (usize::from(turn) + step) % RESIDENT_WAYS;
            if candidates & BITS[way] != 0 {
                return way as u16;
            }
        }
    }
    NOT_KEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u8 = 0xf;

    fn choose(valid: u8, used: u8, pinned: u8, turn: u8) -> u16 {
        let ways = Ways {
            valid,
            used,
            pinned,
        };
        victim(ways, turn)
    }

    #[test]
    fn empty_ways_come_first_then_unused_ones() {
        assert_eq!(choose(0, 0, 0, 0), 0);
        assert_eq!(choose(0b1011, 0b1011, 0, 0), 2, "the empty one");
        assert_eq!(choose(ALL, 0b0111, 0, 1), 3, "the unused one");
        assert_eq!(choose(ALL, ALL, 0, 2), 2, "all are used: by turn");
        assert_eq!(choose(ALL, ALL, 0b0100, 2), 3);
        assert_eq!(choose(ALL, ALL, 0b0111, 0), 3);
    }

    /// An invalidation empties a way that a transfer still looks at.
    #[test]
    fn a_pinned_way_is_never_chosen() {
        for valid in 0..=ALL {
            for used in 0..=ALL {
                for pinned in 0..=ALL {
                    for turn in [0, 1, 2, 3, 255] {
                        let way = choose(valid, used, pinned, turn);
                        if pinned == ALL {
                            assert_eq!(way, NOT_KEPT);
                            continue;
                        }
                        let bit = 1 << way;
                        assert!(way < RESIDENT_WAYS as u16 && pinned & bit == 0);
                        let better = |candidates: u8| candidates & !pinned & ALL != 0;
                        assert!(valid & bit == 0 || !better(!valid));
                        assert!(used & bit == 0 || valid & bit == 0 || !better(!used));
                    }
                }
            }
        }
    }

    #[test]
    fn equals_take_turns() {
        let chosen: Vec<u16> = (0..6).map(|turn| choose(ALL, 0, 0, turn)).collect();
        assert_eq!(chosen, [0, 1, 2, 3, 0, 1]);
    }
}
