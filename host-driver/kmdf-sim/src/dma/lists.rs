//! Scatter/gather lists, and who waits for map registers.

use super::domain::{MapRefusal, MapRequest, MappingId, Rights};
use super::hal::{DeviceId, Hal};
use crate::memory::{FREED, MdlPiece};
use crate::types::{
    _SCATTER_GATHER_ELEMENT, _SCATTER_GATHER_LIST, PDMA_ADAPTER, PHYSICAL_ADDRESS, PMDL,
    PSCATTER_GATHER_LIST,
};
use crate::verifier::Rule;

/// Words of 8 bytes before a list's elements, and of an element.
const LIST_HEADER_WORDS: usize = size_of::<_SCATTER_GATHER_LIST>() / 8;
const ELEMENT_WORDS: usize = size_of::<_SCATTER_GATHER_ELEMENT>() / 8;
const _: () = assert!(LIST_HEADER_WORDS == 2 && ELEMENT_WORDS == 3);

/// A list that is in force.
pub(super) struct List {
    pub(super) adapter: usize,
    pub(super) device: DeviceId,
    pub(super) mapping: MappingId,
    pub(super) mdls: Vec<usize>,
    pub(super) write_to_device: bool,
    /// The list's memory, unless the driver supplied it.
    pub(super) words: Option<Box<[u64]>>,
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

impl<W> Hal<W> {
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
        while let Some(request) = self.waiting.front().map(|(request, _)| *request) {
            match self.map_list(&request, ddi) {
                Ok(list) => return self.waiting.pop_front().map(|(_, waiter)| (list, waiter)),
                Err(ListRefusal::Short) => return None,
                // Its MDL was unlocked meanwhile, which is found; nobody behind it is to wait for that.
                Err(_) => drop(self.waiting.pop_front()),
            }
        }
        None
    }

    /// Takes back requests that wait; true if there was one.
    pub fn cancel_waits(&mut self, mut is_it: impl FnMut(&W) -> bool) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(_, waiter)| !is_it(waiter));
        self.waiting.len() < before
    }

    /// The pages of a request, and the MDLs that have them.
    pub(super) fn pieces(
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
