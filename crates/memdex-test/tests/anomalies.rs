//! The checker of isolation names each anomaly, and finds none in histories that are fine.

use memdex_test::history::{Access, Anomaly, End, Item, Level, Transaction, Violation, isolated};
use memdex_test::{Row, RowKey};
use std::collections::BTreeMap;
use std::sync::Arc;

fn item(id: i64) -> Item {
    Item::new("Account", [id.into()])
}

fn read(id: i64, version: i64) -> Access {
    Access::Read(item(id), version.into())
}

fn write(id: i64, version: i64) -> Access {
    Access::Write(item(id), version.into())
}

fn transaction<const N: usize>(began: u64, ended: u64, accesses: [Access; N]) -> Transaction {
    accesses.into_iter().fold(Transaction::new(0, began, ended), Transaction::with)
}

/// Items 1 to 4 have version 0 at the start.
fn check(history: &[Transaction], level: Level) -> Result<(), Violation> {
    let start = (1..=4).map(|id| (item(id), 0.into())).collect::<BTreeMap<_, _>>();
    isolated(history, &start, level).map(drop)
}

/// The anomaly at the level, which the levels below allow.
fn assert_anomaly(history: &[Transaction], lowest: Level, anomaly: Anomaly) {
    for level in [Level::ReadCommitted, Level::Snapshot, Level::Serializable] {
        match check(history, level) {
            Ok(()) => assert!(level < lowest, "{level:?} does not find {anomaly}"),
            Err(found) => {
                assert!(level >= lowest, "{level:?}: {found}");
                assert_eq!(found.anomaly, anomaly, "{level:?}: {found}");
                assert!(!found.operations.is_empty() && found.explanation.contains("Account"), "{found}");
            }
        }
    }
}

#[test]
fn reads_of_values_that_nobody_may_see() {
    let aborted = transaction(0, 9, [write(1, 1)]).ending(End::Aborted);
    assert_anomaly(&[aborted, transaction(1, 8, [read(1, 1)])], Level::ReadCommitted, Anomaly::DirtyRead);
    let twice = transaction(0, 9, [write(1, 1), write(1, 2)]);
    assert_anomaly(&[twice, transaction(1, 8, [read(1, 1)])], Level::ReadCommitted, Anomaly::IntermediateRead);
    assert_anomaly(&[transaction(0, 1, [read(1, 77)])], Level::ReadCommitted, Anomaly::UnknownValue);
    let own = transaction(0, 1, [write(1, 5), read(1, 0)]);
    assert_anomaly(&[own], Level::ReadCommitted, Anomaly::NonRepeatableRead);
}

#[test]
fn cycles_of_writes_and_reads_of_them() {
    let cycle = [transaction(0, 9, [write(1, 1), read(2, 2)]), transaction(1, 8, [write(2, 2), read(1, 1)])];
    assert_anomaly(&cycle, Level::ReadCommitted, Anomaly::CircularInformationFlow);
    // The positions of the commits of the parts differ: two stores that are written one after the other.
    let chain = [
        transaction(0, 9, [read(1, 0), write(1, 1), write(2, 1)]),
        transaction(0, 9, [read(1, 1), write(1, 2), write(2, 2)]),
        transaction(0, 9, [read(2, 2), write(2, 3)]),
        transaction(0, 9, [read(2, 3), write(2, 4), read(1, 0), write(1, 4)]),
    ];
    assert!(check(&chain, Level::Snapshot).is_err());
}

#[test]
fn a_torn_batch() {
    let batch = transaction(0, 9, [write(1, 1), write(2, 1)]);
    assert_anomaly(&[batch.clone(), transaction(1, 8, [read(1, 1), read(2, 0)])], Level::Snapshot, Anomaly::TornRead);
    for whole in [[read(1, 0), read(2, 0)], [read(1, 1), read(2, 1)]] {
        assert!(check(&[batch.clone(), transaction(1, 8, whole)], Level::Serializable).is_ok());
    }
}

#[test]
fn lost_updates() {
    let both = [transaction(0, 9, [read(1, 0), write(1, 1)]), transaction(1, 8, [read(1, 0), write(1, 2)])];
    assert_anomaly(&both, Level::Snapshot, Anomaly::LostUpdate);
    let unknown = [both[0].clone(), both[1].clone().ending(End::Unknown)];
    assert!(check(&unknown, Level::Serializable).is_ok(), "the second one may not have been committed");
    let blind = [transaction(0, 9, [write(1, 1)]), transaction(1, 8, [write(1, 2)])];
    assert!(check(&blind, Level::Serializable).is_ok());
}

#[test]
fn a_long_fork() {
    let fork = [
        transaction(0, 99, [write(1, 1)]),
        transaction(0, 99, [write(2, 2)]),
        transaction(1, 98, [read(1, 1), read(2, 0)]),
        transaction(1, 98, [read(1, 0), read(2, 2)]),
    ];
    assert_anomaly(&fork, Level::Snapshot, Anomaly::LongFork);
}

#[test]
fn write_skew_is_allowed_under_snapshot_isolation() {
    let skew = [
        transaction(0, 9, [read(1, 0), read(2, 0), write(1, 1)]),
        transaction(1, 8, [read(1, 0), read(2, 0), write(2, 2)]),
    ];
    assert_anomaly(&skew, Level::Serializable, Anomaly::WriteSkew);
}

#[test]
fn a_stale_read() {
    let ended = transaction(0, 1, [write(1, 1)]);
    assert_anomaly(&[ended.clone(), transaction(2, 3, [read(1, 0)])], Level::Snapshot, Anomaly::StaleRead);
    assert!(check(&[ended, transaction(1, 3, [read(1, 0)])], Level::Serializable).is_ok(), "they overlap");
    // Through others: long chains of transactions in between.
    let mut chain: Vec<Transaction> = (0..500)
        .map(|at: i64| transaction(10 * at as u64, 10 * at as u64 + 5, [read(1, at), write(1, at + 1)]))
        .collect();
    assert!(check(&chain, Level::Serializable).is_ok());
    chain.push(transaction(4_996, 4_999, [read(1, 499)]));
    let stale = check(&chain, Level::Snapshot).unwrap_err();
    assert_eq!((stale.anomaly, stale.operations), (Anomaly::StaleRead, vec![499, 500]));
}

/// A scan of all accounts with at least this many cents; versions are known, and rows of writes too.
fn scan(least: i64, found: &[(i64, i64)]) -> Access {
    Access::Scan {
        collection: "Account".to_owned(),
        found: found.iter().map(|(id, version)| (item(*id), (*version).into())).collect(),
        matches: Arc::new(move |_, row| {
            row.and_then(|row| row.one("cents")?.as_i64()).is_some_and(|cents| cents >= least)
        }),
        text: format!("cents >= {least}"),
    }
}

fn insert(began: u64, ended: u64, id: i64, version: i64, cents: i64) -> Transaction {
    let mut transaction = transaction(began, ended, [write(id, version)]);
    transaction.rows.push((item(id), Row::new().with("cents", cents)));
    transaction
}

fn check_scan(history: &[Transaction]) -> Result<(), Violation> {
    isolated(history, &BTreeMap::new(), Level::Snapshot).map(drop)
}

#[test]
fn phantoms() {
    // A record that was there before the scan.
    let missed = [insert(0, 1, 5, 1, 100), transaction(2, 3, [scan(50, &[])])];
    assert_eq!(check_scan(&missed).unwrap_err().anomaly, Anomaly::Phantom);
    assert!(check_scan(&[missed[0].clone(), transaction(2, 3, [scan(200, &[])])]).is_ok(), "it does not match");
    assert!(check_scan(&[insert(0, 9, 5, 1, 100), transaction(2, 3, [scan(50, &[])])]).is_ok(), "they overlap");
    // Two inserts of one batch, of which a scan sees one.
    let mut both = insert(0, 9, 5, 1, 100);
    both.accesses.push(write(6, 1));
    both.rows.push((item(6), Row::new().with("cents", 100)));
    assert!(check_scan(&[both.clone(), transaction(1, 8, [scan(50, &[(5, 1), (6, 1)])])]).is_ok());
    let torn = check_scan(&[both, transaction(1, 8, [scan(50, &[(5, 1)])])]).unwrap_err();
    assert_eq!((torn.anomaly, torn.operations), (Anomaly::Phantom, vec![0, 1]));
}

#[test]
fn positions_of_commits_give_the_order_of_blind_writes() {
    let writes = [transaction(0, 9, [write(1, 1)]).at_commit(1), transaction(0, 9, [write(1, 2)]).at_commit(2)];
    let reader = transaction(0, 9, [read(1, 1), write(2, 3)]).at_commit(3);
    let later = transaction(0, 9, [read(2, 3), read(1, 2)]);
    let fine = [writes[0].clone(), writes[1].clone(), reader.clone(), later];
    assert!(check(&fine, Level::Snapshot).is_ok());
    // It saw the second write and what a reader of the first wrote, but then the first again.
    let back = transaction(0, 9, [read(1, 1), read(3, 5)]);
    let after = transaction(0, 9, [read(1, 2), write(3, 5)]).at_commit(4);
    let skewed = [writes[0].clone(), writes[1].clone(), back, after];
    assert_eq!(check(&skewed, Level::Snapshot).unwrap_err().anomaly, Anomaly::ReadSkew);
    let key: RowKey = vec![1.into()];
    assert_eq!(format!("{:?}", Item::new("Account", key).part("cents")), "Account [1].cents");
}
