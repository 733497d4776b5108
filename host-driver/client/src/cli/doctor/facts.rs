//! What is known of a machine.

use serde::Serialize;

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
    /// What this machine says; nothing where it is not Windows.
    pub fn read() -> Self {
        #[cfg(windows)]
        return crate::windows::facts::read();
        #[cfg(not(windows))]
        Self::default()
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
            None => "not known, taken for as shipped: external cards alone",
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
                "virtualization-based security",
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
