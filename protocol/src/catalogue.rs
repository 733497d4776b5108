//! Everything that is declared, for the generators and the layout hash.

use crate::describe::{CodeSet, ConstantSet, Field, Register, Structure};
use crate::{mailbox, registers};

/// Structures in host memory and BAR0; what is nested comes before what holds it.
pub const STRUCTURES: &[Structure] = &[
    crate::SubmissionEntry::STRUCTURE,
    crate::CompletionEntry::STRUCTURE,
    crate::QueueContext::STRUCTURE,
    crate::AdminEntry::STRUCTURE,
    crate::RegionEntry::STRUCTURE,
    crate::SgElement::STRUCTURE,
    crate::SgUniformElement::STRUCTURE,
    crate::Doorbell::STRUCTURE,
    crate::MsixEntry::STRUCTURE,
];

/// Mailbox entries from gateware to firmware.
pub const MESSAGES: &[Structure] = mailbox::message::STRUCTURES;

/// Mailbox entries from firmware to gateware.
pub const COMMANDS: &[Structure] = mailbox::command::STRUCTURES;

/// Code sets.
pub const CODES: &[CodeSet] = &[
    crate::Opcode::CODES,
    crate::AdminOpcode::CODES,
    crate::Direction::CODES,
    crate::SgFormat::CODES,
    crate::Status::CODES,
    crate::FirmwareState::CODES,
    mailbox::MessageKind::CODES,
    mailbox::CommandKind::CODES,
    mailbox::Quiesce::CODES,
];

/// Registers of BAR0.
pub const REGISTERS: &[Register] = registers::REGISTERS;

/// Apertures of BAR0.
pub const APERTURES: ConstantSet = registers::aperture::CONSTANTS;

/// The soft core's window.
pub const MMIO: ConstantSet = crate::mmio::CONSTANTS;

/// Sizes; those that registers report are not part of the layout hash.
pub const LIMITS: ConstantSet = crate::limits::CONSTANTS;

/// 64-bit FNV-1a over the ABI's major version and every name, place and value that is declared.
///
/// Two builds with the same hash read each other's bytes. Of the limits only those of SG slots, resident regions and
/// moderation enter it, which firmware or driver have to share with the gateware and no register reports; documentation does not.
pub const LAYOUT_HASH: u64 = Fnv::new()
    .number(crate::ABI_MAJOR as u64)
    .number(crate::limits::SG_SLOTS as u64)
    .number(crate::limits::SG_WINDOWS as u64)
    .number(crate::limits::RESIDENT_SETS as u64)
    .number(crate::limits::RESIDENT_WAYS as u64)
    .number(crate::limits::SG_BLOCK_BYTES as u64)
    .number(crate::limits::MODERATION_CYCLES as u64)
    .structures(STRUCTURES)
    .structures(MESSAGES)
    .structures(COMMANDS)
    .codes(CODES)
    .registers(REGISTERS)
    .constants(APERTURES)
    .constants(MMIO)
    .0;

/// FNV-1a, 64 bits (IETF draft-eastlake-fnv, section 2).
#[derive(Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    const fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut i = 0;
        while i < bytes.len() {
            self.0 = (self.0 ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            i += 1;
        }
        self
    }

    const fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// A name ends in a zero byte, so that neighbours cannot trade letters.
    const fn name(self, name: &str) -> Self {
        self.bytes(name.as_bytes()).bytes(&[0])
    }

    const fn fields(mut self, fields: &[Field]) -> Self {
        let mut i = 0;
        while i < fields.len() {
            self = self
                .name(fields[i].name)
                .number(fields[i].offset as u64)
                .number(fields[i].width as u64);
            i += 1;
        }
        self
    }

    const fn structures(mut self, structures: &[Structure]) -> Self {
        let mut i = 0;
        while i < structures.len() {
            let structure = &structures[i];
            self = self
                .name(structure.group)
                .name(structure.name)
                .number(structure.bytes as u64)
                .fields(structure.fields);
            i += 1;
        }
        self
    }

    const fn codes(mut self, sets: &[CodeSet]) -> Self {
        let mut i = 0;
        while i < sets.len() {
            self = self.name(sets[i].name);
            let mut j = 0;
            while j < sets[i].codes.len() {
                self = self
                    .name(sets[i].codes[j].name)
                    .number(sets[i].codes[j].value);
                j += 1;
            }
            i += 1;
        }
        self
    }

    const fn registers(mut self, registers: &[Register]) -> Self {
        let mut i = 0;
        while i < registers.len() {
            let register = &registers[i];
            self = self
                .name(register.name)
                .number(register.offset as u64)
                .number(register.width as u64);
            self = self.fields(register.fields);
            i += 1;
        }
        self
    }

    const fn constants(mut self, set: ConstantSet) -> Self {
        let mut i = 0;
        while i < set.constants.len() {
            self = self
                .name(set.constants[i].name)
                .number(set.constants[i].value);
            i += 1;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Fnv;

    #[test]
    fn fnv_matches_the_published_vectors() {
        assert_eq!(Fnv::new().0, 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fnv::new().bytes(b"a").0, 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Fnv::new().bytes(b"foobar").0, 0x8594_4171_f739_67e8);
    }
}
