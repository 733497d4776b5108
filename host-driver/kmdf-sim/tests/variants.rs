//! Ways of the driver model that the toy driver does not go: requests in the caller's context, passive queues, interrupts created with
//! the device, direct buffers.

mod toy;

use core::ptr::null_mut;
use std::cell::Cell;

use kmdf_sim::memory::{PageLayout, UserBuffer};
use kmdf_sim::ntddk::*;
use kmdf_sim::user::{self, Output};
use kmdf_sim::*;
use toy::{Toy, attributes, code, wdf};

const BOTH: u32 = FILE_READ_DATA | FILE_WRITE_DATA;
const WAIT_A_LITTLE: u32 = code(10, METHOD_BUFFERED);
const REGISTER: u32 = code(11, METHOD_OUT_DIRECT);
const RING: u32 = code(12, METHOD_BUFFERED);

thread_local! {
    static IN_CALLER_CONTEXT: Cell<u32> = const { Cell::new(0) };
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static INTERRUPTS: Cell<u32> = const { Cell::new(0) };
    static WAITING: Cell<WDFQUEUE> = const { Cell::new(null_mut()) };
    static REGISTERS: Cell<*mut u32> = const { Cell::new(null_mut()) };
}

fn driver_entry(driver: PDRIVER_OBJECT, path: PUNICODE_STRING) -> NTSTATUS {
    let mut config = WDF_DRIVER_CONFIG {
        Size: size_of::<WDF_DRIVER_CONFIG>() as u32,
        EvtDriverDeviceAdd: Some(device_add),
        ..Default::default()
    };
    unsafe {
        wdf!(
            WdfDriverCreate,
            driver,
            path,
            WDF_NO_OBJECT_ATTRIBUTES,
            &mut config,
            null_mut()
        )
    }
}

unsafe extern "C" fn device_add(_driver: WDFDRIVER, mut init: PWDFDEVICE_INIT) -> NTSTATUS {
    unsafe {
        let mut pnp = WDF_PNPPOWER_EVENT_CALLBACKS {
            Size: size_of::<WDF_PNPPOWER_EVENT_CALLBACKS>() as u32,
            EvtDevicePrepareHardware: Some(prepare),
            EvtDeviceReleaseHardware: Some(release),
            ..Default::default()
        };
        wdf!(WdfDeviceInitSetPnpPowerEventCallbacks, init, &mut pnp);
        wdf!(
            WdfDeviceInitSetIoInCallerContextCallback,
            init,
            Some(in_caller_context)
        );
        let mut device = null_mut();
        assert_eq!(
            wdf!(
                WdfDeviceCreate,
                &mut init,
                WDF_NO_OBJECT_ATTRIBUTES,
                &mut device
            ),
            STATUS_SUCCESS
        );
        let mut config = WDF_INTERRUPT_CONFIG {
            Size: size_of::<WDF_INTERRUPT_CONFIG>() as u32,
            ShareVector: _WDF_TRI_STATE::WdfUseDefault,
            ReportInactiveOnPowerDown: _WDF_TRI_STATE::WdfUseDefault,
            EvtInterruptIsr: Some(isr),
            ..Default::default()
        };
        let mut interrupt = null_mut();
        assert_eq!(
            wdf!(
                WdfInterruptCreate,
                device,
                &mut config,
                WDF_NO_OBJECT_ATTRIBUTES,
                &mut interrupt
            ),
            STATUS_SUCCESS
        );
        let mut config = WDF_IO_QUEUE_CONFIG {
            Size: size_of::<WDF_IO_QUEUE_CONFIG>() as u32,
            DispatchType: _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchSequential,
            PowerManaged: _WDF_TRI_STATE::WdfUseDefault,
            DefaultQueue: 1,
            EvtIoDeviceControl: Some(control),
            ..Default::default()
        };
        let mut passive = attributes(None, null_mut());
        passive.ExecutionLevel = _WDF_EXECUTION_LEVEL::WdfExecutionLevelPassive;
        assert_eq!(
            wdf!(
                WdfIoQueueCreate,
                device,
                &mut config,
                &mut passive,
                null_mut()
            ),
            STATUS_SUCCESS
        );
        let mut config = WDF_IO_QUEUE_CONFIG {
            Size: size_of::<WDF_IO_QUEUE_CONFIG>() as u32,
            DispatchType: _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual,
            PowerManaged: _WDF_TRI_STATE::WdfFalse,
            ..Default::default()
        };
        let mut waiting = null_mut();
        let status = wdf!(
            WdfIoQueueCreate,
            device,
            &mut config,
            WDF_NO_OBJECT_ATTRIBUTES,
            &mut waiting
        );
        WAITING.set(waiting);
        status
    }
}

unsafe extern "C" fn prepare(
    _device: WDFDEVICE,
    _raw: WDFCMRESLIST,
    translated: WDFCMRESLIST,
) -> NTSTATUS {
    unsafe {
        let memory = (*wdf!(WdfCmResourceListGetDescriptor, translated, 0))
            .u
            .Memory;
        REGISTERS.set(MmMapIoSpaceEx(memory.Start, memory.Length.into(), PAGE_READWRITE).cast());
        STATUS_SUCCESS
    }
}

unsafe extern "C" fn release(_device: WDFDEVICE, _translated: WDFCMRESLIST) -> NTSTATUS {
    unsafe { MmUnmapIoSpace(REGISTERS.get().cast(), 0x1000) };
    STATUS_SUCCESS
}

unsafe extern "C" fn isr(_interrupt: WDFINTERRUPT, _message: ULONG) -> BOOLEAN {
    INTERRUPTS.set(INTERRUPTS.get() + 1);
    1
}

unsafe extern "C" fn in_caller_context(device: WDFDEVICE, request: WDFREQUEST) {
    IN_CALLER_CONTEXT.set(IN_CALLER_CONTEXT.get() + 1);
    unsafe {
        assert_ne!(PsGetCurrentProcessId().addr(), 4);
        let status = wdf!(WdfDeviceEnqueueRequest, device, request);
        if !NT_SUCCESS(status) {
            wdf!(WdfRequestComplete, request, status);
        }
    }
}

unsafe extern "C" fn control(
    _queue: WDFQUEUE,
    request: WDFREQUEST,
    output: usize,
    _input: usize,
    code: ULONG,
) {
    unsafe {
        assert_eq!(u32::from(KeGetCurrentIrql()), PASSIVE_LEVEL);
        assert_eq!(
            INSIDE.replace(1),
            0,
            "a sequential queue presents one request at a time"
        );
        match code {
            WAIT_A_LITTLE => {
                KeDelayExecutionThread(0, 0, &mut LARGE_INTEGER { QuadPart: -100 });
                INSIDE.set(0);
                wdf!(WdfRequestComplete, request, STATUS_SUCCESS);
            }
            REGISTER => {
                let mut mdl = null_mut();
                assert_eq!(
                    wdf!(WdfRequestRetrieveOutputWdmMdl, request, &mut mdl),
                    STATUS_SUCCESS
                );
                assert_eq!((*mdl).ByteCount as usize, output);
                let (mut buffer, mut length) = (null_mut(), 0);
                assert_eq!(
                    wdf!(
                        WdfRequestRetrieveOutputBuffer,
                        request,
                        output,
                        &mut buffer,
                        &mut length
                    ),
                    STATUS_SUCCESS
                );
                buffer.cast::<u8>().write_bytes(0x5A, length);
                INSIDE.set(0);
                assert_eq!(
                    wdf!(WdfRequestForwardToIoQueue, request, WAITING.get()),
                    STATUS_SUCCESS
                );
            }
            _ => {
                mmio::write_u32(REGISTERS.get(), 1);
                INSIDE.set(0);
                wdf!(WdfRequestComplete, request, STATUS_SUCCESS);
            }
        }
    }
}

fn machine(seed: u64) -> (Machine, user::Process) {
    INSIDE.set(0);
    INTERRUPTS.set(0);
    let mut machine = Machine::new(Config::seeded(seed), Toy::default());
    assert_eq!(machine.load(driver_entry), Ok(STATUS_SUCCESS));
    // No interface is registered, so no security descriptor is asked for.
    assert_eq!(machine.add_device(), Ok(STATUS_SUCCESS));
    let process = machine.process().unwrap();
    (machine, process)
}

#[test]
fn a_sequential_passive_queue_behind_the_callers_context() {
    for seed in 0..30 {
        let (mut machine, process) = machine(seed);
        for _ in 0..3 {
            machine
                .run(None, || {
                    user::spawn(process, || {
                        let handle = user::open(BOTH, false).unwrap();
                        for _ in 0..3 {
                            user::device_io_control(handle, WAIT_A_LITTLE, b"", &mut []).unwrap();
                        }
                        user::close(handle).unwrap();
                    });
                })
                .unwrap();
        }
        assert!(
            machine.settle().is_ok(),
            "seed {seed}: {}",
            machine.report()
        );
        assert_eq!(machine.remove(), Ok(STATUS_SUCCESS));
        machine.unload().unwrap();
        machine.report().assert_clean();
    }
    assert_eq!(IN_CALLER_CONTEXT.get(), 30 * 9);
}

#[test]
fn the_callers_context_is_asked_behind_a_surprise_removal() {
    let (mut machine, process) = machine(1);
    let before = IN_CALLER_CONTEXT.get();
    let open = machine.run(Some(process), || user::open(BOTH, false).unwrap());
    let handle = open.unwrap();
    machine.surprise_remove().unwrap();
    machine
        .run(Some(process), move || {
            let refused = user::device_io_control(handle, WAIT_A_LITTLE, b"", &mut []);
            assert_eq!(refused, Err(user::Status(STATUS_WDF_BUSY)));
            assert_eq!(
                user::open(BOTH, false),
                Err(user::Status(STATUS_NO_SUCH_DEVICE))
            );
            user::close(handle).unwrap();
        })
        .unwrap();
    assert_eq!(IN_CALLER_CONTEXT.get(), before + 1);
    machine.settle().unwrap();
    machine.unload().unwrap();
    machine.report().assert_clean();
}

#[test]
fn an_interrupt_created_with_the_device_gets_its_message() {
    let (mut machine, process) = machine(1);
    machine
        .run(Some(process), || {
            let handle = user::open(BOTH, false).unwrap();
            user::device_io_control(handle, RING, b"", &mut []).unwrap();
            user::close(handle).unwrap();
        })
        .unwrap();
    machine.settle().unwrap();
    assert_eq!(INTERRUPTS.get(), 1);
    machine.sleep().unwrap();
    assert_eq!(machine.wake(), Ok(STATUS_SUCCESS));
    assert_eq!(machine.remove(), Ok(STATUS_SUCCESS));
    machine.unload().unwrap();
    machine.report().assert_clean();
}

#[test]
fn a_direct_buffer_is_the_applications_memory() {
    let (mut machine, process) = machine(2);
    machine
        .run(Some(process), || {
            let buffer = UserBuffer::new(3 * 4096, &PageLayout::Shuffled).unwrap();
            let handle = user::open(BOTH, true).unwrap();
            // SAFETY: the buffer outlives the operation.
            let pending =
                unsafe { user::start_at(handle, REGISTER, b"", buffer.as_mut_ptr(), 5000, None) }
                    .unwrap();
            user::sleep_ps(100_000_000);
            let data = buffer.to_vec();
            assert!(data[..5000].iter().all(|byte| *byte == 0x5A) && data[5000] == 0);
            assert!(user::cancel_io_ex(handle, Some(pending)));
            assert_eq!(
                user::result(pending, None).unwrap().status,
                STATUS_CANCELLED
            );
            user::close(handle).unwrap();
        })
        .unwrap();
    assert_eq!(machine.remove(), Ok(STATUS_SUCCESS));
    machine.unload().unwrap();
    machine.report().assert_clean();
}

#[test]
fn a_direct_buffer_may_be_the_operations_own() {
    let (mut machine, process) = machine(3);
    machine
        .run(Some(process), || {
            let handle = user::open(BOTH, true).unwrap();
            let pending =
                user::start(handle, REGISTER, b"", Output::Owned(vec![0; 100]), None).unwrap();
            user::sleep_ps(100_000_000);
            assert!(user::cancel_io_ex(handle, None));
            assert_eq!(user::result(pending, None).unwrap().output, [0x5A; 100]);
            user::close(handle).unwrap();
        })
        .unwrap();
    machine.report().assert_clean();
}
