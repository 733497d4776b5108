//! The driver on the double, from loading to unloading, in each tier.

mod common;

use common::*;
use kmdf_sim::Config;
use kmdf_sim::dma::{OsVersion, Translation};
use kmdf_sim::user;
use pinring_core::mock::cookie_byte;
use pinring_ioctl::{self as ioctl, direction, tier};
use pinring_protocol::registers::{self, Version};
use pinring_protocol::{ABI_MAJOR, LAYOUT_HASH, MAGIC};
use zerocopy::IntoBytes;

/// What the driver frees is kept a while: a late write is reported.
#[global_allocator]
static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;

#[test]
fn the_driver_comes_and_goes() {
    Bench::new(Config::default()).end();
}

#[test]
fn the_device_is_described() {
    let mut bench = Bench::new(Config::default());
    let info = bench.app(|| {
        let handle = open();
        let info: ioctl::DeviceInfo = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
        user::close(handle).unwrap();
        info
    });
    assert_eq!(info.interface_version, ioctl::VERSION);
    assert_eq!((info.running, info.messages, info.queues), (1, 16, 16));
    bench.end();
}

/// Registers in a tier, moves data both ways, and unregisters.
fn round_trip(config: Config, tiers: (u32, u32), got: u32) {
    let mut bench = Bench::new(config);
    let device = bench.device.clone();
    bench.app(move || {
        let handle = open();
        let memory = buffer(1 << 20);
        let (pending, info) = register(handle, &memory, 7, tiers).unwrap();
        assert_eq!(info.tier, got);
        assert_eq!(info.length, 1 << 20);
        let batch = [
            transfer(info.handle, 0, 300_000, 11),
            transfer(info.handle, 300_000, 4096, 12),
            transfer(info.handle, 500_001, 77, 13),
        ];
        submit(handle, direction::C2H, &batch).unwrap();
        let completions = wait(handle, 3).unwrap();
        for (completion, asked) in completions.iter().zip(&batch) {
            assert_eq!(completion.status, 0, "{completion:?}");
            assert_eq!(completion.cookie, asked.cookie);
            assert_eq!(completion.bytes, asked.length);
            let mut data = vec![0; asked.length as usize];
            memory.read(asked.offset as usize, &mut data);
            for (position, byte) in (0..).zip(data) {
                assert_eq!(byte, cookie_byte(asked.cookie, position));
            }
        }
        memory.write(4000, &[0x5a; 9000]);
        submit(
            handle,
            direction::H2C,
            &[transfer(info.handle, 4000, 9000, 14)],
        )
        .unwrap();
        let completions = wait(handle, 1).unwrap();
        assert_eq!(completions[0].status, 0);
        assert_eq!(device.borrow().packets_out[0].1, vec![0x5a; 9000]);
        unregister(handle, pending, info.handle);
        let statistics = statistics(handle);
        assert_eq!((statistics.regions, statistics.locked_bytes), (0, 0));
        assert_eq!(statistics.completed, 4);
        user::close(handle).unwrap();
    });
    bench.end();
}

#[test]
fn data_moves_in_tier_bypass() {
    round_trip(
        host(Translation::Direct),
        (tier::BYPASS, tier::PER_TRANSFER),
        tier::BYPASS,
    );
}

/// Whichever shape the system's headers had for the answer about the adapter.
#[test]
fn tier_bypass_is_found_in_every_shape_of_the_answer() {
    let (any, translations) = (
        (tier::BYPASS, tier::PER_TRANSFER),
        [Translation::Direct, Translation::Remapping],
    );
    for (translation, got) in translations
        .into_iter()
        .zip([tier::BYPASS, tier::MAPPED_ONCE])
    {
        let mut config = host(translation);
        config.dma.info_at_byte_8 = true;
        round_trip(config, any, got);
    }
}

#[test]
fn data_moves_in_tier_mapped_once() {
    round_trip(
        host(Translation::Remapping),
        (tier::BYPASS, tier::PER_TRANSFER),
        tier::MAPPED_ONCE,
    );
}

#[test]
fn data_moves_in_tier_per_transfer() {
    for translation in [
        Translation::Direct,
        Translation::Remapping,
        Translation::Bounce,
    ] {
        let mut config = host(translation);
        config.dma.os = OsVersion::Windows10;
        round_trip(
            config,
            (tier::PER_TRANSFER, tier::PER_TRANSFER),
            tier::PER_TRANSFER,
        );
    }
}

#[test]
fn data_moves_through_a_common_buffer() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        let handle = open();
        let asked = ioctl::Allocate {
            length: 100_000,
            permissions: ioctl::permissions::BOTH,
            reserved: 0,
        };
        let info: ioctl::RegionInfo = ask(handle, ioctl::ALLOCATE, asked.as_bytes()).unwrap();
        assert_eq!((info.tier, info.elements), (tier::COMMON_BUFFER, 1));
        submit(
            handle,
            direction::C2H,
            &[transfer(info.handle, 10, 50_000, 3)],
        )
        .unwrap();
        assert_eq!(wait(handle, 1).unwrap()[0].status, 0);
        let range = ioctl::CopyRange {
            handle: info.handle,
            offset: 10,
        };
        let memory = buffer(50_000);
        // SAFETY: the buffer stays until the copy has ended.
        let pending = unsafe {
            user::start_at(
                handle,
                ioctl::COPY_OUT.value(),
                range.as_bytes(),
                memory.as_mut_ptr(),
                50_000,
                None,
            )
        }
        .unwrap();
        assert_eq!(user::result(pending, None).unwrap().status, 0);
        let mut data = vec![0; 50_000];
        memory.read(0, &mut data);
        for (position, byte) in (0..).zip(data) {
            assert_eq!(byte, cookie_byte(3, position));
        }
        tell(
            handle,
            ioctl::UNREGISTER,
            ioctl::Handle {
                handle: info.handle,
            }
            .as_bytes(),
        )
        .unwrap();
        user::close(handle).unwrap();
    });
    bench.end();
}

/// A device of another make does not start; operators are told what it is, once, and nothing else stays behind.
#[test]
fn a_device_that_does_not_fit_is_named() {
    let other = LAYOUT_HASH ^ 1;
    let version = Version::new().with_major(ABI_MAJOR + 1).raw();
    for (register, value, told) in [
        (&registers::LAYOUT_HASH, other, [8, other, LAYOUT_HASH]),
        (
            &registers::VERSION,
            version.into(),
            [9, u64::from(ABI_MAJOR) + 1, ABI_MAJOR.into()],
        ),
        (&registers::MAGIC, 0x1234, [10, 0x1234, MAGIC.into()]),
    ] {
        let mut bench = Bench::loaded(Config::default());
        bench.device.borrow_mut().set(register, value);
        let added = bench.machine.add_device();
        assert!(added.is_ok_and(|status| status < 0), "{added:?}");
        let failed: Vec<_> = bench
            .machine
            .trace()
            .into_iter()
            .filter(|event| event.id == 6)
            .collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0].data, told.as_bytes());
        bench.machine.unload().expect("it goes on");
        bench.machine.report().assert_clean();
    }
}
