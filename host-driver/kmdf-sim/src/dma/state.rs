//! The HAL's place in the machine: access to it, reports, and the device's side of the bus.

use super::hal::{DeviceId, Hal};
use crate::constants::PCI_ENABLE_BUS_MASTER;
use crate::memory::{BusFault, DeviceBus};
use crate::types::{HANDLE, PDEVICE_OBJECT, PDRIVER_LIST_CONTROL, PVOID, WDFDMATRANSACTION};
use crate::world::{self, World};

/// The machine's one device.
pub(crate) const DEVICE: DeviceId = DeviceId(0);

/// Who waits for map registers.
#[derive(Clone, Copy)]
pub(crate) enum Waiter {
    /// The driver, with its routine.
    Driver {
        routine: PDRIVER_LIST_CONTROL,
        context: PVOID,
        device_object: PDEVICE_OBJECT,
        transfer_context: PVOID,
    },
    /// A transaction of the framework.
    Transaction(WDFDMATRANSACTION),
}

/// What the machine keeps of memory and DMA.
pub(crate) struct State {
    pub hal: Hal<Waiter>,
}

impl State {
    /// Memory of a machine.
    pub fn new(config: super::DmaConfig, seed: u64) -> Self {
        Self {
            hal: Hal::new(config, seed),
        }
    }
}

/// Gives access to the HAL, and reports what it found. As in `world::with`, the closure must not call the driver.
pub(crate) fn with_hal<R>(f: impl FnOnce(&mut Hal<Waiter>) -> R) -> R {
    world::with(|world| {
        let result = f(&mut world.memory.hal);
        report(world);
        result
    })
}

/// Reports what the HAL has found.
pub(crate) fn report(world: &mut World) {
    for finding in world.memory.hal.take_findings() {
        world.violation(finding.rule, finding.ddi, finding.detail);
    }
}

/// Reports what is left at the end of the machine.
pub(crate) fn report_leaks(world: &mut World) {
    world.memory.hal.finish();
    report(world);
}

/// Resources were taken from the driver: what it was told of the adapter has to be asked again.
pub(crate) fn resources_released(world: &mut World) {
    world.memory.hal.domain(DEVICE).bypass_told = false;
}

/// The bus as the device sees it, while it runs.
pub(crate) struct MachineBus<'a>(pub &'a mut World);

impl MachineBus<'_> {
    /// The HAL, with what configuration space says of the device.
    fn hal(&mut self) -> &mut Hal<Waiter> {
        let pnp = &self.0.pnp;
        let bus_master = u32::from(pnp.command) & PCI_ENABLE_BUS_MASTER != 0;
        let removed = pnp.gone;
        let hal = &mut self.0.memory.hal;
        let domain = hal.domain(DEVICE);
        domain.bus_master = bus_master;
        domain.removed = removed;
        hal
    }
}

impl DeviceBus for MachineBus<'_> {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault> {
        let result = self.hal().device_read(DEVICE, address, data);
        if result.is_err() {
            report(self.0);
        }
        result
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault> {
        let result = self.hal().device_write(DEVICE, address, data);
        if result.is_err() {
            report(self.0);
        }
        result
    }
}

/// The bus as the device sees it, from outside of the machine: for tests, and for host models that do not run as the machine's hardware.
/// The hardware itself has its bus by argument.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceMemory;

impl DeviceBus for DeviceMemory {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault> {
        world::with(|world| MachineBus(world).read(address, data))
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault> {
        world::with(|world| MachineBus(world).write(address, data))
    }
}

/// Takes back requests for map registers of a transaction that goes.
pub(crate) fn cancel_waits_of(transaction: HANDLE) -> bool {
    with_hal(|hal| {
        hal.cancel_waits(
            |waiter| matches!(waiter, Waiter::Transaction(waits) if waits.cast() == transaction),
        )
    })
}
