//! The commands of the model: every operation, one after the other.

use super::table::{Accept, Table};
use crate::operation::{Operation, Outcome, RefusalKind};
use crate::row::{Row, RowKey};
use memdex::query::FieldName;
use memdex::{Query, Schema, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

type Command = Arc<dyn Fn(&mut Scratch<'_>, &[Value]) -> Result<Vec<Value>, RefusalKind> + Send + Sync>;

/// The naive model of a repository: a map of records by key for each collection. It evaluates every [`Operation`] by plain loops.
///
/// Keys, unique indexes (also of several fields, and partial ones), kinds, required fields and NaN in ordered indexes are judged as
/// memdex does; a batch by its net result. Times, lifetimes, bounds and undeclared paths are not part of it.
///
/// ```
/// use memdex::{FieldDef, Kind, Query, Schema, field};
/// use memdex_test::{Model, Operation, Outcome, RefusalKind, Row};
///
/// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("email", Kind::Str).unique()]);
/// let mut model = Model::new([("User", schema)]);
/// let user = |id: i32, email: &str| Operation::insert("User", Row::new().with("id", id).with("email", email));
///
/// assert_eq!(model.apply(&user(1, "a@x")), Outcome::Done);
/// assert_eq!(model.apply(&user(2, "a@x")), Outcome::Refused(RefusalKind::Duplicate));
/// let found = model.apply(&Operation::Find(Query::over(["User"]).filter(field("email").eq("a@x"))));
/// assert_eq!(found, Outcome::records([Row::new().with("id", 1).with("email", "a@x")]));
/// ```
#[derive(Clone)]
pub struct Model {
    tables: BTreeMap<String, Table>,
    commands: BTreeMap<String, Command>,
    is_immediate: bool,
    fingerprint: u128,
}

/// What an operation changed: each record as it was before.
pub(crate) type Undo = Vec<(String, RowKey, Option<Row>)>;

impl Model {
    /// Empty collections with these names and schemas.
    pub fn new<N: Into<String>>(collections: impl IntoIterator<Item = (N, Schema)>) -> Self {
        let tables = collections.into_iter().map(|(name, schema)| (name.into(), Table::new(schema))).collect();
        Model { tables, commands: BTreeMap::new(), is_immediate: false, fingerprint: 0 }
    }

    /// Says what a command of the application does: an [`Operation::Call`] of this name. If it returns an error, its changes are undone.
    ///
    /// ```
    /// use memdex::{FieldDef, Kind, Schema, Value};
    /// use memdex_test::{Model, Operation, Outcome, RefusalKind, Row};
    ///
    /// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("cents", Kind::Int)]);
    /// let model = Model::new([("Account", schema)]);
    /// let mut model = model.define("withdraw", |state, arguments| {
    ///     let [id, cents] = arguments else { return Err(RefusalKind::Invalid) };
    ///     let account = state.get("Account", std::slice::from_ref(id)).ok_or(RefusalKind::Missing)?;
    ///     let left = account.one("cents").and_then(Value::as_i64).unwrap_or(0) - cents.as_i64().unwrap_or(0);
    ///     if left < 0 { return Err(RefusalKind::Rule) }
    ///     state.put("Account", account.with("cents", left))?;
    ///     Ok(vec![left.into()])
    /// });
    /// model.apply(&Operation::insert("Account", Row::new().with("id", 1).with("cents", 50)));
    /// assert_eq!(model.apply(&Operation::call("withdraw", [1, 20])), Outcome::Values(vec![30.into()]));
    /// assert_eq!(model.apply(&Operation::call("withdraw", [1, 40])), Outcome::Refused(RefusalKind::Rule));
    /// ```
    #[must_use]
    pub fn define(
        mut self,
        name: impl Into<String>,
        command: impl Fn(&mut Scratch<'_>, &[Value]) -> Result<Vec<Value>, RefusalKind> + Send + Sync + 'static,
    ) -> Self {
        self.commands.insert(name.into(), Arc::new(command));
        self
    }

    /// Judges uniqueness at each operation of a batch, as SQL does, and not by the net result of the batch, as memdex does.
    #[must_use]
    pub fn immediate_uniqueness(self) -> Self {
        Model { is_immediate: true, ..self }
    }

    /// Lets the records of a collection obey a type too, not only the schema.
    pub(crate) fn accepting(mut self, collection: &str, accept: Accept) -> Self {
        self.tables.entry(collection.to_owned()).and_modify(|table| table.accept = Some(accept));
        self
    }

    /// The names of the collections with their schemas.
    pub fn collections(&self) -> impl Iterator<Item = (&str, &Schema)> {
        self.tables.iter().map(|(name, table)| (&**name, &table.schema))
    }

    /// The records of a collection, by key; none if it does not exist.
    pub fn rows(&self, collection: &str) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.tables.get(collection).into_iter().flat_map(|table| &table.rows)
    }

    /// Executes an operation. Unknown collections, commands, and parts of queries that the model does not have are
    /// [unsupported](Outcome::Unsupported).
    pub fn apply(&mut self, operation: &Operation) -> Outcome {
        self.run(operation).0
    }

    /// Whether a batch means the same if its uniqueness is judged at each operation: then all databases agree on it. True for other
    /// operations.
    pub fn is_portable(&self, operation: &Operation) -> bool {
        let Operation::Batch(_) = operation else { return true };
        let by = |is_immediate| Model { is_immediate, ..self.clone() }.apply(operation);
        matches!(by(false), Outcome::Refused(_)) == matches!(by(true), Outcome::Refused(_))
    }

    /// A hash of all records: equal states have equal ones. Two states that differ have the same with a probability of 2^-128.
    pub(crate) fn fingerprint(&self) -> u128 {
        self.fingerprint
    }

    /// Executes an operation and returns what it changed.
    pub(crate) fn run(&mut self, operation: &Operation) -> (Outcome, Undo) {
        let mut scratch = Scratch { model: self, undo: Undo::new(), judge_later: Vec::new(), is_batch: false };
        let outcome = scratch.execute(operation);
        let mut undo = scratch.undo;
        if matches!(outcome, Outcome::Refused(_)) {
            self.undo(std::mem::take(&mut undo));
        }
        (outcome, undo)
    }

    pub(crate) fn undo(&mut self, undo: Undo) {
        for (collection, key, before) in undo.into_iter().rev() {
            self.replace(&collection, key, before);
        }
    }

    fn replace(&mut self, collection: &str, key: RowKey, row: Option<Row>) -> Option<Row> {
        let table = self.tables.get_mut(collection)?;
        if let Some(row) = &row {
            self.fingerprint ^= hash(collection, &key, row);
        }
        let before = match row {
            Some(row) => table.rows.insert(key.clone(), row),
            None => table.rows.remove(&key),
        };
        if let Some(before) = &before {
            self.fingerprint ^= hash(collection, &key, before);
        }
        before
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.tables.iter().map(|(name, table)| (name, &table.rows))).finish()
    }
}

fn hash(collection: &str, key: &RowKey, row: &Row) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, collection, key, row).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// The state that a command of the application reads and changes; see [`Model::define`].
#[derive(Debug)]
pub struct Scratch<'a> {
    model: &'a mut Model,
    undo: Undo,
    /// Records of a batch whose uniqueness is judged at its end.
    judge_later: Vec<(String, RowKey)>,
    is_batch: bool,
}

impl Scratch<'_> {
    /// The record of a key.
    pub fn get(&self, collection: &str, key: &[Value]) -> Option<Row> {
        self.model.tables.get(collection)?.rows.get(key).cloned()
    }

    /// The records that a query selects, in its order.
    pub fn find(&self, query: &Query) -> Vec<Row> {
        let table = query.collections.first().and_then(|name| self.model.tables.get(&**name));
        match table.map(|table| table.find(query, false)) {
            Some(Outcome::Records { rows, .. }) => rows,
            _ => Vec::new(),
        }
    }

    /// Inserts a record or replaces the one that has its key.
    ///
    /// # Errors
    /// [`RefusalKind::Invalid`] if it does not fit the schema, [`RefusalKind::Duplicate`] if another record has a unique value of it.
    pub fn put(&mut self, collection: &str, row: Row) -> Result<(), RefusalKind> {
        let table = self.model.tables.get(collection).ok_or(RefusalKind::Invalid)?;
        let key = table.admit(&row)?;
        let row = match &table.accept {
            Some(accept) => accept(&row).ok_or(RefusalKind::Invalid)?,
            None => row,
        };
        if self.is_batch && !self.model.is_immediate {
            self.judge_later.push((collection.to_owned(), key.clone()));
        } else if table.is_duplicate(&key, &row) {
            return Err(RefusalKind::Duplicate);
        }
        self.write(collection, key, Some(row));
        Ok(())
    }

    /// Removes a record, and returns it.
    pub fn remove(&mut self, collection: &str, key: &[Value]) -> Option<Row> {
        self.get(collection, key)?;
        self.write(collection, key.to_vec(), None)
    }

    fn write(&mut self, collection: &str, key: RowKey, row: Option<Row>) -> Option<Row> {
        let before = self.model.replace(collection, key.clone(), row);
        self.undo.push((collection.to_owned(), key, before.clone()));
        before
    }

    fn execute(&mut self, operation: &Operation) -> Outcome {
        match self.attempt(operation) {
            Ok(outcome) => outcome,
            Err(why) => Outcome::Refused(why),
        }
    }

    fn attempt(&mut self, operation: &Operation) -> Result<Outcome, RefusalKind> {
        let missing = RefusalKind::Missing;
        match operation {
            Operation::Insert { collection, row } => {
                let Some(table) = self.model.tables.get(&**collection) else { return Ok(Outcome::Unsupported) };
                let key = table.admit(row)?;
                if table.rows.contains_key(&key) {
                    return Err(RefusalKind::Duplicate);
                }
                self.put(collection, row.clone())?;
            }
            Operation::Store { collection, row } => self.put(collection, row.clone())?,
            Operation::Update { collection, key, set } => {
                let mut row = self.get(collection, key).ok_or(missing)?;
                for (name, values) in set {
                    row.set(name.clone(), values.iter().cloned());
                }
                self.replace_same_key(collection, key, row)?;
            }
            Operation::Add { collection, key, field, by } => {
                let row = self.get(collection, key).ok_or(missing)?;
                if !self.model.tables.get(&**collection).is_some_and(|table| table.is_integer(field)) {
                    return Ok(Outcome::Unsupported);
                }
                let value = row.one(field).and_then(Value::as_i64).ok_or(missing)?;
                let sum = value.checked_add(*by).ok_or(RefusalKind::Invalid)?;
                self.replace_same_key(collection, key, row.with(field.clone(), sum))?;
                return Ok(Outcome::Number(sum));
            }
            Operation::Delete { collection, key } => {
                let removed = self.remove(collection, key);
                return Ok(Outcome::Number(removed.is_some().into()));
            }
            Operation::DeleteWhere(query) => {
                let Some((name, table)) = self.queried(query) else { return Ok(Outcome::Unsupported) };
                let chosen = table.chosen(query);
                chosen.iter().for_each(|key| drop(self.remove(&name, key)));
                return Ok(Outcome::Number(chosen.len() as i64));
            }
            Operation::Get { collection, key } => return Ok(Outcome::Record(self.get(collection, key))),
            Operation::Find(query) | Operation::Walk(query) => {
                let Some((_, table)) = self.queried(query) else { return Ok(Outcome::Unsupported) };
                return Ok(table.find(query, matches!(operation, Operation::Walk(_))));
            }
            Operation::Batch(operations) => return self.batch(operations),
            Operation::Call { name, arguments } => {
                let Some(command) = self.model.commands.get(&**name).cloned() else { return Ok(Outcome::Unsupported) };
                let values = command(self, arguments)?;
                return Ok(if values.is_empty() { Outcome::Done } else { Outcome::Values(values) });
            }
        }
        Ok(Outcome::Done)
    }

    fn replace_same_key(&mut self, collection: &FieldName, key: &RowKey, row: Row) -> Result<(), RefusalKind> {
        let schema = self.model.tables.get(&**collection).map(|table| &table.schema);
        if schema.and_then(|schema| row.key(schema)).as_ref() != Some(key) {
            return Err(RefusalKind::Invalid);
        }
        self.put(collection, row)
    }

    fn queried(&self, query: &Query) -> Option<(String, &Table)> {
        let [name] = query.collections.as_slice() else { return None };
        self.model.tables.get(&**name).map(|table| (name.to_string(), table))
    }

    /// All of them, or an error: the caller then undoes what has been written.
    fn batch(&mut self, operations: &[Operation]) -> Result<Outcome, RefusalKind> {
        self.is_batch = true;
        for operation in operations {
            match self.attempt(operation)? {
                Outcome::Unsupported => return Ok(Outcome::Unsupported),
                _ if operation.is_read() => return Ok(Outcome::Unsupported),
                _ => {}
            }
        }
        for (collection, key) in std::mem::take(&mut self.judge_later) {
            let Some(table) = self.model.tables.get(&collection) else { continue };
            if table.rows.get(&key).is_some_and(|row| table.is_duplicate(&key, row)) {
                return Err(RefusalKind::Duplicate);
            }
        }
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memdex::{FieldDef, Kind, field};

    fn model() -> Model {
        let fields = [
            FieldDef::new("id", Kind::Int).key(),
            FieldDef::new("mail", Kind::Str).optional().unique(),
            FieldDef::new("visits", Kind::Int).optional(),
        ];
        Model::new([("User", Schema::new(fields))])
    }

    fn user(id: i64, mail: &str) -> Row {
        Row::new().with("id", id).with("mail", mail)
    }

    #[test]
    fn a_batch_is_judged_by_its_net_result() {
        let swap = Operation::Batch(vec![
            Operation::update("User", [Value::from(1)], "mail", "b"),
            Operation::update("User", [Value::from(2)], "mail", "a"),
        ]);
        let mut model = model();
        for (id, mail) in [(1, "a"), (2, "b")] {
            assert_eq!(model.apply(&Operation::insert("User", user(id, mail))), Outcome::Done);
        }
        assert!(!model.is_portable(&swap));
        let mut immediate = model.clone().immediate_uniqueness();
        let before = immediate.fingerprint();
        assert_eq!(immediate.apply(&swap), Outcome::Refused(RefusalKind::Duplicate));
        assert_eq!(immediate.fingerprint(), before);
        assert_eq!(model.apply(&swap), Outcome::Done);
        assert_eq!(model.rows("User").map(|(_, row)| row.clone()).collect::<Vec<_>>(), [user(1, "b"), user(2, "a")]);
        assert_ne!(model.fingerprint(), before);
    }

    #[test]
    fn refusals_change_nothing() {
        let mut model = model();
        model.apply(&Operation::insert("User", user(1, "a")));
        let before = model.fingerprint();
        let key = |id: i64| vec![Value::from(id)];
        for (operation, why) in [
            (Operation::insert("User", user(1, "b")), RefusalKind::Duplicate),
            (Operation::store("User", user(2, "a")), RefusalKind::Duplicate),
            (Operation::insert("User", Row::new().with("id", "x")), RefusalKind::Invalid),
            (Operation::insert("User", Row::new().with("mail", "x")), RefusalKind::Invalid),
            (Operation::insert("User", user(3, "x").with("other", 1)), RefusalKind::Invalid),
            (Operation::update("User", key(9), "mail", "x"), RefusalKind::Missing),
            (Operation::update("User", key(1), "id", 2), RefusalKind::Invalid),
            (Operation::add("User", key(1), "visits", 1), RefusalKind::Missing),
            (
                Operation::Batch(vec![
                    Operation::delete("User", key(1)),
                    Operation::update("User", key(1), "mail", "x"),
                ]),
                RefusalKind::Missing,
            ),
        ] {
            assert_eq!(model.apply(&operation), Outcome::Refused(why), "{operation}");
            assert_eq!(model.fingerprint(), before, "{operation}");
        }
    }

    #[test]
    fn writes_by_predicate_take_the_first_of_an_order() {
        let mut model = model();
        (1..=5).for_each(|id| drop(model.apply(&Operation::insert("User", user(id, &id.to_string())))));
        let last_two = Query::over(["User"]).filter(field("id").lt(5)).order_by(field("id").desc()).limit(2);
        assert_eq!(model.apply(&Operation::DeleteWhere(last_two)), Outcome::Number(2));
        let ids: Vec<i64> = model.rows("User").filter_map(|(key, _)| key[0].as_i64()).collect();
        assert_eq!(ids, [1, 2, 5]);
    }
}
