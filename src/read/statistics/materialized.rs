//! Results served by materialized aggregates, without reading records.

use super::answer::{AggregationResult, Group, MetricValues};
use crate::error::{Commit, QueryError, StatisticsError};
use crate::index::{AggregatePlan, GroupEntry, GroupResult, Materialized, Recomputed, Tallied};
use crate::limits::MAX_GROUPS;
use crate::read::bound_query;
use crate::read::choice::Chooser;
use crate::read::snapshot::{AnyView, View};
use crate::record::bound::{Bound, BoundBucket, BoundMetric, BoundTop, FieldUse, Function, Level, Names};
use crate::record::{AggregateDef, Condition, Record};
use crate::storage::{Collection, ReadInfo, ReadOf, TableCore};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::Statistics;
use memdex_query::value::{Value, ValueRef};
use std::cmp::Ordering;
use std::time::Instant;

impl<R: Record> Collection<R> {
    /// The result of the materialized aggregate `name` at the newest commit. Pins no snapshot and reads no record: O(groups), some
    /// hundred nanoseconds for a few groups. While records have expired and are not removed yet, it is computed from the records.
    ///
    /// ```
    /// # use memdex::{GroupBy, Metric, Record, Store};
    /// # use memdex::schema::AggregateDef;
    /// # #[derive(Clone, Record)] struct Job { #[record(key)] id: u32, #[record(field)] queue: String }
    /// # let store = Store::new();
    /// # let jobs = store.collection::<Job>("Job")?;
    /// jobs.add_aggregate(AggregateDef::new("by_queue", GroupBy::values(job::QUEUE).metrics([Metric::count()])))?;
    /// jobs.store(Job { id: 1, queue: "mail".into() })?;
    /// let before = store.snapshot();
    /// jobs.store(Job { id: 2, queue: "mail".into() })?;
    /// assert_eq!(jobs.aggregate("by_queue")?.group("mail").unwrap().int("count"), Some(2));
    /// assert_eq!(before.of(&jobs).aggregate("by_queue")?.group("mail").unwrap().int("count"), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`QueryError::UnknownAggregate`]; [`QueryError::Overflow`] if a sum overflows; [`QueryError::TooManyGroups`].
    pub fn aggregate(&self, name: &str) -> Result<AggregationResult, QueryError> {
        let (collection, what) = (&*self.table.name, ReadOf::Aggregate(name));
        self.engine.reads.tell(|| ReadInfo { collection, what, commit: None })?;
        let started = Instant::now();
        if self.table.deadlines.are_used() || self.table.base.is_some() {
            self.catch_up();
            return self.view().read_aggregate(name);
        }
        self.engine.refresh_if_due();
        let materialized = self.table.aggregate(name)?;
        let requested = Known::all_of(&self.table.name, &materialized.plan);
        match requested.read(&materialized, || self.engine.timeline.published()) {
            Some(answer) => result(answer, started, true),
            // The aggregate was dropped in the meantime.
            None => self.view().read_aggregate(name),
        }
    }
}

impl<R: Record> View<R> {
    /// The result of the materialized aggregate `name` at this snapshot. O(groups), like [`Collection::aggregate`].
    /// If the aggregate was added after the snapshot was taken, every record is read.
    ///
    /// # Errors
    /// The same as [`Collection::aggregate`].
    pub fn aggregate(&self, name: &str) -> Result<AggregationResult, QueryError> {
        self.tell(|| ReadOf::Aggregate(name))?;
        self.read_aggregate(name)
    }

    fn read_aggregate(&self, name: &str) -> Result<AggregationResult, QueryError> {
        let started = Instant::now();
        let materialized = match &self.table.base {
            None => self.table.aggregate(name)?,
            Some(_) => {
                let all = self.table.all_aggregates();
                let unknown = || {
                    let known: Vec<String> = all.iter().map(|of| of.plan.name().to_owned()).collect();
                    QueryError::unknown_aggregate(&*self.table.name, name, known)
                };
                all.iter().find(|of| of.plan.name() == name).cloned().ok_or_else(unknown)?
            }
        };
        let requested = Known::all_of(&self.table.name, &materialized.plan);
        let answer = match self.any().parts()[..] {
            [part] if !has_expired(part) && part.maintains(&materialized) => {
                requested.read(&materialized, || part.at.epoch).map(|answer| answer.map(|(_, values)| values))
            }
            _ => None,
        };
        let answer = answer.map(|answer| answer.map(|values| (self.snapshot.commit(), values)));
        match answer {
            Some(answer) => result(answer, started, true),
            None => result(requested.recompute(self.any(), &materialized.plan), started, false),
        }
    }
}

/// Whether the view lacks records of its table's commit, since they have expired or a fork has covered them. Figures that are finished can't
/// lose them, so they are computed again.
fn has_expired(view: AnyView<'_>) -> bool {
    let AnyView { table, at, .. } = view;
    if view.hides_any() {
        return true;
    }
    if !table.deadlines.are_used() && table.marks.is_nothing_after(at.epoch) {
        return false;
    }
    let changed = view.changed();
    !changed.expired.is_empty() || table.count_expired(&changed.undecided(), at) > 0
}

type Answer = Result<(Commit, MetricValues), QueryError>;

fn result(answer: Answer, started: Instant, materialized: bool) -> Result<AggregationResult, QueryError> {
    let (commit, values) = answer?;
    Ok(AggregationResult { values, commit, took: started.elapsed(), materialized })
}

/// The result of a query at the view's commit, if a materialized aggregate has it: same records, same buckets, and
/// all requested metrics.
pub(super) fn known(
    view: AnyView<'_>,
    condition: &Condition,
    statistics: &Statistics,
    bound: &Bound,
) -> Option<Result<MetricValues, QueryError>> {
    view.table.aggregates().iter().find_map(|materialized| {
        let aggregate = &materialized.plan;
        let same_groups = match (&statistics.groups, &aggregate.def.statistics().groups) {
            (None, _) => true,
            (requested, known) => {
                requested.as_ref().map(|groups| &groups.by) == known.as_ref().map(|groups| &groups.by)
            }
        };
        if !same_groups || !aggregate.condition.as_ref().unwrap_or(&Condition::All).is_same(condition) {
            return None;
        }
        if has_expired(view) {
            return None;
        }
        let answer = Known::of(bound, aggregate)?.read(materialized, || view.at.epoch)?;
        Some(answer.map(|(_, values)| values))
    })
}

/// Statistics whose answers are kept exact row by row.
pub(in crate::read) struct Maintained {
    bound: Bound,
    pub(in crate::read) plan: Arc<AggregatePlan>,
}

impl Maintained {
    /// `None` if they can't be: minima and maxima of collated fields, percentiles, metrics with filters and the like.
    pub(in crate::read) fn new(table: &TableCore, statistics: &Statistics) -> Option<Self> {
        let mut kept = statistics.clone();
        // They are applied to the finished groups.
        if let Some(groups) = &mut kept.groups {
            (groups.top, groups.having) = (None, None);
        }
        let plan = Arc::new(AggregatePlan::new(AggregateDef::new("cached", kept), &table.schema).ok()?);
        let bound = Bound::new(&table.name, &table.schema, statistics).ok()?;
        Known::of(&bound, &plan)?;
        Some(Maintained { bound, plan })
    }

    pub(in crate::read) fn answer(&self, tallied: &Tallied) -> Result<MetricValues, QueryError> {
        Known::of(&self.bound, &self.plan)
            .map_or_else(|| Ok(MetricValues::default()), |known| known.of_tallied(tallied))
    }
}

/// The part of a materialized aggregate that a query selects.
struct Known<'a> {
    collection: &'a str,
    aggregate: &'a AggregatePlan,
    total: Pick<'a>,
    groups: Option<OfGroups<'a>>,
}

struct OfGroups<'a> {
    pick: Pick<'a>,
    /// Whether to include groups without records.
    filled: bool,
    level: &'a Level,
}

/// The selected metrics.
struct Pick<'a> {
    names: &'a Names,
    requested: &'a [BoundMetric],
    fields: &'a [FieldUse],
    /// Positions among the aggregate's metrics; `None` selects all of them, in order.
    places: Option<Vec<usize>>,
}

impl<'a> Known<'a> {
    /// Selects the whole aggregate.
    fn all_of(collection: &'a str, aggregate: &'a AggregatePlan) -> Self {
        let levels = &aggregate.bound.levels;
        let fields = &aggregate.bound.fields;
        let pick = |level: usize| {
            let Level { names, metrics: requested, .. } = &levels[level];
            Pick { names, requested, fields, places: None }
        };
        let groups = aggregate.has_groups().then(|| OfGroups {
            pick: pick(1),
            filled: is_filled(&aggregate.bound),
            level: &levels[1],
        });
        Known { collection, aggregate, total: pick(0), groups }
    }

    /// The selection of a query with the same buckets, or with none; `None` if the aggregate lacks some of it.
    fn of(question: &'a Bound, aggregate: &'a AggregatePlan) -> Option<Self> {
        let known = &aggregate.bound;
        let same_field = |ours: usize, theirs: usize| question.fields[ours].at == known.fields[theirs].at;
        let pick = |level: usize| {
            let requested = question.levels.get(level)?;
            let place = |requested: &BoundMetric| {
                known.levels.get(level)?.metrics.iter().position(|known| {
                    requested.filter.is_none()
                        && known.function == requested.function
                        && match (requested.field, known.field) {
                            (None, None) => true,
                            (Some(ours), Some(theirs)) => same_field(ours, theirs),
                            _ => false,
                        }
                })
            };
            let places: Option<Vec<usize>> = requested.metrics.iter().map(place).collect();
            let (names, requested, fields) = (&requested.names, &requested.metrics, &question.fields);
            Some(Pick { names, requested, fields, places: Some(places?) })
        };
        let total = pick(0)?;
        let groups = match &question.levels[..] {
            [_] => None,
            [_, requested] if requested.hits.is_none() => {
                Some(OfGroups { pick: pick(1)?, filled: is_filled(question), level: requested })
            }
            _ => return None,
        };
        Some(Known { collection: &question.collection, aggregate, total, groups })
    }

    /// Reads the result at a commit; `None` if the aggregate does not retain that commit.
    fn read(&self, materialized: &Materialized, epoch: impl FnOnce() -> Commit) -> Option<Answer> {
        materialized.read(epoch, |epoch, total, groups| self.put_together(total, groups).map(|values| (epoch, values)))
    }

    /// Computes the result from all records that a snapshot sees.
    fn recompute(&self, view: AnyView<'_>, aggregate: &AggregatePlan) -> Answer {
        let condition = aggregate.condition.as_ref().unwrap_or(&Condition::All);
        let versions = bound_query::matches(view, condition, &Chooser::Cheapest).fetch(view);
        let mut recomputed = Recomputed::new(aggregate);
        let scope = user_code::Scope::enter();
        versions.iter().filter_map(|version| version.record()).for_each(|record| recomputed.add(record));
        drop(scope);
        let groups: Vec<_> = recomputed.groups().map(|(key, result)| (key, aggregate.named(key), result)).collect();
        let mut entries = groups.iter().map(|(key, label, result)| GroupEntry { key, label, result });
        let values = self.put_together(Some(&recomputed.total()), &mut entries)?;
        Ok((view.at.epoch, values))
    }

    /// Computes the result from tallied rows.
    fn of_tallied(&self, tallied: &Tallied) -> Result<MetricValues, QueryError> {
        let groups: Vec<_> = tallied.groups().map(|(key, result)| (key, tallied.plan().named(key), result)).collect();
        let mut entries = groups.iter().map(|(key, label, result)| GroupEntry { key, label, result });
        self.put_together(Some(&tallied.total()), &mut entries)
    }

    fn put_together(
        &self,
        total: Option<&GroupResult>,
        entries: &mut dyn Iterator<Item = GroupEntry<'_>>,
    ) -> Result<MetricValues, QueryError> {
        let values = match total {
            Some(total) => self.total.values(self, total)?,
            None => Arc::default(),
        };
        let mut total = MetricValues { names: self.total.names.clone(), values, ..MetricValues::default() };
        if let Some(requested) = &self.groups {
            (total.groups, total.groups_in_all) = self.groups(requested, entries)?;
        }
        Ok(total)
    }

    fn groups(
        &self,
        requested: &OfGroups<'_>,
        entries: &mut dyn Iterator<Item = GroupEntry<'_>>,
    ) -> Result<(Vec<Group>, usize), QueryError> {
        let mut groups = Vec::with_capacity(FEW);
        if !requested.filled {
            let entries = entries.filter(|entry| requested.level.has_bucket(&entry.key[0]));
            for GroupEntry { label, result, .. } in entries {
                groups.push(requested.pick.group(label.to_vec(), requested.pick.values(self, result)?));
            }
        } else {
            let mut known: Vec<(Value, Value, Arc<[Value]>)> = Vec::with_capacity(FEW);
            let entries = entries.filter(|entry| requested.level.has_bucket(&entry.key[0]));
            for GroupEntry { key, label, result } in entries {
                // Only groups with a single-part key can be filled.
                known.push((key[0].clone(), label[0].clone(), requested.pick.values(self, result)?));
            }
            let bounds = known.first().zip(known.last()).map(|(first, last)| (&first.0, &last.0));
            let bounds = requested.level.filled(bounds);
            let bounds = bounds.as_ref().map(|(first, last)| (first, last));
            let all = self.aggregate.all_between(bounds).map_err(|source| self.bad_bucket(source))?;
            let of_nothing: Arc<[Value]> = requested.pick.requested.iter().map(of_nothing).collect();
            let mut known = known.into_iter().peekable();
            for (part, name) in all {
                let values = known.next_if(|known| known.0 == part).map_or_else(|| of_nothing.clone(), |known| known.2);
                groups.push(requested.pick.group(vec![name], values));
            }
            debug_assert!(known.next().is_none(), "every known group must be among all groups");
        }
        groups.retain(|group| requested.level.keeps(&group.values.values));
        let in_all = groups.len();
        if in_all > MAX_GROUPS {
            return Err(self.too_many());
        }
        if let Some(best) = &requested.level.top {
            groups = first(groups, best);
        }
        Ok((groups, in_all))
    }

    /// The fields of the grouping.
    fn fields(&self) -> impl Iterator<Item = String> {
        let Bound { fields, levels, .. } = &self.aggregate.bound;
        let parts = levels.iter().flat_map(|level| &level.buckets);
        parts.map(|part| fields[part.field].name().to_owned())
    }

    #[cold]
    fn too_many(&self) -> QueryError {
        QueryError::too_many_groups(self.collection, self.fields().collect::<Vec<_>>(), MAX_GROUPS)
    }

    #[cold]
    fn bad_bucket(&self, source: StatisticsError) -> QueryError {
        QueryError::bad_bucket(self.collection, self.fields().next().unwrap_or_default(), source)
    }
}

/// Initial capacity for groups.
const FEW: usize = 8;

/// Whether to include groups without records: all ranges, or the empty buckets between the first and the last of a
/// histogram.
fn is_filled(bound: &Bound) -> bool {
    match bound.levels.get(1).map(|level| (&level.buckets[..], level.empty)) {
        Some(([part], empty)) => matches!(part.bucket, BoundBucket::Ranges(..)) || empty,
        _ => false,
    }
}

impl Pick<'_> {
    /// The selected metric values.
    fn values(&self, known: &Known<'_>, result: &GroupResult) -> Result<Arc<[Value]>, QueryError> {
        if !result.overflowed.is_empty() {
            self.check_sums(known, &result.overflowed)?;
        }
        Ok(match &self.places {
            None => result.values.clone(),
            Some(places) => places.iter().map(|place| result.values[*place].clone()).collect(),
        })
    }

    #[cold]
    fn check_sums(&self, known: &Known<'_>, overflowed: &[usize]) -> Result<(), QueryError> {
        let place = |metric: usize| self.places.as_ref().map_or(metric, |places| places[metric]);
        let Some(metric) = (0..self.requested.len()).find(|metric| overflowed.contains(&place(*metric))) else {
            return Ok(());
        };
        let field = self.requested[metric].field.map(|field| self.fields[field].name()).unwrap_or_default();
        Err(QueryError::overflow(known.collection, &*self.names[metric], field))
    }

    fn group(&self, key: Vec<Value>, values: Arc<[Value]>) -> Group {
        Group { key, values: MetricValues { names: self.names.clone(), values, ..MetricValues::default() } }
    }
}

/// The groups with the highest or lowest values, missing values last; ties are broken by key.
fn first(groups: Vec<Group>, best: &BoundTop) -> Vec<Group> {
    let mut ranked: Vec<(usize, Group)> = groups.into_iter().enumerate().collect();
    let compare = |(at, a): &(usize, Group), (bt, b): &(usize, Group)| {
        let value = |group: &Group| group.values.values[best.metric].clone();
        let (x, y) = (value(a), value(b));
        let by_metric = match (x.as_ref(), y.as_ref()) {
            (ValueRef::Null, ValueRef::Null) => Ordering::Equal,
            (ValueRef::Null, _) => Ordering::Greater,
            (_, ValueRef::Null) => Ordering::Less,
            (x, y) if best.descending => y.cmp(&x),
            (x, y) => x.cmp(&y),
        };
        by_metric.then(at.cmp(bt))
    };
    if best.groups < ranked.len() {
        ranked.select_nth_unstable_by(best.groups, compare);
        ranked.truncate(best.groups);
    }
    ranked.sort_unstable_by(compare);
    ranked.into_iter().map(|(_, group)| group).collect()
}

/// The value of a metric over no records.
fn of_nothing(requested: &BoundMetric) -> Value {
    match requested.function {
        Function::Count | Function::Distinct => Value::from(0),
        _ => Value::NULL,
    }
}
