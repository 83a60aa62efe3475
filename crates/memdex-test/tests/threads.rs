//! memdex itself under threads: operations are linearizable, and snapshots with batches are isolated.

use memdex::{Commit, FieldDef, IndexDef, KeyValue, Kind, Schema, Store, field};
use memdex_test::history::{Access, Item, Level, Recorder, Transaction, isolated};
use memdex_test::{Domain, Machine, Row, StoreRepository, Workload};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

fn schema() -> Schema {
    let fields = [
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("owner", Kind::Str).required().unique(),
        FieldDef::new("cents", Kind::Int).required().ordered(),
        FieldDef::new("version", Kind::Int).required(),
    ];
    Schema::new(fields).with_index(IndexDef::equality("cents").named("rich").when(field("cents").gt(50)))
}

#[test]
fn operations_on_a_store_are_linearizable() {
    let accounts = Domain::of_schema("Account", schema()).unwrap().keys(4).unwrap();
    let machine = Machine::new(Workload::new([accounts.clone()])).version_field("version").cases(60).length(25);
    let checked = machine.check_threads(|| StoreRepository::key_values([&accounts]).unwrap());
    let report = checked.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.operations > 4_000, "{report:?}");
}

const ACCOUNTS: i64 = 4;

/// Writers move cents between two accounts in one batch, if both are unchanged; readers read all from a snapshot, and scan.
#[test]
fn snapshots_and_batches_are_isolated() {
    let store = Store::new();
    let accounts = store.key_values::<()>("Account", schema()).unwrap();
    let record = |id: i64, cents: i64, version: i64| {
        KeyValue::new(id, ()).with("owner", format!("o{id}")).with("cents", cents).with("version", version)
    };
    for id in 1..=ACCOUNTS {
        accounts.store(record(id, 100, 0)).unwrap();
    }
    let item = |id: i64| Item::new("Account", [id.into()]);
    let start: BTreeMap<Item, memdex::Value> = (1..=ACCOUNTS).map(|id| (item(id), 0.into())).collect();
    let recorder = Recorder::new();
    let (history, versions) = (Mutex::new(Vec::new()), AtomicI64::new(1));
    let field_of = |record: &KeyValue<()>, name: &str| record.field(name).next().and_then(|v| v.as_i64()).unwrap();
    let row = |id: i64, cents: i64| (item(id), Row::new().with("cents", cents));
    std::thread::scope(|scope| {
        for client in 0..3 {
            let (store, accounts, recorder, history, versions) = (&store, &accounts, &recorder, &history, &versions);
            scope.spawn(move || {
                let mut random = client as u64 + 1;
                for _ in 0..150 {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let pick = |shift: u32| ((random >> shift) % ACCOUNTS as u64) as i64 + 1;
                    let mut transaction = Transaction::new(client, recorder.tick(), 0);
                    let snapshot = store.snapshot();
                    let read = |transaction: &mut Transaction, id: i64| {
                        let found = snapshot.of(accounts).get(id).unwrap();
                        let version = field_of(&found, "version");
                        transaction.accesses.push(Access::Read(item(id), version.into()));
                        (field_of(&found, "cents"), found.commit())
                    };
                    if random >> 40 & 1 == 0 {
                        for id in 1..=ACCOUNTS {
                            read(&mut transaction, id);
                        }
                        let least = 90 + pick(20) * 5;
                        let hits = snapshot.of(accounts).find(field("cents").ge(least)).fetch().unwrap();
                        let found = hits.iter().map(|hit| {
                            let id = hit.key().parts()[0].as_i64().unwrap();
                            (item(id), field_of(hit, "version").into())
                        });
                        transaction.accesses.push(Access::Scan {
                            collection: "Account".to_owned(),
                            found: found.collect(),
                            matches: Arc::new(move |_, row| {
                                row.and_then(|row| row.one("cents")?.as_i64()).is_some_and(|cents| cents >= least)
                            }),
                            text: format!("cents >= {least}"),
                        });
                    } else {
                        let (from, to) = (pick(10), pick(30));
                        if from == to {
                            continue;
                        }
                        let [a, b] = [from, to].map(|id| read(&mut transaction, id));
                        let version = versions.fetch_add(1, SeqCst);
                        let committed = store.commit(|batch| {
                            let change =
                                |(cents, seen): (i64, Commit), id, by: i64| (seen, record(id, cents + by, version));
                            for (seen, record) in [change(a, from, -5), change(b, to, 5)] {
                                batch.if_unchanged(seen).store(accounts, record)?;
                            }
                            Ok(())
                        });
                        let Ok(receipt) = committed else { continue };
                        for (id, cents) in [(from, a.0 - 5), (to, b.0 + 5)] {
                            transaction.accesses.push(Access::Write(item(id), version.into()));
                            transaction.rows.push(row(id, cents));
                        }
                        transaction = transaction.at_commit(receipt.commit.get());
                    }
                    transaction.ended = Some(recorder.tick());
                    history.lock().unwrap().push(transaction);
                }
            });
        }
    });
    let history = history.into_inner().unwrap();
    let writes = history.iter().filter(|transaction| transaction.commit.is_some()).count();
    assert!(writes > 30 && history.len() - writes > 100, "{writes} of {}", history.len());
    let report = isolated(&history, &start, Level::Snapshot).unwrap_or_else(|violation| panic!("{violation}"));
    assert!(report.reads > 500 && report.skipped * 2 < report.reads, "{report:?}");

    // The same history with one read of an older state is not.
    let mut wrong = history.clone();
    let reader = wrong.iter().rposition(|transaction| transaction.commit.is_none()).unwrap();
    wrong[reader].accesses = vec![Access::Read(item(1), 0.into())];
    wrong[reader].began = recorder.tick();
    wrong[reader].ended = Some(recorder.tick());
    assert!(isolated(&wrong, &start, Level::Snapshot).is_err());
}
