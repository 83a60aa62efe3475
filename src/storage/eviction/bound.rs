//! The bound of a collection, as its user describes it, and as the committer applies it.

use super::super::any_version::AnyVersion;
use crate::error::Cause;
use crate::record::{Condition, FieldAt, FieldDef, Record, Schema};
use crate::user_code;
use memdex_query::query::{Filter, Predicate};
use memdex_query::value::{Kind, ValueRef};
use std::fmt;

/// Which records leave a collection when its [`Bound`] is reached.
///
/// Records that have expired leave first, under every policy.
///
/// A use of a record is a read by `get`, `get_with`, `get_by` or `get_many` of the collection, a page that `find` with a limit fetches, or
/// a write of a record that is already there. Other queries, statistics, `count`, `iter`, `contains`, `peek` and snapshots are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum EvictionPolicy {
    /// S3-FIFO: keeps what is used often, and lets records that are used once pass through a tenth of the collection, so that a scan
    /// displaces little.
    #[default]
    S3Fifo,
    /// SIEVE: evicts the first record from the oldest on that was not used since the last round. It adapts faster than S3-FIFO, and
    /// a scan displaces more.
    Sieve,
    /// The record that was inserted first, whether it is used or not. Updates don't change its place.
    OldestFirst,
    /// The record whose lifetime ends next. Records without a lifetime come last, the oldest first. O(log records) for each change.
    SoonestToExpire,
}

/// The bound of a collection; see [`Collection::set_bound`](crate::Collection::set_bound).
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::write::{Bound, EvictionPolicy};
///
/// #[derive(Record)]
/// struct Image { #[record(key)] url: String, #[record(index)] pinned: bool, pixels: Vec<u8> }
///
/// let images = Store::new().collection::<Image>("Image")?;
/// let bound = Bound::weight(10_000).weigh(|image: &Image| 100 + image.pixels.len() as u64);
/// images.set_bound(bound.policy(EvictionPolicy::Sieve).protect(image::PINNED.eq(true)))?;
/// images.store(Image { url: "logo".into(), pinned: true, pixels: vec![0; 900] })?;
/// for n in 0..30 {
///     images.store(Image { url: n.to_string(), pinned: false, pixels: vec![0; 900] })?;
/// }
/// assert_eq!((images.len(), images.contains("logo"), images.contains("29")), (10, true, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it does nothing until it is passed to `set_bound`"]
pub struct Bound<R> {
    limit: u64,
    by_weight: bool,
    policy: EvictionPolicy,
    weigh: Option<Weigh<R>>,
    protect: Option<Predicate>,
}

type Weigh<R> = Box<dyn Fn(&R) -> u64 + Send + Sync>;

impl<R: Record> Bound<R> {
    fn new(limit: u64, by_weight: bool) -> Self {
        Bound { limit, by_weight, policy: EvictionPolicy::default(), weigh: None, protect: None }
    }

    /// At most this many records.
    pub fn records(records: usize) -> Self {
        Bound::new(records as u64, false)
    }

    /// Records that weigh at most this much together. The weight of a record is the result of the closure that [`weigh`](Bound::weigh) is
    /// given, or else the value of the field with `#[record(weight)]`. A weight of less than 1 counts as 1.
    pub fn weight(weight: u64) -> Self {
        Bound::new(weight, true)
    }

    /// Which records leave first. Without it, [`EvictionPolicy::S3Fifo`].
    pub fn policy(mut self, policy: EvictionPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Weighs records by a closure, and not by a field. Each record is weighed when it is written, and the weight is kept until it is
    /// written again. If the closure panics, the write is refused. It runs under the commit lock: keep it short.
    pub fn weigh(mut self, weigh: impl Fn(&R) -> u64 + Send + Sync + 'static) -> Self {
        self.weigh = Some(Box::new(weigh));
        self
    }

    /// Never evicts the records that match a filter. They count, so a write is refused if it needs their place. The filter is evaluated
    /// when a record is written. A record that no longer matches counts as inserted at that moment.
    pub fn protect(mut self, filter: impl Into<Filter<R>>) -> Self {
        self.protect = Some(filter.into().into_predicate());
        self
    }

    /// Binds it to a collection. On an error also returns the closure, whose drop is user code.
    pub(crate) fn bind(self, collection: &str, schema: &Schema) -> (Bounded, Result<(), Cause>) {
        let Bound { limit, by_weight, policy, weigh, protect } = self;
        // So that the sum of two bounds does not overflow.
        let limit = limit.min(1 << 62);
        let mut bounded = Bounded { limit, by_weight, policy, measure: Measure::One, protect: None };
        let mut problem = (limit == 0).then_some(Cause::ZeroBound);
        bounded.measure = match (by_weight, weigh) {
            (_, Some(weigh)) => Measure::Closure(Box::new(move |version| version.record_as().map_or(1, &*weigh))),
            (false, None) => Measure::One,
            (true, None) => match weight_field(schema) {
                Ok(field) => Measure::Field(field),
                Err(cause) => {
                    problem = problem.or(Some(cause));
                    Measure::One
                }
            },
        };
        match protect.map(|filter| Condition::new(collection, schema, &filter)).transpose() {
            Ok(condition) => bounded.protect = condition,
            Err(error) => problem = problem.or(Some(error.into())),
        }
        (bounded, problem.map_or(Ok(()), Err))
    }
}

fn weight_field(schema: &Schema) -> Result<FieldAt, Cause> {
    let field = schema.fields().iter().find(|field| field.is_weight());
    let found = field.and_then(|field| schema.find(field.name()));
    match found {
        None => Err(Cause::NoWeight),
        Some((at, def)) if def.kind() == Kind::Int && !def.is_many() => Ok(at),
        Some((_, def)) => Err(not_a_weight(def)),
    }
}

fn not_a_weight(def: &FieldDef) -> Cause {
    Cause::NotAWeight { field: def.name().to_owned(), kind: def.kind(), is_many: def.is_many() }
}

impl<R> fmt::Debug for Bound<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("limit", &self.limit)
            .field("by_weight", &self.by_weight)
            .field("policy", &self.policy)
            .field("protect", &self.protect)
            .finish_non_exhaustive()
    }
}

/// A bound that fits the schema of its collection.
pub(crate) struct Bounded {
    pub(crate) limit: u64,
    pub(crate) by_weight: bool,
    pub(crate) policy: EvictionPolicy,
    measure: Measure,
    protect: Option<Condition>,
}

/// The weight of the record of a version.
type Weight = Box<dyn Fn(&dyn AnyVersion) -> u64 + Send + Sync>;

enum Measure {
    One,
    Field(FieldAt),
    Closure(Weight),
}

/// What the bound knows of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) weight: u64,
    pub(crate) is_protected: bool,
}

impl Bounded {
    /// Measures a record. Runs user code. Refuses one that is heavier than the bound.
    pub(crate) fn measure(&self, record: &dyn AnyVersion) -> Result<Measured, Cause> {
        let measured = self.weigh(record)?;
        match measured.weight > self.limit {
            true => Err(Cause::TooHeavy { weight: measured.weight, limit: self.limit }),
            false => Ok(measured),
        }
    }

    /// Measures a record, however heavy it is. Runs user code.
    pub(crate) fn weigh(&self, record: &dyn AnyVersion) -> Result<Measured, Cause> {
        let weight = user_code::run(|| match &self.measure {
            _ if !self.by_weight => 1,
            Measure::One => 1,
            Measure::Field(field) => weight_of(record.value_at(field)),
            Measure::Closure(weigh) => weigh(record),
        });
        let weight = weight.map_err(|message| Cause::Panicked { what: "weight of a record", message })?.max(1);
        let is_protected = user_code::run(|| self.protect.as_ref().is_some_and(|of| of.holds(record)));
        let is_protected = is_protected.map_err(|message| Cause::Panicked { what: "field extractor", message })?;
        Ok(Measured { weight, is_protected })
    }

    /// The unit of the bound, for messages.
    pub(crate) fn unit(&self) -> &'static str {
        if self.by_weight { "units of weight" } else { "records" }
    }
}

fn weight_of(value: ValueRef<'_>) -> u64 {
    match value {
        ValueRef::Int(weight) => weight.max(1).unsigned_abs(),
        ValueRef::Int128(weight) => u64::try_from(weight.max(1)).unwrap_or(u64::MAX),
        ValueRef::UInt128(_) => u64::MAX,
        _ => 1,
    }
}
