//! Plug and Play and power: the device's life, from the driver's load to its unload.

pub(crate) mod config_space;
mod life;
mod power;

use std::collections::VecDeque;

use crate::ddi::resource::ResourceList;
use crate::types::*;
use crate::world::{self, object, thread, with};

pub(crate) use life::{
    abandon_driver, add_device, rebalance, remove, remove_if_unused, sleep, surprise_remove,
    unload, wake,
};
use power::{power_down, power_up};

/// What system worker threads do.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    Item(u64),
    Timer(u64),
    Interrupt(u64),
    Dispatch(u64),
    QueueState(u64, PFN_WDF_IO_QUEUE_STATE, u64),
    Cancel(u64, crate::ddi::request::Act),
    CloseFile(u64),
    Remove,
}

/// State of the driver and its device.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) driver: u64,
    pub(crate) device: u64,
    pub(crate) driver_object: Box<DRIVER_OBJECT>,
    /// Physical address and bytes of each BAR.
    pub(crate) bars: Vec<(u64, u64)>,
    /// The device was pulled out.
    pub(crate) gone: bool,
    /// The device is in D0, or entering or leaving it.
    pub(crate) powered: bool,
    /// Power-managed queues deliver.
    pub(crate) queues_run: bool,
    pub(crate) interface_enabled: bool,
    pub(crate) work: VecDeque<Work>,
    pub(crate) driver_threads: Vec<thread::ThreadId>,
    /// Threads of operations that were started from outside and must end.
    pub(crate) started: Vec<thread::ThreadId>,
    pub(crate) interface_references: u32,
    /// Command register of the configuration space.
    pub(crate) command: u16,
    lists: Option<(u64, u64)>,
    /// First message's index in the lists.
    first_message: usize,
    /// The hardware part was torn down; the device object goes with the last handle.
    removal_pending: bool,
    /// Resources are released and power-managed queues purged, for good.
    torn_down: bool,
    /// How often the device was given resources anew.
    assignments: u32,
    /// The driver said that the device failed, or it could not be started again.
    pub(crate) failed: bool,
    /// EvtDeviceSurpriseRemoval was called.
    surprised: bool,
    /// EvtDeviceSelfManagedIoInit was called.
    self_managed: bool,
    /// Exclusions that somebody has.
    held: [bool; 2],
    translated: usize,
}

impl State {
    /// The vector of a message: another one when the resources were assigned anew.
    pub(crate) fn vector_of(&self, message: u32) -> u32 {
        0x50 + message + 0x20 * (self.assignments % 4)
    }

    /// The message of a translated descriptor, by the descriptor's address.
    pub(crate) fn message_of(&self, descriptor: usize) -> Option<u32> {
        let index =
            descriptor.checked_sub(self.translated)? / size_of::<CM_PARTIAL_RESOURCE_DESCRIPTOR>();
        index
            .checked_sub(self.first_message)
            .map(|message| message as u32)
    }
}

/// Starts the system's worker threads.
pub(crate) fn spawn_workers() {
    for _ in 0..3 {
        thread::spawn("system worker", 4, true, || {
            loop {
                match with(|w| w.pnp.work.pop_front()) {
                    Some(work) => run(work),
                    None => {
                        world::block(crate::ddi::work::WORK, None);
                    }
                }
            }
        });
    }
}

fn run(work: Work) {
    match work {
        Work::Item(item) => crate::ddi::work::run_item(item),
        Work::Timer(timer) => crate::ddi::work::expired(timer),
        Work::Interrupt(interrupt) => crate::ddi::interrupt::run_work_item(interrupt),
        Work::Dispatch(queue) => crate::ddi::queue::dispatch(queue),
        Work::QueueState(queue, callback, context) => {
            crate::ddi::queue::run_notification(queue, callback, context)
        }
        Work::Cancel(request, act) => crate::ddi::request::carry_out(request, act),
        Work::CloseFile(file) => crate::user::close_if_done(file),
        Work::Remove => remove_if_unused(),
    }
}

/// Access to the lists of the device's resources.
fn list(raw: bool) -> WDFCMRESLIST {
    with(|w| {
        w.pnp
            .lists
            .map_or(core::ptr::null_mut(), |(first, second)| {
                object::handle(if raw { first } else { second })
            })
    })
}

fn make_list(descriptors: Vec<CM_PARTIAL_RESOURCE_DESCRIPTOR>) -> u64 {
    object::number(object::create_checked(
        "framework",
        None,
        core::ptr::null_mut(),
        ResourceList {
            descriptors: descriptors.into(),
        },
    ))
}
