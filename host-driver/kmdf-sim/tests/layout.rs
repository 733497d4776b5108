//! Sizes of the framework's structures on x64, as the WDK's headers lay them out.

use kmdf_sim::*;

macro_rules! sizes {
    ($($name:ident = $bytes:literal),* $(,)?) => { $(assert_eq!(size_of::<$name>(), $bytes, stringify!($name));)* };
}

#[test]
fn structures_have_the_headers_sizes() {
    sizes! {
        WDF_OBJECT_ATTRIBUTES = 56, WDF_OBJECT_CONTEXT_TYPE_INFO = 40, WDF_DRIVER_CONFIG = 32, WDF_PNPPOWER_EVENT_CALLBACKS = 144,
        WDF_FILEOBJECT_CONFIG = 40, WDF_IO_QUEUE_CONFIG = 96, WDF_INTERRUPT_CONFIG = 104, WDF_WORKITEM_CONFIG = 24, WDF_TIMER_CONFIG = 40,
        WDF_DPC_CONFIG = 24, WDF_REQUEST_PARAMETERS = 40, CM_PARTIAL_RESOURCE_DESCRIPTOR = 20, KEVENT = 24, KLOCK_QUEUE_HANDLE = 24,
        BUS_INTERFACE_STANDARD = 64, EVENT_DESCRIPTOR = 16, EVENT_DATA_DESCRIPTOR = 16, IO_ERROR_LOG_PACKET = 48, UNICODE_STRING = 16,
        LARGE_INTEGER = 8, GUID = 16,
    }
}
