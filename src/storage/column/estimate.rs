//! Cardinality estimates for the planner, from zones, the size of the dictionary and the number of values.

use super::page::Page;
use super::scan::Run;
use super::shared::Column;
use crate::limits::PAGE_ROWS;
use crate::record::Test;
use crate::sync::Ordering::Relaxed;

/// The test is evaluated on each value of a dictionary that has at most this many.
const FEW_VALUES: usize = 256;
/// In a larger dictionary, a range is assumed to match one of this many values.
const ONE_IN_A_RANGE: f64 = 3.0;

impl Column {
    /// Estimate of the number of rows that match a test, at most the number of rows that the pages can hold. O(pages);
    /// O(1) with a dictionary.
    pub(crate) fn estimate(&self, test: &Test) -> usize {
        let present = self.present.load(Relaxed) as f64;
        let places = (self.pages().len() * PAGE_ROWS) as f64;
        let estimate = match test {
            Test::IsNull => places - present,
            Test::Has(_) | Test::Any(_) | Test::All(_) | Test::HasNone => 0.0,
            _ if self.is_coded() => present * self.selectivity_of_codes(test),
            _ => self.selectivity_of_zones(&self.runs(test)) * present,
        };
        estimate.clamp(0.0, places).ceil() as usize
    }

    /// The selectivity of a test, on the assumption that all values have the same number of rows.
    fn selectivity_of_codes(&self, test: &Test) -> f64 {
        let (matching, values) = self.with_dictionary(|values| {
            let count = || values.iter().flatten().filter(|value| test.admits(value.as_ref())).count();
            ((values.len() <= FEW_VALUES).then(count), values.len().max(1))
        });
        let one = 1.0 / values as f64;
        match (matching, test) {
            (Some(matching), _) => matching as f64 * one,
            (None, Test::Eq(_)) => one,
            (None, Test::Ne(_)) => 1.0 - one,
            (None, Test::In(listed)) => (listed.len() as f64 * one).min(1.0),
            (None, _) => 1.0 / ONE_IN_A_RANGE,
        }
    }

    /// The selectivity of runs, on the assumption that bits are uniform within each zone and all pages are equally full.
    fn selectivity_of_zones(&self, runs: &[Run]) -> f64 {
        let bits_of = |from: u64, to: u64| (to - from) as f64 + 1.0;
        // Prefix sums of the lengths of the runs, so that each page costs only two searches.
        let mut before = vec![0.0; runs.len() + 1];
        runs.iter().enumerate().for_each(|(at, (from, to))| before[at + 1] = before[at] + bits_of(*from, *to));
        let list = self.pages();
        let (mut pages, mut matching) = (0, 0.0);
        for (low, high) in list.pages().flatten().filter_map(Page::zone) {
            pages += 1;
            let first = runs.partition_point(|(_, to)| *to < low);
            let end = runs.partition_point(|(from, _)| *from <= high);
            if first >= end {
                continue;
            }
            // The first and the last run may extend beyond the zone.
            let (below, above) = (low.saturating_sub(runs[first].0), runs[end - 1].1.saturating_sub(high));
            let within = before[end] - before[first] - below as f64 - above as f64;
            matching += (within / bits_of(low, high)).clamp(0.0, 1.0);
        }
        matching / f64::from(pages.max(1))
    }
}
