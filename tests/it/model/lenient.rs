//! Lenient commits, by batch and by writer: the operations that are applied, those that are skipped and why, and that
//! the skipped ones are returned. The model checks whether the store's choice is valid.

use super::Race;
use super::books::Book;
use super::flights::Flight;
use super::operations::{Op, put_in_lenient_writer};
use super::payments::Payment;
use super::records::Subject;
use super::reference::{Dids, Placed, World, seen};
use super::transitions::AnyOp;
use memdex::{Collection, Commit, Counts, RefusedOperation};

impl Race {
    pub(super) fn write_leniently(&self, world: &World, ops: &[AnyOp]) {
        let ops = self.place(ops);
        let mut batch = self.store.batch();
        ops.iter().for_each(|placed| self.put(&mut batch, placed).unwrap());
        let report = batch.commit_lenient().unwrap();
        let (counts, dids) = judged(world, &ops, 0, report.refused);
        assert_eq!(report.outcomes, dids);
        assert_eq!((report.receipt.commit, report.receipt.counts), (world.newest(), counts));
        self.is_as_of(world, world.newest());
    }

    pub(super) fn write_leniently_in_bulk(&self, world: &World, ops: &[AnyOp], bulk: usize) {
        let mut writer = self.store.writer().bulk_size(bulk).lenient();
        let mut flushes = Vec::new();
        for ops in ops.chunks(bulk) {
            let ops = self.place(ops);
            for placed in &ops {
                match &placed.op {
                    AnyOp::Payment(op) => put_in_lenient_writer(&mut writer, &self.payments, op, placed.seen).unwrap(),
                    AnyOp::Flight(op) => put_in_lenient_writer(&mut writer, &self.flights, op, placed.seen).unwrap(),
                    AnyOp::Book(op) => put_in_lenient_writer(&mut writer, &self.books, op, placed.seen).unwrap(),
                }
            }
            flushes.push(ops);
        }
        let report = writer.flush().unwrap();
        let (mut refused, mut from, mut counts) = (report.refused, 0, Counts::default());
        for ops in &flushes {
            let end = from + ops.len();
            let later = refused.partition_point(|refused| refused.operation.info.position < end);
            let later = refused.split_off(later);
            counts += judged(world, ops, from, std::mem::replace(&mut refused, later)).0;
            from = end;
        }
        assert!(refused.is_empty());
        assert_eq!((report.receipt.commit, report.receipt.counts), (world.newest(), counts));
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

/// Checks one commit whose operations have positions from `from` in the report.
fn judged(world: &World, ops: &[Placed], from: usize, refused: Vec<RefusedOperation>) -> (Counts, Dids) {
    let position = |refused: &RefusedOperation| refused.operation.info.position - from;
    let causes = refused.iter().map(|refused| (position(refused), refused.refusal.cause())).collect();
    let done = world.apply_lenient(ops, &causes);
    assert!(refused.iter().map(position).is_sorted_by(|a, b| a < b));
    for refused in refused {
        let at = position(&refused);
        let RefusedOperation { refusal, operation, .. } = refused;
        assert_eq!(refusal.position(), Some(from + at));
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
