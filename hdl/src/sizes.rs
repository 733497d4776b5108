//! Widths that follow from the protocol's limits, and how much of what they allow a device has.
//!
//! Ports and indices are as wide as the limits want them in every device. What a device has less of, it keeps less state for:
//! type parameter [`Sizes`] of the blocks that hold contexts, resident regions, queues or vectors.

use std::fmt::Debug;
use std::marker::PhantomData;

use pinring_protocol::MsixEntry;
use pinring_protocol::limits::{
    self, CONTEXTS, FETCH_TAGS, READ_SLOT_BYTES, READ_SLOTS, RESIDENT_SETS, RESIDENT_WAYS,
    SG_BLOCK_BYTES, SG_SLOTS, SG_WINDOWS,
};
use pinring_protocol::registers::{Limits0, Limits1, aperture};

/// Bits of an SG slot's number.
pub const SLOT_BITS: usize = SG_SLOTS.next_power_of_two().ilog2() as usize;

/// Bits of the number of a 128-bit word in a direction's SG RAM: slot, and word of the block. The context RAM is smaller.
pub const WORD_BITS: usize = SLOT_BITS + (SG_BLOCK_BYTES / 16).ilog2() as usize;

/// Bits of a set's number.
pub const SET_BITS: usize = RESIDENT_SETS.ilog2() as usize;

/// Bits of the place of a resident region: set, and way of the set.
pub const PLACE_BITS: usize = SET_BITS + RESIDENT_WAYS.ilog2() as usize;

/// Places of resident regions.
pub const PLACES: usize = RESIDENT_SETS * RESIDENT_WAYS;

/// Bits of the number of a 128-bit word in a direction's context RAM: eight words of each context, then two of each place.
pub const TABLE_BITS: usize = (8 * CONTEXTS + 2 * PLACES).next_power_of_two().ilog2() as usize;

/// H2C read slots of a device with a bus of `width` bits: enough for 2 us at the link that the width is made for, with as many
/// again at Gen3 x16 for completions that overtake each other.
pub const fn read_slots(width: usize) -> usize {
    if width == 512 { 128 } else { 64 }
}

/// Tags of such a device's reads: eight of the fetch unit, and one for each slot, as far as 8 bits name them.
pub const fn read_tags(width: usize) -> usize {
    let tags = read_slots(width) + FETCH_TAGS;
    if tags > 256 { 256 } else { tags }
}

/// What a device has of that which [`pinring_protocol::limits`] bounds.
pub trait Sizes: Clone + Debug + Default + 'static {
    /// Queues, the admin queue included.
    const QUEUES: usize;
    /// Transfer contexts per direction: a power of two.
    const CONTEXTS: usize;
    /// Sets of resident regions per direction: a power of two.
    const SETS: usize;
    /// MSI-X vectors.
    const VECTORS: usize;
}

/// All that the limits allow.
#[derive(Clone, Debug, Default)]
pub struct Full;

impl Sizes for Full {
    const QUEUES: usize = limits::QUEUES;
    const CONTEXTS: usize = limits::CONTEXTS;
    const SETS: usize = limits::RESIDENT_SETS;
    const VECTORS: usize = limits::VECTORS;
}

/// Two data queues, and per direction four contexts and 16 resident regions: for small FPGAs.
#[derive(Clone, Debug, Default)]
pub struct Small;

impl Sizes for Small {
    const QUEUES: usize = 3;
    const CONTEXTS: usize = 4;
    const SETS: usize = 4;
    const VECTORS: usize = 3;
}

const fn limits0<S: Sizes>() -> u32 {
    Limits0::new()
        .with_queues(S::QUEUES as u16)
        .with_vectors(S::VECTORS as u16)
        .raw()
}

const fn limits1<S: Sizes>() -> u32 {
    Limits1::new()
        .with_doorbell_stride_log2(aperture::DOORBELL_STRIDE.ilog2() as u8)
        .with_page_shift(limits::PAGE_SHIFT)
        .with_contexts_log2(S::CONTEXTS.ilog2() as u8)
        .raw()
}

/// A number in a type: Rust has no arithmetic on const generics.
pub trait Count: Clone + Debug + Default + 'static {
    /// The number.
    const N: u64;
}

/// The number `V`.
#[derive(Clone, Debug, Default)]
pub struct Value<const V: u64>;

impl<const V: u64> Count for Value<V> {
    const N: u64 = V;
}

/// The number `V` of a const generic parameter.
#[derive(Clone, Debug, Default)]
pub struct Exactly<const V: usize>;

impl<const V: usize> Count for Exactly<V> {
    const N: u64 = V as u64;
}

/// Two to the power of `B`.
#[derive(Clone, Debug, Default)]
pub struct PowerOfTwo<const B: usize>;

impl<const B: usize> Count for PowerOfTwo<B> {
    const N: u64 = 1 << B;
}

/// A mask of `C` ones.
#[derive(Clone, Debug, Default)]
pub struct Ones<C>(PhantomData<C>);

impl<C: Count> Count for Ones<C> {
    const N: u64 = u64::MAX >> (u64::BITS - C::N as u32);
}

/// log2 of `C`.
#[derive(Clone, Debug, Default)]
pub struct Log2<C>(PhantomData<C>);

impl<C: Count> Count for Log2<C> {
    const N: u64 = C::N.ilog2() as u64;
}

/// The last one of `C`.
#[derive(Clone, Debug, Default)]
pub struct Last<C>(PhantomData<C>);

impl<C: Count> Count for Last<C> {
    const N: u64 = C::N - 1;
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)+) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name<S>(PhantomData<S>);

        impl<S: Sizes> Count for $name<S> {
            const N: u64 = {
                let () = Checked::<S>::SOUND;
                ($value) as u64
            };
        })+
    };
}

counts! {
    /// Queues, the admin queue included.
    Queues = S::QUEUES;
    /// Mask of the queues that carry data.
    DataQueues = (1 << S::QUEUES) - 2;
    /// Contexts of a direction.
    Contexts = S::CONTEXTS;
    /// Places in a table of each queue's contexts.
    QueueContexts = S::QUEUES.next_power_of_two() * S::CONTEXTS;
    /// SG windows of a direction, and the SG slots that belong to contexts.
    Windows = SG_WINDOWS * S::CONTEXTS;
    /// Sets of resident regions.
    Sets = S::SETS;
    /// Places of resident regions.
    Places = RESIDENT_WAYS * S::SETS;
    /// 128-bit words in a direction's SG RAM.
    SgWords = (SG_WINDOWS * S::CONTEXTS + RESIDENT_WAYS * S::SETS) * (SG_BLOCK_BYTES / 16);
    /// Words of contexts in a direction's context RAM, before those of places.
    ContextWords = 8 * S::CONTEXTS;
    /// 128-bit words in a direction's context RAM.
    TableWords = 8 * S::CONTEXTS + 2 * RESIDENT_WAYS * S::SETS;
    /// Bytes of the MSI-X table.
    MsixBytes = S::VECTORS * MsixEntry::BYTES;
    /// MSI-X vectors.
    Vectors = S::VECTORS;
    /// Register LIMITS0.
    LimitsRegister0 = limits0::<S>();
    /// Register LIMITS1 but for the data width.
    LimitsRegister1 = limits1::<S>();
}

struct Checked<S>(PhantomData<S>);

impl<S: Sizes> Checked<S> {
    const SOUND: () = {
        // An admin queue and one for data; a context for each data queue, as all may be of one direction, and one on top.
        assert!(S::QUEUES >= 2 && S::QUEUES <= limits::QUEUES);
        assert!(
            S::CONTEXTS >= S::QUEUES && S::CONTEXTS <= CONTEXTS && S::CONTEXTS.is_power_of_two()
        );
        assert!(S::SETS >= 2 && S::SETS <= RESIDENT_SETS && S::SETS.is_power_of_two());
        assert!(S::VECTORS >= 1 && S::VECTORS <= limits::VECTORS);
    };
}

// Kernels take literals. They shift a slot to its block's first word by five, have five bits for a window and seven for a
// context's word, and hold four ways of at most sixteen sets.
const _: () = {
    assert!(SG_BLOCK_BYTES / 16 == 1 << 5);
    assert!(SG_WINDOWS * CONTEXTS == 32 && 8 * CONTEXTS == 128);
    assert!(RESIDENT_WAYS == 4 && RESIDENT_SETS == 16);
    // Slot n of 512 bytes has tag n + 8.
    assert!(FETCH_TAGS == 8 && READ_SLOT_BYTES == 512 && READ_SLOTS == 256);
};
