//! Work items, timers, DPCs (wdfworkitem.h, wdftimer.h, wdfdpc.h).

use super::*;

pub type EVT_WDF_WORKITEM = Option<unsafe extern "C" fn(WorkItem: WDFWORKITEM)>;
pub type PFN_WDF_WORKITEM = EVT_WDF_WORKITEM;
c_struct! { _WDF_WORKITEM_CONFIG as WDF_WORKITEM_CONFIG, PWDF_WORKITEM_CONFIG {
    Size: ULONG, EvtWorkItemFunc: PFN_WDF_WORKITEM, AutomaticSerialization: BOOLEAN,
} }
pub type EVT_WDF_TIMER = Option<unsafe extern "C" fn(Timer: WDFTIMER)>;
pub type PFN_WDF_TIMER = EVT_WDF_TIMER;
c_struct! { _WDF_TIMER_CONFIG as WDF_TIMER_CONFIG, PWDF_TIMER_CONFIG {
    Size: ULONG, EvtTimerFunc: PFN_WDF_TIMER, Period: ULONG, AutomaticSerialization: BOOLEAN, TolerableDelay: ULONG,
    // DECLSPEC_ALIGN(8) of the next.
    __bindgen_padding_0: [u8; 4], UseHighResolutionTimer: BOOLEAN,
} }
pub type EVT_WDF_DPC = Option<unsafe extern "C" fn(Dpc: WDFDPC)>;
pub type PFN_WDF_DPC = EVT_WDF_DPC;
c_struct! { _WDF_DPC_CONFIG as WDF_DPC_CONFIG, PWDF_DPC_CONFIG {
    Size: ULONG, EvtDpcFunc: PFN_WDF_DPC, AutomaticSerialization: BOOLEAN,
} }
