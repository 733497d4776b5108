//! Which system, platform and INF a machine has, and what follows from them for DMA.

/// Version of Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum OsVersion {
    /// Windows 10, version 22H2.
    Windows10,
    /// Windows Server 2022.
    Server2022,
    /// Windows 11, version 23H2.
    #[default]
    Windows11,
    /// Windows 11, version 24H2.
    Windows11_24H2,
}

impl OsVersion {
    /// Whether DMA adapters have `CreateCommonBufferFromMdl`.
    pub const fn has_common_buffer_from_mdl(self) -> bool {
        !matches!(self, Self::Windows10)
    }

    /// Whether `RemappingSupported` of the INF's .HW section counts.
    pub const fn reads_remapping_supported(self) -> bool {
        matches!(self, Self::Windows11_24H2)
    }

    /// Bytes of the table of DMA routines: version 2 ends after `BuildMdlFromScatterGatherList`, version 3 grew with the system.
    pub const fn operations_bytes(self, version: u32) -> usize {
        match (version >= 3, self.has_common_buffer_from_mdl()) {
            (false, _) => 128,
            (true, false) => 312,
            (true, true) => 320,
        }
    }
}

/// What the driver's INF says of DMA remapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InfPolicy {
    /// `Parameters\DmaRemappingCompatible` of the service: 0 opts out, 1 opts in, 2 opts in for external devices and under Driver
    /// Verifier. 3 is in use with Microsoft's drivers but not in the documentation; it counts as 1.
    pub dma_remapping_compatible: Option<u32>,
    /// `DMA Management\RemappingSupported` of the device: 1 opts in. Windows 11 24H2 and later; overrides the other then.
    pub remapping_supported: Option<u32>,
    /// `DMA Management\RemappingFlags`: 1 restricts opting in to external devices and Driver Verifier.
    pub remapping_flags: u32,
}

impl InfPolicy {
    /// No directive.
    pub const NONE: Self = Self {
        dma_remapping_compatible: None,
        remapping_supported: None,
        remapping_flags: 0,
    };

    /// The service's directive alone.
    pub const fn compatible(value: u32) -> Self {
        Self {
            dma_remapping_compatible: Some(value),
            ..Self::NONE
        }
    }

    /// The device's directive alone.
    pub const fn supported(value: u32, flags: u32) -> Self {
        Self {
            dma_remapping_compatible: None,
            remapping_supported: Some(value),
            remapping_flags: flags,
        }
    }
}

/// What the platform's IOMMU is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Iommu {
    /// Off: bus addresses are physical addresses.
    #[default]
    Off,
    /// On: devices whose drivers opt in are remapped, the others pass through.
    On,
    /// Kernel DMA protection: external devices whose drivers do not opt in get bounce pages only.
    KernelDmaProtection,
}

/// How the HAL lets a device reach memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translation {
    /// Bus addresses are physical addresses; pages that the device has too few address bits for are bounced.
    Direct,
    /// The IOMMU maps bus addresses to pages, each with its rights.
    Remapping,
    /// Every page is copied through bounce pages.
    Bounce,
}

/// What a machine's DMA is like. Set it before the device starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaConfig {
    /// Version of Windows.
    pub os: OsVersion,
    /// The driver's INF.
    pub inf: InfPolicy,
    /// The platform.
    pub iommu: Iommu,
    /// The device is behind an externally exposed port.
    pub external: bool,
    /// Driver Verifier checks the driver's DMA.
    pub driver_verifier: bool,
    /// Overrides what follows from the above.
    pub translation: Option<Translation>,
    /// Map registers, and so bounce pages, of a device; at least 2.
    pub map_registers: u32,
    /// Every mapped page takes a map register, not only bounced ones.
    pub registers_for_every_page: bool,
    /// Address bits that the bridges above the device pass, 1 to 64.
    pub reach_bits: u32,
    /// `GetDmaAdapterInfo` writes version 1 behind eight bytes, as the headers of the time of 22H2 have it, and not behind four.
    pub info_at_byte_8: bool,
}

impl Default for DmaConfig {
    fn default() -> Self {
        Self {
            os: OsVersion::default(),
            inf: InfPolicy::NONE,
            iommu: Iommu::Off,
            external: false,
            driver_verifier: false,
            translation: None,
            map_registers: 32_769,
            registers_for_every_page: false,
            reach_bits: 64,
            info_at_byte_8: false,
        }
    }
}

impl DmaConfig {
    /// A machine on which the HAL does this, whatever the INF says.
    pub fn with_translation(translation: Translation) -> Self {
        Self {
            translation: Some(translation),
            ..Self::default()
        }
    }

    /// How the HAL lets the device reach memory.
    ///
    /// Source: pci/enabling-dma-remapping-for-device-drivers.md. That an external device without remapping bounces under kernel DMA
    /// protection is this model's: Windows may refuse to start it instead. So is that Driver Verifier bounces what is not remapped:
    /// devtest/dma-verification.md has it find what hardware writes beside a transfer, for which each needs pages of Verifier's own.
    pub fn translation(&self) -> Translation {
        if let Some(translation) = self.translation {
            return translation;
        }
        match self.iommu {
            Iommu::On | Iommu::KernelDmaProtection if self.opted_in() => Translation::Remapping,
            _ if self.driver_verifier => Translation::Bounce,
            Iommu::KernelDmaProtection if self.external => Translation::Bounce,
            _ => Translation::Direct,
        }
    }

    fn opted_in(&self) -> bool {
        let restricted = self.external || self.driver_verifier;
        if self.os.reads_remapping_supported()
            && let Some(supported) = self.inf.remapping_supported
        {
            return supported == 1 && (self.inf.remapping_flags & 1 == 0 || restricted);
        }
        match self.inf.dma_remapping_compatible {
            Some(1 | 3) => true,
            Some(2) => restricted,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(os: OsVersion, inf: InfPolicy, iommu: Iommu, external: bool) -> Translation {
        DmaConfig {
            os,
            inf,
            iommu,
            external,
            ..DmaConfig::default()
        }
        .translation()
    }

    #[test]
    fn translation_follows_from_system_inf_and_platform() {
        use Iommu::{KernelDmaProtection, Off, On};
        use OsVersion::{Windows10, Windows11_24H2};
        use Translation::{Bounce, Direct, Remapping};
        assert_eq!(of(Windows10, InfPolicy::compatible(1), Off, false), Direct);
        assert_eq!(
            of(Windows10, InfPolicy::compatible(1), On, false),
            Remapping
        );
        assert_eq!(of(Windows10, InfPolicy::compatible(2), On, false), Direct);
        assert_eq!(of(Windows10, InfPolicy::compatible(2), On, true), Remapping);
        assert_eq!(of(Windows10, InfPolicy::compatible(0), On, true), Direct);
        assert_eq!(
            of(Windows10, InfPolicy::NONE, KernelDmaProtection, true),
            Bounce
        );
        assert_eq!(
            of(Windows10, InfPolicy::NONE, KernelDmaProtection, false),
            Direct
        );
        let both = InfPolicy {
            dma_remapping_compatible: Some(1),
            ..InfPolicy::supported(1, 1)
        };
        assert_eq!(of(Windows11_24H2, both, On, false), Direct);
        assert_eq!(of(Windows11_24H2, both, On, true), Remapping);
        assert_eq!(of(Windows10, both, On, false), Remapping);
        assert_eq!(
            of(Windows11_24H2, InfPolicy::supported(1, 0), On, false),
            Remapping
        );
        let verified = DmaConfig {
            inf: InfPolicy::compatible(2),
            iommu: On,
            driver_verifier: true,
            ..DmaConfig::default()
        };
        assert_eq!(verified.translation(), Remapping);
        for (inf, iommu) in [
            (InfPolicy::compatible(0), On),
            (InfPolicy::NONE, KernelDmaProtection),
            (InfPolicy::compatible(2), Off),
        ] {
            let verified = DmaConfig {
                inf,
                iommu,
                ..verified
            };
            assert_eq!(verified.translation(), Bounce);
        }
    }
}
