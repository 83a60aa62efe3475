//! The remaining promises: collections and their stores, handles, time, the writer, limits and their errors,
//! observers, long histories.

/// A hand-written record with the key `id`, and the heap size that a closure computes.
macro_rules! keyed_by_id {
    ($record:ty $(, $heap:expr)?) => {
        impl memdex::Record for $record {
            type Key = u32;

            fn schema() -> memdex::Schema {
                memdex::Schema::new([memdex::FieldDef::of::<u32>("id").key()])
            }

            fn key(&self, key: &mut memdex::typing::KeyBuffer) {
                key.push(self.id.into());
            }

            fn value(&self, _: usize) -> memdex::typing::ValueRef<'_> {
                self.id.into()
            }

            $(fn heap_size(&self) -> usize {
                let heap: fn(&Self) -> usize = $heap;
                heap(self)
            })?
        }
    };
}

mod any_collection;
mod audits;
mod chains;
mod collections;
mod conditions;
mod empty_keys;
mod errors;
mod hooks;
mod lenient;
mod matching;
mod memory;
mod observers;
mod pages;
mod predicates;
mod registry;
mod rekey;
mod reports;
mod stats;
mod time;
mod writer;

use memdex::{Collection, Record, Store};

#[derive(Clone, Debug, PartialEq, Record)]
struct User {
    #[record(key)]
    id: String,
    #[record(index)]
    city: String,
    #[record(field)]
    visits: i64,
}

fn user(id: &str, visits: i64) -> User {
    User { id: id.to_owned(), city: "Bern".to_owned(), visits }
}

fn users() -> (Store, Collection<User>) {
    let store = Store::new();
    let users = store.collection("users").unwrap();
    (store, users)
}

/// Identifiers and visits, in order.
fn state(users: &Collection<User>) -> Vec<(String, i64)> {
    let mut state: Vec<_> = users.iter().map(|user| (user.id.clone(), user.visits)).collect();
    state.sort();
    state
}

fn ids(of: impl IntoIterator<Item = i64>) -> Vec<(String, i64)> {
    of.into_iter().map(|n| (n.to_string(), n)).collect()
}
