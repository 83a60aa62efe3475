//! Arithmetic over a list of numbers of one kind.

use memdex::Value;
use memdex::typing::{DecimalValue, ValueRef};

pub(super) fn as_float(value: &Value) -> f64 {
    match value.as_ref() {
        ValueRef::Float(x) => x,
        other => other.to_string().parse().unwrap_or(f64::NAN),
    }
}

/// Numbers in ascending order, at least one.
pub(super) enum Numbers {
    Floats(Vec<f64>),
    /// In units of 10^-scale; integers have scale 0.
    Exact {
        units: Vec<i128>,
        scale: u8,
        is_int: bool,
    },
}

impl Numbers {
    pub(super) fn of(values: &[Value]) -> Option<Self> {
        let first = values.first()?;
        if let ValueRef::Float(_) = first.as_ref() {
            return Some(Numbers::Floats(values.iter().map(as_float).collect()));
        }
        let decimals: Vec<DecimalValue> = values.iter().filter_map(Value::as_decimal).collect();
        let scale = decimals.iter().map(|number| number.scale()).max()?;
        let units = decimals.iter().map(|number| number.units() * 10_i128.pow((scale - number.scale()).into()));
        let is_int = !matches!(first.as_ref(), ValueRef::Decimal(_));
        Some(Numbers::Exact { units: units.collect(), scale, is_int })
    }

    fn len(&self) -> f64 {
        match self {
            Numbers::Floats(all) => all.len() as f64,
            Numbers::Exact { units, .. } => units.len() as f64,
        }
    }

    fn unit(&self) -> f64 {
        if let Numbers::Exact { scale, .. } = self { 10_f64.powi((*scale).into()) } else { 1.0 }
    }

    pub(super) fn sum(&self) -> Option<Value> {
        Some(match self {
            Numbers::Floats(all) => Value::from(exact_sum(all)),
            Numbers::Exact { units, is_int: true, .. } => Value::from(units.iter().sum::<i128>()),
            Numbers::Exact { units, scale, .. } => DecimalValue::new(units.iter().sum(), *scale)?.into(),
        })
    }

    pub(super) fn mean(&self) -> Value {
        let sum = match self {
            Numbers::Floats(all) => exact_sum(all),
            // Wide integers lose precision as floats, so their sum is exact.
            Numbers::Exact { units, .. } => units.iter().sum::<i128>() as f64 / self.unit(),
        };
        Value::from(sum / self.len())
    }

    /// The standard deviation; `None` if there are at most `less` numbers.
    pub(super) fn deviation(&self, less: u8) -> Option<Value> {
        let degrees = self.len() - f64::from(less);
        // Relative to the first value, so that equal numbers have a deviation of exactly 0.
        let from_first: Vec<f64> = match self {
            Numbers::Floats(all) => all.iter().map(|x| x - all[0]).collect(),
            Numbers::Exact { units, .. } => units.iter().map(|n| (n - units[0]) as f64 / self.unit()).collect(),
        };
        let mean = exact_sum(&from_first) / self.len();
        let squares: Vec<f64> = from_first.iter().map(|x| (x - mean).powi(2)).collect();
        (degrees > 0.0).then(|| Value::from((exact_sum(&squares) / degrees).sqrt()))
    }

    /// The percentile between the two nearest ranks. For integers and decimals, exact if the percent is a multiple of a half.
    pub(super) fn percentile(&self, percent: f64) -> Value {
        let rank = percent / 100.0 * (self.len() - 1.0);
        Value::from(match self {
            Numbers::Floats(all) => {
                let (below, above) = (all[rank.floor() as usize], all[rank.ceil() as usize]);
                if below == above { below } else { below + (above - below) * rank.fract() }
            }
            Numbers::Exact { units, .. } => {
                let place = (percent * 2.0) as usize * (units.len() - 1);
                let (low, part) = (place / 200, (place % 200) as i128);
                let (low, high) = (units[low], units[(low + 1).min(units.len() - 1)]);
                // In 200ths, without overflow.
                let (whole, rest) = ((high - low) / 200, (high - low) % 200 * part);
                ((low + whole * part + rest / 200) as f64 + (rest % 200) as f64 / 200.0) / self.unit()
            }
        })
    }
}

/// The sum, rounded once, by Shewchuk's algorithm, which retains the error of each addition.
fn exact_sum(numbers: &[f64]) -> f64 {
    if numbers.iter().any(|x| !x.is_finite()) {
        return numbers.iter().sum();
    }
    let mut parts: Vec<f64> = Vec::new();
    for number in numbers {
        let mut carried = *number;
        let mut partials = Vec::new();
        for part in parts {
            let (larger, smaller) = if carried.abs() < part.abs() { (part, carried) } else { (carried, part) };
            let sum = larger + smaller;
            let error = smaller - (sum - larger);
            if error != 0.0 {
                partials.push(error);
            }
            carried = sum;
        }
        partials.push(carried);
        parts = partials;
    }
    parts.iter().rev().fold(0.0, |sum, part| sum + part)
}
