//! A machine with the driver on it, the core's mock device in its slot, and calls as an application makes them.
#![allow(dead_code)]

pub mod card;
pub mod hostile;

use std::cell::RefCell;
use std::rc::Rc;

use kmdf_sim::dma::{DmaConfig, Translation};
use kmdf_sim::memory::{PageLayout, UserBuffer};
use kmdf_sim::user::{self, Handle, Output, Pending, Status};
use kmdf_sim::{Config, FILE_READ_DATA, FILE_WRITE_DATA, Machine, STATUS_DEVICE_BUSY};
use pinring_core::mock::MockDevice;
use pinring_ioctl as ioctl;
use zerocopy::{FromBytes, IntoBytes};

use card::{BusMaster, Card};

/// Time of a step of the device in most tests, in ps.
const STEP_PS: u64 = 1_000_000;

/// A machine, its device and the driver.
pub struct Bench {
    pub machine: Machine,
    pub device: Rc<RefCell<MockDevice>>,
    pub bus_master: Rc<BusMaster>,
    /// Every page is copied through bounce pages.
    pub bounces: bool,
}

impl Bench {
    /// With the driver loaded and the device started.
    pub fn new(config: Config) -> Self {
        Self::with_card(config, Card::new(u64::MAX, STEP_PS))
    }

    /// As [`new`](Self::new), with this card.
    pub fn with_card(config: Config, card: Card) -> Self {
        let mut bench = Self::with_driver(config, card);
        let added = bench.machine.add_device();
        assert_eq!(added, Ok(0), "{:?}", bench.machine.report());
        bench
    }

    /// With the driver loaded, and the device not yet found.
    pub fn loaded(config: Config) -> Self {
        Self::with_driver(config, Card::new(u64::MAX, STEP_PS))
    }

    fn with_driver(config: Config, card: Card) -> Self {
        let device = card.0.borrow().device.clone();
        let bus_master = card.0.borrow().enable.clone();
        let bounces = config.dma.translation() == Translation::Bounce;
        let mut machine = Machine::new(config, card);
        assert!(load(&mut machine), "{:?}", machine.report());
        Self {
            machine,
            device,
            bus_master,
            bounces,
        }
    }

    /// Runs an application to its end.
    pub fn app<R: 'static>(&mut self, body: impl FnOnce() -> R) -> R {
        let process = self.machine.process().expect("a process");
        match self.machine.run(Some(process), body) {
            Ok(result) => result,
            Err(_) => panic!("{:#?}", self.machine.report()),
        }
    }

    /// Removes the device, unloads the driver, and expects that nothing was found.
    pub fn end(mut self) {
        let mut removed = self.machine.remove();
        // A file that was closed a moment ago may still be on its way.
        for _ in 0..100 {
            if removed != Ok(STATUS_DEVICE_BUSY) {
                break;
            }
            let slept = self.machine.run(None, || user::sleep_ps(1_000_000_000));
            removed = slept.and_then(|()| self.machine.remove());
        }
        assert_eq!(removed, Ok(0), "{:#?}", self.machine.report());
        self.machine.unload().expect("it goes on");
        self.machine.report().assert_clean();
    }
}

/// A host on which the HAL does this.
pub fn host(translation: Translation) -> Config {
    Config {
        dma: DmaConfig::with_translation(translation),
        ..Config::default()
    }
}

/// A machine with the device in it, and no driver.
pub fn machine(config: Config) -> Machine {
    Machine::new(config, Card::new(u64::MAX, STEP_PS))
}

/// Loads the driver; false if it refused.
pub fn load(machine: &mut Machine) -> bool {
    let loaded = machine.load(|driver, path| {
        // SAFETY: as the system calls it.
        unsafe { pinring_kmdf::driver_entry(driver, path) }
    });
    loaded == Ok(0)
}

/// Opens the device for overlapped I/O.
pub fn open() -> Handle {
    user::open(FILE_READ_DATA | FILE_WRITE_DATA, true).expect("the device opens")
}

/// The driver's answer to a control code with a structure as output.
pub fn ask<T: FromBytes>(handle: Handle, code: ioctl::Code, input: &[u8]) -> Result<T, Status> {
    let mut output = vec![0; size_of::<T>()];
    let bytes = user::device_io_control(handle, code.value(), input, &mut output)?;
    assert_eq!(bytes, output.len());
    Ok(T::read_from_bytes(&output).expect("as long as it is"))
}

/// A control code without output.
pub fn tell(handle: Handle, code: ioctl::Code, input: &[u8]) -> Result<(), Status> {
    user::device_io_control(handle, code.value(), input, &mut []).map(|_| ())
}

/// A buffer of a process.
pub fn buffer(bytes: usize) -> UserBuffer {
    UserBuffer::new(bytes, &PageLayout::Shuffled).expect("memory")
}

/// Registers a buffer for both directions, and says what it came to.
pub fn register(
    handle: Handle,
    buffer: &UserBuffer,
    token: u64,
    tiers: (u32, u32),
) -> Result<(Pending, ioctl::RegionInfo), Status> {
    let pending = register_later(handle, buffer, token, tiers)?;
    // What is refused has ended at once.
    if let Some(completion) = user::result(pending, Some(0)) {
        return Err(Status(completion.status));
    }
    let info = ask(
        handle,
        ioctl::QUERY_REGION,
        ioctl::Token { token }.as_bytes(),
    )?;
    Ok((pending, info))
}

/// Starts a registration for both directions.
pub fn register_later(
    handle: Handle,
    buffer: &UserBuffer,
    token: u64,
    tiers: (u32, u32),
) -> Result<Pending, Status> {
    let input = ioctl::Register {
        token,
        permissions: ioctl::permissions::BOTH,
        first_tier: tiers.0,
        last_tier: tiers.1,
        reserved: 0,
    };
    // SAFETY: the buffer stays until the operation has ended, in the tests' own interest.
    unsafe {
        user::start_at(
            handle,
            ioctl::REGISTER.value(),
            input.as_bytes(),
            buffer.as_mut_ptr(),
            buffer.len(),
            None,
        )
    }
}

/// Submits a batch.
pub fn submit(handle: Handle, direction: u32, transfers: &[ioctl::Transfer]) -> Result<(), Status> {
    let mut input = ioctl::Submit {
        direction,
        count: transfers.len() as u32,
    }
    .as_bytes()
    .to_vec();
    for transfer in transfers {
        input.extend(transfer.as_bytes());
    }
    tell(handle, ioctl::SUBMIT, &input)
}

/// Waits for `count` completions.
pub fn wait(handle: Handle, count: usize) -> Result<Vec<ioctl::Completion>, Status> {
    let input = ioctl::Wait {
        least: count as u32,
        reserved: 0,
    };
    let mut output = vec![0; count.max(1) * ioctl::Completion::BYTES];
    let bytes =
        user::device_io_control(handle, ioctl::WAIT.value(), input.as_bytes(), &mut output)?;
    Ok(output[..bytes]
        .chunks(ioctl::Completion::BYTES)
        .map(|bytes| ioctl::Completion::read_from_bytes(bytes).expect("whole"))
        .collect())
}

/// Unregisters, and waits for the end of the registration.
pub fn unregister(handle: Handle, pending: Pending, region: u64) {
    tell(
        handle,
        ioctl::UNREGISTER,
        ioctl::Handle { handle: region }.as_bytes(),
    )
    .expect("it was registered");
    let completion = user::result(pending, None).expect("it ends");
    assert_eq!(completion.status, 0);
}

/// One transfer.
pub fn transfer(region: u64, offset: u64, length: u64, cookie: u64) -> ioctl::Transfer {
    ioctl::Transfer {
        handle: region,
        offset,
        length,
        cookie,
        ..ioctl::Transfer::default()
    }
}

/// Takes statistics.
pub fn statistics(handle: Handle) -> ioctl::Statistics {
    ask(handle, ioctl::STATISTICS, &[]).expect("statistics")
}

/// What a driver's error looks like.
pub fn error(error: ioctl::Error) -> Status {
    Status(error.status())
}

/// An operation with output of its own.
pub fn start(handle: Handle, code: ioctl::Code, input: &[u8], output: usize) -> Pending {
    user::start(
        handle,
        code.value(),
        input,
        Output::Owned(vec![0; output]),
        None,
    )
    .expect("it starts")
}
