//! Memdex as a target.

use crate::target::{BoxError, Item, Operation, Target};
use memdex::{Collection, Record, Store, field};

#[derive(Clone, Record)]
struct Row {
    #[record(key)]
    key: u64,
    #[record(index)]
    group: u32,
    #[record(field)]
    amount: i64,
    text: String,
}

/// A memdex store with an equality index on the group. Each operation that writes is a commit.
///
/// ```
/// use memdex_bench::{MemdexTarget, Operation, Target};
/// let target = MemdexTarget::new()?;
/// assert_eq!(target.execute(Operation::Get { key: 1 })?, 0);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug)]
pub struct MemdexTarget {
    store: Store,
    rows: Collection<Row>,
}

impl MemdexTarget {
    /// An empty store.
    ///
    /// # Errors
    /// None that the collection of an empty store can have.
    pub fn new() -> Result<Self, memdex::error::CollectionError> {
        let store = Store::new();
        let rows = store.collection("Row")?;
        Ok(MemdexTarget { store, rows })
    }

    /// The store, to read its statistics.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

fn row(Item { key, group, amount, text }: Item) -> Row {
    Row { key, group, amount, text }
}

impl Target for MemdexTarget {
    fn fill(&mut self, items: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError> {
        let mut writer = self.store.writer().bulk_size(1_000);
        for item in items {
            writer.store(&self.rows, row(item))?;
        }
        writer.flush()?;
        Ok(())
    }

    fn execute(&self, operation: Operation) -> Result<u64, BoxError> {
        Ok(match operation {
            Operation::Get { key } => {
                let found = self.rows.get_with(key, |row| std::hint::black_box(row.amount + row.text.len() as i64));
                u64::from(found.is_some())
            }
            Operation::Insert(item) => self.rows.insert(row(item)).map(|receipt| receipt.counts.inserted as u64)?,
            Operation::Update { key, amount } => match self.rows.increment(key, field("amount"), amount) {
                Ok(_) => 1,
                Err(refused) if matches!(refused.cause(), memdex::error::Cause::KeyMissing) => 0,
                Err(refused) => return Err(refused.into()),
            },
            Operation::Delete { key } => self.rows.delete(key).map(|receipt| receipt.counts.deleted as u64)?,
            Operation::Query { group } => self.rows.find(field("group").eq(group)).count()? as u64,
        })
    }
}
