//! What makes a group's key.

use super::statement::Statement;
use super::{Dialect, SqlError, SqlValue};
use memdex_query::error::QueryError;
use memdex_query::query::{Bucket, DateUnit, Predicate};
use memdex_query::schema::range_name;
use memdex_query::value::{Kind, Value, ValueRef};
use std::ops::Bound;

/// One part of a group's key: what its column is called, what is in it, and which records have one at all.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) condition: Option<String>,
}

/// From, included, and to, not included.
pub(super) type Range = (Option<Value>, Option<Value>);

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;
/// 1970-01-05: a Monday.
const FIRST_MONDAY: i64 = 4;
/// Above, a sum of three of them leaves 64 bits.
const WIDEST: i64 = i64::MAX / 4;

impl Statement<'_> {
    pub(super) fn bucket(&mut self, bucket: &Bucket) -> Result<Part, SqlError> {
        let field = bucket.field();
        match bucket {
            Bucket::Values { .. } => {
                let def = self.known(field, "groups by value")?;
                let key = self.in_order(field, Some(def.kind()))?;
                Ok(Part { name: field.to_string(), key, condition: None })
            }
            Bucket::Width { width, offset, .. } => {
                let (key, condition) = self.width(field, width, offset)?;
                Ok(Part { name: field.to_string(), key, condition: Some(condition) })
            }
            Bucket::Date { unit, zone, .. } => {
                if !["UTC", "Z"].iter().any(|utc| zone.eq_ignore_ascii_case(utc)) {
                    let instead = "ask for buckets of UTC";
                    return self.unsupported(format!("the calendar of {zone}"), Some(field), instead);
                }
                let key = self.date(field, *unit)?;
                Ok(Part { name: field.to_string(), key, condition: Some(self.present(field)?) })
            }
            Bucket::Ranges { .. } => {
                let instead = "ask for groups by these ranges alone, or by the other parts within each range";
                self.unsupported("ranges as one part of several", Some(field), instead)
            }
        }
    }

    /// What is in no bucket is in no group.
    fn present(&self, field: &str) -> Result<String, SqlError> {
        Ok(format!("{} IS NOT NULL", self.column(field)?))
    }

    /// A range as it is called, and as a condition.
    pub(super) fn range(&mut self, field: &str, (from, to): &Range) -> Result<(String, String), SqlError> {
        let kind = self.known(field, "groups by range")?.kind();
        let fitted = |bound: &Option<Value>| bound.as_ref().map(|value| self.fitted(field, value)).transpose();
        let (from, to) = (fitted(from)?, fitted(to)?);
        let name = range_name(&(from.clone(), to.clone()));
        let label = if let ValueRef::Str(label) = name.as_ref() { label.to_owned() } else { String::new() };
        let is_open = to.is_none();
        let (from, to) = (from.map_or(Bound::Unbounded, Bound::Included), to.map_or(Bound::Unbounded, Bound::Excluded));
        let range = Predicate::Range(field.to_owned().into(), from, to);
        let mut condition = self.filter(&range)?;
        // Above all numbers there, NaN would be in every range without an end; it is in none.
        if self.dialect == Dialect::Postgres && kind == Kind::Float && is_open {
            condition.push(format!("{} <> 'NaN'::double precision", self.column(field)?));
        }
        Ok((label, condition.join(" AND ")))
    }

    /// The lowest number of the bucket that a number lies in, and which numbers lie in one.
    fn width(&mut self, field: &str, width: &Value, offset: &Value) -> Result<(String, String), SqlError> {
        let def = self.known(field, "groups by width")?;
        let column = self.column(field)?;
        let (width, offset) = (self.fitted(field, width)?, self.fitted(field, offset)?);
        match (def.kind(), width.as_ref(), offset.as_ref(), self.dialect) {
            (Kind::Int, ValueRef::Int(width), ValueRef::Int(offset), Dialect::Sqlite) => {
                Ok((self.steps(field, &column, width, offset)?, self.present(field)?))
            }
            (Kind::Float, ValueRef::Float(_), ValueRef::Float(_), _) => {
                let (width, offset) = (self.value(field, &width)?, self.value(field, &offset)?);
                Ok(self.float_steps(&column, &width, &offset))
            }
            (
                Kind::Int | Kind::Decimal,
                ValueRef::Int(_) | ValueRef::Int128(_) | ValueRef::Decimal(_),
                _,
                Dialect::Postgres,
            ) if matches!(offset.as_ref(), ValueRef::Int(_) | ValueRef::Int128(_) | ValueRef::Decimal(_)) => {
                let (width, offset) = (self.exact(&width), self.exact(&offset));
                // `mod` is exact, a quotient is not.
                let rest = format!("mod(mod({column}::numeric - {offset}, {width}) + {width}, {width})");
                Ok((format!("({column}::numeric - {rest})"), self.present(field)?))
            }
            (Kind::Int | Kind::Float | Kind::Decimal, ..) => {
                let instead = "give width and offset as numbers of the field's kind";
                self.unsupported(format!("groups by a width of {width} from {offset}"), Some(field), instead)
            }
            (kind, ..) => {
                let (collection, field, purpose) =
                    (self.collection.to_owned(), field.to_owned(), "groups by width".to_owned());
                Err(QueryError::NotNumeric { collection, field, kind, purpose }.into())
            }
        }
    }

    /// The start of the step of floats that a column lies in. Each starts at `offset + k * width` as that is rounded, and a number
    /// lies between two starts exactly; so what a division makes of `k` is looked at again, as the engine does.
    fn float_steps(&self, column: &str, width: &str, offset: &str) -> (String, String) {
        let quotient = format!("(({column} - {offset}) / {width})");
        let floor = match self.dialect {
            Dialect::Postgres => format!("floor{quotient}"),
            // There need not be a floor; casts cut off.
            Dialect::Sqlite => format!("CAST({quotient} AS INTEGER) - ({quotient} < CAST({quotient} AS INTEGER))"),
        };
        let start = |k: &str| format!("{offset} + {k} * {width}");
        let (start, before, next) = (start("k"), start("(k - 1)"), start("(k + 1)"));
        let key = format!(
            "(SELECT CASE WHEN {start} > x THEN {before} WHEN {next} <= x THEN {next} ELSE {start} END \
             FROM (SELECT {column} AS x, {floor} AS k) AS steps)"
        );
        // Beyond, starts are no longer told apart. What is missing or no finite number lies nowhere either.
        (key, format!("abs({quotient}) <= 4503599627370496"))
    }

    fn exact(&mut self, number: &Value) -> String {
        self.param(SqlValue::Text(number.to_string()), &["text", "numeric"])
    }

    /// In SQLite: the start of the step of integers that an expression lies in. `%` has the sign of what is divided, and what
    /// leaves 64 bits turns into a float; so the offset is made less than the width, and nothing grows beyond three of these.
    fn steps(&mut self, field: &str, expression: &str, width: i64, offset: i64) -> Result<String, SqlError> {
        if width > WIDEST {
            return self.unsupported(format!("groups by a width of {width}"), Some(field), "give a smaller one");
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

    /// The first moment, or day, of the unit that one lies in.
    fn date(&mut self, field: &str, unit: DateUnit) -> Result<String, SqlError> {
        let kind = self.known(field, "groups by date")?.kind();
        if !matches!(kind, Kind::Timestamp | Kind::Date) {
            let (collection, field, purpose) =
                (self.collection.to_owned(), field.to_owned(), "groups by date".to_owned());
            return Err(QueryError::NotNumeric { collection, field, kind, purpose }.into());
        }
        let column = self.column(field)?;
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
        let (day, second) = if kind == Kind::Date { (1, 1) } else { (NANOS_PER_DAY, NANOS_PER_SECOND) };
        let start = match (unit, kind) {
            (DateUnit::Day, Kind::Date) => return Ok(column),
            (DateUnit::Minute, _) => return self.steps(field, &column, 60 * second, 0),
            (DateUnit::Hour, _) => return self.steps(field, &column, 3_600 * second, 0),
            (DateUnit::Day, _) => return self.steps(field, &column, day, 0),
            (DateUnit::Week, _) => return self.steps(field, &column, 7 * day, FIRST_MONDAY * day),
            (DateUnit::Month, _) => "'start of month'".to_owned(),
            (DateUnit::Quarter, _) => {
                format!(
                    "'start of month', '-' || ((strftime('%m', {0}, 'unixepoch') - 1) % 3) || ' months'",
                    seconds(&column, kind)
                )
            }
            (DateUnit::Year, _) => "'start of year'".to_owned(),
        };
        let seconds = format!("CAST(strftime('%s', {}, 'unixepoch', {start}) AS INTEGER)", seconds(&column, kind));
        Ok(match kind {
            Kind::Date => format!("({seconds} / 86400)"),
            _ => format!("({seconds} * 1000000000)"),
        })
    }
}

/// In SQLite: seconds since 1970, of which its calendar makes dates.
fn seconds(column: &str, kind: Kind) -> String {
    match kind {
        Kind::Date => format!("{column} * 86400"),
        // A division cuts off; below zero that would be a second too late.
        _ => format!("({column} / 1000000000 - ({column} % 1000000000 < 0))"),
    }
}
