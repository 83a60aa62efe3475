//! Values as parameters, and as literals where SQL allows no parameter.

use super::{Dialect, SqlError};
use memdex_query::value::{Value, ValueRef};

/// A parameter of a statement.
///
/// Bind each variant as the type of its name; in PostgreSQL as boolean, bigint, double precision, text and bytea. The
/// statement casts it to the type of the comparison.
///
/// ```
/// use memdex::{Query, field};
/// use memdex_sql::{Dialect, QueryToSql, SqlValue};
///
/// let query = Query::over(["User"]).filter(field("active").eq(true));
/// assert_eq!(query.to_sql(Dialect::Sqlite)?.params, [SqlValue::Integer(1)]);
/// assert_eq!(query.to_sql(Dialect::Postgres)?.params, [SqlValue::Bool(true)]);
/// # Ok::<(), memdex_sql::SqlError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SqlValue {
    /// Null. Statements of this crate never have it; it is available for the values of records.
    Null,
    /// A boolean. Statements for SQLite use an integer for it.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A string.
    Text(String),
    /// A byte string.
    Blob(Vec<u8>),
}

/// A parameter, and the casts that PostgreSQL applies to it, in order.
pub(super) struct Encoded {
    pub(super) value: SqlValue,
    pub(super) casts: &'static [&'static str],
}

/// Years 1 to 9999, which memdex and PostgreSQL write alike.
const POSTGRES_DAYS: std::ops::RangeInclusive<i128> = -719_162..=2_932_896;
const NANOS_PER_DAY: i128 = 86_400_000_000_000;

impl Dialect {
    /// The parameter for a value of a field.
    pub(super) fn encode(self, field: &str, value: &Value) -> Result<Encoded, SqlError> {
        let refused = |why, help| {
            let (field, value) = (field.to_owned(), value.clone());
            Err(SqlError::Value { dialect: self, field, value, why, help })
        };
        let encoded = |value, casts| Ok(Encoded { value, casts });
        let as_text = |cast| encoded(SqlValue::Text(value.as_ref().to_string()), cast);
        match (self, value.as_ref()) {
            (_, ValueRef::Null) => Err(SqlError::NullOperand { dialect: self, field: field.to_owned() }),
            (Dialect::Sqlite, ValueRef::Bool(b)) => encoded(SqlValue::Integer(b.into()), &[]),
            (Dialect::Postgres, ValueRef::Bool(b)) => encoded(SqlValue::Bool(b), &["boolean"]),
            (_, ValueRef::Int(n)) => encoded(SqlValue::Integer(n), &["bigint"]),
            (Dialect::Sqlite, ValueRef::Int128(_) | ValueRef::UInt128(_)) => {
                refused("integers have 64 bits", "store it as a string")
            }
            (Dialect::Postgres, ValueRef::Int128(_) | ValueRef::UInt128(_)) => as_text(&["text", "numeric"]),
            (Dialect::Sqlite, ValueRef::Float(x)) if x.is_nan() => refused("NaN is stored as null", "use is_null"),
            (_, ValueRef::Float(x)) => encoded(SqlValue::Real(x), &["double precision"]),
            (_, ValueRef::Char(c)) => self.text(c.to_string()).map_or_else(|(why, what)| refused(why, what), Ok),
            (_, ValueRef::Str(s)) => self.text(s.to_owned()).map_or_else(|(why, what)| refused(why, what), Ok),
            (_, ValueRef::Collated(_)) => as_text(&[]),
            (_, ValueRef::Bytes(bytes)) => encoded(SqlValue::Blob(bytes.to_vec()), &["bytea"]),
            (Dialect::Sqlite, ValueRef::Uuid(bytes)) => encoded(SqlValue::Blob(bytes.to_vec()), &[]),
            (Dialect::Postgres, ValueRef::Uuid(_)) => as_text(&["text", "uuid"]),
            (Dialect::Sqlite, ValueRef::Timestamp(nanos)) => match i64::try_from(nanos) {
                Ok(nanos) => encoded(SqlValue::Integer(nanos), &[]),
                Err(_) => refused("64 bits of nanoseconds cover the years 1677 to 2262", "use a time in that range"),
            },
            (Dialect::Postgres, ValueRef::Timestamp(nanos)) => {
                if nanos % 1_000 != 0 {
                    return refused("times have a resolution of one microsecond", "round it");
                }
                if !POSTGRES_DAYS.contains(&nanos.div_euclid(NANOS_PER_DAY)) {
                    return refused("it is outside the years 1 to 9999", "use a time in that range");
                }
                as_text(&["text", "timestamptz"])
            }
            (Dialect::Sqlite, ValueRef::Date(days)) => encoded(SqlValue::Integer(days.into()), &[]),
            (Dialect::Postgres, ValueRef::Date(days)) => {
                if !POSTGRES_DAYS.contains(&days.into()) {
                    return refused("it is outside the years 1 to 9999", "use a date in that range");
                }
                as_text(&["text", "date"])
            }
            (Dialect::Sqlite, ValueRef::Decimal(_)) => as_text(&[]),
            (Dialect::Postgres, ValueRef::Decimal(_)) => as_text(&["text", "numeric"]),
        }
    }

    fn text(self, text: String) -> Result<Encoded, (&'static str, &'static str)> {
        if self == Dialect::Postgres && text.contains('\0') {
            return Err(("strings cannot contain a NUL", "store it as bytes"));
        }
        Ok(Encoded { value: SqlValue::Text(text), casts: &["text"] })
    }

    /// The literal for a value of a field.
    pub(super) fn literal(self, field: &str, value: &Value) -> Result<String, SqlError> {
        let encoded = self.encode(field, value)?;
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        let plain = match (self, encoded.value) {
            (_, SqlValue::Null) => "NULL".to_owned(),
            (_, SqlValue::Bool(b)) => if b { "TRUE" } else { "FALSE" }.to_owned(),
            // Quoted, because a minus binds less tightly than the cast that follows.
            (Dialect::Postgres, SqlValue::Integer(n)) => format!("'{n}'"),
            (Dialect::Sqlite, SqlValue::Integer(n)) => n.to_string(),
            (Dialect::Postgres, SqlValue::Real(x)) if x.is_nan() => "'NaN'".to_owned(),
            (Dialect::Postgres, SqlValue::Real(x)) if x.is_infinite() => {
                if x < 0.0 { "'-Infinity'" } else { "'Infinity'" }.to_owned()
            }
            (Dialect::Postgres, SqlValue::Real(x)) => format!("'{x:?}'"),
            (Dialect::Sqlite, SqlValue::Real(x)) if x.is_infinite() => {
                if x < 0.0 { "-9e999" } else { "9e999" }.to_owned()
            }
            (Dialect::Sqlite, SqlValue::Real(x)) => format!("{x:?}"),
            (Dialect::Sqlite, SqlValue::Text(text)) if text.contains('\0') => {
                let (field, value, why) = (field.to_owned(), value.clone(), "a string literal cannot contain a NUL");
                let help = "store it as bytes, or leave it out of the condition";
                return Err(SqlError::Value { dialect: self, field, value, why, help });
            }
            // An `E` string does not depend on the setting `standard_conforming_strings`.
            (Dialect::Postgres, SqlValue::Text(text)) if text.contains('\\') => {
                format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
            }
            (_, SqlValue::Text(text)) => format!("'{}'", text.replace('\'', "''")),
            (Dialect::Sqlite, SqlValue::Blob(bytes)) => format!("X'{}'", hex(&bytes)),
            (Dialect::Postgres, SqlValue::Blob(bytes)) => {
                return Ok(format!("decode('{}', 'hex')", hex(&bytes)));
            }
        };
        // Only the last cast: a typed literal is a constant, while a cast from text may not be immutable.
        match encoded.casts.last() {
            Some(cast) if self == Dialect::Postgres => Ok(format!("{plain}::{cast}")),
            _ => Ok(plain),
        }
    }
}
