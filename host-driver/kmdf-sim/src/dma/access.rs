//! What the device does on the bus by itself.

use super::domain::Window;
use super::hal::{DeviceId, Hal};
use crate::memory::{BusFault, PAGE_BYTES, PAGE_SHIFT};
use crate::verifier::Rule;

/// What a device's access has found, for the next in the same page.
#[derive(Clone, Copy)]
pub(super) struct Last {
    pub(super) device: DeviceId,
    pub(super) bus_page: u64,
    /// Epochs of memory and of the domain that it holds for.
    pub(super) epochs: (u64, u64),
    pub(super) window: Window,
}

impl<W> Hal<W> {
    /// The device reads memory.
    ///
    /// # Errors
    /// Something of it is out of reach, which is also found.
    pub fn device_read(
        &mut self,
        device: DeviceId,
        address: u64,
        data: &mut [u8],
    ) -> Result<(), BusFault> {
        let length = data.len();
        let data = data.as_mut_ptr();
        self.device_access(device, address, length, false, |page, at, part| {
            // SAFETY: `part` bytes follow in the page; `at` and `part` are within `data`, which is no page of the machine.
            unsafe { std::ptr::copy_nonoverlapping(page, data.add(at), part) };
        })
    }

    /// The device writes memory. Nothing is written if a part is out of reach.
    ///
    /// # Errors
    /// Something of it is out of reach, which is also found.
    pub fn device_write(
        &mut self,
        device: DeviceId,
        address: u64,
        data: &[u8],
    ) -> Result<(), BusFault> {
        let source = data.as_ptr();
        self.device_access(device, address, data.len(), true, |page, at, part| {
            // SAFETY: as in `device_read`, the other way round.
            unsafe { std::ptr::copy_nonoverlapping(source.add(at), page, part) };
        })
    }

    fn device_access(
        &mut self,
        device: DeviceId,
        address: u64,
        length: usize,
        is_write: bool,
        mut copy: impl FnMut(*mut u8, usize, usize),
    ) -> Result<(), BusFault> {
        if !self.domains.contains_key(&device) {
            self.domain(device);
        }
        let Some(domain) = self.domains.get(&device) else {
            return Ok(());
        };
        let epochs = (self.memory.epoch(), domain.epoch());
        // Most accesses follow another in the same page.
        if let Some(last) = self.last[usize::from(is_write)]
            && last.device == device
            && last.bus_page == address >> PAGE_SHIFT
            && last.epochs == epochs
        {
            let offset = address as usize % PAGE_BYTES;
            let window = last.window;
            if usize::from(window.from) <= offset && offset + length <= usize::from(window.to) {
                // SAFETY: the offset is within the page.
                copy(unsafe { window.page.add(offset) }, 0, length);
                return Ok(());
            }
        }
        let mut windows = [None; 2];
        let mut more = Vec::new();
        let mut done = 0;
        while done < length {
            let at = address.wrapping_add(done as u64);
            let window = match domain.translate(&self.memory, at, is_write) {
                Ok(window) => window,
                Err(fault) => {
                    self.find_fault(device, fault, length);
                    return Err(fault);
                }
            };
            self.last[usize::from(is_write)] = Some(Last {
                device,
                bus_page: at >> PAGE_SHIFT,
                epochs,
                window,
            });
            let offset = at as usize % PAGE_BYTES;
            let part = (usize::from(window.to) - offset).min(length - done);
            // SAFETY: the offset is within the page.
            let piece = (unsafe { window.page.add(offset) }, done, part);
            match windows.iter_mut().find(|slot| slot.is_none()) {
                Some(slot) => *slot = Some(piece),
                None => more.push(piece),
            }
            done += part;
        }
        for (page, at, part) in windows.into_iter().flatten().chain(more) {
            copy(page, at, part);
        }
        Ok(())
    }

    /// Finds a device's access to what is not mapped for it.
    pub(crate) fn find_fault(&mut self, device: DeviceId, fault: BusFault, length: usize) {
        let ended = self
            .domains
            .get(&device)
            .and_then(|domain| domain.ended_by(fault.address))
            .or_else(|| self.memory.unlocked_by(fault.address >> PAGE_SHIFT));
        let who = match ended {
            Some(ddi) => format!("; last unmapped by {ddi}"),
            None => String::new(),
        };
        let detail = format!("{fault} (an access of {length} bytes){who}");
        self.find(Rule::DeviceFault, "device", detail);
    }
}
