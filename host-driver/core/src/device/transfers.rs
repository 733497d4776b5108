//! Submitting and reaping.

use super::*;

/// The hot path.
impl<P: Platform> Device<P> {
    /// Submits a batch: all of it or, on any error, nothing. One MMIO write (a doorbell, or a lone entry's inline slot), no MMIO read, no allocation, and the same work for
    /// a region of any size.
    ///
    /// # Errors
    /// The first transfer that is wrong, or the ring has not room for all.
    #[inline]
    pub fn submit(
        &mut self,
        queue: QueueHandle,
        transfers: &[Transfer],
    ) -> Result<(), SubmitError> {
        self.submit_iter(queue, transfers.iter().copied())
    }

    /// As [`submit`](Self::submit), for transfers that are nowhere together.
    ///
    /// # Errors
    /// The first transfer that is wrong, or the ring has not room for all.
    #[inline]
    pub fn submit_iter(
        &mut self,
        queue: QueueHandle,
        transfers: impl ExactSizeIterator<Item = Transfer>,
    ) -> Result<(), SubmitError> {
        self.running()?;
        let queue = find(&mut self.queues, queue)?;
        queue.submit(&mut self.platform, &mut self.regions, transfers)
    }

    /// Gives every completion that is there to `each`, in submission order; returns how many. No MMIO. May be called in any state, also
    /// after a reset, a destroyed queue or `close`.
    ///
    /// # Errors
    /// The handle is stale, or the device broke the protocol; what came before was given.
    #[inline]
    pub fn reap(
        &mut self,
        queue: QueueHandle,
        each: impl FnMut(Completion),
    ) -> Result<usize, QueueError> {
        let queue = find(&mut self.queues, queue)?;
        queue.reap(&mut self.platform, &mut self.regions, each)
    }

    /// Arms the queue's interrupt with the last head reaped, if anything is in flight: the device fires at once if a completion came meanwhile, so
    /// that no wake-up is lost. Returns whether a doorbell was written; with nothing in flight the next submission arms.
    ///
    /// # Errors
    /// The handle is stale, or the queue does not serve.
    pub fn arm(&mut self, queue: QueueHandle) -> Result<bool, QueueError> {
        let running = self.running().is_ok();
        let queue = find(&mut self.queues, queue)?;
        if let Some(fault) = queue.fault {
            return Err(QueueError::Faulted(fault));
        }
        match (queue.state, &mut queue.rings) {
            (QueueState::Live | QueueState::Draining, Some(rings))
                if running && rings.in_flight() != 0 =>
            {
                rings.ring_doorbell(&mut self.platform, true);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Transfers that [`submit`](Self::submit) takes now.
    ///
    /// # Errors
    /// The handle is stale, or the queue does not serve.
    pub fn room(&mut self, queue: QueueHandle) -> Result<u16, QueueError> {
        find(&mut self.queues, queue)?.room()
    }

    /// Submissions that have not been reaped.
    ///
    /// # Errors
    /// The handle is stale.
    pub fn in_flight(&mut self, queue: QueueHandle) -> Result<usize, QueueError> {
        Ok(find(&mut self.queues, queue)?.in_flight())
    }

    /// Takes no more submissions on a queue; what is in flight goes on. Reap until [`in_flight`](Self::in_flight) is 0.
    ///
    /// # Errors
    /// The handle is stale, or the queue does not serve.
    pub fn drain(&mut self, queue: QueueHandle) -> Result<(), QueueError> {
        let queue = find(&mut self.queues, queue)?;
        if queue.state != QueueState::Draining {
            queue.open_rings()?;
            queue.state = QueueState::Draining;
        }
        Ok(())
    }

    /// Takes submissions again after [`drain`](Self::drain).
    ///
    /// # Errors
    /// The handle is stale, or the queue does not serve.
    pub fn resume(&mut self, queue: QueueHandle) -> Result<(), QueueError> {
        let queue = find(&mut self.queues, queue)?;
        if queue.state == QueueState::Draining {
            queue.state = QueueState::Live;
        }
        queue.open_rings().map(|_| ())
    }
}
