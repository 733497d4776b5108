//! What the tests of this folder share.

use pinring_protocol::registers::REGISTERS;
use pinring_verilator::equivalence::{Error, Pair};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rust_hdl::prelude::Block;

/// A test ends with the first difference between the two simulations.
pub(super) type Result<T = ()> = std::result::Result<T, Error>;

/// Random numbers that are the same in every run.
pub(super) fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// True `percent` times of 100.
pub(super) fn chance(random: &mut StdRng, percent: u32) -> bool {
    random.random_range(0..100) < percent
}

/// Byte offset of a register of BAR0.
pub(super) fn offset(name: &str) -> u64 {
    REGISTERS
        .iter()
        .find(|register| register.name == name)
        .expect("a register's name")
        .offset
        .into()
}

/// Two cycles of reset.
pub(super) fn reset<U: Block>(dut: &mut Pair<U>) -> Result {
    dut.set("reset", true)?;
    dut.step()?;
    dut.step()?;
    dut.set("reset", false)
}

/// Sets an input for one cycle.
pub(super) fn pulse<U: Block>(dut: &mut Pair<U>, input: &str) -> Result {
    dut.set(input, true)?;
    dut.step()?;
    dut.set(input, false)
}

/// Writes the bytes of a DW that `be` enables, and leaves the idle cycle that [`super::MmioTarget`] leaves.
pub(super) fn write<U: Block>(dut: &mut Pair<U>, addr: u64, data: u32, be: u64) -> Result {
    dut.set("write_addr", addr)?;
    dut.set("write_data", u64::from(data))?;
    dut.set("write_be", be)?;
    pulse(dut, "write_valid")?;
    dut.step()
}

/// Reads a DW from a unit that answers in the next cycle.
pub(super) fn read<U: Block>(dut: &mut Pair<U>, addr: u64) -> Result<u32> {
    dut.set("read_addr", addr)?;
    pulse(dut, "read_valid")?;
    assert!(dut.is("read_ack")?, "no answer from {addr:#x}");
    let data = dut.get("read_data")? as u32;
    dut.step()?;
    assert!(!dut.is("read_ack")?, "two answers from {addr:#x}");
    Ok(data)
}
