//! Sending a request, and what it changes if it is accepted.

use super::*;

impl Host {
    /// The application writes its own memory.
    pub(super) fn write_arena(&mut self, process: usize, at: usize, bytes: &[u8]) {
        self.arenas[process].write(at, bytes);
        self.written(process, at, bytes.len());
        self.contents[process].set(at, bytes);
        self.forget_incoming(process, at, bytes.len());
    }

    /// Marks what is under way over bytes that somebody else writes.
    pub(super) fn written(&mut self, content: usize, start: usize, length: usize) {
        for file in &mut self.files {
            for flight in file.lanes.iter_mut().flatten() {
                if overlaps(flight, content, start, length) {
                    flight.shared = true;
                    flight.sends = None;
                }
            }
        }
    }

    /// A C2H transfer may write these bytes at any time.
    pub(super) fn is_awaited(&self, content: usize, start: usize, length: usize) -> bool {
        let mut flights = self.files.iter().flat_map(|file| &file.lanes[0]);
        flights.any(|flight| overlaps(flight, content, start, length))
    }

    /// Bytes that a C2H transfer may still write are not known.
    pub(super) fn forget_incoming(&mut self, content: usize, start: usize, length: usize) {
        let Self {
            files, contents, ..
        } = self;
        for flight in files.iter().flat_map(|file| &file.lanes[0]) {
            if overlaps(flight, content, start, length) {
                contents[content].forget(flight.start, flight.length);
            }
        }
    }

    /// Sends a request, and sees that it goes as the model has it.
    pub(super) fn send(&mut self, who: usize, number: u32, input: &[u8], place: Place) {
        let Actor { process, file } = ACTORS[who];
        let code = Code::from_value(number);
        let direct = matches!(number & 3, 1 | 2);
        // A buffered output that leaves the arena would be the system's to refuse; it is not modelled.
        let place = match place {
            Place::Arena(at, length)
                if !direct && (at + length > ARENA || code == Some(ioctl::WAIT)) =>
            {
                Place::Own(length.min(1 << 20))
            }
            // What the device may write over before it is looked at.
            Place::Arena(at, length) if !direct && self.is_awaited(process, at, length) => {
                Place::Own(length)
            }
            Place::Own(length) if direct && length != 0 => Place::Arena(0, length),
            place => place,
        };
        let (may_enter, reasons) = self.judge(who, number, input, place);
        let (address, length) = match place {
            Place::Arena(at, length) => {
                (self.arenas[process].as_mut_ptr().wrapping_add(at), length)
            }
            Place::Own(length) => (core::ptr::null_mut(), length),
        };
        let handle = self.handles[who];
        let (started, ended) = self.within(process, || {
            let started = match place {
                Place::Own(0) => user::start(handle, number, input, Output::None, None),
                Place::Own(_) => {
                    let output = Output::Owned(vec![UNTOUCHED; length]);
                    user::start(handle, number, input, output, None)
                }
                // SAFETY: the arena lives as long as the machine, and is used by address alone.
                Place::Arena(..) => unsafe {
                    user::start_at(handle, number, input, address, length, None)
                },
            };
            let ended = started
                .ok()
                .and_then(|pending| user::result(pending, Some(0)));
            (started, ended)
        });
        let what = || {
            let name = code.map_or("no code", |code| code.name);
            format!("{name} {number:#x} of handle {who}, input {input:x?}, output {place:?}")
        };
        assert_eq!(started.is_ok(), may_enter, "{}: {started:x?}", what());
        let Ok(pending) = started else {
            self.reached.stopped += 1;
            return;
        };
        let pends = matches!(code, Some(ioctl::REGISTER | ioctl::WAIT));
        let place_of = code.and_then(|code| Code::ALL.iter().position(|other| *other == code));
        match &ended {
            Some(ended) if ended.status < 0 => {
                let listed = |all: &[i32]| all.contains(&ended.status);
                assert!(
                    listed(&reasons.must) || listed(&reasons.may),
                    "{}: refused with {:#x} {:?}, {reasons:x?}",
                    what(),
                    ended.status,
                    Error::from_status(ended.status)
                );
                assert_eq!(ended.information, 0, "{}", what());
                assert!(
                    ended.output.iter().all(|byte| *byte == UNTOUCHED),
                    "{}: output of a refused request",
                    what()
                );
                if let (Some(place), Some(error)) = (place_of, Error::from_status(ended.status)) {
                    self.reached.reasons |= 1 << error as u16;
                    self.reached.refused[place] += 1;
                } else if let Some(place) = place_of {
                    self.reached.refused[place] += 1;
                } else {
                    self.reached.unknown += 1;
                }
                if let Place::Arena(at, length) = place {
                    self.compare_arena(process, at, length.min(ARENA - at), "refused");
                }
                return;
            }
            None => assert!(pends, "{} is pended", what()),
            Some(_) => {}
        }
        assert!(
            reasons.must.is_empty(),
            "{}: accepted, {:x?}",
            what(),
            reasons.must
        );
        let code = code.expect("no code was accepted");
        if let Some(place) = place_of {
            self.reached.accepted[place] += 1;
        }
        self.accepted(who, file, code, input, place, pending, ended);
    }

    /// What an accepted request has changed.
    #[expect(clippy::too_many_arguments, reason = "it is one step of `send`")]
    pub(super) fn accepted(
        &mut self,
        who: usize,
        at: usize,
        code: Code,
        input: &[u8],
        place: Place,
        pending: Pending,
        ended: Option<user::Completion>,
    ) {
        let process = ACTORS[who].process;
        if code == ioctl::WAIT {
            let asked = ioctl::Wait::read_from_bytes(input).expect("judged");
            let wait = Wait {
                pending,
                least: asked.least as usize,
                capacity: place.len() / ioctl::Completion::BYTES,
                cancelled: false,
            };
            match ended {
                None => {
                    assert!(wait.least != 0, "a WAIT for nothing waits");
                    self.files[at].waits.push_back(wait);
                }
                // It may have come before those that wait, or behind one that has ended meanwhile.
                Some(ended) => {
                    if wait.least != 0 || !self.is_next(at, &ended) {
                        self.poll();
                    }
                    let mut waits = self.files[at].waits.iter();
                    assert!(
                        wait.least == 0 || waits.all(|before| before.cancelled),
                        "a WAIT overtook another"
                    );
                    self.wait_ended(at, &wait, &ended);
                }
            }
            return;
        }
        let bytes = ended.as_ref().map_or(0, |ended| ended.information as usize);
        let expected = match code {
            ioctl::QUERY_DEVICE => ioctl::DeviceInfo::BYTES,
            ioctl::STATISTICS => ioctl::Statistics::BYTES,
            ioctl::QUERY_REGION | ioctl::ALLOCATE => ioctl::RegionInfo::BYTES,
            ioctl::COPY_OUT => place.len(),
            _ => 0,
        };
        assert_eq!(bytes, expected, "{}", code.name);
        // The output, wherever it is.
        let output: Vec<u8> = match (place, ended) {
            (Place::Own(_), Some(ended)) => {
                assert!(
                    ended
                        .output
                        .iter()
                        .skip(bytes)
                        .all(|byte| *byte == UNTOUCHED),
                    "{} wrote more than it said",
                    code.name
                );
                ended.output.into_iter().take(bytes).collect()
            }
            (Place::Arena(at, _), Some(_)) if code != ioctl::COPY_IN => {
                let mut found = vec![0; bytes];
                self.arenas[process].read(at, &mut found);
                if code != ioctl::COPY_OUT {
                    self.written(process, at, bytes);
                    self.contents[process].set(at, &found);
                    self.forget_incoming(process, at, bytes);
                }
                found
            }
            _ => Vec::new(),
        };
        match code {
            ioctl::QUERY_DEVICE => {
                assert_eq!(
                    ioctl::DeviceInfo::read_from_bytes(&output),
                    Ok(self.device_info)
                );
            }
            ioctl::STATISTICS => {
                let found = ioctl::Statistics::read_from_bytes(&output).expect("whole");
                self.compare_statistics(at, &found);
            }
            ioctl::QUERY_REGION => {
                let token = ioctl::Token::read_from_bytes(input).expect("judged").token;
                let found = ioctl::RegionInfo::read_from_bytes(&output).expect("whole");
                let region = self.files[at]
                    .regions
                    .iter()
                    .find(|region| region.token == Some(token) && region.leaving.is_none());
                compare_region(&region.expect("judged").info, &found);
            }
            ioctl::REGISTER => {
                let asked = ioctl::Register::read_from_bytes(input).expect("judged");
                let handle = self.handles[who];
                let token = ioctl::Token { token: asked.token };
                let info: ioctl::RegionInfo = self
                    .within(process, || {
                        crate::common::ask(handle, ioctl::QUERY_REGION, token.as_bytes())
                    })
                    .expect("it was registered");
                let Place::Arena(start, length) = place else {
                    panic!("a registration of nothing");
                };
                assert!(
                    info.length == length as u64
                        && (asked.first_tier..=asked.last_tier).contains(&info.tier),
                    "{info:?}"
                );
                self.add_region(
                    at,
                    info,
                    Region {
                        info,
                        token: Some(asked.token),
                        permissions: asked.permissions,
                        content: process,
                        start,
                        pending: Some(pending),
                        cancelling: false,
                        leaving: None,
                    },
                );
            }
            ioctl::ALLOCATE => {
                let asked = ioctl::Allocate::read_from_bytes(input).expect("judged");
                let info = ioctl::RegionInfo::read_from_bytes(&output).expect("whole");
                assert_eq!(
                    (info.length, info.tier),
                    (asked.length, tier::COMMON_BUFFER)
                );
                // It is zeroed: nobody sees what others left.
                self.contents.push(Content {
                    bytes: vec![0; asked.length as usize],
                    unknown: vec![false; asked.length as usize],
                });
                let content = self.contents.len() - 1;
                self.add_region(
                    at,
                    info,
                    Region {
                        info,
                        token: None,
                        permissions: asked.permissions,
                        content,
                        start: 0,
                        pending: None,
                        cancelling: false,
                        leaving: None,
                    },
                );
            }
            ioctl::UNREGISTER => {
                let asked = ioctl::Handle::read_from_bytes(input).expect("judged");
                self.leave(at, asked.handle, 0);
            }
            ioctl::COPY_OUT | ioctl::COPY_IN => {
                let asked = ioctl::CopyRange::read_from_bytes(input).expect("judged");
                let Place::Arena(place, length) = place else {
                    panic!("a copy of nothing");
                };
                let content = self.files[at].live_mut(asked.handle).content;
                let theirs = (content, asked.offset as usize);
                let (from, to) = match code {
                    ioctl::COPY_OUT => (theirs, (process, place)),
                    _ => ((process, place), theirs),
                };
                if code == ioctl::COPY_OUT && !self.is_awaited(process, place, length) {
                    self.contents[from.0].compare(from.1, &output, "COPY_OUT");
                }
                self.written(to.0, to.1, length);
                let moved: Vec<(u8, bool)> = (from.1..from.1 + length)
                    .map(|at| {
                        (
                            self.contents[from.0].bytes[at],
                            self.contents[from.0].unknown[at],
                        )
                    })
                    .collect();
                for (at, (byte, unknown)) in (to.1..).zip(moved) {
                    self.contents[to.0].bytes[at] = byte;
                    self.contents[to.0].unknown[at] = unknown;
                }
                self.forget_incoming(to.0, to.1, length);
            }
            ioctl::SUBMIT => {
                let head = ioctl::Submit::read_from_prefix(input).expect("judged").0;
                self.batches += 1;
                for asked in input[ioctl::Submit::BYTES..].chunks(ioctl::Transfer::BYTES) {
                    let asked = ioctl::Transfer::read_from_bytes(asked).expect("judged");
                    self.launch(at, head.direction as usize, &asked);
                }
            }
            ioctl::CANCEL => {
                let asked = ioctl::Cancel::read_from_bytes(input).expect("judged");
                let all = asked.scope == scope::ALL;
                let file = &mut self.files[at];
                for flight in file.lanes.iter_mut().flatten() {
                    flight.may_abort |= all || flight.handle == asked.handle;
                }
                if !all {
                    let region = file.live_mut(asked.handle);
                    region.cancelling = region.info.tier != tier::PER_TRANSFER;
                }
            }
            _ => {}
        }
    }

    pub(super) fn add_region(&mut self, at: usize, info: ioctl::RegionInfo, region: Region) {
        let known = self.files[at]
            .regions
            .iter()
            .any(|other| other.info.handle == info.handle);
        assert!(!known, "handle {:#x} names two regions", info.handle);
        self.registrations += 1;
        self.files[at].regions.push(region);
    }

    /// A region begins to go.
    pub(super) fn leave(&mut self, at: usize, handle: u64, status: i32) {
        let file = &mut self.files[at];
        for flight in file.lanes.iter_mut().flatten() {
            flight.may_abort |= flight.handle == handle;
        }
        file.live_mut(handle).leaving = Some(status);
        self.stale.push(handle);
    }

    /// A transfer was accepted.
    pub(super) fn launch(&mut self, at: usize, way: usize, asked: &ioctl::Transfer) {
        let region = self.files[at].live(asked.handle).expect("judged");
        let (content, start) = (region.content, region.start + asked.offset as usize);
        let length = asked.length as usize;
        self.transfers += 1;
        let mut shared = false;
        let cut = asked.handle;
        for (other_at, file) in self.files.iter_mut().enumerate() {
            for (other_way, lane) in file.lanes.iter_mut().enumerate() {
                for flight in lane {
                    // Two that only read do not meet.
                    if overlaps(flight, content, start, length) && way + other_way < 2 {
                        flight.shared = true;
                        shared = true;
                    }
                }
            }
            if other_at == at
                && let Some(region) = file
                    .regions
                    .iter_mut()
                    .find(|region| region.info.handle == cut)
            {
                // It was taken, so that no cancellation is under way any more.
                region.cancelling = false;
            }
        }
        let sends = match way {
            0 => None,
            _ => {
                self.h2c_accepted += 1;
                self.contents[content]
                    .known(start, length)
                    .map(<[u8]>::to_vec)
            }
        };
        if way == 0 {
            self.contents[content].forget(start, length);
        }
        self.files[at].lanes[way].push_back(Flight {
            cookie: asked.cookie,
            handle: asked.handle,
            length,
            user: asked.user,
            tdest: asked.tdest,
            content,
            start,
            shared,
            may_abort: false,
            sends,
        });
    }
}
