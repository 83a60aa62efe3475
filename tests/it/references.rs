//! References between collections, and checks.

mod batches;
mod collections;
mod random;
mod together;

use memdex::{Collection, Record, Store};
use std::error::Error;

#[derive(Clone, Debug, PartialEq, Record)]
#[record(check(account::BALANCE.ge(0)))]
struct Account {
    #[record(key)]
    id: u32,
    #[record(unique)]
    name: String,
    #[record(field)]
    balance: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Payment {
    #[record(key)]
    id: u32,
    #[record(references = "Account")]
    account: u32,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Card {
    #[record(key)]
    id: u32,
    #[record(references = "Account", on_delete = "cascade", on_update = "cascade", constraint = "card_of")]
    account: u32,
    #[record(field)]
    uses: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Note {
    #[record(key)]
    id: u32,
    #[record(references = "Account", on_delete = "set_null")]
    account: Option<u32>,
}

struct Bank {
    store: Store,
    accounts: Collection<Account>,
}

fn bank() -> Bank {
    let store = Store::new();
    let accounts = store.collection::<Account>("Account").unwrap();
    for id in 1..=3 {
        accounts.insert(account(id)).unwrap();
    }
    Bank { store, accounts }
}

fn account(id: u32) -> Account {
    Account { id, name: format!("a{id}"), balance: Some(0) }
}

fn card(id: u32, account: u32) -> Card {
    Card { id, account, uses: 0 }
}

type Tested = Result<(), Box<dyn Error>>;
