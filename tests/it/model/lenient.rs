//! Lenient commits, of batches and of the buffer of a writer: the operations that are applied, those that are left out and why,
//! and that these are returned. The model checks whether the store's choice is valid.

use super::Race;
use super::books::Book;
use super::flights::Flight;
use super::operations::Op;
use super::payments::Payment;
use super::records::Subject;
use super::reference::{Dids, Placed, World, seen};
use super::transitions::AnyOp;
use memdex::write::{Counts, RefusedOperation};
use memdex::{Collection, Commit};

impl Race {
    pub(super) fn write_leniently(&self, world: &World, ops: &[AnyOp]) {
        let ops = self.place(ops);
        let mut batch = self.store.batch();
        ops.iter().for_each(|placed| self.put(&mut batch, placed).unwrap());
        let report = batch.commit_lenient().unwrap();
        let (counts, dids) = judged(world, &ops, report.refused);
        assert_eq!(report.outcomes, dids);
        assert_eq!((report.receipt.commit, report.receipt.counts), (world.newest(), counts));
        self.is_as_of(world, world.newest());
    }

    pub(super) fn write_leniently_in_bulk(&self, world: &World, ops: &[AnyOp], bulk: usize) {
        let mut writer = self.store.writer().bulk_size(bulk + 1);
        for ops in ops.chunks(bulk) {
            let ops = self.place(ops);
            ops.iter().for_each(|placed| self.put_in_writer(&mut writer, placed).unwrap());
            let report = writer.take().commit_lenient().unwrap();
            let (counts, dids) = judged(world, &ops, report.refused);
            assert_eq!(report.outcomes, dids);
            assert_eq!((report.receipt.commit, report.receipt.counts), (world.newest(), counts));
        }
        assert!(writer.is_empty());
        self.is_as_of(world, world.newest());
    }

    /// Conditional forms name the store's commit, which may be ahead of the model's.
    fn place(&self, ops: &[AnyOp]) -> Vec<Placed> {
        fn begin<R: Subject>(of: &Collection<R>, op: &Op<R>) -> Commit {
            seen(op, of.get(op.id()).map(|handle| handle.commit()))
        }
        let place = |(position, op): (usize, &AnyOp)| {
            let seen = match op {
                AnyOp::Payment(op) => begin(&self.payments, op),
                AnyOp::Flight(op) => begin(&self.flights, op),
                AnyOp::Book(op) => begin(&self.books, op),
            };
            Placed { position, seen, op: op.clone() }
        };
        ops.iter().enumerate().map(place).collect()
    }
}

/// Checks one lenient commit.
fn judged(world: &World, ops: &[Placed], refused: Vec<RefusedOperation>) -> (Counts, Dids) {
    let position = |refused: &RefusedOperation| refused.operation.info.position;
    let causes = refused.iter().map(|refused| (position(refused), refused.refusal.cause())).collect();
    let done = world.apply_lenient(ops, &causes);
    assert!(refused.iter().map(position).is_sorted_by(|a, b| a < b));
    for refused in refused {
        let at = position(&refused);
        let RefusedOperation { refusal, operation, .. } = refused;
        assert_eq!(refusal.position(), Some(at));
        match &ops[at].op {
            AnyOp::Payment(op) => assert_eq!(operation.into_record::<Payment>(), brought(op)),
            AnyOp::Flight(op) => assert_eq!(operation.into_record::<Flight>(), brought(op)),
            AnyOp::Book(op) => assert_eq!(operation.into_record::<Book>(), brought(op)),
        }
    }
    done
}

fn brought<R: Subject>(op: &Op<R>) -> Option<R> {
    op.brings_record().then(|| op.record.clone())
}
