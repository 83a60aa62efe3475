//! Figures with three digits and a unit.

/// `1.23 µs`.
pub(super) fn time(nanos: f64) -> String {
    let (value, unit) = match nanos {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// `10 µs`, without digits that say nothing.
pub(super) fn power_of_ten(nanos: f64) -> String {
    time(nanos).replace(".00", "").replace(".0", "")
}

/// `1.23 M/s`.
pub(super) fn rate(per_second: f64) -> String {
    let (value, unit) = match per_second {
        n if n < 1e3 => (n, "/s"),
        n if n < 1e6 => (n / 1e3, " k/s"),
        n => (n / 1e6, " M/s"),
    };
    format!("{}{unit}", digits(value))
}

/// Three digits.
pub(super) fn digits(value: f64) -> String {
    match value.abs() {
        n if n >= 99.95 => format!("{value:.0}"),
        n if n >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        for (nanos, text) in [
            (0.0, "0.00 ns"),
            (9.994, "9.99 ns"),
            (9.996, "10.0 ns"),
            (123.4, "123 ns"),
            (1_234.0, "1.23 µs"),
            (2.5e10, "25.0 s"),
        ] {
            assert_eq!(time(nanos), text);
        }
        assert_eq!((power_of_ten(1e4), power_of_ten(1e6)), ("10 µs".to_owned(), "1 ms".to_owned()));
        for (per_second, text) in [(7.0, "7.00/s"), (12_345.0, "12.3 k/s"), (4.2e6, "4.20 M/s")] {
            assert_eq!(rate(per_second), text);
        }
    }
}
