//! The command-line tool over the driver double: what it prints is kept here, and time is virtual, so that it never differs.

use std::rc::Rc;

use expect_test::{Expect, expect, expect_file};
use pinring_client::cli::{Host, run};
use pinring_client::loopback::{Config, Loopback};
use pinring_client::{Error, Pending, Status, Transport, ioctl};

/// Status, output, errors.
fn pinring(config: Config, arguments: &str) -> (u8, String, String) {
    let loopback = Loopback::with(config);
    let result = over(&Rc::new(loopback.clone()), arguments);
    // Driver memory goes when the device has let go of it.
    loopback.sleep(1_000_000);
    assert_eq!(loopback.left(), (0, 0), "nothing is left behind");
    result
}

fn over<T: Transport + 'static>(transport: &Rc<T>, arguments: &str) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(
        std::iter::once("pinring").chain(arguments.split_whitespace()),
        &mut Host {
            list: &mut || Ok(vec!["double".to_string()]),
            open: &mut |name| match name {
                None | Some("double") => Ok(Rc::clone(transport) as Rc<dyn Transport>),
                Some(name) => Err(Error::Open {
                    name: name.to_string(),
                    status: Status::OBJECT_NAME_NOT_FOUND,
                }),
            },
            out: &mut out,
            err: &mut err,
            interactive: false,
        },
    );
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(out), text(err))
}

fn windows_10() -> Config {
    let mut config = Config::default();
    config.info.bypass_missing = ioctl::tier_reason::TRANSLATED;
    config.info.mapped_once_missing = ioctl::tier_reason::UNSUPPORTED;
    config
}

fn prints(config: Config, arguments: &str, expected: Expect) {
    let (status, out, err) = pinring(config, arguments);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    expected.assert_eq(&out);
}

#[test]
fn info_names_tiers_and_what_is_missing() {
    prints(
        windows_10(),
        "info",
        expect![[r#"
        device double
        ────────────────────────────────────────────────────────────────────────────────
         state         running
        ────────────────────────────────────────────────────────────────────────────────
         versions      driver 0.1, interface 1, gateware 0x1, layout 0x1122334455667788
        ────────────────────────────────────────────────────────────────────────────────
         data path     128 bits at 250 MHz
        ────────────────────────────────────────────────────────────────────────────────
         features      inline doorbell, uniform lists, resident hits
        ────────────────────────────────────────────────────────────────────────────────
         queues        16, 4 messages, 256 transfers in flight per handle and direction
        ────────────────────────────────────────────────────────────────────────────────
         regions       64; locked at most 2.15 GB per handle, 4.29 GB in all
        ────────────────────────────────────────────────────────────────────────────────
         lists ahead   4, of transfers of at most 134 MB (tier PerTransfer)
        ────────────────────────────────────────────────────────────────────────────────
         resets        0
        ────────────────────────────────────────────────────────────────────────────────
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
             tier       to be had                                        why not
        ═════════════════════════════════════════════════════════════════════════════════════════════════════════════
         Bypass         no          the host remaps or bounces DMA of this device
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
         MappedOnce     no          this Windows has no lasting mappings (they came with Windows 11 and Server 2022)
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    yes
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   yes
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    "#]],
    );
}

#[test]
fn bench_answers_what_each_way_costs() {
    prints(
        Config::default(),
        "bench --bursts 3",
        expect![[r#"
            3 bursts of 8 transfers of 4.40 MB, C2H; a frame at 120 Hz lasts 8.33 ms
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
                strategy         tier         made    set-up per    submit   first byte   last byte    copies   GB/s   part of
                                              once     transfer                                                        a frame
            ═══════════════════════════════════════════════════════════════════════════════════════════════════════════════════
             per-transfer     PerTransfer   1.31 ms       161 µs   8.00 µs       164 µs     4.02 ms         –   8.76    48.2 %
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             prepare-ahead    PerTransfer   1.31 ms       161 µs   1.00 µs       164 µs     2.87 ms         –   12.3    34.5 %
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             registered            Bypass   2.59 ms         0 ns   1.00 µs      3.00 µs     2.71 ms         –   13.0    32.5 %
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             common-buffer   CommonBuffer   8.00 µs         0 ns   1.00 µs       709 µs     3.29 ms   2.94 ms   10.7    39.5 %
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
            Median of the bursts, and least to most. Made once: all registrations, or allocations. Times run from the burst's first
            action; submit: inside the calls; first byte: the first buffer's first bytes changed (common-buffer: were copied); none
            from host to card, which the host cannot see; last byte: the last transfer was reported (and copied). Part of a frame: of
            its period.
        "#]],
    );
}

#[test]
fn bench_says_which_way_cannot_be_had() {
    prints(
        windows_10(),
        "bench --bursts 2 --direction h2c --fps 240 --transfers 24",
        expect![[r#"
            2 bursts of 24 transfers of 4.40 MB, H2C; a frame at 240 Hz lasts 4.17 ms
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
                strategy         tier         made    set-up per    submit   first byte   last byte    copies   GB/s   part of
                                              once     transfer                                                        a frame
            ═══════════════════════════════════════════════════════════════════════════════════════════════════════════════════
             per-transfer     PerTransfer   3.92 ms       161 µs   24.0 µs            –     12.1 ms         –   8.76   289.2 %
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             prepare-ahead    PerTransfer   3.92 ms       161 µs   1.00 µs            –     8.29 ms         –   12.7   198.9 %
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             common-buffer   CommonBuffer   24.0 µs         0 ns   24.0 µs            –     9.19 ms   8.82 ms   11.5   220.5 %
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
            Median of the bursts, and least to most. Made once: all registrations, or allocations. Times run from the burst's first
            action; submit: inside the calls; first byte: the first buffer's first bytes changed (common-buffer: were copied); none
            from host to card, which the host cannot see; last byte: the last transfer was reported (and copied). Part of a frame: of
            its period.
            registered: REGISTER: tier MappedOnce needs Windows 11 or Server 2022 and version 3 of the DMA interface: allow
            PerTransfer
        "#]],
    );
}

#[test]
fn selftest_gives_a_verdict_for_each_step() {
    prints(
        Config::default(),
        "selftest",
        expect![[r#"
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
                 tier              step         verdict                                 what was seen
            ════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════
                            open the device     pass      128 bits at 250 MHz
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             Bypass         register            pass      1.05 MB
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             Bypass         card to host        pass      2.10 MB from position 0 of a packet, every byte right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             Bypass         host to card        pass      1.05 MB taken; whether they are right, only the card's sink can say
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             Bypass         wait with a limit   pass      0 of 4 transfers came within 1 µs, the others when they were waited for;
                                                          every byte right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             Bypass         cancel              pass      of 4 transfers 4 were aborted and 0 were faster; the next one's bytes are
                                                          right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             Bypass         unregister          pass      the buffer is the application's again
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             MappedOnce     register            skip      REGISTER: tier MappedOnce without DMA remapping needs physically
                                                          contiguous pages: allow PerTransfer
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             PerTransfer    register            pass      1.05 MB
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             PerTransfer    card to host        pass      2.10 MB from position 4194304 of a packet, every byte right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             PerTransfer    host to card        pass      1.05 MB taken; whether they are right, only the card's sink can say
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             PerTransfer    wait with a limit   pass      0 of 4 transfers came within 1 µs, the others when they were waited for;
                                                          every byte right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             PerTransfer    cancel              pass      of 4 transfers 4 were aborted and 0 were faster; the next one's bytes are
                                                          right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             PerTransfer    unregister          pass      the buffer is the application's again
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             CommonBuffer   allocate            pass      1.05 MB
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             CommonBuffer   copy in and out     pass      1.05 MB, every byte right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             CommonBuffer   card to host        pass      2.10 MB from position 8388608 of a packet, every byte right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             CommonBuffer   host to card        pass      1.05 MB taken; whether they are right, only the card's sink can say
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             CommonBuffer   wait with a limit   pass      0 of 4 transfers came within 1 µs, the others when they were waited for;
                                                          every byte right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             CommonBuffer   cancel              pass      of 4 transfers 4 were aborted and 0 were faster; the next one's bytes are
                                                          right
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             CommonBuffer   free                pass      the memory is the driver's again
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
                            counters            pass      the driver counts 12,582,912 C2H bytes for 12,582,912 that were moved,
                                                          3,145,728 H2C for 3,145,728
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
            Every step passed. Data from the card was checked byte for byte; data to it was taken, and only the card can check it:
            see the sink's count of wrong bytes.
        "#]],
    );
    let config = Config {
        packet_bytes: 4096,
        seed: 9,
        ..Config::default()
    };
    let (status, out, _) = pinring(config, "selftest --bytes 8192");
    assert_eq!(status, 1);
    expect![[r#"
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             tier              step         verdict                                 what was seen
        ════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════
                        open the device     pass      128 bits at 250 MHz
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         register            pass      8.19 kB
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         card to host        FAIL      a transfer begins at position 12260639556 of a packet, not 0: give the
                                                      source's seed (`--seed`); with the right one, bytes were lost between two
                                                      transfers
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         host to card        pass      8.19 kB taken; whether they are right, only the card's sink can say
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         wait with a limit   skip      a step that it needs failed
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         cancel              skip      a step that it needs failed
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         unregister          pass      the buffer is the application's again
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         MappedOnce     register            skip      REGISTER: tier MappedOnce without DMA remapping needs physically
                                                      contiguous pages: allow PerTransfer
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    register            pass      8.19 kB
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    card to host        FAIL      a transfer begins at position 12260639556 of a packet, not 0: give the
                                                      source's seed (`--seed`); with the right one, bytes were lost between two
                                                      transfers
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    host to card        pass      8.19 kB taken; whether they are right, only the card's sink can say
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    wait with a limit   skip      a step that it needs failed
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    cancel              skip      a step that it needs failed
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    unregister          pass      the buffer is the application's again
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   allocate            pass      8.19 kB
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   copy in and out     pass      8.19 kB, every byte right
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   card to host        FAIL      a transfer begins at position 12260639556 of a packet, not 0: give the
                                                      source's seed (`--seed`); with the right one, bytes were lost between two
                                                      transfers
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   host to card        pass      8.19 kB taken; whether they are right, only the card's sink can say
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   wait with a limit   skip      a step that it needs failed
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   cancel              skip      a step that it needs failed
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   free                pass      the memory is the driver's again
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
                        counters            skip      a step that it needs failed
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        The device does NOT work: see the step that failed.
    "#]].assert_eq(&out);
    let config = Config {
        stalled: true,
        ..Config::default()
    };
    let (status, out, _) = pinring(config, "selftest");
    assert_eq!(status, 1);
    expect![[r#"
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
             tier              step         verdict                             what was seen
        ═══════════════════════════════════════════════════════════════════════════════════════════════════════════════
                        open the device     pass      128 bits at 250 MHz
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         register            pass      1.05 MB
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         card to host        FAIL      no end after 5 s: does the source send packets with this TDEST
                                                      (`--tdest`)?
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         host to card        FAIL      no end after 5 s: does the sink take its stream?
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         wait with a limit   skip      a step that it needs failed
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         cancel              skip      a step that it needs failed
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         Bypass         unregister          pass      the buffer is the application's again
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         MappedOnce     register            skip      REGISTER: tier MappedOnce without DMA remapping needs physically
                                                      contiguous pages: allow PerTransfer
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    register            pass      1.05 MB
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    card to host        FAIL      no end after 5 s: does the source send packets with this TDEST
                                                      (`--tdest`)?
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    host to card        FAIL      no end after 5 s: does the sink take its stream?
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    wait with a limit   skip      a step that it needs failed
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    cancel              skip      a step that it needs failed
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         PerTransfer    unregister          pass      the buffer is the application's again
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   allocate            pass      1.05 MB
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   copy in and out     pass      1.05 MB, every byte right
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   card to host        FAIL      no end after 5 s: does the source send packets with this TDEST
                                                      (`--tdest`)?
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   host to card        FAIL      no end after 5 s: does the sink take its stream?
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   wait with a limit   skip      a step that it needs failed
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   cancel              skip      a step that it needs failed
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
         CommonBuffer   free                pass      the memory is the driver's again
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
                        counters            skip      a step that it needs failed
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
        The device does NOT work: see the step that failed.
    "#]].assert_eq(&out);
}

#[test]
fn doctor_needs_no_device() {
    prints(
        Config::default(),
        "doctor --offline --os-build 19045 --remapping off --vbs on",
        expect![[r#"
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────
                            fact                                                  value
            ═══════════════════════════════════════════════════════════════════════════════════════════════════════════
             Windows build                        19045
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────
             Windows remaps DMA                   no
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────
             virtualization-based security runs   yes
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────
             the driver asks for remapping        not known (--inf-policy), taken for as shipped: external cards alone
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────
             external card                        not known, taken for no (--external)
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────
             contiguous buffers                   not known, taken for no (--contiguous)
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────
             buffers of whole pages               not known, taken for yes (--whole-pages)
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
                 tier       to be had                            why                                       what to change
            ════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════
             Bypass         maybe       Windows does not remap DMA on this machine; but with
                                        virtualization-based security the hypervisor holds
                                        the IOMMU, and only the driver sees what Windows says
                                        of this card
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             MappedOnce     no          Windows 10 has no lasting mappings of an                update to Windows 11 or Server 2022
                                        application's buffers (CreateCommonBufferFromMdl)
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             PerTransfer    yes         every machine has it: the driver prepares the lists
                                        of coming transfers while others run
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             CommonBuffer   yes         every machine has it, for as much contiguous memory
                                        as is left; it costs a copy
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
            Expect tier PerTransfer (each transfer costs the driver a list, which it prepares ahead), or Bypass if the driver finds
            it (registered buffers keep their lists, and a transfer costs one call); `pinring info` says which it is.
        "#]],
    );
    let (status, out, _) = pinring(
        Config::default(),
        "doctor --offline --json --os-build 22631 --remapping on --vbs on --inf-policy force",
    );
    assert_eq!(status, 0);
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["certain"], "mapped-once");
    let (status, ..) = pinring(Config::default(), "doctor --offline --os-build 17763");
    assert_eq!(status, 1);
}

#[test]
fn watch_prints_rates() {
    prints(
        Config::default(),
        "watch --count 2 --interval 0.5",
        expect![[r#"
            regions    locked  transfers    ended         C2H         H2C  doorbells interrupts    lists     each
                                      /s  badly/s        GB/s        GB/s         /s         /s       /s       µs
                  0       0 B          0        0        0.00        0.00          0          0        0        –
                  0       0 B          0        0        0.00        0.00          0          0        0        –
        "#]],
    );
    let (_, out, _) = pinring(Config::default(), "watch --count 3 --json");
    assert_eq!(out.lines().count(), 3);
    for line in out.lines() {
        let rates: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(rates["transfers"], 0.0);
    }
}

#[test]
fn every_result_is_json_on_demand() {
    for arguments in ["info", "bench --bursts 1", "selftest", "doctor --offline"] {
        let (status, out, err) = pinring(Config::default(), &format!("{arguments} --json"));
        assert_eq!((status, err.as_str()), (0, ""), "{arguments}: {out}");
        serde_json::from_str::<serde_json::Value>(&out).unwrap();
    }
}

#[test]
fn errors_say_what_to_do() {
    let cases = [
        ("bench --bytes 0", "give 1 to"),
        ("bench --fps -1", "unexpected argument"),
        ("watch --interval 0", "give 0.001"),
        ("selftest --bytes 6", "multiple of 4"),
        (
            "log --elf /nowhere/firmware",
            "cannot read /nowhere/firmware",
        ),
        ("log --elf Cargo.toml", "Cargo.toml"),
        ("log --input saved.log", "--elf <ELF>"),
        ("doctor --device double --offline", "leave out --offline"),
        ("doctor --device double", "--device"),
        ("frobnicate", "unrecognized subcommand"),
    ];
    for (arguments, expected) in cases {
        let (status, out, err) = pinring(Config::default(), arguments);
        assert_ne!(status, 0, "{arguments}");
        assert_eq!(out, "", "{arguments}");
        assert!(err.contains(expected), "{arguments}: {err}");
    }
    let cases = [
        ("--json watch --interval 0", 1, "give 0.001"),
        ("watch --json --frobnicate", 2, "unexpected argument"),
        ("--json frobnicate", 2, "unrecognized subcommand"),
        ("--json log", 2, "--elf"),
    ];
    for (arguments, status, expected) in cases {
        let (got, out, err) = pinring(Config::default(), arguments);
        assert_eq!((got, err.as_str()), (status, ""), "{arguments}");
        let found: serde_json::Value = serde_json::from_str(&out).unwrap();
        let text = found["error"].as_str().unwrap();
        assert!(
            text.contains(expected) && !text.starts_with("error"),
            "{text}"
        );
    }
    // Help that was asked for is no error.
    let (status, out, _) = pinring(Config::default(), "--json --help");
    assert_eq!(status, 0);
    assert!(out.contains("Usage"), "{out}");
}

#[test]
fn info_lists_devices_that_it_cannot_describe() {
    let mut newer = Config::default();
    newer.info.interface_version = 99;
    let cases = [
        (newer, "info", "speaks version 99"),
        (
            Config::default(),
            "info --device other",
            "`pinring info` lists those",
        ),
    ];
    for (config, arguments, expected) in cases {
        let (status, out, err) = pinring(config.clone(), arguments);
        assert_eq!((status, out.as_str()), (1, "device double\n"));
        assert!(err.contains(expected), "{err}");
        let (status, out, err) = pinring(config, &format!("{arguments} --json"));
        assert_eq!((status, err.as_str()), (1, ""));
        let found: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(found["devices"][0], "double");
        assert!(found["device"].is_null());
        assert!(found["error"].as_str().unwrap().contains(expected), "{out}");
    }
}

#[test]
fn bench_says_first_that_transfers_are_too_long() {
    let mut config = Config::default();
    config.info.max_transfer_bytes = 1 << 20;
    let (status, out, err) = pinring(config, "bench --bursts 1 --json");
    assert_eq!((status, err.as_str()), (0, ""));
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    for strategy in found["strategies"].as_array().unwrap() {
        let error = strategy["error"].as_str();
        match strategy["name"].as_str().unwrap() {
            "per-transfer" | "prepare-ahead" => {
                let error = error.unwrap();
                // From the tool itself: nothing was submitted.
                assert!(
                    error.starts_with("a transfer is longer than the 1048576 bytes"),
                    "{error}"
                );
            }
            _ => assert_eq!(error, None),
        }
    }
}

/// A double whose answers of one kind are not right: a byte is another.
struct Lying {
    inner: Loopback,
    about: ioctl::Code,
    at: usize,
}

impl Transport for Lying {
    unsafe fn start(
        &self,
        code: ioctl::Code,
        input: &[u8],
        buffer: *mut u8,
        len: usize,
    ) -> Result<Pending, Status> {
        // SAFETY: the caller's promise is the same.
        let pending = unsafe { self.inner.start(code, input, buffer, len) }?;
        if code == self.about && self.at < len {
            // SAFETY: the double has answered, and the place is in the answer.
            unsafe { *buffer.add(self.at) = 0 };
        }
        Ok(pending)
    }

    fn wait(&self, pending: &Pending, timeout_ns: Option<u64>) -> Option<Result<usize, Status>> {
        self.inner.wait(pending, timeout_ns)
    }

    fn cancel(&self, pending: &Pending) {
        self.inner.cancel(pending);
    }

    fn now_ns(&self) -> u64 {
        self.inner.now_ns()
    }

    fn relax(&self) {
        self.inner.relax();
    }

    fn sleep(&self, ns: u64) {
        self.inner.sleep(ns);
    }
}

/// Steps of the self-test that would pass whatever happened are worth nothing.
#[test]
fn selftest_sees_what_is_wrong() {
    let c2h_bytes = std::mem::offset_of!(ioctl::Statistics, c2h_bytes);
    let h2c_bytes = std::mem::offset_of!(ioctl::Statistics, h2c_bytes);
    // The byte of a count that carries its 64 Ki, so that it is less than what was moved.
    let cases = [
        (
            ioctl::STATISTICS,
            c2h_bytes + 2,
            None,
            "counters",
            "C2H: the driver counts",
        ),
        (
            ioctl::STATISTICS,
            h2c_bytes + 2,
            None,
            "counters",
            "H2C: the driver counts",
        ),
        (
            ioctl::COPY_OUT,
            5,
            Some("common-buffer"),
            "copy in and out",
            "byte 5 is 0x00",
        ),
    ];
    for (about, at, tier, step, expected) in cases {
        let inner = Loopback::new();
        let lying = Rc::new(Lying { inner, about, at });
        let (status, out, _) = over(&lying, "selftest --json --bytes 65536");
        assert_eq!(status, 1, "{out}");
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        let failed = report["steps"].as_array().unwrap().iter().find(|found| {
            found["verdict"] == "fail" && found["step"] == step && found["tier"].as_str() == tier
        });
        let failed = failed.unwrap_or_else(|| panic!("{step}: {out}"));
        assert!(
            failed["detail"].as_str().unwrap().contains(expected),
            "{failed}"
        );
    }
}

/// An ELF file whose only log statement, number 1, says `hello` and a byte.
fn firmware() -> Vec<u8> {
    let statement = r#"{"package":"p","disambiguator":"0","tag":"defmt_info","data":"hello {=u8}","crate_name":"p"}"#;
    let symbols = [
        ("_defmt_version_ = 4", 0xfff1_u16, 0_u64), // SHN_ABS
        ("_defmt_encoding_ = raw", 1, 0),
        (statement, 1, 1),
    ];
    let mut strings = vec![0];
    let mut string = |text: &str| {
        let at = strings.len() as u32;
        strings.extend(text.bytes().chain([0]));
        at
    };
    let mut table = vec![0; 24];
    for (name, section, value) in symbols {
        table.extend(string(name).to_le_bytes());
        table.extend([0x11, 0]); // a global object
        table.extend(section.to_le_bytes());
        table.extend(value.to_le_bytes());
        table.extend(1_u64.to_le_bytes());
    }
    let names = [".defmt", ".symtab", ".strtab"].map(string);
    let (symbols_at, strings_at) = (64 + 8, 64 + 8 + table.len());
    let sections_at = strings_at + strings.len();
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    for half in [2_u16, 243] {
        elf.extend(half.to_le_bytes()); // executable, RISC-V
    }
    elf.extend(1_u32.to_le_bytes());
    for word in [0, 0, sections_at as u64] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 0, 64, 4, 3] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend([0; 8]);
    elf.extend(&table);
    elf.extend(&strings);
    elf.extend([0; 64]);
    let sections = [
        (1_u32, 64, 8, 0_u32, 0_u64),
        (2, symbols_at, table.len(), 3, 24),
        (3, strings_at, strings.len(), 0, 0),
    ];
    for (name, (kind, at, bytes, link, entry)) in names.into_iter().zip(sections) {
        elf.extend([name, kind].map(u32::to_le_bytes).concat());
        elf.extend(
            [0, 0, at as u64, bytes as u64]
                .map(u64::to_le_bytes)
                .concat(),
        );
        elf.extend([link, u32::from(kind == 2)].map(u32::to_le_bytes).concat());
        elf.extend([1, entry].map(u64::to_le_bytes).concat());
    }
    elf
}

#[test]
fn logs_are_saved_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (elf, saved, both) = (path("firmware.elf"), path("saved.log"), path("both.log"));
    std::fs::write(&elf, firmware()).unwrap();
    // More than one request takes.
    let log: Vec<u8> = (0..3000).flat_map(|at| [1, 0, at as u8]).collect();
    let config = || Config {
        log: log.clone(),
        ..Config::default()
    };
    let (status, shown, _) = pinring(config(), &format!("log --elf {elf}"));
    assert_eq!((status, shown.lines().count()), (0, 3000));
    assert!(
        shown.lines().nth(43).unwrap().ends_with("INFO  hello 43"),
        "{shown}"
    );

    let (status, out, _) = pinring(config(), &format!("log --save {saved}"));
    assert_eq!(status, 0);
    assert!(out.starts_with("9000 bytes saved"), "{out}");
    assert_eq!(std::fs::read(&saved).unwrap(), log);
    let (status, again, _) = pinring(
        Config::default(),
        &format!("log --input {saved} --elf {elf}"),
    );
    assert_eq!((status, &again), (0, &shown));
    let (status, out, _) = pinring(config(), &format!("log --elf {elf} --save {both}"));
    assert_eq!((status, &out), (0, &shown));
    assert_eq!(std::fs::read(&both).unwrap(), log);
    let (_, out, _) = pinring(config(), &format!("log --json --save {saved}"));
    assert_eq!(out, "{\"bytes\":9000}\n");
}

#[test]
fn help_shows_examples() {
    let (status, out, _) = pinring(Config::default(), "--help");
    assert_eq!(status, 0);
    assert!(out.contains("pinring bench --fps 240"), "{out}");
}

#[test]
fn charts_are_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["chart.svg", "chart.html"] {
        let path = folder.path().join(name);
        let arguments = format!("bench --bursts 2 --chart {}", path.display());
        let (status, _, err) = pinring(Config::default(), &arguments);
        assert_eq!((status, err.as_str()), (0, ""));
        let found = std::fs::read_to_string(&path).unwrap();
        assert!(found.contains("frame at 120 Hz"), "{found}");
    }
    let picture = std::fs::read_to_string(folder.path().join("chart.svg")).unwrap();
    expect_file!["snapshots/chart.svg"].assert_eq(&picture);
}
