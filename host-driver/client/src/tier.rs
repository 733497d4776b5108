//! Mapping tiers and directions, typed.

use std::fmt;

use pinring_ioctl as ioctl;

macro_rules! numbered {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$value_doc:meta])* $value:ident = $number:expr, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "cli", derive(serde::Serialize))]
        #[cfg_attr(feature = "cli", serde(rename_all = "kebab-case"))]
        pub enum $name { $($(#[$value_doc])* $value,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The number that travels.
            pub const fn number(self) -> u32 {
                match self { $(Self::$value => $number,)+ }
            }

            /// The value of a number.
            pub fn from_number(number: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.number() == number)
            }

            /// In words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.text())
            }
        }
    };
}

numbered! {
    /// Which way data goes.
    pub enum Direction {
        /// Card to host: the device writes the buffer.
        C2h = ioctl::direction::C2H, "C2H";
        /// Host to card: the device reads the buffer.
        H2c = ioctl::direction::H2C, "H2C";
    }
}

numbered! {
    /// What the device may do with a region.
    pub enum Permissions {
        /// Write it.
        C2h = ioctl::permissions::C2H, "C2H";
        /// Read it.
        H2c = ioctl::permissions::H2C, "H2C";
        /// Both.
        Both = ioctl::permissions::BOTH, "C2H and H2C";
    }
}

impl From<Direction> for Permissions {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::C2h => Self::C2h,
            Direction::H2c => Self::H2c,
        }
    }
}

numbered! {
    /// How long a region's bus addresses hold, strongest first.
    pub enum Tier {
        /// Physical addresses are bus addresses for as long as the pages are locked.
        Bypass = ioctl::tier::BYPASS, "Bypass";
        /// One lasting mapping, made at registration.
        MappedOnce = ioctl::tier::MAPPED_ONCE, "MappedOnce";
        /// A mapping per transfer, prepared ahead by the driver.
        PerTransfer = ioctl::tier::PER_TRANSFER, "PerTransfer";
        /// Contiguous driver memory, reached by copying.
        CommonBuffer = ioctl::tier::COMMON_BUFFER, "CommonBuffer";
    }
}

numbered! {
    /// Why a region, or the device, has no stronger tier.
    pub enum Reason {
        /// It has the strongest that was asked for.
        None = ioctl::tier_reason::NONE, "it is the strongest that was asked for";
        /// DMA is remapped or bounced.
        Translated = ioctl::tier_reason::TRANSLATED, "the host remaps or bounces DMA of this device";
        /// Windows is too old.
        Unsupported = ioctl::tier_reason::UNSUPPORTED, "this Windows has no lasting mappings (they came with Windows 11 and Server 2022)";
        /// Scattered pages without remapping.
        NotContiguous = ioctl::tier_reason::NOT_CONTIGUOUS, "the pages are not contiguous, and nothing remaps them";
        /// Parts of pages.
        NotWholePages = ioctl::tier_reason::NOT_WHOLE_PAGES, "the buffer does not start and end on a page";
        /// No room.
        Exhausted = ioctl::tier_reason::EXHAUSTED, "the host has no room for another lasting mapping";
        /// An administrator's limit.
        Registry = ioctl::tier_reason::REGISTRY, "the registry value TierLimit forbids it";
    }
}

#[cfg(feature = "cli")]
impl Reason {
    /// A number in words, also one of a newer driver.
    pub(crate) fn describe(number: u32) -> String {
        Self::from_number(number)
            .map_or_else(|| format!("reason {number}"), |reason| reason.to_string())
    }
}

/// Which tiers a registration takes, from the strongest to the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierChoice {
    pub(crate) first: Tier,
    pub(crate) last: Tier,
}

impl TierChoice {
    /// The strongest that is to be had without a copy.
    pub const fn best() -> Self {
        Self {
            first: Tier::Bypass,
            last: Tier::PerTransfer,
        }
    }

    /// This one, or an error that says why not.
    pub const fn exactly(tier: Tier) -> Self {
        Self {
            first: tier,
            last: tier,
        }
    }

    /// The strongest that is to be had, but none weaker than `tier`.
    pub const fn down_to(tier: Tier) -> Self {
        Self {
            first: Tier::Bypass,
            last: tier,
        }
    }

    /// No stronger one than `tier`, even if it is to be had.
    pub const fn at_most(self, tier: Tier) -> Self {
        Self {
            first: tier,
            last: self.last,
        }
    }
}

impl Default for TierChoice {
    fn default() -> Self {
        Self::best()
    }
}
