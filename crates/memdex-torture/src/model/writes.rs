//! Executes the model's attempts in every way in which a batch can be committed, and follows each through its
//! refusals: checks the error, that nothing has changed, that the batch is returned unchanged, and that it can be
//! fixed.

use super::books::Book;
use super::flights::Flight;
use super::machine::Race;
use super::operations::{Op, alone, put_in_batch, put_in_writer};
use super::payments::Payment;
use super::records::Subject;
use super::reference::{Attempt, Fix, Outcome, Pendings, Placed, Round, World};
use super::transitions::{AnyOp, End, How};
use memdex::error::Refusal;
use memdex::write::{Counts, Receipt, Refused, Report, WriterError};
use memdex::{BackgroundWriter, Batch, Collection, Commit, Writer};

/// A batch, or the buffer of a writer.
enum Bearer<'a> {
    Batch(Batch),
    Writer(&'a mut Writer),
    Background(&'a BackgroundWriter, Batch),
}

/// The number of the commit, and its effect; a background writer does not report the effect.
struct Done {
    commit: Commit,
    counts: Option<Counts>,
}

impl From<Receipt> for Done {
    fn from(receipt: Receipt) -> Done {
        Done { commit: receipt.commit, counts: Some(receipt.counts) }
    }
}

impl Bearer<'_> {
    fn batch(&mut self) -> &mut Batch {
        match self {
            Bearer::Batch(batch) | Bearer::Background(_, batch) => batch,
            Bearer::Writer(writer) => writer.batch_mut(),
        }
    }

    /// Commits. Returns the effect, or the operations after the predicted refusal.
    fn commit(self, predicted: Option<&Round>) -> Result<Done, Self> {
        match self {
            Bearer::Batch(batch) => batch.commit().map(Done::from).map_err(|refused| Bearer::of(refused, predicted)),
            Bearer::Writer(writer) => match writer.flush() {
                Ok(receipt) => Ok(receipt.into()),
                Err(refusal) => {
                    is_predicted(&refusal, predicted);
                    Err(Bearer::Writer(writer))
                }
            },
            Bearer::Background(background, batch) => match background.submit(batch).unwrap().wait() {
                Ok(applied) => Ok(Done { commit: applied.commit, counts: None }),
                Err(error) => {
                    is_predicted(error.refusal().unwrap_or_else(|| panic!("{error}")), predicted);
                    Err(Bearer::Background(background, error.into_batch().unwrap()))
                }
            },
        }
    }

    fn of(refused: Refused, predicted: Option<&Round>) -> Self {
        is_predicted(refused.refusal(), predicted);
        Bearer::Batch(refused.into_batch())
    }
}

fn is_reported(report: Report, outcome: &Outcome) -> Receipt {
    assert!(report.refused.is_empty());
    let expected = if let Outcome::Committed(_, dids) = outcome { &dids[..] } else { &[] };
    assert_eq!(report.outcomes, expected);
    report.receipt
}

fn is_predicted(refusal: &Refusal, predicted: Option<&Round>) {
    let Some(round) = predicted else { panic!("the model does not refuse, the store says: {refusal}") };
    // A single command has no position: it is operation 0 of the model.
    let at = refusal.position().unwrap_or(0);
    let is_due = at == round.at && round.faults.iter().any(|fault| fault.is(refusal.cause()));
    assert!(is_due, "the model refuses {} for {:?}, the store says: {refusal}", round.at, round.faults);
}

impl Race {
    /// Executes one batch: built step by step, by a closure, or as a single command.
    pub(super) fn write(&self, world: &World, attempt: &Attempt, how: How) {
        let first = attempt.rounds.first();
        let result = match (how, &attempt.ops[..]) {
            (How::Single, [Placed { seen, op: AnyOp::Payment(op), .. }]) => alone(&self.payments, op, *seen),
            (How::Single, [Placed { seen, op: AnyOp::Flight(op), .. }]) => alone(&self.flights, op, *seen),
            (How::Single, [Placed { seen, op: AnyOp::Book(op), .. }]) => alone(&self.books, op, *seen),
            (How::Closure, ops) => self.store.commit(|batch| ops.iter().try_for_each(|placed| self.put(batch, placed))),
            (_, ops) => {
                let mut batch = self.store.batch();
                ops.iter().for_each(|placed| self.put(&mut batch, placed).unwrap());
                is_pending(&batch, &self.payments, &attempt.payments);
                is_pending(&batch, &self.flights, &attempt.flights);
                is_pending(&batch, &self.books, &attempt.books);
                match how {
                    How::Background => {
                        let done = Bearer::Background(&self.background, batch).commit(first);
                        return self.follow(world, attempt, done);
                    }
                    How::Reported => batch.commit_reported().map(|report| is_reported(report, &attempt.outcome)),
                    _ => batch.commit(),
                }
            }
        };
        if let (How::Single, Err(refused)) = (how, &result) {
            assert_eq!(refused.refusal().position(), None, "no batch is mentioned");
        }
        if let (How::Once, Outcome::Gone) = (how, &attempt.outcome) {
            is_predicted(result.expect_err("the model refuses it").refusal(), first);
            return self.equals_model_at(world, attempt.before);
        }
        self.follow(world, attempt, result.map(Done::from).map_err(|refused| Bearer::of(refused, first)));
    }

    pub(super) fn put(&self, batch: &mut Batch, Placed { seen, op, .. }: &Placed) -> Result<(), Refusal> {
        match op {
            AnyOp::Payment(op) => put_in_batch(batch, &self.payments, op, *seen),
            AnyOp::Flight(op) => put_in_batch(batch, &self.flights, op, *seen),
            AnyOp::Book(op) => put_in_batch(batch, &self.books, op, *seen),
        }
    }

    pub(super) fn put_in_writer(
        &self,
        writer: &mut Writer,
        Placed { seen, op, .. }: &Placed,
    ) -> Result<(), WriterError> {
        match op {
            AnyOp::Payment(op) => put_in_writer(writer, &self.payments, op, *seen),
            AnyOp::Flight(op) => put_in_writer(writer, &self.flights, op, *seen),
            AnyOp::Book(op) => put_in_writer(writer, &self.books, op, *seen),
        }
    }

    /// Writes through a writer that flushes at `bulk` operations, in groups that a flush must not split.
    pub(super) fn write_in_bulk(&self, world: &World, bulk: usize, group: usize, end: End) {
        let mut writer = self.store.writer().bulk_size(bulk);
        for attempt in &world.attempts {
            let mut refused = false;
            let counts = writer.counts();
            for unit in attempt.ops.chunks(group) {
                let done = if let [alone] = unit {
                    self.put_in_writer(&mut writer, alone)
                } else {
                    let buffered = writer.len();
                    let broken = writer.group(|batch| {
                        unit.iter().try_for_each(|placed| self.put(batch, placed))?;
                        Err(Refusal::because("a group that thinks better of it"))
                    });
                    assert!(matches!(broken, Err(WriterError::NotTaken(_))));
                    assert_eq!(writer.len(), buffered, "the operations of a refused group are removed");
                    writer.group(|batch| unit.iter().try_for_each(|placed| self.put(batch, placed)))
                };
                refused = match done {
                    Ok(()) => false,
                    Err(WriterError::NotFlushed(refusal)) => {
                        is_predicted(&refusal, attempt.rounds.first());
                        true
                    }
                    Err(other) => panic!("{other}"),
                };
            }
            if refused {
                self.follow(world, attempt, Err(Bearer::Writer(&mut writer)));
            } else if attempt.ops.len() >= bulk {
                assert!(writer.is_empty() && attempt.rounds.is_empty());
                let mut expected = counts;
                if let Outcome::Committed(counts, _) = attempt.outcome {
                    expected += counts;
                }
                assert_eq!(writer.counts(), expected);
            } else {
                assert_eq!(writer.len(), attempt.ops.len());
                return self.end(world, attempt, writer, end);
            }
        }
        assert!(writer.is_empty());
    }

    fn end(&self, world: &World, attempt: &Attempt, mut writer: Writer, end: End) {
        match end {
            End::Dropped => drop(writer),
            End::TakenBack => self.is_as_added(&writer.take(), attempt),
            End::Flushed => self.follow(world, attempt, Bearer::Writer(&mut writer).commit(attempt.rounds.first())),
        }
    }

    /// Fixes and commits again, until the model predicts the end.
    fn follow(&self, world: &World, attempt: &Attempt, mut result: Result<Done, Bearer<'_>>) {
        for (number, round) in attempt.rounds.iter().enumerate() {
            let Err(mut bearer) = result else { panic!("the model refuses {:?}", round.faults) };
            if number == 0 {
                self.is_as_added(bearer.batch(), attempt);
            }
            self.equals_model_at(world, attempt.before);
            if let Some(fix) = round.fix {
                match &attempt.ops[round.at].op {
                    AnyOp::Payment(op) => fixed(bearer.batch(), &self.payments, round.at, op, fix),
                    AnyOp::Flight(op) => fixed(bearer.batch(), &self.flights, round.at, op, fix),
                    AnyOp::Book(op) => fixed(bearer.batch(), &self.books, round.at, op, fix),
                }
            }
            result = bearer.commit(attempt.rounds.get(number + 1));
        }
        let Ok(done) = result else { unreachable!("a refusal that is not predicted has panicked") };
        let (commit, counts) = match attempt.outcome {
            Outcome::Committed(counts, _) => (attempt.before.next(), counts),
            Outcome::Empty | Outcome::Gone => (attempt.before, Counts::default()),
        };
        assert_eq!((done.commit, done.counts.unwrap_or(counts)), (commit, counts));
        self.equals_model_at(world, commit);
    }

    /// Checks that the batch describes its operations as they were added.
    fn is_as_added(&self, batch: &Batch, attempt: &Attempt) {
        let infos = batch.operations();
        assert_eq!((batch.len(), infos.len()), (attempt.ops.len(), attempt.ops.len()));
        for (info, Placed { position, op, .. }) in infos.iter().zip(&attempt.ops) {
            let key = info.key.as_ref();
            let (name, collection, same_key) = match op {
                AnyOp::Payment(op) => (op.name(), self.payments.name(), key.map(Payment::id_of) == op.on_key()),
                AnyOp::Flight(op) => (op.name(), self.flights.name(), key.map(Flight::id_of) == op.on_key()),
                AnyOp::Book(op) => (op.name(), self.books.name(), key.map(Book::id_of) == op.on_key()),
            };
            assert_eq!((info.position, info.operation, &*info.collection), (*position, name, collection));
            assert!(same_key, "{info:?} is not {op:?}");
        }
    }
}

fn is_pending<R: Subject>(batch: &Batch, collection: &Collection<R>, pendings: &Pendings<R>) {
    for (id, expected) in pendings {
        match (batch.get(collection, id.clone()), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), expected.as_ref(), "pending at {id:?}"),
            (Err(refusal), Err(position)) => assert_eq!(refusal.position(), Some(*position), "{refusal}"),
            (found, expected) => panic!("pending at {id:?} is {found:?}, not {expected:?}"),
        }
    }
}

fn fixed<R: Subject>(batch: &mut Batch, collection: &Collection<R>, position: usize, op: &Op<R>, mend: Fix) {
    match mend {
        Fix::Rename(number) => {
            assert!(batch.edit(collection, position, |record| record.set_id(R::ids()[number].clone())).unwrap());
        }
        Fix::Remove => {
            let taken = batch.remove(position).expect("the operation is in the batch");
            assert_eq!((taken.info.position, taken.info.operation), (position, op.name()));
            assert_eq!(taken.into_record::<R>().is_some(), op.brings_record());
            assert!(batch.remove(position).is_none());
        }
    }
}
