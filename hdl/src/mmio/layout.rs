//! Numbers of the protocol's declarations, for [`Const`](crate::widgets::Const).

use pinring_protocol::describe::Field;

/// First bit of the field `name`.
pub(super) const fn bit(fields: &[Field], name: &str) -> u64 {
    let mut index = 0;
    while index < fields.len() {
        if same(fields[index].name.as_bytes(), name.as_bytes()) {
            return fields[index].offset as u64;
        }
        index += 1;
    }
    panic!("no such field")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}
