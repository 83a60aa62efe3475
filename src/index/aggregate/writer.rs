//! The committer's side of a materialized aggregate.

use super::super::audit::{AuditRows, Findings};
use super::super::catalog::Listing;
use super::super::changes::{Moves, StagedRefs};
use super::super::maintain::{Maintain, Role, StagedRecords};
use super::super::shape::extract;
use super::groups::{Groups, NewEntries};
use super::materialized::{Displacements, GroupEntry, Materialized};
use super::plan::{AggregatePlan, GroupKey};
use super::recompute::Recomputed;
use super::tally::GroupResult;
use crate::error::Commit;
use crate::hash::RandomState;
use crate::reclaim::Pins;
use crate::sync::Arc;
use crate::user_code;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

pub(crate) struct AggregateWriter {
    shared: Arc<Materialized>,
    plan: Arc<AggregatePlan>,
    groups: Groups,
    new: NewEntries,
    retained: Displacements,
    /// Whether readers have a first version.
    begun: bool,
}

impl AggregateWriter {
    pub(crate) fn new(plan: AggregatePlan, seed: RandomState) -> Self {
        let plan = Arc::new(plan);
        AggregateWriter {
            shared: Arc::new(Materialized::new(plan.clone())),
            groups: Groups::new(&plan, seed),
            new: NewEntries::new(&plan),
            plan,
            retained: Displacements::default(),
            begun: false,
        }
    }
}

impl Maintain for AggregateWriter {
    fn name(&self) -> &str {
        self.plan.name()
    }

    fn role(&self) -> Role {
        Role::Aggregate
    }

    fn width(&self) -> usize {
        self.plan.width()
    }

    fn list(&self, listing: &mut Listing) {
        listing.aggregates.push(self.shared.clone());
    }

    fn stage(&mut self, records: &mut dyn StagedRecords, refs: &mut StagedRefs<'_>) -> ControlFlow<()> {
        let AggregateWriter { plan, groups, new, .. } = self;
        new.clear();
        records.each(&mut |change, record| {
            let extracted = extract(|| new.extract(plan, record))?;
            let (old, slot) = refs.of(change);
            groups.stage(plan, new, extracted.as_ref(), old.map(|(_, refs)| refs), slot);
            Ok(())
        })
    }

    fn admit(&mut self, refs: &mut StagedRefs<'_>) {
        self.groups.admit(&self.plan, &mut self.new, refs);
    }

    fn apply(&mut self, moves: Moves<'_>) {
        self.groups.apply(&self.plan, moves);
    }

    fn record_versions(&mut self, commit: Commit) {
        self.shared.push(&mut self.retained, commit, self.groups.changes(&self.plan));
        if !std::mem::replace(&mut self.begun, true) {
            self.shared.begin(commit);
        }
    }

    fn close(&mut self, published: Commit) {
        self.shared.close(published);
    }

    fn reclaim_displaced(&mut self, pins: &Pins<'_>) {
        self.shared.reclaim_displaced(&mut self.retained, pins);
    }

    fn end(&mut self, ended: Commit, pins: &Pins<'_>, budget: &mut usize) -> bool {
        self.shared.end(&mut self.retained, ended, pins, budget)
    }

    fn retains(&self) -> bool {
        !self.retained.is_empty()
    }

    fn tidy(&mut self, restart: bool) -> Option<usize> {
        restart.then(|| self.groups.shrink())
    }

    fn heap_bytes(&self) -> usize {
        self.shared.heap_bytes() + self.groups.heap_bytes()
    }

    fn audit(&self, rows: &dyn AuditRows, found: &mut Findings) -> usize {
        let name = self.plan.name();
        let mut memory = self.groups.audit(&self.plan);
        let mut recomputed = Recomputed::new(&self.plan);
        let mut counted = BTreeMap::<(usize, u32), u32>::new();
        rows.each(&mut |row| {
            let agrees = user_code::run(|| {
                recomputed.add(row.record);
                memory.remembers(row.refs, row.record)
            });
            found.expect(agrees == Ok(true), || format!("aggregate {name:?} remembers {:?} wrongly", row.key));
            memory.numbers(row.refs).for_each(|number| *counted.entry(number).or_default() += 1);
        });
        found.expect(counted.into_iter().eq(memory.counted()), || {
            format!("aggregate {name:?} counts the rows of values wrongly")
        });
        let expected: Vec<(&GroupKey, GroupResult)> = recomputed.groups().collect();
        let (total, groups) = memory.results();
        found.expect(groups == expected && total.as_ref().is_none_or(|total| *total == recomputed.total()), || {
            format!("aggregate {name:?} has accumulated another result than that of the records")
        });
        let agree = self.shared.read(
            || rows.published(),
            |_, of_all, groups| {
                let same = |((key, result), entry): (&(&GroupKey, GroupResult), GroupEntry<'_>)| {
                    *key == entry.key && *result == *entry.result && self.plan.named(key) == entry.label
                };
                let groups: Vec<GroupEntry<'_>> = groups.collect();
                let same_groups = groups.len() == expected.len() && expected.iter().zip(groups).all(same);
                same_groups && of_all == total.as_ref()
            },
        );
        found.expect(agree == Some(true), || {
            format!("readers of aggregate {name:?} find another result than that of the records")
        });
        let bytes = self.shared.walk_bytes() + self.groups.walk_bytes();
        found.expect_bytes(&format!("aggregate {name:?}"), self.heap_bytes(), bytes);
        if let Err(problem) = self.shared.audit(&self.retained) {
            found.expect(false, || format!("aggregate {name:?}: {problem}"));
        }
        0
    }
}
