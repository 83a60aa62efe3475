//! A `tracing` subscriber that panics wherever it is called, or calls back: nothing is lost, and everything goes on.

use super::{Bed, Call, watched};
use memdex::error::Cause;
use memdex::{Collection, GroupBy, Metric, field};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default, with_default};
use tracing::{Event, Metadata, Subscriber};

/// The calls of a subscriber, as bits.
const REGISTER: u8 = 1;
const ENABLED: u8 = 2;
const NEW_SPAN: u8 = 4;
const ENTER: u8 = 8;
const EXIT: u8 = 16;
const CLOSE: u8 = 32;
const EVENT: u8 = 64;
const ALL: u8 = 127;

/// A subscriber that does the same at each of its calls, which it gets as a bit.
struct Each<F> {
    act: F,
    spans: AtomicU64,
}

impl<F: Fn(u8) + Send + Sync + 'static> Each<F> {
    fn new(act: F) -> Self {
        Each { act, spans: AtomicU64::new(0) }
    }
}

impl<F: Fn(u8) + Send + Sync + 'static> Subscriber for Each<F> {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        (self.act)(REGISTER);
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        (self.act)(ENABLED);
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        (self.act)(NEW_SPAN);
        Id::from_u64(self.spans.fetch_add(1, SeqCst) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        (self.act)(EVENT);
    }

    fn enter(&self, _: &Id) {
        (self.act)(ENTER);
    }

    fn exit(&self, _: &Id) {
        (self.act)(EXIT);
    }

    fn try_close(&self, _: Id) -> bool {
        (self.act)(CLOSE);
        true
    }
}

/// Commits, refusals, queries, reclamation and a background writer.
fn everything(bed: &Bed) {
    let people = &bed.people;
    people.store(bed.person(1, 1)).unwrap();
    people.insert(bed.person(1, 2)).unwrap_err();
    let mut batch = bed.store.batch();
    batch.insert(people, bed.person(1, 2)).unwrap();
    batch.insert(people, bed.person(5, 0)).unwrap();
    assert_eq!(batch.commit_lenient().unwrap().refused.len(), 1);

    let held = bed.store.snapshot();
    people.update(2, |person| person.score = 5).unwrap();
    people.delete(5).unwrap();
    assert_eq!((held.of(people).get(2).unwrap().score, held.of(people).len()), (0, 5));
    let of_five = people.find(field("score").eq(5));
    assert_eq!((of_five.fetch().unwrap().len(), of_five.keys().unwrap().len(), of_five.count().unwrap()), (1, 1, 1));
    assert!(of_five.exists().unwrap() && of_five.explain().unwrap().root.actual == 1);
    let ordered = people.find(field("score").ge(0)).order_by(field("score").desc());
    assert_eq!((ordered.clone().limit(3).fetch().unwrap().len(), ordered.iter().unwrap().count()), (3, 4));
    let by_team = GroupBy::values("team").metrics([Metric::count()]);
    assert_eq!(of_five.statistics(by_team).unwrap().int("count"), None);
    assert_eq!(held.search(field("score").eq(0)).over(people).fetch().unwrap().len(), 4);
    // The finds hold snapshots too, and with them the records.
    drop((held, of_five, ordered));

    bed.hooks.panic_at(Call::Drop, 1);
    people.store(bed.person(3, 1)).unwrap();
    assert!(!bed.hooks.clear());
    let mut writer = bed.store.writer();
    writer.insert(people, bed.person(1, 0)).unwrap();
    drop(writer);

    let background = bed.store.background_writer().start().unwrap();
    let insert = |id| background.submit_with(|batch| batch.insert(people, bed.person(id, 0))).unwrap();
    let tickets: Vec<_> = (10..60).map(insert).collect();
    drop(insert(10));
    background.flush().unwrap();
    for mut ticket in tickets {
        ticket.wait_timeout(Duration::from_secs(60)).expect("an answer").unwrap();
    }
    drop(background);
}

/// Runs an ignored test of this file in a separate process.
fn run_in_process(child: &str) {
    let (test, child) = (std::env::current_exe().unwrap(), format!("user_code::subscribers::{child}"));
    let output = Command::new(test).args(["--exact", &child, "--ignored"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_subscriber_that_panics() {
    run_in_process("a_subscriber_that_panics_child");
}

#[test]
#[ignore = "run by the test above in a child process, because its subscriber is that of the whole process"]
fn a_subscriber_that_panics_child() {
    let panics_at = Arc::new(AtomicU8::new(0));
    let at = panics_at.clone();
    let act = move |call| assert_eq!(at.load(SeqCst) & call, 0, "call {call} was set to panic");
    set_global_default(Each::new(act)).unwrap();
    for calls in [REGISTER, ENABLED, NEW_SPAN, ENTER, EXIT, CLOSE, EVENT, ALL] {
        let panics_at = panics_at.clone();
        watched(&format!("panics at {calls}"), move || {
            panics_at.store(calls, SeqCst);
            let bed = Bed::new();
            everything(&bed);
            bed.is_well();
            panics_at.store(0, SeqCst);
            let stats = bed.stats();
            assert_eq!((stats.lost_operations, stats.drop_panics, stats.hook_panics), (2, 1, 0), "{calls}");
            assert_eq!((bed.people.len(), bed.people.get(2).unwrap().score), (54, 5), "{calls}");
            assert!(stats.subscriber_panics > 0, "{calls}");
        });
    }
}

#[test]
fn a_subscriber_may_read_but_not_write() {
    run_in_process("a_subscriber_may_read_but_not_write_child");
}

#[test]
#[ignore = "run by the test above in a child process, where no other test registers the callsites first"]
fn a_subscriber_may_read_but_not_write_child() {
    watched("a subscriber that calls back", || {
        let bed = Bed::new();
        let people: Collection<_> = bed.people.clone();
        let (inside, calls) = (AtomicBool::new(false), Arc::new(AtomicU64::new(0)));
        let counted = calls.clone();
        let act = move |_| {
            // What it does itself calls the subscriber too.
            if inside.swap(true, SeqCst) {
                return;
            }
            let refused = people.delete(1).expect_err("a write from inside a subscriber");
            assert!(matches!(refused.cause(), Cause::InsideUserCode), "{refused}");
            assert_eq!(people.find(field("team").eq("blue")).count(), Ok(2));
            counted.fetch_add(1, SeqCst);
            inside.store(false, SeqCst);
        };
        with_default(Each::new(act), || {
            let held = bed.store.snapshot();
            bed.people.update(2, |person| person.score = 5).unwrap();
            bed.people.insert(bed.person(1, 2)).unwrap_err();
            assert_eq!(bed.people.find(field("score").eq(5)).count(), Ok(1));
            drop(held);
            bed.store.optimize().unwrap();
        });
        assert!(calls.load(SeqCst) > 20);
        assert_eq!(bed.stats().subscriber_panics, 0);
        bed.is_well();
    });
}
