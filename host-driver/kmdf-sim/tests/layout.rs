//! Sizes and offsets of the framework's structures on x64, as the WDK's headers lay them out.

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
        LARGE_INTEGER = 8, GUID = 16, WDF_DMA_ENABLER_CONFIG = 80, WDF_COMMON_BUFFER_CONFIG = 8, WDF_INTERRUPT_INFO = 64,
        DMA_ADAPTER_INFO = 88,
    }
}

macro_rules! offsets {
    ($($name:ident.$field:ident = $bytes:literal),* $(,)?) => {
        $(assert_eq!(core::mem::offset_of!($name, $field), $bytes, concat!(stringify!($name), ".", stringify!($field)));)*
    };
}

#[test]
fn fields_lie_where_the_headers_have_them() {
    offsets! {
        WDF_TIMER_CONFIG.TolerableDelay = 0x18, WDF_TIMER_CONFIG.UseHighResolutionTimer = 0x20,
        WDF_INTERRUPT_CONFIG.PassiveHandling = 0x58, WDF_INTERRUPT_CONFIG.ReportInactiveOnPowerDown = 0x5c,
        WDF_INTERRUPT_CONFIG.CanWakeDevice = 0x60, WDF_IO_QUEUE_CONFIG.Settings = 0x50, WDF_IO_QUEUE_CONFIG.Driver = 0x58,
        WDF_DMA_ENABLER_CONFIG.AddressWidthOverride = 0x40, WDF_DMA_ENABLER_CONFIG.WdmDmaVersionOverride = 0x44,
        WDF_DMA_ENABLER_CONFIG.Flags = 0x48, WDF_REQUEST_PARAMETERS.Parameters = 8,
    }
}
