//! Records and pages, in the order of the engine.

use super::predicate::join_balanced;
use super::statement::{Statement, where_clause};
use super::{Dialect, SqlError};
use memdex_query::error::QueryError;
use memdex_query::limits::MAX_ORDER_FIELDS;
use memdex_query::query::{Cursor, Direction, FieldName, Nulls, OrderBy, Paging, Window};
use memdex_query::schema::FieldDef;
use memdex_query::value::Value;

/// A resolved sort key: a field of the order, or a part of the record key.
struct SortKey<'a> {
    def: &'a FieldDef,
    descending: bool,
    nulls_first: bool,
}

impl<'a> Statement<'a> {
    pub(super) fn page(&mut self, mut filter: Vec<String>, paging: &Paging) -> Result<String, SqlError> {
        let Paging { order, after, .. } = paging;
        let mut select = format!("SELECT {} FROM {}", self.columns(&paging.select)?, self.table()?);
        if !paging.is_paged() {
            return Ok(select + &where_clause(&filter));
        }
        let Window { offset, limit } = paging.window(self.collection)?;
        for (feature, is_there) in
            [("a page before a cursor", paging.before.is_some()), ("a page around a key", paging.around.is_some())]
        {
            if is_there {
                let (feature, help) =
                    (feature.to_owned(), "use a page after a cursor, in the opposite order if need be");
                return Err(SqlError::Unsupported { dialect: self.dialect, feature, field: None, help });
            }
        }
        let (order, key) = self.sort_keys(order)?;
        if let Some(after) = after {
            filter.extend(self.after_cursor(&order, &key, after)?);
        }
        select += &where_clause(&filter);
        select += " ORDER BY ";
        let by = order.iter().chain(&key).map(|field| self.order_term(field)).collect::<Result<Vec<_>, _>>()?;
        select += &by.join(", ");
        match limit {
            Some(limit) => select += &format!(" LIMIT {}", self.count_param(limit)),
            // SQLite has no offset without a limit. A negative limit means no limit.
            None if offset > 0 && self.dialect == Dialect::Sqlite => select += " LIMIT -1",
            None => {}
        }
        if offset > 0 {
            select += &format!(" OFFSET {}", self.count_param(offset));
        }
        Ok(select)
    }

    /// The selected columns, or all columns if none is selected.
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

    /// The sort keys of an order, and those of the record key, which break ties.
    fn sort_keys(&self, order: &[OrderBy]) -> Result<(Vec<SortKey<'a>>, Vec<SortKey<'a>>), SqlError> {
        let Some(schema) = self.schema else {
            let (feature, why) = ("ordering and paging".to_owned(), "the key breaks ties");
            return Err(SqlError::NeedsSchema { dialect: self.dialect, feature, field: None, why });
        };
        if order.len() > MAX_ORDER_FIELDS {
            let (what, given) = ("fields to order by", order.len());
            return Err(QueryError::too_many(self.collection, what, given, MAX_ORDER_FIELDS).into());
        }
        let mut fields: Vec<SortKey<'a>> = Vec::new();
        for by in order {
            let def = self.require_field(&by.field, "ordering")?;
            // A repeated field never breaks a tie.
            if fields.iter().all(|field| field.def.name() != def.name()) {
                let (descending, nulls_first) = (by.direction == Direction::Descending, by.nulls == Nulls::First);
                fields.push(SortKey { def, descending, nulls_first });
            }
        }
        let mut key = Vec::new();
        for def in schema.fields().iter().filter(|def| def.is_key()) {
            let def = self.require_field(def.name(), "ordering by the key")?;
            key.push(SortKey { def, descending: false, nulls_first: true });
        }
        Ok((fields, key))
    }

    fn order_term(&self, field: &SortKey<'_>) -> Result<String, SqlError> {
        let column = self.collated(field.def.name(), Some(field.def.kind()))?;
        let direction = if field.descending { "DESC" } else { "ASC" };
        // Omitted for fields that are never null, so that any index of the field can be used.
        let nulls = match (field.def.is_nullable(), field.nulls_first) {
            (false, _) => "",
            (true, true) => " NULLS FIRST",
            (true, false) => " NULLS LAST",
        };
        Ok(format!("{column} {direction}{nulls}"))
    }

    /// The condition for records after a cursor: greater in the first sort key, or equal there and greater in the next,
    /// and so on.
    fn after_cursor(
        &mut self,
        order: &[SortKey<'_>],
        key: &[SortKey<'_>],
        cursor: &Cursor,
    ) -> Result<Option<String>, SqlError> {
        let key_values = cursor.key.parts();
        let fields: Vec<_> = order.iter().chain(key).collect();
        let values: Vec<_> = cursor.values.iter().chain(&key_values).collect();
        let fits = |(field, value): (&&SortKey<'_>, &&Value)| {
            value.as_ref().kind().map_or(field.def.is_nullable(), |kind| kind == field.def.kind())
        };
        let lengths = cursor.values.len() == order.len() && key_values.len() == key.len();
        if !lengths || !fields.iter().zip(&values).all(fits) {
            return Err(QueryError::foreign_cursor(self.collection).into());
        }
        let mut after = "FALSE".to_owned();
        for (field, value) in fields.into_iter().zip(values).rev() {
            let (greater, equal) = self.greater_or_equal(field, value)?;
            let tie = match after.as_str() {
                "FALSE" => None,
                rest => Some(format!("({equal} AND {rest})")),
            };
            let parts: Vec<String> = greater.into_iter().chain(tie).collect();
            after = if parts.is_empty() { "FALSE".to_owned() } else { join_balanced(&parts, " OR ") };
        }
        Ok(Some(after))
    }

    /// The conditions for a sort key to be after a value, or equal to it. The first one is `None` if no record is after
    /// the value.
    fn greater_or_equal(&mut self, field: &SortKey<'_>, value: &Value) -> Result<(Option<String>, String), SqlError> {
        let (name, kind) = (field.def.name(), Some(field.def.kind()));
        let column = self.column(name)?;
        if value.as_ref().is_null() {
            let greater = field.nulls_first.then(|| format!("{column} IS NOT NULL"));
            return Ok((greater, format!("{column} IS NULL")));
        }
        let param = self.value(name, value)?;
        let operator = if field.descending { "<" } else { ">" };
        let greater = format!("{} {operator} {param}", self.collated(name, kind)?);
        let equal = format!("{column} = {param}");
        let nulls_after = field.def.is_nullable() && !field.nulls_first;
        Ok((Some(if nulls_after { format!("({greater} OR {column} IS NULL)") } else { greater }), equal))
    }
}
