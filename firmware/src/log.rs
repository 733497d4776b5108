//! Log bytes on their way into LOG commands.

use pinring_protocol::mailbox::Command;

/// Bytes that one LOG command carries.
const BYTES: usize = 12;

/// Ends a frame in defmt's rzcobs encoding; an empty frame is nothing to the decoder.
const DELIMITER: u8 = 0;

/// Packs frames of a defmt logger into LOG commands, and drops the rest of a frame when the mailbox has no room.
///
/// A frame that was cut off is closed by a delimiter of its own in front of the next one, so that the decoder loses only the frame that
/// was cut.
pub struct LogPacker {
    bytes: [u8; BYTES],
    count: usize,
    dropping: bool,
    /// What is before the next frame ends with a delimiter. Zero at first, as all statics of the firmware.
    closed: bool,
    dropped: u32,
}

impl Default for LogPacker {
    fn default() -> Self {
        Self::new()
    }
}

impl LogPacker {
    /// An empty packer. What firmware before it may have left of a frame is cut off.
    pub const fn new() -> Self {
        Self {
            bytes: [0; BYTES],
            count: 0,
            dropping: false,
            closed: false,
            dropped: 0,
        }
    }

    /// Begins a frame.
    pub fn begin(&mut self, send: &mut impl FnMut([u32; 4]) -> bool) {
        self.dropping = false;
        if !self.closed {
            self.closed = true;
            self.push(&[DELIMITER], send);
        }
    }

    /// Appends encoded bytes of the frame. `send` returns false if it has no room.
    pub fn push(&mut self, bytes: &[u8], send: &mut impl FnMut([u32; 4]) -> bool) {
        for byte in bytes {
            if self.dropping {
                return;
            }
            self.bytes[self.count] = *byte;
            self.count += 1;
            if self.count == BYTES {
                self.flush(send);
            }
        }
    }

    /// Ends the frame and sends what is left of it.
    pub fn end(&mut self, send: &mut impl FnMut([u32; 4]) -> bool) {
        if self.count != 0 {
            self.flush(send);
        }
    }

    /// Frames dropped since the last call.
    pub fn take_dropped(&mut self) -> u32 {
        core::mem::take(&mut self.dropped)
    }

    fn flush(&mut self, send: &mut impl FnMut([u32; 4]) -> bool) {
        let word = |index: usize| {
            u32::from_le_bytes(core::array::from_fn(|byte| {
                if index + byte < self.count {
                    self.bytes[index + byte]
                } else {
                    0
                }
            }))
        };
        let command = Command::Log {
            count: self.count as u16,
            bytes0: word(0),
            bytes1: word(4),
            bytes2: word(8),
        };
        self.count = 0;
        if !send(command.encode()) {
            self.dropping = true;
            self.closed = false;
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that LOG commands carry.
    fn bytes(commands: &[[u32; 4]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in commands {
            let Ok(Command::Log {
                count,
                bytes0,
                bytes1,
                bytes2,
            }) = Command::decode(*entry)
            else {
                panic!("{entry:x?} is no LOG command")
            };
            let all = [bytes0, bytes1, bytes2].map(u32::to_le_bytes).concat();
            bytes.extend_from_slice(&all[..usize::from(count)]);
        }
        bytes
    }

    #[test]
    fn frames_arrive_byte_by_byte() {
        let (mut packer, mut sent) = (LogPacker::new(), Vec::new());
        let mut expected = vec![0];
        for length in [1usize, 11, 12, 13, 24, 40] {
            let frame: Vec<u8> = (1..=length as u8).chain([0]).collect();
            let send = &mut |entry| {
                sent.push(entry);
                true
            };
            packer.begin(send);
            for part in frame.chunks(5) {
                packer.push(part, send);
            }
            packer.end(send);
            expected.extend(frame);
        }
        assert_eq!(bytes(&sent), expected);
        assert_eq!(packer.take_dropped(), 0);
    }

    #[test]
    fn a_full_mailbox_costs_only_the_frame_it_cut() {
        let (mut packer, mut sent, mut room) = (LogPacker::new(), Vec::new(), 1);
        for frame in 0..3u8 {
            let mut send = |entry| {
                let fits = room > 0;
                if fits {
                    room -= 1;
                    sent.push(entry);
                }
                fits
            };
            packer.begin(&mut send);
            packer.push(&[frame + 1; 30], &mut send);
            packer.push(&[0], &mut send);
            packer.end(&mut send);
            room = if frame == 0 { 0 } else { 10 };
        }
        let frames: Vec<_> = bytes(&sent)
            .split(|byte| *byte == 0)
            .map(<[u8]>::to_vec)
            .collect();
        // What was there before; eleven bytes of the first frame, nothing of the second, the third whole, and what is behind its delimiter.
        assert_eq!(frames, [vec![], vec![1; 11], vec![3; 30], vec![]]);
        assert_eq!((packer.take_dropped(), packer.take_dropped()), (2, 0));
    }
}
