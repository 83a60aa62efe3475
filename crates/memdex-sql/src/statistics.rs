//! Statistics: metrics of all selected records, or of groups of them.

use super::bucket::{KeyPart, Range};
use super::statement::{Statement, where_clause};
use super::{Dialect, SqlError, SqlValue};
use memdex_query::error::QueryError;
use memdex_query::query::{Aggregate, Bucket, GroupBy, Metric, Statistics, Top};
use memdex_query::schema::{self, FieldDef};
use memdex_query::value::Kind;

/// The largest number of statements in one `UNION ALL` of SQLite.
const MAX_UNION: usize = 500;

impl Statement<'_> {
    pub(super) fn statistics(&mut self, filter: Vec<String>, requested: &Statistics) -> Result<String, SqlError> {
        // Returns the errors that the engine returns.
        if let Some(schema) = self.schema {
            schema::Bound::new(self.collection, schema, requested)?;
        }
        match &requested.groups {
            None if requested.metrics.is_empty() => {
                self.unsupported("statistics without a metric", None, "add one, for example a count")
            }
            None => {
                let metrics = self.metric_columns(&requested.metrics)?;
                Ok(format!("SELECT {} FROM {}{}", metrics.join(", "), self.table()?, where_clause(&filter)))
            }
            Some(_) if !requested.metrics.is_empty() => {
                let help = "use a separate query for each";
                self.unsupported("metrics of all records together with groups", None, help)
            }
            Some(groups) => self.groups(filter, groups),
        }
    }

    fn groups(&mut self, filter: Vec<String>, requested: &GroupBy) -> Result<String, SqlError> {
        let first = requested.by.first().map(|bucket| bucket.field().as_ref());
        if requested.within.groups.is_some() {
            let help = "use a separate query for each level, or group by several fields";
            return self.unsupported("nested groups", first, help);
        }
        if requested.empty {
            return self.unsupported("empty groups", first, "leave out `with_empty` and fill the gaps in the result");
        }
        if requested.hard.is_some() || requested.extended.is_some() {
            return self.unsupported(
                "bounds of a histogram",
                first,
                "select the records between the bounds by the filter",
            );
        }
        if requested.having.is_some() {
            return self.unsupported(
                "conditions on groups",
                first,
                "leave out `having` and check the groups of the result",
            );
        }
        if requested.hits.is_some() {
            let help = "query the records of each group separately";
            return self.unsupported("records of each group", first, help);
        }
        match requested.by.as_slice() {
            [] => self.unsupported("groups without a bucket", None, "add a bucket"),
            [Bucket::Ranges { field, ranges }] => self.ranges(filter, field, ranges, requested),
            several => {
                let mut parts = Vec::with_capacity(several.len());
                for bucket in several {
                    parts.push(self.bucket(bucket)?);
                }
                self.grouped(filter, parts, requested)
            }
        }
    }

    fn grouped(
        &mut self,
        mut filter: Vec<String>,
        parts: Vec<KeyPart>,
        requested: &GroupBy,
    ) -> Result<String, SqlError> {
        let count = parts.len();
        let mut columns = Vec::with_capacity(count);
        for KeyPart { name, key, condition } in parts {
            columns.push(format!("{key} AS {}", self.column(&name)?));
            filter.extend(condition);
        }
        columns.extend(self.metric_columns(&requested.within.metrics)?);
        let positions: Vec<String> = (1..=count).map(|at| at.to_string()).collect();
        let mut order: Vec<String> = positions.iter().map(|at| format!("{at} ASC NULLS FIRST")).collect();
        if let Some(top) = &requested.top {
            order.insert(0, self.order_by_metric(top, &requested.within.metrics, count)?);
        }
        let text = format!(
            "SELECT {} FROM {}{} GROUP BY {} ORDER BY {}",
            columns.join(", "),
            self.table()?,
            where_clause(&filter),
            positions.join(", "),
            order.join(", "),
        );
        Ok(text + &self.limit(requested))
    }

    /// A `UNION ALL` of one statement for each range. So empty ranges have a row, and a record counts in every range
    /// that contains it.
    fn ranges(
        &mut self,
        filter: Vec<String>,
        field: &str,
        ranges: &[Range],
        requested: &GroupBy,
    ) -> Result<String, SqlError> {
        if ranges.is_empty() {
            return self.unsupported("range groups without a range", Some(field), "add a range");
        }
        if self.dialect == Dialect::Sqlite && ranges.len() > MAX_UNION {
            return self.unsupported(
                format!("{} ranges", ranges.len()),
                Some(field),
                "use at most 500 ranges in each query",
            );
        }
        // Names of metrics may equal names of columns, or each other if case is ignored. So they appear only in the
        // outer statement, where nothing refers to them; the inner statements use generated names.
        let mut columns = vec![format!("ranges.k AS {}", self.column(field)?)];
        for (at, metric) in requested.within.metrics.iter().enumerate() {
            columns.push(format!("ranges.m{at} AS {}", self.column(&metric.name)?));
        }
        let mut selects = Vec::with_capacity(ranges.len());
        for (at, range) in ranges.iter().enumerate() {
            let (name, condition) = self.range(field, range)?;
            let name = self.param(SqlValue::Text(name), &["text"]);
            let mut columns = vec![format!("{at} AS p"), format!("{name} AS k")];
            let aggregates = self.aggregates(&requested.within.metrics)?;
            columns.extend(aggregates.iter().enumerate().map(|(at, aggregate)| format!("{aggregate} AS m{at}")));
            let filter: Vec<String> = filter.iter().cloned().chain([condition]).collect();
            selects.push(format!("SELECT {} FROM {}{}", columns.join(", "), self.table()?, where_clause(&filter)));
        }
        let mut order = vec!["ranges.p".to_owned()];
        if let Some(top) = &requested.top {
            order.insert(0, self.order_by_metric(top, &requested.within.metrics, 1)?);
        }
        let (columns, selects, order) = (columns.join(", "), selects.join(" UNION ALL "), order.join(", "));
        Ok(format!("SELECT {columns} FROM ({selects}) AS ranges ORDER BY {order}") + &self.limit(requested))
    }

    /// The order term of the metric that ranks the groups. It refers to the column by position, after `before` other
    /// columns.
    fn order_by_metric(&self, top: &Top, metrics: &[Metric], before: usize) -> Result<String, SqlError> {
        let Some(position) = metrics.iter().position(|metric| metric.name == top.metric) else {
            let known: Vec<String> = metrics.iter().map(|metric| metric.name.to_string()).collect();
            return Err(QueryError::unknown_metric(self.collection, &*top.metric, known).into());
        };
        let direction = if top.descending { "DESC" } else { "ASC" };
        Ok(format!("{} {direction} NULLS LAST", before + position + 1))
    }

    fn limit(&mut self, requested: &GroupBy) -> String {
        requested.top.as_ref().map_or_else(String::new, |top| format!(" LIMIT {}", self.count_param(top.groups)))
    }

    /// The columns of metrics, with their names.
    fn metric_columns(&mut self, metrics: &[Metric]) -> Result<Vec<String>, SqlError> {
        let aggregates = self.aggregates(metrics)?;
        let named =
            |(aggregate, metric): (String, &Metric)| Ok(format!("{aggregate} AS {}", self.column(&metric.name)?));
        aggregates.into_iter().zip(metrics).map(named).collect()
    }

    fn aggregates(&mut self, metrics: &[Metric]) -> Result<Vec<String>, SqlError> {
        let mut aggregates = Vec::with_capacity(metrics.len());
        for (at, metric) in metrics.iter().enumerate() {
            if metrics[..at].iter().any(|other| other.name == metric.name) {
                return Err(QueryError::duplicate_metric(self.collection, &*metric.name).into());
            }
            aggregates.push(self.metric(metric, metrics)?);
        }
        Ok(aggregates)
    }

    fn metric(&mut self, metric: &Metric, all: &[Metric]) -> Result<String, SqlError> {
        if let Aggregate::Ratio(numerator, denominator) = &metric.aggregate {
            let known = || all.iter().map(|metric| metric.name.to_string()).collect::<Vec<_>>();
            let find = |name: &str| {
                let simple = |of: &&Metric| of.name == name && !matches!(of.aggregate, Aggregate::Ratio(..));
                all.iter().find(simple).ok_or_else(|| QueryError::unknown_metric(self.collection, name, known()))
            };
            let (numerator, denominator) = (find(numerator)?, find(denominator)?);
            let (numerator, denominator) = (self.metric(numerator, all)?, self.metric(denominator, all)?);
            let float = if self.dialect == Dialect::Sqlite { "REAL" } else { "double precision" };
            return Ok(format!("(CAST({numerator} AS {float}) / NULLIF(CAST({denominator} AS {float}), 0))"));
        }
        let filter = match &metric.filter {
            Some(filter) => self.filter(filter)?,
            None => Vec::new(),
        };
        let over = if filter.is_empty() { String::new() } else { format!(" FILTER (WHERE {})", filter.join(" AND ")) };
        self.aggregate(&metric.aggregate, &over)
    }

    /// A function of the records that the clause `over` selects.
    fn aggregate(&mut self, aggregate: &Aggregate, over: &str) -> Result<String, SqlError> {
        Ok(match aggregate {
            Aggregate::Count => format!("count(*){over}"),
            Aggregate::CountOf(field) => format!("count({}){over}", self.countable_column(field, "the count")?),
            Aggregate::Distinct(field) => {
                if self.collation(field)?.is_some() {
                    return self.has_collation(field, "the number of distinct values");
                }
                format!("count(DISTINCT {}){over}", self.countable_column(field, "the number of distinct values")?)
            }
            Aggregate::Sum(field) => format!("sum({}){over}", self.numeric_column(field, "the sum")?),
            Aggregate::Avg(field) => self.float_aggregate("avg", field, "the average", over)?,
            Aggregate::Min(field) => self.min_or_max(field, "the minimum", "min", over)?,
            Aggregate::Max(field) => self.min_or_max(field, "the maximum", "max", over)?,
            Aggregate::StdDev(field) => self.deviation("stddev_samp", field, over)?,
            Aggregate::StdDevPop(field) => self.deviation("stddev_pop", field, over)?,
            Aggregate::Mode(field) => {
                let help = "group by the field, and take the group with the highest count";
                return self.unsupported("the most frequent value", Some(field), help);
            }
            Aggregate::First(field, _) => {
                let help = "fetch the records in this order, and take the first of each group";
                return self.unsupported("the first value in an order", Some(field), help);
            }
            Aggregate::Ratio(..) => return self.unsupported("ratios here", None, "divide the two metrics"),
            Aggregate::Percentile(field, percent) => {
                if self.dialect == Dialect::Sqlite {
                    return self.unsupported(
                        "percentiles",
                        Some(field),
                        "fetch the values in order and compute the percentile from them",
                    );
                }
                let column = self.numeric_column(field, "percentiles")?;
                let fraction = self.param(SqlValue::Real(percent / 100.0), &["double precision"]);
                format!("percentile_cont({fraction}) WITHIN GROUP (ORDER BY {column}::double precision){over}")
            }
        })
    }

    /// The column of a field whose values are counted. This needs no schema.
    fn countable_column(&self, field: &str, feature: &str) -> Result<String, SqlError> {
        if self.def(field)?.is_some_and(FieldDef::is_many) {
            self.require_field(field, feature)?;
        }
        self.column(field)
    }

    fn numeric_column(&self, field: &str, purpose: &str) -> Result<String, SqlError> {
        let kind = self.require_field(field, purpose)?.kind();
        if !matches!(kind, Kind::Int | Kind::Float | Kind::Decimal) {
            return Err(QueryError::not_numeric(self.collection, field, kind, purpose).into());
        }
        self.column(field)
    }

    fn float_aggregate(&self, function: &str, field: &str, purpose: &str, over: &str) -> Result<String, SqlError> {
        let column = self.numeric_column(field, purpose)?;
        Ok(match self.dialect {
            Dialect::Sqlite => format!("{function}({column}){over}"),
            Dialect::Postgres => format!("{function}({column}){over}::double precision"),
        })
    }

    fn deviation(&self, function: &str, field: &str, over: &str) -> Result<String, SqlError> {
        if self.dialect == Dialect::Sqlite {
            let help = "fetch the values and compute it from them";
            return self.unsupported("the standard deviation", Some(field), help);
        }
        self.float_aggregate(function, field, "the standard deviation", over)
    }

    fn min_or_max(&self, field: &str, feature: &str, function: &str, over: &str) -> Result<String, SqlError> {
        let kind = self.require_field(field, feature)?.kind();
        let column = self.collated(field, Some(kind))?;
        if self.dialect == Dialect::Sqlite {
            return Ok(format!("{function}({column}){over}"));
        }
        // PostgreSQL has no `min` and `max` of these types, so a type with the same order replaces them.
        Ok(match kind {
            Kind::Bool => format!("{}({column}){over}", if function == "min" { "bool_and" } else { "bool_or" }),
            Kind::Uuid => format!("{function}({column}::text COLLATE \"C\"){over}::uuid"),
            Kind::Bytes => format!("decode({function}(encode({column}, 'hex') COLLATE \"C\"){over}, 'hex')"),
            _ => format!("{function}({column}){over}"),
        })
    }
}
