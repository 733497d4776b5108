use expect_test::expect;
use proptest::prelude::{any, prop_assert, proptest};

use super::sample::sample;
use super::*;
use crate::scenario::Expectation;

/// An incomplete run with names that try to break out of the page.
fn hostile() -> (Report, Vec<Timeline>) {
    let (mut report, mut timelines) = sample();
    let nasty = "</style></svg><script>alert('x')</script>&\"\u{0}".to_string();
    report.scenario = nasty.clone();
    report.description = nasty.clone();
    report.costs[0].source = nasty.clone();
    report.costs[0].key = nasty.clone();
    for timeline in &mut timelines {
        for span in &mut timeline.spans {
            span.label = nasty.clone();
        }
    }
    (report, timelines)
}

fn stopped_early() -> Report {
    let (full, _) = sample();
    let mut report = Report {
        strategies: Vec::new(),
        ..full
    };
    report.add(sample().0.strategies.remove(0));
    let mut stopped = StrategyReport::new(Strategy::PrepareAhead);
    stopped.bytes = 4_400_000;
    report.add(stopped);
    report
}

fn parsed(page: &str) -> scraper::Html {
    let html = scraper::Html::parse_document(page);
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    html
}

fn texts(html: &scraper::Html, selector: &str) -> Vec<String> {
    let selector = scraper::Selector::parse(selector).unwrap();
    html.select(&selector)
        .map(|found| found.text().collect())
        .collect()
}

#[test]
fn json_has_the_promised_fields_and_reads_back() {
    let (report, _) = sample();
    let text = report.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);

    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["scenario"], "default");
    assert_eq!(json["width"], 128);
    let strategies = json["strategies"].as_array().unwrap();
    let names: Vec<_> = strategies
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "per-transfer",
            "prepare-ahead",
            "registered",
            "common-buffer"
        ]
    );
    for strategy in strategies {
        for field in [
            "setup_ns",
            "first_byte_ns",
            "burst_ns",
            "efficiency",
            "mmio_writes",
            "mmio_reads",
            "bytes",
            "mismatches",
            "completions",
        ] {
            assert!(strategy[field].is_number(), "{field} of {strategy}");
        }
    }
    assert_eq!(strategies[0]["times"]["setup"]["label"], "modelled");
    assert_eq!(
        strategies[2]["times"]["setup"]["label"],
        "modelled + counted"
    );
    assert_eq!(json["sim"]["cycles"], 21_345_678);
    assert!(json["sim"]["cpu_seconds"].is_number());
    assert!((json["sim"]["cycles_per_cpu_second"].as_f64().unwrap() - 406_584.3).abs() < 0.1);
}

#[test]
fn stopped_run_says_so_everywhere() {
    let report = stopped_early();
    assert!(report.partial);
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(
        (&json["partial"], &json["strategies"][1]["complete"]),
        (&true.into(), &false.into())
    );
    assert!(json["strategies"][1]["burst_ns"].is_null());

    let text = table(&report);
    assert!(
        text.starts_with("PARTIAL RUN") && text.contains("(partial)"),
        "{text}"
    );
    let page = parsed(&html(&report, &[]));
    assert_eq!(texts(&page, ".partial").len(), 1);
    assert!(
        texts(&page, "tbody td")
            .iter()
            .any(|cell| cell == "prepare-aheadpartial")
    );
    assert!(!table(&sample().0).contains("artial"));
}

#[test]
fn table_reads_well_in_120_columns() {
    let text = table(&sample().0);
    assert!(
        text.lines().all(|line| line.chars().count() <= 120),
        "{text}"
    );
    expect![[r#"
        default · W = 128 at 250 MHz · Gen3 x4, MPS 256, MRRS 512
        1 burst of 8 transfers of 4,400,000 bytes, card to host; ceiling of a burst 10,592 µs
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
            strategy      set-up per      first           last         part of a     effi-    MMIO wr       bytes       mis-
                           transfer        byte        completion        frame      ciency    / rd per      moved     matches
                             [µs]          [µs]           [µs]        period [%]      [%]     transfer                [bytes]
        ══════════════════════════════════════════════════════════════════════════════════════════════════════════════════════
         per-transfer          160.7         162.9          12,062   120 Hz 144.7     87.8       1 / 0   35,200,000         0
                         128.5–208.8   130.4–211.8   11,700–12,665   240 Hz 289.5
                            modelled      modelled        modelled
                                         + counted       + counted
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         prepare-ahead         160.7         162.9          10,873   120 Hz 130.5     97.4       1 / 0   35,200,000         0
                         128.5–208.8   130.4–211.8   10,547–11,417   240 Hz 261.0
                            modelled      modelled        modelled
                                         + counted       + counted
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         registered             0.41          2.71          10,713   120 Hz 128.6     98.9   0.125 / 0   35,200,000         0
                           0.33–0.54     2.17–3.53   10,391–11,248   240 Hz 257.1
                            modelled      modelled        modelled
                           + counted     + counted       + counted
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         common-buffer          0.41          2.71          11,072   120 Hz 132.9     95.7   0.125 / 0   35,200,000         0
                           0.33–0.54     2.17–3.53   10,740–11,626   240 Hz 265.7
                            modelled      modelled        modelled
                           + counted     + counted       + counted
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        Under each time: its range over the ranges of the stated costs, unless left out with --quick. modelled: computed from
        stated costs; counted: device cycles and instructions. MMIO accesses, bytes and mismatches are counted; frame periods
        and efficiency follow from the times. First byte: from the first doorbell's arrival at the device to the first data
        TLP. Efficiency: payload over what the link could carry from the first doorbell to the last completion.
        per-transfer   0.0 % of the set-up after the first transfer is hidden, – µs per transfer is not
        per-transfer   data waited 0 cycles for lists; 0 idle data cycles
        per-transfer   1 interrupts per transfer (counted)
        per-transfer   3.12 µs of CPU time per transfer to learn of its completion (modelled)
        prepare-ahead  99.4 % of the set-up after the first transfer is hidden, – µs per transfer is not
        prepare-ahead  data waited 0 cycles for lists; 0 idle data cycles
        prepare-ahead  1 interrupts per transfer (counted)
        prepare-ahead  3.12 µs of CPU time per transfer to learn of its completion (modelled)
        registered     data waited 0 cycles for lists; 0 idle data cycles
        registered     918 driver instructions per transfer (counted)
        registered     1 interrupts per transfer (counted)
        registered     3.12 µs of CPU time per transfer to learn of its completion (modelled)
        registered     locking and listing all buffers once 170,000 µs (modelled)
        registered     deadlines met 3, missed 1, longest frame 10,700 µs
        common-buffer  data waited 0 cycles for lists; 0 idle data cycles
        common-buffer  1 interrupts per transfer (counted)
        common-buffer  3.12 µs of CPU time per transfer to learn of its completion (modelled)
        Set-up per transfer: 161 µs per-transfer → 412 ns registered (390 times less).
        Last completion of the burst: 12.1 ms → 10.7 ms; the link's ceiling is 10.6 ms.
        simulated 21,345,678 device cycles in 52.5 CPU seconds: 406,584 a second
    "#]].assert_eq(&text);
}

#[test]
fn table_of_large_numbers_still_fits() {
    let (mut report, _) = sample();
    report.workload.frame_rate_hz = vec![59.94, 119.88, 239.76];
    for mut strategy in std::mem::take(&mut report.strategies) {
        strategy.burst_ns = Some(9.876e11);
        strategy.times.burst.high_ns = Some(9.999e11);
        strategy.bytes = 999_999_999_999;
        strategy.mismatches = 999_999_999;
        report.add(strategy);
    }
    let text = table(&report);
    assert!(
        text.lines().all(|line| line.chars().count() <= 120),
        "{text}"
    );
    assert!(
        text.contains("239.76 Hz") && text.contains("987,600,000"),
        "{text}"
    );
}

#[test]
fn summary_answers_the_question() {
    expect!["Set-up per transfer: 161 µs per-transfer → 412 ns registered (390 times less). Last completion of the burst: 12.1 ms → 10.7 ms; the link's ceiling is 10.6 ms."].assert_eq(&sample().0.summary());
    assert!(stopped_early().summary().contains("needs complete runs"));
}

#[test]
fn page_is_well_formed_and_needs_nothing_from_outside() {
    let (report, timelines) = sample();
    let page = html(&report, &timelines);
    let parsed = parsed(&page);
    for forbidden in [
        "<script", "<link", "<img", "<iframe", "@import", "url(", "src=", "href=",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    // Bars, and per strategy the whole burst and two zooms.
    assert_eq!(texts(&parsed, "svg").len(), 1 + 4 * 3);
    assert_eq!(texts(&parsed, ".summary"), [report.summary()]);
    for label in ["modelled", "counted", "modelled + counted"] {
        assert!(page.contains(label));
    }
}

#[test]
fn page_escapes_what_comes_from_outside() {
    let (report, timelines) = hostile();
    let page = html(&report, &timelines);
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
    // The document's end is still where it belongs: nothing broke out of its element.
    let tree = scraper::Html::parse_document(&page);
    assert_eq!(texts(&tree, "svg").len(), 1 + 4 * 3);
    assert_eq!(texts(&tree, "script").len(), 0);
}

#[test]
fn picture_is_well_formed_xml_with_every_lane() {
    let (report, timelines) = sample();
    let picture = timelines_svg(&report, &[&timelines[0], &timelines[2]]);
    let tree = roxmltree::Document::parse(&picture).unwrap();
    assert_eq!(
        tree.root_element().tag_name().namespace(),
        Some("http://www.w3.org/2000/svg")
    );
    let texts: Vec<_> = tree
        .descendants()
        .filter(|n| n.has_tag_name("text"))
        .filter_map(|n| n.text())
        .collect();
    for lane in ["CPU 0", "CPU 1", "firmware", "SG fetches", "data to host"] {
        assert_eq!(
            texts.iter().filter(|text| **text == lane).count(),
            2,
            "{lane}"
        );
    }
    assert!(!texts.contains(&"data to card"));
}

#[test]
fn transfers_keep_their_colour_on_every_lane() {
    let (report, timelines) = sample();
    let picture = timelines_svg(&report, &[&timelines[2]]);
    let tree = roxmltree::Document::parse(&picture).unwrap();
    let mut colours =
        std::collections::BTreeMap::<String, std::collections::BTreeSet<String>>::new();
    for group in tree.descendants().filter(|n| n.has_tag_name("g")) {
        let part = |name| group.children().find(|n| n.has_tag_name(name)).unwrap();
        let words = part("title").text().unwrap();
        if let Some((transfer, _)) = words
            .split_once(':')
            .filter(|(t, _)| t.starts_with("transfer"))
        {
            let fill = part("rect").attribute("fill").unwrap();
            colours
                .entry(transfer.to_string())
                .or_default()
                .insert(fill.to_string());
        }
    }
    assert_eq!(colours.len(), 8);
    assert!(
        colours.values().all(|fills| fills.len() == 1),
        "{colours:?}"
    );
    let distinct: std::collections::BTreeSet<_> = colours.values().flatten().collect();
    assert_eq!(distinct.len(), 8);
}

#[test]
fn frame_shares_follow_from_the_burst() {
    let mut report = Report::new(&Scenario::default(), 1.0);
    let mut strategy = StrategyReport::new(Strategy::Registered);
    strategy.burst_ns = Some(5_000_000.0);
    strategy.complete = true;
    report.add(strategy);
    let frames = &report.strategies[0].frames;
    let shares: Vec<_> = frames
        .iter()
        .map(|frame| (frame.rate_hz, frame.share))
        .collect();
    assert_eq!(shares, [(120.0, 0.6), (240.0, 1.2)]);
    assert!(!report.partial);
}

#[test]
fn expectations_name_what_was_missed() {
    let (report, _) = sample();
    let mut scenario = Scenario::default();
    scenario.expect.insert(
        Strategy::Registered,
        Expectation {
            max_setup_ns: Some(400.0),
            max_setup_share: Some(0.02),
            max_burst_ns: Some(1.0),
            min_efficiency: Some(0.999),
            min_hidden_setup: Some(0.5),
            max_hidden_setup: Some(0.5),
            max_mmio_writes: Some(1.0),
            max_mmio_reads: Some(0.0),
            max_interrupts: Some(0.5),
            max_list_wait_cycles: Some(0),
            max_missed_deadlines: Some(0),
        },
    );
    let missed: Vec<_> = unmet(&report, &scenario)
        .iter()
        .map(Unmet::to_string)
        .collect();
    assert_eq!(
        missed[0],
        "expect.registered.max_setup_ns = 400 was not met: the run found 412"
    );
    let keys: Vec<_> = unmet(&report, &scenario)
        .iter()
        .map(|unmet| unmet.key)
        .collect();
    let expected = [
        "max_setup_ns",
        "max_burst_ns",
        "max_hidden_setup",
        "max_interrupts",
        "max_missed_deadlines",
        "min_efficiency",
        "min_hidden_setup",
    ];
    assert_eq!(keys, expected);
    assert!(
        missed[6].ends_with("the run has no such result"),
        "{missed:?}"
    );
    // A strategy that was not run to its end meets nothing.
    assert_eq!(unmet(&stopped_early(), &scenario).len(), 11);
}

proptest! {
    #[test]
    fn no_numbers_break_the_outputs(
        ns in any::<[f64; 6]>(),
        counts in any::<[u64; 4]>(),
        transfer in any::<Option<u32>>(),
    ) {
        let (mut report, mut timelines) = sample();
        report.link.ceiling_ns = ns[0];
        let found = &mut report.strategies[1];
        found.setup_ns = Some(ns[1]);
        found.burst_ns = Some(ns[2]);
        found.times.burst.high_ns = Some(ns[3]);
        (found.bytes, found.mismatches, found.completions, found.list_wait_cycles) =
            (counts[0], counts[1], counts[2], counts[3]);
        timelines[1].spans[0] =
            Span { lane: Lane::Cpu(0), transfer, start_ns: ns[4], end_ns: ns[5], label: String::new() };
        let page = html(&report, &timelines[..2]);
        prop_assert!(!table(&report).is_empty());
        prop_assert!(!page.contains("NaN") && !page.contains("inf\""));
    }
}
