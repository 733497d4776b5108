//! A block in both simulations at once.

use super::access::{Access, Ports, Role};
use crate::{Instance, Model, Spec};
use rust_hdl::prelude::{Block, check_all, generate_verilog_unchecked, simulate};
use std::fmt;

/// rust-hdl settles a legal circuit in about as many passes as its longest chain of modules.
const MAX_PASSES: usize = 1000;

/// Half a clock period, in picoseconds of `$time`: 250 MHz.
const HALF_PERIOD: u64 = 2_000;

/// Why a comparison ended. `Debug` prints the same text as `Display`, as that is what a failing test shows.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The two simulations disagree.
    #[error(
        "native simulation and Verilog differ at step {step}, {phase}, port `{port}`: native {native}, Verilog {verilog}\n\
         inputs: {inputs}"
    )]
    Difference {
        /// Number of clock steps before.
        step: u64,
        /// Which moment of the step.
        phase: &'static str,
        /// Port that differs.
        port: String,
        /// Value in the native simulation, hexadecimal.
        native: String,
        /// Value in the Verilog, hexadecimal.
        verilog: String,
        /// All inputs at that moment.
        inputs: String,
    },
    /// rust-hdl's own checks refuse the block: open signals, logic loops, writes to inputs.
    #[error("rust-hdl refuses the block: {0}")]
    Block(String),
    /// The native simulation does not settle.
    #[error(
        "native simulation does not settle within {MAX_PASSES} passes at step {step}: a combinational loop"
    )]
    Unsettled {
        /// Number of clock steps before.
        step: u64,
    },
    /// No such port.
    #[error("no {role} `{name}`; there are: {known}")]
    NoPort {
        /// What was asked for.
        role: &'static str,
        /// Name that was asked for.
        name: String,
        /// Names that exist.
        known: String,
    },
    /// A value that the port cannot hold or give.
    #[error("port `{port}` has {width} bits: {reason}")]
    Width {
        /// The port.
        port: String,
        /// Its width in bits.
        width: usize,
        /// What does not fit.
        reason: String,
    },
    /// Building or running the Verilog failed.
    #[error(transparent)]
    Verilog(#[from] crate::Error),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// What [`Pair::set`] takes: `u64` (so that plain literals work) and `bool`.
pub trait Value {
    /// The value, zero-extended.
    fn value(self) -> u64;
}

impl Value for u64 {
    fn value(self) -> u64 {
        self
    }
}

impl Value for bool {
    fn value(self) -> u64 {
        self.into()
    }
}

/// A block in rust-hdl's native simulation and, as emitted Verilog, in Verilator, moving in lock-step.
///
/// All outputs are compared when inputs have settled, after each rising and after each falling edge. Inputs change while
/// clocks are low, so that both simulators see them before the edge.
pub struct Pair<U: Block> {
    native: U,
    ports: Ports<U>,
    verilog: Instance,
    scratch: Vec<u32>,
    step: u64,
    settled: bool,
}

impl<U: Block> Pair<U> {
    /// Connects `block`, checks what it emits with lint and yosys, builds it, and settles both simulations with all
    /// inputs 0 and clocks low.
    ///
    /// # Errors
    /// A block that rust-hdl, lint, yosys or Verilator refuses, ports that do not match it, or a first difference.
    pub fn new(mut block: U, ports: Ports<U>) -> Result<Self> {
        block.connect_all();
        check_all(&block).map_err(|error| Error::Block(format!("{error:?}")))?;
        let verilog = generate_verilog_unchecked(&block);
        crate::lint(&verilog, "top")?;
        crate::yosys_check(&verilog, "top")?;
        let spec = Spec {
            verilog,
            top: "top".into(),
            ports: ports.iter().map(Access::port).collect(),
            ..Spec::default()
        };
        let verilog = Model::build(&spec)?.instance()?;
        let mut pair = Self {
            native: block,
            ports,
            verilog,
            scratch: Vec::new(),
            step: 0,
            settled: false,
        };
        pair.settle()?;
        Ok(pair)
    }

    /// Sets an input of at most 64 bits.
    ///
    /// # Errors
    /// No such input, or a value that does not fit.
    pub fn set(&mut self, name: &str, value: impl Value) -> Result<()> {
        let value = value.value();
        self.set_wide(name, &[value as u32, (value >> 32) as u32])
    }

    /// Sets an input of any width from words, least significant first; missing words are 0.
    ///
    /// # Errors
    /// No such input, or a value that does not fit.
    pub fn set_wide(&mut self, name: &str, value: &[u32]) -> Result<()> {
        let port = self.find(name, Role::Input)?;
        let width = self.ports[port].width;
        let words = self.verilog.wide_mut(port);
        let beyond =
            value
                .iter()
                .enumerate()
                .any(|(index, word)| match width.saturating_sub(32 * index) {
                    0 => *word != 0,
                    bits if bits < 32 => word >> bits != 0,
                    _ => false,
                });
        if beyond {
            let reason = format!("{} does not fit", hex(value));
            return Err(Error::Width {
                port: name.into(),
                width,
                reason,
            });
        }
        let count = value.len().min(words.len());
        words.fill(0);
        words[..count].copy_from_slice(&value[..count]);
        self.drive(port);
        self.settled = false;
        Ok(())
    }

    /// Value of a port of at most 64 bits, the same in both simulations. Settles inputs that were set since.
    ///
    /// # Errors
    /// No such port, a port wider than 64 bits, or a difference.
    pub fn get(&mut self, name: &str) -> Result<u64> {
        self.settle()?;
        let port = self.position(name, |_| true, "port")?;
        match self.ports[port].width {
            ..=64 => Ok(self.verilog.get(port)),
            width => Err(Error::Width {
                port: name.into(),
                width,
                reason: "use get_wide".into(),
            }),
        }
    }

    /// Whether a port is not zero: [`get`](Self::get) for single bits.
    ///
    /// # Errors
    /// As for `get`.
    pub fn is(&mut self, name: &str) -> Result<bool> {
        Ok(self.get(name)? != 0)
    }

    /// Words of a port of any width, least significant first, the same in both simulations.
    ///
    /// # Errors
    /// No such port, or a difference.
    pub fn get_wide(&mut self, name: &str) -> Result<&[u32]> {
        self.settle()?;
        let port = self.position(name, |_| true, "port")?;
        Ok(self.verilog.wide(port))
    }

    /// Lets inputs that were set travel through combinational logic, and compares. `get` and `step` do so themselves.
    ///
    /// # Errors
    /// A difference.
    pub fn settle(&mut self) -> Result<()> {
        if !self.settled {
            self.evaluate("inputs settled")?;
            self.settled = true;
        }
        Ok(())
    }

    /// One cycle of the first clock: settle, rising edge, falling edge, comparing after each.
    ///
    /// # Errors
    /// No clock, or a difference.
    pub fn step(&mut self) -> Result<()> {
        let clock = self.ports.iter().position(|port| port.role == Role::Clock);
        let clock = clock.ok_or_else(|| self.no_port("clock", "", |role| role == Role::Clock))?;
        self.edges(&[clock])
    }

    /// One cycle of each of these clocks, with their edges at the same moment.
    ///
    /// # Errors
    /// No such clock, or a difference.
    pub fn step_clocks(&mut self, clocks: &[&str]) -> Result<()> {
        let clocks: Result<Vec<_>> = clocks
            .iter()
            .map(|name| self.find(name, Role::Clock))
            .collect();
        self.edges(&clocks?)
    }

    /// The block in the native simulation, to look inside.
    pub fn native(&self) -> &U {
        &self.native
    }

    /// Number of clock steps so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    fn edges(&mut self, clocks: &[usize]) -> Result<()> {
        self.settle()?;
        for (level, phase) in [(1, "rising edge"), (0, "falling edge")] {
            for &clock in clocks {
                self.verilog.set(clock, level);
                self.drive(clock);
            }
            self.evaluate(phase)?;
        }
        self.step += 1;
        Ok(())
    }

    /// Gives the native signal of input `port` the value that the Verilog's port has.
    fn drive(&mut self, port: usize) {
        if let Some(write) = self.ports[port].write {
            write(&mut self.native, self.verilog.wide(port));
        }
    }

    fn evaluate(&mut self, phase: &'static str) -> Result<()> {
        self.verilog.set_time(self.verilog.time() + HALF_PERIOD);
        self.verilog.eval()?;
        if !simulate(&mut self.native, MAX_PASSES) {
            return Err(Error::Unsettled { step: self.step });
        }
        for (index, port) in self.ports.iter().enumerate() {
            let verilog = self.verilog.wide(index);
            self.scratch.clear();
            self.scratch.resize(verilog.len(), 0);
            (port.read)(&self.native, &mut self.scratch);
            if self.scratch != verilog {
                return Err(Error::Difference {
                    step: self.step,
                    phase,
                    port: port.name.clone(),
                    native: hex(&self.scratch),
                    verilog: hex(verilog),
                    inputs: self.inputs(),
                });
            }
        }
        Ok(())
    }

    fn inputs(&self) -> String {
        let inputs = self
            .ports
            .iter()
            .enumerate()
            .filter(|(_, port)| port.role != Role::Output);
        let values: Vec<_> = inputs
            .map(|(index, port)| format!("{} = {}", port.name, hex(self.verilog.wide(index))))
            .collect();
        values.join(", ")
    }

    fn find(&self, name: &str, role: Role) -> Result<usize> {
        self.position(
            name,
            |other| other == role,
            if role == Role::Clock {
                "clock"
            } else {
                "input"
            },
        )
    }

    fn position(
        &self,
        name: &str,
        wanted: impl Fn(Role) -> bool,
        role: &'static str,
    ) -> Result<usize> {
        let found = self
            .ports
            .iter()
            .position(|port| port.name == name && wanted(port.role));
        found.ok_or_else(|| self.no_port(role, name, wanted))
    }

    fn no_port(&self, role: &'static str, name: &str, wanted: impl Fn(Role) -> bool) -> Error {
        let known: Vec<_> = self
            .ports
            .iter()
            .filter(|port| wanted(port.role))
            .map(|port| port.name.as_str())
            .collect();
        Error::NoPort {
            role,
            name: name.into(),
            known: known.join(", "),
        }
    }
}

/// Words as one hexadecimal number.
fn hex(words: &[u32]) -> String {
    let digits: String = words
        .iter()
        .rev()
        .map(|word| format!("{word:08x}"))
        .collect();
    let digits = digits.trim_start_matches('0');
    format!("0x{}", if digits.is_empty() { "0" } else { digits })
}
