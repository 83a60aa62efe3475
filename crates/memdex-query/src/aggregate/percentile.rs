//! Exact percentiles with linear interpolation between the two nearest values, like NumPy's default and PostgreSQL's
//! `percentile_cont`.

/// The percentiles of these values, each from 0 to 100, in their order; `None` for no values. NaN is above all numbers.
/// The caller has rounded integers beyond 2^53.
///
/// Reorders the values. O(n) for each percentile.
pub fn percentiles(values: &mut [f64], percentiles: &[f64]) -> Option<Vec<f64>> {
    let last = values.len().checked_sub(1)?;
    // One NaN, which sorts last.
    values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = f64::NAN.copysign(1.0));
    let place = |p: f64| {
        let place = p / 100.0 * last as f64;
        let low = (place.floor() as usize).min(last);
        (low, (place - low as f64).clamp(0.0, 1.0))
    };
    let mut needed: Vec<usize> = Vec::with_capacity(2 * percentiles.len());
    for (low, part) in percentiles.iter().map(|p| place(*p)) {
        needed.push(low);
        if part > 0.0 {
            needed.push(low + 1);
        }
    }
    needed.sort_unstable();
    needed.dedup();
    // Values before a selected place are not above it, so the next one is selected from the rest.
    let mut sorted_to = 0;
    for at in needed {
        values[sorted_to..].select_nth_unstable_by(at - sorted_to, f64::total_cmp);
        sorted_to = at + 1;
    }
    let percentile = |p: &f64| {
        let (low, part) = place(*p);
        if part > 0.0 { between(values[low], values[low + 1], part) } else { values[low] }
    };
    Some(percentiles.iter().map(percentile).collect())
}

/// The number at a fraction of the distance from one number to a greater one; never outside of the two.
fn between(low: f64, high: f64, part: f64) -> f64 {
    if low == high {
        return low;
    }
    let distance = high - low;
    // If one of them is infinite, so is the result; between both infinities it is NaN.
    if distance.is_infinite() {
        return low * (1.0 - part) + high * part;
    }
    let number = if part < 0.5 { low + distance * part } else { high - distance * (1.0 - part) };
    // Not `clamp`, which panics for NaN.
    if number < low {
        low
    } else if number > high {
        high
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64], at: &[f64]) -> Vec<f64> {
        percentiles(&mut values.to_vec(), at).unwrap()
    }

    #[test]
    fn a_percentile_next_to_infinity_is_infinite() {
        let infinity = f64::INFINITY;
        assert_eq!(of(&[1.0, infinity], &[25.0, 50.0, 75.0]), [infinity; 3]);
        assert_eq!(of(&[-infinity, 1.0], &[25.0, 50.0, 75.0]), [-infinity; 3]);
        assert!(of(&[-infinity, infinity], &[50.0])[0].is_nan());
        assert_eq!(of(&[-f64::MAX, f64::MAX], &[50.0]), [0.0]);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_values(
            values in prop::collection::vec(prop_oneof![-5.0..5.0, (0i32..4).prop_map(f64::from), any::<f64>()], 1..80),
            percentiles in prop::collection::vec(prop_oneof![0.0..=100.0, Just(0.0), Just(50.0), Just(100.0)], 0..6),
            turn in any::<usize>(),
        ) {
            let mut sorted = values.clone();
            sorted.sort_by(|a: &f64, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
            let results = of(&values, &percentiles);
            for (p, result) in percentiles.iter().zip(&results) {
                let place = p / 100.0 * (values.len() - 1) as f64;
                let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
                if place.fract() == 0.0 || low == high {
                    prop_assert!(*result == low || result.is_nan() && low.is_nan());
                } else if low.is_finite() && high.is_finite() {
                    let expected = low * (1.0 - place.fract()) + high * place.fract();
                    let error = (low.abs() + high.abs()) * 4.0 * f64::EPSILON;
                    prop_assert!(low <= *result && *result <= high && (result / 2.0 - expected / 2.0).abs() <= error.max(1e-300));
                }
            }
            let mut turned = values.clone();
            turned.rotate_left(turn % values.len());
            let bits = |results: Vec<f64>| results.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(of(&turned, &percentiles)), bits(results));
        }
    }

    #[test]
    fn percentiles_as_others_compute_them() {
        // numpy.percentile([1, 2, 3, 4], [0, 25, 50, 75, 100])
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0], &[0.0, 25.0, 50.0, 75.0, 100.0]), [1.0, 1.75, 2.5, 3.25, 4.0]);
        assert_eq!(of(&[7.0], &[0.0, 33.0, 100.0]), [7.0; 3]);
        assert_eq!(of(&[f64::MAX, f64::MIN], &[50.0]), [0.0]);
        assert_eq!(of(&[f64::INFINITY, f64::INFINITY, 1.0], &[60.0, 0.0]), [f64::INFINITY, 1.0]);
        assert!(of(&[1.0, -f64::NAN], &[100.0])[0].is_nan());
        assert_eq!(of(&[1.0, -f64::NAN], &[0.0]), [1.0]);
        assert!(percentiles(&mut [], &[50.0]).is_none());
    }
}
