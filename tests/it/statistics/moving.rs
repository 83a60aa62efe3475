//! With real threads: while a writer moves amounts between records and records between groups, the sums of every
//! result equal the total.

use memdex::aggregate::Statistics;
use memdex::{Bucket, GroupBy, Metric, Record, Store, field};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

#[derive(Clone, Debug, Record)]
struct Account {
    #[record(key)]
    id: u32,
    #[record(column, index)]
    branch: String,
    #[record(column)]
    cents: i64,
    /// Like `cents`, without a column.
    #[record(field)]
    same: i64,
}

const ACCOUNTS: u32 = 3_000;
const CENTS: i64 = 1_000;
const COMMITS: u32 = 4_000;

#[test]
fn sums_of_all_groups_equal_the_total() {
    let store = Store::new();
    let accounts = store.collection::<Account>("Account").unwrap();
    let account = |id: u32| Account { id, branch: format!("b-{}", id % 5), cents: CENTS, same: CENTS };
    store.commit(|batch| (0..ACCOUNTS).try_for_each(|id| batch.store(&accounts, account(id)))).unwrap();
    let done = AtomicBool::new(false);
    let total = i64::from(ACCOUNTS) * CENTS;
    thread::scope(|scope| {
        scope.spawn(|| {
            for commit in 0..COMMITS {
                let (from, to) = (commit * 7 % ACCOUNTS, (commit * 13 + 1) % ACCOUNTS);
                let moved = i64::from(commit % 50);
                store
                    .commit(|batch| {
                        for (id, by) in [(from, -moved), (to, moved)] {
                            batch.update(&accounts, id, move |account| {
                                account.cents += by;
                                account.same += by;
                                account.branch = format!("b-{}", commit % 6);
                            })?;
                        }
                        Ok(())
                    })
                    .unwrap();
            }
            done.store(true, SeqCst);
        });
        for name in ["cents", "same"] {
            let (store, accounts, done) = (&store, &accounts, &done);
            scope.spawn(move || {
                let metrics = || [Metric::count(), field(name).sum().named("sum")];
                let by_branch = || GroupBy::new([Bucket::values("branch")]).metrics(metrics());
                let (mut last, mut requested) = (memdex::Commit::ZERO, 0);
                let held = store.snapshot();
                let first = held.of(accounts).find(memdex::query::Predicate::All).statistics(by_branch()).unwrap();
                while !done.load(SeqCst) || requested < 20 {
                    let find = accounts.find(memdex::query::Predicate::All);
                    let summary = find.statistics(Statistics::of(metrics()).group_by(by_branch())).unwrap();
                    assert!(summary.commit >= last, "a session went back in time");
                    last = summary.commit;
                    let of_groups = |name| summary.groups().iter().map(|group| group.int(name).unwrap()).sum::<i64>();
                    assert_eq!((summary.int("sum"), summary.int("count")), (Some(total), Some(ACCOUNTS.into())));
                    assert_eq!((of_groups("sum"), of_groups("count")), (total, ACCOUNTS.into()));
                    let one = accounts.find(field("branch").eq("b-1")).statistics(metrics()).unwrap();
                    assert!(one.int("count").unwrap() > 0);
                    requested += 1;
                    if requested % 8 == 0 {
                        let again =
                            held.of(accounts).find(memdex::query::Predicate::All).statistics(by_branch()).unwrap();
                        assert_eq!(again.values, first.values, "a held snapshot returns the same results");
                    }
                }
            });
        }
    });
    store.optimize().unwrap();
    assert_eq!(store.stats().collections[0].versions_retained, 0);
    store.verify().unwrap();
}
