//! Scalars and the small structures that everything else is made of (ntdef.h, guiddef.h).

use core::ffi::c_void;

pub type VOID = c_void;
pub type PVOID = *mut c_void;
pub type PCVOID = *const c_void;
pub type BOOLEAN = u8;
pub type CHAR = i8;
pub type CCHAR = i8;
pub type PCHAR = *mut CHAR;
pub type PSTR = *mut CHAR;
pub type PCSTR = *const CHAR;
pub type LPCSTR = *const CHAR;
pub type UCHAR = u8;
pub type PUCHAR = *mut UCHAR;
pub type SHORT = i16;
pub type USHORT = u16;
pub type PUSHORT = *mut USHORT;
pub type WORD = u16;
pub type WCHAR = u16;
pub type PWCHAR = *mut WCHAR;
pub type PWCH = *mut WCHAR;
pub type PWSTR = *mut WCHAR;
pub type PCWSTR = *const WCHAR;
pub type LONG = i32;
pub type PLONG = *mut LONG;
pub type ULONG = u32;
pub type PULONG = *mut ULONG;
pub type DWORD = u32;
pub type LONGLONG = i64;
pub type ULONGLONG = u64;
pub type LONG64 = i64;
pub type ULONG64 = u64;
pub type PLONGLONG = *mut LONGLONG;
pub type PULONG64 = *mut u64;
pub type LONG_PTR = i64;
pub type ULONG_PTR = u64;
pub type PULONG_PTR = *mut ULONG_PTR;
pub type SIZE_T = ULONG_PTR;
pub type PSIZE_T = *mut SIZE_T;
pub type NTSTATUS = i32;
pub type PNTSTATUS = *mut NTSTATUS;
pub type HANDLE = *mut c_void;
pub type PHANDLE = *mut HANDLE;
pub type KIRQL = UCHAR;
pub type PKIRQL = *mut KIRQL;
pub type KAFFINITY = ULONG_PTR;
pub type KPRIORITY = LONG;
pub type KPROCESSOR_MODE = CCHAR;
pub type ACCESS_MASK = ULONG;
pub type DEVICE_TYPE = ULONG;
pub type KSPIN_LOCK = ULONG_PTR;
pub type PKSPIN_LOCK = *mut KSPIN_LOCK;
pub type POOL_FLAGS = ULONG64;
pub type REGHANDLE = ULONGLONG;
pub type PREGHANDLE = *mut REGHANDLE;

/// A 64-bit integer of which the halves have names.
#[repr(C)]
#[derive(Clone, Copy)]
pub union _LARGE_INTEGER {
    pub __bindgen_anon_1: _LARGE_INTEGER__bindgen_ty_1,
    pub u: _LARGE_INTEGER__bindgen_ty_1,
    pub QuadPart: LONGLONG,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct _LARGE_INTEGER__bindgen_ty_1 {
    pub LowPart: ULONG,
    pub HighPart: LONG,
}
zeroed_default!(_LARGE_INTEGER);
pub type LARGE_INTEGER = _LARGE_INTEGER;
pub type PLARGE_INTEGER = *mut LARGE_INTEGER;
pub type PHYSICAL_ADDRESS = LARGE_INTEGER;
pub type PPHYSICAL_ADDRESS = *mut PHYSICAL_ADDRESS;

c_struct! { _UNICODE_STRING as UNICODE_STRING, PUNICODE_STRING {
    Length: USHORT, MaximumLength: USHORT, Buffer: PWCH,
} }
pub type PCUNICODE_STRING = *const UNICODE_STRING;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct _GUID {
    pub Data1: u32,
    pub Data2: u16,
    pub Data3: u16,
    pub Data4: [u8; 8],
}
pub type GUID = _GUID;
pub type LPGUID = *mut GUID;
pub type LPCGUID = *const GUID;

c_struct! { _LIST_ENTRY as LIST_ENTRY, PLIST_ENTRY { Flink: *mut _LIST_ENTRY, Blink: *mut _LIST_ENTRY } }
