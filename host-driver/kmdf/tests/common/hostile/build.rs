//! Requests made of bytes: in order, or bent in every way.

use super::*;

impl Host {
    /// A request: in order as far as its choices go, or any.
    pub(super) fn request(&mut self, who: usize, choices: &mut Choices<'_>, orderly: bool) {
        let pick = choices.byte();
        // What transfers need comes often.
        let code = match pick % 24 {
            at @ 0..12 => Code::ALL[at],
            12..15 => ioctl::REGISTER,
            15..20 => ioctl::SUBMIT,
            20 | 21 => ioctl::WAIT,
            22 => ioctl::UNREGISTER,
            _ => ioctl::ALLOCATE,
        };
        let code = match orderly {
            true => self.possible(who, code, pick),
            false => code,
        };
        let (mut input, mut place) = self.build(who, code, choices, orderly);
        let mut number = code.value();
        if !orderly {
            let (how, much) = (choices.byte(), choices.byte());
            match how % 20 {
                0 => input.truncate(much % (input.len() + 1)),
                1 => input.resize(input.len() + 1 + much, 0),
                2 => input.clear(),
                3 | 4 if !input.is_empty() => {
                    let at = much * 31 % input.len();
                    input[at] ^= 1 << (how / 20 % 8);
                }
                // Another method, access, function, device.
                5 => number ^= 1 + much as u32 % 3,
                6 => number ^= (1 + much as u32 % 3) << 14,
                7 => number ^= (1 + much as u32) << 2,
                8 => number ^= (1 + much as u32) << 16,
                9 => input = vec![much as u8; 4096 + much * 16],
                10 => place = Place::Own(place.len().saturating_sub(1 + much % 4)),
                11 => place = Place::Own(0),
                12 => place = Place::Own(1 << (10 + much % 11)),
                13 => place = Place::Arena(ARENA - 8 - 8 * (much % 16), place.len()),
                14 => place = Place::Arena(much * 255, u32::MAX as usize - much),
                // Output over the input, and over whatever is registered there.
                15 => {
                    let at = much * 251 % (ARENA - 8192);
                    if input.len() <= 8192 {
                        let process = ACTORS[who].process;
                        self.write_arena(process, at, &input);
                    }
                    place = Place::Arena(at, place.len());
                }
                _ => {}
            }
        }
        self.send(who, number, &input, place);
    }

    /// What a request needs first, if that is not there.
    pub(super) fn possible(&self, who: usize, code: Code, pick: usize) -> Code {
        let live = |which: &dyn Fn(&Region) -> bool| {
            let regions = &self.files[ACTORS[who].file].regions;
            let mut live = regions.iter().filter(|region| region.leaving.is_none());
            live.any(which)
        };
        match code {
            ioctl::COPY_IN | ioctl::COPY_OUT
                if !live(&|region| region.info.tier == tier::COMMON_BUFFER) =>
            {
                ioctl::ALLOCATE
            }
            ioctl::QUERY_REGION if !live(&|region| region.token.is_some()) => ioctl::REGISTER,
            ioctl::SUBMIT | ioctl::CANCEL | ioctl::UNREGISTER if !live(&|_| true) => {
                [ioctl::REGISTER, ioctl::ALLOCATE][pick / 24 % 2]
            }
            code => code,
        }
    }

    /// The input and output of a request.
    pub(super) fn build(
        &mut self,
        who: usize,
        code: Code,
        choices: &mut Choices<'_>,
        orderly: bool,
    ) -> (Vec<u8>, Place) {
        let number = |choices: &mut Choices<'_>| {
            let near = choices.of(&[0, 1 << 12, 1 << 20, 1 << 32, 1 << 63, u64::MAX]);
            near.wrapping_add(choices.byte() as u64).wrapping_sub(8)
        };
        match code {
            ioctl::QUERY_DEVICE => (Vec::new(), Place::Own(ioctl::DeviceInfo::BYTES)),
            ioctl::STATISTICS => (Vec::new(), Place::Own(ioctl::Statistics::BYTES)),
            ioctl::READ_LOG => (Vec::new(), Place::Own(1 + choices.byte())),
            ioctl::QUERY_REGION => {
                let token = self.token(who, choices, orderly);
                (
                    ioctl::Token { token }.as_bytes().to_vec(),
                    Place::Own(ioctl::RegionInfo::BYTES),
                )
            }
            ioctl::REGISTER => {
                // Eight pages each, which may overlap: at page ends, and at any byte.
                let at = choices.byte();
                let length = choices.of(&[1, 7, 100, 4096, 4097, 8192, 20_000, 32_768]);
                let shape = choices.byte();
                // One mapping of several whole pages is to be met with often.
                let whole = !orderly && shape >> 1 & 7 == 3 && at & 8 == 0;
                let (start, length) = match whole {
                    true => ((at % 8) * 4096, 32_768),
                    false if shape & 1 == 0 => ((at % 8) * 4096, length),
                    false => ((at % 8) * 4096 + at * 15, length),
                };
                let tiers = match shape >> 1 & 7 {
                    1 | 6 => (tier::PER_TRANSFER, tier::PER_TRANSFER),
                    2 if !orderly => (tier::BYPASS, tier::BYPASS),
                    3 if !orderly => (tier::MAPPED_ONCE, tier::MAPPED_ONCE),
                    4 if !orderly => (tier::PER_TRANSFER, tier::BYPASS),
                    5 if !orderly => (tier::BYPASS, tier::COMMON_BUFFER),
                    _ => (tier::BYPASS, tier::PER_TRANSFER),
                };
                let mut token = u64::from(choices.0.first().copied().unwrap_or(0)) % 16;
                if orderly {
                    let used = |token| {
                        let regions = &self.files[ACTORS[who].file].regions;
                        regions.iter().any(|region| region.token == Some(token))
                    };
                    while used(token) {
                        token += 1;
                    }
                }
                let asked = ioctl::Register {
                    token,
                    permissions: match shape >> 4 {
                        0..8 => permissions::BOTH,
                        8 | 9 => permissions::C2H,
                        10 | 11 => permissions::H2C,
                        _ if orderly => permissions::BOTH,
                        bits => bits as u32,
                    },
                    first_tier: tiers.0,
                    last_tier: tiers.1,
                    reserved: 0,
                };
                (asked.as_bytes().to_vec(), Place::Arena(start, length))
            }
            ioctl::UNREGISTER => {
                let handle = self.handle(who, choices, orderly);
                (ioctl::Handle { handle }.as_bytes().to_vec(), Place::Own(0))
            }
            ioctl::ALLOCATE => {
                let length = match orderly {
                    true => 1 + 97 * choices.byte() as u64,
                    false => match choices.byte() % 4 {
                        0 => number(choices),
                        1 => HANDLE_CAP,
                        _ => 1 << (choices.byte() % 17),
                    },
                };
                let asked = ioctl::Allocate {
                    length,
                    permissions: match choices.byte() {
                        bits if orderly => 1 + bits as u32 % 3,
                        bits => bits as u32 % 5,
                    },
                    reserved: 0,
                };
                (
                    asked.as_bytes().to_vec(),
                    Place::Own(ioctl::RegionInfo::BYTES),
                )
            }
            ioctl::COPY_OUT | ioctl::COPY_IN => {
                let handle = match orderly {
                    true => self.allocation(who, choices.byte()),
                    false => self.handle(who, choices, false),
                };
                let length = self.length_of(who, handle);
                let offset = self.offset(choices, length, orderly);
                let rest = length.saturating_sub(offset).min(8192) as usize;
                let at = choices.byte() * 200;
                let bytes = match choices.byte() % 8 {
                    0 if !orderly => 0,
                    1 if !orderly => rest + 1,
                    2 | 3 => rest.clamp(1, 100),
                    _ => rest.max(1),
                };
                (
                    ioctl::CopyRange { handle, offset }.as_bytes().to_vec(),
                    Place::Arena(at, bytes),
                )
            }
            ioctl::SUBMIT => {
                let way = choices.byte();
                let count = match way / 4 {
                    at if orderly => 1 + at % 4,
                    at @ 0..48 => 1 + at % 8,
                    48..56 => RING + 1,
                    56..60 => ioctl::MAX_BATCH + 1,
                    _ => 0,
                };
                let handle = self.handle(who, choices, orderly);
                let length = self.length_of(who, handle);
                let mut transfers = Vec::new();
                let (at, how_long) = (choices.byte(), choices.byte());
                let odd = choices.byte();
                for place in 0..count {
                    let wrong = !orderly && (count <= 8 && place == odd % 8);
                    let at = [(at + 37 * place) as u8];
                    let offset = self.offset(&mut Choices(&at), length, !wrong);
                    let rest = length.saturating_sub(offset);
                    let bytes = match how_long % 8 {
                        0 if wrong => 0,
                        1 if wrong => rest + 1,
                        2 if wrong => u64::MAX - offset,
                        3 if wrong => offset.wrapping_neg(),
                        4 if wrong => 1 << 32 | rest,
                        5 => rest.max(1),
                        // Longer than the host maps at once, where that is less than the region.
                        6 if !orderly && rest > self.device_info.max_transfer_bytes => {
                            self.device_info.max_transfer_bytes + 1
                        }
                        _ => (rest / count.max(1) as u64).max(1),
                    };
                    self.next_cookie += 1;
                    transfers.push(ioctl::Transfer {
                        handle,
                        offset,
                        length: bytes,
                        // Whatever the application says: also those of others.
                        cookie: match wrong {
                            true => number(&mut Choices(&[odd as u8, at_byte(odd)])),
                            false => self.next_cookie,
                        },
                        user: self.next_cookie as u32 ^ 0xa5a5,
                        tdest: (ACTORS[who].file as u16) << 8 | (self.next_cookie as u16 & 0xff),
                        reserved: u16::from(wrong && odd & 64 != 0),
                    });
                }
                if !orderly && odd & 128 != 0 && transfers.len() > 1 {
                    // One of a batch names something else.
                    let (last, other) = (transfers.len() - 1, self.handle(who, choices, false));
                    transfers[last].handle = other;
                }
                let mut counted = count as u32;
                if !orderly && way & 2 != 0 && at & 15 == 0 {
                    // So many that their bytes come to what is there, modulo 2^32 or so.
                    counted = (1 << 29) + count as u32;
                }
                let mut input = ioctl::Submit {
                    direction: match way % 16 {
                        15 if !orderly => 2 + odd as u32,
                        way => way as u32 % 2,
                    },
                    count: counted,
                }
                .as_bytes()
                .to_vec();
                if orderly {
                    self.suit(who, &mut input, &mut transfers);
                }
                for transfer in &transfers {
                    input.extend(transfer.as_bytes());
                }
                (input, Place::Own(0))
            }
            ioctl::WAIT => {
                let capacity = 1 + choices.byte() % 40;
                let outstanding = self.files[ACTORS[who].file].outstanding();
                let least = match choices.byte() % 8 {
                    0 | 1 => 0,
                    // More than there is: it waits, and others behind it.
                    2 | 3 => (outstanding + 1).min(capacity) as u32,
                    4 | 5 => outstanding.min(capacity) as u32,
                    6 if !orderly => number(choices) as u32,
                    _ => 1,
                };
                (
                    ioctl::Wait { least, reserved: 0 }.as_bytes().to_vec(),
                    Place::Own(capacity * ioctl::Completion::BYTES),
                )
            }
            _ => {
                let what = choices.byte();
                let all = what.is_multiple_of(4);
                let asked = ioctl::Cancel {
                    handle: match (all, orderly || what & 8 == 0) {
                        (true, true) => 0,
                        _ => self.handle(who, choices, orderly),
                    },
                    scope: match what % 32 {
                        31 if !orderly => what as u32,
                        _ if all => scope::ALL,
                        _ => scope::REGION,
                    },
                    reserved: 0,
                };
                (asked.as_bytes().to_vec(), Place::Own(0))
            }
        }
    }

    /// Bends an orderly batch to the permissions of its region and the host's limit.
    pub(super) fn suit(&self, who: usize, input: &mut [u8], transfers: &mut [ioctl::Transfer]) {
        let file = &self.files[ACTORS[who].file];
        let Some(region) = transfers.first().and_then(|first| file.live(first.handle)) else {
            return;
        };
        match region.permissions {
            permissions::C2H => input[0] = direction::C2H as u8,
            permissions::H2C => input[0] = direction::H2C as u8,
            _ => {}
        }
        for transfer in transfers {
            if region.info.tier == tier::PER_TRANSFER {
                transfer.length = transfer.length.min(self.device_info.max_transfer_bytes);
            }
        }
    }

    /// A handle of a region: mostly of one that there is, or any.
    pub(super) fn handle(&self, who: usize, choices: &mut Choices<'_>, orderly: bool) -> u64 {
        let own = ACTORS[who].file;
        let (how, which) = (choices.byte(), choices.byte());
        let of = |file: &File, which: usize| {
            let live: Vec<u64> = file
                .regions
                .iter()
                .filter(|region| region.leaving.is_none())
                .map(|region| region.info.handle)
                .collect();
            (!live.is_empty()).then(|| live[which % live.len()])
        };
        let mine = of(&self.files[own], which).unwrap_or(1 << 32 | 1);
        if orderly {
            return mine;
        }
        match how % 16 {
            0 | 1 => of(&self.files[which % FILES.len()], which / 8).unwrap_or(u64::MAX),
            2 if !self.stale.is_empty() => self.stale[which % self.stale.len()],
            3 => mine ^ 1 << (which % 64),
            4 => [0, 1, 1 << 32, u64::MAX, 1 << 63, u64::from(u32::MAX)][which % 6],
            5 => mine + 1,
            _ => mine,
        }
    }

    pub(super) fn allocation(&self, who: usize, which: usize) -> u64 {
        let regions = &self.files[ACTORS[who].file].regions;
        let live = |region: &&Region| region.leaving.is_none() && region.token.is_none();
        let all: Vec<u64> = regions
            .iter()
            .filter(live)
            .map(|region| region.info.handle)
            .collect();
        all.get(which % all.len().max(1)).copied().unwrap_or(1)
    }

    pub(super) fn token(&self, who: usize, choices: &mut Choices<'_>, orderly: bool) -> u64 {
        let file = &self.files[ACTORS[who].file];
        let which = choices.byte();
        let live = file
            .regions
            .iter()
            .filter(|region| region.leaving.is_none());
        let tokens: Vec<u64> = live.filter_map(|region| region.token).collect();
        match choices.byte() % 4 {
            0 if !orderly => which as u64,
            1 if !orderly => (which as u64).wrapping_sub(1),
            _ if tokens.is_empty() => 0,
            _ => tokens[which % tokens.len()],
        }
    }

    pub(super) fn length_of(&self, who: usize, handle: u64) -> u64 {
        self.files[ACTORS[who].file]
            .live(handle)
            .map_or(4096, |region| region.info.length)
    }

    pub(super) fn offset(&self, choices: &mut Choices<'_>, length: u64, orderly: bool) -> u64 {
        let how = choices.byte() as u64;
        if orderly {
            return how * 131 % length.max(1);
        }
        match how % 10 {
            0 => length,
            1 => length.wrapping_sub(1),
            2 => length + 1,
            3 => (1 << 32) + how,
            4 => (1 << 63) - how,
            5 => u64::MAX - how,
            6 => (1 << 32) - how,
            _ => how * 131 % length.max(1),
        }
    }
}

fn at_byte(value: usize) -> u8 {
    (value * 7 + 3) as u8
}
