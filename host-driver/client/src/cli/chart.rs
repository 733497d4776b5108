//! Bars of a bench: how long a burst takes, and what of it is copying.

use super::bench::Report;
use super::format::time;

const LEFT: f64 = 130.0;
const WIDTH: f64 = 560.0;
const ROW: f64 = 44.0;
const TOP: f64 = 56.0;

/// The chart as an SVG picture.
pub(super) fn svg(report: &Report) -> String {
    let period_ns = 1e9 / report.fps;
    let rows: Vec<_> = report
        .strategies
        .iter()
        .filter_map(|measured| Some((measured, measured.last_ns?)))
        .collect();
    let longest = rows
        .iter()
        .map(|(_, last)| last.max as f64)
        .fold(period_ns, f64::max);
    let x = |ns: f64| LEFT + ns / longest * WIDTH;
    let height = TOP + ROW * rows.len() as f64 + 40.0;
    let total = LEFT + WIDTH + 90.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{total}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"15\">One burst of {} transfers of {} bytes, {}: begin to last byte</text>\n",
        report.transfers, report.bytes, report.direction
    );
    for (index, (measured, last)) in rows.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let middle = y + 19.0;
        let copies = measured.copy_ns.map_or(0, |copy| copy.median) as f64;
        let moving = (last.median as f64 - copies).max(0.0);
        out += &format!(
            "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>\n",
            LEFT - 8.0,
            measured.name
        );
        out += &format!(
            "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"28\" fill=\"#2b6cb0\"/>\n",
            x(moving) - LEFT
        );
        if copies > 0.0 {
            out += &format!(
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"28\" fill=\"#dd8a3c\"><title>copies</title></rect>\n",
                x(moving),
                x(copies) - LEFT
            );
        }
        if let Some(first) = measured.first_byte_ns {
            let at = x(first.median as f64);
            out += &format!(
                "<path d=\"M{at:.1} {y:.1}v28\" stroke=\"#ffffff\" stroke-width=\"2\"><title>first byte: {}</title></path>\n",
                time(first.median)
            );
        }
        out += &format!(
            "<path d=\"M{:.1} {:.1}H{:.1}\" stroke=\"#1a202c\"/>\n<text x=\"{:.1}\" y=\"{middle:.1}\">{}</text>\n",
            x(last.min as f64),
            y + 32.0,
            x(last.max as f64),
            x(last.max as f64) + 6.0,
            time(last.median)
        );
    }
    let frame = x(period_ns);
    let bottom = height - 34.0;
    out += &format!(
        "<path d=\"M{frame:.1} {:.1}V{bottom:.1}\" stroke=\"#c53030\" stroke-dasharray=\"4 3\"/>\n\
         <text x=\"{frame:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#c53030\">frame at {} Hz: {}</text>\n</svg>\n",
        TOP - 8.0,
        bottom + 18.0,
        report.fps,
        time(period_ns as u64)
    );
    out
}

/// The chart in a page of its own.
pub(super) fn page(report: &Report) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>pinring bench</title>\n<body style=\"max-width: 60em; margin: 2em auto\">\n{}</body>\n</html>\n",
        svg(report)
    )
}
