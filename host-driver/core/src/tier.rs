//! Mapping tiers: what the platform promises about a region's bus addresses.

/// How long the bus addresses of a region hold, strongest first.
///
/// The tier is a property of each region, found out at run time and reported, never assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Nothing remaps or bounces for this device: physical addresses are bus addresses while the pages are locked.
    Bypass,
    /// One long-lived mapping made at registration and taken back at unregistration.
    MappedOnce,
    /// A mapping per transfer, prepared ahead; the region has no table of its own.
    PerTransfer,
    /// Driver-allocated contiguous memory and a copy to or from the user's buffer.
    CommonBuffer,
}

impl Tier {
    /// Every tier, strongest first.
    pub const ALL: [Self; 4] = [
        Self::Bypass,
        Self::MappedOnce,
        Self::PerTransfer,
        Self::CommonBuffer,
    ];
}

/// Which tier a registration asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierPolicy {
    /// Strongest tier to try.
    pub first: Tier,
    /// Weakest tier to accept; the same as `first` accepts nothing else.
    pub last: Tier,
}

impl TierPolicy {
    /// The strongest tier that needs no copy: what an application wants that does not ask for more.
    pub const BEST: Self = Self {
        first: Tier::Bypass,
        last: Tier::PerTransfer,
    };

    /// This tier and no other.
    pub const fn exactly(tier: Tier) -> Self {
        Self {
            first: tier,
            last: tier,
        }
    }

    /// The tiers to try, strongest first.
    pub fn tiers(self) -> impl Iterator<Item = Tier> {
        Tier::ALL
            .into_iter()
            .filter(move |tier| (self.first..=self.last).contains(tier))
    }
}
