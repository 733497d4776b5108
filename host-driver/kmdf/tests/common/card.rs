//! The core's mock device as a card in the modelled machine.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use kmdf_sim::Hardware;
use kmdf_sim::memory::DeviceBus;
use pinring_core::mock::{MockBus, MockDevice};
use pinring_protocol::registers::{self, Control, aperture};

/// Register offset of the command register, and its Bus Master Enable (PCIe 5.0, section 7.5.1.1.3).
const COMMAND: u32 = 4;
const BUS_MASTER: u32 = 1 << 2;

/// Bus Master Enable of a card.
#[derive(Default)]
pub struct BusMaster {
    /// It does not go back to 0.
    pub stuck: Cell<bool>,
    /// Every value it was given.
    pub values: RefCell<Vec<bool>>,
}

/// What a test may change while the machine runs.
pub struct CardState {
    /// The device.
    pub device: Rc<RefCell<MockDevice>>,
    /// Its Bus Master Enable.
    pub enable: Rc<BusMaster>,
    /// Time of one step of the device (a piece of data, an entry), in ps.
    pub step_ps: u64,
    /// The device does nothing by itself any more, until it is reset.
    pub hung: bool,
    /// A reset neither ends nor stops what the device does.
    pub deaf: bool,
    /// Accesses of the device that met no memory.
    pub faults: u64,
    now_ps: u64,
    idle: bool,
    bus_master: bool,
    sent: VecDeque<u32>,
    enabled: [bool; 16],
}

/// The card; clones are the same one.
#[derive(Clone)]
pub struct Card(pub Rc<RefCell<CardState>>);

impl Card {
    /// A card whose device moves `step_bytes` bytes in a step of `step_ps`.
    pub fn new(step_bytes: u64, step_ps: u64) -> Self {
        let mut device = MockDevice::new();
        device.step_bytes = step_bytes;
        device.by_cookie = true;
        Self(Rc::new(RefCell::new(CardState {
            device: Rc::new(RefCell::new(device)),
            enable: Rc::default(),
            step_ps,
            hung: false,
            deaf: false,
            faults: 0,
            now_ps: 0,
            idle: true,
            bus_master: false,
            sent: VecDeque::new(),
            enabled: [false; 16],
        })))
    }
}

struct Reach<'a> {
    bus: &'a mut dyn DeviceBus,
    faults: u64,
}

impl MockBus for Reach<'_> {
    fn bus_read(&mut self, address: u64, bytes: &mut [u8]) -> bool {
        let reached = self.bus.read(address, bytes).is_ok();
        self.faults += u64::from(!reached);
        reached
    }

    fn bus_write(&mut self, address: u64, bytes: &[u8]) -> bool {
        let reached = self.bus.write(address, bytes).is_ok();
        self.faults += u64::from(!reached);
        reached
    }
}

impl CardState {
    /// Another device of the same kind in the slot.
    pub fn replace(&mut self) {
        let mut device = MockDevice::new();
        device.step_bytes = self.device.borrow().step_bytes;
        device.by_cookie = true;
        *self.device.borrow_mut() = device;
        self.hung = false;
    }

    /// Messages that the device has sent since the last look.
    fn collect(&mut self) {
        let vectors = std::mem::take(&mut self.device.borrow_mut().interrupts);
        for vector in vectors {
            if self.enabled.get(usize::from(vector)) == Some(&true) {
                self.sent.push_back(vector.into());
            }
        }
    }
}

impl Hardware for Card {
    fn bars(&self) -> Vec<u64> {
        vec![aperture::BAR0_BYTES.into()]
    }

    fn messages(&self) -> u32 {
        16
    }

    fn command(&mut self, asked: u16) -> u16 {
        let state = self.0.borrow();
        let mask = BUS_MASTER as u16;
        state.enable.values.borrow_mut().push(asked & mask != 0);
        match state.enable.stuck.get() {
            true => asked | mask,
            false => asked,
        }
    }

    fn config_write(&mut self, offset: u32, _: u32, value: u32) {
        if offset == COMMAND {
            let mut state = self.0.borrow_mut();
            state.bus_master = value & BUS_MASTER != 0 || state.enable.stuck.get();
            if !state.bus_master {
                state.device.borrow_mut().power_off();
            }
        }
    }

    fn mmio_read(
        &mut self,
        _: &mut dyn DeviceBus,
        now_ps: u64,
        _: usize,
        offset: u64,
        bytes: u32,
    ) -> (u64, u64) {
        let state = self.0.borrow();
        let mut device = state.device.borrow_mut();
        let offset = offset as u32;
        let low = device.read(offset);
        let value = match bytes {
            8 => u64::from(low) | u64::from(device.read(offset + 4)) << 32,
            _ => low.into(),
        };
        // A round trip of the link.
        (value, now_ps + 1_000_000)
    }

    fn mmio_write(
        &mut self,
        _: &mut dyn DeviceBus,
        now_ps: u64,
        _: usize,
        offset: u64,
        bytes: u32,
        value: u64,
    ) -> u64 {
        let mut state = self.0.borrow_mut();
        if state.idle {
            state.now_ps = state.now_ps.max(now_ps);
        }
        state.idle = false;
        let reset = offset == u64::from(registers::CONTROL.offset)
            && Control::from_raw(value as u32).reset();
        state.hung &= !reset || state.deaf;
        let device = state.device.clone();
        if reset && state.deaf {
            device.borrow_mut().set(&registers::CONTROL, value);
        } else {
            device.borrow_mut().write(offset as u32, value, bytes);
        }
        state.collect();
        now_ps
    }

    fn run(&mut self, bus: &mut dyn DeviceBus, until_ps: u64) -> u64 {
        let mut guard = self.0.borrow_mut();
        let state = &mut *guard;
        let mut reach = Reach { bus, faults: 0 };
        while state.sent.is_empty() && state.now_ps + state.step_ps <= until_ps {
            let stopped = state.hung || !state.bus_master;
            if stopped || state.device.borrow_mut().step(&mut reach).is_none() {
                state.idle = true;
                state.now_ps = until_ps;
                if !stopped {
                    state.device.borrow_mut().moderation_time_passes();
                    state.collect();
                }
                break;
            }
            state.now_ps += state.step_ps;
            state.collect();
        }
        state.faults += reach.faults;
        if state.sent.is_empty() {
            until_ps
        } else {
            state.now_ps
        }
    }

    fn next_event_ps(&self) -> Option<u64> {
        let state = self.0.borrow();
        if !state.sent.is_empty() {
            return Some(state.now_ps);
        }
        (!state.idle).then(|| state.now_ps + state.step_ps)
    }

    fn take_message(&mut self) -> Option<u32> {
        self.0.borrow_mut().sent.pop_front()
    }

    fn connect(&mut self, message: u32, enabled: bool) {
        if let Some(place) = self.0.borrow_mut().enabled.get_mut(message as usize) {
            *place = enabled;
        }
    }

    fn power(&mut self, _: &mut dyn DeviceBus, on: bool) {
        let mut state = self.0.borrow_mut();
        if !on {
            let device = state.device.clone();
            let mut device = device.borrow_mut();
            device.power_off();
            device.set(&registers::CONTROL, 0);
            device.set(&registers::STATUS, 0);
            state.idle = true;
        }
    }

    fn removed(&mut self) {
        let mut state = self.0.borrow_mut();
        state.device.borrow_mut().power_off();
        state.device.borrow_mut().gone = true;
        state.idle = true;
    }
}
