//! The board as hardware of the modelled Windows machine.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use kmdf_sim::Hardware;
use kmdf_sim::memory::DeviceBus;
use pinring_protocol::CompletionEntry;
use pinring_protocol::describe::Register;
use pinring_protocol::limits::{ADMIN_QUEUE, VECTORS};
use pinring_protocol::registers::{self, aperture};

use crate::board::{Board, MachineError};
use crate::host::{BusFault, HostBus};
use crate::link::HostEvent;
use crate::run::bench::fault_of;
use crate::run::books::Waits;

/// Where interrupt messages go on x86.
const INTERRUPT_ADDRESS: u64 = 0xfee0_0000;

/// Offset of the command register, and its Bus Master Enable (PCIe 5.0, section 7.5.1.1.3).
const COMMAND: u32 = 4;
const BUS_MASTER: u32 = 1 << 2;

/// A completion entry of a data queue that has arrived in host memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// When the host could see it.
    pub at_ps: u64,
    /// User metadata: the transfer's number.
    pub user: u32,
    /// Bytes that the H2C stream had taken when the device sent it.
    pub received: u64,
}

/// The card; clones are the same one.
#[derive(Clone)]
pub(super) struct Card(Rc<RefCell<Inner>>);

pub(super) struct Inner {
    pub board: Board,
    /// What ended the run.
    pub failed: Option<MachineError>,
    /// Entries that have arrived since the last burst began.
    pub arrivals: Vec<Arrival>,
    sent: VecDeque<u32>,
    /// Messages that the system has taken.
    pub interrupts: u64,
    /// The device's counters are wanted.
    asked: bool,
    /// What they were.
    pub waits: Option<Waits>,
}

impl Card {
    pub(super) fn new(board: Board) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            board,
            failed: None,
            arrivals: Vec::new(),
            sent: VecDeque::new(),
            interrupts: 0,
            asked: false,
            waits: None,
        })))
    }

    /// The board, for as long as the closure runs.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.0.borrow_mut())
    }

    /// Where the driver's rings are on the bus: writes there are entries and not data.
    pub(super) fn set_rings(&self, rings: Vec<Range<u64>>) {
        self.0.borrow_mut().board.link.own = rings;
    }
}

/// The machine's bus, as the link calls it.
struct Bus<'a>(&'a mut dyn DeviceBus);

impl HostBus for Bus<'_> {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault> {
        self.0.read(address, data).map_err(fault)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault> {
        self.0.write(address, data).map_err(fault)
    }
}

fn fault(fault: kmdf_sim::memory::BusFault) -> BusFault {
    use kmdf_sim::memory::BusFaultReason;
    let (address, is_write) = (fault.address, fault.is_write);
    match fault.reason {
        BusFaultReason::Denied => BusFault::Denied { address, is_write },
        _ => BusFault::NotMapped { address, is_write },
    }
}

impl Inner {
    /// Has the device's counters read, beside the driver and not counted as its accesses: `waits` holds them when time has passed.
    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    fn answer(&mut self, bus: &mut Bus<'_>) {
        if !std::mem::take(&mut self.asked) {
            return;
        }
        let reads = self.board.mmio_reads;
        let mut sum = |counters: [&Register; 2]| {
            counters.iter().fold(0, |sum, counter| {
                let bytes = counter.width as u64 / 8;
                match self.board.mmio_read(bus, counter.offset, bytes) {
                    Ok(value) => sum + value,
                    Err(error) => {
                        self.failed.get_or_insert(error);
                        sum
                    }
                }
            })
        };
        let list = sum([&registers::C2H_LIST_WAIT, &registers::H2C_LIST_WAIT]);
        let idle = sum([&registers::C2H_IDLE, &registers::H2C_IDLE]);
        self.waits = Some(Waits { list, idle });
        self.board.mmio_reads = reads;
    }

    /// Lets the device work up to `until_ps`, or to its first message.
    fn advance(&mut self, bus: &mut Bus<'_>, until_ps: u64) {
        while self.failed.is_none() && self.sent.is_empty() && self.board.now_ps() < until_ps {
            if let Err(error) = self.board.run(bus, until_ps) {
                self.failed = Some(error);
            }
            self.collect(bus);
        }
    }

    /// What the board has told the host.
    fn collect(&mut self, bus: &mut Bus<'_>) {
        while let Some(event) = self.board.pop_event() {
            match event {
                HostEvent::Interrupt { data, .. } => self.sent.push_back(data),
                event => {
                    if let Some(fault) = fault_of(&event) {
                        self.failed.get_or_insert(fault);
                    }
                }
            }
        }
        while let Some(entry) = self.board.entries.pop_front() {
            let mut bytes = [0; CompletionEntry::BYTES];
            let found = bus.read(entry.address, &mut bytes).is_ok();
            if let Ok(completion) = CompletionEntry::decode(&bytes)
                && found
                && completion.queue() != ADMIN_QUEUE
            {
                self.arrivals.push(Arrival {
                    at_ps: entry.at_ps,
                    user: completion.user(),
                    received: entry.received,
                });
            }
        }
    }
}

impl Hardware for Card {
    fn bars(&self) -> Vec<u64> {
        vec![aperture::BAR0_BYTES.into()]
    }

    fn messages(&self) -> u32 {
        VECTORS as u32
    }

    fn config_write(&mut self, offset: u32, _: u32, value: u32) {
        if offset == COMMAND {
            let on = value & BUS_MASTER != 0;
            self.0.borrow_mut().board.set_bus_master(on);
        }
    }

    fn mmio_read(
        &mut self,
        bus: &mut dyn DeviceBus,
        now_ps: u64,
        _: usize,
        offset: u64,
        bytes: u32,
    ) -> (u64, u64) {
        let mut inner = self.0.borrow_mut();
        let bus = &mut Bus(bus);
        inner.advance(bus, now_ps);
        if inner.failed.is_some() {
            return (u64::MAX, now_ps);
        }
        let value = match inner.board.mmio_read(bus, offset as u32, bytes.into()) {
            Ok(value) => value,
            Err(error) => {
                inner.failed = Some(error);
                u64::MAX
            }
        };
        inner.collect(bus);
        (value, inner.board.now_ps())
    }

    fn mmio_write(
        &mut self,
        bus: &mut dyn DeviceBus,
        now_ps: u64,
        _: usize,
        offset: u64,
        bytes: u32,
        value: u64,
    ) -> u64 {
        let mut inner = self.0.borrow_mut();
        inner.advance(&mut Bus(bus), now_ps);
        let value = value.to_le_bytes();
        let bytes = &value[..(bytes as usize).min(value.len())];
        if let Err(error) = inner.board.mmio_write(offset as u32, bytes) {
            inner.failed.get_or_insert(error);
        }
        now_ps
    }

    fn run(&mut self, bus: &mut dyn DeviceBus, until_ps: u64) -> u64 {
        let mut inner = self.0.borrow_mut();
        let bus = &mut Bus(bus);
        inner.answer(bus);
        inner.advance(bus, until_ps);
        if inner.sent.is_empty() {
            until_ps
        } else {
            inner.board.now_ps().min(until_ps)
        }
    }

    /// Gateware and firmware always have something to do.
    fn next_event_ps(&self) -> Option<u64> {
        let inner = self.0.borrow();
        inner.failed.is_none().then(|| inner.board.now_ps())
    }

    fn take_message(&mut self) -> Option<u32> {
        let mut inner = self.0.borrow_mut();
        let message = inner.sent.pop_front();
        inner.interrupts += u64::from(message.is_some());
        message
    }

    /// What the operating system does for MSI-X: a vector's address and data, and its mask (PCIe 5.0, section 7.7.2).
    fn connect(&mut self, message: u32, enabled: bool) {
        let mut inner = self.0.borrow_mut();
        let entry = aperture::MSIX_TABLE + 16 * message;
        let address = INTERRUPT_ADDRESS.to_le_bytes();
        let words = [
            (0, &address[..]),
            (8, &message.to_le_bytes()[..]),
            (12, &u32::from(!enabled).to_le_bytes()[..]),
        ];
        for (at, bytes) in words {
            if let Err(error) = inner.board.mmio_write(entry + at, bytes) {
                inner.failed.get_or_insert(error);
            }
        }
    }
}
