//! Macros that give declarations the shape bindgen would give them.

/// `struct _NAME`, its typedef `NAME`, its pointer type and an all-zeroes `Default`.
macro_rules! c_struct {
    ($(#[$meta:meta])* $tag:ident as $name:ident, $pointer:ident { $($field:ident : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $tag { $(pub $field: $type),* }
        zeroed_default!($tag);
        pub type $name = $tag;
        pub type $pointer = *mut $tag;
    };
}

/// `Default` with every byte 0, as bindgen derives it for what has no other.
macro_rules! zeroed_default {
    ($($tag:ident),* $(,)?) => { $(
        impl Default for $tag {
            fn default() -> Self {
                // SAFETY: the type is C data: integers, raw pointers and `Option`s of functions, for all of which zero is a value.
                unsafe { core::mem::zeroed() }
            }
        }
    )* };
}

/// `enum _NAME` as a module of constants, and its typedef `NAME`.
macro_rules! c_enum {
    ($tag:ident as $name:ident { $($variant:ident = $value:expr),* $(,)? }) => {
        pub mod $tag {
            pub type Type = i32;
            $(pub const $variant: Type = $value;)*
        }
        pub use self::$tag::Type as $name;
    };
}

/// Handles: pointers to types without content.
macro_rules! handles {
    ($($handle:ident = $target:ident),* $(,)?) => { $(
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $target { pub unused: i32 }
        pub type $handle = *mut $target;
    )* };
}
