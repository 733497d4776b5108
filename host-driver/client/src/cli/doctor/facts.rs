//! What is known of a machine.

use serde::Serialize;

use crate::Error;

/// Windows 11 24H2: from here on the device's own registry key comes before the driver's.
pub(super) const PER_DEVICE_BUILD: u32 = 26_100;

/// How the driver's INF takes part in DMA remapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum InfPolicy {
    /// As shipped: external cards alone (RemappingFlags = 1, before Windows 11 24H2 DmaRemappingCompatible = 2)
    Default,
    /// Hardened: always (RemappingFlags = 0, DmaRemappingCompatible = 1)
    Force,
    /// Never (RemappingSupported = 0, DmaRemappingCompatible = 0)
    OptOut,
}

/// What the registry says of DMA remapping, as the INF or an administrator set it; `None` where a value is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg(any(windows, test))]
pub(crate) struct Registry {
    /// `DmaRemappingCompatible` of the service's parameters.
    pub compatible: Option<u32>,
    /// `RemappingSupported` and `RemappingFlags` below the device's `DMA Management`; `None`: there is no such device.
    pub device: Option<[Option<u32>; 2]>,
}

#[cfg(any(windows, test))]
impl Registry {
    /// What it comes to on a build of Windows. Source: "Enabling DMA remapping for device drivers" of the Windows driver documentation;
    /// what it leaves to the system is not known.
    pub fn policy(self, os_build: Option<u32>) -> Option<InfPolicy> {
        if os_build? >= PER_DEVICE_BUILD {
            match self.device? {
                [Some(0), _] => return Some(InfPolicy::OptOut),
                [Some(1), flags] if flags.unwrap_or(0) & 1 == 0 => return Some(InfPolicy::Force),
                [Some(1), _] => return Some(InfPolicy::Default),
                [Some(_), _] => return None,
                [None, _] => {}
            }
        }
        match self.compatible? {
            0 => Some(InfPolicy::OptOut),
            1 => Some(InfPolicy::Force),
            2 => Some(InfPolicy::Default),
            _ => None,
        }
    }
}

/// What is known of a machine; `None` where it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Build number of Windows.
    pub os_build: Option<u32>,
    /// Windows uses the IOMMU to remap DMA (Kernel DMA Protection).
    pub remapping: Option<bool>,
    /// Virtualization-based security runs.
    pub vbs: Option<bool>,
    /// How the driver takes part; unknown is taken for as shipped.
    pub inf_policy: Option<InfPolicy>,
    /// The card is external; unknown is taken for internal.
    pub external: Option<bool>,
    /// Buffers are physically contiguous; unknown is taken for scattered.
    pub contiguous: Option<bool>,
    /// Buffers are of whole pages; unknown is taken for so.
    pub whole_pages: Option<bool>,
}

impl Facts {
    /// What this machine says, of the device of this name or of the driver's first; nothing where it is not Windows.
    ///
    /// # Errors
    /// There is no device of this name.
    pub fn read(device: Option<&str>) -> Result<Self, Error> {
        #[cfg(windows)]
        return crate::windows::facts::read(device);
        #[cfg(not(windows))]
        match device {
            None => Ok(Self::default()),
            Some(_) => Err(Error::NoDriver),
        }
    }

    /// For people.
    pub(super) fn in_words(&self) -> [(&'static str, String); 7] {
        let switch = |value: Option<bool>, unknown: &str| match value {
            Some(true) => "yes".to_string(),
            Some(false) => "no".to_string(),
            None => unknown.to_string(),
        };
        let build = self.os_build.map(|build| build.to_string());
        let policy = match self.inf_policy {
            Some(InfPolicy::Default) => "as shipped: external cards alone",
            Some(InfPolicy::Force) => "always",
            Some(InfPolicy::OptOut) => "never",
            None if self.os_build.is_some_and(|build| build >= PER_DEVICE_BUILD) => {
                "not known, as this Windows has it in the device's own registry key, and no device was found (--inf-policy); \
                 taken for as shipped: external cards alone"
            }
            None => "not known (--inf-policy), taken for as shipped: external cards alone",
        };
        [
            (
                "Windows build",
                build.unwrap_or_else(|| "not known (--os-build)".to_string()),
            ),
            (
                "Windows remaps DMA",
                switch(self.remapping, "not known (--remapping)"),
            ),
            (
                "virtualization-based security runs",
                switch(self.vbs, "not known (--vbs)"),
            ),
            ("the driver asks for remapping", policy.to_string()),
            (
                "external card",
                switch(self.external, "not known, taken for no (--external)"),
            ),
            (
                "contiguous buffers",
                switch(self.contiguous, "not known, taken for no (--contiguous)"),
            ),
            (
                "buffers of whole pages",
                switch(self.whole_pages, "not known, taken for yes (--whole-pages)"),
            ),
        ]
    }
}
