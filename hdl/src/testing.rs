//! What the tests of several modules share.

use crate::soft_core::Program;
use pinring_protocol::QueueContext;
use pinring_verilator::equivalence::{Error, Pair};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rust_hdl::prelude::Block;

/// A test ends with the first difference between the two simulations.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Random numbers that are the same in every run.
pub fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// True `percent` times of 100.
pub fn chance(random: &mut StdRng, percent: u32) -> bool {
    random.random_range(0..100) < percent
}

/// Two cycles of reset.
pub fn reset<U: Block>(dut: &mut Pair<U>) -> Result {
    dut.set("reset", true)?;
    dut.step()?;
    dut.step()?;
    dut.set("reset", false)
}

/// Sets several inputs.
pub fn set_all<U: Block>(dut: &mut Pair<U>, inputs: &[(&str, u64)]) -> Result {
    inputs
        .iter()
        .try_for_each(|(name, value)| dut.set(name, *value))
}

/// Sets an input of up to 128 bits.
pub fn set128<U: Block>(dut: &mut Pair<U>, input: &str, value: u128) -> Result {
    dut.set_wide(
        input,
        &std::array::from_fn::<u32, 4, _>(|word| (value >> (32 * word)) as u32),
    )
}

/// Value of a port of 65 to 128 bits.
pub fn get128<U: Block>(dut: &mut Pair<U>, port: &str) -> Result<u128> {
    let words = dut.get_wide(port)?;
    Ok(words
        .iter()
        .rev()
        .fold(0, |value, word| value << 32 | u128::from(*word)))
}

/// Writes the six words of a queue's context.
pub fn configure<U: Block>(dut: &mut Pair<U>, queue: u64, context: &QueueContext) -> Result {
    for (number, word) in (0..).zip(context.to_words().chunks(2)) {
        let data = u64::from(word[1]) << 32 | u64::from(word[0]);
        set_all(
            dut,
            &[
                ("cfg_write", 1),
                ("cfg_queue", queue),
                ("cfg_word", number),
                ("cfg_data", data),
            ],
        )?;
        dut.step()?;
    }
    dut.set("cfg_write", false)
}

/// A file that `cargo xtask test` has made, and names in this variable.
pub fn file(variable: &str) -> std::path::PathBuf {
    std::env::var_os(variable)
        .map(Into::into)
        .unwrap_or_else(|| panic!("{variable} is not set: run these tests with `cargo xtask test`"))
}

/// Lint and yosys for a design with processors in it (the text of VexRiscv_Lite.v).
pub fn check_with_processor(verilog: &str, processor: &str) {
    // The processor is not ours to check: an empty module with its ports takes its place.
    let module = "module VexRiscv (";
    let own = verilog.split(module).next().expect("a text");
    let ports = processor.split(module).nth(1).expect("the processor");
    let ports = ports.split(");").next().expect("its ports");
    let stub = format!("{module}{});\nendmodule", ports.replace(" reg ", " "));
    let checked = format!(
        "// verilator lint_off PINCONNECTEMPTY\n{}\n// verilator lint_off UNDRIVEN\n(* blackbox *)\n{stub}\n",
        Program::ALL.iter().fold(own.to_owned(), |own, program| own
            .replace(program.image, "/dev/null"))
    );
    pinring_verilator::lint(&checked, "top").expect("Verilator accepts it");
    pinring_verilator::yosys_check(&checked, "top").expect("yosys accepts it");
}
