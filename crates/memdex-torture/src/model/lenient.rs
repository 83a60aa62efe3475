//! Lenient commits, of batches and of the buffer of a writer: the operations that are applied, those that are left out and why,
//! and that these are returned. The model knows which they are.

use super::books::Book;
use super::flights::Flight;
use super::machine::Race;
use super::operations::Op;
use super::payments::Payment;
use super::records::Subject;
use super::reference::{Lenient, World};
use super::transitions::AnyOp;
use memdex::write::{RefusedOperation, Report};

impl Race {
    pub(super) fn write_leniently(&self, world: &World) {
        for predicted in &world.lenient {
            let mut batch = self.store.batch();
            predicted.ops.iter().for_each(|placed| self.put(&mut batch, placed).unwrap());
            is_predicted(batch.commit_lenient().unwrap(), predicted);
        }
        self.equals_model_at(world, world.newest());
    }

    pub(super) fn write_leniently_in_bulk(&self, world: &World, bulk: usize) {
        let mut writer = self.store.writer().bulk_size(bulk + 1);
        for predicted in &world.lenient {
            predicted.ops.iter().for_each(|placed| self.put_in_writer(&mut writer, placed).unwrap());
            is_predicted(writer.take().commit_lenient().unwrap(), predicted);
        }
        assert!(writer.is_empty());
        self.equals_model_at(world, world.newest());
    }
}

fn is_predicted(report: Report, predicted: &Lenient) {
    let Lenient { ops, commit, refused, counts, dids } = predicted;
    let position = |refused: &RefusedOperation| refused.operation.info.position;
    let left_out: Vec<usize> = report.refused.iter().map(position).collect();
    assert!(refused.keys().eq(&left_out), "the model refuses {refused:?}, the store: {:?}", report.refused);
    assert_eq!(&report.outcomes, dids);
    assert_eq!((report.receipt.commit, report.receipt.counts), (*commit, *counts));
    for of_store in report.refused {
        let at = position(&of_store);
        let RefusedOperation { refusal, operation, .. } = of_store;
        assert_eq!(refusal.position(), Some(at));
        let is_due = refused[&at].iter().any(|fault| fault.is(refusal.cause()));
        assert!(is_due, "the model refuses {at} for {:?}, the store says: {refusal}", refused[&at]);
        match &ops[at].op {
            AnyOp::Payment(op) => assert_eq!(operation.into_record::<Payment>(), brought(op)),
            AnyOp::Flight(op) => assert_eq!(operation.into_record::<Flight>(), brought(op)),
            AnyOp::Book(op) => assert_eq!(operation.into_record::<Book>(), brought(op)),
        }
    }
}

fn brought<R: Subject>(op: &Op<R>) -> Option<R> {
    op.brings_record().then(|| op.record.clone())
}
