//! What Windows says of itself, for `pinring doctor`.

use std::ffi::c_void;
use std::ptr::null_mut;

use pinring_ioctl::SERVICE;
use windows_sys::Wdk::System::SystemInformation::NtQuerySystemInformation;
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, RRF_RT_REG_DWORD, RegCloseKey, RegGetValueW,
};
use windows_sys::Win32::System::SystemInformation::OSVERSIONINFOW;

use super::{interfaces, wide};
use crate::Error;
use crate::cli::doctor::{Facts, Registry};

/// SystemIsolatedUserModeInformation: 16 bytes; bit 0 of the first says that the secure kernel runs, which is what virtualization-based
/// security is. What the registry has is what was asked for, and policy and hardware may be of another mind.
const ISOLATED_USER_MODE: i32 = 165;
/// SystemDmaGuardPolicyInformation, whose answer is one byte: Kernel DMA Protection is on.
const DMA_GUARD_POLICY: i32 = 202;

/// What can be read without the driver and without rights: of the machine, and of a device or the driver's first.
pub(crate) fn read(device: Option<&str>) -> Result<Facts, Error> {
    let key = match device {
        Some(name) => Some(interfaces::hardware_key(name)?),
        None => interfaces::first_hardware_key(SERVICE),
    };
    let os_build = build();
    let registry = Registry {
        compatible: value(
            HKEY_LOCAL_MACHINE,
            &format!(r"SYSTEM\CurrentControlSet\Services\{SERVICE}\Parameters"),
            "DmaRemappingCompatible",
        ),
        device: key.as_ref().map(|key| {
            ["RemappingSupported", "RemappingFlags"]
                .map(|name| value(key.0, "DMA Management", name))
        }),
    };
    Ok(Facts {
        os_build,
        remapping: system::<1>(DMA_GUARD_POLICY).map(|[enabled]| enabled != 0),
        vbs: system::<16>(ISOLATED_USER_MODE).map(|flags| flags[0] & 1 == 1),
        inf_policy: registry.policy(os_build),
        ..Facts::default()
    })
}

/// An open key of the registry.
pub(super) struct Key(pub HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: opened by the one who made this, and closed once.
        unsafe { RegCloseKey(self.0) };
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

/// What the system says of itself, if it knows the question.
fn system<const BYTES: usize>(class: i32) -> Option<[u8; BYTES]> {
    let mut answer = [0; BYTES];
    // SAFETY: the answer has the room that is said.
    let status = unsafe {
        NtQuerySystemInformation(
            class,
            (&raw mut answer).cast::<c_void>(),
            BYTES as u32,
            null_mut(),
        )
    };
    (status >= 0).then_some(answer)
}

/// A DWORD below a key.
fn value(root: HKEY, key: &str, name: &str) -> Option<u32> {
    let (key, name) = (wide(key), wide(name));
    let (mut found, mut bytes) = (0_u32, size_of::<u32>() as u32);
    // SAFETY: the root is open, the names end with 0, and the answer has the room that is said.
    let error = unsafe {
        RegGetValueW(
            root,
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
