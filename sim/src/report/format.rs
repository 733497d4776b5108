//! Numbers for people.

/// With thousands separated: 1,234,567.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// About three significant digits, never rounding digits before the point away: 0.0123, 1.23, 12.3, 1,234.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_string();
    }
    let size = value.abs();
    if size >= 99.95 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(size.round() as u64));
    }
    let decimals = match size {
        0.0 => 0,
        s if s >= 9.995 => 1,
        s if s >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// A time in the unit that suits it: 850 ns, 160.7 µs, 10.7 ms.
pub(super) fn time(ns: f64) -> String {
    let (scale, unit) = unit(ns);
    format!("{} {unit}", number_in(ns / scale))
}

/// Nanoseconds per unit, and the unit, in which `ns` has one to three digits before the point.
pub(super) fn unit(ns: f64) -> (f64, &'static str) {
    match ns.abs() {
        ns if ns < 999.5 => (1.0, "ns"),
        ns if ns < 999_500.0 => (1e3, "µs"),
        ns if ns < 999_500_000.0 => (1e6, "ms"),
        _ => (1e9, "s"),
    }
}

fn number_in(value: f64) -> String {
    if value.abs() >= 99.95 {
        format!("{value:.0}")
    } else {
        number(value)
    }
}

/// Microseconds for columns: 0.41, 160.7, 12,019.
pub(super) fn micros(ns: f64) -> String {
    let us = ns / 1e3;
    match us.abs() {
        size if size < 99.995 => format!("{us:.2}"),
        size if size < 999.95 => format!("{us:.1}"),
        _ => number(us),
    }
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

/// `value`, or a dash.
pub(super) fn or_dash<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "–".to_string(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 7, 999, 1000, 73_400_320].map(count),
            ["0", "7", "999", "1,000", "73,400,320"]
        );
        assert_eq!(
            [0.0, 0.0123, 0.5, 1.0, 9.996, 12.34, 99.96, 1234.4, -2.5].map(number),
            [
                "0", "0.012", "0.5", "1", "10", "12.3", "100", "1,234", "-2.5"
            ]
        );
        assert_eq!(number(f64::NAN), "–");
    }

    #[test]
    fn times_carry_their_unit() {
        assert_eq!(
            [0.0, 850.4, 999.6, 160_650.0, 999_600.0, 10_714_000.0, 2.5e9].map(time),
            [
                "0 ns", "850 ns", "1 µs", "161 µs", "1 ms", "10.7 ms", "2.5 s"
            ]
        );
    }

    #[test]
    fn microseconds_align() {
        assert_eq!(
            [0.0, 412.0, 160_650.0, 12_019_444.0].map(micros),
            ["0.00", "0.41", "160.7", "12,019"]
        );
        assert_eq!(percent(0.9876), "98.8");
    }
}
