//! Random writes in and around the doorbell pages.

use super::super::DoorbellUnit;
use super::super::testing::{Result, chance, reset, seeded};
use crate::sizes::{Full, Sizes, Small};
use pinring_protocol::Doorbell;
use pinring_protocol::registers::aperture::{
    BAR0_BYTES, DOORBELL, DOORBELL_STRIDE, DOORBELLS, INLINE_SLOT,
};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};

/// A write TLP of one or two DW: data and byte enables of each.
struct Write {
    addr: u32,
    dwords: Vec<(u32, u64)>,
}

impl Write {
    fn random<S: Sizes>(random: &mut StdRng) -> Self {
        // One page past the last queue is among them.
        let page = DOORBELLS + DOORBELL_STRIDE * random.random_range(0..=S::QUEUES as u32);
        let addr = match random.random_range(0..10) {
            0..6 => page + DOORBELL,
            6 => page + DOORBELL + 4,
            7 => page + INLINE_SLOT,
            // Two DW from here end in the doorbell.
            8 => page + DOORBELL - 4,
            _ => random.random_range(0..BAR0_BYTES / 4) * 4,
        };
        let be = |random: &mut StdRng| {
            if chance(random, 80) {
                15
            } else {
                random.random_range(0..16)
            }
        };
        let dwords = (0..random.random_range(1..=2))
            .map(|_| (random.random(), be(random)))
            .collect();
        Self { addr, dwords }
    }

    /// The queue whose doorbell is at this address.
    fn queue<S: Sizes>(addr: u32) -> Option<u64> {
        let queue = addr.checked_sub(DOORBELLS)? / DOORBELL_STRIDE;
        (addr % DOORBELL_STRIDE == DOORBELL && queue < S::QUEUES as u32).then_some(queue.into())
    }

    fn rings<S: Sizes>(&self) -> Option<(u64, Doorbell)> {
        let doorbell = |low: u32, high: u32| {
            let bytes: Vec<_> = low
                .to_le_bytes()
                .into_iter()
                .chain((high & 1).to_le_bytes())
                .collect();
            Doorbell::decode(&bytes).expect("reserved bits are zero")
        };
        match (
            &*self.dwords,
            Self::queue::<S>(self.addr),
            Self::queue::<S>(self.addr + 4),
        ) {
            (&[(low, 15)], Some(queue), _) => Some((queue, doorbell(low, 0))),
            (&[(low, 15), (high, 15)], Some(queue), _) => Some((queue, doorbell(low, high))),
            (&[_, (low, 15)], _, Some(queue)) => Some((queue, doorbell(low, 0))),
            _ => None,
        }
    }
}

#[test]
fn doorbells() -> Result {
    random_writes::<Full>()
}

#[test]
fn doorbells_of_few_queues() -> Result {
    random_writes::<Small>()
}

fn random_writes<S: Sizes>() -> Result {
    let mut dut = Pair::new(
        DoorbellUnit::default(),
        ports!(DoorbellUnit<S> {
            clock: clock;
            in reset, write_valid, write_addr, write_data, write_be, write_last;
            out db_valid, db_queue, db_tail, db_head, db_arm
        }),
    )?;
    let mut random = seeded(1);
    reset(&mut dut)?;
    let mut rung = 0;
    for _ in 0..1500 {
        let write = Write::random::<S>(&mut random);
        for (index, (data, be)) in write.dwords.iter().enumerate() {
            dut.set("write_valid", true)?;
            dut.set("write_addr", u64::from(write.addr) + 4 * index as u64)?;
            dut.set("write_data", u64::from(*data))?;
            dut.set("write_be", *be)?;
            dut.set("write_last", index + 1 == write.dwords.len())?;
            if index == 1 {
                assert!(
                    !dut.is("db_valid")?,
                    "a doorbell of two halves rang at the first"
                );
            }
            dut.step()?;
        }
        dut.set("write_valid", false)?;
        assert_eq!(
            dut.is("db_valid")?,
            write.rings::<S>().is_some(),
            "{:#x} {:x?}",
            write.addr,
            write.dwords
        );
        if let Some((queue, doorbell)) = write.rings::<S>() {
            rung += 1;
            assert_eq!(dut.get("db_queue")?, queue);
            assert_eq!(dut.get("db_tail")?, u64::from(doorbell.sq_tail()));
            assert_eq!(dut.get("db_head")?, u64::from(doorbell.cq_head()));
            assert_eq!(dut.is("db_arm")?, doorbell.arm());
        }
        for _ in 0..random.random_range(0..3) {
            dut.step()?;
            assert!(!dut.is("db_valid")?, "a doorbell rings for one cycle");
        }
    }
    assert!(rung > 500, "only {rung} doorbells");
    Ok(())
}
