//! Every type that is decoded from bytes, on any bytes: nothing panics, what is accepted encodes back to the same bytes, and what is refused
//! says why.

use pinring_protocol::mailbox::{Command, Message};
use pinring_protocol::*;

/// Runs every decoder on these bytes, each on as many of them as it takes, and on all of them.
///
/// # Panics
/// A decoder did what it must not.
pub fn run(bytes: &[u8]) {
    macro_rules! structures {
        ($($structure:ident),+ $(,)?) => { $(
            for part in [bytes, bytes.get(..$structure::BYTES).unwrap_or(bytes)] {
                match $structure::decode(part) {
                    Ok(entry) => {
                        assert_eq!(entry.encode(), part);
                        assert_eq!($structure::from_words(entry.to_words()), entry);
                        assert_eq!(entry.check(), Ok(()));
                    }
                    Err(error) => {
                        refused(error, stringify!($structure));
                        let wrong_length = part.len() != $structure::BYTES;
                        assert_eq!(matches!(error, DecodeError::Length { .. }), wrong_length);
                    }
                }
            }
        )+ };
    }
    structures!(
        SubmissionEntry,
        CompletionEntry,
        QueueContext,
        AdminEntry,
        RegionEntry,
        SgElement,
        SgUniformElement,
        Doorbell,
        MsixEntry,
    );
    let Some(head) = bytes.first_chunk::<16>() else {
        return;
    };
    let words = std::array::from_fn(|word| {
        let bytes: [u8; 4] = std::array::from_fn(|byte| head[word * 4 + byte]);
        u32::from_le_bytes(bytes)
    });
    match Message::decode(words) {
        Ok(message) => assert_eq!(message.encode(), words),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match Command::decode(words) {
        Ok(command) => assert_eq!(command.encode(), words),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A refusal names what it is of.
fn refused(error: DecodeError, structure: &str) {
    let said = error.to_string();
    // An admin entry holds a queue context, whose rules are its own.
    let nested = structure == "AdminEntry" && said.starts_with("QueueContext");
    assert!(said.starts_with(structure) || nested, "{structure}: {said}");
}
