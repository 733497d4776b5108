//! From the firmware's ELF to the words of the soft core's memory.

use anyhow::{Context, Result, bail, ensure};
use object::LittleEndian;
use object::elf::{EM_RISCV, FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use std::fmt::Write;

/// Bytes of a soft core's memory, which starts at address 0: the device's, and that of the self-test's host.
pub const MEMORY_BYTES: usize = 32 * 1024;

/// Contents of the soft core's memory.
pub struct Image {
    /// All of the memory, zeros where nothing is loaded.
    bytes: Vec<u8>,
    /// Bytes that are loaded: code, constants, initial values.
    pub loaded: usize,
    /// Bytes from address 0 to the end of what the program asks for, zeroed data and stack included.
    pub occupied: usize,
}

impl Image {
    /// Takes the loadable segments of an ELF file for a 32-bit little-endian RISC-V.
    ///
    /// # Errors
    /// Another kind of file, damaged headers, and a program that does not fit: the message names both sizes.
    pub fn from_elf(elf: &[u8]) -> Result<Self> {
        let header = FileHeader32::<LittleEndian>::parse(elf).context("not a 32-bit ELF file")?;
        let endian = header.endian().context("not a little-endian ELF file")?;
        ensure!(
            header.e_machine(endian) == EM_RISCV,
            "the ELF file is not for RISC-V"
        );
        let segments = header
            .program_headers(endian, elf)
            .context("damaged program headers")?;
        // Addresses and sizes are 32 bits wide, so that their sums do not overflow the 64-bit `usize` of a host.
        const { assert!(usize::BITS == 64) };
        let mut image = Self {
            bytes: vec![0; MEMORY_BYTES],
            loaded: 0,
            occupied: 0,
        };
        for segment in segments
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_LOAD)
        {
            let start = segment.p_paddr(endian) as usize;
            let Ok(data) = segment.data(endian, elf) else {
                bail!("a segment lies outside the ELF file")
            };
            let size = data.len().max(segment.p_memsz(endian) as usize);
            image.occupied = image.occupied.max(start + size);
            if let Some(memory) = image.bytes.get_mut(start..start + data.len()) {
                memory.copy_from_slice(data);
                image.loaded += data.len();
            }
        }
        ensure!(
            image.loaded > 0 || image.occupied > MEMORY_BYTES,
            "the ELF file loads nothing"
        );
        ensure!(
            image.occupied <= MEMORY_BYTES,
            "the firmware needs {} bytes, but the soft core's memory has {MEMORY_BYTES}: make the firmware smaller, or the \
             memory larger (MEMORY_WORDS_LOG2 in hdl/src/soft_core, MEMORY_BYTES in xtask/src/image.rs, the linker scripts)",
            image.occupied
        );
        Ok(image)
    }

    /// The whole memory for `$readmemh`: one 32-bit word a line, hexadecimal.
    pub fn words(&self) -> String {
        self.bytes.chunks_exact(4).fold(
            String::with_capacity(MEMORY_BYTES / 4 * 9),
            |mut text, bytes| {
                let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                writeln!(text, "{word:08x}").expect("writing to a String cannot fail");
                text
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::Endianness;
    use object::write::elf::{FileHeader as Header, ProgramHeader as Segment, Writer};

    /// An ELF file with these segments: address, contents, size in memory.
    fn elf(machine: u16, segments: &[(u32, &[u8], u32)]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = Writer::new(Endianness::Little, false, &mut file);
        writer.reserve_file_header();
        writer.reserve_program_headers(segments.len() as u32);
        let offsets: Vec<_> = segments
            .iter()
            .map(|(_, data, _)| writer.reserve(data.len(), 4))
            .collect();
        let header = Header {
            os_abi: 0,
            abi_version: 0,
            e_type: object::elf::ET_EXEC,
            e_machine: machine,
            e_entry: 0,
            e_flags: 0,
        };
        writer.write_file_header(&header).unwrap();
        writer.write_align_program_headers();
        for ((address, data, size), offset) in segments.iter().zip(&offsets) {
            writer.write_program_header(&Segment {
                p_type: PT_LOAD,
                p_flags: 0,
                p_offset: *offset as u64,
                p_vaddr: 0x8000_0000,
                p_paddr: u64::from(*address),
                p_filesz: data.len() as u64,
                p_memsz: u64::from(*size),
                p_align: 4,
            });
        }
        for ((_, data, _), offset) in segments.iter().zip(&offsets) {
            writer.pad_until(*offset);
            writer.write(data);
        }
        file
    }

    #[test]
    fn segments_go_to_their_load_address() {
        let file = elf(
            EM_RISCV,
            &[(0, &[0x13, 0, 0, 0, 0x6f], 8), (0x10, &[1, 2, 3, 4], 0x100)],
        );
        let image = Image::from_elf(&file).unwrap();
        assert_eq!((image.loaded, image.occupied), (9, 0x110));
        let words = image.words();
        assert_eq!(words.lines().count(), MEMORY_BYTES / 4);
        let first: Vec<_> = words.lines().take(6).collect();
        assert_eq!(
            first,
            [
                "00000013", "0000006f", "00000000", "00000000", "04030201", "00000000"
            ]
        );
    }

    #[test]
    fn firmware_that_does_not_fit_is_refused() {
        let full = vec![0xaa; MEMORY_BYTES];
        assert!(Image::from_elf(&elf(EM_RISCV, &[(0, &full, MEMORY_BYTES as u32)])).is_ok());
        for (address, data, size) in [
            (4, &full[..], MEMORY_BYTES as u32),
            // Zeroed data counts too.
            (0, &full[..4], MEMORY_BYTES as u32 + 4),
            (u32::MAX - 3, &full[..4], 4),
        ] {
            let error = Image::from_elf(&elf(EM_RISCV, &[(address, data, size)]))
                .err()
                .unwrap()
                .to_string();
            let needed = (u64::from(address) + u64::from(size)).to_string();
            assert!(
                error.contains(&needed) && error.contains("has 32768"),
                "{error}"
            );
        }
    }

    #[test]
    fn other_files_are_refused() {
        let x86 = elf(object::elf::EM_X86_64, &[(0, &[1], 1)]);
        let empty = elf(EM_RISCV, &[]);
        let mut damaged = elf(EM_RISCV, &[(0, &[1, 2, 3, 4], 4)]);
        damaged.truncate(damaged.len() - 2);
        for (file, reason) in [
            (&b"#!/bin/sh"[..], "not a 32-bit ELF"),
            (&x86, "not for RISC-V"),
            (&empty, "loads nothing"),
            (&damaged, "outside the ELF file"),
        ] {
            let error = Image::from_elf(file).err().unwrap().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
