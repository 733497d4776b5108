//! What the driver tells, against the model.

use super::*;

impl Host {
    /// Looks for the ends of what was started.
    pub(super) fn poll(&mut self) {
        for at in 0..FILES.len() {
            // From the last on, as an earlier one ends first.
            let waits: Vec<Pending> = self.files[at]
                .waits
                .iter()
                .map(|wait| wait.pending)
                .collect();
            let ends: Vec<_> = self.within(0, || {
                let ends = waits.iter().rev().map(|wait| user::result(*wait, Some(0)));
                let mut ends: Vec<_> = ends.collect();
                ends.reverse();
                ends
            });
            let mut open = false;
            for (place, end) in ends.into_iter().enumerate() {
                match end {
                    None => {
                        // It keeps its place.
                        let wait = self.files[at].waits.pop_front().expect("one for each");
                        self.files[at].waits.push_back(wait);
                        open = true;
                    }
                    Some(end) => {
                        assert!(
                            !open || end.status == STATUS_CANCELLED,
                            "WAIT {place} overtook another"
                        );
                        let wait = self.files[at].waits.pop_front().expect("one for each");
                        self.wait_ended(at, &wait, &end);
                    }
                }
            }
            let pended: Vec<Pending> = self.files[at]
                .regions
                .iter()
                .filter_map(|region| region.pending)
                .collect();
            let ends: Vec<_> = self.within(0, || {
                pended
                    .iter()
                    .map(|pending| user::result(*pending, Some(0)))
                    .collect()
            });
            for (pending, end) in pended.into_iter().zip(ends) {
                let Some(end) = end else { continue };
                let regions = &mut self.files[at].regions;
                let place = regions
                    .iter()
                    .position(|region| region.pending == Some(pending))
                    .expect("it was found there");
                let region = regions.remove(place);
                assert_eq!(
                    Some(end.status),
                    region.leaving,
                    "the end of {:?}",
                    region.info
                );
            }
        }
    }

    /// Whether what a WAIT gave is the next of each direction.
    pub(super) fn is_next(&self, at: usize, end: &user::Completion) -> bool {
        let found: Vec<_> = end.output[..end.information as usize]
            .chunks(ioctl::Completion::BYTES)
            .map(|bytes| ioctl::Completion::read_from_bytes(bytes).expect("whole"))
            .collect();
        let lanes = self.files[at].lanes.iter();
        (0..).zip(lanes).all(|(way, lane)| {
            let first = found.iter().find(|found| found.direction == way);
            let named = |found: &ioctl::Completion| {
                let next = lane.front();
                next.is_some_and(|next| (next.cookie, next.user) == (found.cookie, found.user))
            };
            first.is_none_or(named)
        })
    }

    /// A WAIT of a file, of which nothing is in front, has ended.
    pub(super) fn wait_ended(&mut self, at: usize, wait: &Wait, end: &user::Completion) {
        if [STATUS_CANCELLED, Error::Gone.status()].contains(&end.status) {
            let expected = wait.cancelled && (self.lost || end.status == STATUS_CANCELLED);
            assert!(expected, "a WAIT ended with {:#x}", end.status);
            return;
        }
        assert_eq!(end.status, 0);
        let bytes = end.information as usize;
        let count = bytes / ioctl::Completion::BYTES;
        // Of a device that is gone it gives what there is.
        let least = if self.lost { 1 } else { wait.least };
        assert!(
            bytes.is_multiple_of(ioctl::Completion::BYTES)
                && (least..=wait.capacity).contains(&count),
            "a WAIT for {} to {} gave {bytes} bytes",
            wait.least,
            wait.capacity
        );
        assert!(end.output[bytes..].iter().all(|byte| *byte == UNTOUCHED));
        for completion in end.output[..bytes].chunks(ioctl::Completion::BYTES) {
            let completion = ioctl::Completion::read_from_bytes(completion).expect("whole");
            self.reported(at, &completion);
        }
    }

    /// A transfer was reported.
    pub(super) fn reported(&mut self, at: usize, found: &ioctl::Completion) {
        let way = found.direction as usize;
        let flight = self.files[at].lanes[way]
            .pop_front()
            .unwrap_or_else(|| panic!("file {at} never asked for {found:?}"));
        assert_eq!(
            (found.cookie, found.handle, found.user, found.reserved),
            (flight.cookie, flight.handle, flight.user, 0),
            "file {at}"
        );
        if found.status == ABORTED && flight.may_abort {
            assert!(found.bytes <= flight.length as u64);
            self.unreported += usize::from(way == 1);
            return;
        }
        assert_eq!(
            (found.status, found.bytes),
            (0, flight.length as u64),
            "{found:?}"
        );
        self.reached.transfers += 1;
        let Flight {
            content,
            start,
            length,
            ..
        } = flight;
        if way == 1 {
            let mut device = self.bench.device.borrow_mut();
            let place = device.packets_out.iter().position(|(tdest, bytes)| {
                *tdest == flight.tdest
                    && bytes.len() == length
                    && (flight.shared || flight.sends.as_ref().is_none_or(|sends| sends == bytes))
            });
            let place = place.unwrap_or_else(|| panic!("the device got other data for {found:?}"));
            device.packets_out.remove(place);
            self.reached.checked += u64::from(!flight.shared && flight.sends.is_some());
            return;
        }
        if flight.shared {
            return;
        }
        let wanted: Vec<u8> = (0..length as u64)
            .map(|position| cookie_byte(flight.cookie, position))
            .collect();
        if content < 2 {
            let mut bytes = vec![0; length];
            self.arenas[content].read(start, &mut bytes);
            assert!(bytes == wanted, "C2H data of {found:?}");
            self.reached.checked += 1;
        }
        self.contents[content].set(start, &wanted);
    }

    /// Everything is as the model has it.
    pub(super) fn check(&mut self) {
        self.poll();
        let Self { handles, .. } = self;
        // The first process has a handle of each file that can have regions.
        let asked: Vec<(usize, Handle)> = vec![(0, handles[0]), (1, handles[2]), (2, handles[7])];
        let tokens: Vec<(usize, Handle, u64)> = asked
            .iter()
            .flat_map(|&(at, handle)| {
                let regions = self.files[at].regions.iter();
                let live = regions.filter(|region| region.leaving.is_none());
                live.filter_map(move |region| Some((at, handle, region.token?)))
            })
            .collect();
        let (statistics, regions, device) = self.within(0, || {
            let statistics: Vec<ioctl::Statistics> = asked
                .iter()
                .map(|(_, handle)| crate::common::statistics(*handle))
                .collect();
            let regions: Vec<Result<ioctl::RegionInfo, _>> = tokens
                .iter()
                .map(|&(_, handle, token)| {
                    let token = ioctl::Token { token };
                    crate::common::ask(handle, ioctl::QUERY_REGION, token.as_bytes())
                })
                .collect();
            let device: Result<ioctl::DeviceInfo, _> =
                crate::common::ask(asked[0].1, ioctl::QUERY_DEVICE, &[]);
            (statistics, regions, device)
        });
        assert_eq!(device, Ok(self.device_info));
        for ((at, _), found) in asked.iter().zip(&statistics) {
            self.compare_statistics(*at, found);
        }
        for ((at, _, token), found) in tokens.iter().zip(regions) {
            let region = self.files[*at]
                .regions
                .iter()
                .find(|region| region.token == Some(*token) && region.leaving.is_none());
            let found =
                found.unwrap_or_else(|status| panic!("token {token} of file {at}: {status}"));
            compare_region(&region.expect("asked for").info, &found);
        }
        assert!(!self.bench.machine.report().stopped);
        assert!(
            self.bench.machine.report().is_clean(),
            "{}",
            self.bench.machine.report()
        );
    }

    pub(super) fn compare_statistics(&self, at: usize, found: &ioctl::Statistics) {
        let file = &self.files[at];
        let live = |file: &File| {
            let all = file.regions.len() as u64;
            let leaving = file
                .regions
                .iter()
                .filter(|region| region.leaving.is_some())
                .count();
            all - leaving as u64..=all
        };
        let (least, most) = file.locked();
        assert!(
            live(file).contains(&found.handle_regions),
            "file {at}: {found:?}"
        );
        assert!(
            (least..=most).contains(&found.handle_locked_bytes),
            "file {at}: {found:?}"
        );
        let outstanding = file.outstanding();
        let fewest = outstanding.saturating_sub(file.taken());
        assert!(
            (fewest as u64..=outstanding as u64).contains(&found.handle_in_flight),
            "file {at}: {outstanding}, {found:?}"
        );
        let (least, most) = self.files.iter().fold((0, 0), |(least, most), file| {
            (least + file.locked().0, most + file.locked().1)
        });
        assert!((least..=most).contains(&found.locked_bytes), "{found:?}");
        assert_eq!(
            (found.batches, found.transfers, found.registrations),
            (self.batches, self.transfers, self.registrations)
        );
        // The device has nothing to object to: the driver did.
        assert_eq!((found.failed, found.resets), (0, 0), "{found:?}");
        assert!(found.completed + found.aborted <= found.transfers);
    }

    pub(super) fn compare_arena(&self, process: usize, at: usize, length: usize, what: &str) {
        let mut found = vec![0; length];
        self.arenas[process].read(at, &mut found);
        self.contents[process].compare(at, &found, what);
    }
}

/// What is told of a region, but for what moves.
pub(super) fn compare_region(model: &ioctl::RegionInfo, found: &ioctl::RegionInfo) {
    let found = ioctl::RegionInfo {
        in_flight: model.in_flight,
        ..*found
    };
    assert_eq!(*model, found);
}
