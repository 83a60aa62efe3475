//! A queue: producers add jobs, workers take the most urgent ones, several at a time, change them and delete them. Each job is taken by
//! one worker, once.

use memdex::{Collection, FieldValue, Filter, Record, Store};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const PRODUCERS: u32 = 2;
const WORKERS: u32 = 4;
const JOBS_A_PRODUCER: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
enum State {
    Open,
    Taken,
}

#[derive(Clone, Debug, Record)]
struct Job {
    #[record(key)]
    id: u32,
    #[record(index)]
    state: State,
    #[record(ordered)]
    urgency: u32,
    #[record(field)]
    worker: Option<u32>,
}

fn work(store: &Store, jobs: &Collection<Job>, worker: u32, producing: &AtomicUsize, done: &Mutex<Vec<u32>>) {
    loop {
        let is_last_look = producing.load(SeqCst) == 0;
        let open = jobs.matching(job::STATE.eq(State::Open)).order_by(job::URGENCY.desc());
        let taken = open
            .first(1 + worker as usize % 3)
            .update(move |job| {
                assert_eq!((job.state, job.worker), (State::Open, None));
                (job.state, job.worker) = (State::Taken, Some(worker));
            })
            .unwrap();
        if taken.records.is_empty() && is_last_look {
            return;
        }
        let order: Vec<_> = taken.records.iter().map(|change| change.before.as_ref().unwrap()).collect();
        assert!(order.is_sorted_by_key(|job| (std::cmp::Reverse(job.urgency), job.id)));
        // Its own jobs are the only ones that it finds, whatever others take meanwhile.
        let mut batch = store.batch();
        let own = batch.matching(jobs, job::WORKER.eq(worker)).delete().unwrap();
        batch.commit().unwrap();
        let ids = |handles: Vec<&memdex::Handle<Job>>| handles.iter().map(|job| job.id).collect::<BTreeSet<u32>>();
        let deleted = ids(own.get().unwrap().iter().map(|change| change.before.as_ref().unwrap()).collect());
        assert_eq!(deleted, ids(order));
        done.lock().unwrap().extend(deleted);
    }
}

#[test]
fn each_job_is_taken_once() {
    let store = Store::new();
    let jobs = store.collection::<Job>("Job").unwrap();
    let (producing, done) = (AtomicUsize::new(PRODUCERS as usize), Mutex::new(Vec::new()));
    /// Stops the workers, even if its producer has panicked.
    struct Done<'a>(&'a AtomicUsize);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (jobs, end) = (&jobs, Done(&producing));
            scope.spawn(move || {
                let _end = end;
                for n in 0..JOBS_A_PRODUCER {
                    let id = n * PRODUCERS + producer;
                    jobs.insert(Job { id, state: State::Open, urgency: id * 7 % 10, worker: None }).unwrap();
                }
            });
        }
        for worker in 0..WORKERS {
            let (store, jobs, producing, done) = (&store, &jobs, &producing, &done);
            scope.spawn(move || work(store, jobs, worker, producing, done));
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_unstable();
    assert!(done.into_iter().eq(0..PRODUCERS * JOBS_A_PRODUCER));
    assert_eq!(jobs.find(Filter::all()).count(), Ok(0));
    store.verify().unwrap();
}
