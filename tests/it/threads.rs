//! Real threads: 64 accounts in two collections, two writers that move money between them, three readers that sum all
//! of it in every way (by scan, by index, by key, by statistics, page by page) during more than 10,000 commits. Every
//! sum is the total, no reader goes back in time, and a snapshot that is held throughout returns the same results.

mod queue;

use memdex::aggregate::{MetricValues, Statistics};
use memdex::error::{Cause, Refusal};
use memdex::query::Cursor;
use memdex::schema::AggregateDef;
use memdex::write::Refused;
use memdex::{Batch, Collection, Commit, FieldValue, Filter, GroupBy, Handle, Record, Snapshot, Store, field};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const ACCOUNTS: u32 = 64;
const TOTAL: i64 = 1_000 * ACCOUNTS as i64;
const COMMITS_A_WRITER: usize = 5_100;
const READERS: usize = 3;
/// The least number of rounds of each reader.
const ROUNDS_A_READER: usize = 60;

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
enum Region {
    North,
    South,
    East,
}

const AGGREGATE: &str = "by region";
const REGIONS: [Region; 3] = [Region::North, Region::South, Region::East];

#[derive(Clone, Debug, PartialEq, Record)]
struct Checking {
    #[record(key)]
    id: u32,
    #[record(index)]
    region: Region,
    #[record(field)]
    open: bool,
    #[record(ordered, column)]
    balance: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Savings {
    #[record(key)]
    bank: String,
    #[record(key)]
    number: u32,
    #[record(index, column)]
    region: Option<String>,
    #[record(column)]
    cents: i64,
}

fn bank(number: u32) -> &'static str {
    ["first", "the second bank, whose name is long"][number as usize % 2]
}

fn savings_region(of: u64) -> Option<String> {
    [None, Some("north".to_owned()), Some("south".to_owned())][of as usize % 3].clone()
}

/// A generator of random numbers, so that a run depends only on the schedule.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u32) -> u32 {
        (self.next() % u64::from(end)) as u32
    }
}

struct Bank {
    store: Store,
    checking: Collection<Checking>,
    savings: Collection<Savings>,
    start: Barrier,
    rounds: [AtomicUsize; READERS],
}

impl Bank {
    fn new() -> Self {
        let store = Store::new();
        let checking = store.collection("checking").unwrap();
        let savings = store.collection("savings").unwrap();
        let bank = Bank { store, checking, savings, start: Barrier::new(2 + READERS), rounds: Default::default() };
        let open = |batch: &mut Batch| {
            (0..ACCOUNTS / 2).try_for_each(|id| {
                let region = REGIONS[id as usize % 3];
                batch.insert(&bank.checking, Checking { id, region, open: true, balance: 1_000 })?;
                let (bank_name, region) = (self::bank(id).to_owned(), savings_region(id.into()));
                batch.insert(&bank.savings, Savings { bank: bank_name, number: id, region, cents: 1_000 })
            })
        };
        bank.store.commit(open).unwrap();
        let by_region = GroupBy::values("region").metrics([field("cents").sum().named("sum")]);
        let aggregate = Statistics::of([field("cents").sum().named("sum")]).group_by(by_region);
        bank.savings.add_aggregate(AggregateDef::new(AGGREGATE, aggregate)).unwrap();
        bank
    }

    // ---- writers --------------------------------------------------------------------------------------------------

    fn write(&self, seed: u64) {
        let mut random = Random(seed);
        self.start.wait();
        let mut commits = 0;
        let watched = || self.rounds.iter().all(|rounds| rounds.load(SeqCst) >= ROUNDS_A_READER);
        while commits < COMMITS_A_WRITER || !watched() {
            let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
            let amount = i64::from(random.below(500));
            let done = match random.below(8) {
                0 => self.replace(from, to, amount, &mut random),
                _ => self.store.commit(|batch| {
                    self.add(batch, from, -amount, random.next())?;
                    self.add(batch, to, amount, random.next())
                }),
            };
            match done {
                Ok(receipt) => assert!(receipt.counts.missing == 0),
                Err(refused) => {
                    assert!(matches!(refused.cause(), Cause::Stale { .. }), "{refused}");
                    continue;
                }
            }
            commits += 1;
        }
    }

    /// Changes a balance, and sometimes the region.
    fn add(&self, batch: &mut Batch, account: u32, amount: i64, luck: u64) -> Result<(), Refusal> {
        let number = account / 2;
        if account.is_multiple_of(2) {
            batch.update(&self.checking, number, move |account| {
                account.balance += amount;
                if luck.is_multiple_of(4) {
                    account.region = REGIONS[(luck / 4 % 3) as usize];
                }
            })
        } else {
            batch.update(&self.savings, (bank(number), number), move |account| {
                account.cents += amount;
                if luck.is_multiple_of(4) {
                    account.region = savings_region(luck / 4);
                }
            })
        }
    }

    /// Deletes an account and inserts it again with less money, in the batch that gives the difference to another
    /// account.
    fn replace(&self, from: u32, to: u32, amount: i64, random: &mut Random) -> Result<memdex::write::Receipt, Refused> {
        let (number, luck) = (from / 2, random.next());
        self.store.commit(|batch| {
            if from.is_multiple_of(2) {
                let seen = self.checking.get(number).expect("an account is there in every commit");
                batch.if_unchanged(seen.commit()).delete(&self.checking, number)?;
                batch.insert(&self.checking, Checking { balance: seen.balance - amount, ..(*seen).clone() })?;
            } else {
                let seen = self.savings.get((bank(number), number)).expect("an account is there in every commit");
                batch.if_unchanged(seen.commit()).delete(&self.savings, seen.key())?;
                batch.insert(&self.savings, Savings { cents: seen.cents - amount, ..(*seen).clone() })?;
            }
            self.add(batch, to, amount, luck)
        })
    }

    // ---- readers --------------------------------------------------------------------------------------------------

    fn by_scan(&self, now: &Snapshot) -> Vec<(Handle<Checking>, Handle<Savings>)> {
        let mut checking = now.of(&self.checking).find(checking::OPEN.eq(true)).fetch().unwrap();
        let mut savings: Vec<_> = now.of(&self.savings).iter().collect();
        checking.sort_by_key(|account| account.id);
        savings.sort_by_key(|account| account.number);
        assert_eq!((checking.len(), savings.len()), (ACCOUNTS as usize / 2, ACCOUNTS as usize / 2));
        checking.into_iter().zip(savings).collect()
    }

    fn by_index(&self, now: &Snapshot) -> i64 {
        let (checking, savings) = (now.of(&self.checking), now.of(&self.savings));
        let in_region = |region: Region| checking.find(checking::REGION.eq(region)).fetch().unwrap();
        let of_checking = REGIONS.into_iter().flat_map(in_region).map(|account| account.balance);
        let named = savings.find(savings::REGION.is_in(["north", "south"])).fetch().unwrap();
        let nameless = savings.find(savings::REGION.is_null()).fetch().unwrap();
        of_checking.chain(named.into_iter().chain(nameless).map(|account| account.cents)).sum()
    }

    fn by_key(&self, now: &Snapshot) -> i64 {
        let checking = now.of(&self.checking).get_many(0..ACCOUNTS / 2);
        let savings = now.of(&self.savings).get_many((0..ACCOUNTS / 2).map(|number| (bank(number), number)));
        let of_checking = checking.into_iter().map(|account| account.unwrap().balance);
        of_checking.chain(savings.into_iter().map(|account| account.unwrap().cents)).sum()
    }

    /// By statistics: from columns, and from an aggregate.
    fn by_statistics(&self, now: &Snapshot) -> (i64, i64) {
        let (checking, savings) = (now.of(&self.checking), now.of(&self.savings));
        let of = |figures: &MetricValues, name: &str| {
            let by_group: i64 = figures.groups().iter().filter_map(|group| group.int(name)).sum();
            assert_eq!(figures.int(name), Some(by_group), "the groups are all there is");
            by_group
        };
        let by_region = |name: &'static str| GroupBy::values("region").metrics([field(name).sum().named("sum")]);
        let requested = |name: &'static str| Statistics::of([field(name).sum().named("sum")]).group_by(by_region(name));
        let by_columns = checking.find(Filter::all()).statistics(field("balance").sum().named("sum")).unwrap();
        let of_savings = savings.find(Filter::all()).statistics(requested("cents")).unwrap();
        let aggregate = savings.aggregate(AGGREGATE).unwrap();
        assert_eq!(aggregate.values, of_savings.values);
        let of_checking = checking.find(!checking::OPEN.eq(false)).statistics(requested("balance")).unwrap();
        (by_columns.int("sum").unwrap() + of(&of_savings, "sum"), of(&of_checking, "sum") + of(&aggregate, "sum"))
    }

    /// Page by page in the order of a field that moves, each time by another legal plan; and by two ranges.
    fn by_order(&self, now: &Snapshot, random: &mut Random) -> i64 {
        let checking = now.of(&self.checking);
        let order = if random.below(2) == 0 { checking::BALANCE.desc() } else { checking::BALANCE.asc() };
        let find = checking.find(Filter::all()).order_by(order).limit(1 + random.below(9) as usize);
        let (mut cursor, mut all) = (None, Vec::new());
        loop {
            let page = match &cursor {
                Some(cursor) => find.clone().after(Cursor::clone(cursor)),
                None => find.clone(),
            };
            let page = page.with_plan((0..3).map(|_| random.below(3) as usize).collect::<Vec<_>>()).fetch().unwrap();
            all.extend(page.records.iter().map(|account| account.balance));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(all.len(), ACCOUNTS as usize / 2, "no account is shown twice or left out");
        assert!(all.is_sorted() || all.iter().rev().is_sorted());
        let middle = all[all.len() / 2];
        let (low, high) = (checking.find(checking::BALANCE.lt(middle)), checking.find(checking::BALANCE.ge(middle)));
        let ranges = low.fetch().unwrap().into_iter().chain(high.fetch().unwrap());
        assert_eq!(ranges.map(|account| account.balance).sum::<i64>(), all.iter().sum::<i64>());
        all.into_iter().sum::<i64>() + now.of(&self.savings).iter().map(|account| account.cents).sum::<i64>()
    }

    fn read(&self, reader: usize, writing: &AtomicUsize) {
        let held = self.store.snapshot();
        let as_held = self.by_scan(&held);
        let mut random = Random(reader as u64 + 77);
        let (mut last_commit, mut last_seen) = (held.commit(), vec![Commit::ZERO; ACCOUNTS as usize / 2]);
        self.start.wait();
        while writing.load(SeqCst) > 0 {
            let number = random.below(ACCOUNTS / 2);
            let one = self.checking.get(number).expect("an account is there in every commit");
            let last = &mut last_seen[number as usize];
            assert!(one.commit() >= *last, "a get went back from commit {last} to {}", one.commit());
            *last = one.commit();

            let now = self.store.snapshot();
            assert!(now.commit() >= last_commit && now.commit() >= one.commit());
            last_commit = now.commit();
            let (checking, savings) = (now.of(&self.checking), now.of(&self.savings));
            assert_eq!((checking.len(), savings.len()), (ACCOUNTS as usize / 2, ACCOUNTS as usize / 2));
            let scanned: i64 = self.by_scan(&now).iter().map(|(one, other)| one.balance + other.cents).sum();
            assert_eq!((scanned, self.by_index(&now), self.by_key(&now)), (TOTAL, TOTAL, TOTAL), "at {now:?}");
            assert_eq!(
                (self.by_statistics(&now), self.by_order(&now, &mut random)),
                ((TOTAL, TOTAL), TOTAL),
                "at {now:?}"
            );
            let elsewhere = checking.find(checking::REGION.ne(Region::North)).count().unwrap();
            let north = checking.find(!checking::REGION.ne(Region::North)).count().unwrap();
            assert_eq!(elsewhere + north, ACCOUNTS as usize / 2);

            if self.rounds[reader].fetch_add(1, SeqCst).is_multiple_of(10) {
                assert_eq!(self.by_scan(&held), as_held, "what a snapshot shows never changes");
                assert_eq!((self.by_index(&held), self.by_key(&held)), (TOTAL, TOTAL));
                assert_eq!((self.by_statistics(&held), self.by_order(&held, &mut random)), ((TOTAL, TOTAL), TOTAL));
            }
        }
    }
}

#[test]
fn every_sum_is_the_total_while_money_moves() {
    let bank = Bank::new();
    let writing = AtomicUsize::new(2);
    /// Stops the readers, even if its writer has panicked.
    struct Done<'a>(&'a AtomicUsize);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    /// Stops the writers from waiting for a reader that has panicked.
    struct Left<'a>(&'a AtomicUsize);
    impl Drop for Left<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(ROUNDS_A_READER, SeqCst);
        }
    }
    std::thread::scope(|scope| {
        for seed in [1, 2] {
            let (bank, done) = (&bank, Done(&writing));
            scope.spawn(move || {
                let _done = done;
                bank.write(seed);
            });
        }
        for reader in 0..READERS {
            let (bank, writing) = (&bank, &writing);
            scope.spawn(move || {
                let _left = Left(&bank.rounds[reader]);
                bank.read(reader, writing);
            });
        }
    });
    assert!(bank.store.snapshot().commit().get() > 10_000);
    bank.store.verify().unwrap();
    bank.store.optimize().unwrap();
    let stats = bank.store.stats();
    assert_eq!((stats.oldest_pin, stats.pinned_commits, stats.poisoned), (None, 0, None));
    for collection in &stats.collections {
        assert_eq!((collection.records, collection.versions_retained, collection.marks), (ACCOUNTS as usize / 2, 0, 0));
        assert_eq!(collection.rows_used, collection.records + collection.rows_free, "every other row is free");
    }
}
