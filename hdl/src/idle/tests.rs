//! Gaps of known length, in the data paths as the device joins them.

use crate::rig::{Rig, with_rig};
use crate::testing::{Result, set_all};
use pinring_verilator::equivalence::Pair;

/// Idle cycles and cycles of waiting for the list, of one direction, in so many cycles.
fn count(rig: &mut Pair<Rig>, direction: &str, cycles: usize) -> Result<(usize, usize)> {
    let (mut idle, mut list) = (0, 0);
    for _ in 0..cycles {
        list += usize::from(rig.is(&format!("{direction}_list_wait"))?);
        rig.step()?;
        idle += usize::from(rig.is(&format!("{direction}_idle"))?);
    }
    Ok((idle, list))
}

/// Has a job taken; the walker begins with the next cycle.
fn job(rig: &mut Pair<Rig>, direction: &str, length: u64) -> Result {
    set_all(rig, &[("job_length", length)])?;
    rig.set(&format!("{direction}_job"), true)?;
    assert!(rig.is(&format!("{direction}_job_ready"))?);
    rig.step()?;
    rig.set(&format!("{direction}_job"), false)
}

#[test]
fn c2h_is_idle_while_it_keeps_the_stream_waiting() {
    with_rig(c2h);
}

fn c2h(rig: &mut Pair<Rig>) -> Result {
    rig.set("s_tvalid", true)?;
    assert_eq!(count(rig, "c2h", 50)?.0, 0, "nobody wants the beat");

    // The hand-over between transfers: one in turn is not started.
    rig.set("c2h_in_turn", true)?;
    assert_eq!(count(rig, "c2h", 37)?.0, 37);
    rig.set("tx_ready", false)?;
    assert_eq!(count(rig, "c2h", 20)?.0, 0, "the link stalls");
    set_all(rig, &[("tx_ready", 1), ("bus_master", 0)])?;
    assert_eq!(count(rig, "c2h", 20)?.0, 0, "no bus mastering");
    set_all(rig, &[("bus_master", 1), ("s_tvalid", 0)])?;
    assert_eq!(count(rig, "c2h", 20)?.0, 0, "the stream stalls");

    // Waiting for the list is counted apart.
    set_all(rig, &[("s_tvalid", 1), ("window_valid", 0)])?;
    rig.set("c2h_in_turn", false)?;
    job(rig, "c2h", 1024)?;
    assert_eq!(count(rig, "c2h", 30)?, (0, 30));

    // From the list to the first beat that is taken the engine is idle; from then on it is as fast as the stream,
    // until it holds a whole write.
    rig.set("window_valid", true)?;
    let mut refused = 0;
    while !rig.is("s_tready")? {
        assert_eq!(count(rig, "c2h", 1)?, (1, 0));
        refused += 1;
        assert!(refused < 10);
    }
    assert!(refused > 0);
    assert_eq!(count(rig, "c2h", 16)?.0, 0, "it gathers a write");
    let gap = count(rig, "c2h", 20)?.0;
    assert!((1..=3).contains(&gap), "from the FIFO to the link: {gap}");
    assert!(rig.is("tx_valid")?);

    // Stalls in the middle of the transfer are not the engine's.
    rig.set("tx_ready", false)?;
    assert_eq!(count(rig, "c2h", 300)?.0, 0);
    rig.set("tx_ready", true)?;
    rig.set("s_tvalid", false)?;
    count(rig, "c2h", 300)?;
    assert_eq!(count(rig, "c2h", 50)?.0, 0);
    Ok(())
}

#[test]
fn h2c_is_idle_while_it_could_ask() {
    with_rig(h2c);
}

fn h2c(rig: &mut Pair<Rig>) -> Result {
    assert_eq!(count(rig, "h2c", 50)?.0, 0, "there is nothing to read");
    rig.set("h2c_in_turn", true)?;
    assert_eq!(count(rig, "h2c", 37)?.0, 37);
    rig.set("tx_ready", false)?;
    assert_eq!(count(rig, "h2c", 20)?.0, 0, "the link stalls");
    set_all(rig, &[("tx_ready", 1), ("cpl_headers", 0)])?;
    assert_eq!(count(rig, "h2c", 20)?.0, 0, "no completion space");
    set_all(rig, &[("cpl_headers", 4095), ("window_valid", 0)])?;
    rig.set("h2c_in_turn", false)?;
    job(rig, "h2c", 100_000)?;
    assert_eq!(count(rig, "h2c", 30)?, (0, 30));

    // The link gets a read in every second cycle at best; then all slots wait for the host.
    rig.set("window_valid", true)?;
    let (mut reads, mut free, mut idle) = (0, 0, 0);
    while reads < 63 {
        let sent = rig.is("tx_valid")?;
        reads += u64::from(sent);
        free += usize::from(!sent);
        idle += count(rig, "h2c", 1)?.0;
        assert!(free < 200);
    }
    // All but the last gap had a slot to read into.
    assert!((62..=free).contains(&idle), "{idle} of {free}");
    assert_eq!(count(rig, "h2c", 200)?.0, 0, "every slot is taken");
    Ok(())
}
