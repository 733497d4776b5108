//! Interrupts and deferred procedure calls: who runs when.

use super::cpu::Dpc;
use super::{DIRQL, DISPATCH, Map, World, with};

/// Which interrupt object each message goes to, and on which CPU.
#[derive(Default)]
pub(crate) struct Vectors {
    /// Interrupt object by message number, while connected.
    pub(crate) connected: Map<u32, u64>,
}

enum Work {
    Message(u32),
    Dpc(Dpc),
}

/// Runs what is pending on this CPU and allowed at its IRQL, on the stack of the thread that is there.
pub(crate) fn deliver() {
    loop {
        let work = with(|w| {
            let cpu = w.cpu();
            if cpu.irql < DIRQL
                && let Some(&(time, message)) = cpu.messages.front()
                && (time <= cpu.clock_ps || cpu.spinning.is_some() || cpu.on_idle_stack())
            {
                cpu.messages.pop_front();
                cpu.clock_ps = cpu.clock_ps.max(time);
                return Some(Work::Message(message));
            }
            if cpu.irql < DISPATCH {
                return cpu.dpcs.pop_front().map(Work::Dpc);
            }
            None
        });
        match work {
            None => return,
            Some(Work::Message(message)) => {
                // A CPU that spins goes on spinning afterwards, see `spin::acquire`.
                with(|w| w.cpu().spinning = None);
                if let Some(interrupt) = with(|w| w.interrupts.connected.get(&message).copied()) {
                    crate::ddi::interrupt::service(interrupt, message);
                }
            }
            Some(Work::Dpc(dpc)) => {
                // DISPATCH_LEVEL from here: the loop must not start another one inside.
                let old = with(|w| core::mem::replace(&mut w.cpu().irql, DISPATCH));
                match dpc {
                    Dpc::Interrupt(handle) => crate::ddi::interrupt::deferred(handle),
                    Dpc::Object(handle) => crate::ddi::work::deferred(handle),
                    Dpc::Timer(handle) => crate::ddi::work::expired(handle),
                    Dpc::MapRegisters => crate::dma::serve_waiting("framework"),
                }
                with(|w| w.cpu().irql = old);
            }
        }
    }
}

impl World {
    /// A message of the device has come.
    pub(crate) fn message(&mut self, message: u32, time_ps: u64) {
        let count = self.cpus.len() as u64;
        // Messages are spread over the CPUs; which one is not documented.
        let target = (u64::from(message) + self.config.seed) % count;
        self.cpus[target as usize]
            .messages
            .push_back((time_ps, message));
        self.reconsider();
    }

    /// Queues a deferred procedure call on the CPU that runs now; false if it is queued already somewhere.
    pub(crate) fn queue_dpc(&mut self, dpc: Dpc) -> bool {
        if self.cpus.iter().any(|cpu| cpu.dpcs.contains(&dpc)) {
            return false;
        }
        self.cpu().dpcs.push_back(dpc);
        true
    }

    /// Takes a queued call back; false if it was not queued.
    pub(crate) fn cancel_dpc(&mut self, dpc: Dpc) -> bool {
        let before: usize = self.cpus.iter().map(|cpu| cpu.dpcs.len()).sum();
        for cpu in &mut self.cpus {
            cpu.dpcs.retain(|queued| *queued != dpc);
        }
        before != self.cpus.iter().map(|cpu| cpu.dpcs.len()).sum::<usize>()
    }

    /// Takes the device's messages and hands them to their CPUs.
    pub(crate) fn collect_messages(&mut self, time_ps: u64) {
        while let Some(message) = self
            .hardware
            .as_mut()
            .and_then(|hardware| hardware.take_message())
        {
            self.message(message, time_ps);
        }
    }

    /// As [`World::collect_messages`], at the time of the CPU that runs.
    pub(crate) fn collect_messages_now(&mut self) {
        let now = self.now_ps();
        self.collect_messages(now);
    }

    /// Calls the device with its view of the bus.
    pub(crate) fn with_hardware<R>(
        &mut self,
        f: impl FnOnce(&mut dyn crate::hardware::Hardware, &mut dyn crate::memory::DeviceBus) -> R,
    ) -> Option<R> {
        let mut hardware = self.hardware.take()?;
        let result = f(hardware.as_mut(), &mut crate::memory::MachineBus(self));
        self.hardware = Some(hardware);
        Some(result)
    }
}
