//! Opening, starting, resetting and closing.

mod common;

use common::*;
use pinring_core::mock::Mock;
use pinring_core::{
    AdminError, Config, Device, OpenError, StartError, StateError, SubmitError, Tier,
};
use pinring_protocol::registers::{self, DeviceStatus, FirmwareReport, LogData, Version, aperture};
use pinring_protocol::{ABI_MAJOR, Direction, FirmwareState, LAYOUT_HASH, MAGIC, Status};

fn open_error(change: impl FnOnce(&Mock)) -> OpenError {
    let mock = Mock::new();
    change(&mock);
    let error = Device::open(mock.clone(), config()).unwrap_err();
    assert_eq!(
        mock.host().counts.dma_memory,
        0,
        "{error} left memory behind"
    );
    error
}

#[test]
fn another_layout_is_refused_with_both_hashes() {
    let error = open_error(|mock| {
        mock.host_mut()
            .device
            .set(&registers::LAYOUT_HASH, 0x1234_5678_9abc_def0)
    });
    assert_eq!(
        error,
        OpenError::LayoutHash {
            device: 0x1234_5678_9abc_def0,
            driver: LAYOUT_HASH
        }
    );
    let text = error.to_string();
    assert!(
        text.contains("0x123456789abcdef0") && text.contains(&format!("{LAYOUT_HASH:#018x}")),
        "{text}"
    );
    assert!(text.contains("load the bitstream"), "{text}");
}

#[test]
fn strangers_are_refused() {
    let magic = open_error(|mock| mock.host_mut().device.set(&registers::MAGIC, 0x10ee));
    assert_eq!(
        magic,
        OpenError::NotPinring {
            found: 0x10ee,
            expected: MAGIC
        }
    );
    assert_eq!(
        open_error(|mock| mock.host_mut().device.gone = true),
        OpenError::Gone
    );
    let version = open_error(|mock| {
        let raw = Version::new().with_major(ABI_MAJOR + 1).raw();
        mock.host_mut().device.set(&registers::VERSION, raw.into());
    });
    assert_eq!(
        version,
        OpenError::AbiVersion {
            device: ABI_MAJOR + 1,
            driver: ABI_MAJOR
        }
    );
    let small =
        open_error(|mock| mock.host_mut().device.bar0_bytes = u64::from(aperture::BAR0_BYTES) - 1);
    assert!(matches!(small, OpenError::BarTooSmall { .. }), "{small}");
    let limits = open_error(|mock| mock.host_mut().device.set(&registers::MAX_REGIONS, 0));
    assert!(
        matches!(
            limits,
            OpenError::Limits {
                register: "MAX_REGIONS",
                value: 0,
                ..
            }
        ),
        "{limits}"
    );
}

#[test]
fn want_of_memory_at_any_step_leaves_nothing_behind() {
    for allowed in 0..3 + config().lists as usize {
        let error = open_error(|mock| mock.host_mut().allocations_left = allowed);
        assert!(matches!(error, OpenError::Memory(_)), "{error}");
    }
}

#[test]
fn impossible_configurations_are_refused() {
    for bad in [
        Config {
            regions: 0,
            ..config()
        },
        Config {
            regions: 65537,
            ..config()
        },
        Config {
            admin_entries: 8,
            ..config()
        },
        Config {
            admin_entries: 48,
            ..config()
        },
        Config {
            admin_entries: 1 << 16,
            ..config()
        },
        Config {
            admin_vector: 16,
            ..config()
        },
    ] {
        assert!(
            matches!(Device::open(Mock::new(), bad), Err(OpenError::Config(_))),
            "{bad:?}"
        );
    }
}

#[test]
fn the_start_waits_and_times_out() {
    let mock = Mock::new();
    mock.host_mut().device.reset_polls = u32::MAX;
    let mut device = Device::open(mock.clone(), config()).unwrap();
    assert_eq!(device.poll_start(100), Ok(false));
    mock.host_mut().now_ns = 100;
    let error = device.poll_start(100).unwrap_err();
    assert!(
        matches!(
            error,
            StartError::TimedOut {
                waiting_for: "the end of the reset",
                ..
            }
        ),
        "{error}"
    );
    let refused = device.create_queue(queue_config(Direction::C2h));
    assert!(matches!(
        refused,
        Err(AdminError::State(StateError::NotRunning))
    ));
    // A later deadline goes on where it stopped.
    mock.host_mut().device.reset_polls = 0;
    device.reset().unwrap();
    mock.host_mut().now_ns = 0;
    wait(&mut device);
    close(&mock, device);
}

#[test]
fn a_start_that_fails_says_why() {
    let fail = |raw: u32| {
        let mock = Mock::new();
        let mut device = Device::open(mock.clone(), config()).unwrap();
        mock.host_mut().device.reset_polls = 0;
        assert_eq!(device.poll_start(1), Ok(false));
        let report = FirmwareReport::new()
            .with_state(FirmwareState::Panicked)
            .with_detail(0x1234);
        mock.host_mut()
            .device
            .set(&registers::FIRMWARE_STATE, report.raw().into());
        mock.host_mut().device.set(&registers::STATUS, raw.into());
        device
            .poll_start(1)
            .and_then(|_| device.poll_start(1))
            .unwrap_err()
    };
    let status = DeviceStatus::new();
    let panicked = StartError::Firmware {
        state: Some(FirmwareState::Panicked),
        detail: 0x1234,
    };
    let given_up = status.with_firmware_panicked(true).with_fatal(true);
    let given_up = given_up.with_firmware_stalled(true);
    assert_eq!(fail(given_up.raw()), panicked);
    assert_eq!(
        fail(status.with_firmware_stalled(true).raw()),
        StartError::FirmwareStalled
    );
    assert_eq!(
        fail(status.with_fatal(true).raw()),
        StartError::Fatal { info: 0 }
    );
    assert_eq!(fail(u32::MAX), StartError::Gone);
}

#[test]
fn firmware_of_another_layout_is_refused_with_both_hashes() {
    let foreign = FirmwareReport::new()
        .with_state(FirmwareState::BadLayout)
        .with_detail(0x0a_bcde);
    let refused = StartError::FirmwareLayout {
        device: LAYOUT_HASH,
        firmware: 0x0a_bcde,
    };
    // Whatever else the device says: the cause goes before its consequences.
    let status = DeviceStatus::new();
    for status in [
        status,
        status.with_firmware_stalled(true),
        status.with_fatal(true),
    ] {
        let mock = Mock::new();
        mock.host_mut().device.firmware = foreign;
        let mut device = Device::open(mock.clone(), config()).unwrap();
        (0..2).for_each(|_| assert_eq!(device.poll_start(1), Ok(false)));
        let shown = status.raw().into();
        mock.host_mut().device.set(&registers::STATUS, shown);
        assert_eq!(device.poll_start(1), Err(refused));
        let queue = device.create_queue(queue_config(Direction::C2h));
        assert!(matches!(
            queue,
            Err(AdminError::State(StateError::NotRunning))
        ));
        // A reset brings the same firmware up, and the refusal again.
        device.reset().unwrap();
        let error = (0..9).find_map(|_| device.poll_start(1).err());
        assert_eq!(error, Some(refused));
        close(&mock, device);
    }
    let text = refused.to_string();
    assert!(
        text.contains(&format!("{LAYOUT_HASH:#018x}")) && text.contains("ends in 0abcde"),
        "{text}"
    );
    assert!(
        text.contains("build firmware and bitstream from the same version"),
        "{text}"
    );
}

#[test]
fn health_is_reported() {
    let mock = Mock::new();
    let mut device = start(&mock);
    assert_eq!(device.check_health(), Ok(()));
    // Firmware that has panicked is restarted by the device: a reset would abort what is in flight for nothing.
    let panicked = DeviceStatus::new().with_firmware_panicked(true);
    let panicked = panicked.with_fatal(true);
    for (stalled, healthy) in [(false, true), (true, false)] {
        let shown = panicked.with_firmware_stalled(stalled);
        mock.host_mut()
            .device
            .set(&registers::STATUS, shown.raw().into());
        assert_eq!(device.check_health().is_ok(), healthy);
    }
    let stalled = DeviceStatus::new()
        .with_ready(true)
        .with_firmware_running(true)
        .with_firmware_stalled(true);
    mock.host_mut()
        .device
        .set(&registers::STATUS, stalled.raw().into());
    assert_eq!(device.check_health(), Err(StartError::FirmwareStalled));
    mock.host_mut().device.gone = true;
    assert_eq!(device.check_health(), Err(StartError::Gone));
    assert_eq!(device.take_log(&mut [0; 4]), 0);
    mock.host_mut().device.gone = false;
    let log = LogData::new().with_byte(0x5a).with_valid(true);
    mock.host_mut()
        .device
        .set(&registers::LOG_DATA, log.raw().into());
    let mut bytes = [0; 3];
    assert_eq!((device.take_log(&mut bytes), bytes), (3, [0x5a; 3]));
    assert_eq!(device.read_register(&registers::LAYOUT_HASH), LAYOUT_HASH);
    close(&mock, device);
}

#[test]
fn a_reset_reports_everything_in_flight_once_as_aborted() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(5, 100_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    let batch: Vec<_> = (0..5)
        .map(|i| transfer(region, i * 10_000, 10_000))
        .collect();
    device.submit(queue, &batch).unwrap();
    mock.run_at_most(2);
    device.reset().unwrap();
    assert!(matches!(
        device.submit(queue, &batch[..1]),
        Err(SubmitError::State(StateError::NotRunning))
    ));
    wait(&mut device);
    // Being created again.
    assert!(matches!(
        device.submit(queue, &batch[..1]),
        Err(SubmitError::Queue(_))
    ));
    let ended = reap(&mut device, queue);
    let statuses: Vec<_> = ended.iter().map(|completion| completion.status).collect();
    assert_eq!(
        statuses,
        [
            Status::Ok,
            Status::Ok,
            Status::Aborted,
            Status::Aborted,
            Status::Aborted
        ]
    );
    assert_eq!(
        ended.iter().map(|c| c.cookie).collect::<Vec<_>>(),
        batch.iter().map(|t| t.cookie).collect::<Vec<_>>()
    );
    assert_eq!(device.in_flight(queue), Ok(0));
    mock.run();
    assert!(
        device
            .poll_admin()
            .unwrap()
            .is_some_and(|event| event.result.is_ok())
    );
    // The region is as before, and the rings work over many laps.
    for _ in 0..30 {
        device.submit(queue, &batch[..3]).unwrap();
        mock.run();
        assert!(
            reap(&mut device, queue)
                .iter()
                .all(|completion| completion.status == Status::Ok)
        );
    }
    close(&mock, device);
}

#[test]
fn a_reset_ends_admin_commands_in_flight() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let live = queue(&mock, &mut device, Direction::C2h);
    let cancelled = queue(&mock, &mut device, Direction::H2c);
    let leaving = queue(&mock, &mut device, Direction::H2c);
    let buffers = [mock.lock_scattered(0, 5000), mock.lock_scattered(0, 5000)];
    let gone = register(&mut device, buffers[0], Tier::MappedOnce);
    let stays = register(&mut device, buffers[1], Tier::MappedOnce);
    let (created, create) = device.create_queue(queue_config(Direction::C2h)).unwrap();
    let cancel = device.cancel_queue(cancelled).unwrap();
    let destroy = device.destroy_queue(leaving).unwrap();
    let unregister = device.unregister(gone).unwrap();
    let (stays, revive) = device.cancel_region(stays).unwrap();
    let log = device.flush_log().unwrap();
    device.reset().unwrap();
    wait(&mut device);
    mock.run();
    let mut events = Vec::new();
    while let Some(event) = device.poll_admin().unwrap() {
        events.push((event.ticket, event.result));
        if let Some(retired) = event.retired {
            device.settle(retired);
        }
    }
    for ticket in [create, cancel, destroy, unregister, revive] {
        assert!(
            events.contains(&(ticket, Ok(()))),
            "{ticket:?} in {events:?}"
        );
    }
    assert!(events.contains(&(log, Err(AdminError::Refused(Status::Aborted)))));
    assert_eq!(mock.host().counts.mappings, 1);
    assert!(device.submit(live, &[transfer(stays, 0, 5000)]).is_ok());
    assert!(device.submit(created, &[transfer(stays, 0, 5000)]).is_ok());
    assert!(
        device
            .submit(cancelled, &[transfer(stays, 0, 5000)])
            .is_ok()
    );
    assert!(device.submit(leaving, &[transfer(stays, 0, 5000)]).is_err());
    close(&mock, device);
}

#[test]
fn close_keeps_memory_mapped_while_the_device_may_write() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(0, 9000);
    let region = register(&mut device, buffer, Tier::MappedOnce);
    let list = device.prepare(region, 0, 5000, Direction::C2h).unwrap();
    device.submit(queue, &[transfer(list, 0, 5000)]).unwrap();
    mock.host_mut().bus_master_stuck = true;
    let before = mock.host().counts;
    assert_eq!(device.close(), Err(StateError::BusMasterStuck));
    assert_eq!(mock.host().counts, before);
    mock.host_mut().bus_master_stuck = false;
    device.close().unwrap();
    assert_eq!(
        (mock.host().counts.dma_memory, mock.host().counts.mappings),
        (0, 0)
    );
    assert_eq!(reap(&mut device, queue)[0].status, Status::Aborted);
    assert_eq!(device.close(), Err(StateError::Closed));
    assert_eq!(device.reset(), Err(StateError::Closed));
    assert_eq!(mock.host().violations, Vec::<String>::new());
}
