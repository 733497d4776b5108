//! Spin locks: who holds which, recursion, order.

use std::collections::BTreeSet;

use super::{Map, interrupt, thread, with};
use crate::verifier::Rule;

/// Names a spin lock: a `KSPIN_LOCK`'s address or an object's handle.
pub(crate) type LockId = u64;

/// All spin locks that were ever used.
#[derive(Default)]
pub(crate) struct SpinLocks {
    owner: Map<LockId, usize>,
    /// For each lock, those that were acquired while it was held.
    after: Map<LockId, BTreeSet<LockId>>,
}

impl SpinLocks {
    fn leads_to(&self, from: LockId, to: LockId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(lock) = open.pop() {
            if lock == to {
                return true;
            }
            if seen.insert(lock) {
                open.extend(self.after.get(&lock).into_iter().flatten().copied());
            }
        }
        false
    }

    /// Forgets a lock whose memory is used anew.
    pub(crate) fn forget(&mut self, lock: LockId) {
        self.owner.remove(&lock);
        self.after.remove(&lock);
        for locks in self.after.values_mut() {
            locks.remove(&lock);
        }
    }

    /// True if some CPU holds the lock.
    pub(crate) fn is_held(&self, lock: LockId) -> bool {
        self.owner.contains_key(&lock)
    }
}

/// Raises the CPU to `irql` and takes the lock, spinning while another CPU has it. Gives the IRQL before.
pub(crate) fn acquire(ddi: &'static str, lock: LockId, irql: u8) -> u8 {
    let (old, recursion) = with(|w| {
        let number = w.cpu_number();
        let cpu = w.cpu();
        let old = cpu.irql;
        cpu.irql = old.max(irql);
        let held = cpu.held.clone();
        let recursion = w.spin.owner.get(&lock) == Some(&number);
        for before in held {
            if before != lock
                && w.spin.after.entry(before).or_default().insert(lock)
                && w.spin.leads_to(lock, before)
            {
                w.violation(
                    Rule::LockOrder,
                    ddi,
                    format!("lock {lock:#x} is acquired under {before:#x}, which elsewhere is acquired under it"),
                );
            }
        }
        (old, recursion)
    });
    if recursion {
        super::fatal(
            Rule::LockRecursion,
            ddi,
            format!("spin lock {lock:#x} is held by this CPU already: it would spin for ever"),
        );
    }
    if irql < old {
        super::violation(
            Rule::Irql,
            ddi,
            format!("a lock of IRQL {irql} is acquired at IRQL {old}"),
        );
    }
    loop {
        let taken = with(|w| {
            let number = w.cpu_number();
            if w.spin.owner.contains_key(&lock) {
                w.cpu().spinning = Some(lock);
                return false;
            }
            w.spin.owner.insert(lock, number);
            w.cpu().held.push(lock);
            true
        });
        if taken {
            return old;
        }
        thread::suspend();
        interrupt::deliver();
    }
}

/// Releases the lock and lowers the CPU to `irql`; pending DPCs and interrupts run then.
pub(crate) fn release(ddi: &'static str, lock: LockId, irql: u8) {
    let held = with(|w| {
        let number = w.cpu_number();
        if w.spin.owner.get(&lock) != Some(&number) {
            return false;
        }
        w.spin.owner.remove(&lock);
        let now = w.now_ps();
        let cpu = w.cpu();
        cpu.held.retain(|held| *held != lock);
        cpu.irql = irql;
        for other in &mut w.cpus {
            if other.spinning == Some(lock) {
                other.spinning = None;
                other.clock_ps = other.clock_ps.max(now);
            }
        }
        w.reconsider();
        true
    });
    if !held {
        super::fatal(
            Rule::LockNotHeld,
            ddi,
            format!("spin lock {lock:#x} is not held by this CPU"),
        );
    }
    interrupt::deliver();
}
