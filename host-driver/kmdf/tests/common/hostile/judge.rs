//! Which requests must be refused, and which reasons may be given.

use super::*;

impl Host {
    /// Whether the system lets a request through to the driver, and what the driver may say of it.
    pub(super) fn judge(
        &self,
        who: usize,
        number: u32,
        input: &[u8],
        place: Place,
    ) -> (bool, Reasons) {
        let Actor { process, file: at } = ACTORS[who];
        let (owner, access, overlapped) = FILES[at];
        let file = &self.files[at];
        let mut reasons = Reasons::default();
        let length = place.len();
        let direct = matches!(number & 3, 1 | 2);
        let within = match place {
            Place::Arena(at, length) => at + length <= ARENA,
            Place::Own(_) => true,
        };
        if number >> 14 & 3 & !access != 0 || (direct && length != 0 && !within) {
            return (false, reasons);
        }
        let Some(code) = Code::from_value(number) else {
            reasons.must.push(STATUS_INVALID_DEVICE_REQUEST);
            return (true, reasons);
        };
        let mut short = |bytes: usize| {
            if length < bytes {
                reasons.must.push(STATUS_BUFFER_TOO_SMALL);
            }
        };
        match code {
            ioctl::QUERY_DEVICE => short(ioctl::DeviceInfo::BYTES),
            ioctl::STATISTICS => short(ioctl::Statistics::BYTES),
            ioctl::READ_LOG => short(1),
            ioctl::QUERY_REGION | ioctl::ALLOCATE => short(ioctl::RegionInfo::BYTES),
            _ => {}
        }
        let malformed = |mut reasons: Reasons| {
            reasons.must(true, Error::Malformed);
            (true, reasons)
        };
        let live = |handle| file.live(handle);
        match code {
            ioctl::QUERY_REGION => {
                let Ok(asked) = ioctl::Token::read_from_bytes(input) else {
                    return malformed(reasons);
                };
                let known = file
                    .regions
                    .iter()
                    .any(|region| region.token == Some(asked.token) && region.leaving.is_none());
                reasons.must(!known, Error::NoRegion);
            }
            ioctl::REGISTER => {
                let Ok(asked) = ioctl::Register::read_from_bytes(input) else {
                    reasons.must(length == 0, Error::Empty);
                    return malformed(reasons);
                };
                let (first, last) = (asked.first_tier, asked.last_tier);
                let bits = asked.permissions;
                reasons.must(
                    asked.reserved != 0 || first > 3 || last > 3 || first > last,
                    Error::Malformed,
                );
                reasons.must(bits == 0 || bits > permissions::BOTH, Error::Malformed);
                reasons.must(
                    first == tier::COMMON_BUFFER || last == tier::COMMON_BUFFER,
                    Error::WrongTier,
                );
                reasons.must(!overlapped, Error::Synchronous);
                reasons.must(process != owner, Error::NotOwner);
                reasons.must(length == 0, Error::Empty);
                let with = |leaving: bool| {
                    file.regions.iter().any(|region| {
                        region.token == Some(asked.token) && region.leaving.is_some() == leaving
                    })
                };
                reasons.must(with(false), Error::TokenInUse);
                reasons.may(with(true), Error::TokenInUse);
                self.caps(file, length as u64, &mut reasons);
                let tiered = [
                    Error::NoBypass,
                    Error::NoMappedOnce,
                    Error::NotWholePages,
                    Error::NotContiguous,
                    Error::MappingsExhausted,
                ];
                let bypass = first == tier::BYPASS && self.translation == Translation::Direct;
                let impossible = last == tier::BYPASS && self.translation != Translation::Direct;
                if last < tier::PER_TRANSFER && !bypass {
                    let list = match impossible {
                        true => &mut reasons.must,
                        false => &mut reasons.may,
                    };
                    list.extend(tiered.map(Error::status));
                }
            }
            ioctl::UNREGISTER => {
                let Ok(asked) = ioctl::Handle::read_from_bytes(input) else {
                    return malformed(reasons);
                };
                reasons.must(live(asked.handle).is_none(), Error::NoRegion);
            }
            ioctl::ALLOCATE => {
                let Ok(asked) = ioctl::Allocate::read_from_bytes(input) else {
                    return malformed(reasons);
                };
                let bits = asked.permissions;
                reasons.must(
                    asked.reserved != 0 || bits == 0 || bits > permissions::BOTH,
                    Error::Malformed,
                );
                reasons.must(asked.length == 0, Error::Empty);
                reasons.must(u32::try_from(asked.length).is_err(), Error::TooLarge);
                self.caps(file, asked.length, &mut reasons);
            }
            ioctl::COPY_OUT | ioctl::COPY_IN => {
                let Ok(asked) = ioctl::CopyRange::read_from_bytes(input) else {
                    reasons.must(length == 0, Error::Empty);
                    return malformed(reasons);
                };
                reasons.must(length == 0, Error::Empty);
                match live(asked.handle) {
                    None => reasons.must(true, Error::NoRegion),
                    Some(region) => {
                        let end = u128::from(asked.offset) + length as u128;
                        let common = region.info.tier == tier::COMMON_BUFFER;
                        reasons.must(!common, Error::WrongTier);
                        reasons.must(end > region.info.length.into(), Error::OutOfBounds);
                    }
                }
            }
            ioctl::SUBMIT => {
                let Some((head, rest)) = input.split_at_checked(ioctl::Submit::BYTES) else {
                    return malformed(reasons);
                };
                let head = ioctl::Submit::read_from_bytes(head).expect("as long as it is");
                let count = head.count as usize;
                let bytes = count * ioctl::Transfer::BYTES;
                if head.direction > 1
                    || !(1..=ioctl::MAX_BATCH).contains(&count)
                    || rest.len() != bytes
                {
                    return malformed(reasons);
                }
                let lane = &file.lanes[head.direction as usize];
                let fewest = lane.len().saturating_sub(file.taken());
                reasons.must(count > RING - fewest, Error::RingFull);
                reasons.may(count > RING - lane.len(), Error::RingFull);
                for asked in rest.chunks(ioctl::Transfer::BYTES) {
                    let asked = ioctl::Transfer::read_from_bytes(asked).expect("whole");
                    self.judge_transfer(file, head.direction, &asked, &mut reasons);
                }
            }
            ioctl::WAIT => {
                let Ok(asked) = ioctl::Wait::read_from_bytes(input) else {
                    return malformed(reasons);
                };
                let room = length / ioctl::Completion::BYTES;
                reasons.must(
                    asked.reserved != 0 || room == 0 || asked.least as usize > room,
                    Error::Malformed,
                );
                reasons.must(!overlapped, Error::Synchronous);
            }
            ioctl::CANCEL => {
                let Ok(asked) = ioctl::Cancel::read_from_bytes(input) else {
                    return malformed(reasons);
                };
                let all = asked.scope == scope::ALL;
                reasons.must(
                    asked.reserved != 0 || asked.scope > scope::ALL || (all && asked.handle != 0),
                    Error::Malformed,
                );
                if asked.scope == scope::REGION {
                    match live(asked.handle) {
                        None => reasons.must(true, Error::NoRegion),
                        Some(region) => reasons.may(region.cancelling, Error::RegionBusy),
                    }
                }
            }
            _ => {}
        }
        (true, reasons)
    }

    pub(super) fn judge_transfer(
        &self,
        file: &File,
        way: u32,
        asked: &ioctl::Transfer,
        reasons: &mut Reasons,
    ) {
        reasons.must(asked.reserved != 0, Error::Malformed);
        let Some(region) = file.live(asked.handle) else {
            return reasons.must(true, Error::NoRegion);
        };
        let end = u128::from(asked.offset) + u128::from(asked.length);
        let needed = [permissions::C2H, permissions::H2C][way as usize];
        reasons.must(asked.length == 0, Error::Empty);
        reasons.must(end > region.info.length.into(), Error::OutOfBounds);
        reasons.must(region.permissions & needed == 0, Error::WrongDirection);
        reasons.must(
            region.info.tier == tier::PER_TRANSFER
                && asked.length > self.device_info.max_transfer_bytes,
            Error::TooLong,
        );
        reasons.may(region.cancelling, Error::RegionBusy);
    }

    pub(super) fn caps(&self, file: &File, length: u64, reasons: &mut Reasons) {
        let over = |had: u64, cap: u64| had.checked_add(length).is_none_or(|sum| sum > cap);
        let (least, most) = file.locked();
        reasons.must(over(least, HANDLE_CAP), Error::HandleCap);
        reasons.may(over(most, HANDLE_CAP), Error::HandleCap);
        let sum = |of: fn((u64, u64)) -> u64| self.files.iter().map(|file| of(file.locked())).sum();
        reasons.must(over(sum(|(least, _)| least), DEVICE_CAP), Error::DeviceCap);
        reasons.may(over(sum(|(_, most)| most), DEVICE_CAP), Error::DeviceCap);
    }
}
