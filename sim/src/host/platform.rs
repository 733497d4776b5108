//! The host as the device sees it: memory behind a mapping.

use super::{
    Access, BusFault, Grants, HostBus, Iommu, IommuError, Layout, MapRegisters, MapRegistersError,
    PAGE_BYTES, PAGE_SHIFT, PhysicalMemory,
};

/// How bus addresses become physical ones on this platform.
pub enum Mapping {
    /// They are the same (no IOMMU, or one in pass-through).
    Identity,
    /// An IOMMU remaps; an access without a mapping faults.
    Remapping(Iommu),
    /// The device reaches low memory only; the rest is copied through map registers.
    Bounce(MapRegisters),
}

/// Direction of a mapping, in the device's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// Card to host: the device writes.
    C2h,
    /// Host to card: the device reads.
    H2c,
    /// Both, as for rings and tables.
    Both,
}

/// Bytes at consecutive bus addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusRun {
    /// Bus address of the first byte.
    pub address: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// A mapping in force; give it back with [`Host::unmap`].
#[derive(Debug)]
#[must_use = "a mapping holds map registers or bus addresses until it is unmapped"]
pub struct Mapped {
    runs: Vec<BusRun>,
    transfer: Transfer,
    hold: Hold,
}

/// What a mapping holds of the platform.
#[derive(Debug)]
enum Hold {
    Nothing,
    BusPages {
        address: u64,
        pages: u64,
    },
    /// (physical address, bounced address, bytes) of each bounced piece.
    Bounced(Vec<(u64, u64, u64)>),
}

/// Why a buffer could not be mapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The range is empty or ends past the buffer.
    #[error("buffer {buffer} has {size} bytes; {len} bytes from offset {offset} are not in it")]
    OutOfBounds {
        /// Name of the buffer.
        buffer: String,
        /// Its size in bytes.
        size: u64,
        /// Offset asked for.
        offset: u64,
        /// Length asked for; at least 1 is needed.
        len: u64,
    },
    /// The IOMMU has no room.
    #[error(transparent)]
    Iommu(#[from] IommuError),
    /// No map registers are left.
    #[error(transparent)]
    MapRegisters(#[from] MapRegistersError),
    /// The buffer's pages, or the bounce pool, are not in memory.
    #[error(transparent)]
    Memory(#[from] BusFault),
}

/// Memory, mapping and grants of the simulated host.
pub struct Host {
    /// Physical memory, as CPUs see it.
    pub memory: PhysicalMemory,
    /// How bus addresses become physical ones.
    pub mapping: Mapping,
    /// What the device may touch; only asked when [`Host::check_grants`] is set.
    pub grants: Grants,
    /// Whether the TLP checker is to end the run on an access outside the grants.
    pub check_grants: bool,
}

impl Host {
    /// A host with this memory and mapping, and no check of grants.
    pub fn new(memory: PhysicalMemory, mapping: Mapping) -> Self {
        Self {
            memory,
            mapping,
            grants: Grants::default(),
            check_grants: false,
        }
    }

    /// Makes `len` bytes of a buffer, from `offset` on, reachable for the device, and grants them.
    ///
    /// With map registers, H2C data is copied to the bounce pages here, as Windows does in its mapping call.
    pub fn map(
        &mut self,
        buffer: &Layout,
        offset: u64,
        len: u64,
        transfer: Transfer,
    ) -> Result<Mapped, MapError> {
        let size = buffer.bytes();
        if len == 0 || offset.checked_add(len).is_none_or(|end| end > size) {
            return Err(MapError::OutOfBounds {
                buffer: buffer.name().to_string(),
                size,
                offset,
                len,
            });
        }
        let pieces = buffer.pieces(offset, len);
        let (runs, hold) = match &mut self.mapping {
            Mapping::Identity => (
                join(pieces.map(|(address, bytes)| BusRun { address, bytes })),
                Hold::Nothing,
            ),
            Mapping::Remapping(iommu) => {
                let frames: Vec<u64> = pieces
                    .flat_map(|(address, bytes)| {
                        address >> PAGE_SHIFT..=(address + bytes - 1) >> PAGE_SHIFT
                    })
                    .collect();
                let pages = frames.len() as u64;
                let access = Access {
                    read: transfer.device_reads(),
                    write: transfer.device_writes(),
                };
                let start = iommu.map(&frames, access)?;
                let run = BusRun {
                    address: start + offset % PAGE_BYTES,
                    bytes: len,
                };
                (
                    vec![run],
                    Hold::BusPages {
                        address: start,
                        pages,
                    },
                )
            }
            Mapping::Bounce(registers) => bounce(registers, &mut self.memory, pieces, transfer)?,
        };
        for run in &runs {
            self.grants.grant(
                run.address,
                run.bytes,
                transfer.device_reads(),
                transfer.device_writes(),
            );
        }
        Ok(Mapped {
            runs,
            transfer,
            hold,
        })
    }

    /// Takes a mapping back. With map registers, C2H data is copied from the bounce pages here.
    pub fn unmap(&mut self, mapped: Mapped) -> Result<(), MapError> {
        let transfer = mapped.transfer;
        for run in &mapped.runs {
            self.grants.revoke(
                run.address,
                run.bytes,
                transfer.device_reads(),
                transfer.device_writes(),
            );
        }
        match (&mut self.mapping, mapped.hold) {
            (Mapping::Remapping(iommu), Hold::BusPages { address, pages }) => {
                iommu.unmap(address, pages)?
            }
            (Mapping::Bounce(registers), Hold::Bounced(pieces)) => {
                for &(physical, bounced, bytes) in &pieces {
                    if transfer.device_writes() {
                        copy(&mut self.memory, bounced, physical, bytes)?;
                    }
                }
                registers.give_back(pieces.iter().map(|&(_, bounced, _)| bounced >> PAGE_SHIFT));
            }
            _ => {}
        }
        Ok(())
    }

    fn physical(&self, address: u64, len: u64, is_write: bool) -> Result<u64, BusFault> {
        match &self.mapping {
            Mapping::Identity => Ok(address),
            Mapping::Remapping(iommu) => iommu.translate(address, is_write),
            Mapping::Bounce(registers) => {
                let highest = registers.highest();
                match address.checked_add(len) {
                    Some(end) if end - 1 <= highest => Ok(address),
                    _ => Err(BusFault::AboveReach { address, highest }),
                }
            }
        }
    }
}

impl HostBus for Host {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault> {
        each_page(address, data.len(), |at, range| {
            let part = &mut data[range];
            let physical = self.physical(at, part.len() as u64, false)?;
            self.memory.read(physical, part)
        })
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault> {
        each_page(address, data.len(), |at, range| {
            let part = &data[range];
            let physical = self.physical(at, part.len() as u64, true)?;
            self.memory.write(physical, part)
        })
    }

    fn permits(&self, address: u64, len: u64, is_write: bool) -> bool {
        !self.check_grants || self.grants.covers(address, len, is_write)
    }
}

impl Mapped {
    /// Where the device finds the bytes, in the buffer's order; neighbours are joined.
    pub fn runs(&self) -> &[BusRun] {
        &self.runs
    }

    /// Number of map registers that this mapping holds.
    pub fn map_registers(&self) -> usize {
        match &self.hold {
            Hold::Bounced(pieces) => pieces.len(),
            _ => 0,
        }
    }
}

impl Transfer {
    /// Whether the device writes to memory.
    pub fn device_writes(self) -> bool {
        self != Self::H2c
    }

    /// Whether the device reads memory.
    pub fn device_reads(self) -> bool {
        self != Self::C2h
    }
}

fn bounce(
    registers: &mut MapRegisters,
    memory: &mut PhysicalMemory,
    pieces: impl Iterator<Item = (u64, u64)>,
    transfer: Transfer,
) -> Result<(Vec<BusRun>, Hold), MapError> {
    let mut pages = Vec::new();
    for (address, bytes) in pieces {
        let mut at = address;
        while at < address + bytes {
            let end = ((at / PAGE_BYTES + 1) * PAGE_BYTES).min(address + bytes);
            pages.push((at, end - at));
            at = end;
        }
    }
    let far = |address: u64| !registers.reaches(address >> PAGE_SHIFT);
    let count = pages.iter().filter(|&&(address, _)| far(address)).count();
    let mut frames = registers.take(count)?.into_iter();
    let mut bounced = Vec::with_capacity(count);
    let mut runs = Vec::with_capacity(pages.len());
    for (physical, bytes) in pages {
        let address = match registers.reaches(physical >> PAGE_SHIFT) {
            true => physical,
            // As many frames were taken as there are pages out of reach.
            false => match frames.next() {
                Some(frame) => {
                    let address = (frame << PAGE_SHIFT) + physical % PAGE_BYTES;
                    bounced.push((physical, address, bytes));
                    address
                }
                None => break,
            },
        };
        runs.push(BusRun { address, bytes });
    }
    if transfer.device_reads() {
        for &(physical, address, bytes) in &bounced {
            copy(memory, physical, address, bytes)?;
        }
    }
    Ok((join(runs.into_iter()), Hold::Bounced(bounced)))
}

/// Copies at most one page within physical memory.
fn copy(memory: &mut PhysicalMemory, from: u64, to: u64, bytes: u64) -> Result<(), BusFault> {
    let mut page = [0; PAGE_BYTES as usize];
    let part = &mut page[..bytes.min(PAGE_BYTES) as usize];
    memory.read(from, part)?;
    memory.write(to, part)
}

/// Joins neighbouring runs.
fn join(runs: impl Iterator<Item = BusRun>) -> Vec<BusRun> {
    let mut joined: Vec<BusRun> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if last.address + last.bytes == run.address => last.bytes += run.bytes,
            _ => joined.push(run),
        }
    }
    joined
}

/// Calls `access` for the part of an access in each page.
fn each_page(
    address: u64,
    len: usize,
    mut access: impl FnMut(u64, std::ops::Range<usize>) -> Result<(), BusFault>,
) -> Result<(), BusFault> {
    let mut done = 0;
    while done < len {
        // A TLP never wraps around the address space; the checker says so before this could.
        let at = address.wrapping_add(done as u64);
        let end = len.min(done + (PAGE_BYTES - at % PAGE_BYTES) as usize);
        access(at, done..end)?;
        done = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Payload;
    use super::*;

    const PATTERN: Payload = Payload::Pattern { seed: 11 };

    /// Moves a pattern to the card and back over the bus and checks it in memory.
    fn round_trip(mut host: Host) -> Host {
        let from = Layout::shuffled(0x10_0000, 40, 1).unwrap();
        let to = Layout::shuffled(0x20_0000, 40, 2).unwrap();
        let (offset, len) = (4097, 100_001);
        PATTERN
            .write_to(&mut host.memory, &from, offset, len, 0)
            .unwrap();
        let source = host.map(&from, offset, len, Transfer::H2c).unwrap();
        let mut card = Vec::new();
        for run in source.runs() {
            let start = card.len();
            card.resize(start + run.bytes as usize, 0);
            assert!(host.permits(run.address, run.bytes, false));
            host.read(run.address, &mut card[start..]).unwrap();
        }
        assert_eq!(PATTERN.compare(0, &card), Ok(()));
        host.unmap(source).unwrap();

        let target = host.map(&to, offset, len, Transfer::C2h).unwrap();
        let mut rest = &card[..];
        for run in target.runs() {
            let (part, tail) = rest.split_at(run.bytes as usize);
            host.write(run.address, part).unwrap();
            rest = tail;
        }
        assert!(rest.is_empty());
        let first = target.runs()[0].address;
        host.check_grants = true;
        assert!(host.permits(first, 1, true));
        assert!(
            !host.permits(first, 1, false),
            "a C2H mapping does not let the device read"
        );
        host.unmap(target).unwrap();
        assert!(!host.permits(first, 1, true));
        assert_eq!(PATTERN.check(&host.memory, &to, offset, len, 0), Ok(()));
        host
    }

    #[test]
    fn identity_moves_bytes() {
        round_trip(Host::new(PhysicalMemory::new(46), Mapping::Identity));
    }

    #[test]
    fn the_iommu_moves_bytes_in_one_run_and_faults_after_unmapping() {
        let mut host = round_trip(Host::new(
            PhysicalMemory::new(46),
            Mapping::Remapping(Iommu::default()),
        ));
        let buffer = Layout::shuffled(0x10_0000, 40, 1).unwrap();
        let mapped = host.map(&buffer, 5, 9000, Transfer::C2h).unwrap();
        let [run] = mapped.runs() else {
            panic!("{:?}", mapped.runs())
        };
        let address = run.address;
        assert_eq!((address % PAGE_BYTES, run.bytes), (5, 9000));
        assert_eq!(
            host.read(address, &mut [0]),
            Err(BusFault::Denied {
                address,
                is_write: false
            })
        );
        host.unmap(mapped).unwrap();
        assert_eq!(
            host.write(address, &[0]),
            Err(BusFault::NotMapped {
                address,
                is_write: true
            })
        );
        let physical = buffer.physical(0).unwrap();
        assert!(
            host.write(physical, &[0]).is_err(),
            "physical addresses mean nothing to the device"
        );
    }

    #[test]
    fn map_registers_move_bytes_by_copies_and_run_out() {
        let registers = MapRegisters::new(0x100_0000, 26, u32::MAX.into());
        let mut host = round_trip(Host::new(
            PhysicalMemory::new(46),
            Mapping::Bounce(registers),
        ));
        let buffer = Layout::shuffled(0x10_0000, 40, 1).unwrap();
        let mapped = host
            .map(&buffer, 0, 10 * PAGE_BYTES, Transfer::C2h)
            .unwrap();
        assert_eq!(mapped.map_registers(), 10);
        let inside = host
            .map(&buffer, 20 * PAGE_BYTES + 77, 100, Transfer::C2h)
            .unwrap();
        assert_eq!(
            inside.runs()[0].address % PAGE_BYTES,
            77,
            "a bounced byte keeps its place in the page"
        );
        host.unmap(inside).unwrap();
        let error = host
            .map(&buffer, 10 * PAGE_BYTES, 17 * PAGE_BYTES, Transfer::C2h)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "17 map registers needed, 16 of 26 are free; split the transfer, wait for one to end, or use a common buffer"
        );
        host.unmap(mapped).unwrap();
        assert!(matches!(
            host.write(1 << 32, &[0]),
            Err(BusFault::AboveReach {
                address: 0x1_0000_0000,
                ..
            })
        ));
        let low = Layout::contiguous(0x2000, 100).unwrap();
        assert_eq!(
            host.map(&low, 0, 409_600, Transfer::Both)
                .unwrap()
                .map_registers(),
            0
        );
    }

    #[test]
    fn ranges_outside_the_buffer_are_refused() {
        let mut host = Host::new(PhysicalMemory::new(46), Mapping::Identity);
        let buffer = Layout::contiguous(0x10_0000, 2).unwrap();
        for (offset, len) in [(0, 0), (0, 8193), (8192, 1), (u64::MAX, 2), (1, u64::MAX)] {
            assert!(matches!(
                host.map(&buffer, offset, len, Transfer::Both),
                Err(MapError::OutOfBounds { .. })
            ));
        }
        let whole = host.map(&buffer, 0, 8192, Transfer::Both).unwrap();
        assert_eq!(
            whole.runs(),
            [BusRun {
                address: 0x1_0000_0000,
                bytes: 8192
            }]
        );
    }
}
