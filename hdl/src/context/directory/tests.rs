//! Random actions against a model.

use super::*;
use crate::sizes::Small;
use crate::testing::{Result, chance, reset, seeded, set_all};
use pinring_protocol::limits::RESIDENT_WAYS;
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::RngExt;

#[derive(Clone, Copy, Default)]
struct Place {
    /// Region and generation.
    holds: Option<(u64, u64)>,
    used: bool,
    lookers: u32,
    /// The block that it has or waits for.
    block: u64,
    here: bool,
    filling: bool,
}

fn directory<S: Sizes>() -> Result<Pair<Directory<S>>> {
    let mut dut = Pair::new(
        Directory::default(),
        ports!(Directory<S> {
            clock: clock;
            in reset, region, generation, place, install, forget, touch, pin, unpin, claim, claim_block, fill, filled,
                filled_place, filled_well;
            out known, hit, way, here, block, valid, used, pinned
        }),
    )?;
    reset(&mut dut)?;
    Ok(dut)
}

const ACTIONS: [&str; 8] = [
    "install", "forget", "touch", "pin", "unpin", "claim", "fill", "filled",
];

#[test]
fn answers_and_actions_match_a_model() -> Result {
    matches_a_model::<Full>()
}

#[test]
fn answers_and_actions_of_fewer_sets_match_a_model() -> Result {
    matches_a_model::<Small>()
}

fn matches_a_model<S: Sizes>() -> Result {
    let mut dut = directory::<S>()?;
    let sets = S::SETS as u64;
    let mut random = seeded(1);
    let mut places = [Place::default(); PLACES];
    let mut seen = [0u64; 10];
    for cycle in 0..12_000 {
        // Few regions of few sets, that differ in bits far apart.
        let set = random.random_range(0..3u64) * 7 % sets;
        let region = set | [0, sets, 1 << 15, 1 << 31, 3 << 20, 5 << 27][random.random_range(0..6)];
        let generation = random.random_range(0..2) << 15;
        let way = random.random_range(0..RESIDENT_WAYS);
        let place = set as usize * RESIDENT_WAYS + way;
        let at = places[place];
        let ways = &places[set as usize * RESIDENT_WAYS..][..RESIDENT_WAYS];
        let holds = |place: &Place| place.holds.is_some_and(|(held, _)| held == region);
        let found = ways.iter().position(holds);
        let bits = |test: &dyn Fn(&Place) -> bool| {
            (0..)
                .zip(ways)
                .fold(0, |all, (way, place)| all | u64::from(test(place)) << way)
        };
        let expected = found.map(|way| (way, ways[way]));
        let answers = [
            bits(&|place| place.holds.is_some()),
            bits(&|place| place.used),
            bits(&|place| place.lookers > 0),
        ];

        set_all(&mut dut, &ACTIONS.map(|action| (action, 0)))?;
        set_all(
            &mut dut,
            &[
                ("region", region),
                ("generation", generation),
                ("place", place as u64),
            ],
        )?;
        let mut after = places;
        let (kind, block) = (
            random.random_range(0..8),
            random.random_range(0..4u64) << 29,
        );
        let action = match kind {
            0 if at.lookers == 0 && found.is_none_or(|found| found == way) => {
                after[place] = Place {
                    holds: Some((region, generation)),
                    block: at.block,
                    ..Place::default()
                };
                for way in 0..RESIDENT_WAYS {
                    after[set as usize * RESIDENT_WAYS + way].used = false;
                }
                "install"
            }
            1 if chance(&mut random, 30) => {
                after[place] = Place {
                    lookers: at.lookers,
                    block: at.block,
                    ..Place::default()
                };
                "forget"
            }
            2 => {
                after[place].used = true;
                "touch"
            }
            3 if at.lookers < 16 => {
                after[place].lookers += 1;
                "pin"
            }
            4 if at.lookers > 0 => {
                after[place].lookers -= 1;
                "unpin"
            }
            5 if at.lookers == 0 => {
                (after[place].block, after[place].lookers) = (block, 1);
                (after[place].here, after[place].filling) = (false, false);
                set_all(&mut dut, &[("pin", 1), ("claim_block", block)])?;
                "claim"
            }
            6 if at.holds.is_some() && !at.here => {
                after[place].filling = true;
                "fill"
            }
            _ => "",
        };
        if !action.is_empty() {
            dut.set(action, true)?;
            seen[kind as usize] += 1;
        }
        // A block for this place or another one of the set.
        if chance(&mut random, 20) {
            let to = set as usize * RESIDENT_WAYS + random.random_range(0..RESIDENT_WAYS);
            let well = chance(&mut random, 80);
            set_all(
                &mut dut,
                &[
                    ("filled", 1),
                    ("filled_place", to as u64),
                    ("filled_well", well.into()),
                ],
            )?;
            let dropped = to == place && ["install", "forget", "claim"].contains(&action);
            if places[to].filling && !dropped {
                after[to].here |= well;
                after[to].filling = to == place && action == "fill";
                seen[7] += 1;
            }
            seen[8] += u64::from(!places[to].filling);
        }
        if chance(&mut random, 1) && chance(&mut random, 20) {
            dut.set("reset", true)?;
            after = [Place::default(); PLACES];
            for (place, old) in after.iter_mut().zip(&places) {
                place.block = old.block;
            }
            seen[9] += 1;
        }
        dut.step()?;
        dut.set("reset", false)?;
        places = after;

        let got = [dut.get("valid")?, dut.get("used")?, dut.get("pinned")?];
        assert_eq!(got, answers, "cycle {cycle}");
        assert_eq!(dut.is("known")?, expected.is_some(), "cycle {cycle}");
        let hit = expected.is_some_and(|(_, place)| place.holds == Some((region, generation)));
        assert_eq!(dut.is("hit")?, hit, "cycle {cycle}");
        let here = expected.is_some_and(|(_, place)| place.here);
        assert_eq!(dut.is("here")?, here, "cycle {cycle}");
        if let Some((way, place)) = expected {
            assert_eq!(dut.get("way")?, way as u64);
            assert!(
                !place.here || dut.get("block")? == place.block,
                "cycle {cycle}"
            );
        }
    }
    assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
    Ok(())
}
