//! Plots as SVG, written by hand: bars of throughputs, and curves of latencies. Colors are classes, which the page defines for light and
//! dark backgrounds.

use super::data::{QUANTILES, TargetReport};
use super::escape::html as escaped;
use super::units::{power_of_ten, rate};

const WIDTH: f64 = 760.0;
const NAMES: f64 = 190.0;
/// Colors repeat after so many targets.
pub(super) const COLORS: usize = 6;

/// A bar for each target, with a line from the lowest to the highest round.
pub(super) fn throughputs(targets: &[TargetReport]) -> String {
    let most = targets.iter().map(|target| target.throughput.high).fold(0.0, f64::max).max(1e-9);
    let height = 34.0 * targets.len() as f64 + 8.0;
    let scale = (WIDTH - NAMES - 110.0) / most;
    let mut svg = start(height, "Throughput of each target");
    for (at, target) in targets.iter().enumerate() {
        let (y, of) = (34.0 * at as f64 + 8.0, &target.throughput);
        let (end, low, high) = (NAMES + of.median * scale, NAMES + of.low * scale, NAMES + of.high * scale);
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"name\">{}</text>\
             <rect x=\"{NAMES:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"22\" class=\"fill c{}\"/>\
             <path d=\"M{low:.1} {m:.1}H{high:.1}M{low:.1} {t:.1}v8M{high:.1} {t:.1}v8\" class=\"whisker\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            NAMES - 8.0,
            y + 16.0,
            escaped(&shortened(&target.name)),
            (end - NAMES).max(1.0),
            at % COLORS,
            end.max(high) + 8.0,
            y + 16.0,
            rate(of.median),
            m = y + 11.0,
            t = y + 7.0,
        );
    }
    svg + "</svg>\n"
}

/// A curve for each target: latencies, logarithmic, over quantiles, whose distance from 1 is logarithmic.
pub(super) fn latencies(targets: &[TargetReport]) -> String {
    const HEIGHT: f64 = 300.0;
    const LEFT: f64 = 70.0;
    let (right, top, bottom) = (WIDTH - 40.0, 14.0, HEIGHT - 40.0);
    let all = || targets.iter().flat_map(|target| &target.quantiles_nanos).map(|nanos| (*nanos).max(1));
    let (Some(low), Some(high)) = (all().min(), all().max()) else { return String::new() };
    // Whole powers of ten.
    let low = (low as f64).log10().floor();
    let high = (high as f64).log10().ceil().max(low + 1.0);
    let y = |nanos: f64| bottom - (nanos.max(1.0).log10() - low) / (high - low) * (bottom - top);
    let nines = |quantile: f64| -(1.0 - quantile).log10();
    let x = |quantile: f64| LEFT + nines(quantile) / nines(QUANTILES[QUANTILES.len() - 1]) * (right - LEFT);
    let mut svg = start(HEIGHT, "Latencies by quantile");
    for power in low as i32..=high as i32 {
        let (nanos, at) = (10f64.powi(power), y(10f64.powi(power)));
        svg += &format!(
            "<path d=\"M{LEFT:.1} {at:.1}H{right:.1}\" class=\"grid\"/><text x=\"{:.1}\" y=\"{:.1}\" class=\"name\">{}</text>\n",
            LEFT - 6.0,
            at + 4.0,
            power_of_ten(nanos),
        );
    }
    for (quantile, label) in
        [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")]
    {
        let at = x(quantile);
        svg += &format!(
            "<path d=\"M{at:.1} {top:.1}V{bottom:.1}\" class=\"grid\"/><text x=\"{at:.1}\" y=\"{:.1}\" class=\"label\">{label}</text>\n",
            bottom + 18.0,
        );
    }
    for (at, target) in targets.iter().enumerate() {
        let points = QUANTILES.iter().zip(&target.quantiles_nanos);
        let points: Vec<String> = points.map(|(q, nanos)| format!("{:.1},{:.1}", x(*q), y(*nanos as f64))).collect();
        svg += &format!(
            "<polyline points=\"{}\" class=\"line c{}\"><title>{}</title></polyline>\n",
            points.join(" "),
            at % COLORS,
            escaped(&target.name),
        );
    }
    svg + "</svg>\n"
}

fn start(height: f64, label: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH:.0} {height:.0}\" role=\"img\" aria-label=\"{label}\">\n")
}

/// A name that fits before a bar.
fn shortened(name: &str) -> String {
    const MOST: usize = 20;
    match name.chars().count() {
        0..=MOST => name.to_owned(),
        _ => name.chars().take(MOST - 1).chain(['…']).collect(),
    }
}
