//! Admin commands.

use super::*;
use crate::{Moderation, Notify};

/// Admin commands: each gives a ticket that [`poll_admin`](Device::poll_admin) redeems.
impl<P: Platform> Device<P> {
    /// Creates a queue. It takes submissions once the ticket is redeemed. Allocates; PASSIVE_LEVEL on Windows.
    ///
    /// # Errors
    /// The configuration is out of range, all queues exist, or there is no memory.
    pub fn create_queue(
        &mut self,
        config: QueueConfig,
    ) -> Result<(QueueHandle, Ticket), AdminError> {
        let mut request = self.request_queue(config)?;
        let created = match request.build(&mut self.platform) {
            Ok(()) => self.install_queue(&mut request),
            Err(error) => Err(error.into()),
        };
        if created.is_err() {
            request.retire().release(&mut self.platform);
        }
        created
    }

    /// The short first part of [`create_queue`](Self::create_queue).
    ///
    /// # Errors
    /// The configuration is out of range, or all queues exist.
    pub fn request_queue(&self, config: QueueConfig) -> Result<QueueRequest, AdminError> {
        self.check_admin()?;
        let size = ring_size(config.entries).ok_or(AdminError::RingSize(config.entries))?;
        if config.vector >= self.capabilities.vectors {
            return Err(AdminError::Refused(Status::BadQueueContext));
        }
        if let Notify::Interrupt(moderation) = config.notify
            && moderation.units(self.capabilities.clock_hz).is_none()
        {
            return Err(AdminError::Moderation {
                count: moderation.count,
                time_us: moderation.time_us,
                longest_us: Moderation::longest_us(self.capabilities.clock_hz),
            });
        }
        self.free_queue()?;
        Ok(QueueRequest {
            config,
            size,
            queue: None,
        })
    }

    /// The short last part of [`create_queue`](Self::create_queue). On an error the request keeps what it has: [`retire`](QueueRequest::retire) it.
    ///
    /// # Errors
    /// Not built, refused, or all queues exist by now.
    pub fn install_queue(
        &mut self,
        request: &mut QueueRequest,
    ) -> Result<(QueueHandle, Ticket), AdminError> {
        self.check_admin()?;
        let id = self.free_queue()?;
        let place = &mut self.queues[usize::from(id)];
        let handle = QueueHandle {
            id,
            generation: place.generation.wrapping_add(1),
        };
        let queue = request.queue.as_mut().ok_or(AdminError::NotBuilt)?;
        queue.place(
            handle,
            self.capabilities.doorbell(id),
            self.capabilities.inline_slot(id),
        );
        let context = queue.context(self.capabilities.clock_hz);
        context.check().map_err(AdminError::QueueConfig)?;
        let command = Command {
            ticket: self.admin.ticket(),
            purpose: Purpose::CreateQueue(id),
        };
        self.admin
            .send(&mut self.platform, command, Some(context))?;
        *place = QueuePlace {
            generation: handle.generation,
            queue: request.queue.take(),
        };
        Ok((handle, command.ticket))
    }

    /// Id of the queue that [`install_queue`](Self::install_queue) would make now.
    ///
    /// # Errors
    /// All queues exist.
    pub fn next_queue_id(&self) -> Result<u16, AdminError> {
        self.free_queue()
    }

    /// Admin commands that wait for the device or for [`poll_admin`](Self::poll_admin).
    pub fn admin_waiting(&self) -> usize {
        usize::from(self.admin.rings.in_flight()) + self.events.len()
    }

    /// Admin commands that can be sent before one is redeemed.
    pub fn admin_room(&self) -> usize {
        usize::from(self.admin.rings.size().entries()).saturating_sub(self.admin_waiting())
    }

    fn free_queue(&self) -> Result<u16, AdminError> {
        let first = usize::from(ADMIN_QUEUE) + 1;
        let free = |place: &QueuePlace| place.queue.as_ref().is_none_or(Queue::is_spent);
        (first..self.queues.len())
            .find(|&id| free(&self.queues[id]))
            .map(|id| id as u16)
            .ok_or(AdminError::NoQueue(self.queues.len() - first))
    }

    /// The device runs, and there is room for a command and for its event.
    fn check_admin(&self) -> Result<(), AdminError> {
        self.running()?;
        self.admin.check()?;
        if self.admin_room() == 0 {
            return Err(AdminError::Full {
                waiting: self.admin_waiting() as u16,
            });
        }
        Ok(())
    }

    /// Destroys a queue. When the ticket is redeemed, what was in flight is reaped as aborted; the event holds the rings' memory.
    ///
    /// # Errors
    /// The handle is stale, or the queue waits for another command.
    pub fn destroy_queue(&mut self, queue: QueueHandle) -> Result<Ticket, AdminError> {
        self.stop_queue(queue, QueueState::Leaving, Purpose::DestroyQueue(queue.id))
    }

    /// Cancels everything in flight on a queue. When the ticket is redeemed, it is reaped as aborted and the queue serves again.
    ///
    /// # Errors
    /// The handle is stale, or the queue waits for another command.
    pub fn cancel_queue(&mut self, queue: QueueHandle) -> Result<Ticket, AdminError> {
        self.stop_queue(
            queue,
            QueueState::Cancelling,
            Purpose::CancelQueue(queue.id),
        )
    }

    fn stop_queue(
        &mut self,
        handle: QueueHandle,
        state: QueueState,
        purpose: Purpose,
    ) -> Result<Ticket, AdminError> {
        self.check_admin()?;
        let queue = find(&mut self.queues, handle)?;
        match queue.state {
            QueueState::Live | QueueState::Draining => {}
            QueueState::Gone => return Err(QueueError::Stale(handle).into()),
            _ => return Err(QueueError::NotReady.into()),
        }
        let command = Command {
            ticket: self.admin.ticket(),
            purpose,
        };
        self.admin.send(&mut self.platform, command, None)?;
        queue.state = state;
        Ok(command.ticket)
    }

    /// Unregisters a region, or a list that is in flight: its transfers end as aborted. The event holds its mapping and memory: release and recycle them, and
    /// tell the owner of the buffer only then. The handle is stale at once.
    ///
    /// # Errors
    /// The handle is stale, or lists of the region exist or are being made.
    pub fn unregister(&mut self, region: RegionHandle) -> Result<Ticket, AdminError> {
        self.check_idle_admin(region)?;
        let lists = self.regions.get(region)?.lists;
        if lists != 0 {
            return Err(AdminError::ListsOutstanding(lists));
        }
        self.regions.leave(&mut self.platform, region);
        self.send_region(Purpose::Unregister(region.id))
    }

    /// Cancels everything in flight on a region. The old handle is stale at once; the new one serves once the ticket is redeemed.
    ///
    /// # Errors
    /// The handle is stale, or the region waits for another command.
    pub fn cancel_region(
        &mut self,
        region: RegionHandle,
    ) -> Result<(RegionHandle, Ticket), AdminError> {
        self.check_idle_admin(region)?;
        let next = self.regions.cancel(&mut self.platform, region);
        Ok((next, self.send_region(Purpose::CancelRegion(region.id))?))
    }

    fn check_idle_admin(&self, region: RegionHandle) -> Result<(), AdminError> {
        self.check_admin()?;
        match self.regions.get(region)?.state {
            SlotState::Live => Ok(()),
            _ => Err(TransferError::RegionBusy.into()),
        }
    }

    fn send_region(&mut self, purpose: Purpose) -> Result<Ticket, AdminError> {
        let command = Command {
            ticket: self.admin.ticket(),
            purpose,
        };
        self.admin.send(&mut self.platform, command, None)?;
        Ok(command.ticket)
    }

    /// Asks the firmware to flush its log to where [`take_log`](Self::take_log) reads.
    ///
    /// # Errors
    /// The device does not run, or the admin queue is full.
    pub fn flush_log(&mut self) -> Result<Ticket, AdminError> {
        self.check_admin()?;
        self.send_region(Purpose::ReadLog)
    }

    /// The next admin command that has ended, or `None`. Call it until `None` after an interrupt of the admin vector, or from a timer.
    ///
    /// # Errors
    /// The device broke the protocol on the admin queue: reset it.
    pub fn poll_admin(&mut self) -> Result<Option<AdminEvent>, DeviceFault> {
        while self.phase == Phase::Running
            && let Some((command, status)) = self.admin.next(&mut self.platform)?
        {
            if status == Status::Ok {
                self.succeed(command);
            } else {
                self.fail(command, status);
            }
        }
        Ok(self.events.pop_front())
    }

    /// Arms the admin queue's interrupt, if commands are in flight.
    pub fn arm_admin(&mut self) {
        if self.phase == Phase::Running && self.admin.rings.in_flight() != 0 {
            self.admin.rings.ring_doorbell(&mut self.platform, true);
        }
    }

    pub(super) fn succeed(&mut self, command: Command) {
        let mut retired = None;
        match command.purpose {
            Purpose::CreateQueue(id) => {
                if let Some(queue) = &mut self.queues[usize::from(id)].queue {
                    queue.state = QueueState::Live;
                }
            }
            Purpose::CancelQueue(id) => {
                if let Some(queue) = &mut self.queues[usize::from(id)].queue {
                    queue.park(&mut self.platform, &mut self.regions);
                    if let Some(rings) = &mut queue.rings {
                        rings.restart(&mut self.platform);
                    }
                    queue.state = QueueState::Creating;
                }
                return self.send_create(command);
            }
            Purpose::DestroyQueue(id) => {
                if let Some(queue) = &mut self.queues[usize::from(id)].queue {
                    queue.park(&mut self.platform, &mut self.regions);
                    queue.state = QueueState::Gone;
                    retired = Some(Retired {
                        backing: Backing::default(),
                        rings: queue.rings.take(),
                    });
                }
            }
            Purpose::Unregister(id) => {
                retired = Some(Retired {
                    backing: self.regions.remove(id),
                    rings: None,
                })
            }
            Purpose::CancelRegion(id) => self.regions.revive(&mut self.platform, id),
            Purpose::ReadLog => {}
        }
        self.end(command.ticket, Ok(()), retired);
    }

    /// A command that the device refused leaves a queue unusable and a region mapped: what the device holds is not known.
    fn fail(&mut self, command: Command, status: Status) {
        let mut retired = None;
        if let Purpose::CreateQueue(id) = command.purpose
            && let Some(queue) = &mut self.queues[usize::from(id)].queue
        {
            // Never created: the device knows nothing of the rings.
            queue.state = QueueState::Gone;
            queue.fault = None;
            retired = Some(Retired {
                backing: Backing::default(),
                rings: queue.rings.take(),
            });
        }
        self.end(command.ticket, Err(AdminError::Refused(status)), retired);
    }

    pub(super) fn end(
        &mut self,
        ticket: Ticket,
        result: Result<(), AdminError>,
        retired: Option<Retired>,
    ) {
        self.events.push_back(AdminEvent {
            ticket,
            result,
            retired,
        });
    }

    /// Sends CREATE_QUEUE for a queue that exists, under an old ticket.
    pub(super) fn send_create(&mut self, command: Command) {
        let Some(id) = queue_of(command.purpose) else {
            return;
        };
        let Some(queue) = &self.queues[usize::from(id)].queue else {
            return;
        };
        let command = Command {
            purpose: Purpose::CreateQueue(id),
            ..command
        };
        if let Err(error) = self.admin.send(
            &mut self.platform,
            command,
            Some(queue.context(self.capabilities.clock_hz)),
        ) {
            self.end(command.ticket, Err(error), None);
        }
    }
}
