//! Plots of what changes with something: SVG pictures for the document.

use plotters::prelude::*;

use super::first_byte::{BY_DOORBELL, INLINE};
use super::{PORTS, Row};

/// A line of points.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    /// A limit, and not a figure.
    dashed: bool,
}

/// One pair of axes.
struct Panel {
    title: String,
    x: &'static str,
    y: &'static str,
    /// Whether the horizontal axis is logarithmic.
    log: bool,
    /// Upper end of the vertical axis at least.
    top: f64,
    series: Vec<Series>,
}

const COLOURS: [RGBColor; 4] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
];

/// Name of the measurement and SVG text, for each measurement that has a picture.
///
/// # Errors
/// A picture could not be drawn.
pub fn plots(rows: &[Row]) -> Result<Vec<(&'static str, String)>, String> {
    let all = [
        ("efficiency", efficiency(rows)),
        ("first-byte", first_byte(rows)),
        ("host-cost", host_cost(rows)),
        ("regions", regions(rows)),
    ];
    all.into_iter()
        .filter(|(_, panels)| panels.iter().any(|panel| !panel.series.is_empty()))
        .map(|(name, panels)| {
            let text = draw(&panels).map_err(|error| format!("plot {name}: {error}"))?;
            Ok((name, text))
        })
        .collect()
}

/// Values of a metric over a condition; nothing with fewer than two.
fn series(
    rows: &[Row],
    name: &str,
    metric: &str,
    conditions: &[(&str, &str)],
    over: &str,
) -> Option<Series> {
    let points: Vec<(f64, f64)> = rows
        .iter()
        .filter(|row| {
            let holds = |(name, value): &(&str, &str)| row.conditions.get(name) == Some(*value);
            row.metric == metric && conditions.iter().all(holds)
        })
        .filter_map(|row| Some((row.conditions.get(over)?.parse().ok()?, row.value)))
        .collect();
    (points.len() > 1).then(|| Series {
        name: name.to_string(),
        points,
        dashed: false,
    })
}

fn efficiency(rows: &[Row]) -> Vec<Panel> {
    let panel = |link: &'static str| {
        let mut all = Vec::new();
        for direction in ["C2H", "H2C", "both"] {
            let conditions = [
                ("link", link),
                ("direction", direction),
                ("completion_bytes", "256"),
                ("order", "in order"),
                ("use", "repeat"),
            ];
            let over = "round_trip_ns";
            all.extend(series(
                rows,
                direction,
                "efficiency.efficiency",
                &conditions,
                over,
            ));
            if direction == "H2C" {
                let limit = series(rows, "H2C limit", "efficiency.limit", &conditions, over);
                all.extend(limit.map(|limit| Series {
                    dashed: true,
                    ..limit
                }));
            }
        }
        Panel {
            title: link.to_string(),
            x: "round trip, ns",
            y: "efficiency",
            log: false,
            top: 1.05,
            series: all,
        }
    };
    PORTS.iter().map(|port| panel(port.name)).collect()
}

fn first_byte(rows: &[Row]) -> Vec<Panel> {
    let panel = |direction: &'static str| {
        let states = [
            ("cold", BY_DOORBELL),
            ("resident", BY_DOORBELL),
            ("resident", INLINE),
        ];
        let found = states.into_iter().filter_map(|(state, entry)| {
            let conditions = [
                ("link", "Gen3 x16"),
                ("direction", direction),
                ("state", state),
                ("entry", entry),
            ];
            series(
                rows,
                &format!("{state}, {entry}"),
                "first-byte.first_tlp",
                &conditions,
                "round_trip_ns",
            )
        });
        Panel {
            title: format!("Gen3 x16, {direction}"),
            x: "round trip, ns",
            y: "cycles to the first TLP",
            log: false,
            top: 0.0,
            series: found.collect(),
        }
    };
    vec![panel("C2H"), panel("H2C")]
}

fn host_cost(rows: &[Row]) -> Vec<Panel> {
    let panel = |table: &'static str| {
        let found = ["submit", "reap"].into_iter().filter_map(|call| {
            let conditions = [("table", table), ("entries_per_doorbell", "1")];
            let metric = format!("host-cost.{call}");
            series(rows, call, &metric, &conditions, "transfer_bytes")
        });
        Panel {
            title: format!("{table} table"),
            x: "bytes of the transfer",
            y: "instructions per call",
            log: true,
            top: 300.0,
            series: found.collect(),
        }
    };
    vec![panel("granular"), panel("uniform")]
}

fn regions(rows: &[Row]) -> Vec<Panel> {
    let found = ["C2H", "H2C"].into_iter().filter_map(|direction| {
        let conditions = [("direction", direction)];
        series(
            rows,
            direction,
            "regions.efficiency",
            &conditions,
            "regions",
        )
    });
    vec![Panel {
        title: "Gen3 x16, a random region of 1 MiB per transfer".to_string(),
        x: "registered regions",
        y: "efficiency",
        log: true,
        top: 1.05,
        series: found.collect(),
    }]
}

fn draw(panels: &[Panel]) -> Result<String, Box<dyn std::error::Error>> {
    let mut text = String::new();
    {
        let width = if panels.len() == 3 { 330 } else { 420 };
        let size = (width * panels.len() as u32, 300);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, panel) in root.split_evenly((1, panels.len())).iter().zip(panels) {
            draw_panel(area, panel)?;
        }
        root.present()?;
    }
    Ok(text)
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    panel: &Panel,
) -> Result<(), Box<dyn std::error::Error>> {
    // A logarithmic axis is drawn over powers of two, which sizes and counts are.
    let place = |x: f64| if panel.log { x.log2() } else { x };
    let points = || panel.series.iter().flat_map(|series| series.points.iter());
    let left = points()
        .map(|&(x, _)| place(x))
        .fold(f64::INFINITY, f64::min);
    let right = points().map(|&(x, _)| place(x)).fold(left + 1.0, f64::max);
    let top = points().map(|&(_, y)| y * 1.05).fold(panel.top, f64::max);
    let left = if left.is_finite() { left } else { 0.0 };
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        // Half of the last label stands beyond the axis.
        .margin_right(20)
        .caption(&panel.title, ("sans-serif", 15))
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(left..right, 0.0..top.max(f64::MIN_POSITIVE))?;
    let x_text = |x: &f64| {
        if panel.log {
            power(*x)
        } else {
            format!("{x:.0}")
        }
    };
    let y_text = |y: &f64| {
        if top > 10.0 {
            format!("{y:.0}")
        } else {
            format!("{y:.2}")
        }
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(5)
        .y_labels(6)
        .x_label_formatter(&x_text)
        .y_label_formatter(&y_text)
        .x_desc(panel.x)
        .y_desc(panel.y)
        .label_style(("sans-serif", 12))
        .draw()?;
    for (index, series) in panel.series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<_> = series.points.iter().map(|&(x, y)| (place(x), y)).collect();
        let drawn = if series.dashed {
            chart.draw_series(DashedLineSeries::new(points, 5, 4, colour.stroke_width(1)))?
        } else {
            let dots = points.iter().map(|&at| Circle::new(at, 3, colour.filled()));
            chart.draw_series(dots)?;
            chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?
        };
        drawn
            .label(&series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(match panel.top > 0.0 {
            // Shares are near the top, and what grows leaves that corner empty.
            true => SeriesLabelPosition::LowerRight,
            false => SeriesLabelPosition::UpperLeft,
        })
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 12))
        .draw()?;
    Ok(())
}

/// 2^x with a binary prefix.
fn power(x: f64) -> String {
    let value = x.exp2();
    let (scale, unit) = match x {
        x if x >= 30.0 => (30, "Gi"),
        x if x >= 20.0 => (20, "Mi"),
        x if x >= 10.0 => (10, "Ki"),
        _ => (0, ""),
    };
    format!("{:.0} {unit}", value / f64::from(1u32 << scale))
        .trim_end()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::super::row::{Conditions, Point};
    use super::*;

    #[test]
    fn picture_holds_every_series_and_is_well_formed() {
        let mut rows = Vec::new();
        for (count, value) in [(64, 0.9), (65536, 0.8)] {
            let conditions = Conditions::default()
                .with("direction", "H2C")
                .with("regions", count);
            rows.extend(
                Point::new("regions", conditions)
                    .figure("efficiency", value, "x")
                    .rows(),
            );
        }
        let found = plots(&rows).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["regions"]);
        let text = &found[0].1;
        let document = roxmltree::Document::parse(text).expect("well-formed");
        assert_eq!(document.root_element().tag_name().name(), "svg");
        assert!(text.contains("H2C") && text.contains("registered regions"));
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn powers_have_prefixes() {
        assert_eq!(
            [6.0, 12.0, 26.0, 31.0].map(power),
            ["64", "4 Ki", "64 Mi", "2 Gi"]
        );
    }
}
