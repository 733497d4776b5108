//! The admin queue: commands to the firmware, and the tickets that stand for them.

use alloc::vec::Vec;

use pinring_protocol::limits::ADMIN_QUEUE;
use pinring_protocol::ring::RingSize;
use pinring_protocol::{AdminEntry, AdminOpcode, QueueContext, Status};

use crate::memory;
use crate::queue::RingPair;
use crate::{AdminError, DeviceFault, DmaError, Platform, Retired};

/// Stands for an admin command until [`Device::poll_admin`](crate::Device::poll_admin) redeems it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// An admin command has ended.
#[derive(Debug)]
pub struct AdminEvent {
    /// The command's ticket.
    pub ticket: Ticket,
    /// How it ended.
    pub result: Result<(), AdminError>,
    /// What an unregistered region or a destroyed queue held: release it, then [`Device::recycle`](crate::Device::recycle) it.
    pub retired: Option<Retired>,
}

/// What a command in flight is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    CreateQueue(u16),
    DestroyQueue(u16),
    /// The first half of a cancellation: destroy, then create.
    CancelQueue(u16),
    Unregister(u32),
    CancelRegion(u32),
    ReadLog,
}

/// A command in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    pub(crate) ticket: Ticket,
    pub(crate) purpose: Purpose,
}

#[derive(Debug)]
pub(crate) struct AdminQueue {
    pub(crate) rings: RingPair,
    /// Keyed by slot.
    commands: Vec<Option<Command>>,
    next_ticket: u64,
    fault: Option<DeviceFault>,
}

impl AdminQueue {
    pub(crate) fn new<P: Platform>(
        platform: &mut P,
        doorbell: u32,
        size: RingSize,
    ) -> Result<Self, DmaError> {
        let entries = usize::from(size.entries());
        let mut commands = memory::reserve(entries)?;
        commands.resize(entries, None);
        let rings = RingPair::new(platform, ADMIN_QUEUE, doorbell, size)?;
        Ok(Self {
            rings,
            commands,
            next_ticket: 1,
            fault: None,
        })
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        ticket
    }

    /// There is room for a command.
    pub(crate) fn check(&self) -> Result<(), AdminError> {
        if let Some(fault) = self.fault {
            return Err(fault.into());
        }
        match self.rings.free_slots() {
            0 => Err(AdminError::Full {
                waiting: self.rings.in_flight(),
            }),
            _ => Ok(()),
        }
    }

    /// Sends a command, with the context for CREATE_QUEUE.
    pub(crate) fn send<P: Platform>(
        &mut self,
        platform: &mut P,
        command: Command,
        context: Option<QueueContext>,
    ) -> Result<(), AdminError> {
        self.check()?;
        let index = self.rings.tail();
        let (opcode, target) = match command.purpose {
            Purpose::CreateQueue(id) => (AdminOpcode::CreateQueue, id.into()),
            Purpose::DestroyQueue(id) | Purpose::CancelQueue(id) => {
                (AdminOpcode::DestroyQueue, id.into())
            }
            Purpose::Unregister(region) | Purpose::CancelRegion(region) => {
                (AdminOpcode::InvalidateRegion, region)
            }
            Purpose::ReadLog => (AdminOpcode::ReadLog, 0),
        };
        let entry = AdminEntry::new()
            .with_opcode(opcode)
            .with_index(index.0)
            .with_target(target)
            .with_cookie(command.ticket.0)
            .with_body(context.unwrap_or_default());
        self.rings.write(platform, index, &entry.encode());
        let slot = usize::from(self.rings.size().slot(index));
        self.commands[slot] = Some(command);
        self.rings.publish(platform, index.plus(1), true, None);
        Ok(())
    }

    /// The next command that the device has ended.
    pub(crate) fn next<P: Platform>(
        &mut self,
        platform: &mut P,
    ) -> Result<Option<(Command, Status)>, DeviceFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.read(platform)
            .inspect_err(|&fault| self.fault = Some(fault))
    }

    fn read<P: Platform>(
        &mut self,
        platform: &mut P,
    ) -> Result<Option<(Command, Status)>, DeviceFault> {
        let Some((entry, index)) = self.rings.peek(platform)? else {
            return Ok(None);
        };
        let status = entry.status().map_err(|cause| DeviceFault::BadEntry {
            queue: ADMIN_QUEUE,
            cause,
        })?;
        let slot = usize::from(self.rings.size().slot(index));
        let command = self.commands[slot]
            .take()
            .ok_or(DeviceFault::NothingInFlight {
                queue: ADMIN_QUEUE,
                slot: index.0,
            })?;
        if status == Status::Ok && entry.cookie() != command.ticket.0 {
            // It is in flight still, and a reset settles it.
            self.commands[slot] = Some(command);
            return Err(DeviceFault::WrongCookie {
                queue: ADMIN_QUEUE,
                slot: index.0,
                expected: command.ticket.0,
                found: entry.cookie(),
            });
        }
        self.rings.take();
        Ok(Some((command, status)))
    }

    /// The oldest command in flight, after the device has been reset: it will not be answered any more.
    pub(crate) fn abandon(&mut self) -> Option<Command> {
        while let Some(index) = self.rings.drop_oldest() {
            if let Some(command) = self.commands[usize::from(self.rings.size().slot(index))].take()
            {
                return Some(command);
            }
        }
        None
    }

    /// Begins anew after a reset.
    pub(crate) fn restart<P: Platform>(&mut self, platform: &mut P) {
        self.rings.restart(platform);
        self.fault = None;
    }
}
