//! Metrics as plain data.

use super::{Field, FieldName, IntoOrder, NamedField, OrderBy, Predicate};
use crate::value::Number;
use std::borrow::Cow;

/// One number, or other value, computed from a set of records, under a name.
///
/// ```
/// use memdex::{Metric, field};
/// use memdex::aggregate::Aggregate;
///
/// let average = field("amount").avg();
/// assert_eq!((&*average.name, &average.aggregate), ("avg(amount)", &Aggregate::Avg("amount".into())));
/// assert_eq!(average.named("mean").name, "mean");
/// assert_eq!(Metric::count().name, "count");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name in the result; by default `count`, `sum(amount)` and so on.
    pub name: Cow<'static, str>,
    /// The function, and its field.
    pub aggregate: Aggregate,
    /// Computes it from the records that match, instead of all.
    pub filter: Option<Predicate>,
}

/// A function of the values of all records, or of two metrics. A record of a field of many values contributes each of them:
/// `[3, 5]` counts as 3 and 5. Missing values are ignored. With no values, counts are 0 and every other metric is `None`.
///
/// ```
/// use memdex::{Metric, field};
/// use memdex::aggregate::Aggregate;
///
/// assert_eq!(Metric::from(Aggregate::Percentile("ms".into(), 95.0)), field("ms").percentile(95.0));
/// assert_eq!(Aggregate::Sum("amount".into()).field().unwrap(), "amount");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregate {
    /// The number of records.
    Count,
    /// The number of values of the field.
    CountOf(FieldName),
    /// The sum of numbers: exact for integers and decimals; for floats computed exactly and rounded once, so that the
    /// order of records does not matter.
    Sum(FieldName),
    /// The mean of numbers: as a float; of decimals as a decimal, rounded to the nearest, ties to even, with up to 28 digits
    /// after the point, fewer if all 38 digits would not hold them.
    Avg(FieldName),
    /// The lowest value, of any kind.
    Min(FieldName),
    /// The highest value, of any kind.
    Max(FieldName),
    /// The sample standard deviation of numbers (divided by their count minus one), as a float. `None` for fewer than
    /// two.
    StdDev(FieldName),
    /// The population standard deviation of numbers (divided by their count), as a float.
    StdDevPop(FieldName),
    /// The number of distinct values of the field; exact.
    Distinct(FieldName),
    /// The given percentile of numbers, from 0 to 100, as a float, by linear interpolation between the two nearest
    /// numbers. Integers and decimals are interpolated exactly, and the result is rounded once, to the nearest float, ties
    /// to even. Floats are interpolated in floats. 50 is the median.
    Percentile(FieldName, f64),
    /// The most frequent value, of any kind; the lowest of several.
    Mode(FieldName),
    /// The value of the first record in an order, of the records that have a value; ties are broken by key. For a
    /// field of many values, its first value. See [`Field::first_by`].
    First(FieldName, Vec<OrderBy>),
    /// The quotient of two other metrics of the same records, by their names: each is rounded to a float, then divided.
    /// `None` if one of them is, or the second is zero.
    Ratio(Cow<'static, str>, Cow<'static, str>),
}

/// The field of an aggregate, shared or mutable.
macro_rules! field_of_aggregate {
    ($aggregate:expr) => {
        match $aggregate {
            Aggregate::Count | Aggregate::Ratio(..) => None,
            Aggregate::CountOf(field)
            | Aggregate::Sum(field)
            | Aggregate::Avg(field)
            | Aggregate::Min(field)
            | Aggregate::Max(field)
            | Aggregate::StdDev(field)
            | Aggregate::StdDevPop(field)
            | Aggregate::Distinct(field)
            | Aggregate::Mode(field)
            | Aggregate::First(field, _)
            | Aggregate::Percentile(field, _) => Some(field),
        }
    };
}

impl Aggregate {
    /// Its field; `None` for [`Count`](Aggregate::Count) and [`Ratio`](Aggregate::Ratio).
    pub fn field(&self) -> Option<&FieldName> {
        field_of_aggregate!(self)
    }

    pub(super) fn field_mut(&mut self) -> Option<&mut FieldName> {
        field_of_aggregate!(self)
    }

    pub(super) fn order_mut(&mut self) -> &mut [OrderBy] {
        match self {
            Aggregate::First(_, order) => order,
            _ => &mut [],
        }
    }

    /// Its name in the names of metrics, in errors and in the serde form.
    pub fn verb(&self) -> &'static str {
        match self {
            Aggregate::Count | Aggregate::CountOf(_) => "count",
            Aggregate::Sum(_) => "sum",
            Aggregate::Avg(_) => "avg",
            Aggregate::Min(_) => "min",
            Aggregate::Max(_) => "max",
            Aggregate::StdDev(_) => "stddev",
            Aggregate::StdDevPop(_) => "stddev_pop",
            Aggregate::Distinct(_) => "distinct",
            Aggregate::Percentile(..) => "percentile",
            Aggregate::Mode(_) => "mode",
            Aggregate::First(..) => "first",
            Aggregate::Ratio(..) => "ratio",
        }
    }

    /// The name of its metric, unless it gets another.
    pub(super) fn name(&self) -> Cow<'static, str> {
        match (self, self.field()) {
            (Aggregate::Percentile(field, at), _) => Cow::Owned(format!("percentile({field}, {at})")),
            (Aggregate::Ratio(of, by), _) => Cow::Owned(format!("{of} / {by}")),
            (_, Some(field)) => Cow::Owned(format!("{}({field})", self.verb())),
            (_, None) => Cow::Borrowed(self.verb()),
        }
    }
}

impl Metric {
    /// The number of records; named `count`.
    pub fn count() -> Self {
        Metric::from(Aggregate::Count)
    }

    /// The quotient of two metrics of the same records; named `a / b`. See [`Aggregate::Ratio`].
    ///
    /// ```
    /// use memdex::{Filter, Metric, Record, Store};
    ///
    /// #[derive(Record)]
    /// struct Flight { #[record(key)] id: u32, #[record(field)] late: bool }
    ///
    /// let flights = Store::new().collection::<Flight>("Flight")?;
    /// for id in 0..8 {
    ///     flights.store(Flight { id, late: id < 2 })?;
    /// }
    /// let late = Metric::count().filter(flight::LATE.eq(true)).named("late");
    /// let metrics = [Metric::count(), late, Metric::ratio("late", "count").named("share")];
    /// let result = flights.find(Filter::all()).statistics(metrics)?;
    /// assert_eq!((result.int("count"), result.int("late"), result.float("share")), (Some(8), Some(2), Some(0.25)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ratio(numerator: impl Into<Cow<'static, str>>, denominator: impl Into<Cow<'static, str>>) -> Self {
        Metric::from(Aggregate::Ratio(numerator.into(), denominator.into()))
    }

    /// Renames the metric.
    #[must_use]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Metric { name: name.into(), ..self }
    }

    /// Computes the metric only from the records that match a condition. Groups have the records of the query all the
    /// same. Two filters are combined by *and*.
    #[must_use]
    pub fn filter(self, condition: impl Into<Predicate>) -> Self {
        let condition = condition.into();
        let filter = match self.filter {
            Some(filter) => filter & condition,
            None => condition,
        };
        Metric { filter: Some(filter), ..self }
    }
}

impl From<Aggregate> for Metric {
    fn from(aggregate: Aggregate) -> Self {
        Metric { name: aggregate.name(), aggregate, filter: None }
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $method:ident $([$bound:ident])?: $aggregate:ident;)*) => {
        /// Metrics of this field.
        impl<R, T> Field<R, T> {
            $($(#[$doc])*
            pub fn $method(&self) -> Metric
            where
                $(T: $bound,)?
            {
                Aggregate::$aggregate(self.name()).into()
            })*

            /// The median of its numbers: their 50th [percentile](Aggregate::Percentile).
            pub fn median(&self) -> Metric
            where
                T: Number,
            {
                self.percentile(50.0).named(format!("median({})", self.name()))
            }

            /// A percentile of its numbers; see [`Aggregate::Percentile`].
            pub fn percentile(&self, percent: f64) -> Metric
            where
                T: Number,
            {
                Aggregate::Percentile(self.name(), percent).into()
            }

            /// Its value in the first record in an order; named `first(field)`. Records without a value of this field are
            /// ignored, and ties are broken by key. For whole records see [`GroupBy::hits`](crate::query::GroupBy::hits).
            ///
            /// ```
            /// use memdex::{GroupBy, Filter, Record, Store};
            ///
            /// #[derive(Record)]
            /// struct Login { #[record(key)] id: u32, #[record(field)] user: String, #[record(field)] device: String }
            ///
            /// let logins = Store::new().collection::<Login>("Login")?;
            /// for (id, device) in [(1, "phone"), (2, "laptop")] {
            ///     logins.store(Login { id, user: "ada".into(), device: device.into() })?;
            /// }
            /// let newest = GroupBy::values(login::USER).metrics([login::DEVICE.first_by(login::ID.desc()).named("device")]);
            /// let result = logins.find(Filter::all()).statistics(newest)?;
            /// assert_eq!(result.group("ada").unwrap().get("device"), Some(&"laptop".into()));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn first_by(&self, order: impl IntoOrder) -> Metric {
                Aggregate::First(self.name(), order.into_order()).into()
            }

            /// Its value in the last record in an order, the first one in the opposite order; named `last(field)`. See
            /// [`first_by`](Self::first_by).
            pub fn last_by(&self, order: impl IntoOrder) -> Metric {
                last(self.name(), order)
            }
        }

        /// Metrics of this field.
        impl NamedField {
            $($(#[$doc])*
            pub fn $method(self) -> Metric {
                Aggregate::$aggregate(self.name).into()
            })*

            /// The median of its numbers: their 50th [percentile](Aggregate::Percentile).
            pub fn median(self) -> Metric {
                let name = format!("median({})", self.name);
                self.percentile(50.0).named(name)
            }

            /// A percentile of its numbers; see [`Aggregate::Percentile`].
            pub fn percentile(self, percent: f64) -> Metric {
                Aggregate::Percentile(self.name, percent).into()
            }

            /// Its value in the first record in an order; see [`Field::first_by`].
            pub fn first_by(self, order: impl IntoOrder) -> Metric {
                Aggregate::First(self.name, order.into_order()).into()
            }

            /// Its value in the last record in an order; see [`Field::last_by`].
            pub fn last_by(self, order: impl IntoOrder) -> Metric {
                last(self.name, order)
            }
        }
    };
}

metrics! {
    /// The number of its values; see [`Aggregate::CountOf`].
    count: CountOf;
    /// Their sum; see [`Aggregate::Sum`].
    sum [Number]: Sum;
    /// Their mean; see [`Aggregate::Avg`].
    avg [Number]: Avg;
    /// The lowest; see [`Aggregate::Min`].
    min: Min;
    /// The highest; see [`Aggregate::Max`].
    max: Max;
    /// Their sample standard deviation; see [`Aggregate::StdDev`].
    stddev [Number]: StdDev;
    /// Their population standard deviation; see [`Aggregate::StdDevPop`].
    stddev_pop [Number]: StdDevPop;
    /// The number of distinct ones; see [`Aggregate::Distinct`].
    distinct: Distinct;
    /// The most frequent one; see [`Aggregate::Mode`].
    mode: Mode;
}

fn last(field: FieldName, order: impl IntoOrder) -> Metric {
    let name = format!("last({field})");
    let opposite = order.into_order().into_iter().map(OrderBy::reversed).collect();
    Metric::from(Aggregate::First(field, opposite)).named(name)
}
