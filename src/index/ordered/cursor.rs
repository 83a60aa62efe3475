//! A walk over the entries between two bounds, leaf by leaf, in either direction, while leaves are split and joined.
//!
//! A reader holds one guard at a time. It finds the leaf of its position in the directory, releases the directory, and checks the
//! leaf's bounds under the leaf's guard; if the position has moved meanwhile, it looks it up again. It continues at a bound of the leaf
//! that it has read, as that was under the guard: upwards at the upper bound, downwards below the lower one. So each position is read
//! once, however leaves are split and joined between two steps.
//!
//! The directory returns several leaves at a time, more the farther a walk goes. Each is checked as if it had just been looked up.

use super::leaf::Ahead;
use super::leaves::Leaves;
use super::position::{KeyBound, KeyRange};
use crate::rowset::Row;

/// The position of a walk.
pub(super) struct Cursor<K> {
    /// The range that is still to be read.
    left: KeyRange<K>,
    descending: bool,
    done: bool,
    /// Leaves that the directory has shown, the next one last.
    ahead: Ahead<K>,
    /// The number of leaves to request next.
    look: usize,
}

/// Most leaves that are requested at a time; the walk keeps them alive meanwhile.
const LOOK_AHEAD: usize = 32;

impl<K: Ord + Clone> Cursor<K> {
    pub(super) fn new(span: KeyRange<K>, descending: bool) -> Self {
        Cursor { done: span.is_empty(), left: span, descending, ahead: Ahead::new(), look: 1 }
    }

    /// Moves the far end nearer; what lies beyond it is not read any more.
    pub(super) fn limit_to(&mut self, edge: KeyBound<K>) {
        if self.descending {
            self.left.from = edge.max(self.left.from.clone());
        } else {
            self.left.to = edge.min(self.left.to.clone());
        }
        self.done |= self.left.is_empty();
    }

    /// Adds the rows that one leaf has for this walk, in its order; there may be none. `false`, and nothing added, at the end.
    pub(super) fn next(&mut self, leaves: &Leaves<K>, rows: &mut Vec<Row>) -> bool {
        while !self.done {
            let Some(leaf) = self.ahead.pop() else {
                self.look_ahead(leaves);
                continue;
            };
            let entries = leaf.0.read();
            let is_here = if self.descending {
                entries.holds_below(self.left.to.position())
            } else {
                entries.holds(self.left.from.position())
            };
            if !is_here {
                self.ahead.clear();
                continue;
            }
            let own = &entries.rows[entries.places(&self.left)];
            if self.descending {
                rows.extend(own.iter().rev());
                self.left.to = entries.lower.clone().map_or(KeyBound::Start, KeyBound::At);
            } else {
                rows.extend_from_slice(own);
                self.left.from = entries.upper.clone().map_or(KeyBound::End, KeyBound::At);
            }
            self.done = self.left.is_empty();
            return true;
        }
        false
    }

    fn look_ahead(&mut self, leaves: &Leaves<K>) {
        let directory = leaves.directory.read();
        self.ahead = if self.descending {
            directory.leaves_downwards(self.left.to.position(), self.look)
        } else {
            directory.leaves_upwards(self.left.from.position(), self.look)
        };
        self.look = (self.look * 2).min(LOOK_AHEAD);
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::super::leaf::Edit;
    use super::super::position::Position;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Model = BTreeSet<Position<u64>>;

    /// Rows have one key each, and a key has many of them.
    fn at(row: Row) -> Position<u64> {
        (u64::from(row) * 7 % 40, row)
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Takes out the rows that are there, and puts in those that are not.
        Toggle(Vec<Row>),
        /// Takes out all rows of these keys.
        Clear(u64, u64),
        Compact,
        Next(usize),
        Limit(usize, KeyBound<u64>),
    }

    fn any_edge() -> impl Strategy<Value = KeyBound<u64>> {
        prop_oneof![
            1 => Just(KeyBound::Start),
            1 => Just(KeyBound::End),
            3 => (0..41_u64).prop_map(KeyBound::before),
            3 => (0..41_u64).prop_map(KeyBound::behind),
            // In the middle of a key.
            2 => (0..3_000_u32).prop_map(|row| KeyBound::At(at(row))),
        ]
    }

    const WALKS: usize = 4;

    fn any_step() -> impl Strategy<Value = Step> {
        let from = (0..3_000_u32, 1..900_u32, 1..5_usize);
        prop_oneof![
            4 => from.prop_map(|(from, len, step)| Step::Toggle((from..from + len).step_by(step).collect())),
            2 => (0..40_u64, 0..20_u64).prop_map(|(from, len)| Step::Clear(from, from + len)),
            1 => Just(Step::Compact),
            12 => (0..WALKS).prop_map(Step::Next),
            1 => (0..WALKS, any_edge()).prop_map(|(walk, edge)| Step::Limit(walk, edge)),
        ]
    }

    /// A step of a walk passes the entries that are present at that moment, each position once.
    fn next(cursor: &mut Cursor<u64>, leaves: &Leaves<u64>, model: &Model) -> Result<bool, TestCaseError> {
        let (before, mut rows) = (cursor.left.clone(), vec![Row::MAX]);
        let more = cursor.next(leaves, &mut rows);
        let after = cursor.left.clone();
        let passed = match (more, cursor.descending) {
            (false, _) => KeyRange { from: KeyBound::Start, to: KeyBound::Start },
            (true, false) => KeyRange { from: before.from, to: after.from.clone().min(before.to) },
            (true, true) => KeyRange { from: after.to.clone().max(before.from), to: before.to },
        };
        prop_assert!(!more || !passed.is_empty(), "a walk gets on");
        let edge = |position: &Position<u64>| KeyBound::At(*position);
        let within = |position: &&Position<u64>| (&passed.from..&passed.to).contains(&&edge(position));
        let mut expected: Vec<Row> = model.iter().filter(within).map(|(_, row)| *row).collect();
        if cursor.descending {
            expected.reverse();
        }
        prop_assert_eq!(&rows[1..], &expected[..]);
        Ok(more)
    }

    proptest! {
        #[test]
        fn each_position_is_passed_once_whatever_moves(
            first in prop::collection::vec(0..3_000_u32, 0..3_000),
            spans in prop::collection::vec((any_edge(), any_edge(), any::<bool>()), WALKS),
            steps in prop::collection::vec(any_step(), 1..60),
        ) {
            let (leaves, mut model) = (Leaves::new(), Model::new());
            let toggle = |model: &mut Model, rows: &BTreeSet<Row>| {
                let mut edits: Vec<_> = rows.iter().map(|row| Edit { at: at(*row), insert: !model.contains(&at(*row)) }).collect();
                edits.sort();
                leaves.apply(&edits);
                for Edit { at, insert } in edits {
                    if insert { model.insert(at) } else { model.remove(&at) };
                }
            };
            toggle(&mut model, &first.into_iter().collect());
            let walk = |(from, to, descending)| Cursor::new(KeyRange { from, to }, descending);
            let mut walks: Vec<_> = spans.into_iter().map(walk).collect();
            for step in steps {
                match step {
                    Step::Toggle(rows) => toggle(&mut model, &rows.into_iter().collect()),
                    Step::Clear(from, to) => {
                        let rows = model.range((from, 0)..(to, 0)).map(|(_, row)| *row).collect();
                        toggle(&mut model, &rows);
                    }
                    Step::Compact => {
                        let mut place = Some(None);
                        while let Some(from) = place {
                            place = leaves.compact(from, 3);
                        }
                    }
                    Step::Next(walk) => {
                        next(&mut walks[walk], &leaves, &model)?;
                    }
                    Step::Limit(walk, edge) => {
                        let before = walks[walk].left.clone();
                        walks[walk].limit_to(edge);
                        let after = &walks[walk].left;
                        prop_assert!(before.from <= after.from && after.to <= before.to);
                    }
                }
            }
            for mut walk in walks {
                while next(&mut walk, &leaves, &model)? {}
                prop_assert!(walk.left.is_empty());
                prop_assert!(!next(&mut walk, &leaves, &model)?, "the end stays the end");
            }
        }
    }
}
