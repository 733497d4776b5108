//! The command-line tool `pinring` on the modelled machine: what its user will see, before there is a card.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::rc::Rc;

use pinring_client::Transport;
use pinring_client::cli::{self, Host};

use super::card::Card;
use super::costs::Record;
use super::transport::SystemCalls;
use super::{Options, RunError, Stop, config, drive};
use crate::host::Payload;
use crate::run::setup;
use crate::scenario::{Bound, Scenario, Strategy};

/// Runs the tool with these arguments (without the program's name) on the scenario's machine, whose card has the demo's pattern as its
/// source and takes whatever comes; gives the tool's exit status.
///
/// # Errors
/// The machine could not be set up, or stopped; or the driver's verifier found something.
pub fn pinring(
    scenario: &Scenario,
    options: &Options<'_>,
    arguments: &[String],
) -> Result<u8, RunError> {
    inner(scenario, options, arguments).map_err(|stop| stop.of(Strategy::Registered))
}

fn inner(scenario: &Scenario, options: &Options<'_>, arguments: &[String]) -> Result<u8, Stop> {
    let mut board = setup::board_of(scenario, Strategy::Registered, options, &Payload::Demo)?;
    board.streams.open_ended();
    let card = Card::new(board);
    let costs = scenario.host.costs.at(Bound::Stated);
    let config = config(scenario, &costs, &Record::default(), options.preempt);
    let mut machine = kmdf_sim::Machine::new(config, card.clone());
    let ran = drive(&mut machine, || {
        let name = "co-simulation";
        let mut host = Host {
            list: &mut || Ok(vec![name.to_string()]),
            open: &mut |_| {
                let calls = SystemCalls::open(VecDeque::new(), costs.clone());
                let calls = calls.map_err(|status| pinring_client::Error::Open {
                    name: name.to_string(),
                    status,
                })?;
                Ok(Rc::new(calls) as Rc<dyn Transport>)
            },
            out: &mut io::stdout(),
            err: &mut io::stderr(),
            interactive: false,
        };
        let program = std::iter::once("pinring".to_string());
        let status = cli::run(program.chain(arguments.iter().cloned()), &mut host);
        io::stdout()
            .flush()
            .map_err(|error| Stop::Driver(error.to_string()))?;
        Ok(status)
    });
    let found = machine.report();
    drop(machine);
    if let Some(failed) = card.with(|inner| inner.failed.take()) {
        return Err(failed.into());
    }
    if !found.violations.is_empty() {
        return Err(Stop::Driver(format!(
            "the driver's verifier found:\n{found}"
        )));
    }
    ran
}
