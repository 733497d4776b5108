//! Interrupts (wdfinterrupt.h).

use super::*;

c_enum! { _WDF_INTERRUPT_POLARITY as WDF_INTERRUPT_POLARITY {
    WdfInterruptPolarityUnknown = 0, WdfInterruptActiveHigh = 1, WdfInterruptActiveLow = 2,
} }
pub type EVT_WDF_INTERRUPT_ISR =
    Option<unsafe extern "C" fn(Interrupt: WDFINTERRUPT, MessageID: ULONG) -> BOOLEAN>;
pub type PFN_WDF_INTERRUPT_ISR = EVT_WDF_INTERRUPT_ISR;
pub type EVT_WDF_INTERRUPT_SYNCHRONIZE =
    Option<unsafe extern "C" fn(Interrupt: WDFINTERRUPT, Context: WDFCONTEXT) -> BOOLEAN>;
pub type PFN_WDF_INTERRUPT_SYNCHRONIZE = EVT_WDF_INTERRUPT_SYNCHRONIZE;
pub type WDFCONTEXT = PVOID;
pub type EVT_WDF_INTERRUPT_DPC =
    Option<unsafe extern "C" fn(Interrupt: WDFINTERRUPT, AssociatedObject: WDFOBJECT)>;
pub type PFN_WDF_INTERRUPT_DPC = EVT_WDF_INTERRUPT_DPC;
pub type EVT_WDF_INTERRUPT_WORKITEM = EVT_WDF_INTERRUPT_DPC;
pub type PFN_WDF_INTERRUPT_WORKITEM = EVT_WDF_INTERRUPT_WORKITEM;
pub type EVT_WDF_INTERRUPT_ENABLE =
    Option<unsafe extern "C" fn(Interrupt: WDFINTERRUPT, AssociatedDevice: WDFDEVICE) -> NTSTATUS>;
pub type PFN_WDF_INTERRUPT_ENABLE = EVT_WDF_INTERRUPT_ENABLE;
pub type EVT_WDF_INTERRUPT_DISABLE = EVT_WDF_INTERRUPT_ENABLE;
pub type PFN_WDF_INTERRUPT_DISABLE = EVT_WDF_INTERRUPT_DISABLE;
c_struct! { _WDF_INTERRUPT_CONFIG as WDF_INTERRUPT_CONFIG, PWDF_INTERRUPT_CONFIG {
    Size: ULONG, SpinLock: WDFSPINLOCK, ShareVector: WDF_TRI_STATE, FloatingSave: BOOLEAN, AutomaticSerialization: BOOLEAN,
    EvtInterruptIsr: PFN_WDF_INTERRUPT_ISR, EvtInterruptDpc: PFN_WDF_INTERRUPT_DPC, EvtInterruptEnable: PFN_WDF_INTERRUPT_ENABLE,
    EvtInterruptDisable: PFN_WDF_INTERRUPT_DISABLE, EvtInterruptWorkItem: PFN_WDF_INTERRUPT_WORKITEM,
    InterruptRaw: PCM_PARTIAL_RESOURCE_DESCRIPTOR, InterruptTranslated: PCM_PARTIAL_RESOURCE_DESCRIPTOR, WaitLock: WDFWAITLOCK,
    PassiveHandling: BOOLEAN, ReportInactiveOnPowerDown: WDF_TRI_STATE, CanWakeDevice: BOOLEAN,
} }
c_struct! { #[repr(align(8))] _WDF_INTERRUPT_INFO as WDF_INTERRUPT_INFO, PWDF_INTERRUPT_INFO {
    Size: ULONG, Reserved1: ULONG64, TargetProcessorSet: KAFFINITY, Reserved2: ULONG, MessageNumber: ULONG, Vector: ULONG, Irql: KIRQL,
    Mode: KINTERRUPT_MODE, Polarity: WDF_INTERRUPT_POLARITY, MessageSignaled: BOOLEAN, ShareDisposition: UCHAR,
    __bindgen_padding_0: [u16; 3], Group: USHORT,
} }
