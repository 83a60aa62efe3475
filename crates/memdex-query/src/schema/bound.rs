//! Statistics bound to a schema: fields exist, kinds fit, and invalid metrics and buckets are refused before any record
//! is read.

use super::having::Having;
use super::undeclared::{self, kind_of_bounds};
use super::{Condition, FieldAt, FieldDef, Schema, fit, operand};
use crate::aggregate::{Buckets, DateBuckets, DayBuckets, Ranges, Zone};
use crate::error::{QueryError, StatisticsError};
use crate::limits::{MAX_GROUP_HITS, MAX_GROUP_LEVELS, MAX_GROUP_PARTS, MAX_METRICS};
use crate::query::{Aggregate, Bucket, DateStep, FieldName, GroupBy, Metric, OrderBy, Predicate, Statistics};
use crate::value::{Fitted, Kind, Value, ValueRef};
use std::borrow::Cow;
use std::sync::Arc;

/// The names of a level's metrics, in their order; shared by all groups of the level.
pub type Names = Arc<[Cow<'static, str>]>;

/// Bound statistics: the first level is all records, each next one the groups within the level before.
pub struct Bound {
    /// The name in errors.
    pub collection: String,
    /// Every field in use, once.
    pub fields: Vec<FieldUse>,
    /// Every filter of a metric, once.
    pub filters: Vec<Condition>,
    /// Every order of a first value or of hits, once. Their fields are not checked.
    pub orders: Vec<Vec<OrderBy>>,
    /// All records, then each level of groups.
    pub levels: Vec<Level>,
}

/// A field in use.
pub struct FieldUse {
    /// Its place in records.
    pub at: FieldAt,
    /// Its definition; `None` for an undeclared path, which may have any number of values of any kind.
    pub def: Option<FieldDef>,
    /// Whether the result shows how its values are spelled, which only records know: the field has a collation.
    pub spelled: bool,
}

impl FieldUse {
    /// Its name.
    pub fn name(&self) -> &str {
        self.def.as_ref().map(FieldDef::name).or(self.at.undeclared()).unwrap_or_default()
    }

    /// The kind of its values; `None` for an undeclared path.
    pub fn kind(&self) -> Option<Kind> {
        self.def.as_ref().map(FieldDef::kind)
    }

    /// Whether a record may have several values.
    pub fn is_many(&self) -> bool {
        self.def.as_ref().is_none_or(FieldDef::is_many)
    }
}

/// One level of groups; the first one has no bucket.
pub struct Level {
    /// The parts of its groups' keys.
    pub buckets: Vec<Bucketer>,
    /// The metrics of each group.
    pub metrics: Vec<BoundMetric>,
    /// Their names.
    pub names: Names,
    /// Whether empty buckets are included.
    pub empty: bool,
    /// The numbers of the buckets that are included even if they are empty: at least those from one to another.
    pub extended: Option<(i128, i128)>,
    /// The numbers of the first and the last bucket that may be included.
    pub hard: Option<(i128, i128)>,
    /// The condition on the metrics of a group.
    pub having: Option<Having>,
    /// The choice of groups; all without one.
    pub top: Option<BoundTop>,
    /// The records of each group to return: at most how many, and the position of their order in [`Bound::orders`].
    pub hits: Option<(usize, usize)>,
}

impl Level {
    /// Whether a group with these metrics is part of the result.
    pub fn keeps(&self, metrics: &[Value]) -> bool {
        self.having.as_ref().is_none_or(|having| having.holds(&self.names, metrics))
    }

    /// Whether a bucket of a histogram is within the hard bounds.
    pub fn has_bucket(&self, part: &Value) -> bool {
        self.hard.is_none_or(|(from, to)| part.as_i128().is_some_and(|number| (from..=to).contains(&number)))
    }

    /// The first and the last bucket of a histogram that includes empty ones, given the first and the last with records.
    pub fn filled(&self, known: Option<(&Value, &Value)>) -> Option<(Value, Value)> {
        let known = known.and_then(|(first, last)| first.as_i128().zip(last.as_i128()));
        let (first, last) = match (known, self.extended) {
            (Some((first, last)), Some((from, to))) => (first.min(from), last.max(to)),
            (known, extended) => known.or(extended)?,
        };
        let (from, to) = self.hard.unwrap_or((first, last));
        Some((Value::from(first.max(from)), Value::from(last.min(to))))
    }
}

/// Computes one part of the groups' keys.
#[derive(Clone)]
pub struct Bucketer {
    /// The position of its field in [`Bound::fields`].
    pub field: usize,
    /// The mapping of its values to buckets.
    pub bucket: BoundBucket,
    /// The key of records without a value in groups by value.
    pub missing: Value,
    /// The kind of the bounds of buckets of the numbers of an undeclared path.
    pub numbers: Option<Kind>,
}

/// The mapping of values to buckets.
#[derive(Clone)]
pub enum BoundBucket {
    /// Each value is a bucket.
    Values,
    /// Buckets of one width.
    Width(Buckets),
    /// Ranges, and their bounds in the field's kind: lower, included, and upper, excluded.
    Ranges(Ranges, Vec<Range>),
    /// Timestamps by the calendar.
    Dates(DateBuckets),
    /// Dates by the calendar.
    Days(DayBuckets),
}

/// The bounds of a range.
pub type Range = (Option<Value>, Option<Value>);

/// One bound metric.
pub struct BoundMetric {
    /// Its function.
    pub function: Function,
    /// The position of its field in [`Bound::fields`]; `None` for the count of records and for ratios.
    pub field: Option<usize>,
    /// The position of its filter in [`Bound::filters`].
    pub filter: Option<usize>,
}

/// The function of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of `Aggregate`")]
pub enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    StdDev,
    StdDevPop,
    Distinct,
    Percentile(f64),
    Mode,
    /// The position of its order in [`Bound::orders`].
    First(usize),
    /// The positions of two other metrics of the level.
    Ratio(usize, usize),
}

/// The choice of the top groups.
pub struct BoundTop {
    /// The largest number of groups.
    pub groups: usize,
    /// The position of the metric among the metrics of the level.
    pub metric: usize,
    /// Whether the highest come first.
    pub descending: bool,
}

impl Bound {
    /// Binds statistics to a schema; `collection` is the name in errors.
    ///
    /// # Errors
    /// If a field does not exist, or can't have such a metric or bucket.
    pub fn new(collection: &str, schema: &Schema, statistics: &Statistics) -> Result<Self, QueryError> {
        let mut binder = Binder { collection, schema, fields: Vec::new(), filters: Vec::new(), orders: Vec::new() };
        let first = binder.metrics(&statistics.metrics)?;
        let mut levels = vec![first];
        let mut metrics = levels[0].metrics.len();
        let mut next = statistics.groups.as_deref();
        while let Some(group_by) = next {
            binder.at_most("levels of groups", levels.len(), MAX_GROUP_LEVELS)?;
            metrics += group_by.within.metrics.len();
            binder.at_most("metrics", metrics, MAX_METRICS)?;
            levels.push(binder.level(group_by)?);
            next = group_by.within.groups.as_deref();
        }
        let filters = std::mem::take(&mut binder.filters).into_iter().map(|(_, filter)| filter).collect();
        let Binder { fields, orders, .. } = binder;
        Ok(Bound { collection: collection.to_owned(), fields, filters, orders, levels })
    }
}

struct Binder<'a> {
    collection: &'a str,
    schema: &'a Schema,
    fields: Vec<FieldUse>,
    filters: Vec<(&'a Predicate, Condition)>,
    orders: Vec<Vec<OrderBy>>,
}

impl<'a> Binder<'a> {
    fn at_most(&self, what: &'static str, given: usize, limit: usize) -> Result<(), QueryError> {
        if given <= limit { Ok(()) } else { Err(QueryError::too_many(self.collection, what, given, limit)) }
    }

    /// The position of a field among those in use, and its definition; `None` for an undeclared path.
    fn field(&mut self, name: &str) -> Result<(usize, Option<FieldDef>), QueryError> {
        let (at, def) = match self.schema.find(name) {
            Some((at, def)) => (at, Some(def.clone())),
            None => match self.schema.undeclared(name) {
                Some(at) => (at, None),
                None => return Err(self.schema.unknown_field(self.collection, name)),
            },
        };
        let place = self.fields.iter().position(|known| known.at == at).unwrap_or_else(|| {
            self.fields.push(FieldUse { at, def: def.clone(), spelled: false });
            self.fields.len() - 1
        });
        Ok((place, def))
    }

    /// The same, for a field of some kinds.
    fn field_of(&mut self, name: &str, kinds: &[Kind], purpose: &str) -> Result<(usize, Option<FieldDef>), QueryError> {
        let (place, def) = self.field(name)?;
        match def.as_ref().map(FieldDef::kind).filter(|kind| !kinds.contains(kind)) {
            Some(kind) => Err(QueryError::not_numeric(self.collection, name, kind, purpose)),
            None => Ok((place, def)),
        }
    }

    /// The same, for a field whose values are part of the result.
    fn shown_field(&mut self, name: &str) -> Result<(usize, Option<FieldDef>), QueryError> {
        let (place, def) = self.field(name)?;
        let field = &mut self.fields[place];
        field.spelled = field.at.collation().is_some();
        Ok((place, def))
    }

    fn metrics(&mut self, metrics: &'a [Metric]) -> Result<Level, QueryError> {
        self.at_most("metrics", metrics.len(), MAX_METRICS)?;
        let mut bound = Vec::with_capacity(metrics.len());
        for (at, metric) in metrics.iter().enumerate() {
            if metrics[..at].iter().any(|other| other.name == metric.name) {
                return Err(QueryError::duplicate_metric(self.collection, &*metric.name));
            }
            bound.push(self.metric(metric, metrics)?);
        }
        for (metric, of) in metrics.iter().zip(&bound) {
            let Function::Ratio(numerator, denominator) = of.function else { continue };
            for (place, name) in [(numerator, &metrics[numerator].name), (denominator, &metrics[denominator].name)] {
                if let Some(kind) = self.kind(&bound[place]).filter(|kind| !NUMBERS.contains(kind)) {
                    return Err(QueryError::not_numeric(self.collection, &**name, kind, metric.aggregate.verb()));
                }
            }
        }
        let names = metrics.iter().map(|metric| metric.name.clone()).collect();
        Ok(Level {
            buckets: Vec::new(),
            metrics: bound,
            names,
            empty: false,
            extended: None,
            hard: None,
            having: None,
            top: None,
            hits: None,
        })
    }

    /// The kind of a metric's value; `None` if it depends on the values of an undeclared path.
    fn kind(&self, metric: &BoundMetric) -> Option<Kind> {
        match (metric.function, metric.field) {
            (Function::Count | Function::Distinct, _) => Some(Kind::Int),
            (Function::Sum | Function::Min | Function::Max | Function::Mode | Function::First(_), Some(field)) => {
                self.fields[field].kind()
            }
            (Function::Avg, Some(field)) if self.fields[field].kind() == Some(Kind::Decimal) => Some(Kind::Decimal),
            _ => Some(Kind::Float),
        }
    }

    /// The position of a filter.
    fn filter(&mut self, filter: &'a Predicate) -> Result<usize, QueryError> {
        if let Some(known) = self.filters.iter().position(|(known, _)| *known == filter) {
            return Ok(known);
        }
        self.filters.push((filter, Condition::new(self.collection, self.schema, filter)?));
        Ok(self.filters.len() - 1)
    }

    /// The position of an order.
    fn order(&mut self, order: &[OrderBy]) -> usize {
        self.orders.iter().position(|known| known == order).unwrap_or_else(|| {
            self.orders.push(order.to_vec());
            self.orders.len() - 1
        })
    }

    /// The condition on the metrics of a group.
    fn having(&self, level: &Level, having: &Predicate) -> Result<Having, QueryError> {
        let metric = |(name, of): (&Cow<'static, str>, &BoundMetric)| {
            let metric = FieldDef::new(name.clone(), self.kind(of)?).optional();
            let collation = of.field.and_then(|field| self.fields[field].at.collation());
            Some(match collation.filter(|_| metric.kind() == Kind::Str) {
                Some(collation) => metric.collate(collation),
                None => metric,
            })
        };
        let metrics = level.names.iter().zip(&level.metrics).map(metric);
        Having::new(self.collection, &level.names, metrics, having).map_err(|error| match error {
            QueryError::UnknownField { field, .. } => self.unknown_metric(field, &level.names),
            other => other,
        })
    }

    fn unknown_metric(&self, name: impl Into<String>, known: &[Cow<'static, str>]) -> QueryError {
        QueryError::unknown_metric(self.collection, name, known.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn metric(&mut self, metric: &'a Metric, all: &[Metric]) -> Result<BoundMetric, QueryError> {
        let aggregate = &metric.aggregate;
        let purpose = aggregate.verb();
        let function = match aggregate {
            Aggregate::Count | Aggregate::CountOf(_) => Function::Count,
            Aggregate::Sum(_) => Function::Sum,
            Aggregate::Avg(_) => Function::Avg,
            Aggregate::Min(_) => Function::Min,
            Aggregate::Max(_) => Function::Max,
            Aggregate::StdDev(_) => Function::StdDev,
            Aggregate::StdDevPop(_) => Function::StdDevPop,
            Aggregate::Distinct(_) => Function::Distinct,
            Aggregate::Mode(_) => Function::Mode,
            Aggregate::First(_, order) => Function::First(self.order(order)),
            Aggregate::Ratio(..) if metric.filter.is_some() => {
                return Err(QueryError::bad_metric(self.collection, &*metric.name, StatisticsError::FilteredRatio));
            }
            Aggregate::Ratio(numerator, denominator) => {
                let simple = |metric: &Metric| !matches!(metric.aggregate, Aggregate::Ratio(..));
                let known: Vec<_> = all.iter().filter(|metric| simple(metric)).map(|of| of.name.clone()).collect();
                let place = |name: &Cow<'static, str>| {
                    let place = all.iter().position(|metric| simple(metric) && metric.name == *name);
                    place.ok_or_else(|| self.unknown_metric(&**name, &known))
                };
                Function::Ratio(place(numerator)?, place(denominator)?)
            }
            Aggregate::Percentile(_, percent) if (0.0..=100.0).contains(percent) => Function::Percentile(*percent),
            Aggregate::Percentile(_, percent) => {
                let source = StatisticsError::BadPercentile { percentile: Value::from(*percent) };
                return Err(QueryError::bad_metric(self.collection, &*metric.name, source));
            }
        };
        let filter = metric.filter.as_ref().map(|filter| self.filter(filter)).transpose()?;
        let Some(field) = aggregate.field() else { return Ok(BoundMetric { function, field: None, filter }) };
        let (field, _) = match function {
            Function::Count | Function::Distinct | Function::First(_) => self.field(field)?,
            Function::Min | Function::Max | Function::Mode => self.shown_field(field)?,
            _ => self.field_of(field, &NUMBERS, purpose)?,
        };
        Ok(BoundMetric { function, field: Some(field), filter })
    }

    fn level(&mut self, group_by: &'a GroupBy) -> Result<Level, QueryError> {
        if group_by.by.is_empty() {
            return Err(QueryError::no_buckets(self.collection));
        }
        self.at_most("parts of the key of a group", group_by.by.len(), MAX_GROUP_PARTS)?;
        let mut buckets = group_by.by.iter().map(|bucket| self.bucket(bucket)).collect::<Result<Vec<_>, _>>()?;
        let is_histogram = matches!(
            &buckets[..],
            [Bucketer { bucket: BoundBucket::Width(_) | BoundBucket::Dates(_) | BoundBucket::Days(_), .. }]
        );
        let GroupBy { extended, hard, .. } = group_by;
        let empty = group_by.empty || extended.is_some();
        if (empty || hard.is_some()) && !is_histogram {
            return Err(QueryError::not_a_histogram(self.collection));
        }
        let mut numbers = |bounds: &Option<(Value, Value)>| match bounds {
            None => Ok(None),
            Some((from, to)) => self.bounds(&mut buckets[0], from, to).map(Some),
        };
        let (extended, hard) = (numbers(extended)?, numbers(hard)?);
        let level = self.metrics(&group_by.within.metrics)?;
        let top = group_by.top.as_ref().map(|top| {
            if top.groups == 0 {
                return Err(QueryError::top_of_nothing(self.collection));
            }
            let metric = level.names.iter().position(|name| *name == top.metric);
            let metric = metric.ok_or_else(|| self.unknown_metric(&*top.metric, &level.names))?;
            Ok(BoundTop { groups: top.groups, metric, descending: top.descending })
        });
        let hits = group_by.hits.as_ref().map(|hits| match hits.records {
            limit if limit == 0 || limit > MAX_GROUP_HITS => {
                Err(QueryError::group_hits(self.collection, limit, MAX_GROUP_HITS))
            }
            records => Ok((records, self.order(&hits.order))),
        });
        let hits = hits.transpose()?;
        let having = group_by.having.as_ref().map(|having| self.having(&level, having)).transpose()?;
        Ok(Level { buckets, empty, extended, hard, having, top: top.transpose()?, hits, ..level })
    }

    fn bucket(&mut self, bucket: &Bucket) -> Result<Bucketer, QueryError> {
        let name = bucket.field();
        match bucket {
            Bucket::Values { missing, .. } => {
                let (field, def) = self.shown_field(name)?;
                let missing = missing.clone().unwrap_or(Value::NULL);
                // A name of another kind than the field's is a name all the same.
                let fitted = match def {
                    Some(def) => fit(self.collection, &def, &missing).ok().and_then(Fitted::exact),
                    None => undeclared::operand(&missing),
                };
                let missing = fitted.unwrap_or(missing);
                Ok(Bucketer { field, bucket: BoundBucket::Values, missing, numbers: None })
            }
            Bucket::Width { width, offset, .. } => {
                let kinds = [Kind::Int, Kind::Float, Kind::Decimal, Kind::Timestamp];
                let (field, def) = self.field_of(name, &kinds, "histogram")?;
                let (def, numbers) = of_numbers(name, def, [width, offset].into_iter());
                let fitted = |value: &Value| match def.kind() {
                    // Lengths of time are integers.
                    Kind::Timestamp => Ok(Some(value.clone())),
                    _ => fit(self.collection, &def, value).map(Fitted::exact),
                };
                let buckets = match fitted(width)?.zip(fitted(offset)?) {
                    Some((width, offset)) => Buckets::new(def.kind(), width.as_ref(), offset.as_ref()),
                    None => Err(StatisticsError::BadWidth { width: width.clone(), offset: offset.clone() }),
                };
                Ok(Bucketer {
                    field,
                    bucket: BoundBucket::Width(buckets.map_err(|source| self.bad_bucket(name, source))?),
                    missing: Value::NULL,
                    numbers,
                })
            }
            Bucket::Ranges { ranges, .. } => {
                let (field, def) = self.field(name)?;
                let (def, numbers) = of_numbers(name, def, ranges.iter().flat_map(|(from, to)| from.iter().chain(to)));
                if ranges.is_empty() {
                    return Err(QueryError::no_buckets(self.collection));
                }
                let mut bounds = Vec::with_capacity(ranges.len());
                for (from, to) in ranges {
                    bounds.push(self.range(&def, from.as_ref(), to.as_ref())?);
                }
                let ranges = Ranges::new(&bounds).map_err(|source| self.bad_bucket(name, source))?;
                Ok(Bucketer { field, bucket: BoundBucket::Ranges(ranges, bounds), missing: Value::NULL, numbers })
            }
            Bucket::Date { unit, zone, every, offset_seconds, .. } => {
                let step = DateStep { unit: *unit, every: *every, offset_seconds: *offset_seconds };
                let (field, def) = self.field_of(name, &[Kind::Timestamp, Kind::Date], "date histogram")?;
                let bucket = || -> Result<BoundBucket, StatisticsError> {
                    let def = def.as_ref().ok_or(StatisticsError::UndeclaredTimes)?;
                    let in_zone = Zone::parse(zone)?;
                    if def.kind() == Kind::Timestamp {
                        return DateBuckets::new(step, in_zone).map(BoundBucket::Dates);
                    }
                    if !in_zone.is_utc() {
                        return Err(StatisticsError::DateInZone { zone: zone.to_string() });
                    }
                    DayBuckets::new(step).map(BoundBucket::Days)
                };
                let bucket = bucket().map_err(|source| self.bad_bucket(name, source))?;
                Ok(Bucketer { field, bucket, missing: Value::NULL, numbers: None })
            }
        }
    }

    /// The numbers of the buckets of two values.
    fn bounds(&self, bucketer: &mut Bucketer, from: &Value, to: &Value) -> Result<(i128, i128), QueryError> {
        let field = &self.fields[bucketer.field];
        let mut number = |value: &Value| {
            let value = match &field.def {
                // A bound between two values of the field is as good as the next one.
                Some(def) => fit(self.collection, def, value)?.at_or_above(),
                None => bucketer.as_bounds(value.as_ref()),
            };
            Ok(value.and_then(|value| bucketer.number_of(value.as_ref())))
        };
        let numbers = number(from)?.zip(number(to)?).filter(|(from, to)| from <= to);
        numbers.ok_or_else(|| {
            self.bad_bucket(field.name(), StatisticsError::BadBounds { from: from.clone(), to: to.clone() })
        })
    }

    fn bad_bucket(&self, field: &str, source: StatisticsError) -> QueryError {
        QueryError::bad_bucket(self.collection, field, source)
    }

    /// A range in the field's kind: a bound between two of its values becomes the greater one, since the lower bound is
    /// included and the upper one is excluded.
    fn range(&self, def: &FieldDef, from: Option<&Value>, to: Option<&Value>) -> Result<Range, QueryError> {
        let fitted = |bound: Option<&Value>| match bound {
            None => Ok(None),
            Some(value) if value.as_ref().is_null() => Err(QueryError::null_operand(self.collection, def.name())),
            Some(value) => Ok(Some(operand(self.collection, def, value)?.at_or_above())),
        };
        let is_nan = |bound: Option<&Value>| matches!(bound.map(Value::as_ref), Some(ValueRef::Float(x)) if x.is_nan());
        match (fitted(from)?, fitted(to)?) {
            // Nothing is above the lower bound.
            (Some(None), _) => Err(()),
            _ if is_nan(to) => Err(()),
            (from, to) => Ok((from.flatten(), to.flatten())),
        }
        .map_err(|()| {
            let owned = |bound: Option<&Value>| bound.cloned().unwrap_or(Value::NULL);
            self.bad_bucket(def.name(), StatisticsError::BadRange { from: owned(from), to: owned(to) })
        })
    }
}

/// The definition of a field with buckets of numbers, and for an undeclared path the kind of their bounds.
fn of_numbers<'a>(
    name: &FieldName,
    def: Option<FieldDef>,
    bounds: impl Iterator<Item = &'a Value>,
) -> (FieldDef, Option<Kind>) {
    match def {
        Some(def) => (def, None),
        None => {
            let kind = kind_of_bounds(bounds);
            (FieldDef::new(name.clone(), kind), Some(kind))
        }
    }
}

const NUMBERS: [Kind; 3] = [Kind::Int, Kind::Float, Kind::Decimal];
