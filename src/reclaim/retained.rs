//! Old states, each filed under one pinned commit that sees it.

use super::Pins;
use crate::error::Commit;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// States by the pinned commit that they are filed under, and by the commit with which they begin.
pub(crate) struct Retained<T> {
    by_pin: BTreeMap<Commit, BySince<T>>,
    len: usize,
}

type BySince<T> = BTreeMap<Commit, SmallVec<[T; 2]>>;

impl<T> Default for Retained<T> {
    fn default() -> Self {
        Retained { by_pin: BTreeMap::new(), len: 0 }
    }
}

impl<T> Retained<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All states, with the commits with which they begin; for audits.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Commit, &T)> {
        let states = self.by_pin.values().flatten();
        states.flat_map(|(since, states)| states.iter().map(|state| (*since, state)))
    }

    /// Files a state that begins with `since` under `pin`, which sees it. O(log pins + log commits).
    pub(crate) fn add(&mut self, pin: Commit, since: Commit, state: T) {
        debug_assert!(since <= pin);
        self.by_pin.entry(pin).or_default().entry(since).or_default().push(state);
        self.len += 1;
    }

    /// `ended` has no pin any longer: removes at most `budget` of its states that no older pin sees, and returns them. The
    /// others are filed under the next older pin. Also returns whether nothing is left under `ended`.
    ///
    /// However many pins end, and in any order, a state is moved O(log states) times: the smaller part is moved into the
    /// larger.
    pub(crate) fn end(&mut self, ended: Commit, pins: &Pins<'_>, budget: &mut usize) -> (Vec<(Commit, T)>, bool) {
        let Some(mut states) = self.by_pin.remove(&ended) else { return (Vec::new(), true) };
        let older = pins.newest_before(ended);
        let mut unseen = Vec::new();
        while let Some(mut newest) = states.last_entry().filter(|newest| older.is_none_or(|pin| *newest.key() > pin)) {
            let since = *newest.key();
            let of_commit = newest.get_mut();
            let taken = of_commit.len().min(*budget);
            *budget -= taken;
            self.len -= taken;
            unseen.extend(of_commit.drain(of_commit.len() - taken..).map(|state| (since, state)));
            if !of_commit.is_empty() {
                self.by_pin.insert(ended, states);
                return (unseen, false);
            }
            newest.remove();
        }
        if let Some(pin) = older.filter(|_| !states.is_empty()) {
            let of_pin = self.by_pin.entry(pin).or_default();
            if of_pin.len() < states.len() {
                std::mem::swap(of_pin, &mut states);
            }
            for (since, mut more) in states {
                let of_commit = of_pin.entry(since).or_default();
                if of_commit.len() < more.len() {
                    std::mem::swap(of_commit, &mut more);
                }
                of_commit.extend(more);
            }
        }
        (unseen, true)
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use crate::reclaim::Overflow;

    fn commits(numbers: &[u64]) -> Vec<Commit> {
        numbers.iter().copied().map(Commit::from_number).collect()
    }

    /// Each state is the commit with which it begins.
    fn filed(pins: &[u64], states: impl IntoIterator<Item = (u64, u64)>) -> (Retained<u64>, Vec<Commit>) {
        let mut retained = Retained::default();
        for (pin, since) in states {
            retained.add(Commit::from_number(pin), Commit::from_number(since), since);
        }
        (retained, commits(pins))
    }

    fn end(retained: &mut Retained<u64>, ended: u64, pins: &[Commit], mut budget: usize) -> (Vec<u64>, bool) {
        let (unseen, complete) = retained.end(Commit::from_number(ended), &Pins::on(pins), &mut budget);
        (unseen.into_iter().map(|(_, state)| state).collect(), complete)
    }

    #[test]
    fn states_pass_to_the_next_older_pin_or_leave() {
        let (mut retained, pins) = filed(&[3, 6], [(9, 1), (9, 3), (9, 4), (9, 6), (9, 8), (9, 9), (6, 5)]);
        assert_eq!(end(&mut retained, 9, &pins, 100), (vec![9, 8], true));
        assert_eq!(retained.len(), 5);
        assert_eq!(end(&mut retained, 7, &pins, 100), (vec![], true), "nothing was filed there");
        assert_eq!(end(&mut retained, 6, &pins[..1], 100), (vec![6, 5, 4], true));
        assert_eq!(end(&mut retained, 3, &[], 100), (vec![3, 1], true));
        assert!(retained.is_empty() && retained.iter().next().is_none());
    }

    #[test]
    fn a_slice_leaves_the_rest_where_it_is() {
        let (mut retained, pins) = filed(&[2], [(9, 1), (9, 5), (9, 5), (9, 5), (9, 7)]);
        assert_eq!(end(&mut retained, 9, &pins, 2), (vec![7, 5], false));
        assert_eq!(end(&mut retained, 9, &pins, 0), (vec![], false));
        assert_eq!(end(&mut retained, 9, &pins, 2), (vec![5, 5], true));
        assert_eq!(retained.len(), 1);
        assert_eq!(end(&mut retained, 2, &[], 1), (vec![1], true));
    }

    /// The oldest states are seen by every pin. Moving each state at the end of each pin would be 10^10 steps.
    #[test]
    fn pins_end_from_the_newest_to_the_oldest() {
        const PINS: u64 = 100_000;
        let (mut retained, pins) = filed(&[], (1..=PINS).map(|since| (PINS, since)));
        assert!(pins.is_empty());
        let others = Overflow::default();
        (1..PINS).for_each(|pin| others.add(Commit::from_number(pin)));
        for ended in (1..=PINS).rev().map(Commit::from_number) {
            let (pins, _) = Pins::read(std::iter::empty(), &others);
            assert_eq!(retained.end(ended, &pins, &mut 100), (vec![(ended, ended.get())], true));
            pins.newest_before(ended).inspect(|older| others.remove(*older, || false));
        }
        assert!(retained.is_empty());
    }
}
