//! Statistics: metrics of all records, or of groups of them.

use super::bucket::{Part, Range};
use super::statement::{Statement, clause};
use super::{Dialect, SqlError, SqlValue};
use memdex_query::error::QueryError;
use memdex_query::query::{Aggregate, Bucket, GroupBy, Metric, Statistics, Top};
use memdex_query::schema::{self, FieldDef};
use memdex_query::value::Kind;

/// Most statements that SQLite joins.
const MOST_JOINED: usize = 500;

impl Statement<'_> {
    pub(super) fn statistics(&mut self, filter: Vec<String>, asked: &Statistics) -> Result<String, SqlError> {
        // What is no question to the engine is none here.
        if let Some(schema) = self.schema {
            schema::Bound::new(self.collection, schema, asked)?;
        }
        match &asked.groups {
            None if asked.metrics.is_empty() => {
                self.unsupported("statistics without a metric", None, "ask for one, a count say")
            }
            None => {
                let metrics = self.metrics(&asked.metrics)?;
                Ok(format!("SELECT {} FROM {}{}", metrics.join(", "), self.table()?, clause(&filter)))
            }
            Some(_) if !asked.metrics.is_empty() => {
                let instead = "ask for each by a query of its own";
                self.unsupported("metrics of all records beside groups", None, instead)
            }
            Some(groups) => self.groups(filter, groups),
        }
    }

    fn groups(&mut self, filter: Vec<String>, asked: &GroupBy) -> Result<String, SqlError> {
        let first = asked.by.first().map(|bucket| bucket.field().as_ref());
        if asked.within.groups.is_some() {
            let instead = "ask for each level by a query of its own, or for groups by several fields";
            return self.unsupported("groups within groups", first, instead);
        }
        if asked.empty {
            return self.unsupported("empty groups", first, "ask without them, and fill the gaps in");
        }
        match asked.by.as_slice() {
            [] => self.unsupported("groups by nothing", None, "name what makes a group"),
            [Bucket::Ranges { field, ranges }] => self.ranges(filter, field, ranges, asked),
            several => {
                let mut parts = Vec::with_capacity(several.len());
                for bucket in several {
                    parts.push(self.bucket(bucket)?);
                }
                self.grouped(filter, parts, asked)
            }
        }
    }

    fn grouped(&mut self, mut filter: Vec<String>, parts: Vec<Part>, asked: &GroupBy) -> Result<String, SqlError> {
        let count = parts.len();
        let mut columns = Vec::with_capacity(count);
        for Part { name, key, condition } in parts {
            columns.push(format!("{key} AS {}", self.column(&name)?));
            filter.extend(condition);
        }
        columns.extend(self.metrics(&asked.within.metrics)?);
        let positions: Vec<String> = (1..=count).map(|at| at.to_string()).collect();
        let mut order: Vec<String> = positions.iter().map(|at| format!("{at} ASC NULLS FIRST")).collect();
        if let Some(top) = &asked.top {
            order.insert(0, self.best(top, &asked.within.metrics, count)?);
        }
        let text = format!(
            "SELECT {} FROM {}{} GROUP BY {} ORDER BY {}",
            columns.join(", "),
            self.table()?,
            clause(&filter),
            positions.join(", "),
            order.join(", "),
        );
        Ok(text + &self.limit(asked))
    }

    /// One statement a range, joined: so empty ranges are there, and what lies in two ranges is in both.
    fn ranges(
        &mut self,
        filter: Vec<String>,
        field: &str,
        ranges: &[Range],
        asked: &GroupBy,
    ) -> Result<String, SqlError> {
        if ranges.is_empty() {
            return self.unsupported("groups by no range", Some(field), "give one");
        }
        if self.dialect == Dialect::Sqlite && ranges.len() > MOST_JOINED {
            return self.unsupported(format!("{} ranges", ranges.len()), Some(field), "ask for 500 at a time");
        }
        // Names that are given may be equal to columns', or to each other where capitals don't count: they stand outside, where
        // nothing refers to them, and within are ours alone.
        let mut columns = vec![format!("ranges.k AS {}", self.column(field)?)];
        for (at, metric) in asked.within.metrics.iter().enumerate() {
            columns.push(format!("ranges.m{at} AS {}", self.column(&metric.name)?));
        }
        let mut selects = Vec::with_capacity(ranges.len());
        for (at, range) in ranges.iter().enumerate() {
            let (name, condition) = self.range(field, range)?;
            let name = self.param(SqlValue::Text(name), &["text"]);
            let mut columns = vec![format!("{at} AS p"), format!("{name} AS k")];
            let figures = self.figures(&asked.within.metrics)?;
            columns.extend(figures.iter().enumerate().map(|(at, figure)| format!("{figure} AS m{at}")));
            let filter: Vec<String> = filter.iter().cloned().chain([condition]).collect();
            selects.push(format!("SELECT {} FROM {}{}", columns.join(", "), self.table()?, clause(&filter)));
        }
        let mut order = vec!["ranges.p".to_owned()];
        if let Some(top) = &asked.top {
            order.insert(0, self.best(top, &asked.within.metrics, 1)?);
        }
        let (columns, selects, order) = (columns.join(", "), selects.join(" UNION ALL "), order.join(", "));
        Ok(format!("SELECT {columns} FROM ({selects}) AS ranges ORDER BY {order}") + &self.limit(asked))
    }

    /// By which metric groups are chosen: the column of its position, behind so many others.
    fn best(&self, top: &Top, metrics: &[Metric], before: usize) -> Result<String, SqlError> {
        let Some(position) = metrics.iter().position(|metric| metric.name == top.metric) else {
            let known = metrics.iter().map(|metric| metric.name.to_string()).collect();
            return Err(QueryError::UnknownMetric {
                collection: self.collection.to_owned(),
                metric: top.metric.to_string(),
                known,
            }
            .into());
        };
        let direction = if top.descending { "DESC" } else { "ASC" };
        Ok(format!("{} {direction} NULLS LAST", before + position + 1))
    }

    fn limit(&mut self, asked: &GroupBy) -> String {
        asked.top.as_ref().map_or_else(String::new, |top| format!(" LIMIT {}", self.count(top.groups)))
    }

    /// The figures under their names.
    fn metrics(&mut self, metrics: &[Metric]) -> Result<Vec<String>, SqlError> {
        let figures = self.figures(metrics)?;
        let named = |(figure, metric): (String, &Metric)| Ok(format!("{figure} AS {}", self.column(&metric.name)?));
        figures.into_iter().zip(metrics).map(named).collect()
    }

    fn figures(&mut self, metrics: &[Metric]) -> Result<Vec<String>, SqlError> {
        let mut figures = Vec::with_capacity(metrics.len());
        for (at, metric) in metrics.iter().enumerate() {
            if metrics[..at].iter().any(|other| other.name == metric.name) {
                let (collection, metric) = (self.collection.to_owned(), metric.name.to_string());
                return Err(QueryError::DuplicateMetric { collection, metric }.into());
            }
            figures.push(self.aggregate(&metric.aggregate)?);
        }
        Ok(figures)
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<String, SqlError> {
        Ok(match aggregate {
            Aggregate::Count => "count(*)".to_owned(),
            Aggregate::CountOf(field) => format!("count({})", self.counted(field, "the count")?),
            Aggregate::Distinct(field) => format!("count(DISTINCT {})", self.counted(field, "the count of values")?),
            Aggregate::Sum(field) => format!("sum({})", self.numbers(field, "the sum")?),
            Aggregate::Avg(field) => self.as_float("avg", field, "the mean")?,
            Aggregate::Min(field) => self.extreme(field, "the lowest", "min")?,
            Aggregate::Max(field) => self.extreme(field, "the highest", "max")?,
            Aggregate::StdDev(field) => self.deviation("stddev_samp", field)?,
            Aggregate::StdDevPop(field) => self.deviation("stddev_pop", field)?,
            Aggregate::Percentile(field, percent) => {
                if self.dialect == Dialect::Sqlite {
                    return self.unsupported(
                        "percentiles",
                        Some(field),
                        "ask for the values in order, and count them off",
                    );
                }
                let column = self.numbers(field, "percentiles")?;
                let fraction = self.param(SqlValue::Real(percent / 100.0), &["double precision"]);
                format!("percentile_cont({fraction}) WITHIN GROUP (ORDER BY {column}::double precision)")
            }
        })
    }

    /// A field whose values are counted. Without a schema that can be said too.
    fn counted(&self, field: &str, feature: &str) -> Result<String, SqlError> {
        if self.def(field)?.is_some_and(FieldDef::is_many) {
            self.known(field, feature)?;
        }
        self.column(field)
    }

    fn numbers(&self, field: &str, purpose: &str) -> Result<String, SqlError> {
        let kind = self.known(field, purpose)?.kind();
        if !matches!(kind, Kind::Int | Kind::Float | Kind::Decimal) {
            let (collection, field, purpose) = (self.collection.to_owned(), field.to_owned(), purpose.to_owned());
            return Err(QueryError::NotNumeric { collection, field, kind, purpose }.into());
        }
        self.column(field)
    }

    fn as_float(&self, function: &str, field: &str, purpose: &str) -> Result<String, SqlError> {
        let column = self.numbers(field, purpose)?;
        Ok(match self.dialect {
            Dialect::Sqlite => format!("{function}({column})"),
            Dialect::Postgres => format!("{function}({column})::double precision"),
        })
    }

    fn deviation(&self, function: &str, field: &str) -> Result<String, SqlError> {
        if self.dialect == Dialect::Sqlite {
            let instead = "ask for the values and reckon it from them";
            return self.unsupported("the standard deviation", Some(field), instead);
        }
        self.as_float(function, field, "the standard deviation")
    }

    fn extreme(&self, field: &str, feature: &str, function: &str) -> Result<String, SqlError> {
        let kind = self.known(field, feature)?.kind();
        let column = self.in_order(field, Some(kind))?;
        if self.dialect == Dialect::Sqlite {
            return Ok(format!("{function}({column})"));
        }
        // PostgreSQL has no least and greatest of these: what is in the same order stands for them.
        Ok(match kind {
            Kind::Bool => format!("{}({column})", if function == "min" { "bool_and" } else { "bool_or" }),
            Kind::Uuid => format!("{function}({column}::text COLLATE \"C\")::uuid"),
            Kind::Bytes => format!("decode({function}(encode({column}, 'hex') COLLATE \"C\"), 'hex')"),
            _ => format!("{function}({column})"),
        })
    }
}
