//! What `protocol` declares, as JSON, for the bench's side of the host.

use pinring_protocol::catalogue::{APERTURES, CODES, LAYOUT_HASH, LIMITS, REGISTERS, STRUCTURES};
use pinring_protocol::describe::{ConstantSet, Field};
use pinring_protocol::{ABI_MAJOR, MAGIC};
use serde_json::{Map, Value, json};

/// Structures, codes, registers, apertures and limits by their names; offsets of fields are in bits, others in bytes.
pub fn layout() -> Value {
    json!({
        "identity": { "MAGIC": MAGIC, "ABI_MAJOR": ABI_MAJOR, "LAYOUT_HASH": LAYOUT_HASH },
        "structures": named(STRUCTURES, |structure| {
            (structure.name, json!({ "bytes": structure.bytes, "fields": fields(structure.fields) }))
        }),
        "codes": named(CODES, |set| {
            (set.name, named(set.codes, |code| (code.name, code.value.into())))
        }),
        "registers": named(REGISTERS, |register| {
            let fields = fields(register.fields);
            (register.name, json!({ "offset": register.offset, "width": register.width, "fields": fields }))
        }),
        "apertures": constants(&APERTURES),
        "limits": constants(&LIMITS),
    })
}

fn fields(fields: &[Field]) -> Value {
    named(fields, |field| {
        let place = json!({ "offset": field.offset, "width": field.width, "of": field.of });
        (field.name, place)
    })
}

fn constants(set: &ConstantSet) -> Value {
    named(set.constants, |constant| {
        (constant.name, constant.value.into())
    })
}

fn named<T>(items: &[T], entry: impl Fn(&T) -> (&'static str, Value)) -> Value {
    let entries = items.iter().map(entry);
    Value::Object(
        entries
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_protocol::catalogue::{COMMANDS, MESSAGES};
    use pinring_protocol::{CompletionEntry, Status};

    #[test]
    fn every_name_has_its_place() {
        let layout = layout();
        let entries = |name: &str| layout[name].as_object().map(Map::len);
        assert_eq!(entries("structures"), Some(STRUCTURES.len()));
        assert_eq!(entries("codes"), Some(CODES.len()));
        assert_eq!(entries("registers"), Some(REGISTERS.len()));
        assert_eq!(entries("apertures"), Some(APERTURES.constants.len()));
        for structure in STRUCTURES.iter().chain(MESSAGES).chain(COMMANDS) {
            let fields = fields(structure.fields);
            assert_eq!(
                fields.as_object().map(Map::len),
                Some(structure.fields.len())
            );
        }
        let status = &layout["structures"]["CompletionEntry"]["fields"]["status"];
        let entry = CompletionEntry::new().with_status(Status::BadHint);
        let place = entry
            .encode()
            .map(u64::from)
            .iter()
            .position(|byte| *byte != 0);
        assert_eq!(
            status["offset"].as_u64().map(|bit| bit / 8),
            place.map(|byte| byte as u64)
        );
        assert_eq!(layout["codes"]["Status"]["BadHint"], Status::BadHint.code());
        assert_eq!(
            layout["identity"]["LAYOUT_HASH"].as_u64(),
            Some(LAYOUT_HASH)
        );
    }
}
