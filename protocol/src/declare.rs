//! The declarations: one line per field, code, register or constant, from which everything else follows.
//!
//! ```text
//! wire! {
//!     /// Documentation.
//!     pub struct Name: 32 bytes, checked by function {     // `checked by` is optional
//!         /// A plain member at a byte offset.
//!         cookie: u64 @ 0x00,
//!         /// A member that holds a code.
//!         opcode: u8 @ 0x08 as Opcode,
//!         /// A member that is named already and must still be zero.
//!         check: u8 @ 0x09 = 0,
//!         /// A word of fields, written [high bit:low bit] as in the PCIe specification.
//!         tag: u32 @ 0x0c {
//!             /// A field of the word.
//!             slot: u16 [15:0],
//!         },
//!     } nested {                                            // optional
//!         /// A structure within the structure.
//!         body: Other @ 0x10,
//!     }
//! }
//! ```
//!
//! Bits that no member owns are reserved and must be zero.

/// Turns the bits of a field into its Rust type.
macro_rules! from_bits {
    (bool, $bits:expr) => {
        $bits != 0
    };
    ($ty:ident, $bits:expr) => {
        $bits as $ty
    };
}

/// Getter, setter and builder of one field, over the `bits` and `set_bits` of the type.
macro_rules! accessors {
    ([$($doc:literal)+] $structure:ident $name:ident: $ty:ident, $offset:expr, $width:expr, as $code:ident) => {
        pastey::paste! {
            $(#[doc = $doc])+
            ///
            /// # Errors
            /// [`DecodeError::UnknownCode`](crate::DecodeError) if the field holds none of the codes.
            #[inline]
            pub const fn $name(&self) -> Result<$code, crate::DecodeError> {
                let value = self.bits($offset, $width);
                match $code::from_code(value) {
                    Some(code) => Ok(code),
                    None => Err(crate::DecodeError::UnknownCode {
                        structure: stringify!($structure),
                        field: stringify!($name),
                        value,
                    }),
                }
            }

            #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
            #[inline]
            pub const fn [<set_ $name>](&mut self, value: $code) {
                self.set_bits($offset, $width, value.code());
            }

            #[doc = concat!("The same with [`", stringify!($name), "`](Self::", stringify!($name), ") set.")]
            #[inline]
            #[must_use]
            pub const fn [<with_ $name>](mut self, value: $code) -> Self {
                self.set_bits($offset, $width, value.code());
                self
            }
        }
    };
    ([$($doc:literal)+] $structure:ident $name:ident: $ty:ident, $offset:expr, $width:expr,) => {
        pastey::paste! {
            $(#[doc = $doc])+
            #[inline]
            pub const fn $name(&self) -> $ty {
                from_bits!($ty, self.bits($offset, $width))
            }

            #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), "); bits above the field's width are dropped.")]
            #[inline]
            pub const fn [<set_ $name>](&mut self, value: $ty) {
                self.set_bits($offset, $width, value as u64);
            }

            #[doc = concat!("The same with [`", stringify!($name), "`](Self::", stringify!($name), ") set.")]
            #[inline]
            #[must_use]
            pub const fn [<with_ $name>](mut self, value: $ty) -> Self {
                self.set_bits($offset, $width, value as u64);
                self
            }
        }
    };
}

/// Descriptor of one field.
macro_rules! field {
    ([$($doc:literal)+] $name:ident, $offset:expr, $width:expr, $of:expr, $zero:expr) => {
        crate::describe::Field {
            name: stringify!($name),
            offset: $offset,
            width: $width,
            of: $of,
            must_be_zero: $zero,
            doc: concat!($($doc, "\n"),+),
        }
    };
}

/// `Some` of the name, or `None` without one.
macro_rules! name_of {
    () => {
        None
    };
    ($name:ident) => {
        Some(stringify!($name))
    };
}

/// Whether a `= 0` was written.
macro_rules! is_zero {
    () => {
        false
    };
    (0) => {
        true
    };
}

/// Accessors of one member: its own, or those of the fields in its word.
macro_rules! member_accessors {
    ($structure:ident [$($doc:literal)+] $name:ident: $ty:ident @ $at:literal $(as $code:ident)?) => {
        accessors! { [$($doc)+] $structure $name: $ty, $at * 8, $ty::BITS as usize, $(as $code)? }
    };
    ($structure:ident [$($doc:literal)+] $name:ident: $ty:ident @ $at:literal {
        $( $(#[doc = $fdoc:literal])+ $fname:ident: $fty:ident [$high:literal : $low:literal] $(as $fcode:ident)? $(= $fzero:tt)? ),+ $(,)?
    }) => {
        $( accessors! { [$($fdoc)+] $structure $fname: $fty, $at * 8 + $low, $high - $low + 1, $(as $fcode)? } )+
    };
}

/// The checks of the code fields in one member.
macro_rules! member_codes {
    ($entry:ident $name:ident) => {};
    ($entry:ident $name:ident as $code:ident) => {
        $entry.$name()?;
    };
    ($entry:ident $name:ident {
        $( $(#[doc = $fdoc:literal])+ $fname:ident: $fty:ident [$high:literal : $low:literal] $(as $fcode:ident)? $(= $fzero:tt)? ),+ $(,)?
    }) => {
        $( member_codes! { $entry $fname $(as $fcode)? } )+
    };
}

/// Descriptor of one member.
macro_rules! item {
    ([$($doc:literal)+] $name:ident: $ty:ident @ $at:literal $(as $code:ident)? $(= $zero:tt)?) => {
        crate::describe::Item {
            field: field!([$($doc)+] $name, $at * 8, $ty::BITS as usize, name_of!($($code)?), is_zero!($($zero)?)),
            parts: &[],
        }
    };
    ([$($doc:literal)+] $name:ident: $ty:ident @ $at:literal {
        $( $(#[doc = $fdoc:literal])+ $fname:ident: $fty:ident [$high:literal : $low:literal] $(as $fcode:ident)? $(= $fzero:tt)? ),+ $(,)?
    }) => {
        crate::describe::Item {
            field: field!([$($doc)+] $name, $at * 8, $ty::BITS as usize, None, false),
            parts: &[ $(
                field!([$($fdoc)+] $fname, $at * 8 + $low, $high - $low + 1, name_of!($($fcode)?), is_zero!($($fzero)?))
            ),+ ],
        }
    };
}

/// Declares a structure of whole 64-bit words; see [the module](self).
macro_rules! wire {
    (
        $(#[doc = $doc:literal])+
        pub struct $structure:ident: $bytes:literal bytes $(in $group:literal)? $(, checked by $check:path)? {
            $(
                $(#[doc = $mdoc:literal])+
                $name:ident: $ty:ident @ $at:literal $({ $($parts:tt)+ })? $(as $code:ident)? $(= $zero:tt)?
            ),+ $(,)?
        }
        $(nested {
            $(#[doc = $ndoc:literal])+
            $nname:ident: $nty:ident @ $nat:literal $(,)?
        })?
    ) => {
        $(#[doc = $doc])+
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, Hash,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $structure {
            words: [zerocopy::little_endian::U64; $bytes / 8],
        }

        impl $structure {
            /// Size in bytes.
            pub const BYTES: usize = $bytes;

            /// Members in the order of their offsets.
            pub const ITEMS: &'static [crate::describe::Item] = &[
                $( item!([$($mdoc)+] $name: $ty @ $at $({ $($parts)+ })? $(as $code)? $(= $zero)?), )+
                $( crate::describe::Item {
                    field: field!([$($ndoc)+] $nname, $nat * 8, $nty::BYTES * 8, Some(stringify!($nty)), false),
                    parts: &[],
                }, )?
            ];

            /// Every field with its bit offset, width and documentation.
            pub const FIELDS: &'static [crate::describe::Field] =
                &crate::describe::flatten::<{ crate::describe::count_fields(Self::ITEMS) }>(Self::ITEMS);

            /// The whole description.
            pub const STRUCTURE: crate::describe::Structure = crate::describe::Structure {
                name: stringify!($structure),
                group: concat!($($group)?),
                bytes: $bytes,
                items: Self::ITEMS,
                fields: Self::FIELDS,
                doc: concat!($($doc, "\n"),+),
            };

            /// Bits that must be zero, per 64-bit word.
            pub const RESERVED: [u64; $bytes / 8] = {
                let mut reserved = [0; $bytes / 8];
                let mut word = 0;
                while word < reserved.len() {
                    reserved[word] = crate::describe::reserved_bits(Self::FIELDS, word);
                    word += 1;
                }
                reserved
            };

            /// All zero.
            pub const fn new() -> Self {
                Self { words: [zerocopy::little_endian::U64::ZERO; $bytes / 8] }
            }

            /// Reads one entry and checks it: length, reserved bits, codes and the structure's own rules.
            ///
            /// # Errors
            /// The first rule that is broken.
            pub fn decode(bytes: &[u8]) -> Result<Self, crate::DecodeError> {
                let entry = <Self as zerocopy::FromBytes>::read_from_bytes(bytes).map_err(|_| crate::DecodeError::Length {
                    structure: stringify!($structure),
                    expected: $bytes,
                    found: bytes.len(),
                })?;
                entry.check()?;
                Ok(entry)
            }

            /// Checks an entry that is already in hand, as [`decode`](Self::decode) does.
            ///
            /// # Errors
            /// The first rule that is broken.
            #[inline]
            pub fn check(&self) -> Result<(), crate::DecodeError> {
                for (index, (word, reserved)) in self.words.iter().zip(Self::RESERVED).enumerate() {
                    let bits = word.get() & reserved;
                    if bits != 0 {
                        return Err(crate::DecodeError::Reserved {
                            structure: stringify!($structure),
                            offset: index * 8,
                            bits,
                        });
                    }
                }
                $( member_codes! { self $name $({ $($parts)+ })? $(as $code)? } )+
                $( $check(self)?; )?
                Ok(())
            }

            /// An entry from its 32-bit words, the first one first.
            pub fn from_words(words: [u32; $bytes / 4]) -> Self {
                let mut entry = Self::new();
                for (to, from) in entry.words.iter_mut().zip(words.chunks_exact(2)) {
                    to.set(u64::from(from[0]) | u64::from(from[1]) << 32);
                }
                entry
            }

            /// The entry's 32-bit words, the first one first.
            pub fn to_words(&self) -> [u32; $bytes / 4] {
                let mut words = [0; $bytes / 4];
                for (to, from) in words.chunks_exact_mut(2).zip(self.words) {
                    to[0] = from.get() as u32;
                    to[1] = (from.get() >> 32) as u32;
                }
                words
            }

            /// The bytes as they stand in memory.
            #[inline]
            pub fn encode(&self) -> [u8; $bytes] {
                zerocopy::transmute!(*self)
            }

            #[inline]
            const fn bits(&self, offset: usize, width: usize) -> u64 {
                (self.words[offset / 64].get() >> (offset % 64)) & crate::describe::mask(width)
            }

            #[inline]
            const fn set_bits(&mut self, offset: usize, width: usize, value: u64) {
                let mask = crate::describe::mask(width);
                let kept = self.words[offset / 64].get() & !(mask << (offset % 64));
                self.words[offset / 64] =
                    zerocopy::little_endian::U64::new(kept | ((value & mask) << (offset % 64)));
            }

            $( member_accessors! { $structure [$($mdoc)+] $name: $ty @ $at $({ $($parts)+ })? $(as $code)? } )+

            $(
                $(#[doc = $ndoc])+
                pub fn $nname(&self) -> $nty {
                    let mut words = $nty::new();
                    words.words.copy_from_slice(&self.words[$nat / 8..$nat / 8 + $nty::BYTES / 8]);
                    words
                }

                pastey::paste! {
                    #[doc = concat!("The same with [`", stringify!($nname), "`](Self::", stringify!($nname), ") set.")]
                    #[must_use]
                    pub fn [<with_ $nname>](mut self, value: $nty) -> Self {
                        self.words[$nat / 8..$nat / 8 + $nty::BYTES / 8].copy_from_slice(&value.words);
                        self
                    }
                }
            )?
        }

        impl core::fmt::Debug for $structure {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut shown = f.debug_struct(stringify!($structure));
                for field in Self::FIELDS.iter().filter(|field| field.width <= 64) {
                    shown.field(field.name, &format_args!("{:#x}", self.bits(field.offset, field.width)));
                }
                $( shown.field(stringify!($nname), &self.$nname()); )?
                shown.finish()
            }
        }

        const _: () = {
            assert!(size_of::<$structure>() == $bytes && $bytes % 8 == 0, "size differs from the declaration");
            crate::describe::check_layout($structure::ITEMS, $bytes * 8);
        };
    };
}

/// Declares a set of codes: an enum with the values of a field.
macro_rules! codes {
    (
        $(#[doc = $doc:literal])+
        pub enum $set:ident {
            $( $(#[doc = $cdoc:literal])+ $name:ident = $value:literal ),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $set {
            $( $(#[doc = $cdoc])+ $name = $value ),+
        }

        impl $set {
            /// Every code.
            pub const ALL: &'static [Self] = &[ $( Self::$name ),+ ];

            /// The set's description.
            pub const CODES: crate::describe::CodeSet = crate::describe::CodeSet {
                name: stringify!($set),
                codes: &[ $( crate::describe::Code {
                    name: stringify!($name),
                    value: $value,
                    doc: concat!($($cdoc, "\n"),+),
                } ),+ ],
                doc: concat!($($doc, "\n"),+),
            };

            /// The code of a value, if it has one.
            #[inline]
            pub const fn from_code(value: u64) -> Option<Self> {
                match value {
                    $( $value => Some(Self::$name), )+
                    _ => None,
                }
            }

            /// The value of the code.
            #[inline]
            pub const fn code(self) -> u64 {
                self as u64
            }
        }
    };
}

/// Declares the registers of BAR0, in the order of their offsets.
macro_rules! registers {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $raw:ident @ $at:literal $access:ident $(as $view:ident {
            $( $(#[doc = $fdoc:literal])+ $fname:ident: $fty:ident [$high:literal : $low:literal] $(as $fcode:ident)? ),+ $(,)?
        })?
    ),+ $(,)?) => {
        $(
            $(#[doc = $doc])+
            pub const $name: crate::describe::Register = crate::describe::Register {
                name: stringify!($name),
                offset: $at,
                width: $raw::BITS as usize,
                access: crate::describe::Access::$access,
                fields: &[ $( $( field!([$($fdoc)+] $fname, $low, $high - $low + 1, name_of!($($fcode)?), false) ),+ )? ],
                doc: concat!($($doc, "\n"),+),
            };
            const _: () = assert!($at as u32 % ($raw::BITS / 8) == 0, "register is not aligned to its size");

            $(
                #[doc = concat!("Value of register [`", stringify!($name), "`].")]
                #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
                pub struct $view($raw);

                impl $view {
                    /// Every bit zero.
                    pub const fn new() -> Self {
                        Self(0)
                    }

                    /// A value as read from the register.
                    pub const fn from_raw(raw: $raw) -> Self {
                        Self(raw)
                    }

                    /// The value as written to the register.
                    pub const fn raw(self) -> $raw {
                        self.0
                    }

                    #[inline]
                    const fn bits(&self, offset: usize, width: usize) -> u64 {
                        ((self.0 >> offset) as u64) & crate::describe::mask(width)
                    }

                    #[inline]
                    const fn set_bits(&mut self, offset: usize, width: usize, value: u64) {
                        let mask = crate::describe::mask(width) as $raw;
                        self.0 = (self.0 & !(mask << offset)) | ((value as $raw & mask) << offset);
                    }

                    $( accessors! { [$($fdoc)+] $view $fname: $fty, $low, $high - $low + 1, $(as $fcode)? } )+
                }

                impl core::fmt::Debug for $view {
                    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        let mut shown = f.debug_struct(stringify!($view));
                        for field in $name.fields {
                            shown.field(field.name, &format_args!("{:#x}", self.bits(field.offset, field.width)));
                        }
                        shown.finish()
                    }
                }
            )?
        )+

        /// Every register, in the order of their offsets.
        pub const REGISTERS: &[crate::describe::Register] = &[ $( $name ),+ ];

        const _: () = {
            let (mut next, mut i) = (0, 0);
            while i < REGISTERS.len() {
                assert!(REGISTERS[i].offset >= next, "registers overlap or are out of order");
                next = REGISTERS[i].offset + REGISTERS[i].width as u32 / 8;
                i += 1;
            }
        };
    };
}

/// Declares a group of constants.
macro_rules! constants {
    ($set:literal; $( $(#[doc = $doc:literal])+ $name:ident: $ty:ident = $value:expr ),+ $(,)?) => {
        $( $(#[doc = $doc])+ pub const $name: $ty = $value; )+

        /// Every constant of the group.
        pub const CONSTANTS: crate::describe::ConstantSet = crate::describe::ConstantSet {
            name: $set,
            constants: &[ $( crate::describe::Constant {
                name: stringify!($name),
                value: $name as u64,
                doc: concat!($($doc, "\n"),+),
            } ),+ ],
        };
    };
}

pub(crate) use {
    accessors, codes, constants, field, from_bits, is_zero, item, member_accessors, member_codes,
    name_of, registers, wire,
};
