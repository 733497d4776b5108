//! Each rule of memory and DMA is reported when a driver breaks it.

use std::ptr::null_mut;

use crate::bench::*;
use crate::note;
use kmdf_sim::dma::{DeviceMemory, DmaConfig, Translation};
use kmdf_sim::memory::{DeviceBus, Freed, PageLayout};
use kmdf_sim::ntddk::*;
use kmdf_sim::*;

/// What a handler that breaks one rule is reported for; other reports are a failure.
fn reported(
    bench: Bench,
    handler: impl FnOnce(Env) + 'static,
) -> Vec<(Rule, &'static str, String)> {
    let report = bench.run(handler).report;
    let violations = report.violations.into_iter();
    violations
        .map(|found| (found.rule, found.ddi, found.detail))
        .collect()
}

fn breaks(rule: Rule, ddi: &str, handler: impl FnOnce(Env) + 'static) {
    breaks_on(Bench::new(DmaConfig::default()), rule, ddi, handler);
}

fn breaks_on(bench: Bench, rule: Rule, ddi: &str, handler: impl FnOnce(Env) + 'static) {
    let found = reported(bench, handler);
    // A machine that stopped in the middle of a request leaves others behind, later; the first counts.
    let first = found.first().map(|(rule, ddi, _)| (*rule, *ddi));
    assert_eq!(first, Some((rule, ddi)), "{found:#?}");
    let others = found.iter().filter(|(other, ..)| *other != rule).count();
    assert_eq!(others, 0, "{found:#?}");
    note(rule);
}

#[test]
pub fn transactions_have_states() {
    breaks(
        Rule::DmaTransactionState,
        "WdfDmaTransactionDmaCompleted",
        |env| {
            let transaction = env.execute(0, 4096, false).transaction;
            assert_eq!(dma_completed(transaction), (STATUS_SUCCESS, 1));
            dma_completed(transaction);
        },
    );
    breaks(
        Rule::DmaTransactionState,
        "WdfDmaTransactionExecute",
        |env| {
            let transaction = env.transaction();
            let _ = wdf!(WdfDmaTransactionExecute, transaction, null_mut());
        },
    );
    breaks(
        Rule::DmaTransactionState,
        "WdfDmaTransactionInitializeUsingOffset",
        |env| {
            let transaction = env.execute(0, 4096, false).transaction;
            dma_completed(transaction);
            // Release comes first.
            let _ = env.initialize(transaction, 0, 4096, false);
        },
    );
    breaks(
        Rule::DmaTransactionDeleted,
        "WdfObjectDelete(WDFDMATRANSACTION)",
        |env| {
            let transaction = env.execute(0, 4096, false).transaction;
            wdf!(WdfObjectDelete, transaction.cast());
            env.complete();
        },
    );
    breaks(
        Rule::DmaTransactionReleased,
        "WdfDmaTransactionRelease",
        |env| {
            let transaction = env.execute(0, 4096, false).transaction;
            let _ = wdf!(WdfDmaTransactionRelease, transaction);
            env.complete();
        },
    );
}

#[test]
pub fn settings_come_in_their_order_and_with_version_3() {
    breaks(
        Rule::DmaImmediateExecution,
        "WdfDmaTransactionSetImmediateExecution",
        |env| {
            wdf!(WdfDmaTransactionSetImmediateExecution, env.transaction(), 1);
            env.complete();
        },
    );
    breaks(
        Rule::DmaSingleTransfer,
        "WdfDmaTransactionSetSingleTransferRequirement",
        |env| {
            let transaction = env.transaction();
            assert_eq!(env.initialize(transaction, 0, 4096, false), STATUS_SUCCESS);
            wdf!(
                WdfDmaTransactionSetSingleTransferRequirement,
                transaction,
                1
            );
            env.complete();
        },
    );
    let mut bench = Bench::new(DmaConfig::default());
    bench.enabler = enabler(0, 1 << 20);
    breaks_on(
        bench,
        Rule::DmaVersion3,
        "WdfDmaTransactionSetImmediateExecution",
        |env| {
            let transaction = env.transaction();
            assert_eq!(env.initialize(transaction, 0, 4096, false), STATUS_SUCCESS);
            wdf!(WdfDmaTransactionSetImmediateExecution, transaction, 1);
            env.complete();
        },
    );
    breaks(
        Rule::DmaProfile,
        "WdfDmaTransactionAllocateResources",
        |env| {
            let status = wdf!(
                WdfDmaTransactionAllocateResources,
                env.transaction(),
                0,
                1,
                None,
                null_mut()
            );
            assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST);
            env.complete();
        },
    );
}

#[test]
pub fn a_request_is_completed_after_its_transfer() {
    let found = reported(
        Bench::new(DmaConfig::with_translation(Translation::Bounce)),
        |env| {
            let transaction = env.execute(0, 4096, false).transaction;
            env.complete();
            dma_completed(transaction);
        },
    );
    let rules: Vec<Rule> = found.iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(
        rules,
        [Rule::DmaNotFlushed, Rule::PagesReleasedEarly],
        "{found:#?}"
    );
    rules.into_iter().for_each(note);
    breaks(Rule::PagesReleasedEarly, "WdfRequestComplete", |env| {
        let transaction = env.execute(0, 4096, false).transaction;
        env.complete();
        dma_completed(transaction);
    });
}

#[test]
pub fn the_device_reaches_only_what_is_mapped() {
    let found = reported(Bench::new(DmaConfig::default()), |env| {
        let programmed = env.execute(0, 4096, false);
        let address = programmed.elements[0].0;
        assert!(DeviceMemory.write(address, &[1; 64]).is_ok());
        assert!(DeviceMemory.read(address, &mut [0; 64]).is_err());
        dma_completed(programmed.transaction);
        assert!(DeviceMemory.write(address, &[1; 64]).is_err());
        env.complete();
    });
    assert!(found.iter().all(|(rule, ..)| *rule == Rule::DeviceFault));
    assert!(found[0].2.contains("does not allow it"), "{found:#?}");
    assert!(
        found[1]
            .2
            .contains("last unmapped by WdfDmaTransactionDmaCompleted"),
        "{found:#?}"
    );
    // A physical address is none of the device's under remapping.
    let bench = Bench::new(DmaConfig::with_translation(Translation::Remapping));
    breaks_on(bench, Rule::DeviceFault, "device", |env| {
        // SAFETY: the page frame numbers follow the MDL.
        let frame = unsafe { env.mdl.add(1).cast::<u64>().read() };
        assert!(DeviceMemory.write(frame << 12, &[1]).is_err());
        env.complete();
    });
}

#[test]
pub fn what_an_adapter_gave_goes_back_to_it_once() {
    let common_buffer = |env: &Env, h2c| {
        let mut logical = LARGE_INTEGER::default();
        let allocate = env.operations().AllocateCommonBuffer.unwrap();
        // SAFETY: the adapter's own routine.
        let address = unsafe { allocate(env.adapter(h2c), 4096, &mut logical, 1) };
        (address, logical)
    };
    breaks(Rule::Leak, "PutDmaAdapter", move |env| {
        common_buffer(&env, false);
        env.complete();
    });
    breaks(Rule::DmaCommonBuffer, "FreeCommonBuffer", move |env| {
        let (address, logical) = common_buffer(&env, false);
        let free = env.operations().FreeCommonBuffer.unwrap();
        // SAFETY: an adapter's routine; that it is the other direction's adapter is reported.
        unsafe {
            free(env.adapter(true), 4096, logical, address, 1);
            free(env.adapter(false), 4096, logical, address, 1);
        }
        env.complete();
    });
    breaks(Rule::WriteAfterFree, "end", move |env| {
        let (address, logical) = common_buffer(&env, false);
        let free = env.operations().FreeCommonBuffer.unwrap();
        // SAFETY: freed memory stays allocated in the double; the write is reported.
        unsafe {
            free(env.adapter(false), 4096, logical, address, 1);
            address.cast::<u8>().add(77).write(1);
        }
        env.complete();
    });
    breaks(Rule::DmaAdapter, "PutDmaAdapter", |env| {
        let put = env.operations().PutDmaAdapter.unwrap();
        // SAFETY: the adapter's own routine; that it is the framework's is reported.
        unsafe { put(env.adapter(false)) };
        env.complete();
    });
    breaks(Rule::NotModelled, "ReadDmaCounter", |env| {
        let read = env.operations().ReadDmaCounter.unwrap();
        // SAFETY: the adapter's own routine.
        unsafe { read(env.adapter(false)) };
        env.complete();
    });
}

unsafe extern "C" fn list_control(
    _: PDEVICE_OBJECT,
    _: PIRP,
    list: PSCATTER_GATHER_LIST,
    out: PVOID,
) {
    // SAFETY: the test passes a place for the list.
    unsafe { out.cast::<PSCATTER_GATHER_LIST>().write(list) };
}

/// Gets a list by the adapter's own routine.
fn get_list(env: &Env, length: u32, h2c: bool) -> PSCATTER_GATHER_LIST {
    let mut list: PSCATTER_GATHER_LIST = null_mut();
    let get = env.operations().GetScatterGatherListEx.unwrap();
    // SAFETY: the adapter's own routine; the list is written before it returns, as the flag asks for.
    let status = unsafe {
        get(
            env.adapter(h2c),
            null_mut(),
            null_mut(),
            env.mdl,
            0,
            length,
            DMA_SYNCHRONOUS_CALLBACK,
            Some(list_control),
            (&raw mut list).cast(),
            u8::from(h2c),
            None,
            null_mut(),
            null_mut(),
        )
    };
    assert_eq!(status, STATUS_SUCCESS);
    list
}

/// Puts a list back at DISPATCH_LEVEL.
fn put_list(env: &Env, list: PSCATTER_GATHER_LIST, adapter: PDMA_ADAPTER, h2c: bool) {
    let put = env.operations().PutScatterGatherList.unwrap();
    let mut lock = 0;
    let mut handle = KLOCK_QUEUE_HANDLE::default();
    // SAFETY: lock and handle live until the release; the routine is the adapter's own.
    unsafe {
        KeAcquireInStackQueuedSpinLock(&mut lock, &mut handle);
        put(adapter, list, u8::from(h2c));
        KeReleaseInStackQueuedSpinLock(&mut handle);
    }
}

#[test]
pub fn lists_go_back_as_they_came() {
    let clean = reported(Bench::new(DmaConfig::default()), |env| {
        let list = get_list(&env, 4096, false);
        put_list(&env, list, env.adapter(false), false);
        env.complete();
    });
    assert_eq!(clean, []);
    breaks(Rule::DmaList, "PutScatterGatherList", |env| {
        let list = get_list(&env, 4096, false);
        put_list(&env, list, env.adapter(true), false);
        env.complete();
    });
    breaks(Rule::DmaList, "PutScatterGatherList", |env| {
        let list = get_list(&env, 4096, false);
        put_list(&env, list, env.adapter(false), false);
        put_list(&env, list, env.adapter(false), false);
        env.complete();
    });
    breaks(Rule::Irql, "PutScatterGatherList", |env| {
        let list = get_list(&env, 4096, false);
        let put = env.operations().PutScatterGatherList.unwrap();
        // SAFETY: the adapter's own routine; the level is reported.
        unsafe { put(env.adapter(false), list, 0) };
        env.complete();
    });
    let mut bench = Bench::new(DmaConfig::default());
    bench.enabler = enabler(3, 4096);
    breaks_on(bench, Rule::DmaLength, "GetScatterGatherListEx", |env| {
        let list = get_list(&env, 8192, false);
        put_list(&env, list, env.adapter(false), false);
        env.complete();
    });
    let found = reported(Bench::new(DmaConfig::default()), |env| {
        get_list(&env, 4096, false);
        env.complete();
    });
    let rules: Vec<Rule> = found.iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(rules, [Rule::PagesReleasedEarly, Rule::Leak], "{found:#?}");
}

#[test]
pub fn mdls_are_used_as_their_state_allows() {
    breaks(Rule::RaisesException, "MmProbeAndLockPages", |env| {
        // SAFETY: reported, and does nothing.
        unsafe { MmProbeAndLockPages(env.mdl, 1, 1) };
        env.complete();
    });
    breaks(
        Rule::RaisesException,
        "MmMapLockedPagesSpecifyCache",
        |env| {
            // SAFETY: reported, and does nothing.
            let address = unsafe { MmMapLockedPagesSpecifyCache(env.mdl, 1, 1, null_mut(), 0, 16) };
            assert!(address.is_null());
            env.complete();
        },
    );
    breaks(Rule::Mdl, "MmUnmapLockedPages", |env| {
        // SAFETY: reported: the MDL is not mapped.
        unsafe { MmUnmapLockedPages(null_mut(), env.mdl) };
        env.complete();
    });
    breaks(Rule::Mdl, "MmBuildMdlForNonPagedPool", |env| {
        let stack = 0u64;
        // SAFETY: reported: the buffer is not in nonpaged pool.
        unsafe {
            let mdl = IoAllocateMdl((&raw const stack).cast_mut().cast(), 8, 0, 0, null_mut());
            MmBuildMdlForNonPagedPool(mdl);
            IoFreeMdl(mdl);
        }
        env.complete();
    });
    let clean = reported(Bench::new(DmaConfig::default()), |env| {
        // SAFETY: the pool block lives until its MDL is freed.
        unsafe {
            let pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 10_000, 0x3150_4450);
            let mdl = IoAllocateMdl(pool, 10_000, 0, 0, null_mut());
            MmBuildMdlForNonPagedPool(mdl);
            assert_eq!((*mdl).MappedSystemVa, pool);
            assert_ne!((*mdl).MdlFlags as u32 & MDL_SOURCE_IS_NONPAGED_POOL, 0);
            let of_pool = Env { mdl, ..env };
            let programmed = of_pool.execute(0, 10_000, false);
            for (address, bytes) in programmed.elements {
                DeviceMemory
                    .write(address, &vec![3; bytes as usize])
                    .unwrap();
            }
            dma_completed(programmed.transaction);
            assert_eq!(pool.cast::<u8>().add(9_999).read(), 3);
            IoFreeMdl(mdl);
            ExFreePoolWithTag(pool, 0x3150_4450);
        }
        env.complete();
    });
    assert_eq!(clean, []);
    // H2C only: the buffer is locked for reading.
    let bench = Bench {
        code: IN_DIRECT,
        ..Bench::new(DmaConfig::default())
    };
    breaks_on(
        bench,
        Rule::Mdl,
        "WdfDmaTransactionInitializeUsingOffset",
        |env| {
            assert_eq!(
                env.initialize(env.transaction(), 0, 4096, false),
                STATUS_SUCCESS
            );
            env.complete();
        },
    );
}

#[test]
pub fn a_buffer_freed_under_a_transfer_leaves_the_device_on_orphans() {
    let outcome = Bench::new(DmaConfig::default()).run(|env| {
        let programmed = env.execute(0, 4096, false);
        assert_eq!(recommit(), Freed::Orphaned);
        let address = programmed.elements[0].0;
        DeviceMemory.write(address, &[1; 64]).unwrap();
        dma_completed(programmed.transaction);
        env.complete();
    });
    outcome.report.assert_clean();
    assert_eq!(
        outcome.bytes,
        [0; 10 * 4096],
        "the application has fresh pages"
    );
}

#[test]
pub fn every_layout_of_pages_serves() {
    for layout in [
        PageLayout::Shuffled,
        PageLayout::ShuffledLow,
        PageLayout::Contiguous,
        PageLayout::ContiguousLow,
        PageLayout::Frames((0..10).map(|page| 0x77_0000 + 5 * page).collect()),
    ] {
        let contiguous = matches!(layout, PageLayout::Contiguous | PageLayout::ContiguousLow);
        let bench = Bench {
            layout,
            ..Bench::new(DmaConfig::default())
        };
        let found = reported(bench, move |env| {
            let programmed = env.execute(0, 10 * 4096, false);
            assert_eq!(programmed.elements.len() == 1, contiguous);
            dma_completed(programmed.transaction);
            env.complete();
        });
        assert_eq!(found, []);
    }
}
