//! What Windows says of itself, for `pinring doctor`.

use std::ffi::c_void;
use std::ptr::null_mut;

use windows_sys::Wdk::System::SystemInformation::NtQuerySystemInformation;
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_DWORD, RegGetValueW};
use windows_sys::Win32::System::SystemInformation::OSVERSIONINFOW;

use super::wide;
use crate::cli::doctor::{Facts, InfPolicy};

/// SystemDmaGuardPolicyInformation, whose answer is one byte: Kernel DMA Protection is on.
const DMA_GUARD_POLICY: i32 = 202;

/// What can be read without the driver and without rights.
pub(crate) fn read() -> Facts {
    Facts {
        os_build: build(),
        remapping: kernel_dma_protection(),
        vbs: value(
            r"SYSTEM\CurrentControlSet\Control\DeviceGuard",
            "EnableVirtualizationBasedSecurity",
        )
        .map(|enabled| enabled != 0),
        inf_policy: value(
            r"SYSTEM\CurrentControlSet\Services\pinring\Parameters",
            "DmaRemappingCompatible",
        )
        .and_then(|compatible| match compatible {
            0 => Some(InfPolicy::OptOut),
            1 => Some(InfPolicy::Force),
            2 => Some(InfPolicy::Default),
            _ => None,
        }),
        ..Facts::default()
    }
}

fn build() -> Option<u32> {
    let mut version = OSVERSIONINFOW {
        dwOSVersionInfoSize: size_of::<OSVERSIONINFOW>() as u32,
        ..OSVERSIONINFOW::default()
    };
    // SAFETY: the structure is ours and says its size.
    let status = unsafe { RtlGetVersion(&mut version) };
    (status >= 0).then_some(version.dwBuildNumber)
}

fn kernel_dma_protection() -> Option<bool> {
    let mut enabled = 0_u8;
    // SAFETY: the answer is one byte of ours.
    let status = unsafe {
        NtQuerySystemInformation(
            DMA_GUARD_POLICY,
            (&raw mut enabled).cast::<c_void>(),
            1,
            null_mut(),
        )
    };
    (status >= 0).then_some(enabled != 0)
}

/// A DWORD of HKEY_LOCAL_MACHINE.
fn value(key: &str, name: &str) -> Option<u32> {
    let (key, name) = (wide(key), wide(name));
    let (mut found, mut bytes) = (0_u32, size_of::<u32>() as u32);
    // SAFETY: the names end with 0, and the answer has the room that is said.
    let error = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_DWORD,
            null_mut(),
            (&raw mut found).cast::<c_void>(),
            &mut bytes,
        )
    };
    (error == 0).then_some(found)
}
