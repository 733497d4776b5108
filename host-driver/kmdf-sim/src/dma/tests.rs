//! Tests of the HAL's state, without a machine.

use proptest::prelude::*;

use super::*;
use crate::memory::{
    BusFaultReason, FREED, FRESH, LockAccess, MemoryUse, PAGE_BYTES, PageLayout, RegionId, STALE,
};
use crate::types::{_DMA_OPERATIONS, PDMA_ADAPTER, PMDL, PSCATTER_GATHER_LIST};
use crate::verifier::Rule;

const DEVICE: DeviceId = DeviceId(0);

struct Bench {
    hal: Hal<u32>,
    adapter: PDMA_ADAPTER,
}

struct Buffer {
    region: RegionId,
    mdl: PMDL,
    base: *mut u8,
}

impl Bench {
    fn new(config: DmaConfig) -> Self {
        Self::with(
            config,
            AdapterRequest {
                version: 3,
                address_bits: 64,
                maximum_length: 1 << 26,
            },
        )
    }

    fn with(config: DmaConfig, request: AdapterRequest) -> Self {
        let mut hal = Hal::new(config, 5);
        // SAFETY: null is a value of every entry.
        let operations: _DMA_OPERATIONS = unsafe { core::mem::zeroed() };
        let adapter = hal.create_adapter(DEVICE, request, operations);
        Self { hal, adapter }
    }

    fn buffer(&mut self, bytes: usize, layout: &PageLayout, access: LockAccess) -> Buffer {
        let region = self
            .hal
            .memory
            .allocate(bytes, layout, MemoryUse::User)
            .unwrap();
        let base = self.hal.memory.base(region);
        let mdl = self.hal.mdls.create(base as usize, bytes as u64);
        self.hal
            .mdls
            .lock(&mut self.hal.memory, mdl, access)
            .unwrap();
        Buffer { region, mdl, base }
    }

    fn list(&mut self, buffer: &Buffer, offset: u64, length: u64, write: bool) -> ListRequest {
        ListRequest {
            adapter: self.adapter,
            mdl: buffer.mdl,
            offset,
            length,
            write_to_device: write,
            buffer: None,
        }
    }

    fn map(
        &mut self,
        buffer: &Buffer,
        offset: u64,
        length: u64,
        write: bool,
    ) -> Result<PSCATTER_GATHER_LIST, ListRefusal> {
        let request = self.list(buffer, offset, length, write);
        self.hal.map_list(&request, "GetScatterGatherList")
    }

    fn put(&mut self, list: PSCATTER_GATHER_LIST, write: bool) {
        self.hal
            .put_list(self.adapter, list, write, "PutScatterGatherList");
    }

    /// The device writes or reads through the elements of a list.
    fn device(&mut self, list: PSCATTER_GATHER_LIST, data: &mut [u8], write: bool) {
        let mut done = 0;
        for (address, bytes) in elements(list) {
            let part = &mut data[done..done + bytes as usize];
            if write {
                self.hal.device_write(DEVICE, address, part).unwrap();
            } else {
                self.hal.device_read(DEVICE, address, part).unwrap();
            }
            done += bytes as usize;
        }
        assert_eq!(done, data.len());
    }

    fn rules(&mut self) -> Vec<Rule> {
        let findings = self.hal.take_findings();
        findings.into_iter().map(|finding| finding.rule).collect()
    }
}

fn elements(list: PSCATTER_GATHER_LIST) -> Vec<(u64, u32)> {
    // SAFETY: the tests pass lists that are in force.
    unsafe {
        let count = (*list).NumberOfElements as usize;
        let elements = (&raw mut (*list).Elements).cast::<crate::types::SCATTER_GATHER_ELEMENT>();
        (0..count)
            .map(|index| {
                let element = *elements.add(index);
                (element.Address.QuadPart as u64, element.Length)
            })
            .collect()
    }
}

fn kinds() -> [DmaConfig; 5] {
    [
        DmaConfig::with_translation(Translation::Direct),
        DmaConfig::with_translation(Translation::Remapping),
        DmaConfig::with_translation(Translation::Bounce),
        DmaConfig {
            map_registers: 40,
            ..DmaConfig::with_translation(Translation::Bounce)
        },
        DmaConfig {
            registers_for_every_page: true,
            ..DmaConfig::with_translation(Translation::Direct)
        },
    ]
}

fn bytes_of(base: *const u8, count: usize) -> Vec<u8> {
    // SAFETY: the tests pass live buffers of at least that many bytes.
    unsafe { std::slice::from_raw_parts(base, count) }.to_vec()
}

#[test]
fn the_table_is_as_long_as_system_and_version_say() {
    for (os, version, bytes) in [
        (OsVersion::Windows10, 2, 128),
        (OsVersion::Windows10, 3, 312),
        (OsVersion::Server2022, 3, 320),
        (OsVersion::Windows11_24H2, 2, 128),
    ] {
        let config = DmaConfig {
            os,
            ..DmaConfig::default()
        };
        let request = AdapterRequest {
            version,
            address_bits: 64,
            maximum_length: 4096,
        };
        let bench = Bench::with(config, request);
        // SAFETY: the adapter lives.
        let size = unsafe { (*(*bench.adapter).DmaOperations).Size };
        assert_eq!(size, bytes, "{os:?} {version}");
    }
}

#[test]
fn bypass_is_told_on_identity_with_version_3_and_64_bits_only() {
    let told = |translation, version, address_bits| {
        let mut bench = Bench::with(
            DmaConfig::with_translation(translation),
            AdapterRequest {
                version,
                address_bits,
                maximum_length: 4096,
            },
        );
        bench.hal.tell_bypass(bench.adapter, "GetDmaAdapterInfo")
    };
    assert!(told(Translation::Direct, 3, 64));
    assert!(!told(Translation::Direct, 2, 64));
    assert!(!told(Translation::Direct, 3, 32));
    assert!(!told(Translation::Remapping, 3, 64));
    assert!(!told(Translation::Bounce, 3, 64));
    // Nor where the HAL wants to be asked for every page.
    let mut bench = Bench::new(DmaConfig {
        registers_for_every_page: true,
        ..DmaConfig::with_translation(Translation::Direct)
    });
    assert!(!bench.hal.tell_bypass(bench.adapter, "GetDmaAdapterInfo"));
}

#[test]
fn physical_addresses_are_for_those_who_were_told() {
    let mut bench = Bench::new(DmaConfig::default());
    let buffer = bench.buffer(PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Read);
    let address = bench.hal.memory.frames(buffer.region)[0] << 12;
    let mut byte = [0];
    let fault = bench
        .hal
        .device_read(DEVICE, address, &mut byte)
        .unwrap_err();
    assert_eq!(fault.reason, BusFaultReason::NotMapped);
    assert!(bench.hal.tell_bypass(bench.adapter, "GetDmaAdapterInfo"));
    bench.hal.device_read(DEVICE, address, &mut byte).unwrap();
    let fault = bench.hal.device_write(DEVICE, address, &[1]).unwrap_err();
    assert_eq!(
        fault.reason,
        BusFaultReason::Denied,
        "locked for reading only"
    );
    bench.hal.unlock_mdl(buffer.mdl, "WdfRequestComplete");
    assert!(bench.hal.device_read(DEVICE, address, &mut byte).is_err());
    let found = bench.hal.take_findings();
    assert!(found.iter().all(|f| f.rule == Rule::DeviceFault));
    assert!(
        found.last().unwrap().detail.contains("WdfRequestComplete"),
        "{found:?}"
    );

    let mut bench = Bench::new(DmaConfig::with_translation(Translation::Remapping));
    let buffer = bench.buffer(PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let address = bench.hal.memory.frames(buffer.region)[0] << 12;
    assert!(bench.hal.device_read(DEVICE, address, &mut byte).is_err());
}

#[test]
fn bounced_data_arrive_when_the_list_is_put_back() {
    let mut bench = Bench::new(DmaConfig::with_translation(Translation::Bounce));
    let buffer = bench.buffer(2 * PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let list = bench.map(&buffer, 100, 5000, false).unwrap();
    bench.device(list, &mut [7; 5000], true);
    assert_eq!(bytes_of(buffer.base, 2 * PAGE_BYTES), [0; 2 * PAGE_BYTES]);
    bench.put(list, false);
    let found = bytes_of(buffer.base, 2 * PAGE_BYTES);
    assert!(found[..100].iter().chain(&found[5100..]).all(|&b| b == 0));
    assert!(found[100..5100].iter().all(|&b| b == 7));
    assert!(bench.rules().is_empty());

    // What the device did not write comes from the bounce page, as it does on Windows.
    let list = bench.map(&buffer, 0, 4096, false).unwrap();
    bench.put(list, false);
    assert_eq!(bytes_of(buffer.base, 4096), [STALE; 4096]);
}

#[test]
fn bounced_data_for_the_device_are_those_at_mapping() {
    let mut bench = Bench::new(DmaConfig::with_translation(Translation::Bounce));
    let buffer = bench.buffer(PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Read);
    // SAFETY: the buffer has a page.
    unsafe { buffer.base.write_bytes(1, 100) };
    let list = bench.map(&buffer, 0, 100, true).unwrap();
    // SAFETY: as above.
    unsafe { buffer.base.write_bytes(2, 100) };
    let mut seen = [0; 100];
    bench.device(list, &mut seen, false);
    assert_eq!(seen, [1; 100]);
    let (address, _) = elements(list)[0];
    assert!(
        bench
            .hal
            .device_read(DEVICE, address + 100, &mut [0])
            .is_err()
    );
    assert!(bench.hal.device_write(DEVICE, address, &[0]).is_err());
    bench.put(list, true);
    assert_eq!(bench.rules(), [Rule::DeviceFault; 2]);
}

#[test]
fn low_pages_are_not_bounced_for_a_32_bit_device() {
    let request = AdapterRequest {
        version: 3,
        address_bits: 32,
        maximum_length: 1 << 20,
    };
    let mut bench = Bench::with(DmaConfig::default(), request);
    let low = bench.buffer(
        8 * PAGE_BYTES,
        &PageLayout::ContiguousLow,
        LockAccess::Write,
    );
    let high = bench.buffer(8 * PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let free = bench.hal.domain(DEVICE).free_registers();
    let first = bench.map(&low, 0, 8 * PAGE_BYTES as u64, false).unwrap();
    assert_eq!(bench.hal.domain(DEVICE).free_registers(), free);
    let second = bench.map(&high, 0, 8 * PAGE_BYTES as u64, false).unwrap();
    assert_eq!(bench.hal.domain(DEVICE).free_registers(), free - 8);
    assert!(
        elements(second)
            .iter()
            .all(|&(address, _)| address < 1 << 32)
    );
    bench.put(first, false);
    bench.put(second, false);
    let mut bench = Bench::with(DmaConfig::with_translation(Translation::Remapping), request);
    let high = bench.buffer(8 * PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let list = bench.map(&high, 0, 8 * PAGE_BYTES as u64, false).unwrap();
    let [(address, bytes)] = elements(list)[..] else {
        panic!("one run behind an IOMMU")
    };
    assert!(address + u64::from(bytes) <= 1 << 32);
}

#[test]
fn map_registers_run_out_and_are_waited_for() {
    let config = DmaConfig {
        map_registers: 10,
        ..DmaConfig::with_translation(Translation::Bounce)
    };
    let mut bench = Bench::new(config);
    let buffer = bench.buffer(20 * PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let page = PAGE_BYTES as u64;
    assert_eq!(
        bench.map(&buffer, 0, 11 * page, false),
        Err(ListRefusal::Impossible)
    );
    let first = bench.map(&buffer, 0, 6 * page, false).unwrap();
    assert_eq!(
        bench.map(&buffer, 6 * page, 5 * page, false),
        Err(ListRefusal::Short)
    );
    let request = bench.list(&buffer, 6 * page, 5 * page, false);
    bench.hal.wait(request, 1);
    assert!(bench.hal.is_waited_for(bench.adapter));
    assert!(bench.hal.serve("PutScatterGatherList").is_none());
    bench.put(first, false);
    let (list, waiter) = bench.hal.serve("PutScatterGatherList").unwrap();
    assert_eq!(waiter, 1);
    bench.put(list, false);
    assert_eq!(bench.hal.domain(DEVICE).free_registers(), 10);
    assert!(bench.rules().is_empty());
}

#[test]
fn lists_are_put_back_once_and_as_they_were_got() {
    let mut bench = Bench::new(DmaConfig::default());
    let buffer = bench.buffer(PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let list = bench.map(&buffer, 0, 10, false).unwrap();
    bench.put(list, true);
    assert_eq!(bench.rules(), [Rule::DmaList]);
    bench.put(list, false);
    assert_eq!(bench.rules(), [Rule::DmaList]);
    let list = bench.map(&buffer, 0, 10, false).unwrap();
    let (address, _) = elements(list)[0];
    bench.put(list, false);
    // SAFETY: lists that were put back stay allocated, and are poisoned.
    assert_eq!(
        unsafe { (*list).NumberOfElements },
        u32::from_ne_bytes([FREED; 4])
    );
    bench.hal.device_write(DEVICE, address, &[1]).unwrap_err();
    let found = bench.hal.take_findings();
    assert!(
        found[0]
            .detail
            .contains("last unmapped by PutScatterGatherList"),
        "{found:?}"
    );
}

#[test]
fn pages_are_released_after_the_device_let_go() {
    let mut bench = Bench::new(DmaConfig::with_translation(Translation::Bounce));
    let buffer = bench.buffer(PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let list = bench.map(&buffer, 0, 10, false).unwrap();
    bench.hal.unlock_mdl(buffer.mdl, "WdfRequestComplete");
    assert_eq!(
        bench.rules(),
        [Rule::DmaNotFlushed, Rule::PagesReleasedEarly]
    );
    bench.put(list, false);
    bench.hal.unlock_mdl(buffer.mdl, "WdfRequestComplete");
    assert_eq!(bench.rules(), [Rule::Mdl]);
}

#[test]
fn common_buffers_belong_to_their_adapter() {
    for config in kinds() {
        let mut bench = Bench::new(config);
        let request = AdapterRequest {
            version: 3,
            address_bits: 64,
            maximum_length: 4096,
        };
        // SAFETY: null is a value of every entry.
        let other = bench
            .hal
            .create_adapter(DEVICE, request, unsafe { core::mem::zeroed() });
        let (adapter, ddi) = (bench.adapter, "FreeCommonBuffer");
        let (address, logical) = bench
            .hal
            .allocate_common_buffer(adapter, 10_000, u64::MAX, "AllocateCommonBuffer")
            .unwrap();
        assert_eq!(bytes_of(address, 10_000), [FRESH; 10_000]);
        bench
            .hal
            .device_write(DEVICE, logical + 9000, &[3; 500])
            .unwrap();
        assert_eq!(bytes_of(address, 10_000)[9000..9500], [3; 500]);
        bench
            .hal
            .free_common_buffer(other, 10_000, logical, address, ddi);
        assert_eq!(bench.rules(), [Rule::DmaCommonBuffer]);
        bench.hal.remove_adapter(adapter, "PutDmaAdapter");
        assert_eq!(bench.rules(), [Rule::Leak]);
        bench
            .hal
            .free_common_buffer(adapter, 10_000, logical, address, ddi);
        assert!(bench.rules().is_empty());
        bench
            .hal
            .free_common_buffer(adapter, 10_000, logical, address, ddi);
        assert_eq!(bench.rules(), [Rule::DmaCommonBuffer]);
        assert!(bench.hal.device_write(DEVICE, logical, &[1]).is_err());
        // SAFETY: freed memory stays allocated in quarantine.
        unsafe { address.write(1) };
        bench.rules();
        bench.hal.finish();
        assert_eq!(bench.rules(), [Rule::WriteAfterFree]);
    }
}

#[test]
fn a_common_buffer_from_an_mdl_wants_whole_locked_mapped_pages() {
    let mut bench = Bench::new(DmaConfig::with_translation(Translation::Remapping));
    let buffer = bench.buffer(3 * PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let (adapter, ddi) = (bench.adapter, "CreateCommonBufferFromMdl");
    let page = PAGE_BYTES as u64;
    let create = |bench: &mut Bench, mdl, part| {
        bench
            .hal
            .common_buffer_from_mdl(adapter, mdl, part, Rights::BOTH, ddi)
    };
    assert_eq!(
        create(&mut bench, buffer.mdl, (0, 3 * page)),
        Err(ListRefusal::Invalid),
        "not system-mapped"
    );
    bench.hal.mdls.map(buffer.mdl).unwrap();
    assert_eq!(
        create(&mut bench, buffer.mdl, (0, 100)),
        Err(ListRefusal::Invalid)
    );
    let logical = create(&mut bench, buffer.mdl, (0, 3 * page)).unwrap();
    bench
        .hal
        .device_write(DEVICE, logical, &[9; 3 * PAGE_BYTES])
        .unwrap();
    assert_eq!(bytes_of(buffer.base, 3 * PAGE_BYTES), [9; 3 * PAGE_BYTES]);
    bench.hal.free_common_buffer(
        adapter,
        3 * PAGE_BYTES as u32,
        logical,
        buffer.base,
        "FreeCommonBuffer",
    );
    bench.hal.unlock_mdl(buffer.mdl, "WdfRequestComplete");
    assert!(bench.rules().is_empty());

    let mut bench = Bench::new(DmaConfig::default());
    let adapter = bench.adapter;
    for (layout, works) in [
        (PageLayout::Shuffled, false),
        (PageLayout::Contiguous, true),
    ] {
        let buffer = bench.buffer(3 * PAGE_BYTES, &layout, LockAccess::Write);
        bench.hal.mdls.map(buffer.mdl).unwrap();
        let made =
            bench
                .hal
                .common_buffer_from_mdl(adapter, buffer.mdl, (0, 3 * page), Rights::BOTH, ddi);
        assert_eq!(made.is_ok(), works);
    }
}

#[test]
fn a_device_that_may_not_is_refused() {
    let mut bench = Bench::new(DmaConfig::default());
    let adapter = bench.adapter;
    let (_, logical) = bench
        .hal
        .allocate_common_buffer(adapter, 4096, u64::MAX, "AllocateCommonBuffer")
        .unwrap();
    bench.hal.domain(DEVICE).bus_master = false;
    let fault = bench.hal.device_write(DEVICE, logical, &[1]).unwrap_err();
    assert_eq!(fault.reason, BusFaultReason::BusMasterOff);
    bench.hal.domain(DEVICE).removed = true;
    let fault = bench
        .hal
        .device_read(DEVICE, logical, &mut [1])
        .unwrap_err();
    assert_eq!(fault.reason, BusFaultReason::Removed);
    assert_eq!(bench.rules(), [Rule::DeviceFault; 2]);
}

#[test]
fn a_read_lock_is_not_written_and_lengths_are_kept() {
    let mut bench = Bench::with(
        DmaConfig::default(),
        AdapterRequest {
            version: 3,
            address_bits: 64,
            maximum_length: 4096,
        },
    );
    let buffer = bench.buffer(3 * PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Read);
    let list = bench.map(&buffer, 0, 4097, false).unwrap();
    assert_eq!(bench.rules(), [Rule::DmaLength, Rule::Mdl]);
    bench.put(list, false);
    assert_eq!(
        bench.map(&buffer, 12_000, 4096, true),
        Err(ListRefusal::Invalid)
    );
    assert_eq!(bench.rules(), [Rule::Mdl]);
    bench.hal.adapter(std::ptr::null_mut(), "PutDmaAdapter");
    assert_eq!(bench.rules(), [Rule::DmaAdapter]);
}

/// One thing that happens in the property test.
#[derive(Clone, Debug)]
enum Step {
    Map {
        offset: u64,
        length: u64,
        write: bool,
    },
    Put(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0u64..80_000, 1u64..40_000, any::<bool>()).prop_map(|(offset, length, write)| Step::Map { offset, length, write }),
        2 => any::<prop::sample::Index>().prop_map(|index| Step::Put(index.index(1 << 20))),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Random mappings, each of which the device fills or reads at once: what the CPU finds after Put is what the device wrote, what the
    /// device finds is what the CPU wrote before the mapping, and the remains in bounce pages are never seen.
    #[test]
    fn bytes_arrive_on_every_kind_of_adapter(steps in steps(), kind in 0usize..5, seed in 1u8..100) {
        const BYTES: usize = 20 * PAGE_BYTES;
        let mut bench = Bench::new(kinds()[kind]);
        let buffer = bench.buffer(BYTES, &PageLayout::Shuffled, LockAccess::Write);
        let mut model: Vec<u8> = (0..BYTES).map(|at| (at % 97) as u8).collect();
        // SAFETY: the buffer has that many bytes.
        unsafe { buffer.base.copy_from_nonoverlapping(model.as_ptr(), BYTES) };
        let mut live: Vec<(PSCATTER_GATHER_LIST, u64, u64, bool)> = Vec::new();
        let mut count = 0u8;
        for step in steps {
            match step {
                Step::Map { offset, length, write } => {
                    let length = length.min(BYTES as u64 - offset);
                    // Two mappings of the same bytes, one of which the device writes, would race on Windows too.
                    let clash = |&(_, from, bytes, wrote): &(_, u64, u64, bool)| {
                        from < offset + length && offset < from + bytes && !(wrote && write)
                    };
                    if live.iter().any(clash) {
                        continue;
                    }
                    let range = offset as usize..(offset + length) as usize;
                    let list = match bench.map(&buffer, offset, length, write) {
                        Ok(list) => list,
                        Err(refusal) => {
                            prop_assert!(matches!(refusal, ListRefusal::Short | ListRefusal::Impossible));
                            continue;
                        }
                    };
                    if write {
                        let mut seen = vec![0; length as usize];
                        bench.device(list, &mut seen, false);
                        prop_assert_eq!(&seen[..], &model[range]);
                    } else {
                        count = (count + 1) % 90;
                        let byte = count.wrapping_add(seed) % 100;
                        let mut data: Vec<u8> = (0..length).map(|at| byte ^ (at % 3) as u8).collect();
                        bench.device(list, &mut data, true);
                        model[range].copy_from_slice(&data);
                    }
                    live.push((list, offset, length, write));
                }
                Step::Put(index) if !live.is_empty() => {
                    let (list, offset, length, write) = live.swap_remove(index % live.len());
                    bench.put(list, write);
                    let range = offset as usize..(offset + length) as usize;
                    let found = bytes_of(buffer.base, BYTES);
                    prop_assert_eq!(&found[range.clone()], &model[range]);
                }
                Step::Put(_) => {}
            }
        }
        for (list, _, _, write) in live {
            bench.put(list, write);
        }
        prop_assert_eq!(bytes_of(buffer.base, BYTES), model);
        bench.hal.unlock_mdl(buffer.mdl, "WdfRequestComplete");
        let (adapter, registers) = (bench.adapter, bench.hal.domain(DEVICE).registers());
        prop_assert_eq!(bench.hal.domain(DEVICE).free_registers(), registers);
        bench.hal.remove_adapter(adapter, "PutDmaAdapter");
        bench.hal.memory.free(buffer.region);
        bench.hal.finish();
        prop_assert_eq!(bench.hal.take_findings(), []);
    }
}

#[test]
fn mappings_that_share_a_page_end_each_for_itself() {
    let mut bench = Bench::new(DmaConfig::default());
    let buffer = bench.buffer(PAGE_BYTES, &PageLayout::Shuffled, LockAccess::Write);
    let first = bench.map(&buffer, 0, 100, false).unwrap();
    let second = bench.map(&buffer, 100, 100, false).unwrap();
    let (address, _) = elements(first)[0];
    bench
        .hal
        .device_write(DEVICE, address + 90, &[1; 20])
        .unwrap();
    bench.put(first, false);
    bench
        .hal
        .device_write(DEVICE, address + 100, &[2; 100])
        .unwrap();
    assert!(bench.rules().is_empty());
    bench
        .hal
        .device_write(DEVICE, address + 99, &[3])
        .unwrap_err();
    bench.put(second, false);
    assert_eq!(
        bytes_of(buffer.base, 200)[90..101],
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]
    );
    assert_eq!(bench.rules(), [Rule::DeviceFault]);
}
