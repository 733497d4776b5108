mod bench;
mod completer;

use bench::{Bench, Rates, Result, Transfer, dut, set_tags};
use completer::Fault;
use pinring_protocol::Status;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Transfers of 1 byte to 64 KiB at any address, some cut off by terminal chunks, fences between them.
fn mixture(random: &mut StdRng, count: usize, longest: u32, faults: &[Fault]) -> Vec<Transfer> {
    (0..count)
        .map(|_| {
            let addr = random.random_range(0..8192);
            let scale = random.random_range(0..=longest);
            let len = random.random_range(1u64..=1 << scale);
            let max = 128 << random.random_range(0..3);
            let mut transfer = Transfer::new(random, addr, len, max);
            match random.random_range(0..10) {
                0 => transfer.end_early(0, Status::Ok),
                1 => transfer.end_early(0, Status::OutOfBounds),
                2 => transfer.end_early(
                    random.random_range(0..transfer.chunks.len()),
                    Status::Aborted,
                ),
                3 => transfer.end_early(
                    random.random_range(0..transfer.chunks.len()),
                    Status::BadSgElement,
                ),
                4..=6 if !faults.is_empty() => {
                    let index = random.random_range(0..transfer.chunks.len());
                    transfer.chunks[index].fault = faults[random.random_range(0..faults.len())];
                }
                _ => {}
            }
            transfer
        })
        .collect()
}

/// Several seeds and rates on one device, each after a reset in the middle of other traffic.
fn any_traffic<
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
>(
    count: usize,
    longest: u32,
) -> Result<()> {
    let mut dut = dut::<W, B, L, N, I, P, T>()?;
    let faults: Vec<_> = Fault::ALL
        .into_iter()
        .filter(|fault| *fault != Fault::Silent)
        .collect();
    for (seed, rates) in [Rates::FULL, Rates::SLOW_STREAM, Rates::SLOW_HOST]
        .into_iter()
        .enumerate()
    {
        let mut random = StdRng::seed_from_u64(seed as u64);
        let transfers = mixture(&mut random, 5, 14, &[]);
        let mut bench = Bench::new(&mut dut, &mut random, &transfers, rates, 64)?;
        for _ in 0..400 {
            bench.cycle()?;
        }
        let transfers = mixture(&mut random, count, longest, &faults);
        let rcb = 64 << random.random_range(0..2);
        Bench::new(&mut dut, &mut random, &transfers, rates, rcb)?.run(400_000)?;
    }
    Ok(())
}

#[test]
fn any_traffic_64() -> Result<()> {
    any_traffic::<64, 8, 3, 32, 5, 6, 40>(60, 12)
}

#[test]
fn any_traffic_128() -> Result<()> {
    any_traffic::<128, 16, 4, 64, 6, 7, 72>(60, 14)
}

#[test]
fn any_traffic_256() -> Result<()> {
    any_traffic::<256, 32, 5, 256, 8, 9, 256>(60, 13)
}

#[test]
fn any_traffic_512() -> Result<()> {
    any_traffic::<512, 64, 6, 128, 7, 8, 136>(60, 14)
}

#[test]
fn every_fault_on_every_kind_of_chunk() -> Result<()> {
    let mut dut = dut::<128, 16, 4, 64, 6, 7, 72>()?;
    let mut random = StdRng::seed_from_u64(7);
    let mut transfers = Vec::new();
    for fault in Fault::ALL
        .into_iter()
        .filter(|fault| *fault != Fault::Silent)
    {
        for (addr, len, index) in [
            (0, 2048, 0),
            (0, 2048, 2),
            (0, 2048, 3),
            (5, 3000, 0),
            (5, 3000, 3),
            (9, 7, 0),
        ] {
            let mut transfer = Transfer::new(&mut random, addr, len, 512);
            transfer.chunks[index].fault = fault;
            transfers.push(transfer);
            // A good one behind it must not notice.
            transfers.push(Transfer::new(&mut random, 3, 600, 512));
        }
    }
    Bench::new(&mut dut, &mut random, &transfers, Rates::FULL, 64)?.run(200_000)
}

#[test]
fn a_read_without_an_answer_times_out() -> Result<()> {
    let mut dut = dut::<128, 16, 4, 64, 6, 7, 72>()?;
    let mut random = StdRng::seed_from_u64(8);
    let transfers = mixture(&mut random, 30, 12, &[Fault::Silent]);
    let silent = transfers.iter().filter(|transfer| {
        transfer
            .chunks
            .iter()
            .any(|chunk| chunk.fault == Fault::Silent)
    });
    assert!(silent.count() >= 3);
    let mut bench = Bench::new(&mut dut, &mut random, &transfers, Rates::FULL, 64)?;
    bench.set_timeout(5000)?;
    bench.run(200_000)
}

#[test]
fn a_read_that_cannot_leave_does_not_time_out() -> Result<()> {
    let mut dut = dut::<128, 16, 4, 64, 6, 7, 72>()?;
    let mut random = StdRng::seed_from_u64(9);
    let transfers = mixture(&mut random, 10, 12, &[]);
    let mut bench = Bench::new(&mut dut, &mut random, &transfers, Rates::STUCK_LINK, 64)?;
    bench.set_timeout(1000)?;
    for _ in 0..5000 {
        bench.cycle()?;
    }
    bench.rates = Rates::FULL;
    bench.run(50_000)
}

#[test]
fn a_beat_a_cycle() -> Result<()> {
    let mut dut = dut::<128, 16, 4, 64, 6, 7, 72>()?;
    let mut random = StdRng::seed_from_u64(10);
    for (name, addr, len, count) in [
        ("aligned", 0, 16_384, 3),
        ("unaligned", 7, 16_384, 3),
        ("4 KiB", 0, 4096, 8),
        ("100 bytes", 3, 100, 60),
    ] {
        let transfers: Vec<_> = (0..count)
            .map(|_| Transfer::new(&mut random, addr, len, 512))
            .collect();
        let mut bench = Bench::new(&mut dut, &mut random, &transfers, Rates::FULL, 64)?;
        bench.completer.orderly = true;
        bench.run(40_000)?;
        let window = bench.window();
        eprintln!("{name}: {} beats in {window} cycles", bench.beats);
        assert!(
            window <= bench.beats + count,
            "{name}: {} beats took {window} cycles",
            bench.beats
        );
    }
    Ok(())
}

/// Every tag is used, and none beyond: with 256 slots, the eight without a tag are passed over. Without extended tags reads stay
/// below 32, and what the host then enables counts once the ring is empty.
#[test]
fn as_many_reads_as_tags() -> Result<()> {
    let mut dut = dut::<256, 32, 5, 256, 8, 9, 256>()?;
    let mut random = StdRng::seed_from_u64(11);
    for tags in [32, 256] {
        set_tags(&mut dut, tags)?;
        let transfers = [Transfer::new(&mut random, 0, 520 * tags as u64, 512)];
        let mut bench = Bench::new(&mut dut, &mut random, &transfers, Rates::SILENT_HOST, 64)?;
        bench.tags = tags as u64;
        for _ in 0..700 {
            bench.cycle()?;
        }
        // One slot is kept for the end of a transfer; of 256 tags the fetch unit has eight.
        assert_eq!(bench.most, tags - 8);
        bench.rates = Rates::FULL;
        bench.run(100_000)?;
    }
    Ok(())
}
