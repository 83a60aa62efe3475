//! Buckets: the parts of a group key.

use super::statement::Statement;
use super::{Dialect, SqlError, SqlValue};
use memdex_query::error::QueryError;
use memdex_query::query::{Bucket, DateStep, DateUnit, Predicate};
use memdex_query::schema::range_name;
use memdex_query::value::{Kind, Value, ValueRef};
use std::ops::Bound;

/// One part of a group key: the name of its column, its expression, and the condition for a record to have one.
pub(super) struct KeyPart {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) condition: Option<String>,
}

/// A range: an inclusive lower bound and an exclusive upper bound.
pub(super) type Range = (Option<Value>, Option<Value>);

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;
/// 1969-12-29 in days. Several weeks are counted from there.
const LAST_MONDAY_OF_1969: i64 = -3;
/// The largest width whose triple fits into 64 bits.
const MAX_WIDTH: i64 = i64::MAX / 4;

impl Statement<'_> {
    pub(super) fn bucket(&mut self, bucket: &Bucket) -> Result<KeyPart, SqlError> {
        let field = bucket.field();
        match bucket {
            Bucket::Values { missing: Some(_), .. } => {
                let help = "leave it out, and name the group without a value in the result";
                self.unsupported("a name for missing values", Some(field), help)
            }
            Bucket::Values { .. } => {
                let def = self.require_field(field, "groups by value")?;
                let key = self.collated(field, Some(def.kind()))?;
                Ok(KeyPart { name: field.to_string(), key, condition: None })
            }
            Bucket::Width { width, offset, .. } => {
                let (key, condition) = self.width_bucket(field, width, offset)?;
                Ok(KeyPart { name: field.to_string(), key, condition: Some(condition) })
            }
            Bucket::Date { unit, zone, every, offset_seconds, .. } => {
                if !["UTC", "Z"].iter().any(|utc| zone.eq_ignore_ascii_case(utc)) {
                    let help = "use UTC buckets";
                    return self.unsupported(format!("the time zone {zone}"), Some(field), help);
                }
                let step = DateStep { unit: *unit, every: *every, offset_seconds: *offset_seconds };
                let key = self.date_bucket(field, step)?;
                Ok(KeyPart { name: field.to_string(), key, condition: Some(self.not_null(field)?) })
            }
            Bucket::Ranges { .. } => {
                let help = "group by the ranges only, or use a query for each range";
                self.unsupported("ranges together with other buckets", Some(field), help)
            }
        }
    }

    /// The condition for a field to have a value. A record without a value has no bucket.
    fn not_null(&self, field: &str) -> Result<String, SqlError> {
        Ok(format!("{} IS NOT NULL", self.column(field)?))
    }

    /// The label of a range, and its condition.
    pub(super) fn range(&mut self, field: &str, (from, to): &Range) -> Result<(String, String), SqlError> {
        let kind = self.require_field(field, "groups by range")?.kind();
        // As the engine does: the lower bound is included, and the upper one excluded.
        let fitted = |bound: &Option<Value>| -> Result<Option<Value>, SqlError> {
            let Some(bound) = bound else { return Ok(None) };
            Ok(self.fitted(field, bound)?.at_or_above())
        };
        let (from, to) = (fitted(from)?, fitted(to)?);
        let name = range_name(&(from.clone(), to.clone()));
        let label = if let ValueRef::Str(label) = name.as_ref() { label.to_owned() } else { String::new() };
        let is_open = to.is_none();
        let (from, to) = (from.map_or(Bound::Unbounded, Bound::Included), to.map_or(Bound::Unbounded, Bound::Excluded));
        let range = Predicate::Range(field.to_owned().into(), from, to);
        let mut condition = self.filter(&range)?;
        // PostgreSQL orders NaN above all numbers, so a range without an upper bound would contain it. In memdex no
        // range does.
        if self.dialect == Dialect::Postgres && kind == Kind::Float && is_open {
            condition.push(format!("{} <> 'NaN'::double precision", self.column(field)?));
        }
        Ok((label, condition.join(" AND ")))
    }

    /// The start of the bucket that contains a number, and the condition for a number to have a bucket.
    fn width_bucket(&mut self, field: &str, width: &Value, offset: &Value) -> Result<(String, String), SqlError> {
        let def = self.require_field(field, "groups by width")?;
        let column = self.column(field)?;
        if def.kind() == Kind::Timestamp {
            return Ok((self.time_bucket(field, &column, width, offset)?, self.not_null(field)?));
        }
        let (width, offset) = (self.converted(field, width)?, self.converted(field, offset)?);
        match (def.kind(), width.as_ref(), offset.as_ref(), self.dialect) {
            (Kind::Int, ValueRef::Int(width), ValueRef::Int(offset), Dialect::Sqlite) => {
                Ok((self.int_bucket(field, &column, width, offset)?, self.not_null(field)?))
            }
            (Kind::Float, ValueRef::Float(_), ValueRef::Float(_), _) => {
                let (width, offset) = (self.value(field, &width)?, self.value(field, &offset)?);
                Ok(self.float_bucket(&column, &width, &offset))
            }
            (
                Kind::Int | Kind::Decimal,
                ValueRef::Int(_) | ValueRef::Int128(_) | ValueRef::Decimal(_),
                _,
                Dialect::Postgres,
            ) if matches!(offset.as_ref(), ValueRef::Int(_) | ValueRef::Int128(_) | ValueRef::Decimal(_)) => {
                let (width, offset) = (self.exact_param(&width), self.exact_param(&offset));
                // `mod` is exact; a quotient is not.
                let rest = format!("mod(mod({column}::numeric - {offset}, {width}) + {width}, {width})");
                Ok((format!("({column}::numeric - {rest})"), self.not_null(field)?))
            }
            (Kind::Int | Kind::Float | Kind::Decimal, ..) => {
                let help = "use a width and an offset of the kind of the field";
                self.unsupported(format!("groups by a width of {width} from {offset}"), Some(field), help)
            }
            (kind, ..) => Err(QueryError::not_numeric(self.collection, field, kind, "groups by width").into()),
        }
    }

    /// The start of the bucket of a float. Bucket `k` starts at `offset + k * width`, rounded. The division that
    /// computes `k` is rounded too, so `k` is compared with the starts of its bucket and the next one and corrected, as
    /// in the engine.
    fn float_bucket(&self, column: &str, width: &str, offset: &str) -> (String, String) {
        let quotient = format!("(({column} - {offset}) / {width})");
        let floor = match self.dialect {
            Dialect::Postgres => format!("floor{quotient}"),
            // SQLite may lack `floor`, and casts truncate.
            Dialect::Sqlite => format!("CAST({quotient} AS INTEGER) - ({quotient} < CAST({quotient} AS INTEGER))"),
        };
        let start = |k: &str| format!("{offset} + {k} * {width}");
        let (start, before, next) = (start("k"), start("(k - 1)"), start("(k + 1)"));
        let key = format!(
            "(SELECT CASE WHEN {start} > x THEN {before} WHEN {next} <= x THEN {next} ELSE {start} END \
             FROM (SELECT {column} AS x, {floor} AS k) AS steps)"
        );
        // Above 2^52, the starts of neighboring buckets may be equal. Nulls, NaN and infinities have no bucket either.
        (key, format!("abs({quotient}) <= 4503599627370496"))
    }

    fn exact_param(&mut self, number: &Value) -> String {
        self.param(SqlValue::Text(number.to_string()), &["text", "numeric"])
    }

    /// The start of the bucket of an integer, in SQLite. `%` has the sign of the dividend, and a result outside 64 bits
    /// becomes a float. So the offset is reduced below the width, and no intermediate result exceeds three widths.
    fn int_bucket(&mut self, field: &str, expression: &str, width: i64, offset: i64) -> Result<String, SqlError> {
        if width > MAX_WIDTH {
            return self.unsupported(format!("groups by a width of {width}"), Some(field), "use a smaller width");
        }
        let width_param = self.param(SqlValue::Integer(width), &[]);
        let short = match offset.rem_euclid(width) {
            0 => format!("({expression} % {width_param} + {width_param})"),
            offset => {
                let offset = self.param(SqlValue::Integer(offset), &[]);
                format!("({expression} % {width_param} - {offset} + 2 * {width_param})")
            }
        };
        Ok(format!("({expression} - {short} % {width_param})"))
    }

    /// The start of the bucket of one length that contains a time. PostgreSQL has microseconds.
    fn time_bucket(&mut self, field: &str, column: &str, width: &Value, offset: &Value) -> Result<String, SqlError> {
        let nanos = |value: &Value| value.as_ref().as_i128().and_then(|nanos| i64::try_from(nanos).ok());
        match (nanos(width).filter(|width| *width > 0), nanos(offset), self.dialect) {
            (Some(width), Some(offset), Dialect::Sqlite) => self.int_bucket(field, column, width, offset),
            (Some(width), Some(offset), Dialect::Postgres) if width % 1_000 == 0 && offset % 1_000 == 0 => {
                Ok(self.micros_bucket(column, width / 1_000, offset / 1_000))
            }
            _ => {
                let help = "use a width in nanoseconds below 73 years, for PostgreSQL in whole microseconds";
                self.unsupported(format!("groups by a width of {width} from {offset}"), Some(field), help)
            }
        }
    }

    /// The start of the bucket of a time, in PostgreSQL: by exact arithmetic, since `extract` of a time is a `numeric`.
    fn micros_bucket(&mut self, column: &str, width: i64, offset: i64) -> String {
        let exact = |micros: i64| Value::from(micros);
        let (width, offset) = (self.exact_param(&exact(width)), self.exact_param(&exact(offset)));
        let micros = format!("extract(epoch FROM {column}) * 1000000");
        let rest = format!("mod(mod({micros} - {offset}, {width}) + {width}, {width})");
        format!("({column} - {rest} * interval '1 microsecond')")
    }

    /// The first instant, or day, of the bucket that contains a time or a date.
    fn date_bucket(&mut self, field: &str, step: DateStep) -> Result<String, SqlError> {
        let kind = self.require_field(field, "groups by date")?.kind();
        if !matches!(kind, Kind::Timestamp | Kind::Date) {
            return Err(QueryError::not_numeric(self.collection, field, kind, "groups by date").into());
        }
        let column = self.column(field)?;
        let DateStep { unit, every, offset_seconds } = step;
        // A length in days or in nanoseconds, and where a bucket begins.
        let (day, second) = if kind == Kind::Date { (1, 1) } else { (NANOS_PER_DAY, NANOS_PER_SECOND) };
        let even = match unit {
            DateUnit::Minute => Some((60 * second, 0)),
            DateUnit::Hour => Some((3_600 * second, 0)),
            DateUnit::Day => Some((day, 0)),
            DateUnit::Week => Some((7 * day, LAST_MONDAY_OF_1969 * day)),
            DateUnit::Month | DateUnit::Quarter | DateUnit::Year => None,
        };
        if step != DateStep::from(unit) {
            let help = "use one month, quarter or year without an offset, or buckets of weeks or shorter units";
            let Some((length, begin)) = even else {
                return self.unsupported("buckets of several months, or with an offset", Some(field), help);
            };
            let offset = if kind == Kind::Date { offset_seconds / 86_400 } else { offset_seconds * NANOS_PER_SECOND };
            let length = length * i64::from(every);
            return match (kind, self.dialect) {
                (_, Dialect::Sqlite) => self.int_bucket(field, &column, length, begin + offset),
                (Kind::Date, Dialect::Postgres) => {
                    let (length, from) = (self.exact_param(&length.into()), self.exact_param(&(begin + offset).into()));
                    let days = format!("({column} - date '1970-01-01')::numeric");
                    let rest = format!("mod(mod({days} - {from}, {length}) + {length}, {length})");
                    Ok(format!("({column} - ({rest})::integer)"))
                }
                (_, Dialect::Postgres) => Ok(self.micros_bucket(&column, length / 1_000, (begin + offset) / 1_000)),
            };
        }
        if self.dialect == Dialect::Postgres {
            let name = match unit {
                DateUnit::Minute => "minute",
                DateUnit::Hour => "hour",
                DateUnit::Day => "day",
                DateUnit::Week => "week",
                DateUnit::Month => "month",
                DateUnit::Quarter => "quarter",
                DateUnit::Year => "year",
            };
            return Ok(match kind {
                Kind::Date => format!("date_trunc('{name}', {column}::timestamp)::date"),
                _ => format!("date_trunc('{name}', {column}, 'UTC')"),
            });
        }
        let start = match (unit, even) {
            (DateUnit::Day, _) if kind == Kind::Date => return Ok(column),
            (_, Some((length, begin))) => return self.int_bucket(field, &column, length, begin),
            (DateUnit::Quarter, None) => {
                format!(
                    "'start of month', '-' || ((strftime('%m', {0}, 'unixepoch') - 1) % 3) || ' months'",
                    seconds(&column, kind)
                )
            }
            (DateUnit::Year, None) => "'start of year'".to_owned(),
            (_, None) => "'start of month'".to_owned(),
        };
        let seconds = format!("CAST(strftime('%s', {}, 'unixepoch', {start}) AS INTEGER)", seconds(&column, kind));
        Ok(match kind {
            Kind::Date => format!("({seconds} / 86400)"),
            _ => format!("({seconds} * 1000000000)"),
        })
    }
}

/// Seconds since 1970, the input of SQLite's date functions.
fn seconds(column: &str, kind: Kind) -> String {
    match kind {
        Kind::Date => format!("{column} * 86400"),
        // Integer division truncates, which is one second too late for times before 1970.
        _ => format!("({column} / 1000000000 - ({column} % 1000000000 < 0))"),
    }
}
