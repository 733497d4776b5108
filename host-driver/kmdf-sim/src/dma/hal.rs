//! What the HAL keeps of DMA: adapters, lists, common buffers, and who waits for map registers.
//!
//! All of it is plain state: the routines that drivers call are in `operations.rs` and `ddi/dma.rs`.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::config::{DmaConfig, Translation};
use super::domain::{Domain, MapRefusal, MapRequest, MappingId, Rights, Window};
use crate::memory::{
    BusFault, FREED, FRESH, MdlPiece, Mdls, MemoryUse, PAGE_BYTES, PAGE_SHIFT, PageLayout,
    PhysicalMemory, RegionId,
};
use crate::types::{
    _DMA_OPERATIONS, _SCATTER_GATHER_ELEMENT, _SCATTER_GATHER_LIST, DMA_ADAPTER, PDMA_ADAPTER,
    PHYSICAL_ADDRESS, PMDL, PSCATTER_GATHER_LIST,
};
use crate::verifier::Rule;

/// Words of 8 bytes before a list's elements, and of an element.
const LIST_HEADER_WORDS: usize = size_of::<_SCATTER_GATHER_LIST>() / 8;
const ELEMENT_WORDS: usize = size_of::<_SCATTER_GATHER_ELEMENT>() / 8;
const _: () = assert!(LIST_HEADER_WORDS == 2 && ELEMENT_WORDS == 3);

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

/// A list that is in force.
struct List {
    adapter: usize,
    device: DeviceId,
    mapping: MappingId,
    mdls: Vec<usize>,
    write_to_device: bool,
    /// The list's memory, unless the driver supplied it.
    words: Option<Box<[u64]>>,
}

struct CommonBuffer {
    device: DeviceId,
    mapping: MappingId,
    address: usize,
    length: u32,
    /// Memory that goes with it, or the MDL that it was made from.
    backing: Backing,
}

enum Backing {
    Memory(RegionId),
    Mdl(usize),
}

/// Why no list was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListRefusal {
    /// Map registers are short now.
    Short,
    /// There will never be enough map registers.
    Impossible,
    /// The MDL, offset or length is wrong.
    Invalid,
    /// The driver's buffer for the list is too small.
    BufferTooSmall,
}

/// A list asked for.
#[derive(Clone, Copy, Debug)]
pub struct ListRequest {
    /// Adapter.
    pub adapter: PDMA_ADAPTER,
    /// First MDL of the chain.
    pub mdl: PMDL,
    /// First byte, counted from the first MDL's.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// H2C.
    pub write_to_device: bool,
    /// Memory of the driver for the list, and its bytes.
    pub buffer: Option<(*mut u8, usize)>,
}

/// What a transfer would need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferNeeds {
    /// Map registers.
    pub registers: usize,
    /// Elements of the list, at most.
    pub elements: usize,
    /// Bytes of the list.
    pub list_bytes: usize,
}

/// Memory and DMA of the machine. `W` is what waits for map registers.
pub struct Hal<W> {
    /// What the machine is like.
    pub config: DmaConfig,
    /// Physical memory.
    pub memory: PhysicalMemory,
    /// MDLs.
    pub mdls: Mdls,
    domains: FxHashMap<DeviceId, Domain>,
    adapters: FxHashMap<usize, Adapter>,
    lists: FxHashMap<usize, List>,
    common_buffers: FxHashMap<(usize, u64), CommonBuffer>,
    waiting: VecDeque<(ListRequest, W)>,
    retired_lists: Vec<Box<[u64]>>,
    findings: Vec<Finding>,
    /// Where the device last read and last wrote.
    last: [Option<Last>; 2],
}

/// What a device's access has found, for the next in the same page.
#[derive(Clone, Copy)]
struct Last {
    device: DeviceId,
    bus_page: u64,
    /// Epochs of memory and of the domain that it holds for.
    epochs: (u64, u64),
    window: Window,
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
        let domain = self.domain(device);
        let bypass = version >= 3 && bits >= 64 && domain.translation() == Translation::Direct;
        domain.bypass_told |= bypass;
        bypass
    }

    /// What a transfer would need.
    ///
    /// # Errors
    /// The MDL, offset or length is wrong.
    pub fn needs(
        &mut self,
        request: &ListRequest,
        ddi: &'static str,
    ) -> Result<TransferNeeds, ListRefusal> {
        let adapter = self
            .adapter(request.adapter, ddi)
            .ok_or(ListRefusal::Invalid)?;
        let (device, highest) = (adapter.device, adapter.highest());
        let pieces = self.pieces(request, ddi)?.0;
        let map = map_request(&pieces, request.write_to_device, highest);
        let registers = self.domain(device).registers_needed(&map);
        Ok(TransferNeeds {
            registers,
            elements: pieces.len(),
            list_bytes: list_bytes(pieces.len()),
        })
    }

    /// Maps part of an MDL chain and builds its list.
    ///
    /// # Errors
    /// Why not; what the driver did wrong is also found.
    pub fn map_list(
        &mut self,
        request: &ListRequest,
        ddi: &'static str,
    ) -> Result<PSCATTER_GATHER_LIST, ListRefusal> {
        let adapter = self
            .adapter(request.adapter, ddi)
            .ok_or(ListRefusal::Invalid)?;
        let (device, highest, registers) = (adapter.device, adapter.highest(), adapter.registers);
        let maximum = adapter.request.maximum_length as u64;
        if request.length > maximum {
            let detail = format!(
                "{} bytes, the adapter was made for at most {maximum}",
                request.length
            );
            self.find(Rule::DmaLength, ddi, detail);
        }
        let (pieces, mdls) = self.pieces(request, ddi)?;
        let map = map_request(&pieces, request.write_to_device, highest);
        let needed = self.domain(device).registers_needed(&map);
        if needed > registers {
            return Err(ListRefusal::Impossible);
        }
        if let Some((_, bytes)) = request.buffer
            && bytes < list_bytes(pieces.len())
        {
            return Err(ListRefusal::BufferTooSmall);
        }
        self.domain(device);
        let Some(domain) = self.domains.get_mut(&device) else {
            return Err(ListRefusal::Invalid);
        };
        let mapping = domain
            .map(&mut self.memory, &map)
            .map_err(|refusal| match refusal {
                MapRefusal::NoRegisters { .. } | MapRefusal::NoAddresses(_) => ListRefusal::Short,
                MapRefusal::NotContiguous | MapRefusal::OutOfReach => ListRefusal::Invalid,
            })?;
        let runs = domain.runs(mapping);
        let mut owned = None;
        let words: *mut u64 = match request.buffer {
            Some((buffer, _)) => buffer.cast(),
            None => owned
                .insert(vec![0; list_bytes(runs.len()) / 8].into_boxed_slice())
                .as_mut_ptr(),
        };
        // SAFETY: the memory holds a list with an element for each piece, and there are no more runs than pieces; lists are 8-byte
        // aligned, the driver's too, as its contract says.
        unsafe {
            words.write(runs.len() as u64);
            words.add(1).write(0);
            let elements = words
                .add(LIST_HEADER_WORDS)
                .cast::<_SCATTER_GATHER_ELEMENT>();
            for (index, run) in runs.iter().enumerate() {
                elements.add(index).write(_SCATTER_GATHER_ELEMENT {
                    Address: PHYSICAL_ADDRESS {
                        QuadPart: run.address as i64,
                    },
                    Length: run.bytes as u32,
                    Reserved: 0,
                });
            }
        }
        for &mdl in &mdls {
            self.mdls.count_device_mapping(mdl, true);
        }
        let list = List {
            adapter: request.adapter as usize,
            device,
            mapping,
            mdls,
            write_to_device: request.write_to_device,
            words: owned,
        };
        self.lists.insert(words as usize, list);
        Ok(words.cast())
    }

    /// Puts a list back: flushes it and frees what it holds.
    pub fn put_list(
        &mut self,
        adapter: PDMA_ADAPTER,
        list: PSCATTER_GATHER_LIST,
        write_to_device: bool,
        ddi: &'static str,
    ) {
        let Some(found) = self.lists.remove(&(list as usize)) else {
            let detail = format!("no list is at {list:?}, or it was put back before");
            return self.find(Rule::DmaList, ddi, detail);
        };
        if found.adapter != adapter as usize {
            let detail = "the list was got through another adapter";
            self.find(Rule::DmaList, ddi, detail);
        }
        if found.write_to_device != write_to_device {
            let detail = "the list was got for the other direction";
            self.find(Rule::DmaList, ddi, detail);
        }
        if let Some(domain) = self.domains.get_mut(&found.device) {
            domain.unmap(&mut self.memory, found.mapping, ddi);
        }
        for mdl in found.mdls {
            self.mdls.count_device_mapping(mdl, false);
        }
        if let Some(mut words) = found.words {
            words.fill(u64::from_ne_bytes([FREED; 8]));
            self.retired_lists.push(words);
        }
    }

    /// Queues a request that map registers are short for.
    pub fn wait(&mut self, request: ListRequest, waiter: W) {
        self.waiting.push_back((request, waiter));
    }

    /// Whether somebody waits for map registers of a device.
    pub fn is_waited_for(&self, adapter: PDMA_ADAPTER) -> bool {
        let device = self.adapters.get(&(adapter as usize)).map(|a| a.device);
        self.waiting.iter().any(|(request, _)| {
            self.adapters
                .get(&(request.adapter as usize))
                .map(|a| a.device)
                == device
        })
    }

    /// Serves the first that waits, if it can be.
    pub fn serve(&mut self, ddi: &'static str) -> Option<(PSCATTER_GATHER_LIST, W)> {
        let request = self.waiting.front().map(|(request, _)| *request)?;
        let list = self.map_list(&request, ddi).ok()?;
        let (_, waiter) = self.waiting.pop_front()?;
        Some((list, waiter))
    }

    /// Takes back requests that wait; true if there was one.
    pub fn cancel_waits(&mut self, mut is_it: impl FnMut(&W) -> bool) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(_, waiter)| !is_it(waiter));
        self.waiting.len() < before
    }

    /// Memory that CPU and device both reach, at consecutive bus addresses: its address and its bus address.
    pub fn allocate_common_buffer(
        &mut self,
        adapter: PDMA_ADAPTER,
        length: u32,
        highest: u64,
        ddi: &'static str,
    ) -> Option<(*mut u8, u64)> {
        let found = self.adapter(adapter, ddi)?;
        let (device, highest) = (found.device, highest.min(found.highest()));
        let domain = self.domain(device);
        let low = highest < u64::MAX >> 12 && domain.translation() != Translation::Remapping;
        let layout = match (low, domain.translation()) {
            (true, _) | (_, Translation::Bounce) => PageLayout::ContiguousLow,
            _ => PageLayout::Contiguous,
        };
        let region = self
            .memory
            .allocate(length as usize, &layout, MemoryUse::CommonBuffer)
            .ok()?;
        self.memory.fill(region, FRESH);
        let pieces: Vec<MdlPiece> = whole_pages(self.memory.frames(region));
        let request = MapRequest {
            pieces: &pieces,
            rights: Rights::BOTH,
            highest,
            may_bounce: false,
            one_run: true,
        };
        let domain = self.domains.get_mut(&device)?;
        let Ok(mapping) = domain.map(&mut self.memory, &request) else {
            self.memory.free(region);
            return None;
        };
        let logical = domain.runs(mapping).first()?.address;
        let address = self.memory.base(region);
        let buffer = CommonBuffer {
            device,
            mapping,
            address: address as usize,
            length,
            backing: Backing::Memory(region),
        };
        self.common_buffers
            .insert((adapter as usize, logical), buffer);
        Some((address, logical))
    }

    /// Makes a lasting mapping of a locked MDL at consecutive bus addresses.
    ///
    /// # Errors
    /// The pages are not such that it can be done.
    pub fn common_buffer_from_mdl(
        &mut self,
        adapter: PDMA_ADAPTER,
        mdl: PMDL,
        (offset, length): (u64, u64),
        rights: Rights,
        ddi: &'static str,
    ) -> Result<u64, ListRefusal> {
        let found = self.adapter(adapter, ddi).ok_or(ListRefusal::Invalid)?;
        let (device, highest) = (found.device, found.highest());
        let list = ListRequest {
            adapter,
            mdl,
            offset,
            length,
            write_to_device: !rights.write,
            buffer: None,
        };
        let (pieces, mdls) = self.pieces(&list, ddi)?;
        let whole = pieces
            .iter()
            .all(|piece| piece.from == 0 && usize::from(piece.to) == PAGE_BYTES);
        let [owner] = mdls[..] else {
            return Err(ListRefusal::Invalid);
        };
        let Some(address) = self.mdls.system_address(owner as PMDL) else {
            return Err(ListRefusal::Invalid);
        };
        if !whole || self.domain(device).translation() == Translation::Bounce {
            return Err(ListRefusal::Invalid);
        }
        let request = MapRequest {
            pieces: &pieces,
            rights,
            highest,
            may_bounce: false,
            one_run: true,
        };
        let domain = self.domains.get_mut(&device).ok_or(ListRefusal::Invalid)?;
        let mapping = domain
            .map(&mut self.memory, &request)
            .map_err(|refusal| match refusal {
                MapRefusal::NoRegisters { .. } | MapRefusal::NoAddresses(_) => ListRefusal::Short,
                MapRefusal::NotContiguous | MapRefusal::OutOfReach => ListRefusal::Invalid,
            })?;
        let logical = domain.runs(mapping).first().map_or(0, |run| run.address);
        self.mdls.count_device_mapping(owner, true);
        let buffer = CommonBuffer {
            device,
            mapping,
            address: address as usize,
            length: length as u32,
            backing: Backing::Mdl(owner),
        };
        self.common_buffers
            .insert((adapter as usize, logical), buffer);
        Ok(logical)
    }

    /// Bus addresses of the common buffers that are memory of their own, in ascending order.
    pub fn common_buffers(&self) -> Vec<std::ops::Range<u64>> {
        let own = |buffer: &&CommonBuffer| matches!(buffer.backing, Backing::Memory(_));
        let mut ranges: Vec<_> = self
            .common_buffers
            .values()
            .filter(own)
            .filter_map(|buffer| {
                let domain = self.domains.get(&buffer.device)?;
                let address = domain.runs(buffer.mapping).first()?.address;
                Some(address..address + u64::from(buffer.length))
            })
            .collect();
        ranges.sort_unstable_by_key(|range| range.start);
        ranges
    }

    /// Frees a common buffer, or ends the mapping of an MDL.
    pub fn free_common_buffer(
        &mut self,
        adapter: PDMA_ADAPTER,
        length: u32,
        logical: u64,
        address: *mut u8,
        ddi: &'static str,
    ) {
        let key = (adapter as usize, logical);
        let Some(buffer) = self.common_buffers.remove(&key) else {
            let other = self.common_buffers.keys().any(|key| key.1 == logical);
            let detail = match other {
                true => format!(
                    "the common buffer at bus address {logical:#x} belongs to another adapter"
                ),
                false => format!("no common buffer is at bus address {logical:#x}"),
            };
            return self.find(Rule::DmaCommonBuffer, ddi, detail);
        };
        // The address of a mapped MDL is the caller's own, and the documentation does not say what to pass.
        let is_memory = matches!(buffer.backing, Backing::Memory(_));
        if buffer.length != length || (is_memory && buffer.address != address as usize) {
            let detail = format!(
                "{length} bytes at {address:?} are freed, {} at {:#x} were allocated",
                buffer.length, buffer.address
            );
            self.find(Rule::DmaCommonBuffer, ddi, detail);
        }
        if let Some(domain) = self.domains.get_mut(&buffer.device) {
            domain.unmap(&mut self.memory, buffer.mapping, ddi);
        }
        match buffer.backing {
            Backing::Memory(region) => {
                self.memory.free(region);
            }
            Backing::Mdl(mdl) => self.mdls.count_device_mapping(mdl, false),
        }
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

    fn pieces(
        &mut self,
        request: &ListRequest,
        ddi: &'static str,
    ) -> Result<(Vec<MdlPiece>, Vec<usize>), ListRefusal> {
        if request.length == 0 {
            return Err(ListRefusal::Invalid);
        }
        let found = self
            .mdls
            .pieces(request.mdl, request.offset, request.length);
        match found {
            Ok(found) => {
                if !found.writable && !request.write_to_device {
                    let detail = "the device is to write pages that are locked for reading only";
                    self.find(Rule::Mdl, ddi, detail);
                }
                Ok((found.pieces, found.mdls))
            }
            Err(error) => {
                self.find(Rule::Mdl, ddi, error.to_string());
                Err(ListRefusal::Invalid)
            }
        }
    }
}

/// Bytes of a list with that many elements.
pub fn list_bytes(elements: usize) -> usize {
    8 * (LIST_HEADER_WORDS + ELEMENT_WORDS * elements)
}

fn map_request(pieces: &[MdlPiece], write_to_device: bool, highest: u64) -> MapRequest<'_> {
    MapRequest {
        pieces,
        rights: Rights::of_transfer(write_to_device),
        highest,
        may_bounce: true,
        one_run: false,
    }
}

fn whole_pages(frames: &[u64]) -> Vec<MdlPiece> {
    let frames = frames.iter();
    frames
        .map(|&frame| MdlPiece {
            frame,
            from: 0,
            to: 1 << PAGE_SHIFT,
        })
        .collect()
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
