//! How many rows will meet a test? A guess from zones, the size of the dictionary and the number of values, for who plans.

use super::scan::Run;
use super::shared::Column;
use crate::limits::PAGE_ROWS;
use crate::record::Test;
use crate::sync::Ordering::Relaxed;

/// Of a dictionary of more values than this not each is judged.
const FEW_VALUES: usize = 256;
/// A range of a dictionary that is not judged has one of so many of its values.
const ONE_IN_A_RANGE: f64 = 3.0;

impl Column {
    /// How many rows are likely to meet a test. A guess, at most the number of rows that there is room for; O(pages), or of a dictionary
    /// O(1).
    pub(crate) fn estimate(&self, test: &Test) -> usize {
        let present = self.present.load(Relaxed) as f64;
        let guess = match test {
            Test::IsNull => (self.pages.len() * PAGE_ROWS) as f64 - present,
            Test::Any(_) | Test::All(_) | Test::HasNone => 0.0,
            _ if self.is_coded() => present * self.share_of_codes(test),
            _ => self.share_of_zones(&self.runs(test)) * present,
        };
        guess.clamp(0.0, (self.pages.len() * PAGE_ROWS) as f64).ceil() as usize
    }

    /// Each value is taken to have as many rows as any other.
    fn share_of_codes(&self, test: &Test) -> f64 {
        let (judged, values) = self.with_dictionary(|values| {
            let judge = || values.iter().flatten().filter(|value| test.admits(value.as_ref())).count();
            ((values.len() <= FEW_VALUES).then(judge), values.len().max(1))
        });
        let one = 1.0 / values as f64;
        match (judged, test) {
            (Some(met), _) => met as f64 * one,
            (None, Test::Eq(_)) => one,
            (None, Test::Ne(_)) => 1.0 - one,
            (None, Test::In(wanted)) => (wanted.len() as f64 * one).min(1.0),
            (None, _) => 1.0 / ONE_IN_A_RANGE,
        }
    }

    /// In each page the bits are taken to be spread evenly over its zone, and all pages to be equally full.
    fn share_of_zones(&self, runs: &[Run]) -> f64 {
        let bits_of = |from: u64, to: u64| (to - from) as f64 + 1.0;
        // Before each run, the bits of those before it: however many there are, a page costs but two searches.
        let mut before = vec![0.0; runs.len() + 1];
        runs.iter().enumerate().for_each(|(at, (from, to))| before[at + 1] = before[at] + bits_of(*from, *to));
        let (mut pages, mut met) = (0, 0.0);
        for (low, high) in self.pages.pages().filter_map(|page| page.zone()) {
            pages += 1;
            let first = runs.partition_point(|(_, to)| *to < low);
            let end = runs.partition_point(|(from, _)| *from <= high);
            if first >= end {
                continue;
            }
            // Less what the outermost ones have beyond the zone.
            let (below, above) = (low.saturating_sub(runs[first].0), runs[end - 1].1.saturating_sub(high));
            let within = before[end] - before[first] - below as f64 - above as f64;
            met += (within / bits_of(low, high)).clamp(0.0, 1.0);
        }
        met / f64::from(pages.max(1))
    }
}
