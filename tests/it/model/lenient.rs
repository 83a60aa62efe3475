//! Lenient commits, by batch and by writer, against the model: what is done, what is left out and why, and that it is given
//! back.

use super::Race;
use super::flights::Flight;
use super::operations::{Op, put_in_lenient_writer};
use super::payments::Payment;
use super::records::Subject;
use super::reference::{Attempt, Outcome, World};
use super::transitions::AnyOp;
use memdex::{Counts, RefusedOperation};

impl Race {
    pub(super) fn write_leniently(&self, world: &World, attempt: &Attempt) {
        let mut batch = self.store.batch();
        attempt.ops.iter().for_each(|placed| self.put(&mut batch, placed).unwrap());
        let report = batch.commit_lenient().unwrap();
        let (commit, counts) = match &attempt.outcome {
            Outcome::Committed(counts, dids) => {
                assert_eq!(&report.outcomes, dids);
                (attempt.before + 1, *counts)
            }
            _ => (attempt.before, Counts::default()),
        };
        assert_eq!(report.outcomes.len(), attempt.ops.len());
        assert_eq!((report.receipt.commit, report.receipt.counts), (commit, counts));
        left_out(attempt, 0, report.refused);
        self.is_as_of(world, commit);
    }

    pub(super) fn write_leniently_in_bulk(&self, world: &World, bulk: usize) {
        let mut writer = self.store.writer().bulk_size(bulk).lenient();
        let mut counts = Counts::default();
        for attempt in &world.attempts {
            for placed in &attempt.ops {
                match &placed.op {
                    AnyOp::Payment(op) => put_in_lenient_writer(&mut writer, &self.payments, op, placed.seen).unwrap(),
                    AnyOp::Flight(op) => put_in_lenient_writer(&mut writer, &self.flights, op, placed.seen).unwrap(),
                }
            }
            if let Outcome::Committed(committed, _) = attempt.outcome {
                counts += committed;
            }
        }
        let report = writer.flush().unwrap();
        assert_eq!((report.receipt.commit, report.receipt.counts), (world.newest(), counts));
        let (mut refused, mut from) = (report.refused.into_iter(), 0);
        for attempt in &world.attempts {
            let faults = attempt.rounds.first().map_or(0, |round| round.faults.len());
            left_out(attempt, from, refused.by_ref().take(faults).collect());
            from += attempt.ops.len();
        }
        assert!(refused.next().is_none());
        self.is_as_of(world, world.newest());
    }
}

fn left_out(attempt: &Attempt, from: usize, refused: Vec<RefusedOperation>) {
    let faults = attempt.rounds.first().map_or(&[][..], |round| &round.faults);
    assert_eq!(refused.len(), faults.len(), "the model refuses {faults:?}, the store {refused:?}");
    for ((position, fault), RefusedOperation { refusal, operation, .. }) in faults.iter().zip(refused) {
        assert_eq!((refusal.position(), operation.info.position), (Some(from + position), from + position));
        assert!(fault.is(refusal.cause()), "the model says {fault:?}, the store: {refusal}");
        match &attempt.ops[*position].op {
            AnyOp::Payment(op) => assert_eq!(operation.into_record::<Payment>(), brought(op)),
            AnyOp::Flight(op) => assert_eq!(operation.into_record::<Flight>(), brought(op)),
        }
    }
}

fn brought<R: Subject>(op: &Op<R>) -> Option<R> {
    op.brings_record().then(|| op.record.clone())
}
