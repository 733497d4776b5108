//! What a driver does: brings the device up, submits, rings doorbells, waits for completions.

use crate::memory::{MESSAGES, QUEUES, REGION_TABLE, bus_address, store_words};
use crate::{Bus, Failure};
use pinring_firmware::Registers;
use pinring_protocol::limits::PAGE;
use pinring_protocol::registers::{self, AdminSize, Control, DeviceStatus, aperture};
use pinring_protocol::ring::{RingIndex, RingSize};
use pinring_protocol::selftest::{BAR0, BAR0_HIGH, BUS_ADDRESS, HOST_MEMORY, REGISTERS};
use pinring_protocol::{
    AdminEntry, AdminOpcode, CompletionEntry, Direction, Doorbell, LAYOUT_HASH, MAGIC, MsixEntry,
    QueueContext, Status, SubmissionEntry, mmio,
};

/// Entries of each ring: a page of submissions, and more than one lap in a test.
const RING: RingSize = match RingSize::new(4) {
    Ok(size) => size,
    Err(_) => panic!("a possible size"),
};
const _: () = assert!(RING.entries() as usize * SubmissionEntry::BYTES <= PAGE);

/// Regions in the region table.
const REGIONS: u32 = 2;

/// Time for anything that the device does, as a share of a second: 100 ms.
const PATIENCE: u32 = 10;

/// Data of vector `vector`'s message.
const fn message(vector: u32) -> u32 {
    0x4d53_4900 | vector
}

/// A device's host.
pub struct Host<B, R> {
    /// Host memory, BAR0 and the user logic.
    pub bus: B,
    /// The processor's window, for its cycle timer.
    window: R,
    /// Indices behind the last entry submitted and behind the last one completed, of each queue.
    indices: [(RingIndex, RingIndex); QUEUES as usize],
    hz: u32,
}

impl<B: Bus, R: Registers> Host<B, R> {
    /// A host that has done nothing yet.
    pub fn new(bus: B, window: R) -> Self {
        let hz = window.read(mmio::CORE_HZ);
        Self {
            bus,
            window,
            indices: Default::default(),
            hz,
        }
    }

    /// Reads a register of BAR0, its low half if it has 64 bits.
    pub fn register(&self, offset: u32) -> u32 {
        self.bus.load(BAR0 + offset)
    }

    fn register64(&self, offset: u32) -> u64 {
        u64::from(self.register(offset)) | u64::from(self.register(offset + 4)) << 32
    }

    fn set(&mut self, offset: u32, value: u32) {
        self.bus.store(BAR0 + offset, value);
    }

    fn set64(&mut self, offset: u32, value: u64) {
        self.set(offset, value as u32);
        self.set(offset + 4, (value >> 32) as u32);
    }

    /// Looks again and again until it is so; false if it takes too long.
    fn until(&self, done: impl Fn(&Self) -> bool) -> bool {
        let start = self.window.read(mmio::CYCLES_LO);
        loop {
            // The clock is read first, so that what came in time counts however long the look takes.
            let waited = self.window.read(mmio::CYCLES_LO).wrapping_sub(start);
            if done(self) {
                return true;
            }
            if waited > self.hz / PATIENCE {
                return false;
            }
        }
    }

    /// Makes sure of whom it talks to.
    ///
    /// # Errors
    /// Not a device of this project, or one of another layout.
    pub fn identify(&self) -> Result<(), Failure> {
        let found = self.register(registers::MAGIC.offset);
        if found != MAGIC {
            return Err(Failure::NotPinring { found });
        }
        match self.register64(registers::LAYOUT_HASH.offset) {
            LAYOUT_HASH => Ok(()),
            device => Err(Failure::Layout { device }),
        }
    }

    /// Sets rings, region table and interrupts up, and enables the device.
    ///
    /// # Errors
    /// It does not begin to serve.
    pub fn enable(&mut self) -> Result<(), Failure> {
        // Completion rings start zeroed; so does the region table.
        for page in 0..=REGION_TABLE {
            let start = HOST_MEMORY + page * PAGE as u32;
            for address in (start..start + PAGE as u32).step_by(4) {
                self.bus.store(address, 0);
            }
        }
        for vector in 0..QUEUES {
            let entry = MsixEntry::new()
                .with_address(BUS_ADDRESS + u64::from(MESSAGES + 4 * vector))
                .with_data(message(vector));
            let at = BAR0 + aperture::MSIX_TABLE + vector * MsixEntry::BYTES as u32;
            store_words(&mut self.bus, at, &entry.to_words());
        }
        let size = AdminSize::new()
            .with_sq_log2(RING.log2())
            .with_cq_log2(RING.log2());
        self.set64(registers::ADMIN_SQ.offset, bus_address(0));
        self.set64(registers::ADMIN_CQ.offset, bus_address(1));
        self.set(registers::ADMIN_SIZE.offset, size.raw());
        self.set64(registers::REGION_TABLE.offset, bus_address(REGION_TABLE));
        self.set(registers::REGION_COUNT.offset, REGIONS);
        self.set(
            registers::CONTROL.offset,
            Control::new().with_enable(true).raw(),
        );
        let serves = self.until(|host| {
            let status = DeviceStatus::from_raw(host.register(registers::STATUS.offset));
            status.ready() && status.firmware_running()
        });
        if serves {
            return Ok(());
        }
        Err(Failure::NotReady {
            status: self.register(registers::STATUS.offset),
            firmware: self.register(registers::FIRMWARE_STATE.offset),
        })
    }

    /// Carries out an admin command.
    ///
    /// # Errors
    /// It ends with another status than OK, or not at all.
    pub fn command(
        &mut self,
        opcode: AdminOpcode,
        target: u32,
        body: QueueContext,
    ) -> Result<(), Failure> {
        let (index, _) = self.indices[0];
        let entry = AdminEntry::new()
            .with_opcode(opcode)
            .with_index(index.0)
            .with_target(target)
            .with_body(body);
        self.append(0, &entry.to_words());
        self.ring(0);
        let done = self.completion(0)?;
        ended(&done, Status::Ok)
    }

    /// Creates a queue with the rings and the vector of its number.
    ///
    /// # Errors
    /// Those of [`command`](Self::command).
    pub fn create_queue(&mut self, queue: u32, direction: Direction) -> Result<(), Failure> {
        let context = QueueContext::new()
            .with_sq_address(bus_address(2 * queue))
            .with_cq_address(bus_address(2 * queue + 1))
            .with_sq_entries_log2(RING.log2())
            .with_cq_entries_log2(RING.log2())
            .with_direction(direction)
            .with_vector(queue as u16);
        self.command(AdminOpcode::CreateQueue, queue, context)
    }

    /// Puts a transfer into a queue's ring. No more than the ring holds may be there at a time.
    pub fn submit(&mut self, queue: u32, entry: SubmissionEntry) {
        let (index, _) = self.indices[queue as usize];
        self.append(queue, &entry.with_index(index.0).to_words());
    }

    fn append(&mut self, queue: u32, words: &[u32]) {
        let (tail, _) = &mut self.indices[queue as usize];
        let slot = u32::from(RING.slot(*tail));
        *tail = tail.plus(1);
        let ring = HOST_MEMORY + 2 * queue * PAGE as u32;
        store_words(
            &mut self.bus,
            ring + slot * SubmissionEntry::BYTES as u32,
            words,
        );
    }

    /// Rings a queue's doorbell, and arms its interrupt.
    pub fn ring(&mut self, queue: u32) {
        let (tail, head) = self.indices[queue as usize];
        let doorbell = Doorbell::new()
            .with_sq_tail(tail.0)
            .with_cq_head(head.0)
            .with_arm(true);
        let [low, high] = doorbell.to_words();
        self.bus.store(HOST_MEMORY + MESSAGES + 4 * queue, 0);
        self.bus.store(REGISTERS + BAR0_HIGH, high);
        let page = aperture::DOORBELLS + queue * aperture::DOORBELL_STRIDE;
        self.set(page + aperture::DOORBELL, low);
    }

    /// Waits for a queue's next completion entry, and takes it.
    ///
    /// # Errors
    /// None comes, or one that is of another queue or entry.
    pub fn completion(&mut self, queue: u32) -> Result<CompletionEntry, Failure> {
        let (_, head) = self.indices[queue as usize];
        let slot = u32::from(RING.slot(head));
        let at = HOST_MEMORY + (2 * queue + 1) * PAGE as u32 + slot * CompletionEntry::BYTES as u32;
        let entry = |host: &Self| {
            CompletionEntry::from_words(core::array::from_fn(|word| {
                host.bus.load(at + 4 * word as u32)
            }))
        };
        if !self.until(|host| entry(host).phase() == RING.phase(head)) {
            return Err(Failure::NoCompletion { queue });
        }
        // Once more: words that were looked at before the phase had come may be old.
        let entry = entry(self);
        self.indices[queue as usize].1 = head.plus(1);
        if u32::from(entry.queue()) != queue || entry.slot() != head.0 {
            return Err(Failure::OtherCompletion {
                queue: entry.queue(),
                slot: entry.slot(),
            });
        }
        Ok(entry)
    }

    /// Waits for the message of a queue's vector, which follows the completion entry that it was armed for.
    ///
    /// # Errors
    /// None comes.
    pub fn interrupt(&mut self, queue: u32) -> Result<(), Failure> {
        let came =
            |host: &Self| host.bus.load(HOST_MEMORY + MESSAGES + 4 * queue) == message(queue);
        if self.until(came) {
            Ok(())
        } else {
            Err(Failure::NoInterrupt { vector: queue })
        }
    }
}

/// Looks at how a transfer or command ended.
///
/// # Errors
/// Otherwise.
pub fn ended(entry: &CompletionEntry, expected: Status) -> Result<(), Failure> {
    let status = entry.status().ok();
    if status == Some(expected) {
        Ok(())
    } else {
        Err(Failure::Ended { status, expected })
    }
}
