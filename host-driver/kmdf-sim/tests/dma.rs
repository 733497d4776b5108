//! DMA of a driver on the double: transfers on every kind of adapter, lasting mappings, shortage of map registers.

mod bench;

use std::ptr::null_mut;

use bench::*;
use kmdf_sim::dma::{DeviceMemory, DmaConfig, InfPolicy, Iommu, OsVersion, Translation};
use kmdf_sim::memory::{DeviceBus, PageLayout};
use kmdf_sim::*;

fn kinds() -> [DmaConfig; 7] {
    let of = DmaConfig::with_translation;
    [
        of(Translation::Direct),
        of(Translation::Remapping),
        of(Translation::Bounce),
        DmaConfig {
            os: OsVersion::Windows10,
            inf: InfPolicy::compatible(2),
            iommu: Iommu::KernelDmaProtection,
            external: true,
            ..DmaConfig::default()
        },
        DmaConfig {
            map_registers: 4,
            ..of(Translation::Bounce)
        },
        DmaConfig {
            map_registers: 4,
            registers_for_every_page: true,
            ..of(Translation::Direct)
        },
        DmaConfig {
            reach_bits: 32,
            ..of(Translation::Direct)
        },
    ]
}

/// The device writes through a list, starting with byte `first` of a pattern.
fn device_writes(elements: &[(u64, u32)], mut first: usize) -> usize {
    for &(address, bytes) in elements {
        let data: Vec<u8> = (first..first + bytes as usize)
            .map(|at| (at % 253) as u8)
            .collect();
        DeviceMemory.write(address, &data).unwrap();
        first += bytes as usize;
    }
    first
}

#[test]
fn c2h_data_arrive_on_every_kind_of_adapter_fragment_by_fragment() {
    for dma in kinds() {
        let outcome = Bench::new(dma).run(|env| {
            let (offset, length) = (100, 9 * 4096);
            let programmed = env.execute(offset, length, false);
            let mut done = device_writes(&programmed.elements, 0);
            while let (status, 0) = dma_completed(programmed.transaction) {
                assert_eq!(status, STATUS_MORE_PROCESSING_REQUIRED);
                done = device_writes(&last_programmed().elements, done);
            }
            assert_eq!(done, length);
            assert_eq!(programmed.irql, DISPATCH_LEVEL as u8);
            let transferred = wdf!(WdfDmaTransactionGetBytesTransferred, programmed.transaction);
            assert_eq!(transferred, length);
            assert_eq!(
                wdf!(WdfDmaTransactionRelease, programmed.transaction),
                STATUS_SUCCESS
            );
            wdf!(WdfObjectDelete, programmed.transaction.cast());
            env.complete();
        });
        outcome.report.assert_clean();
        for (at, &byte) in outcome.bytes.iter().enumerate() {
            let expected = match at {
                100..36_964 => ((at - 100) % 253) as u8,
                _ => (at % 101) as u8,
            };
            assert_eq!(byte, expected, "byte {at}, {dma:?}");
        }
    }
}

#[test]
fn h2c_data_are_found_on_every_kind_of_adapter() {
    for dma in kinds() {
        let bench = Bench {
            code: IN_DIRECT,
            ..Bench::new(dma)
        };
        let outcome = bench.run(|env| {
            let programmed = env.execute(7, 8000, true);
            let mut seen = Vec::new();
            for (address, bytes) in programmed.elements {
                let start = seen.len();
                seen.resize(start + bytes as usize, 0);
                DeviceMemory.read(address, &mut seen[start..]).unwrap();
            }
            let expected: Vec<u8> = (7..8007).map(|at| (at % 101) as u8).collect();
            assert_eq!(seen, expected);
            assert_eq!(dma_completed(programmed.transaction), (STATUS_SUCCESS, 1));
            wdf!(WdfObjectDelete, programmed.transaction.cast());
            env.complete();
        });
        outcome.report.assert_clean();
        assert_eq!(outcome.completion.unwrap().status, STATUS_SUCCESS);
    }
}

#[test]
fn a_fragment_is_as_long_as_the_map_registers_allow() {
    let dma = DmaConfig {
        map_registers: 5,
        ..DmaConfig::with_translation(Translation::Bounce)
    };
    Bench::new(dma)
        .run(|env| {
            let length = wdf!(WdfDmaEnablerGetFragmentLength, env.enabler, 0);
            assert_eq!(length, 4 * 4096);
            assert_eq!(wdf!(WdfDmaEnablerGetMaximumLength, env.enabler), 1 << 20);
            let transaction = env.transaction();
            wdf!(
                WdfDmaTransactionSetSingleTransferRequirement,
                transaction,
                1
            );
            assert_eq!(
                env.initialize(transaction, 0, 6 * 4096, false),
                STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS
            );
            wdf!(
                WdfDmaTransactionSetSingleTransferRequirement,
                transaction,
                1
            );
            assert_eq!(
                env.initialize(transaction, 0, 5 * 4096, false),
                STATUS_SUCCESS
            );
            wdf!(WdfObjectDelete, transaction.cast());
            env.complete();
        })
        .report
        .assert_clean();
}

#[test]
fn immediate_execution_fails_when_registers_are_short_and_the_rest_waits_in_order() {
    for seed in 0..40 {
        let dma = DmaConfig {
            map_registers: 5,
            ..DmaConfig::with_translation(Translation::Bounce)
        };
        let mut bench = Bench::new(dma);
        bench.config = Config {
            dma,
            ..Config::seeded(seed)
        };
        let outcome = bench.run(|env| {
            let first = env.execute(0, 4 * 4096, false).transaction;
            let impatient = env.transaction();
            assert_eq!(
                env.initialize(impatient, 4 * 4096, 8192, false),
                STATUS_SUCCESS
            );
            wdf!(WdfDmaTransactionSetImmediateExecution, impatient, 1);
            assert_eq!(
                wdf!(WdfDmaTransactionExecute, impatient, null_mut()),
                STATUS_INSUFFICIENT_RESOURCES
            );
            wdf!(WdfObjectDelete, impatient.cast());
            let waiting: Vec<_> = (0..3)
                .map(|index| {
                    let transaction = env.transaction();
                    let offset = (4 + 2 * index) * 4096;
                    assert_eq!(
                        env.initialize(transaction, offset, 8192, false),
                        STATUS_SUCCESS
                    );
                    assert_eq!(
                        wdf!(WdfDmaTransactionExecute, transaction, null_mut()),
                        STATUS_SUCCESS
                    );
                    transaction
                })
                .collect();
            assert_eq!(PROGRAMMED.with_borrow(Vec::len), 1);
            let cancelled = waiting[1];
            assert_eq!(wdf!(WdfDmaTransactionCancel, cancelled), 1);
            wdf!(WdfObjectDelete, cancelled.cast());
            assert_eq!(dma_completed(first), (STATUS_SUCCESS, 1));
            let mut done = 1;
            while done < 3 {
                let next = PROGRAMMED.with_borrow(|all| all.get(done).cloned());
                match next {
                    // Two fit at once; they may come on another CPU.
                    None => {
                        let mut interval = LARGE_INTEGER { QuadPart: -10 };
                        // SAFETY: the interval lives.
                        let _ = unsafe { ntddk::KeDelayExecutionThread(0, 0, &mut interval) };
                    }
                    Some(next) => {
                        assert_eq!(next.transaction, waiting[2 * (done - 1)]);
                        assert_eq!(next.irql, DISPATCH_LEVEL as u8);
                        device_writes(&next.elements, 0);
                        assert_eq!(dma_completed(next.transaction), (STATUS_SUCCESS, 1));
                        wdf!(WdfObjectDelete, next.transaction.cast());
                        done += 1;
                    }
                }
            }
            wdf!(WdfObjectDelete, first.cast());
            env.complete();
        });
        outcome.report.assert_clean();
        assert_eq!(outcome.completion.unwrap().status, STATUS_SUCCESS);
    }
}

fn adapter_flags(env: &Env) -> u32 {
    let adapter = env.adapter(false);
    // SAFETY: zero is a value of every field.
    let mut info: DMA_ADAPTER_INFO = unsafe { core::mem::zeroed() };
    info.__bindgen_anon_1.Version = DMA_ADAPTER_INFO_VERSION1;
    let get = env.operations().GetDmaAdapterInfo.unwrap();
    // SAFETY: the adapter's own routine, and a structure that it fills in.
    unsafe {
        assert_eq!(get(adapter, &mut info), STATUS_SUCCESS);
        info.__bindgen_anon_1.V1.Flags
    }
}

#[test]
fn the_bypass_flag_permits_physical_addresses_from_the_mdl() {
    Bench::new(DmaConfig::default())
        .run(|env| {
            assert_ne!(adapter_flags(&env) & ADAPTER_INFO_API_BYPASS, 0);
            // SAFETY: the page frame numbers follow the MDL.
            let frames = unsafe { std::slice::from_raw_parts(env.mdl.add(1).cast::<u64>(), 10) };
            for (page, frame) in frames.iter().enumerate() {
                DeviceMemory
                    .write(frame << 12, &[page as u8; 4096])
                    .unwrap();
            }
            env.complete();
        })
        .report
        .assert_clean();
    let bench = Bench::new(DmaConfig::with_translation(Translation::Remapping));
    bench
        .run(|env| {
            assert_eq!(adapter_flags(&env) & ADAPTER_INFO_API_BYPASS, 0);
            env.complete();
        })
        .report
        .assert_clean();
    let mut bench = Bench::new(DmaConfig::default());
    bench.enabler = enabler(0, 1 << 20);
    bench
        .run(|env| {
            // Version 2, the default of x64: the table ends before GetDmaAdapterInfo.
            assert_eq!(env.operations().Size, 128);
            assert!(env.operations().GetDmaAdapterInfo.is_none());
            env.complete();
        })
        .report
        .assert_clean();
}

#[test]
fn a_lasting_mapping_exists_from_server_2022_on() {
    for os in [
        OsVersion::Windows10,
        OsVersion::Server2022,
        OsVersion::Windows11_24H2,
    ] {
        let dma = DmaConfig {
            os,
            ..DmaConfig::with_translation(Translation::Remapping)
        };
        let outcome = Bench::new(dma).run(move |env| {
            let operations = env.operations();
            if operations.Size <= 312 {
                assert_eq!(os, OsVersion::Windows10);
                assert!(operations.CreateCommonBufferFromMdl.is_none());
                return env.complete();
            }
            let create = operations.CreateCommonBufferFromMdl.unwrap();
            let mut logical = LARGE_INTEGER::default();
            let adapter = env.adapter(false);
            // SAFETY: the adapter's own routines with what they ask for; the MDL is the request's.
            unsafe {
                assert_eq!(
                    create(adapter, env.mdl, null_mut(), 0, &mut logical),
                    STATUS_INVALID_PARAMETER,
                    "not mapped into system space"
                );
                let address = ntddk::MmMapLockedPagesSpecifyCache(
                    env.mdl,
                    0,
                    _MEMORY_CACHING_TYPE::MmCached,
                    null_mut(),
                    0,
                    16,
                );
                assert!(!address.is_null());
                let created = create(adapter, env.mdl, null_mut(), 0, &mut logical);
                assert_eq!(created, STATUS_SUCCESS);
                DeviceMemory
                    .write(logical.QuadPart as u64, &[9; 10 * 4096])
                    .unwrap();
                let free = operations.FreeCommonBuffer.unwrap();
                free(adapter, 10 * 4096, logical, address, 1);
            }
            env.complete();
        });
        outcome.report.assert_clean();
        assert_eq!(outcome.bytes == [9; 10 * 4096], os != OsVersion::Windows10);
    }
    // Without remapping the pages must be contiguous.
    for (layout, wanted) in [
        (PageLayout::Shuffled, STATUS_INVALID_PARAMETER),
        (PageLayout::Contiguous, STATUS_SUCCESS),
    ] {
        let bench = Bench {
            layout,
            ..Bench::new(DmaConfig::default())
        };
        let outcome = bench.run(move |env| {
            let operations = env.operations();
            let (create, free) = (
                operations.CreateCommonBufferFromMdl.unwrap(),
                operations.FreeCommonBuffer.unwrap(),
            );
            let mut logical = LARGE_INTEGER::default();
            let adapter = env.adapter(true);
            // SAFETY: as above.
            unsafe {
                let address = ntddk::MmMapLockedPagesSpecifyCache(env.mdl, 0, 1, null_mut(), 0, 16);
                let status = create(adapter, env.mdl, null_mut(), 0, &mut logical);
                assert_eq!(status, wanted);
                if NT_SUCCESS(status) {
                    free(adapter, 10 * 4096, logical, address, 1);
                }
            }
            env.complete();
        });
        outcome.report.assert_clean();
    }
}

#[test]
fn common_buffers_are_aligned_shared_and_freed_with_their_object() {
    for dma in kinds() {
        Bench::new(dma)
            .run(|env| {
                for (length, mask) in [(64, 63), (5000, 4095), (70_000, 0xFFFF)] {
                    let mut config = WDF_COMMON_BUFFER_CONFIG {
                        Size: size_of::<WDF_COMMON_BUFFER_CONFIG>() as u32,
                        AlignmentRequirement: mask,
                    };
                    let mut buffer = null_mut();
                    let status = wdf!(
                        WdfCommonBufferCreateWithConfig,
                        env.enabler,
                        length,
                        &mut config,
                        WDF_NO_OBJECT_ATTRIBUTES,
                        &mut buffer
                    );
                    assert_eq!(status, STATUS_SUCCESS);
                    assert_eq!(wdf!(WdfCommonBufferGetLength, buffer), length);
                    let address = wdf!(WdfCommonBufferGetAlignedVirtualAddress, buffer);
                    let logical = wdf!(WdfCommonBufferGetAlignedLogicalAddress, buffer);
                    // SAFETY: every bit pattern is an integer.
                    let logical = unsafe { logical.QuadPart } as u64;
                    assert_eq!(logical & u64::from(mask), 0);
                    DeviceMemory
                        .write(logical + length as u64 - 8, &[7; 8])
                        .unwrap();
                    // SAFETY: the common buffer is that long.
                    let last = unsafe { address.cast::<u8>().add(length - 1).read() };
                    assert_eq!(last, 7);
                    if mask == 63 {
                        wdf!(WdfObjectDelete, buffer.cast());
                    }
                }
                env.complete();
            })
            .report
            .assert_clean();
    }
}

#[test]
fn a_final_completion_ends_a_transaction_early() {
    Bench::new(DmaConfig::default())
        .run(|env| {
            let programmed = env.execute(0, 8192, false);
            let mut status = 0;
            let ended = wdf!(
                WdfDmaTransactionDmaCompletedFinal,
                programmed.transaction,
                100,
                &mut status
            );
            assert_eq!((ended, status), (1, STATUS_SUCCESS));
            let transferred = wdf!(WdfDmaTransactionGetBytesTransferred, programmed.transaction);
            assert_eq!(transferred, 100);
            let _ = wdf!(WdfDmaTransactionRelease, programmed.transaction);
            // A partial completion goes on with the rest.
            assert_eq!(
                env.initialize(programmed.transaction, 0, 8192, false),
                STATUS_SUCCESS
            );
            let _ = wdf!(WdfDmaTransactionExecute, programmed.transaction, null_mut());
            let ended = wdf!(
                WdfDmaTransactionDmaCompletedWithLength,
                programmed.transaction,
                5000,
                &mut status
            );
            assert_eq!((ended, status), (0, STATUS_MORE_PROCESSING_REQUIRED));
            let rest: u32 = last_programmed().elements.iter().map(|run| run.1).sum();
            assert_eq!(rest, 3192);
            assert_eq!(dma_completed(programmed.transaction), (STATUS_SUCCESS, 1));
            env.complete();
        })
        .report
        .assert_clean();
}

#[test]
fn requests_and_addresses_initialise_transactions_too() {
    Bench::new(DmaConfig::default())
        .run(|env| {
            let transaction = env.transaction();
            let initialize = |direction| {
                wdf!(
                    WdfDmaTransactionInitializeUsingRequest,
                    transaction,
                    env.request,
                    Some(program_dma),
                    direction
                )
            };
            assert_eq!(
                initialize(1),
                STATUS_INVALID_DEVICE_REQUEST,
                "locked for C2H"
            );
            assert_eq!(initialize(0), STATUS_SUCCESS);
            assert_eq!(wdf!(WdfDmaTransactionGetRequest, transaction), env.request);
            assert_eq!(wdf!(WdfDmaTransactionGetDevice, transaction), env.device);
            let (mut registers, mut elements) = (0, 0);
            wdf!(
                WdfDmaTransactionGetTransferInfo,
                transaction,
                &mut registers,
                &mut elements
            );
            assert_eq!((registers, elements), (0, 10));
            let _ = wdf!(WdfDmaTransactionRelease, transaction);
            // SAFETY: the request's MDL lives.
            let start = unsafe {
                (*env.mdl)
                    .StartVa
                    .wrapping_byte_add((*env.mdl).ByteOffset as usize)
            };
            let status = wdf!(
                WdfDmaTransactionInitialize,
                transaction,
                Some(program_dma),
                0,
                env.mdl,
                start.wrapping_byte_add(4096),
                100
            );
            assert_eq!(status, STATUS_SUCCESS);
            let _ = wdf!(WdfDmaTransactionExecute, transaction, null_mut());
            assert_eq!(
                wdf!(WdfDmaTransactionGetCurrentDmaTransferLength, transaction),
                100
            );
            assert_eq!(dma_completed(transaction), (STATUS_SUCCESS, 1));
            env.complete();
        })
        .report
        .assert_clean();
}
