//! Deliberate bugs, one per rule.

use core::ptr::null_mut;

use kmdf_sim::ntddk::*;
use kmdf_sim::*;

use super::{OTHER_INFO, TAG, attributes, context, wdf};

macro_rules! bugs {
    ($($bug:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::enum_variant_names)]
        pub enum Bug { $($bug),* }
        impl Bug {
            pub const ALL: &[Bug] = &[$(Bug::$bug),*];
            pub fn rule(self) -> Rule {
                match self { $(Bug::$bug => Rule::$bug),* }
            }
        }
    };
}

bugs! {
    Irql, LockHeldAtReturn, LockRecursion, LockNotHeld, DoubleCompletion, CompletedWhileCancelable, RequestNotOwned, StaleHandle, HandleType,
    ContextType, WaitAtDispatch, InformationTooLarge, StructureSize, ObjectAttributes, MarkCancelable, Leak, PoolFree, PoolOverrun, Mmio,
    Mapping, BugCheck, Reference, Delete, IrqlChanged, CalledFromIsr, LockOrder, InvalidArgument, ObjectLeak, WrongPlace, RequestCompleted,
    RequestPended,
}

unsafe extern "C" fn cancel(request: WDFREQUEST) {
    unsafe { wdf!(WdfRequestComplete, request, STATUS_CANCELLED) };
}

pub unsafe fn break_a_rule(device: WDFDEVICE, queue: WDFQUEUE, request: WDFREQUEST) {
    unsafe {
        let context = context(device);
        let mut input = null_mut();
        let status = wdf!(
            WdfRequestRetrieveInputBuffer,
            request,
            1,
            &mut input,
            null_mut()
        );
        assert!(NT_SUCCESS(status));
        let bug = Bug::ALL[usize::from(*input.cast::<u8>())];
        let done = |status| wdf!(WdfRequestComplete, request, status);
        let ok = STATUS_SUCCESS;
        match bug {
            Bug::Irql => {
                wdf!(WdfSpinLockAcquire, (*context).lock);
                let mut handle = 0;
                let _ = EtwRegister(&GUID::default(), None, null_mut(), &mut handle);
                wdf!(WdfSpinLockRelease, (*context).lock);
                EtwUnregister(handle);
                done(ok);
            }
            Bug::LockHeldAtReturn | Bug::IrqlChanged => {
                done(ok);
                wdf!(WdfSpinLockAcquire, (*context).lock);
            }
            Bug::LockRecursion => {
                wdf!(WdfSpinLockAcquire, (*context).lock);
                wdf!(WdfSpinLockAcquire, (*context).lock);
            }
            Bug::LockNotHeld => wdf!(WdfSpinLockRelease, (*context).lock),
            Bug::DoubleCompletion => {
                done(ok);
                done(ok);
            }
            Bug::CompletedWhileCancelable => {
                let _ = wdf!(WdfRequestMarkCancelableEx, request, Some(cancel));
                done(ok);
            }
            Bug::RequestNotOwned => {
                let _ = wdf!(WdfRequestForwardToIoQueue, request, (*context).waiting);
                done(ok);
            }
            Bug::StaleHandle => {
                let mut object = null_mut();
                let _ = wdf!(WdfObjectCreate, WDF_NO_OBJECT_ATTRIBUTES, &mut object);
                wdf!(WdfObjectDelete, object);
                wdf!(
                    WdfObjectReferenceActual,
                    object,
                    null_mut(),
                    0,
                    core::ptr::null()
                );
            }
            Bug::HandleType => wdf!(WdfSpinLockAcquire, queue.cast()),
            Bug::ContextType => {
                let _ = wdf!(WdfObjectGetTypedContextWorker, device.cast(), &OTHER_INFO.0);
                done(ok);
            }
            Bug::WaitAtDispatch => {
                wdf!(WdfSpinLockAcquire, (*context).lock);
                KeWaitForSingleObject(
                    (&raw mut (*context).event).cast(),
                    _KWAIT_REASON::Executive,
                    0,
                    0,
                    null_mut(),
                );
            }
            Bug::InformationTooLarge => wdf!(WdfRequestCompleteWithInformation, request, ok, 1000),
            Bug::StructureSize => {
                let mut config = WDF_WORKITEM_CONFIG::default();
                let mut item = null_mut();
                let _ = wdf!(
                    WdfWorkItemCreate,
                    &mut config,
                    &mut attributes(None, device.cast()),
                    &mut item
                );
            }
            Bug::ObjectAttributes => {
                let mut bad = WDF_OBJECT_ATTRIBUTES {
                    Size: size_of::<WDF_OBJECT_ATTRIBUTES>() as u32,
                    ..Default::default()
                };
                let mut lock = null_mut();
                let _ = wdf!(WdfSpinLockCreate, &mut bad, &mut lock);
            }
            Bug::MarkCancelable => {
                let _ = wdf!(WdfRequestMarkCancelableEx, request, Some(cancel));
                let _ = wdf!(WdfRequestMarkCancelableEx, request, Some(cancel));
            }
            Bug::Leak => {
                let _ = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG);
                done(ok);
            }
            Bug::PoolFree => {
                ExFreePoolWithTag(ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG), 1);
                done(ok);
            }
            Bug::PoolOverrun => {
                let block: *mut u8 = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG).cast();
                *block.add(100) = 1;
                ExFreePoolWithTag(block.cast(), TAG);
                done(ok);
            }
            Bug::Mmio => {
                let _ = mmio::read_u32((*context).registers.add(0x400));
            }
            Bug::Mapping => {
                let mapping = MmMapIoSpaceEx(PHYSICAL_ADDRESS { QuadPart: 0 }, 64, PAGE_READWRITE);
                assert!(mapping.is_null());
                done(ok);
            }
            Bug::BugCheck => KeBugCheckEx(0xE2, 1, 2, 3, 4),
            Bug::Reference => wdf!(
                WdfObjectDereferenceActual,
                device.cast(),
                null_mut(),
                0,
                core::ptr::null()
            ),
            Bug::Delete => wdf!(WdfObjectDelete, device.cast()),
            Bug::CalledFromIsr => {
                (*context).bug_in_isr = true;
                (*context).going = request;
                mmio::write_u32((*context).registers, 1);
            }
            Bug::LockOrder => {
                for (first, second) in [
                    ((*context).lock, (*context).other_lock),
                    ((*context).other_lock, (*context).lock),
                ] {
                    wdf!(WdfSpinLockAcquire, first);
                    wdf!(WdfSpinLockAcquire, second);
                    wdf!(WdfSpinLockRelease, second);
                    wdf!(WdfSpinLockRelease, first);
                }
                done(ok);
            }
            Bug::InvalidArgument => done(STATUS_PENDING),
            Bug::ObjectLeak => {
                let mut object = null_mut();
                let _ = wdf!(WdfObjectCreate, WDF_NO_OBJECT_ATTRIBUTES, &mut object);
                wdf!(
                    WdfObjectReferenceActual,
                    object,
                    null_mut(),
                    0,
                    core::ptr::null()
                );
                done(ok);
            }
            Bug::WrongPlace => {
                let mut config = WDF_INTERRUPT_CONFIG {
                    Size: size_of::<WDF_INTERRUPT_CONFIG>() as u32,
                    ShareVector: 2,
                    ReportInactiveOnPowerDown: 2,
                    EvtInterruptIsr: Some(super::isr),
                    ..Default::default()
                };
                let mut interrupt = null_mut();
                let _ = wdf!(
                    WdfInterruptCreate,
                    device,
                    &mut config,
                    WDF_NO_OBJECT_ATTRIBUTES,
                    &mut interrupt
                );
                done(ok);
            }
            Bug::RequestPended => {
                let mut taken = null_mut();
                let waiting = (*context).waiting;
                let _ = wdf!(WdfRequestForwardToIoQueue, request, waiting);
                let _ = wdf!(WdfIoQueueRetrieveNextRequest, waiting, &mut taken);
            }
            Bug::RequestCompleted => {
                done(ok);
                let _ = wdf!(WdfRequestGetFileObject, request);
            }
        }
    }
}
