use std::path::{Path, PathBuf};

use expect_test::expect_file;
use proptest::prelude::{any, proptest};

use super::*;

fn problems(text: &str) -> Vec<Problem> {
    match Scenario::parse("bad.toml", text) {
        Err(ScenarioError::Invalid(problems)) => problems.0,
        other => panic!("{text:?} was taken for {other:?}"),
    }
}

fn only_problem(text: &str) -> Problem {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_shipped_scenario_loads_and_is_described() {
    let names: Vec<_> = shipped()
        .iter()
        .map(|path| {
            let scenario = Scenario::load(path).unwrap_or_else(|error| panic!("{error}"));
            assert!(!scenario.description.is_empty(), "{}", path.display());
            scenario.name
        })
        .collect();
    let expected = [
        "burst-24",
        "calibration",
        "default",
        "h2c",
        "large",
        "one-cpu",
        "setup-longer",
        "small",
        "uhd-120",
        "uhd-240",
    ];
    assert_eq!(names, expected);
}

#[test]
fn default_file_is_what_the_code_defaults_to() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/default.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut file = Scenario::parse("default.toml", &text).unwrap();
    let code = Scenario::default();
    assert!(file.expect.contains_key(&Strategy::Registered));
    (file.name, file.description, file.expect) = Default::default();
    assert_eq!(file, code);
    for (key, _) in code.host.costs.entries() {
        assert!(
            text.contains(&format!("{key} = {{")),
            "{key} is not spelled out with its source"
        );
    }
}

#[test]
fn document_is_up_to_date() {
    expect_file!["../../../docs/scenarios.md"].assert_eq(&document::markdown());
}

#[test]
fn empty_text_is_the_default() {
    assert_eq!(
        Scenario::parse("empty.toml", "").unwrap(),
        Scenario::default()
    );
}

#[test]
fn scenario_survives_toml() {
    let mut scenario = Scenario::default();
    scenario.expect.insert(
        Strategy::PrepareAhead,
        Expectation {
            min_hidden_setup: Some(0.9),
            ..Expectation::default()
        },
    );
    let text = toml::to_string(&scenario).unwrap();
    assert_eq!(Scenario::parse("again.toml", &text).unwrap(), scenario);
}

#[test]
fn unknown_keys_name_line_and_key() {
    for (text, line, key, says) in [
        ("\nlatency = 3", 2, "latency", "unknown field `latency`"),
        (
            "[link]\nlanes = 4\nspeed = 3",
            3,
            "link.speed",
            "unknown field `speed`",
        ),
        (
            "[host.costs]\nmap_ns = 3",
            2,
            "host.costs.map_ns",
            "map_fixed_ns",
        ),
        (
            "[host.costs]\nisr_ns = { value = 3, unit = 1 }",
            2,
            "host.costs.isr_ns.unit",
            "`source`",
        ),
        ("link.lane = 4", 1, "link.lane", "`lanes`"),
        (
            "[expect.registered]\nmax_setup = 1",
            2,
            "expect.registered.max_setup",
            "max_setup_ns",
        ),
        (
            "[expect.fast]\nmax_setup_ns = 1",
            1,
            "expect.fast",
            "registered",
        ),
    ] {
        let problem = only_problem(text);
        assert_eq!(
            (problem.line, problem.key.as_str()),
            (Some(line), key),
            "{problem}"
        );
        assert!(problem.allowed.contains(says), "{problem}");
    }
}

#[test]
fn wrong_types_name_value_and_what_is_allowed() {
    for (text, key, value, says) in [
        ("seed = \"one\"", "seed", "\"one\"", "u64"),
        ("seed = -1", "seed", "-1", "u64"),
        ("[link]\nlanes = 4.0", "link.lanes", "4.0", "u32"),
        ("[host]\niommu = \"on\"", "host.iommu", "\"on\"", "`remap`"),
        (
            "strategies = [\"registered\", \"magic\"]",
            "strategies",
            "\"magic\"",
            "prepare-ahead",
        ),
        (
            "[host.costs]\nisr_ns = \"short\"",
            "host.costs.isr_ns",
            "\"short\"",
            "a number or { value",
        ),
        (
            "[host.costs]\nisr_ns = { low = 1 }",
            "host.costs.isr_ns",
            "{ low = 1 }",
            "value",
        ),
        (
            "[burst]\ndirection = \"up\"",
            "burst.direction",
            "\"up\"",
            "`both`",
        ),
    ] {
        let problem = only_problem(text);
        assert_eq!(
            (problem.key.as_str(), problem.value.as_str()),
            (key, value),
            "{problem}"
        );
        assert!(problem.allowed.contains(says), "{problem}");
    }
}

#[test]
fn text_that_is_no_toml_names_the_line() {
    let problem = only_problem("seed = 1\n[link\nlanes = 4");
    assert_eq!(problem.line, Some(2), "{problem}");
}

#[test]
fn impossible_values_name_line_key_value_and_range() {
    for (text, line, key, value, says) in [
        ("strategies = []", 1, "strategies", "[]", "at least one"),
        (
            "strategies = [\"registered\", \"registered\"]",
            1,
            "strategies",
            "[\"registered\", \"registered\"]",
            "once",
        ),
        (
            "[device]\nwidth_bits = 96",
            2,
            "device.width_bits",
            "96",
            "64, 128, 256, 512",
        ),
        (
            "[device]\nclock_mhz = 0",
            2,
            "device.clock_mhz",
            "0",
            "must be one of 250",
        ),
        (
            "[device]\ncore_clock_mhz = 4000",
            2,
            "device.core_clock_mhz",
            "4000",
            "must be one of 125",
        ),
        (
            "[link]\ngeneration = 0",
            2,
            "link.generation",
            "0",
            "1 to 5",
        ),
        (
            "[link]\ngeneration = 7",
            2,
            "link.generation",
            "7",
            "1 to 5",
        ),
        (
            "[link]\nlanes = 3",
            2,
            "link.lanes",
            "3",
            "1, 2, 4, 8, 12, 16",
        ),
        (
            "[link]\nmps_bytes = 8192",
            2,
            "link.mps_bytes",
            "8192",
            "4096",
        ),
        ("[link]\nmps_bytes = 192", 2, "link.mps_bytes", "192", "128"),
        ("[link]\nmrrs_bytes = 0", 2, "link.mrrs_bytes", "0", "128"),
        (
            "[link]\nrcb_bytes = 32",
            2,
            "link.rcb_bytes",
            "32",
            "64, 128",
        ),
        (
            "[link]\ncompletion_bytes = 512",
            2,
            "link.completion_bytes",
            "512",
            "at most mps_bytes (256)",
        ),
        (
            "[link]\ncompletion_bytes = 96",
            2,
            "link.completion_bytes",
            "96",
            "multiple of rcb_bytes (64)",
        ),
        (
            "[link]\ncompletion_bytes = 0",
            2,
            "link.completion_bytes",
            "0",
            "multiple",
        ),
        (
            "[link]\none_way_latency_ns = 2000000",
            2,
            "link.one_way_latency_ns",
            "2000000",
            "1000000",
        ),
        (
            "[link]\nroot_complex_ns = 2000000",
            2,
            "link.root_complex_ns",
            "2000000",
            "1000000",
        ),
        (
            "[link]\njitter_ns = 2000000",
            2,
            "link.jitter_ns",
            "2000000",
            "1000000",
        ),
        ("[host]\ncpus = 0", 2, "host.cpus", "0", "1 to 64"),
        (
            "[host]\npreempt_ns = 2000000000",
            2,
            "host.preempt_ns",
            "2000000000",
            "1000000000",
        ),
        (
            "[host]\nmoderation_count = 65536\nmoderation_us = 1",
            2,
            "host.moderation_count",
            "65536",
            "0 to 65535",
        ),
        (
            "[host]\nmoderation_us = 4195",
            2,
            "host.moderation_us",
            "4195",
            "0 to 4194",
        ),
        (
            "[host]\nmoderation_count = 2\nmoderation_us = 0",
            3,
            "host.moderation_us",
            "0",
            "at least 1",
        ),
        (
            "[host]\nnotify = \"poll\"\nmoderation_count = 1",
            3,
            "host.moderation_count",
            "1",
            "leave it out",
        ),
        (
            "[host]\npoll_ns = 9",
            2,
            "host.poll_ns",
            "9",
            "10 to 1000000",
        ),
        (
            "[host.costs]\nisr_ns = -1",
            2,
            "host.costs.isr_ns.value",
            "-1",
            "0 or more",
        ),
        (
            "[host.costs]\ncopy_bytes_per_ns = { value = 1, low = 0 }",
            2,
            "host.costs.copy_bytes_per_ns.low",
            "0",
            "above 0",
        ),
        (
            "[host.costs]\nisr_ns = { value = 1, high = inf }",
            2,
            "host.costs.isr_ns.high",
            "inf",
            "at most",
        ),
        (
            "[host.costs]\nisr_ns = { value = nan, low = 0, high = 9 }",
            2,
            "host.costs.isr_ns.value",
            "NaN",
            "0 or more",
        ),
        (
            "[host.costs]\nisr_ns = { value = 5, low = 6, high = 9 }",
            2,
            "host.costs.isr_ns.value",
            "5 with low 6 and high 9",
            "between",
        ),
        (
            "[buffers]\ncount = 0",
            2,
            "buffers.count",
            "0",
            "1 to 65536",
        ),
        (
            "[buffers]\nbytes = 4294967296",
            2,
            "buffers.bytes",
            "4294967296",
            "4294963200",
        ),
        (
            "[buffers]\ncount = 1000",
            2,
            "buffers.count",
            "1000",
            "at most 68719476736",
        ),
        (
            "[buffers]\nfirst_byte_offset_bytes = 4096",
            2,
            "buffers.first_byte_offset_bytes",
            "4096",
            "4095",
        ),
        (
            "[buffers]\nlayout = \"files\"",
            1,
            "buffers.layout_files",
            "0 files",
            "each of the 10 buffers",
        ),
        (
            "[buffers]\nlayout_files = [\"a\"]",
            2,
            "buffers.layout_files",
            "1 files",
            "only with layout",
        ),
        (
            "[burst]\ntransfers = 0",
            2,
            "burst.transfers",
            "0",
            "1 to 4096",
        ),
        (
            "[burst]\nlength_bytes = 0",
            2,
            "burst.length_bytes",
            "0",
            "from 1 to",
        ),
        (
            "[burst]\nlength_bytes = 73400321",
            2,
            "burst.length_bytes",
            "73400321",
            "(73400320)",
        ),
        (
            "[burst]\nlengths_bytes = [1, 73400321]",
            2,
            "burst.lengths_bytes",
            "73400321",
            "(73400320)",
        ),
        (
            "[burst]\nlengths_bytes = [1, 2]\noffsets_bytes = [73400319]",
            3,
            "burst.offsets_bytes",
            "73400319",
            "at most 73400318",
        ),
        (
            "[burst]\ntransfers = 11",
            2,
            "burst.transfers",
            "11",
            "transfers 0 and 10 would meet in buffer 0",
        ),
        (
            "[burst]\noffsets_bytes = []",
            2,
            "burst.offsets_bytes",
            "[]",
            "at least one",
        ),
        (
            "[burst]\noffsets_bytes = [0, 69000321]",
            2,
            "burst.offsets_bytes",
            "69000321",
            "at most 69000320",
        ),
        (
            "[burst]\noffsets_bytes = [9223372036854775807]",
            2,
            "burst.offsets_bytes",
            "9223372036854775807",
            "inside",
        ),
        ("[burst]\nbursts = 0", 2, "burst.bursts", "0", "1 to 100000"),
        (
            "[burst]\nframe_rate_hz = [120, 0]",
            2,
            "burst.frame_rate_hz",
            "0",
            "above 0",
        ),
        (
            "[burst]\ndeadline_hz = -60",
            2,
            "burst.deadline_hz",
            "-60",
            "above 0",
        ),
        (
            "[burst]\ndeadline_hz = nan",
            2,
            "burst.deadline_hz",
            "NaN",
            "above 0",
        ),
        (
            "[payload]\npattern_seed = 1\nfile = \"x\"",
            2,
            "payload.pattern_seed",
            "1",
            "leave one",
        ),
        (
            "[stream]\nc2h_valid_percent = 0",
            2,
            "stream.c2h_valid_percent",
            "0",
            "1 to 100",
        ),
        (
            "[stream]\nh2c_ready_percent = 101",
            2,
            "stream.h2c_ready_percent",
            "101",
            "1 to 100",
        ),
        (
            "[expect.registered]\nmin_efficiency = 1.5",
            2,
            "expect.registered.min_efficiency",
            "1.5",
            "0 to 1",
        ),
        (
            "[expect.registered]\nmax_setup_ns = -1",
            2,
            "expect.registered.max_setup_ns",
            "-1",
            "0 or more",
        ),
        (
            "[expect.registered]\nmax_missed_deadlines = 0",
            2,
            "expect.registered.max_missed_deadlines",
            "given",
            "deadline_hz",
        ),
        (
            "strategies = [\"registered\"]\nexpect.common-buffer.max_burst_ns = 1",
            2,
            "expect.common-buffer",
            "common-buffer",
            "not among",
        ),
        (
            "strategies = [\"registered\"]\nexpect.registered.max_setup_share = 0.1",
            2,
            "expect.registered.max_setup_share",
            "given",
            "per-transfer",
        ),
    ] {
        let problem = only_problem(text);
        assert_eq!(
            (problem.line, problem.key.as_str(), problem.value.as_str()),
            (Some(line), key, value),
            "{text}: {problem}"
        );
        assert!(problem.allowed.contains(says), "{problem}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let error = Scenario::parse("bad.toml", "[host]\ncpus = 0\n[link]\nlanes = 5")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "bad.toml:4: link.lanes = 5: must be one of 1, 2, 4, 8, 12, 16\n\
         bad.toml:2: host.cpus = 0: must be from 1 to 64\n\
         every key is described in docs/scenarios.md"
    );
}

#[test]
fn missing_file_names_the_way_out() {
    let error = Scenario::load(Path::new("no/such.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no/such.toml") && error.contains("default.toml"),
        "{error}"
    );
}

#[test]
fn file_names_are_relative_to_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let text = "[burst]\ntransfers = 1\n[buffers]\ncount = 1\nlayout = \"files\"\nlayout_files = [\"a.txt\"]\n[payload]\nfile = \"/abs.bin\"";
    std::fs::write(&path, text).unwrap();
    let scenario = Scenario::load(&path).unwrap();
    assert_eq!(scenario.name, "mine");
    assert_eq!(scenario.buffers.layout_files, [folder.path().join("a.txt")]);
    assert_eq!(
        scenario.payload.file.as_deref(),
        Some(Path::new("/abs.bin"))
    );
}

#[test]
fn costs_take_numbers_and_tables() {
    let text = "[host.costs]\nisr_ns = 7\ndpc_ns = { value = 8, high = 9, source = \"me\" }";
    let costs = Scenario::parse("a.toml", text).unwrap().host.costs;
    assert_eq!(
        (costs.isr_ns.value, costs.isr_ns.low, costs.isr_ns.high),
        (7.0, 7.0, 7.0)
    );
    assert_eq!(
        (
            costs.dpc_ns.low,
            costs.dpc_ns.high,
            costs.dpc_ns.source.as_str()
        ),
        (8.0, 9.0, "me")
    );
}

#[test]
fn stated_costs_reproduce_the_measurement() {
    let costs = Costs::default();
    // 4.4 MB from a page boundary is 1,075 pages.
    assert!((costs.map_ns(1_075) - 160_650.0).abs() < 1.0);
    assert!((costs.copy_ns(30_000_000) - 2.5e6).abs() < 1.0);
}

#[test]
fn dear_is_slower_than_cheap_for_prices_and_rates() {
    let costs = Costs::default();
    let [cheap, stated, dear] =
        [Bound::Cheapest, Bound::Stated, Bound::Dearest].map(|bound| costs.at(bound));
    assert_eq!(stated, costs);
    for ns in [
        Costs::map_ns,
        Costs::unmap_ns,
        Costs::copy_ns,
        Costs::instructions_ns,
    ] {
        assert!(ns(&cheap, 1000) < ns(&stated, 1000) && ns(&stated, 1000) < ns(&dear, 1000));
    }
}

#[test]
fn offsets_and_directions_repeat() {
    let burst = Burst {
        offsets_bytes: vec![5, 9],
        direction: Direction::Both,
        ..Burst::default()
    };
    assert_eq!([0, 1, 2, 3].map(|i| burst.offset_bytes(i)), [5, 9, 5, 9]);
    assert_eq!([0, 1, 2].map(|i| burst.is_c2h(i)), [true, false, true]);
    assert_eq!(burst.bytes_before(3), 3 * 4_400_000);
}

#[test]
fn lengths_repeat() {
    let burst = Burst {
        lengths_bytes: vec![7, 1, 100],
        ..Burst::default()
    };
    assert_eq!([0, 1, 2, 3].map(|i| burst.length_of(i)), [7, 1, 100, 7]);
    assert_eq!(burst.bytes_before(5), 7 + 1 + 100 + 7 + 1);
    assert_eq!(burst.longest_bytes(), 100);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(seed|link|\\[host\\]|\\[|\\]|=|\\.|\"|[0-9]|\n|cpus|\\{|\\}|,| |é){0,40}") {
        let _ = Scenario::parse("fuzz.toml", &text).map_err(|error| error.to_string());
    }

    #[test]
    fn no_numbers_panic(a in any::<i64>(), b in any::<i64>(), c in any::<i64>(), d in any::<i64>()) {
        let text = format!(
            "[burst]\nlength_bytes = {a}\noffsets_bytes = [{b}]\n[buffers]\nbytes = {c}\ncount = {d}\n\
             [link]\ncompletion_bytes = {a}\nrcb_bytes = {b}"
        );
        let _ = Scenario::parse("fuzz.toml", &text).map_err(|error| error.to_string());
    }
}

/// A scenario with one fault, whose keys beside `kind` are these.
fn with_fault(keys: &str) -> String {
    format!(
        "strategies = [\"registered\"]\n[burst]\ntransfers = 4\ndirection = \"both\"\n[[faults]]\nkind = \"delayed-doorbell\"\n\
         duration_ns = 1\n[[faults]]\n{keys}\n"
    )
}

#[test]
fn a_fault_is_read_with_its_defaults() {
    let text = with_fault("kind = \"completion-ur\"\ntransfer = 3\nat_byte = 7");
    let scenario = Scenario::parse("a.toml", &text).unwrap();
    let expected = Fault {
        transfer: 3,
        at_byte: Some(7),
        ..Fault::new(FaultKind::CompletionUr)
    };
    assert_eq!(scenario.faults[1], expected);
    assert_eq!(expected.target(), FaultTarget::Data);
    let again = toml::to_string(&scenario).unwrap();
    assert_eq!(Scenario::parse("again.toml", &again).unwrap(), scenario);
}

#[test]
fn impossible_faults_name_line_key_value_and_what_is_allowed() {
    for (keys, line, key, value, says) in [
        ("nth = 2", 8, "", "", "missing field `kind`"),
        (
            "kind = \"lost\"\ntimes = 2",
            10,
            "faults[1].times",
            "",
            "unknown field",
        ),
        (
            "kind = \"gone\"",
            9,
            "faults[1].kind",
            "\"gone\"",
            "`completion-ur`",
        ),
        (
            "kind = \"lost\"\ntarget = \"list\"\ntransfer = 1",
            10,
            "faults[1].target",
            "\"list\"",
            "`sg-block`",
        ),
        (
            "kind = \"lost\"\ntransfer = 5",
            10,
            "faults[1].transfer",
            "5",
            "0 to 3",
        ),
        (
            "kind = \"lost\"\ntransfer = 1\nburst = 1",
            11,
            "faults[1].burst",
            "1",
            "0 to 0",
        ),
        (
            "kind = \"lost\"\ntransfer = 1\nnth = 0",
            11,
            "faults[1].nth",
            "0",
            "from 1",
        ),
        (
            "kind = \"lost\"\ntransfer = 1\nat_byte = 4400000",
            11,
            "faults[1].at_byte",
            "4400000",
            "to 4399999",
        ),
        (
            "kind = \"lost\"\ntransfer = 1\ntarget = \"region-entry\"\nat_byte = 4",
            12,
            "faults[1].at_byte",
            "4",
            "data and sg-block",
        ),
        (
            "kind = \"late\"\ntransfer = 1",
            8,
            "faults[1].duration_ns",
            "left out",
            "how long",
        ),
        (
            "kind = \"late\"\ntransfer = 1\nduration_ns = 1000000001",
            11,
            "faults[1].duration_ns",
            "1000000001",
            "1000000000",
        ),
        (
            "kind = \"lost\"\ntransfer = 1\nduration_ns = 5",
            11,
            "faults[1].duration_ns",
            "5",
            "leave it out",
        ),
        (
            "kind = \"lost\"",
            8,
            "faults[1].target",
            "Data",
            "is not read",
        ),
        (
            "kind = \"lost\"\ntarget = \"region-entry\"",
            9,
            "faults[1].kind",
            "Lost",
            "only h2c",
        ),
        (
            "kind = \"lost-interrupt\"\ntarget = \"data\"",
            10,
            "faults[1].target",
            "Data",
            "leave it out",
        ),
    ] {
        let problem = only_problem(&with_fault(keys));
        assert_eq!(
            (problem.line, problem.key.as_str(), problem.value.as_str()),
            (Some(line), key, value),
            "{keys}: {problem}"
        );
        assert!(problem.allowed.contains(says), "{problem}");
    }
    let polled = "strategies = [\"registered\"]\nhost.notify = \"poll\"\n[[faults]]\nkind = \"lost-interrupt\"";
    assert!(only_problem(polled).allowed.contains("notify"));
    let all = only_problem("[[faults]]\nkind = \"lost-interrupt\"");
    assert_eq!(all.key, "strategies");
}
