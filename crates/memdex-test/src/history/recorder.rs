//! Histories of several clients: which operation began and ended when, and with what outcome.

use crate::operation::{Operation, Outcome};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

/// One operation of a client. Times are ticks of the recorder: of two events, the later one has the greater tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The client. It has one operation at a time.
    pub client: usize,
    /// The operation.
    pub operation: Operation,
    /// When it began.
    pub invoked: u64,
    /// When it ended; `None` if it did not. It may take effect at any time then, or never.
    pub returned: Option<u64>,
    /// Its outcome.
    pub outcome: Outcome,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.returned.map_or_else(|| "…".to_owned(), |end| end.to_string());
        write!(f, "client {} [{}, {end}] {} -> {}", self.client, self.invoked, self.operation, self.outcome)
    }
}

/// Records what several clients do.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema};
/// use memdex_test::history::{Recorder, linearizable};
/// use memdex_test::{Model, Operation, Outcome, Repository, Row, StoreRepository, Domain};
///
/// let domain = Domain::of_schema("User", Schema::new([FieldDef::new("id", Kind::Int).key()]))?;
/// let users = StoreRepository::key_values([&domain]).unwrap();
/// let recorder = Recorder::new();
/// std::thread::scope(|scope| {
///     for client in 0..2 {
///         let (users, recorder) = (&users, &recorder);
///         scope.spawn(move || {
///             let insert = Operation::insert("User", Row::new().with("id", 7));
///             recorder.record(client, insert, |operation| users.apply(operation));
///         });
///     }
/// });
/// let history = recorder.history();
/// assert_eq!(history.iter().filter(|event| event.outcome == Outcome::Done).count(), 1);
/// assert!(linearizable(&history, &Model::new([("User", domain.schema().clone())])).is_ok());
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
#[derive(Debug, Default)]
pub struct Recorder {
    clock: AtomicU64,
    events: Mutex<Vec<Event>>,
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Recorder::default()
    }

    /// The next tick.
    pub fn tick(&self) -> u64 {
        self.clock.fetch_add(1, SeqCst)
    }

    /// Applies an operation and records it.
    pub fn record(&self, client: usize, operation: Operation, apply: impl FnOnce(&Operation) -> Outcome) {
        let invoked = self.tick();
        let outcome = apply(&operation);
        let now = self.tick();
        let returned = (!matches!(outcome, Outcome::Failed(_))).then_some(now);
        self.add(Event { client, operation, invoked, returned, outcome });
    }

    /// Adds an event whose ticks are known.
    pub fn add(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// The events so far, by the time at which they began.
    pub fn history(&self) -> Vec<Event> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner).clone();
        events.sort_by_key(|event| event.invoked);
        events
    }
}
