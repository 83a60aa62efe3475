//! A question bound to a schema: fields are found, kinds fit, what makes no sense is refused before anything is read.

use super::{FieldAt, FieldDef, Schema, fit};
use crate::aggregate::{Buckets, DateBuckets, DayBuckets, Ranges, Unit, Zone};
use crate::error::{QueryError, StatisticsError};
use crate::limits::{MAX_GROUP_LEVELS, MAX_GROUP_PARTS, MAX_METRICS};
use crate::query::{Aggregate, Bucket, DateUnit, GroupBy, Metric, Statistics};
use crate::value::{Kind, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// The names of metrics, in the order in which they were asked for: shared by all groups of a level.
pub type Names = Arc<[Cow<'static, str>]>;

/// What is asked: of all records first, then level by level of the groups within.
pub struct Bound {
    pub collection: String,
    /// Every field that anything is asked of, once.
    pub fields: Vec<FieldUse>,
    pub levels: Vec<Level>,
}

pub struct FieldUse {
    pub at: FieldAt,
    pub def: FieldDef,
}

/// Groups within those of the level before; on the first one all records, without a bucket.
pub struct Level {
    pub buckets: Vec<Part>,
    pub metrics: Vec<Asked>,
    pub names: Names,
    pub empty: bool,
    pub top: Option<Best>,
}

/// One part of the keys of groups.
pub struct Part {
    /// Its place among the fields.
    pub field: usize,
    pub cut: Cut,
}

/// How values are parted.
#[derive(Clone)]
pub enum Cut {
    Values,
    Width(Buckets),
    /// Beside them their bounds, of the field's kind: from, included, and to, not included.
    Ranges(Ranges, Vec<Range>),
    Dates(DateBuckets),
    Days(DayBuckets),
}

pub type Range = (Option<Value>, Option<Value>);

/// One metric.
pub struct Asked {
    pub figure: Figure,
    /// The place of its field among the fields; of the count of records none.
    pub field: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    StdDev,
    StdDevPop,
    Distinct,
    Percentile(f64),
}

/// Which groups are given.
pub struct Best {
    pub groups: usize,
    /// Its place among the metrics.
    pub metric: usize,
    pub descending: bool,
}

impl Bound {
    pub fn new(collection: &str, schema: &Schema, statistics: &Statistics) -> Result<Self, QueryError> {
        let mut binder = Binder { collection, schema, fields: Vec::new() };
        let first = binder.metrics(&statistics.metrics)?;
        let mut levels = vec![Level { buckets: Vec::new(), empty: false, top: None, ..first }];
        let mut metrics = levels[0].metrics.len();
        let mut next = statistics.groups.as_deref();
        while let Some(group_by) = next {
            binder.at_most("levels of groups", levels.len(), MAX_GROUP_LEVELS)?;
            metrics += group_by.within.metrics.len();
            binder.at_most("metrics", metrics, MAX_METRICS)?;
            levels.push(binder.level(group_by)?);
            next = group_by.within.groups.as_deref();
        }
        Ok(Bound { collection: collection.to_owned(), fields: binder.fields, levels })
    }
}

struct Binder<'a> {
    collection: &'a str,
    schema: &'a Schema,
    fields: Vec<FieldUse>,
}

impl Binder<'_> {
    fn collection(&self) -> String {
        self.collection.to_owned()
    }

    fn at_most(&self, what: &'static str, given: usize, limit: usize) -> Result<(), QueryError> {
        if given > limit {
            return Err(QueryError::TooMany { collection: self.collection(), what, given, limit });
        }
        Ok(())
    }

    /// The place of a field among those in use, and what it is.
    fn field(&mut self, name: &str, purpose: &dyn Fn() -> String) -> Result<(usize, FieldDef), QueryError> {
        let (collection, field) = (self.collection(), name.to_owned());
        let Some((at, def)) = self.schema.find(name) else {
            if self.schema.is_open() {
                return Err(QueryError::UndeclaredField { collection, field, purpose: purpose() });
            }
            let known = self.schema.fields().iter().map(|field| field.name().to_owned()).collect();
            return Err(QueryError::UnknownField { collection, field, known });
        };
        let def = def.clone();
        let place = self.fields.iter().position(|known| known.at == at).unwrap_or_else(|| {
            self.fields.push(FieldUse { at, def: def.clone() });
            self.fields.len() - 1
        });
        Ok((place, def))
    }

    /// A field of single values.
    fn single(&mut self, name: &str, purpose: &dyn Fn() -> String) -> Result<(usize, FieldDef), QueryError> {
        let (place, def) = self.field(name, purpose)?;
        if def.is_many() {
            let (collection, field) = (self.collection(), name.to_owned());
            return Err(QueryError::NotSingle { collection, field, purpose: purpose() });
        }
        Ok((place, def))
    }

    /// A field of single values of some kinds.
    fn single_of(
        &mut self,
        name: &str,
        kinds: &[Kind],
        purpose: &dyn Fn() -> String,
    ) -> Result<(usize, FieldDef), QueryError> {
        let (place, def) = self.single(name, purpose)?;
        if !kinds.contains(&def.kind()) {
            let (collection, field, kind) = (self.collection(), name.to_owned(), def.kind());
            return Err(QueryError::NotNumeric { collection, field, kind, purpose: purpose() });
        }
        Ok((place, def))
    }

    fn metrics(&mut self, metrics: &[Metric]) -> Result<Level, QueryError> {
        self.at_most("metrics", metrics.len(), MAX_METRICS)?;
        let mut asked = Vec::with_capacity(metrics.len());
        for (at, metric) in metrics.iter().enumerate() {
            if metrics[..at].iter().any(|other| other.name == metric.name) {
                let (collection, metric) = (self.collection(), metric.name.to_string());
                return Err(QueryError::DuplicateMetric { collection, metric });
            }
            asked.push(self.metric(metric)?);
        }
        let names = metrics.iter().map(|metric| metric.name.clone()).collect();
        Ok(Level { buckets: Vec::new(), metrics: asked, names, empty: false, top: None })
    }

    fn metric(&mut self, metric: &Metric) -> Result<Asked, QueryError> {
        let aggregate = &metric.aggregate;
        let purpose = || aggregate.verb().to_owned();
        let figure = match aggregate {
            Aggregate::Count | Aggregate::CountOf(_) => Figure::Count,
            Aggregate::Sum(_) => Figure::Sum,
            Aggregate::Avg(_) => Figure::Avg,
            Aggregate::Min(_) => Figure::Min,
            Aggregate::Max(_) => Figure::Max,
            Aggregate::StdDev(_) => Figure::StdDev,
            Aggregate::StdDevPop(_) => Figure::StdDevPop,
            Aggregate::Distinct(_) => Figure::Distinct,
            Aggregate::Percentile(_, percent) if (0.0..=100.0).contains(percent) => Figure::Percentile(*percent),
            Aggregate::Percentile(_, percent) => {
                let (collection, metric) = (self.collection(), metric.name.to_string());
                let source = StatisticsError::BadPercentile { percentile: Value::from(*percent) }.into();
                return Err(QueryError::BadMetric { collection, metric, source });
            }
        };
        let Some(field) = aggregate.field() else { return Ok(Asked { figure, field: None }) };
        let (field, _) = match figure {
            Figure::Count | Figure::Distinct => self.field(field, &purpose)?,
            Figure::Min | Figure::Max => self.single(field, &purpose)?,
            _ => self.single_of(field, &NUMBERS, &purpose)?,
        };
        Ok(Asked { figure, field: Some(field) })
    }

    fn level(&mut self, group_by: &GroupBy) -> Result<Level, QueryError> {
        if group_by.by.is_empty() {
            return Err(QueryError::NoBuckets { collection: self.collection() });
        }
        self.at_most("parts of the key of a group", group_by.by.len(), MAX_GROUP_PARTS)?;
        let buckets = group_by.by.iter().map(|bucket| self.bucket(bucket)).collect::<Result<Vec<_>, _>>()?;
        let is_histogram = matches!(&buckets[..], [Part { cut: Cut::Width(_) | Cut::Dates(_) | Cut::Days(_), .. }]);
        if group_by.empty && !is_histogram {
            return Err(QueryError::NotAHistogram { collection: self.collection() });
        }
        let level = self.metrics(&group_by.within.metrics)?;
        let top = group_by.top.as_ref().map(|top| {
            if top.groups == 0 {
                return Err(QueryError::TopOfNothing { collection: self.collection() });
            }
            let metric = level.names.iter().position(|name| *name == top.metric);
            let metric = metric.ok_or_else(|| QueryError::UnknownMetric {
                collection: self.collection(),
                metric: top.metric.to_string(),
                known: level.names.iter().map(|name| name.to_string()).collect(),
            })?;
            Ok(Best { groups: top.groups, metric, descending: top.descending })
        });
        Ok(Level { buckets, empty: group_by.empty, top: top.transpose()?, ..level })
    }

    fn bucket(&mut self, bucket: &Bucket) -> Result<Part, QueryError> {
        let name = bucket.field();
        match bucket {
            Bucket::Values { .. } => {
                let (field, _) = self.field(name, &|| "groups".to_owned())?;
                Ok(Part { field, cut: Cut::Values })
            }
            Bucket::Width { width, offset, .. } => {
                let (field, def) = self.single_of(name, &NUMBERS, &|| "histogram".to_owned())?;
                let (width, offset) = (fit(self.collection, &def, width)?, fit(self.collection, &def, offset)?);
                let buckets = Buckets::new(def.kind(), width.as_ref(), offset.as_ref());
                Ok(Part { field, cut: Cut::Width(buckets.map_err(|source| self.bad_bucket(name, source))?) })
            }
            Bucket::Ranges { ranges, .. } => {
                let (field, def) = self.single(name, &|| "ranges".to_owned())?;
                if ranges.is_empty() {
                    return Err(QueryError::NoBuckets { collection: self.collection() });
                }
                let mut bounds = Vec::with_capacity(ranges.len());
                for (from, to) in ranges {
                    let fit = |bound: &Option<Value>| bound.as_ref().map(|value| self.bound(&def, value)).transpose();
                    bounds.push((fit(from)?, fit(to)?));
                }
                let ranges = Ranges::new(&bounds).map_err(|source| self.bad_bucket(name, source))?;
                Ok(Part { field, cut: Cut::Ranges(ranges, bounds) })
            }
            Bucket::Date { unit, zone, .. } => {
                let kinds = [Kind::Timestamp, Kind::Date];
                let (field, def) = self.single_of(name, &kinds, &|| "date histogram".to_owned())?;
                let cut = || -> Result<Cut, StatisticsError> {
                    let (unit, in_zone) = (unit_of(*unit), Zone::parse(zone)?);
                    if def.kind() == Kind::Timestamp {
                        return Ok(Cut::Dates(DateBuckets::new(unit, in_zone)));
                    }
                    if !in_zone.is_utc() {
                        return Err(StatisticsError::DateInZone { zone: zone.to_string() });
                    }
                    DayBuckets::new(unit).map(Cut::Days)
                };
                Ok(Part { field, cut: cut().map_err(|source| self.bad_bucket(name, source))? })
            }
        }
    }

    fn bad_bucket(&self, field: &str, source: StatisticsError) -> QueryError {
        QueryError::BadBucket { collection: self.collection(), field: field.to_owned(), source: source.into() }
    }

    /// A bound of a range.
    fn bound(&self, def: &FieldDef, value: &Value) -> Result<Value, QueryError> {
        if value.as_ref().is_null() {
            let (collection, field) = (self.collection(), def.name().to_owned());
            return Err(QueryError::NullOperand { collection, field });
        }
        fit(self.collection, def, value)
    }
}

fn unit_of(unit: DateUnit) -> Unit {
    match unit {
        DateUnit::Minute => Unit::Minute,
        DateUnit::Hour => Unit::Hour,
        DateUnit::Day => Unit::Day,
        DateUnit::Week => Unit::Week,
        DateUnit::Month => Unit::Month,
        DateUnit::Quarter => Unit::Quarter,
        DateUnit::Year => Unit::Year,
    }
}

const NUMBERS: [Kind; 3] = [Kind::Int, Kind::Float, Kind::Decimal];
