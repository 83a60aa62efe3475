//! Records: a page of them in the engine's order.

use super::predicate::joined;
use super::statement::{Statement, clause};
use super::{Dialect, SqlError};
use memdex_query::error::QueryError;
use memdex_query::limits::MAX_ORDER_FIELDS;
use memdex_query::query::{Cursor, Direction, FieldName, Nulls, OrderBy, Paging, Window};
use memdex_query::schema::FieldDef;
use memdex_query::value::Value;

/// A field of an order that is known, the parts of the key among them.
struct Sorted<'a> {
    def: &'a FieldDef,
    descending: bool,
    nulls_first: bool,
}

impl<'a> Statement<'a> {
    pub(super) fn page(&mut self, mut filter: Vec<String>, paging: &Paging) -> Result<String, SqlError> {
        let Paging { order, after, .. } = paging;
        let mut select = format!("SELECT {} FROM {}", self.columns(&paging.select)?, self.table()?);
        if !paging.is_paged() {
            return Ok(select + &clause(&filter));
        }
        let Window { offset, limit } = paging.window(self.collection)?;
        let (order, key) = self.sorted(order)?;
        if let Some(after) = after {
            filter.extend(self.behind(&order, &key, after)?);
        }
        select += &clause(&filter);
        select += " ORDER BY ";
        let by = order.iter().chain(&key).map(|field| self.ordered_by(field)).collect::<Result<Vec<_>, _>>()?;
        select += &by.join(", ");
        match limit {
            Some(limit) => select += &format!(" LIMIT {}", self.count(limit)),
            // There is no offset without a limit; below zero it is none.
            None if offset > 0 && self.dialect == Dialect::Sqlite => select += " LIMIT -1",
            None => {}
        }
        if offset > 0 {
            select += &format!(" OFFSET {}", self.count(offset));
        }
        Ok(select)
    }

    /// The selected columns; all that there are if none is selected.
    fn columns(&self, selected: &[FieldName]) -> Result<String, SqlError> {
        if !selected.is_empty() {
            let names = selected.iter().map(|name| self.column(name)).collect::<Result<Vec<_>, _>>()?;
            return Ok(names.join(", "));
        }
        let Some(schema) = self.schema else { return Ok("*".to_owned()) };
        let single = schema.fields().iter().filter(|field| !field.is_many());
        let names = single.map(|field| self.column(field.name())).collect::<Result<Vec<_>, _>>()?;
        Ok(names.join(", "))
    }

    /// The fields of an order, and behind them those of the key.
    fn sorted(&self, order: &[OrderBy]) -> Result<(Vec<Sorted<'a>>, Vec<Sorted<'a>>), SqlError> {
        let Some(schema) = self.schema else {
            let (feature, why) =
                ("an order or a page".to_owned(), "in the end the key decides, and which fields are it");
            return Err(SqlError::NeedsSchema { dialect: self.dialect, feature, field: None, why });
        };
        if order.len() > MAX_ORDER_FIELDS {
            let (what, given, limit) = ("fields to order by", order.len(), MAX_ORDER_FIELDS);
            return Err(QueryError::TooMany { collection: self.collection.to_owned(), what, given, limit }.into());
        }
        let mut fields: Vec<Sorted<'a>> = Vec::new();
        for by in order {
            let def = self.known(&by.field, "an order")?;
            // What an earlier field leaves equal it leaves equal again.
            if fields.iter().all(|field| field.def.name() != def.name()) {
                let (descending, nulls_first) = (by.direction == Direction::Descending, by.nulls == Nulls::First);
                fields.push(Sorted { def, descending, nulls_first });
            }
        }
        let mut key = Vec::new();
        for def in schema.fields().iter().filter(|def| def.is_key()) {
            let def = self.known(def.name(), "an order, which ends with the key,")?;
            key.push(Sorted { def, descending: false, nulls_first: true });
        }
        Ok((fields, key))
    }

    fn ordered_by(&self, field: &Sorted<'_>) -> Result<String, SqlError> {
        let column = self.in_order(field.def.name(), Some(field.def.kind()))?;
        let direction = if field.descending { "DESC" } else { "ASC" };
        // Left out where none is missing, so that any index serves.
        let nulls = match (field.def.is_nullable(), field.nulls_first) {
            (false, _) => "",
            (true, true) => " NULLS FIRST",
            (true, false) => " NULLS LAST",
        };
        Ok(format!("{column} {direction}{nulls}"))
    }

    /// What lies behind the record of a cursor: greater in the first field, or equal and greater in the next, and so on.
    fn behind(
        &mut self,
        order: &[Sorted<'_>],
        key: &[Sorted<'_>],
        cursor: &Cursor,
    ) -> Result<Option<String>, SqlError> {
        let key_values = cursor.key.parts();
        let fields: Vec<_> = order.iter().chain(key).collect();
        let values: Vec<_> = cursor.values.iter().chain(&key_values).collect();
        let fits = |(field, value): (&&Sorted<'_>, &&Value)| {
            value.as_ref().kind().map_or(field.def.is_nullable(), |kind| kind == field.def.kind())
        };
        let lengths = cursor.values.len() == order.len() && key_values.len() == key.len();
        if !lengths || !fields.iter().zip(&values).all(fits) {
            return Err(QueryError::ForeignCursor { collection: self.collection.to_owned() }.into());
        }
        let mut behind = "FALSE".to_owned();
        for (field, value) in fields.into_iter().zip(values).rev() {
            let (greater, equal) = self.greater_or_equal(field, value)?;
            let here = match behind.as_str() {
                "FALSE" => None,
                rest => Some(format!("({equal} AND {rest})")),
            };
            let parts: Vec<String> = greater.into_iter().chain(here).collect();
            behind = if parts.is_empty() { "FALSE".to_owned() } else { joined(&parts, " OR ") };
        }
        Ok(Some(behind))
    }

    /// When a field puts a record behind this value, if it ever does, and when it puts it at its side.
    fn greater_or_equal(&mut self, field: &Sorted<'_>, value: &Value) -> Result<(Option<String>, String), SqlError> {
        let (name, kind) = (field.def.name(), Some(field.def.kind()));
        let column = self.column(name)?;
        if value.as_ref().is_null() {
            let greater = field.nulls_first.then(|| format!("{column} IS NOT NULL"));
            return Ok((greater, format!("{column} IS NULL")));
        }
        let param = self.value(name, value)?;
        let operator = if field.descending { "<" } else { ">" };
        let greater = format!("{} {operator} {param}", self.in_order(name, kind)?);
        let equal = format!("{column} = {param}");
        let missing_behind = field.def.is_nullable() && !field.nulls_first;
        Ok((Some(if missing_behind { format!("({greater} OR {column} IS NULL)") } else { greater }), equal))
    }
}
