//! What the HAL keeps of DMA, and its adapters.
//!
//! It is plain state, in parts: `lists.rs`, `lasting.rs` and `access.rs` have the rest of its functions. The routines that drivers call are in
//! `operations.rs` and `ddi/dma`.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::access::Last;
use super::config::{DmaConfig, Translation};
use super::domain::Domain;
use super::lasting::CommonBuffer;
use super::lists::{List, ListRequest};
use crate::memory::{Mdls, PAGE_BYTES, PhysicalMemory};
use crate::types::{_DMA_OPERATIONS, DMA_ADAPTER, PDMA_ADAPTER, PMDL};
use crate::verifier::Rule;

/// Names a device of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(pub u64);

/// A rule that was broken, as the HAL's state tells; the machine adds where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The routine.
    pub ddi: &'static str,
    /// What was wrong.
    pub detail: String,
}

/// What a driver asks of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdapterRequest {
    /// Version of the interface, 2 or 3.
    pub version: u32,
    /// Address bits of the device.
    pub address_bits: u32,
    /// Largest transfer in bytes.
    pub maximum_length: usize,
}

/// An adapter and its table of routines: drivers have the address.
#[repr(C)]
struct AdapterObject {
    public: DMA_ADAPTER,
    operations: _DMA_OPERATIONS,
}

/// An adapter.
pub struct Adapter {
    object: *mut AdapterObject,
    /// The device.
    pub device: DeviceId,
    /// What was asked for.
    pub request: AdapterRequest,
    /// Map registers that one transfer may have.
    pub registers: usize,
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // SAFETY: boxed in `create_adapter`, and dropped once.
        drop(unsafe { Box::from_raw(self.object) });
    }
}

impl Adapter {
    /// Highest bus address of the device.
    pub fn highest(&self) -> u64 {
        u64::MAX >> (64 - self.request.address_bits.clamp(1, 64))
    }
}

/// Memory and DMA of the machine. `W` is what waits for map registers.
pub struct Hal<W> {
    /// What the machine is like.
    pub config: DmaConfig,
    /// Physical memory.
    pub memory: PhysicalMemory,
    /// MDLs.
    pub mdls: Mdls,
    pub(super) domains: FxHashMap<DeviceId, Domain>,
    pub(super) adapters: FxHashMap<usize, Adapter>,
    pub(super) lists: FxHashMap<usize, List>,
    pub(super) common_buffers: FxHashMap<(usize, u64), CommonBuffer>,
    pub(super) waiting: VecDeque<(ListRequest, W)>,
    pub(super) retired_lists: Vec<Box<[u64]>>,
    pub(super) findings: Vec<Finding>,
    /// Where the device last read and last wrote.
    pub(super) last: [Option<Last>; 2],
}

impl<W> Hal<W> {
    /// Memory without devices.
    pub fn new(config: DmaConfig, seed: u64) -> Self {
        Self {
            config,
            memory: PhysicalMemory::new(seed),
            mdls: Mdls::default(),
            domains: FxHashMap::default(),
            adapters: FxHashMap::default(),
            lists: FxHashMap::default(),
            common_buffers: FxHashMap::default(),
            waiting: VecDeque::new(),
            retired_lists: Vec::new(),
            findings: Vec::new(),
            last: [None; 2],
        }
    }

    /// A device's view of memory; made when it is first asked for.
    pub fn domain(&mut self, device: DeviceId) -> &mut Domain {
        let config = &self.config;
        self.domains.entry(device).or_insert_with(|| {
            Domain::new(
                config.translation(),
                config.map_registers.max(2) as usize,
                config.registers_for_every_page,
            )
        })
    }

    /// A device's view of memory, if there is one, and memory.
    pub fn domain_and_memory(&self, device: DeviceId) -> Option<(&Domain, &PhysicalMemory)> {
        self.domains
            .get(&device)
            .map(|domain| (domain, &self.memory))
    }

    /// Records a rule that was broken.
    pub fn find(&mut self, rule: Rule, ddi: &'static str, detail: impl Into<String>) {
        let detail = detail.into();
        self.findings.push(Finding { rule, ddi, detail });
    }

    /// Takes what was found since the last call.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// An adapter of a device, with `operations` cut to what the version has.
    pub fn create_adapter(
        &mut self,
        device: DeviceId,
        request: AdapterRequest,
        operations: _DMA_OPERATIONS,
    ) -> PDMA_ADAPTER {
        let registers = request.maximum_length.div_ceil(PAGE_BYTES) + 1;
        let registers = registers.min(self.domain(device).registers());
        let bytes = self.config.os.operations_bytes(request.version);
        let object = Box::into_raw(Box::new(AdapterObject {
            public: DMA_ADAPTER {
                Version: 1,
                Size: size_of::<AdapterObject>() as u16,
                DmaOperations: std::ptr::null_mut(),
            },
            operations: truncated(operations, bytes),
        }));
        // SAFETY: just made.
        unsafe { (*object).public.DmaOperations = &raw mut (*object).operations };
        let adapter = Adapter {
            object,
            device,
            request,
            registers,
        };
        self.adapters.insert(object as usize, adapter);
        object.cast()
    }

    /// The adapter at an address; a finding if there is none.
    pub fn adapter(&mut self, adapter: PDMA_ADAPTER, ddi: &'static str) -> Option<&Adapter> {
        if !self.adapters.contains_key(&(adapter as usize)) {
            let detail = format!("no adapter is at {adapter:?}, or it was put back");
            self.find(Rule::DmaAdapter, ddi, detail);
        }
        self.adapters.get(&(adapter as usize))
    }

    /// Takes an adapter away and reports what it leaves behind.
    pub fn remove_adapter(&mut self, adapter: PDMA_ADAPTER, ddi: &'static str) {
        let address = adapter as usize;
        if self.adapter(adapter, ddi).is_none() {
            return;
        }
        let lists = self.lists.values();
        let lists = lists.filter(|list| list.adapter == address).count();
        let buffers = self.common_buffers.keys();
        let buffers = buffers.filter(|(owner, _)| *owner == address).count();
        let waits = self.waiting.iter();
        let waits = waits
            .filter(|(request, _)| request.adapter == adapter)
            .count();
        for (count, what) in [
            (lists, "scatter/gather lists"),
            (buffers, "common buffers"),
            (waits, "requests for map registers"),
        ] {
            if count > 0 {
                let detail = format!("the adapter goes while {count} {what} of it are in force");
                self.find(Rule::Leak, ddi, detail);
            }
        }
        self.waiting
            .retain(|(request, _)| request.adapter != adapter);
        self.adapters.remove(&address);
    }

    /// Whether physical addresses are bus addresses, which the driver knows from now on.
    pub fn tell_bypass(&mut self, adapter: PDMA_ADAPTER, ddi: &'static str) -> bool {
        let Some(found) = self.adapter(adapter, ddi) else {
            return false;
        };
        let (device, version, bits) = (
            found.device,
            found.request.version,
            found.request.address_bits,
        );
        let counted = self.config.registers_for_every_page;
        let domain = self.domain(device);
        let direct = domain.translation() == Translation::Direct && !counted;
        let bypass = version >= 3 && bits >= 64 && direct;
        domain.bypass_told |= bypass;
        bypass
    }

    /// Unlocks an MDL's pages, and finds what the device still has of them.
    pub fn unlock_mdl(&mut self, mdl: PMDL, ddi: &'static str) {
        let address = mdl as usize;
        let unflushed = self.lists.values().any(|list| {
            list.mdls.contains(&address)
                && self
                    .domains
                    .get(&list.device)
                    .is_some_and(|domain| domain.is_unflushed(list.mapping))
        });
        if unflushed {
            let detail = "the device's data are still in bounce pages: complete the transfer before the request";
            self.find(Rule::DmaNotFlushed, ddi, detail);
        }
        match self.mdls.unlock(&mut self.memory, mdl, ddi) {
            Ok(0) => {}
            Ok(mappings) => {
                let detail =
                    format!("the device has {mappings} mappings of the pages that are unlocked");
                self.find(Rule::PagesReleasedEarly, ddi, detail);
            }
            Err(error) => self.find(Rule::Mdl, ddi, error.to_string()),
        }
    }

    /// Finds what is left at the end: memory written after it was freed.
    pub fn finish(&mut self) {
        for write in self.memory.take_writes_after_free() {
            let detail = format!(
                "{:#x} (frame {:#x}), which had been {:?} memory, was written after it was freed",
                write.address, write.frame, write.kind
            );
            self.find(Rule::WriteAfterFree, "end", detail);
        }
    }
}

/// The first `bytes` bytes of a table; what a shorter version does not have is null.
fn truncated(mut operations: _DMA_OPERATIONS, bytes: usize) -> _DMA_OPERATIONS {
    operations.Size = bytes as u32;
    let table = (&raw mut operations).cast::<u8>();
    // SAFETY: `bytes` is at most the size of the table, and null is a value of every entry.
    unsafe {
        table
            .add(bytes)
            .write_bytes(0, size_of::<_DMA_OPERATIONS>() - bytes);
    }
    operations
}
