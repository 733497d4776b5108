//! The halves of a 64-bit counter, at its carry. Half a million cycles, so Verilator alone runs them.

use super::super::Counters;
use super::super::testing::offset;
use pinring_verilator::{Model, Port, Result, Spec};
use rust_hdl::prelude::{Block, generate_verilog};

const INPUTS: [(&str, usize); 15] = [
    ("clock", 1),
    ("reset", 1),
    ("read_valid", 1),
    ("read_addr", 24),
    ("c2h_bytes_inc", 13),
    ("h2c_bytes_inc", 13),
    ("c2h_done", 1),
    ("h2c_done", 1),
    ("c2h_list_wait", 1),
    ("h2c_list_wait", 1),
    ("c2h_idle", 1),
    ("h2c_idle", 1),
    ("completion", 1),
    ("interrupt_sent", 1),
    ("error", 1),
];
const READ_DATA: usize = INPUTS.len();

#[test]
fn a_carry_is_not_torn() -> Result<()> {
    let mut block = Counters::default();
    block.connect_all();
    let inputs = INPUTS
        .iter()
        .map(|(name, width)| Port::input(*name, *width));
    let outputs = [Port::output("read_data", 32), Port::output("timestamp", 64)];
    let model = Model::build(&Spec {
        verilog: generate_verilog(&block),
        top: "top".into(),
        ports: inputs.chain(outputs).collect(),
        ..Spec::default()
    })?;
    let mut counters = model.instance()?;
    let port = |name| {
        INPUTS
            .iter()
            .position(|(port, _)| *port == name)
            .expect("a port's name")
    };
    let mut read = |cycles: u64, increment: u64, offset: u64| -> Result<u64> {
        counters.set(port("c2h_bytes_inc"), increment);
        counters.set(port("read_valid"), 0);
        counters.cycle(port("clock"), 4_000, cycles)?;
        counters.set(port("read_addr"), offset);
        counters.set(port("read_valid"), 1);
        counters.eval()?;
        let data = counters.get(READ_DATA);
        counters.cycle(port("clock"), 4_000, 1)?;
        Ok(data)
    };
    let low = offset("C2H_BYTES");
    let steps = (1u64 << 32) / 8191;
    assert_eq!(read(steps, 8191, low)?, steps * 8191);
    // The cycle of the read itself has carried into the high half.
    let total = (steps + 1) * 8191;
    assert!(total > 1 << 32);
    assert_eq!(
        read(0, 0, low + 4)?,
        0,
        "the high half belongs to a later low half"
    );
    assert_eq!(read(0, 0, low)?, total - (1 << 32));
    assert_eq!(read(0, 0, low + 4)?, 1);
    Ok(())
}
