//! Driving the whole chain by hand: for tests, and for experiments of one's own.

use pinring_core::{AdminEvent, Completion, Device, QueueError, Ticket};
use pinring_protocol::Direction;

use super::Options;
use super::setup::{self, Bench, PATIENCE_NS, Queue, SetupError};
use crate::board::MachineError;
use crate::link::HostEvent;
use crate::machine::Machine;
use crate::platform::SimPlatform;
use crate::scenario::{Scenario, Strategy};

impl Bench {
    /// A machine after the scenario's start-up: queues created, buffers registered, nothing submitted.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(
        scenario: &Scenario,
        strategy: Strategy,
        options: &Options<'_>,
    ) -> Result<Self, SetupError> {
        Self::with_regions(scenario, strategy, options, 0)
    }

    /// The same with room for `regions` regions beside the scenario's buffers.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn with_regions(
        scenario: &Scenario,
        strategy: Strategy,
        options: &Options<'_>,
        regions: u32,
    ) -> Result<Self, SetupError> {
        setup::prepare(scenario, strategy, options, regions, &mut Vec::new())
    }

    /// Device, link, memory and user logic.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.device.platform_mut().machine
    }

    /// The queue of a direction, if the scenario has one.
    pub fn queue(&self, direction: Direction) -> Option<&Queue> {
        self.queues
            .iter()
            .find(|queue| queue.direction == direction)
    }

    /// Lets `ns` nanoseconds of virtual time pass.
    ///
    /// # Errors
    /// The machine stopped: an illegal TLP, an access outside what the driver has handed out, a wrong byte on a stream.
    pub fn pass(&mut self, ns: u64) -> Result<(), MachineError> {
        pass(&mut self.device, ns * 1000)
    }

    /// Waits until an admin command has ended.
    ///
    /// # Errors
    /// It failed, or was not answered in time.
    pub fn redeem(&mut self, ticket: Ticket) -> Result<AdminEvent, SetupError> {
        redeem(&mut self.device, ticket)
    }

    /// Waits until `count` transfers of a queue have ended, for at most `ns` nanoseconds; gives those that have.
    ///
    /// # Errors
    /// The machine stopped, or the device broke the protocol.
    pub fn reap(
        &mut self,
        queue: pinring_core::QueueHandle,
        count: usize,
        ns: u64,
    ) -> Result<Vec<Completion>, ReapError> {
        let mut found = Vec::new();
        for _ in 0..=ns / 1000 {
            self.device
                .reap(queue, |completion| found.push(completion))?;
            if found.len() >= count {
                break;
            }
            self.pass(1000)?;
        }
        Ok(found)
    }

    /// What the operating system restores behind a reset of function or link: the vectors.
    pub fn restore_vectors(&mut self) {
        setup::program_vectors(&mut self.device);
    }

    /// What the device says of itself, for an error.
    pub(super) fn health(&mut self) -> String {
        match self.device.check_health() {
            Ok(()) => "the firmware serves".to_string(),
            Err(error) => error.to_string(),
        }
    }
}

/// Why completions could not be waited for.
#[derive(Debug, thiserror::Error)]
pub enum ReapError {
    /// The machine stopped.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The driver refused.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Lets virtual time pass.
pub(super) fn pass(device: &mut Device<SimPlatform>, ps: u64) -> Result<(), MachineError> {
    let platform = device.platform_mut();
    if let Some(failed) = platform.failed.take() {
        return Err(failed);
    }
    let until = platform.machine.now_ps() + ps;
    while platform.machine.now_ps() < until {
        platform.machine.run(until)?;
        while let Some(event) = platform.machine.pop_event() {
            fault_of(&event).map_or(Ok(()), Err)?;
        }
    }
    Ok(())
}

/// An access of the device that met no memory, as an error.
pub(super) fn fault_of(event: &HostEvent) -> Option<MachineError> {
    let (at_ps, what, address, fault) = match event {
        HostEvent::WriteFault {
            at_ps,
            header,
            fault,
        } => (at_ps, "wrote to", header.address, fault),
        HostEvent::ReadFault {
            at_ps,
            header,
            fault,
        } => (at_ps, "read", header.address, fault),
        _ => return None,
    };
    Some(MachineError::Fault(format!(
        "at {at_ps} ps the device {what} {address:#x}: {fault}"
    )))
}

/// Waits for an admin command.
pub(super) fn redeem(
    device: &mut Device<SimPlatform>,
    ticket: Ticket,
) -> Result<AdminEvent, SetupError> {
    for _ in 0..PATIENCE_NS / 5_000 {
        while let Some(mut event) = device.poll_admin()? {
            if event.ticket == ticket {
                std::mem::replace(&mut event.result, Ok(()))?;
                return Ok(event);
            }
        }
        pass(device, 5_000_000)?;
    }
    Err(SetupError::NoAnswer)
}
