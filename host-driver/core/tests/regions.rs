//! Registration: tiers, tables, hints, generations.

mod common;

use common::*;
use pinring_core::mock::{Mock, MockBus as _};
use pinring_core::{
    AdminError, CopyDirection, CopyError, Device, MapError, NotAvailable, Permissions,
    RegionHandle, RegisterError, SubmitError, Tier, TierPolicy, TransferError,
};
use pinring_protocol::registers;
use pinring_protocol::{Direction, RegionEntry, SgElement, SgFormat, SgUniformElement, Status};
use proptest::prelude::*;

/// The region's entry, as the device reads it.
fn entry(mock: &Mock, region: RegionHandle) -> RegionEntry {
    let mut host = mock.host_mut();
    let table = host.device.get(&registers::REGION_TABLE);
    let mut bytes = [0; RegionEntry::BYTES];
    assert!(host.bus_read(table + u64::from(region.id()) * 64, &mut bytes));
    RegionEntry::decode(&bytes).unwrap()
}

/// Every page of a region's table in order, with the index of its element.
fn expand(mock: &Mock, entry: &RegionEntry) -> Vec<(u64, u32)> {
    let mut pages = Vec::new();
    for index in 0..entry.element_count() {
        let mut host = mock.host_mut();
        let (first, count) = if entry.format() == Ok(SgFormat::Uniform) {
            let mut bytes = [0; SgUniformElement::BYTES];
            assert!(host.bus_read(entry.sg_table() + u64::from(index) * 8, &mut bytes));
            let element = SgUniformElement::decode(&bytes).unwrap();
            assert_eq!(
                element.page_frame() % (1 << (entry.page_shift() - 12)),
                0,
                "the page is not aligned to its size"
            );
            (element.page_frame(), 1 << (entry.page_shift() - 12))
        } else {
            let mut bytes = [0; SgElement::BYTES];
            assert!(host.bus_read(entry.sg_table() + u64::from(index) * 16, &mut bytes));
            let element = SgElement::decode(&bytes).unwrap();
            assert_eq!(
                element.start_page() as usize,
                pages.len(),
                "an element does not follow the one before"
            );
            (element.page_frame(), u64::from(element.pages()))
        };
        pages.extend((first..first + count).map(|frame| (frame, index)));
    }
    pages
}

/// Largest uniform page that the frames allow, by trying each.
fn largest_shift(frames: &[u64]) -> u8 {
    let fits = |shift: u8| {
        frames.chunks(1 << (shift - 12)).all(|page| {
            page[0].is_multiple_of(1 << (shift - 12))
                && page.windows(2).all(|pair| pair[1] == pair[0] + 1)
        })
    };
    (12..=30).rev().find(|&shift| fits(shift)).unwrap()
}

fn runs(frames: &[u64]) -> usize {
    1 + frames
        .windows(2)
        .filter(|pair| pair[1] != pair[0] + 1)
        .count()
}

/// Pages of a buffer: runs of random length at random places, at times aligned, in random order.
fn frames() -> impl Strategy<Value = Vec<u64>> {
    let run = (0u32..5, 0u64..40, any::<bool>(), 0u64..1 << 20);
    prop_oneof![
        prop::collection::vec(run.clone(), 1..40).prop_map(|runs| layout(&runs, 0)),
        // Whole large pages of one size, as huge pages give them.
        (prop::collection::vec(run, 1..6), 1u32..7).prop_map(|(runs, order)| layout(&runs, order)),
    ]
}

fn layout(runs: &[(u32, u64, bool, u64)], order: u32) -> Vec<u64> {
    let mut at = 0x10_0000;
    let mut placed: Vec<(u64, Vec<u64>)> = Vec::new();
    for &(gap, length, aligned, key) in runs {
        at += u64::from(gap);
        if aligned || order != 0 {
            at = at.next_multiple_of(1 << order.max(3));
        }
        let pages = if order == 0 {
            length + 1
        } else {
            (length % 3 + 1) << order
        };
        placed.push((key, (at..at + pages).collect()));
        at += pages;
    }
    placed.sort();
    placed.into_iter().flat_map(|(_, frames)| frames).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn a_table_gives_the_pages_back_and_every_hint_holds(
        frames in frames(), first_byte in 0u16..4096, short in 0u64..4096, uniform in any::<bool>(),
    ) {
        let mock = Mock::new();
        let features = registers::Features::new().with_uniform_sg(uniform);
        mock.host_mut().device.set(&registers::FEATURES, features.raw());
        let mut device = start(&mock);
        let length = (frames.len() as u64 * 4096 - u64::from(first_byte)).saturating_sub(short % 4095).max(1);
        let pages = (u64::from(first_byte) + length).div_ceil(4096) as usize;
        let frames = &frames[..pages];
        let buffer = mock.lock_buffer(first_byte, length, frames);
        let region = register(&mut device, buffer, Tier::Bypass);
        let entry = entry(&mock, region);
        prop_assert_eq!((entry.length(), entry.first_byte_offset()), (length, first_byte));

        let expanded = expand(&mock, &entry);
        prop_assert!(expanded.len() >= pages);
        prop_assert_eq!(expanded[..pages].iter().map(|page| page.0).collect::<Vec<_>>(), frames);

        let shift = largest_shift(frames);
        let uniform_bytes = pages.div_ceil(1 << (shift - 12)) * 8;
        if uniform && uniform_bytes < runs(frames) * 16 {
            prop_assert_eq!((entry.format(), entry.page_shift()), (Ok(SgFormat::Uniform), shift));
        } else {
            prop_assert_eq!((entry.format(), entry.element_count() as usize), (Ok(SgFormat::PageGranular), runs(frames)));
        }

        // The first and last byte of every page, through the device's own check.
        let queue = queue(&mock, &mut device, Direction::H2c);
        let base = u64::from(first_byte);
        for page in 0..pages as u64 {
            let first = (page * 4096).max(base) - base;
            let last = (page * 4096 + 4095).min(base + length - 1) - base;
            device.submit(queue, &[transfer(region, first, 1), transfer(region, last, 1)]).unwrap();
            mock.run();
            let ended = reap(&mut device, queue);
            prop_assert!(ended.iter().all(|completion| completion.status == Status::Ok), "{:?}", ended);
            let hints = core::mem::take(&mut mock.host_mut().device.hints);
            prop_assert_eq!(hints, vec![expanded[page as usize].1; 2]);
        }
        close(&mock, device);
    }
}

#[test]
fn hints_hold_in_tables_of_many_elements() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::H2c);
    // Three neighbours, then a gap: page-granular, and every group of the index holds many elements.
    let frames: Vec<u64> = (0..2000).map(|page| 0x9_0001 + page + page / 3).collect();
    let buffer = mock.lock_buffer(0, 2000 * 4096, &frames);
    let region = register(&mut device, buffer, Tier::Bypass);
    let table = device.region_info(region).unwrap().table.unwrap();
    assert_eq!(
        (table.format, table.elements),
        (SgFormat::PageGranular, 667)
    );
    for page in 0..2000 {
        device
            .submit(queue, &[transfer(region, page * 4096 + 17, 1)])
            .unwrap();
        mock.run();
        assert_eq!(
            reap(&mut device, queue)[0].status,
            Status::Ok,
            "page {page}"
        );
        assert_eq!(mock.host_mut().device.hints.pop(), Some(page as u32 / 3));
    }
    close(&mock, device);
}

#[test]
fn huge_pages_make_a_short_table() {
    let mock = Mock::new();
    let mut device = start(&mock);
    // 2 MiB pages, the last one short.
    let frames: Vec<u64> = [7u64, 3, 9]
        .iter()
        .flat_map(|page| page * 512..page * 512 + 512)
        .take(512 * 2 + 100)
        .collect();
    let buffer = mock.lock_buffer(100, frames.len() as u64 * 4096 - 100, &frames);
    let region = register(&mut device, buffer, Tier::Bypass);
    let table = device.region_info(region).unwrap().table.unwrap();
    assert_eq!(
        (table.format, table.page_shift, table.elements, table.pages),
        (SgFormat::Uniform, 21, 3, 1124)
    );
    close(&mock, device);
}

#[test]
fn the_tier_is_what_can_be_had() {
    let cases = [
        (true, true, Tier::Bypass),
        (false, true, Tier::MappedOnce),
        (false, false, Tier::PerTransfer),
    ];
    for (bypass, mapped_once, expected) in cases {
        let mock = Mock::new();
        (mock.host_mut().bypass, mock.host_mut().mapped_once) = (bypass, mapped_once);
        let mut device = start(&mock);
        let buffer = mock.lock_scattered(40, 20_000);
        let region = device
            .register(buffer, Permissions::BOTH, DOMAIN, TierPolicy::BEST)
            .unwrap();
        let info = device.region_info(region).unwrap();
        assert_eq!(
            (info.tier, info.table.is_some()),
            (expected, expected != Tier::PerTransfer)
        );
        assert_eq!((info.buffer, info.length), (buffer, 20_000));
        // MappedOnce is one range, whatever the pages.
        if expected == Tier::MappedOnce {
            assert_eq!(info.table.map(|table| table.elements), Some(1));
        }
        close(&mock, device);
    }
}

#[test]
fn a_tier_that_cannot_be_had_is_an_error_unless_a_weaker_one_is_allowed() {
    let mock = Mock::new();
    (mock.host_mut().bypass, mock.host_mut().mapped_once) = (false, false);
    let mut device = start(&mock);
    let buffer = mock.lock_scattered(0, 20_000);
    let mut register = |first, last| {
        device.register(
            buffer,
            Permissions::BOTH,
            DOMAIN,
            TierPolicy { first, last },
        )
    };
    let refused = register(Tier::Bypass, Tier::Bypass).unwrap_err();
    assert_eq!(
        refused,
        RegisterError::Tier {
            tier: Tier::Bypass,
            reason: NotAvailable::Translated
        }
    );
    let refused = register(Tier::Bypass, Tier::MappedOnce).unwrap_err();
    assert_eq!(
        refused,
        RegisterError::Tier {
            tier: Tier::MappedOnce,
            reason: NotAvailable::Unsupported
        }
    );
    let region = register(Tier::MappedOnce, Tier::PerTransfer).unwrap();
    let common = register(Tier::CommonBuffer, Tier::CommonBuffer).unwrap();
    assert_eq!(device.region_info(region).unwrap().tier, Tier::PerTransfer);
    assert_eq!(device.region_info(common).unwrap().tier, Tier::CommonBuffer);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let refused = device.submit(queue, &[transfer(region, 0, 1)]).unwrap_err();
    assert_eq!(
        refused,
        SubmitError::Transfer {
            index: 0,
            cause: TransferError::NeedsList
        }
    );
    close(&mock, device);
}

#[test]
fn registrations_that_cannot_be_leave_nothing_behind() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let before = mock.host().counts;
    let register = |device: &mut Device<Mock>, buffer, permissions| {
        device
            .register(
                buffer,
                permissions,
                DOMAIN,
                TierPolicy::exactly(Tier::Bypass),
            )
            .unwrap_err()
    };
    let none = Permissions {
        c2h: false,
        h2c: false,
    };
    let empty = mock.lock_buffer(0, 0, &[]);
    let buffer = mock.lock_scattered(0, 20_000);
    // The last buffer has fewer pages than its length says.
    let lacking = mock.lock_buffer(0, 8193, &[1, 2]);
    let excess = mock.lock_buffer(0, 4096, &[5, 7]);
    assert_eq!(
        register(&mut device, pinring_core::BufferId(1), Permissions::BOTH),
        RegisterError::UnknownBuffer
    );
    assert_eq!(
        register(&mut device, empty, Permissions::BOTH),
        RegisterError::Empty
    );
    assert_eq!(register(&mut device, buffer, none), RegisterError::Empty);
    assert!(matches!(
        register(&mut device, lacking, Permissions::BOTH),
        RegisterError::Table(_)
    ));
    assert!(matches!(
        register(&mut device, excess, Permissions::BOTH),
        RegisterError::Table(_)
    ));
    mock.host_mut().allocations_left = 0;
    assert!(matches!(
        register(&mut device, buffer, Permissions::BOTH),
        RegisterError::Memory(_)
    ));
    let counts = mock.host().counts;
    assert_eq!(
        (counts.dma_memory, counts.mappings),
        (before.dma_memory, before.mappings)
    );
    close(&mock, device);
}

#[test]
fn ids_run_out_and_come_back_with_the_next_generation() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(0, 5000);
    let all: Vec<_> = (0..config().regions)
        .map(|_| register(&mut device, buffer, Tier::Bypass))
        .collect();
    let refused = device
        .register(buffer, Permissions::BOTH, DOMAIN, TierPolicy::BEST)
        .unwrap_err();
    assert_eq!(refused, RegisterError::NoRegion(64));
    let ticket = device.unregister(all[9]).unwrap();
    // Stale at once, mapped until the device has acknowledged, and the id is not given out before.
    let cause = TransferError::RegionBusy;
    assert_eq!(
        device.submit(queue, &[transfer(all[9], 0, 1)]),
        Err(SubmitError::Transfer { index: 0, cause })
    );
    assert_eq!(mock.host().counts.mappings, 64);
    assert!(
        device
            .register(buffer, Permissions::BOTH, DOMAIN, TierPolicy::BEST)
            .is_err()
    );
    assert!(matches!(
        device.unregister(all[9]),
        Err(AdminError::Region(TransferError::RegionBusy))
    ));
    let retired = redeem(&mock, &mut device, ticket).retired.unwrap();
    assert_eq!(mock.host().counts.mappings, 64);
    device.settle(retired);
    assert_eq!(mock.host().counts.mappings, 63);
    let again = register(&mut device, buffer, Tier::Bypass);
    assert_eq!(
        (again.id(), again.generation()),
        (all[9].id(), all[9].generation().wrapping_add(1))
    );
    let cause = TransferError::StaleRegion(all[9]);
    assert_eq!(
        device.submit(queue, &[transfer(all[9], 0, 1)]),
        Err(SubmitError::Transfer { index: 0, cause })
    );
    assert!(device.submit(queue, &[transfer(again, 0, 1)]).is_ok());
    close(&mock, device);
}

#[test]
fn the_device_refuses_what_was_submitted_before_the_region_went_away() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(0, 5000);
    let region = register(&mut device, buffer, Tier::MappedOnce);
    device
        .submit(
            queue,
            &[transfer(region, 0, 5000), transfer(region, 1, 100)],
        )
        .unwrap();
    let ticket = device.unregister(region).unwrap();
    let retired = redeem(&mock, &mut device, ticket).retired.unwrap();
    device.settle(retired);
    let ended = reap(&mut device, queue);
    assert_eq!(
        ended.iter().map(|c| c.status).collect::<Vec<_>>(),
        [Status::Aborted; 2]
    );
    assert_eq!(mock.bytes(buffer, 0, 5000), vec![0; 5000]);
    close(&mock, device);
}

#[test]
fn a_cancelled_region_comes_back_under_a_new_handle() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(0, 5000);
    let region = register(&mut device, buffer, Tier::Bypass);
    device.submit(queue, &[transfer(region, 0, 5000)]).unwrap();
    let (next, ticket) = device.cancel_region(region).unwrap();
    assert!(matches!(
        device.submit(queue, &[transfer(region, 0, 1)]),
        Err(SubmitError::Transfer {
            cause: TransferError::StaleRegion(_),
            ..
        })
    ));
    assert!(redeem(&mock, &mut device, ticket).result.is_ok());
    assert_eq!(reap(&mut device, queue)[0].status, Status::Aborted);
    device.submit(queue, &[transfer(next, 0, 5000)]).unwrap();
    mock.run();
    assert_eq!(reap(&mut device, queue)[0].status, Status::Ok);
    close(&mock, device);
}

#[test]
fn handles_of_another_device_are_foreign() {
    let mock = Mock::new();
    let (mut one, mut other) = (start(&mock), start(&Mock::new()));
    let queue = queue(&mock, &mut one, Direction::C2h);
    let buffer = other.platform().lock_scattered(0, 5000);
    let foreign = register(&mut other, buffer, Tier::Bypass);
    let home = mock.lock_scattered(0, 5000);
    register(&mut one, home, Tier::Bypass);
    let cause = TransferError::ForeignRegion(foreign);
    assert_eq!(
        one.submit(queue, &[transfer(foreign, 0, 1)]),
        Err(SubmitError::Transfer { index: 0, cause })
    );
    assert_eq!(RegionHandle::from_bits(foreign.to_bits()), foreign);
    close(&mock, one);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_number_is_a_handle_that_is_refused_or_right(bits in any::<u64>()) {
        let mock = Mock::new();
        let mut device = start(&mock);
        let buffer = mock.lock_scattered(0, 5000);
        let region = register(&mut device, buffer, Tier::Bypass);
        let handle = RegionHandle::from_bits(bits);
        prop_assert_eq!(device.region_info(handle).is_ok(), handle == region);
    }
}

#[test]
fn lists_are_for_one_transfer() {
    let mock = Mock::new();
    mock.host_mut().bounce = true;
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(300, 900_000);
    let region = register(&mut device, buffer, Tier::PerTransfer);
    let list = device
        .prepare(region, 5000, 70_000, Direction::C2h)
        .unwrap();
    assert!(entry(&mock, list).one_shot());
    let refuse = |device: &mut Device<Mock>, batch: &[pinring_core::Transfer]| match device
        .submit(queue, batch)
    {
        Err(SubmitError::Transfer { cause, .. }) => cause,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refuse(&mut device, &[transfer(list, 0, 69_999)]),
        TransferError::ListRange { length: 70_000 }
    );
    let twice = [transfer(list, 0, 70_000), transfer(list, 0, 70_000)];
    assert_eq!(refuse(&mut device, &twice), TransferError::ListUsed);
    device.submit(queue, &twice[..1]).unwrap();
    assert_eq!(device.release_list(list), Err(TransferError::ListBusy));
    assert_eq!(device.release_list(region), Err(TransferError::NotAList));
    assert!(matches!(
        device.unregister(region),
        Err(AdminError::ListsOutstanding(1))
    ));
    mock.run();
    assert_eq!(reap(&mut device, queue)[0].status, Status::Ok);
    assert_eq!(refuse(&mut device, &twice[..1]), TransferError::ListUsed);
    // The data is where the application looks only after the list was released, as this host bounces.
    let expected: Vec<u8> = (0..70_000).map(pinring_core::mock::stream_byte).collect();
    assert_ne!(mock.bytes(buffer, 5000, 70_000), expected);
    device.release_list(list).unwrap();
    assert_eq!(mock.bytes(buffer, 5000, 70_000), expected);
    assert_eq!(mock.bytes(buffer, 0, 5000), vec![0; 5000]);
    assert_eq!(
        device.release_list(list),
        Err(TransferError::StaleRegion(list))
    );
    let ticket = device.unregister(region).unwrap();
    assert!(redeem(&mock, &mut device, ticket).result.is_ok());
    close(&mock, device);
}

#[test]
fn a_long_list_is_mapped_in_pieces() {
    let mock = Mock::new();
    mock.host_mut().max_mapping = 3 * 4096;
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::H2c);
    let buffer = mock.lock_scattered(300, 200_000);
    let data: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    mock.fill(buffer, 0, &data);
    let region = register(&mut device, buffer, Tier::PerTransfer);
    let list = device
        .prepare(region, 777, 100_001, Direction::H2c)
        .unwrap();
    assert_eq!(
        mock.host().counts.mappings,
        (300 + 777 + 100_001usize).div_ceil(3 * 4096)
    );
    device.submit(queue, &[transfer(list, 0, 100_001)]).unwrap();
    mock.run();
    assert_eq!(reap(&mut device, queue)[0].bytes, 100_001);
    assert_eq!(
        mock.host().device.packets_out,
        [(12, data[777..100_778].to_vec())]
    );
    device.release_list(list).unwrap();
    assert_eq!(mock.host().counts.mappings, 0);
    close(&mock, device);
}

#[test]
fn shortages_are_told_apart_and_give_everything_back() {
    let mock = Mock::new();
    (
        mock.host_mut().bounce,
        mock.host_mut().map_registers,
        mock.host_mut().max_mapping,
    ) = (true, 9, 4 * 4096);
    let mut device = start(&mock);
    let buffer = mock.lock_scattered(0, 900_000);
    let region = register(&mut device, buffer, Tier::PerTransfer);
    let first = device.prepare(region, 0, 4096 * 6, Direction::C2h).unwrap();
    // The second piece does not fit: the first is given back, and the list's memory too.
    for _ in 0..10 {
        let short = device
            .prepare(region, 0, 4096 * 7, Direction::C2h)
            .unwrap_err();
        assert_eq!(short, RegisterError::Map(MapError::NoMapRegisters));
        assert!(short.is_shortage());
    }
    assert_eq!(mock.host().map_registers, 3);
    device.release_list(first).unwrap();
    assert_eq!(mock.host().map_registers, 9);
    let lists: Vec<_> = (0..4)
        .map(|_| device.prepare(region, 0, 10, Direction::C2h).unwrap())
        .collect();
    let short = device.prepare(region, 0, 10, Direction::C2h).unwrap_err();
    assert!(matches!(short, RegisterError::NoList(10)) && short.is_shortage());
    let long = device
        .prepare(region, 0, 2_000_000, Direction::C2h)
        .unwrap_err();
    assert!(
        matches!(
            long,
            RegisterError::Range(TransferError::OutOfBounds { .. })
        ) && !long.is_shortage()
    );
    for list in lists {
        device.release_list(list).unwrap();
    }
    close(&mock, device);
}

#[test]
fn a_request_that_is_never_built_gives_its_list_back() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let buffer = mock.lock_scattered(0, 9000);
    let region = register(&mut device, buffer, Tier::PerTransfer);
    for _ in 0..20 {
        let request = device
            .request_list(region, 0, 9000, Direction::C2h)
            .unwrap();
        assert_eq!(device.install(request), Err(RegisterError::NotBuilt));
    }
    // Nor does any of them hold the region.
    let ticket = device.unregister(region).unwrap();
    assert!(redeem(&mock, &mut device, ticket).result.is_ok());
    close(&mock, device);
}

/// Unregisters a region that nothing holds any more.
fn unregister(mock: &Mock, device: &mut Device<Mock>, region: RegionHandle) {
    let ticket = device.unregister(region).unwrap();
    let event = redeem(mock, device, ticket);
    assert_eq!(event.result, Ok(()));
    device.settle(event.retired.unwrap());
}

#[test]
fn a_region_stays_while_lists_of_it_are_being_made() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(0, 9000);
    let region = register(&mut device, buffer, Tier::PerTransfer);
    // In three steps, as a driver does it outside its lock, with an attempt to unregister the region behind each.
    let held = |device: &mut Device<Mock>, lists| {
        assert_eq!(
            device.unregister(region),
            Err(AdminError::ListsOutstanding(lists))
        )
    };
    let mut requests = [0, 1].map(|_| {
        device
            .request_list(region, 0, 9000, Direction::C2h)
            .unwrap()
    });
    held(&mut device, 2);
    for request in &mut requests {
        request.build(&mut mock.clone()).unwrap();
    }
    held(&mut device, 2);
    let lists = requests.map(|request| device.install(request).unwrap());
    held(&mut device, 2);
    device
        .submit(queue, &[transfer(lists[0], 0, 9000)])
        .unwrap();
    held(&mut device, 2);
    // The one never submitted is released, the other taken out of the device's hands.
    device.release_list(lists[1]).unwrap();
    held(&mut device, 1);
    let ticket = device.unregister(lists[0]).unwrap();
    held(&mut device, 1);
    let retired = redeem(&mock, &mut device, ticket).retired.unwrap();
    device.settle(retired);
    assert_eq!(mock.host().counts.mappings, 0);
    unregister(&mock, &mut device, region);
    close(&mock, device);
}

#[test]
fn a_list_that_does_not_come_to_be_lets_its_region_go() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let buffer = mock.lock_scattered(0, 9000);
    let region = register(&mut device, buffer, Tier::PerTransfer);
    let request = |device: &mut Device<Mock>, region| {
        let mut request = device
            .request_list(region, 0, 9000, Direction::C2h)
            .unwrap();
        request.build(&mut mock.clone()).unwrap();
        request
    };

    // Map registers have run out.
    (mock.host_mut().bounce, mock.host_mut().map_registers) = (true, 0);
    let short = device.prepare(region, 0, 9000, Direction::C2h).unwrap_err();
    assert!(short.is_shortage());
    (mock.host_mut().bounce, mock.host_mut().map_registers) = (false, usize::MAX);

    // Nor is anything counted where nothing was requested.
    let wrong = device.request_list(region, 1, 9000, Direction::C2h);
    assert!(matches!(wrong, Err(RegisterError::Range(_))));
    let long = device.request_list(region, 0, 9000, Direction::C2h);
    let others: Vec<_> = (0..3).map(|_| request(&mut device, region)).collect();
    let none = device.request_list(region, 0, 9000, Direction::C2h);
    assert_eq!(none.unwrap_err(), RegisterError::NoList(9000));

    // A reset comes between.
    device.reset().unwrap();
    for request in others.into_iter().chain(long) {
        assert_eq!(
            device.install(request),
            Err(RegisterError::State(pinring_core::StateError::NotRunning))
        );
    }
    assert_eq!(mock.host().counts.mappings, 0);
    wait(&mut device);

    // Or it was requested before the reset and comes behind it: the region is as before.
    let early = request(&mut device, region);
    device.reset().unwrap();
    wait(&mut device);
    let list = device.install(early).unwrap();
    assert_eq!(
        device.unregister(region),
        Err(AdminError::ListsOutstanding(1))
    );
    device.release_list(list).unwrap();

    // The region is cancelled between.
    let early = request(&mut device, region);
    let list = device.prepare(region, 0, 9000, Direction::C2h).unwrap();
    let (next, ticket) = device.cancel_region(region).unwrap();
    assert!(redeem(&mock, &mut device, ticket).result.is_ok());
    assert_eq!(
        device.unregister(next),
        Err(AdminError::ListsOutstanding(2))
    );
    assert_eq!(
        device.install(early),
        Err(RegisterError::Range(TransferError::StaleRegion(region)))
    );
    assert_eq!(
        device.unregister(next),
        Err(AdminError::ListsOutstanding(1))
    );
    device.release_list(list).unwrap();
    unregister(&mock, &mut device, next);

    // The device is closed between.
    let region = register(&mut device, buffer, Tier::PerTransfer);
    let late = request(&mut device, region);
    device.close().unwrap();
    assert!(device.install(late).is_err());
    let host = mock.host();
    assert_eq!((host.counts.dma_memory, host.counts.mappings), (0, 0));
    assert_eq!(host.violations, Vec::<String>::new());
}

#[test]
fn a_list_has_no_lists() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let buffer = mock.lock_scattered(300, 90_000);
    let region = register(&mut device, buffer, Tier::PerTransfer);
    let list = device.prepare(region, 5000, 9000, Direction::C2h).unwrap();
    // It would be of other bytes than the list's, and stay when the region goes.
    assert_eq!(
        device.prepare(list, 0, 9000, Direction::C2h),
        Err(RegisterError::Range(TransferError::ListOfList))
    );
    device.release_list(list).unwrap();
    unregister(&mock, &mut device, region);
    close(&mock, device);
}

#[test]
fn only_common_buffers_are_copied() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let buffer = mock.lock_scattered(3, 9000);
    let mapped = register(&mut device, buffer, Tier::Bypass);
    let common = register(&mut device, buffer, Tier::CommonBuffer);
    assert_eq!(
        device.region_info(common).unwrap().table.unwrap().elements,
        1
    );
    let refused = device.copy(mapped, 0, 10, CopyDirection::In);
    assert_eq!(refused, Err(CopyError::NotCommonBuffer(Tier::Bypass)));
    let refused = device.copy(common, 8999, 2, CopyDirection::In);
    assert!(matches!(
        refused,
        Err(CopyError::Range(TransferError::OutOfBounds { .. }))
    ));
    device.copy(common, 0, 9000, CopyDirection::Out).unwrap();
    assert_eq!(mock.host().counts.copied, 9000);
    close(&mock, device);
}
