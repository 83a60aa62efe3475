//! memdex, `DashMap` with aHash and SQLite in memory under the workloads of `memdex-bench`. Writes the report into `target/bench-peers`, or
//! into the folder of the first argument; with a second one, an earlier `report.json`, it prints what has changed.

use dashmap::DashMap;
use memdex_bench::{BoxError, Item, Keys, MemdexTarget, Mix, Operation, Report, Suite, Target, Workload};
use rusqlite::{Connection, params};
use std::collections::HashSet;
use std::sync::Mutex;

/// Concurrent maps of records and of keys by group. Not atomic: a reader may see one without the other.
#[derive(Default)]
struct Maps {
    items: DashMap<u64, Item, ahash::RandomState>,
    groups: DashMap<u32, HashSet<u64, ahash::RandomState>, ahash::RandomState>,
}

impl Maps {
    fn insert(&self, item: Item) {
        self.groups.entry(item.group).or_default().insert(item.key);
        self.items.insert(item.key, item);
    }
}

impl Target for Maps {
    fn fill(&mut self, items: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError> {
        items.for_each(|item| self.insert(item));
        Ok(())
    }

    fn execute(&self, operation: Operation) -> Result<u64, BoxError> {
        Ok(match operation {
            Operation::Get { key } => {
                self.items.get(&key).map(|item| std::hint::black_box(item.amount)).is_some().into()
            }
            Operation::Insert(item) => {
                self.insert(item);
                1
            }
            Operation::Update { key, amount } => {
                self.items.get_mut(&key).map(|mut item| item.amount += amount).is_some().into()
            }
            Operation::Delete { key } => match self.items.remove(&key) {
                Some((_, item)) => {
                    if let Some(mut group) = self.groups.get_mut(&item.group) {
                        group.remove(&key);
                    }
                    1
                }
                None => 0,
            },
            Operation::Query { group } => self.groups.get(&group).map_or(0, |keys| keys.len() as u64),
            other => return Err(format!("{other:?} is not supported").into()),
        })
    }
}

/// A connection for all threads, as a database in memory has one.
struct Sqlite(Mutex<Connection>);

impl Sqlite {
    fn new() -> Result<Self, BoxError> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(
            "CREATE TABLE item (key INTEGER PRIMARY KEY, grp INTEGER NOT NULL, amount INTEGER NOT NULL, text TEXT NOT NULL);
             CREATE INDEX item_group ON item (grp);",
        )?;
        Ok(Sqlite(Mutex::new(connection)))
    }
}

const INSERT: &str = "INSERT INTO item VALUES (?1, ?2, ?3, ?4)";

impl Target for Sqlite {
    fn fill(&mut self, items: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError> {
        let transaction = self.0.get_mut().map_err(|_| "poisoned")?.transaction()?;
        let mut insert = transaction.prepare(INSERT)?;
        for item in items {
            insert.execute(params![item.key as i64, item.group, item.amount, item.text])?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(())
    }

    fn execute(&self, operation: Operation) -> Result<u64, BoxError> {
        let connection = self.0.lock().map_err(|_| "poisoned")?;
        let run = |sql, values: &[&dyn rusqlite::ToSql]| connection.prepare_cached(sql)?.execute(values);
        let count = match operation {
            Operation::Get { key } => {
                let mut get = connection.prepare_cached("SELECT amount, text FROM item WHERE key = ?1")?;
                let mut rows = get.query(params![key as i64])?;
                let row = rows.next()?;
                row.map(|row| Ok::<_, rusqlite::Error>((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
                    .transpose()?
                    .is_some()
                    .into()
            }
            Operation::Insert(item) => run(INSERT, &[&(item.key as i64), &item.group, &item.amount, &item.text])?,
            Operation::Update { key, amount } => {
                run("UPDATE item SET amount = amount + ?2 WHERE key = ?1", &[&(key as i64), &amount])?
            }
            Operation::Delete { key } => run("DELETE FROM item WHERE key = ?1", &[&(key as i64)])?,
            Operation::Query { group } => {
                let mut count = connection.prepare_cached("SELECT count(*) FROM item WHERE grp = ?1")?;
                return Ok(count.query_row(params![group], |row| row.get::<_, i64>(0))? as u64);
            }
            other => return Err(format!("{other:?} is not supported").into()),
        };
        Ok(count as u64)
    }
}

fn main() -> Result<(), BoxError> {
    // Cargo adds options, such as `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let folder =
        arguments.next().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench-peers").to_owned());
    let earlier = arguments.next().map(Report::read).transpose()?;
    let workload = |name| {
        let workload = Workload::new(name).records(100_000).operations(200_000).groups(1_000);
        workload.keys(Keys::Zipf { exponent: 0.99 })
    };
    let report = Suite::new("memdex and its peers")
        .rounds(5)
        .workload(workload("reads, Zipf").mix(Mix::new().get(95).update(5)))
        .workload(
            workload("a mix, uniform")
                .keys(Keys::Uniform)
                .mix(Mix::new().get(60).insert(15).update(15).delete(5).query(5)),
        )
        .workload(workload("the latest").keys(Keys::Latest { exponent: 0.99 }).mix(Mix::new().get(95).insert(5)))
        .workload(workload("queries").operations(50_000).mix(Mix::new().query(95).update(5)))
        .workload(
            workload("two threads, 50,000 a second")
                .threads(2)
                .rate(50_000.0)
                .mix(Mix::new().get(80).insert(10).update(5).query(5)),
        )
        .target("memdex", || Ok(MemdexTarget::new()?))
        .target("DashMap with aHash", || Ok(Maps::default()))
        .target("SQLite, in memory", Sqlite::new)
        .run()?;
    print!("{}", report.to_markdown());
    if let Some(earlier) = earlier {
        print!("\n{}", report.compare(&earlier));
    }
    report.write(&folder)?;
    println!("\nWritten to {folder}");
    Ok(())
}
