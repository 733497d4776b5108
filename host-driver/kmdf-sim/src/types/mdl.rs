//! Memory descriptor lists (wdm.h).

use super::*;

c_struct! { _MDL as MDL, PMDL {
    Next: *mut _MDL, Size: CSHORT, MdlFlags: CSHORT, Process: PEPROCESS, MappedSystemVa: PVOID, StartVa: PVOID, ByteCount: ULONG,
    ByteOffset: ULONG,
} }
pub type CSHORT = i16;
pub type PFN_NUMBER = ULONG_PTR;
pub type PPFN_NUMBER = *mut PFN_NUMBER;
