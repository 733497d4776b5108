//! A burst over a device: carries out the actions of a [`Strategy`].

use alloc::vec::Vec;

use pinring_protocol::Direction;

use crate::strategy::{Action, Kind, Strategy, Unexpected};
use crate::{
    Completion, CopyDirection, CopyError, Device, Platform, QueueHandle, RegionHandle,
    RegisterError, Request, SubmitError, Transfer, TransferError,
};

/// Why a burst cannot go on. What is in flight is still to be reaped and retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BurstError {
    /// A list could not be prepared.
    #[error("transfer {index}: {cause}")]
    Prepare {
        /// Number of the transfer.
        index: u32,
        /// What failed.
        cause: RegisterError,
    },
    /// Transfers could not be submitted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A copy could not be made.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A list could not be released.
    #[error(transparent)]
    Release(#[from] TransferError),
    /// Something was reported out of turn.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
    /// There is no such transfer.
    #[error("the burst has no transfer {0}: report only what was asked for")]
    NoTransfer(u32),
}

/// A burst of transfers on one queue, which it has to itself while it runs.
///
/// The host takes actions with [`next_action`](Self::next_action), carries each out with [`carry_out`](Self::carry_out) on whichever CPU
/// it likes, and passes completions on with [`complete`](Self::complete), until [`Action::Done`].
#[derive(Clone, Debug)]
pub struct Burst {
    strategy: Strategy,
    direction: Direction,
    queue: QueueHandle,
    transfers: Vec<Transfer>,
    /// What is submitted: with the list in place of the region where there is one.
    ready: Vec<Transfer>,
    completed: u32,
}

impl Burst {
    /// A burst of `transfers` on a queue of this direction with `window` ring entries.
    pub fn new(
        kind: Kind,
        direction: Direction,
        queue: QueueHandle,
        window: u32,
        transfers: Vec<Transfer>,
    ) -> Self {
        let strategy = Strategy::new(kind, direction, transfers.len() as u32, window);
        Self {
            strategy,
            direction,
            queue,
            ready: transfers.clone(),
            transfers,
            completed: 0,
        }
    }

    /// The next thing to do now, or `None` until something is reported.
    pub fn next_action(&mut self) -> Option<Action> {
        self.strategy.next_action()
    }

    /// Carries an action out and reports it.
    ///
    /// # Errors
    /// What failed; the burst has been ended early.
    pub fn carry_out<P: Platform>(
        &mut self,
        device: &mut Device<P>,
        action: &Action,
    ) -> Result<(), BurstError> {
        let carried = match action {
            Action::Prepare(index) => {
                let transfer = self.transfer(*index)?;
                let made = device.prepare(
                    transfer.region,
                    transfer.offset,
                    transfer.length,
                    self.direction,
                );
                self.prepared(*index, made)
            }
            Action::Submit(range) => {
                let batch = self.ready.get(range.start as usize..range.end as usize);
                let batch = batch.ok_or(BurstError::NoTransfer(range.end))?;
                let submitted = device.submit(self.queue, batch);
                if submitted.is_err() {
                    self.strategy.refused(range.start);
                }
                submitted.map_err(BurstError::from)
            }
            Action::CopyIn(index) => self.copy(device, *index, CopyDirection::In),
            Action::CopyOut(index) => self.copy(device, *index, CopyDirection::Out),
            Action::Retire(index) => {
                let released = self.release(device, *index);
                self.strategy.retired(*index)?;
                released
            }
            Action::Done => Ok(()),
        };
        if carried.is_err() {
            self.strategy.abort();
        }
        carried
    }

    /// The first part of [`Action::Prepare`], for a host that builds the list outside the device's lock.
    ///
    /// # Errors
    /// As [`Device::request_list`]; give it to [`prepared`](Self::prepared).
    pub fn request<P: Platform>(
        &self,
        device: &mut Device<P>,
        index: u32,
    ) -> Result<Request, RegisterError> {
        let transfer = self
            .transfers
            .get(index as usize)
            .ok_or(RegisterError::Empty)?;
        device.request_list(
            transfer.region,
            transfer.offset,
            transfer.length,
            self.direction,
        )
    }

    /// The last part of [`Action::Prepare`]: reports the list, or why there is none. A shortage is no error while lists are held.
    ///
    /// # Errors
    /// The list cannot be prepared.
    pub fn prepared(
        &mut self,
        index: u32,
        made: Result<RegionHandle, RegisterError>,
    ) -> Result<(), BurstError> {
        match made {
            Ok(list) => {
                let transfer = self.transfer(index)?;
                self.ready[index as usize] = Transfer {
                    region: list,
                    offset: 0,
                    ..transfer
                };
                Ok(self.strategy.prepared(index)?)
            }
            Err(cause) => {
                let can_wait = self.strategy.deferred(index)?;
                if can_wait && cause.is_shortage() {
                    Ok(())
                } else {
                    Err(BurstError::Prepare { index, cause })
                }
            }
        }
    }

    /// The list of a transfer, for a host that carries [`Action::Retire`] out outside the device's lock: `None` if it has none.
    pub fn list(&self, index: u32) -> Option<RegionHandle> {
        let (transfer, ready) = (
            self.transfers.get(index as usize)?,
            self.ready.get(index as usize)?,
        );
        (ready.region != transfer.region).then_some(ready.region)
    }

    /// Reports that such a host has released the list of a transfer, or that there was none.
    ///
    /// # Errors
    /// It was not being retired.
    pub fn retired(&mut self, index: u32) -> Result<(), BurstError> {
        let transfer = self.transfer(index)?;
        self.strategy.retired(index)?;
        self.ready[index as usize].region = transfer.region;
        Ok(())
    }

    /// Reports that such a host has made the copy of a transfer ([`Action::CopyIn`], [`Action::CopyOut`]).
    ///
    /// # Errors
    /// It was not being copied.
    pub fn copied(&mut self, index: u32) -> Result<(), BurstError> {
        Ok(self.strategy.copied(index)?)
    }

    /// Passes a completion of the queue on, well or not. Returns the transfer's number.
    ///
    /// # Errors
    /// Nothing of the burst is in flight.
    pub fn complete(&mut self, completion: &Completion) -> Result<u32, BurstError> {
        let index = self.completed;
        debug_assert_eq!(
            self.ready
                .get(index as usize)
                .map(|transfer| transfer.region),
            Some(completion.region)
        );
        self.strategy.completed(index)?;
        self.completed += 1;
        Ok(index)
    }

    /// Ends the burst early: what is ready or in flight still goes on.
    pub fn abort(&mut self) {
        self.strategy.abort();
    }

    /// Releases the lists of a burst that was ended, once nothing of it is in flight.
    ///
    /// # Errors
    /// One of them is still in flight.
    pub fn clean_up<P: Platform>(&mut self, device: &mut Device<P>) -> Result<(), BurstError> {
        (0..self.ready.len() as u32).try_for_each(|index| self.release(device, index))
    }

    fn transfer(&self, index: u32) -> Result<Transfer, BurstError> {
        self.transfers
            .get(index as usize)
            .copied()
            .ok_or(BurstError::NoTransfer(index))
    }

    fn copy<P: Platform>(
        &mut self,
        device: &mut Device<P>,
        index: u32,
        way: CopyDirection,
    ) -> Result<(), BurstError> {
        let transfer = self.transfer(index)?;
        let copied = device.copy(transfer.region, transfer.offset, transfer.length, way);
        self.strategy.copied(index)?;
        Ok(copied?)
    }

    fn release<P: Platform>(
        &mut self,
        device: &mut Device<P>,
        index: u32,
    ) -> Result<(), BurstError> {
        let transfer = self.transfer(index)?;
        let ready = &mut self.ready[index as usize];
        if ready.region != transfer.region {
            device.release_list(ready.region)?;
            ready.region = transfer.region;
        }
        Ok(())
    }
}
