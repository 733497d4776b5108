//! What a declaration leaves behind for the generators: names, offsets, widths and documentation as constants.

/// Which side may do what with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The host reads.
    Ro,
    /// The host reads and writes.
    Rw,
    /// The host reads; writing 1 to a bit clears it.
    W1c,
    /// Reading takes the next item off a FIFO.
    Pop,
}

/// A field of a structure, or of a word of it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name, in snake case.
    pub name: &'static str,
    /// First bit, counted from bit 0 of byte 0 of the structure.
    pub offset: usize,
    /// Width in bits.
    pub width: usize,
    /// Name of the code set that the field holds, or of the structure nested in it.
    pub of: Option<&'static str>,
    /// Declared, but zero until a feature bit gives it a meaning.
    pub must_be_zero: bool,
    /// Documentation, a line each, with the leading space of a doc comment.
    pub doc: &'static str,
}

/// A natural C member: a plain field, or a word with the fields inside it.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The member; for a word of fields its name, place and width.
    pub field: Field,
    /// Fields inside the word; empty for a plain field.
    pub parts: &'static [Field],
}

/// A structure in memory or in a FIFO.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    /// Name, in camel case.
    pub name: &'static str,
    /// Path of the module below the crate, for names that are unique only in their module.
    pub group: &'static str,
    /// Size in bytes.
    pub bytes: usize,
    /// Members in the order of their offsets.
    pub items: &'static [Item],
    /// Every field, sub-word fields in place of their word.
    pub fields: &'static [Field],
    /// Documentation.
    pub doc: &'static str,
}

/// A register of BAR0.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Name, in upper case.
    pub name: &'static str,
    /// Byte offset in BAR0.
    pub offset: u32,
    /// Width: 32 or 64 bits; a 64-bit register is a pair of 32-bit ones, low half first.
    pub width: usize,
    /// What the host may do.
    pub access: Access,
    /// Fields, with offsets from the register's bit 0; empty if the register is one number.
    pub fields: &'static [Field],
    /// Documentation.
    pub doc: &'static str,
}

/// One value of a code set.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Name, in camel case.
    pub name: &'static str,
    /// Value.
    pub value: u64,
    /// Documentation.
    pub doc: &'static str,
}

/// The values that a field may hold.
#[derive(Clone, Copy, Debug)]
pub struct CodeSet {
    /// Name, in camel case.
    pub name: &'static str,
    /// The codes.
    pub codes: &'static [Code],
    /// Documentation.
    pub doc: &'static str,
}

/// A named number.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    /// Name, in upper case.
    pub name: &'static str,
    /// Value.
    pub value: u64,
    /// Documentation.
    pub doc: &'static str,
}

/// A named group of constants.
#[derive(Clone, Copy, Debug)]
pub struct ConstantSet {
    /// Prefix of the group's names in C, in lower case.
    pub name: &'static str,
    /// The constants.
    pub constants: &'static [Constant],
}

impl Field {
    /// A field that stands for nothing, to fill arrays.
    pub(crate) const NONE: Self = Self {
        name: "",
        offset: 0,
        width: 0,
        of: None,
        must_be_zero: false,
        doc: "",
    };
}

/// Number of fields in `items`, sub-word fields counted in place of their word.
pub const fn count_fields(items: &[Item]) -> usize {
    let mut count = 0;
    let mut i = 0;
    while i < items.len() {
        count += if items[i].parts.is_empty() {
            1
        } else {
            items[i].parts.len()
        };
        i += 1;
    }
    count
}

/// The fields of `items` in a row; `N` is [`count_fields`].
pub const fn flatten<const N: usize>(items: &[Item]) -> [Field; N] {
    let mut fields = [Field::NONE; N];
    let (mut n, mut i) = (0, 0);
    while i < items.len() {
        if items[i].parts.is_empty() {
            fields[n] = items[i].field;
            n += 1;
        }
        let mut j = 0;
        while j < items[i].parts.len() {
            fields[n] = items[i].parts[j];
            n += 1;
            j += 1;
        }
        i += 1;
    }
    fields
}

/// The bits of the `word`-th 64-bit word that no field owns, or whose fields must be zero.
pub const fn reserved_bits(fields: &[Field], word: usize) -> u64 {
    let mut used = 0;
    let mut i = 0;
    while i < fields.len() {
        let field = &fields[i];
        let end = field.offset + field.width;
        if !field.must_be_zero && field.offset < (word + 1) * 64 && end > word * 64 {
            let low = field.offset.saturating_sub(word * 64);
            let high = if end >= (word + 1) * 64 {
                64
            } else {
                end - word * 64
            };
            used |= mask(high - low) << low;
        }
        i += 1;
    }
    !used
}

/// `width` ones, from bit 0.
pub const fn mask(width: usize) -> u64 {
    if width >= 64 {
        u64::MAX
    } else {
        (1 << width) - 1
    }
}

/// Stops the build when a declaration breaks the layout rules: members in order and without overlap, aligned to their own
/// size, fields inside their word, and none across a 64-bit boundary (hence none across the gateware's 128-bit words).
pub const fn check_layout(items: &[Item], bits: usize) {
    let (mut next, mut i) = (0, 0);
    while i < items.len() {
        let item = &items[i];
        assert!(
            item.field.offset >= next,
            "members overlap or are out of order"
        );
        next = item.field.offset + item.field.width;
        assert!(next <= bits, "member ends outside the structure");
        if item.field.width <= 64 {
            assert!(
                item.field.offset.is_multiple_of(item.field.width),
                "member is not aligned to its size"
            );
        } else {
            assert!(
                item.field.offset.is_multiple_of(128) && item.field.width.is_multiple_of(128),
                "nested structure is not aligned"
            );
        }
        let (mut inner, mut j) = (item.field.offset, 0);
        while j < item.parts.len() {
            assert!(
                item.parts[j].offset >= inner,
                "fields of a word overlap or are out of order"
            );
            inner = item.parts[j].offset + item.parts[j].width;
            assert!(inner <= next, "field ends outside its word");
            j += 1;
        }
        i += 1;
    }
}
