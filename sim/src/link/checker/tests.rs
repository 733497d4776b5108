use super::*;
use crate::link::tlp::Status;

const WIDTH: usize = 16;
const BASE: u64 = 0x1_2345_6000;

fn checker() -> Checker {
    let config = LinkConfig {
        host_id: 7,
        ..LinkConfig::default()
    };
    let mut checker = Checker::new(&config);
    checker.set_bus_master(true);
    checker
}

fn header(kind: TlpKind, address: u64, len_dw: u16) -> TlpHeader {
    let last_be = if len_dw == 1 { 0 } else { 0xf };
    TlpHeader {
        kind,
        address,
        len_dw,
        first_be: 0xf,
        last_be,
        ..TlpHeader::default()
    }
}

fn write(address: u64, len_dw: u16) -> TlpHeader {
    header(TlpKind::MemoryWrite, address, len_dw)
}

fn read(tag: u16, address: u64, len_dw: u16) -> TlpHeader {
    TlpHeader {
        tag,
        ..header(TlpKind::MemoryRead, address, len_dw)
    }
}

fn completion(tag: u16, address: u64, len_dw: u16, byte_count: u16) -> TlpHeader {
    TlpHeader {
        tag,
        byte_count,
        ..header(TlpKind::CompletionData, address & 0x7f, len_dw)
    }
}

/// The beats of a TLP on a stream of [`WIDTH`] bytes.
fn beats(header: &TlpHeader) -> Vec<TxPorts> {
    let lane = header.lane() % WIDTH;
    let count = (lane + header.payload_bytes()).div_ceil(WIDTH).max(1);
    let mut tx = TxPorts {
        valid: true,
        ..TxPorts::default()
    };
    tx.set_header(header);
    let beat = |index| {
        let mut beat = tx;
        (beat.sop, beat.eop) = (index == 0, index + 1 == count);
        beat
    };
    (0..count).map(beat).collect()
}

/// Puts a whole TLP on the pins.
fn offer(checker: &mut Checker, header: TlpHeader) -> Result<(), Rule> {
    beats(&header)
        .iter()
        .try_for_each(|tx| checker.transmit(5, tx, true))
        .map_err(|violation| violation.rule)
}

fn deliver(checker: &mut Checker, header: TlpHeader) -> Result<(), Rule> {
    checker
        .downstream(5, &header)
        .map_err(|violation| violation.rule)
}

fn broken(header: TlpHeader) -> Rule {
    offer(&mut checker(), header).unwrap_err()
}

#[test]
fn legal_traffic_passes() {
    let mut checker = checker();
    for (address, len_dw) in [
        (BASE, 64),
        (BASE + 4, 63),
        (BASE + 0xffc, 1),
        (BASE + 12, 2),
    ] {
        offer(&mut checker, write(address, len_dw)).unwrap();
        checker.arrival(6, &write(address, len_dw), true).unwrap();
    }
    offer(&mut checker, read(3, BASE + 0x20, 120)).unwrap();
    deliver(&mut checker, completion(3, BASE + 0x20, 8, 480)).unwrap();
    deliver(&mut checker, completion(3, BASE + 0x40, 64, 448)).unwrap();
    deliver(&mut checker, completion(3, BASE + 0x140, 48, 192)).unwrap();
    offer(&mut checker, read(3, BASE, 1)).unwrap();
    assert_eq!(checker.outstanding_reads(), 1);
    deliver(&mut checker, read(200, 0x10, 2)).unwrap();
    let answer = TlpHeader {
        id: 7,
        ..completion(200, 0x10, 2, 8)
    };
    offer(&mut checker, answer).unwrap();
}

#[test]
fn valid_must_stay() {
    let mut checker = checker();
    let tx = beats(&write(BASE, 4))[0];
    checker.transmit(0, &tx, false).unwrap();
    let violation = checker.transmit(4, &TxPorts::default(), true).unwrap_err();
    assert_eq!(violation.rule, Rule::ValidDropped);
}

#[test]
fn a_waiting_beat_must_not_change() {
    type Change = (&'static str, fn(&mut TxPorts));
    let changes: [Change; 12] = [
        ("tx_data", |tx| tx.data[WIDTH - 1] ^= 1),
        ("tx_sop", |tx| tx.sop = false),
        ("tx_eop", |tx| tx.eop = false),
        ("tx_kind", |tx| tx.kind ^= 1),
        ("tx_addr", |tx| tx.address += 4),
        ("tx_len", |tx| tx.len_dw += 1),
        ("tx_first_be", |tx| tx.first_be = 0xe),
        ("tx_last_be", |tx| tx.last_be = 7),
        ("tx_tag", |tx| tx.tag = 1),
        ("tx_id", |tx| tx.id = 1),
        ("tx_byte_count", |tx| tx.byte_count = 1),
        ("tx_status", |tx| tx.status = 1),
    ];
    for (port, change) in changes {
        let mut checker = checker();
        let mut tx = beats(&write(BASE, 4))[0];
        checker.transmit(0, &tx, false).unwrap();
        checker.transmit(4, &tx, false).unwrap();
        change(&mut tx);
        let violation = checker.transmit(8, &tx, true).unwrap_err();
        assert_eq!(violation.rule, Rule::ChangedWhileWaiting { port });
    }
    let mut checker = checker();
    let mut tx = beats(&write(BASE, 4))[0];
    checker.transmit(0, &tx, false).unwrap();
    tx.data[WIDTH] ^= 1;
    checker
        .transmit(4, &tx, true)
        .expect("bytes past the stream's width do not count");
}

#[test]
fn the_header_is_constant_within_a_tlp() {
    let mut checker = checker();
    let beats = beats(&write(BASE, 8));
    checker.transmit(0, &beats[0], true).unwrap();
    let violation = checker
        .transmit(4, &TxPorts { tag: 9, ..beats[1] }, true)
        .unwrap_err();
    assert_eq!(violation.rule, Rule::HeaderChanged { port: "tx_tag" });
}

#[test]
fn starts_and_ends_are_where_the_length_says() {
    let beats = beats(&write(BASE + 4, 8));
    assert_eq!(beats.len(), 3, "lane 4 makes a third beat");
    let rule = |beats: &[TxPorts]| {
        let mut checker = checker();
        beats
            .iter()
            .try_for_each(|tx| checker.transmit(0, tx, true))
            .unwrap_err()
            .rule
    };
    assert_eq!(rule(&[beats[1]]), Rule::NoStart);
    assert_eq!(
        rule(&[beats[0], beats[0]]),
        Rule::StartInside { beats_left: 2 }
    );
    let early = TxPorts {
        eop: true,
        ..beats[1]
    };
    assert_eq!(
        rule(&[beats[0], early]),
        Rule::EndsEarly {
            beats_left: 1,
            len_dw: 8,
            lane: 4,
            beats: 3
        }
    );
    let late = TxPorts {
        eop: false,
        ..beats[2]
    };
    assert_eq!(
        rule(&[beats[0], beats[1], late]),
        Rule::EndsLate {
            len_dw: 8,
            lane: 4,
            beats: 3
        }
    );
    let read_of_two_beats = TxPorts {
        eop: false,
        kind: 1,
        ..beats[0]
    };
    assert!(matches!(
        rule(&[read_of_two_beats]),
        Rule::EndsLate { beats: 1, .. }
    ));
}

#[test]
fn fields_fit_their_ports() {
    let rule = broken(TlpHeader {
        tag: 0x400,
        ..write(BASE, 1)
    });
    assert_eq!(
        rule,
        Rule::FieldWidth {
            port: "tx_tag",
            value: 0x400
        }
    );
    assert_eq!(
        broken(TlpHeader {
            first_be: 0x1f,
            ..write(BASE, 1)
        }),
        Rule::FieldWidth {
            port: "tx_first_be",
            value: 0x1f
        }
    );
}

#[test]
fn lengths_are_bounded() {
    assert_eq!(broken(read(0, BASE, 0)), Rule::Length { len_dw: 0 });
    assert_eq!(broken(read(0, BASE, 1025)), Rule::Length { len_dw: 1025 });
    assert_eq!(
        broken(write(BASE, 65)),
        Rule::OverMps {
            bytes: 260,
            mps: 256
        }
    );
    assert_eq!(
        broken(read(0, BASE, 129)),
        Rule::OverMrrs {
            bytes: 516,
            mrrs: 512
        }
    );
}

#[test]
fn addresses_are_aligned_and_stay_in_their_page() {
    assert_eq!(
        broken(write(BASE + 2, 1)),
        Rule::Misaligned { address: BASE + 2 }
    );
    assert_eq!(
        broken(write(BASE + 0xffc, 2)),
        Rule::Crosses4K {
            address: BASE + 0xffc,
            bytes: 8
        }
    );
    assert_eq!(
        broken(read(0, BASE + 0xe04, 128)),
        Rule::Crosses4K {
            address: BASE + 0xe04,
            bytes: 512
        }
    );
}

#[test]
fn byte_enables_are_legal() {
    let rule = |address, len_dw, first_be, last_be| {
        offer(
            &mut checker(),
            TlpHeader {
                first_be,
                last_be,
                ..write(address, len_dw)
            },
        )
    };
    for (len_dw, first_be, last_be) in [
        (1, 0xf, 0x1),
        (2, 0x0, 0xf),
        (2, 0xf, 0x0),
        (3, 0x7, 0xf),
        (3, 0xf, 0xe),
        (3, 0xa, 0xf),
        (64, 0xf, 0x5),
    ] {
        let result = rule(BASE, len_dw, first_be, last_be);
        assert!(
            matches!(result, Err(Rule::ByteEnables { .. })),
            "{len_dw} {first_be:04b} {last_be:04b}: {result:?}"
        );
    }
    assert!(
        matches!(rule(BASE + 4, 2, 0x5, 0xf), Err(Rule::ByteEnables { .. })),
        "holes need 8-byte alignment"
    );
    for (len_dw, first_be, last_be) in [
        (1, 0x0, 0),
        (1, 0x9, 0),
        (2, 0x5, 0xa),
        (2, 0x8, 0x1),
        (3, 0xe, 0x7),
        (64, 0x8, 0x1),
    ] {
        rule(BASE, len_dw, first_be, last_be).unwrap();
    }
}

#[test]
fn tags_are_enabled_and_free() {
    assert_eq!(
        broken(read(256, BASE, 1)),
        Rule::TagRange {
            tag: 256,
            tags: 256
        }
    );
    let mut checker = checker();
    offer(&mut checker, read(5, BASE, 128)).unwrap();
    deliver(&mut checker, completion(5, BASE, 64, 512)).unwrap();
    let rule = offer(&mut checker, read(5, BASE + 0x800, 1)).unwrap_err();
    assert_eq!(
        rule,
        Rule::TagReused {
            tag: 5,
            address: BASE + 256,
            left: 256
        }
    );
}

#[test]
fn bus_mastering_gates_requests_but_not_completions_or_what_is_on_offer() {
    let mut checker = checker();
    let tx = beats(&write(BASE, 4))[0];
    checker.transmit(0, &tx, false).unwrap();
    checker.set_bus_master(false);
    checker.transmit(4, &tx, true).expect("on offer before");
    deliver(&mut checker, read(1, 0x10, 1)).unwrap();
    offer(
        &mut checker,
        TlpHeader {
            id: 7,
            ..completion(1, 0x10, 1, 4)
        },
    )
    .unwrap();
    assert_eq!(
        offer(&mut checker, write(BASE, 4)),
        Err(Rule::BusMasterOff { address: BASE })
    );
    assert_eq!(
        offer(&mut self::checker_off(), read(0, BASE, 4)),
        Err(Rule::BusMasterOff { address: BASE })
    );
}

fn checker_off() -> Checker {
    Checker::new(&LinkConfig::default())
}

#[test]
fn interrupt_messages_are_one_dword() {
    offer(&mut checker(), write(0xfee0_1000, 1)).unwrap();
    assert_eq!(
        broken(write(0xfee0_1000, 2)),
        Rule::BadInterrupt {
            len_dw: 2,
            first_be: 0xf
        }
    );
    let half = TlpHeader {
        first_be: 3,
        ..write(0xfeef_f000, 1)
    };
    assert_eq!(
        broken(half),
        Rule::BadInterrupt {
            len_dw: 1,
            first_be: 3
        }
    );
}

#[test]
fn completions_answer_outstanding_reads() {
    let mut checker = checker();
    assert_eq!(
        deliver(&mut checker, completion(1, BASE, 1, 4)),
        Err(Rule::UnexpectedCompletion { tag: 1 })
    );
    offer(&mut checker, read(1, BASE, 1)).unwrap();
    deliver(&mut checker, completion(1, BASE, 1, 4)).unwrap();
    assert_eq!(
        deliver(&mut checker, completion(1, BASE, 1, 4)),
        Err(Rule::UnexpectedCompletion { tag: 1 })
    );

    deliver(&mut checker, read(9, 0x10, 1)).unwrap();
    let stray = TlpHeader {
        id: 8,
        ..completion(9, 0x10, 1, 4)
    };
    assert_eq!(
        offer(&mut checker, stray),
        Err(Rule::RequesterId { id: 8, expected: 7 })
    );
    let wrong_tag = TlpHeader {
        id: 7,
        ..completion(10, 0x10, 1, 4)
    };
    assert_eq!(
        offer(&mut checker, wrong_tag),
        Err(Rule::UnexpectedCompletion { tag: 10 })
    );
}

#[test]
fn completions_agree_with_their_read() {
    let rule = |answer: TlpHeader| {
        let mut checker = checker();
        let request = TlpHeader {
            first_be: 0b1100,
            last_be: 0b0001,
            ..read(4, BASE + 0x30, 101)
        };
        offer(&mut checker, request).unwrap();
        deliver(&mut checker, answer)
    };
    // 2 of 4 bytes, 99 DW, 1 of 4 bytes.
    let good = completion(4, BASE + 0x32, 4, 399);
    rule(good).unwrap();
    assert_eq!(
        rule(TlpHeader {
            byte_count: 400,
            ..good
        }),
        Err(Rule::ByteCount {
            tag: 4,
            byte_count: 400,
            expected: 399
        })
    );
    assert_eq!(
        rule(TlpHeader {
            address: 0x30,
            ..good
        }),
        Err(Rule::LowerAddress {
            tag: 4,
            lower: 0x30,
            expected: 0x32
        })
    );
    assert_eq!(
        rule(TlpHeader { len_dw: 3, ..good }),
        Err(Rule::CompletionBoundary {
            tag: 4,
            end: BASE + 0x3c,
            rcb: 64
        })
    );
    assert_eq!(
        rule(TlpHeader { len_dw: 0, ..good }),
        Err(Rule::Length { len_dw: 0 })
    );
    assert_eq!(
        rule(TlpHeader { len_dw: 68, ..good }),
        Err(Rule::OverMps {
            bytes: 272,
            mps: 256
        })
    );
    assert!(matches!(
        rule(TlpHeader {
            kind: TlpKind::Completion,
            ..good
        }),
        Err(Rule::CompletionShape { .. })
    ));
    assert!(matches!(
        rule(TlpHeader {
            status: Status::CompleterAbort,
            ..good
        }),
        Err(Rule::CompletionShape { .. })
    ));

    let mut checker = checker();
    offer(&mut checker, read(4, BASE, 3)).unwrap();
    let rule = deliver(&mut checker, completion(4, BASE, 4, 12)).unwrap_err();
    assert_eq!(
        rule,
        Rule::CompletionLength {
            tag: 4,
            len_dw: 4,
            needed: 3
        }
    );
    let refusal = TlpHeader {
        kind: TlpKind::Completion,
        status: Status::UnsupportedRequest,
        ..completion(4, BASE, 0, 12)
    };
    deliver(&mut checker, refusal).expect("an error status ends the read");
    assert_eq!(checker.outstanding_reads(), 0);
}

#[test]
fn completion_boundaries_are_the_configured_ones() {
    let mut checker = Checker::new(&LinkConfig {
        rcb: 128,
        ..LinkConfig::default()
    });
    checker.set_bus_master(true);
    offer(&mut checker, read(0, BASE, 64)).unwrap();
    let rule = deliver(&mut checker, completion(0, BASE, 16, 256)).unwrap_err();
    assert_eq!(
        rule,
        Rule::CompletionBoundary {
            tag: 0,
            end: BASE + 64,
            rcb: 128
        }
    );
}

#[test]
fn reads_need_room_for_their_completions() {
    let config = LinkConfig {
        completion_headers: 10,
        completion_data: 40,
        ..LinkConfig::default()
    };
    let mut checker = Checker::new(&config);
    checker.set_bus_master(true);
    offer(&mut checker, read(0, BASE, 128)).unwrap();
    let rule =
        offer(&mut checker, read(1, BASE + 60, 2)).map(|()| checker.device_reads.worst_case());
    assert_eq!(
        rule,
        Ok(Space {
            headers: 10,
            data: 34
        }),
        "8 blocks of 4 units, and 2 DW in two blocks"
    );
    let rule = offer(&mut checker, read(2, BASE, 1)).unwrap_err();
    assert_eq!(
        rule,
        Rule::CompletionSpace {
            headers: 11,
            header_space: 10,
            data: 35,
            data_space: 40
        }
    );

    let mut checker = Checker::new(&LinkConfig {
        completion_headers: 0,
        ..config
    });
    checker.set_bus_master(true);
    offer(&mut checker, read(0, BASE, 128)).unwrap();
    deliver(&mut checker, completion(0, BASE, 64, 512)).unwrap();
    offer(&mut checker, read(1, BASE, 64)).expect("half of the first read has come back");
    assert!(matches!(
        offer(&mut checker, read(2, BASE, 64)),
        Err(Rule::CompletionSpace { data: 48, .. })
    ));
}

#[test]
fn memory_must_have_been_given() {
    for (is_write, request) in [(true, write(BASE, 2)), (false, read(0, BASE, 2))] {
        let mut checker = checker();
        offer(&mut checker, request).unwrap();
        let violation = checker.arrival(9, &request, false).unwrap_err();
        assert_eq!(
            violation.rule,
            Rule::NotPermitted {
                is_write,
                address: BASE,
                bytes: 8
            }
        );
    }
}

#[test]
fn writes_arrive_in_order_and_before_later_reads() {
    let mut checker = checker();
    offer(&mut checker, write(BASE, 1)).unwrap();
    offer(&mut checker, write(BASE + 4, 1)).unwrap();
    offer(&mut checker, read(0, BASE, 1)).unwrap();
    checker.arrival(1, &write(BASE, 1), true).unwrap();
    let violation = checker.arrival(2, &read(0, BASE, 1), true).unwrap_err();
    assert_eq!(violation.rule, Rule::ReadPassedWrite { tag: 0, writes: 1 });

    let mut checker = self::checker();
    offer(&mut checker, write(BASE, 1)).unwrap();
    offer(&mut checker, write(BASE + 4, 1)).unwrap();
    let violation = checker.arrival(1, &write(BASE + 4, 1), true).unwrap_err();
    assert_eq!(
        violation.rule,
        Rule::WriteOutOfOrder {
            address: BASE + 4,
            expected: BASE
        }
    );
}

#[test]
fn a_violation_reads_well() {
    let mut checker = checker();
    offer(&mut checker, read(5, BASE, 128)).unwrap();
    deliver(&mut checker, completion(5, BASE, 64, 512)).unwrap();
    let tx = beats(&read(5, BASE, 128))[0];
    let text = checker
        .transmit(1_234_567, &tx, true)
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "illegal on the PCIe link at 1234.567 ns: tag 5 is used again while 256 bytes of its read of 0x123456100 are \
         outstanding (2.2.6.2)\n\
         last TLPs, newest last:\n\
         \u{20}        0.005 ns  device -> host  offered      MRd  0x123456000 128 DW, BE 1111 1111, tag 5\n\
         \u{20}        0.005 ns  host -> device  delivered    CplD tag 5 of 0000, 64 DW, 512 bytes left, lower address 0x00, Success\n\
         \u{20}     1234.567 ns  device -> host  offered      MRd  0x123456000 128 DW, BE 1111 1111, tag 5\n"
    );
}
