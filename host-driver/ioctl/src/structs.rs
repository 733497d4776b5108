//! The structures of the control codes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Directions of [`Submit::direction`].
pub mod direction {
    /// Card to host.
    pub const C2H: u32 = 0;
    /// Host to card.
    pub const H2C: u32 = 1;
}

/// Bits of [`Register::permissions`].
pub mod permissions {
    /// The device may write the buffer.
    pub const C2H: u32 = 1;
    /// The device may read the buffer.
    pub const H2C: u32 = 2;
    /// Both.
    pub const BOTH: u32 = C2H | H2C;
}

/// Mapping tiers, strongest first; a request names the strongest and the weakest that it takes.
pub mod tier {
    /// Physical addresses are bus addresses for as long as the pages are locked.
    pub const BYPASS: u32 = 0;
    /// One lasting mapping, made at registration.
    pub const MAPPED_ONCE: u32 = 1;
    /// A mapping per transfer, prepared ahead by the driver.
    pub const PER_TRANSFER: u32 = 2;
    /// Contiguous driver memory; see [`ALLOCATE`](crate::ALLOCATE).
    pub const COMMON_BUFFER: u32 = 3;
}

/// Why a region did not get a stronger tier ([`RegionInfo::reason`]), and why the device has none ([`DeviceInfo`]).
pub mod tier_reason {
    /// It got the strongest that it asked for.
    pub const NONE: u32 = 0;
    /// The host remaps or bounces for this device.
    pub const TRANSLATED: u32 = 1;
    /// This Windows has no CreateCommonBufferFromMdl, or the DMA interface is older than version 3.
    pub const UNSUPPORTED: u32 = 2;
    /// The pages are not contiguous, and nothing remaps them.
    pub const NOT_CONTIGUOUS: u32 = 3;
    /// The buffer does not start and end on a page.
    pub const NOT_WHOLE_PAGES: u32 = 4;
    /// The host has no room.
    pub const EXHAUSTED: u32 = 5;
    /// The registry value TierLimit forbids it.
    pub const REGISTRY: u32 = 6;
}

/// Scopes of [`Cancel::scope`].
pub mod scope {
    /// Everything in flight on one region.
    pub const REGION: u32 = 0;
    /// Everything of this handle.
    pub const ALL: u32 = 1;
}

/// Bits of [`Completion::flags`].
pub mod completion_flags {
    /// C2H: the transfer ended with the packet's TLAST.
    pub const END_OF_PACKET: u16 = 1;
}

macro_rules! structures {
    ($($(#[$doc:meta])* pub struct $name:ident[$bytes:literal] { $($(#[$field_doc:meta])* $(pub $field:ident)? $(_ $reserved:ident)?: $type:ty,)+ })+) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct $name { $($(#[$field_doc])* pub $($field)? $($reserved)?: $type,)+ }
        // The layout is the contract: a field that moves must be seen here.
        const _: () = assert!(size_of::<$name>() == $bytes);
        impl $name {
            /// Size in bytes.
            pub const BYTES: usize = $bytes;

            /// The structure at the front of `bytes`, which may lie anywhere and belong to anybody: it is copied once.
            /// `None` if there are too few bytes or a reserved field is not zero.
            pub fn parse(bytes: &[u8]) -> Option<Self> {
                let (found, _) = Self::read_from_prefix(bytes).ok()?;
                $($(if found.$reserved != <$type>::default() { return None; })?)+
                Some(found)
            }
        })+
    };
}

structures! {
    /// What [`QUERY_DEVICE`](crate::QUERY_DEVICE) gives.
    pub struct DeviceInfo[128] {
        /// [`VERSION`](crate::VERSION) of the driver.
        pub interface_version: u32,
        /// Version of the driver: major in bits 31:16, minor in bits 15:0.
        pub driver_version: u32,
        /// Hash over the protocol's layout, the same in driver and device.
        pub layout_hash: u64,
        /// Register FEATURES of the device.
        pub features: u64,
        /// Version of the gateware: register VERSION.
        pub device_version: u32,
        /// Clock of the device's timestamps in Hz.
        pub clock_hz: u32,
        /// Data path in bits.
        pub data_width_bits: u32,
        /// Queues of the device, the admin queue included.
        pub queues: u32,
        /// MSI-X messages that the driver got.
        pub messages: u32,
        /// Regions that may exist at a time, over all handles.
        pub max_regions: u32,
        /// Transfers that one handle may have in flight in each direction.
        pub ring_entries: u32,
        /// Lists that are prepared ahead at a time in tier PerTransfer.
        pub prepare_depth: u32,
        /// Longest transfer of tier PerTransfer in bytes; regions with a lasting mapping have no such limit.
        pub max_transfer_bytes: u64,
        /// Cap on locked bytes of one handle.
        pub max_locked_bytes_per_handle: u64,
        /// Cap on locked bytes over all handles.
        pub max_locked_bytes: u64,
        /// Why tier Bypass cannot be had ([`tier_reason`]); 0 if it can.
        pub bypass_missing: u32,
        /// Why tier MappedOnce cannot be had ([`tier_reason`]); 0 if it can.
        pub mapped_once_missing: u32,
        /// The device serves: 1; otherwise 0.
        pub running: u32,
        /// Resets after faults since the driver was loaded.
        pub resets: u32,
        /// Zero.
        _ reserved: [u64; 4],
    }

    /// Input of [`REGISTER`](crate::REGISTER). The output buffer is the buffer to register.
    pub struct Register[24] {
        /// The application's name for the registration, unique on this handle.
        pub token: u64,
        /// What the device may do ([`permissions`]).
        pub permissions: u32,
        /// Strongest tier to take ([`tier`]).
        pub first_tier: u32,
        /// Weakest tier to take; the same as `first_tier` takes nothing else.
        pub last_tier: u32,
        /// Zero.
        _ reserved: u32,
    }

    /// Input of [`QUERY_REGION`](crate::QUERY_REGION).
    pub struct Token[8] {
        /// As in [`Register::token`].
        pub token: u64,
    }

    /// What a registration or an allocation came to.
    pub struct RegionInfo[48] {
        /// Names the region in the other requests of this handle.
        pub handle: u64,
        /// Bytes.
        pub length: u64,
        /// The tier that it got ([`tier`]).
        pub tier: u32,
        /// Why it did not get a stronger one ([`tier_reason`]).
        pub reason: u32,
        /// Elements of its list; 0 in tier PerTransfer.
        pub elements: u32,
        /// Transfers in flight.
        pub in_flight: u32,
        /// Nanoseconds that the driver took to map and list the buffer.
        pub setup_ns: u64,
        /// Zero.
        _ reserved: u64,
    }

    /// Input of [`UNREGISTER`](crate::UNREGISTER).
    pub struct Handle[8] {
        /// As in [`RegionInfo::handle`].
        pub handle: u64,
    }

    /// Input of [`ALLOCATE`](crate::ALLOCATE).
    pub struct Allocate[16] {
        /// Bytes.
        pub length: u64,
        /// What the device may do ([`permissions`]).
        pub permissions: u32,
        /// Zero.
        _ reserved: u32,
    }

    /// Input of [`COPY_OUT`](crate::COPY_OUT) and [`COPY_IN`](crate::COPY_IN); the length is that of the direct buffer.
    pub struct CopyRange[16] {
        /// A region of [`ALLOCATE`](crate::ALLOCATE).
        pub handle: u64,
        /// First byte in the region.
        pub offset: u64,
    }

    /// Head of the input of [`SUBMIT`](crate::SUBMIT); `count` [`Transfer`]s follow.
    pub struct Submit[8] {
        /// Direction of the whole batch ([`direction`]).
        pub direction: u32,
        /// Transfers that follow, 1 to [`MAX_BATCH`](crate::MAX_BATCH).
        pub count: u32,
    }

    /// One transfer of a batch.
    pub struct Transfer[40] {
        /// The region.
        pub handle: u64,
        /// First byte in the region.
        pub offset: u64,
        /// Bytes, at least 1.
        pub length: u64,
        /// The application's, given back in the completion.
        pub cookie: u64,
        /// User metadata, given to the device and back in the completion.
        pub user: u32,
        /// TDEST of the user stream.
        pub tdest: u16,
        /// Zero.
        _ reserved: u16,
    }

    /// Input of [`WAIT`](crate::WAIT).
    pub struct Wait[8] {
        /// Completions to wait for, 0 to what fits into the output; 0 takes what there is at once.
        pub least: u32,
        /// Zero.
        _ reserved: u32,
    }

    /// How a transfer ended: exactly one for each that was submitted.
    pub struct Completion[56] {
        /// As in [`Transfer::cookie`].
        pub cookie: u64,
        /// As in [`Transfer::handle`].
        pub handle: u64,
        /// Bytes moved.
        pub bytes: u64,
        /// Device clock cycles when the device made the entry; 0 if the driver made it.
        pub timestamp: u64,
        /// Nanoseconds of set-up that the driver did for this transfer alone: mapping and listing in tier PerTransfer, else 0.
        pub setup_ns: u64,
        /// As in [`Transfer::user`].
        pub user: u32,
        /// The protocol's status code (`Status` in docs/wire-format.md).
        pub status: u16,
        /// See [`completion_flags`].
        pub flags: u16,
        /// Direction ([`direction`]).
        pub direction: u32,
        /// Zero.
        _ reserved: u32,
    }

    /// Input of [`CANCEL`](crate::CANCEL).
    pub struct Cancel[16] {
        /// The region; zero with scope ALL.
        pub handle: u64,
        /// What to cancel ([`scope`]).
        pub scope: u32,
        /// Zero.
        _ reserved: u32,
    }

    /// Counters; those with `handle` in their name are of this handle, the others of the device since the driver was loaded.
    pub struct Statistics[192] {
        /// Regions registered or allocated now.
        pub regions: u64,
        /// Bytes locked now.
        pub locked_bytes: u64,
        /// Regions of this handle.
        pub handle_regions: u64,
        /// Bytes locked by this handle.
        pub handle_locked_bytes: u64,
        /// Transfers of this handle that have not been reported.
        pub handle_in_flight: u64,
        /// Batches submitted.
        pub batches: u64,
        /// Transfers submitted.
        pub transfers: u64,
        /// Transfers that ended well.
        pub completed: u64,
        /// Transfers that ended as aborted.
        pub aborted: u64,
        /// Transfers that ended otherwise.
        pub failed: u64,
        /// Bytes from card to host.
        pub c2h_bytes: u64,
        /// Bytes from host to card.
        pub h2c_bytes: u64,
        /// Doorbells written.
        pub doorbells: u64,
        /// Registers read.
        pub mmio_reads: u64,
        /// Interrupts taken.
        pub interrupts: u64,
        /// Deferred procedure calls run.
        pub dpcs: u64,
        /// Lists prepared for single transfers.
        pub lists: u64,
        /// Nanoseconds spent on them.
        pub list_ns: u64,
        /// Lists that had to wait for map registers.
        pub shortages: u64,
        /// Registrations made.
        pub registrations: u64,
        /// Nanoseconds spent on them.
        pub registration_ns: u64,
        /// Resets after faults.
        pub resets: u64,
        /// Zero.
        _ reserved: [u64; 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_fields_and_short_buffers_are_refused() {
        let good = Register {
            token: 7,
            permissions: permissions::BOTH,
            ..Register::default()
        };
        assert_eq!(Register::parse(good.as_bytes()), Some(good));
        assert_eq!(Register::parse(&good.as_bytes()[..23]), None);
        let bad = Register {
            reserved: 1,
            ..good
        };
        assert_eq!(Register::parse(bad.as_bytes()), None);
    }

    #[test]
    fn structures_are_read_at_any_alignment() {
        let mut bytes = [0; 1 + CopyRange::BYTES];
        bytes[1] = 9;
        let copy = CopyRange::parse(&bytes[1..]).unwrap();
        assert_eq!(copy.handle, 9);
    }
}
