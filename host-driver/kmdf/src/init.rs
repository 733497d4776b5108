//! The `*_INIT` functions of the WDF headers, which are inline there.

use wdk_sys::{
    _WDF_EXECUTION_LEVEL, _WDF_FILEOBJECT_CLASS, _WDF_IO_QUEUE_DISPATCH_TYPE,
    _WDF_SYNCHRONIZATION_SCOPE, _WDF_TRI_STATE, UNICODE_STRING, WDF_FILEOBJECT_CONFIG,
    WDF_INTERRUPT_CONFIG, WDF_IO_QUEUE_CONFIG, WDF_IO_QUEUE_DISPATCH_TYPE, WDF_OBJECT_ATTRIBUTES,
    WDF_TIMER_CONFIG, WDF_TRI_STATE, WDF_WORKITEM_CONFIG,
};

/// Size of a structure for its own `Size` field.
pub(crate) const fn size<T>() -> u32 {
    size_of::<T>() as u32
}

/// `WDF_OBJECT_ATTRIBUTES_INIT`.
pub(crate) fn attributes() -> WDF_OBJECT_ATTRIBUTES {
    WDF_OBJECT_ATTRIBUTES {
        Size: size::<WDF_OBJECT_ATTRIBUTES>(),
        ExecutionLevel: _WDF_EXECUTION_LEVEL::WdfExecutionLevelInheritFromParent,
        SynchronizationScope: _WDF_SYNCHRONIZATION_SCOPE::WdfSynchronizationScopeInheritFromParent,
        ..WDF_OBJECT_ATTRIBUTES::default()
    }
}

/// `WDF_FILEOBJECT_CONFIG_INIT`.
pub(crate) fn files() -> WDF_FILEOBJECT_CONFIG {
    WDF_FILEOBJECT_CONFIG {
        Size: size::<WDF_FILEOBJECT_CONFIG>(),
        AutoForwardCleanupClose: _WDF_TRI_STATE::WdfUseDefault,
        FileObjectClass: _WDF_FILEOBJECT_CLASS::WdfFileObjectWdfCannotUseFsContexts,
        ..WDF_FILEOBJECT_CONFIG::default()
    }
}

/// `WDF_INTERRUPT_CONFIG_INIT`.
pub(crate) fn interrupt() -> WDF_INTERRUPT_CONFIG {
    WDF_INTERRUPT_CONFIG {
        Size: size::<WDF_INTERRUPT_CONFIG>(),
        ShareVector: _WDF_TRI_STATE::WdfUseDefault,
        ReportInactiveOnPowerDown: _WDF_TRI_STATE::WdfUseDefault,
        ..WDF_INTERRUPT_CONFIG::default()
    }
}

/// `WDF_IO_QUEUE_CONFIG_INIT`.
pub(crate) fn queue(
    dispatch: WDF_IO_QUEUE_DISPATCH_TYPE,
    power_managed: WDF_TRI_STATE,
) -> WDF_IO_QUEUE_CONFIG {
    let mut config = WDF_IO_QUEUE_CONFIG {
        Size: size::<WDF_IO_QUEUE_CONFIG>(),
        DispatchType: dispatch,
        PowerManaged: power_managed,
        ..WDF_IO_QUEUE_CONFIG::default()
    };
    if dispatch == _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel {
        // As many at a time as there are.
        config.Settings.Parallel.NumberOfPresentedRequests = u32::MAX;
    }
    config
}

/// `WDF_TIMER_CONFIG_INIT`, but not serialized with the device's callbacks: the driver has its own lock.
pub(crate) fn timer() -> WDF_TIMER_CONFIG {
    WDF_TIMER_CONFIG {
        Size: size::<WDF_TIMER_CONFIG>(),
        ..WDF_TIMER_CONFIG::default()
    }
}

/// `WDF_WORKITEM_CONFIG_INIT`, but not serialized with the device's callbacks, as above.
pub(crate) fn work_item() -> WDF_WORKITEM_CONFIG {
    WDF_WORKITEM_CONFIG {
        Size: size::<WDF_WORKITEM_CONFIG>(),
        ..WDF_WORKITEM_CONFIG::default()
    }
}

/// `RTL_CONSTANT_STRING` of UTF-16 text that ends with a zero.
pub(crate) fn unicode(text: &'static [u16]) -> UNICODE_STRING {
    let bytes = size_of_val(text) as u16;
    UNICODE_STRING {
        Length: bytes.saturating_sub(2),
        MaximumLength: bytes,
        Buffer: text.as_ptr().cast_mut(),
    }
}

/// ASCII text as UTF-16 with a zero at the end.
macro_rules! wide {
    ($text:literal) => {{
        const TEXT: [u16; $text.len() + 1] = {
            let (bytes, mut wide, mut at) = ($text.as_bytes(), [0; $text.len() + 1], 0);
            while at < bytes.len() {
                assert!(bytes[at].is_ascii());
                wide[at] = bytes[at] as u16;
                at += 1;
            }
            wide
        };
        &TEXT
    }};
}
pub(crate) use wide;
