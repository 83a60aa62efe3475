//! One search for a bug: 10,000 operations on the bank, by one thread and by three.

use super::bank::{Bank, Bug, schema};
use memdex::Value;
use memdex_test::{Domain, Machine, OperationKind, RefusalKind, Workload};
use proptest::prelude::*;

/// What a search found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The way that found it.
    pub(crate) by: &'static str,
    /// The name of the anomaly, or of the kind of difference.
    pub(crate) name: String,
    /// The report.
    pub(crate) text: String,
    /// The length of the shortest history found.
    pub(crate) length: usize,
}

/// Searches with a seed and about this many operations; a quarter of them by one thread. `None` if nothing is wrong.
pub(crate) fn search(bug: Option<Bug>, seed: u64, operations: u32) -> Option<Found> {
    let fresh = || Bank::new(bug);
    let domain = Domain::of_schema("Account", schema()).and_then(|domain| domain.keys(4)).unwrap();
    let domain = domain.range("cents", 0..=50).unwrap().range("branch", 1..=3).unwrap();
    let owners = ["a", "b", "c", "d", "e"];
    let domain = domain.values("owner", owners).unwrap().range("version", 0..=1).unwrap();
    let without = [OperationKind::Walk, OperationKind::Statistics, OperationKind::DeleteWhere];
    let accounts = Workload::new([domain]).without(without);
    let with_moves = accounts.clone().call_weighted("move", 6, moves());
    let machine = |workload: &Workload| {
        Machine::new(workload.clone()).seed(seed).version_field("version").model(|model| {
            model.define("move", |state, arguments| {
                let [from, to, cents] = arguments else { return Err(RefusalKind::Invalid) };
                let [from, to] = [from, to].map(|id| state.get("Account", std::slice::from_ref(id)));
                let (from, to) = from.zip(to).ok_or(RefusalKind::Missing)?;
                let cents_of = |row: &memdex_test::Row| row.one("cents").and_then(Value::as_i64).unwrap_or(0);
                let cents = cents.as_i64().unwrap_or(0);
                if from == to || cents_of(&from) < cents {
                    return Err(RefusalKind::Rule);
                }
                let [left, sum] = [cents_of(&from) - cents, cents_of(&to) + cents];
                state.put("Account", from.with("cents", left))?;
                state.put("Account", to.with("cents", sum))?;
                Ok(Vec::new())
            })
        })
    };
    // A history of one thread has 15 operations on average and a read of all records; a round of threads has 70.
    let sequential = machine(&with_moves).length(30).cases(operations / 4 / 16);
    if let Err(difference) = sequential.check(fresh) {
        let length = difference.steps.len();
        return Some(Found { by: "model", name: "difference".to_owned(), text: difference.to_string(), length });
    }
    for workload in [&accounts, &with_moves] {
        let threads = machine(workload).length(20).clients(3).cases(operations * 3 / 8 / 70);
        if let Err(failure) = threads.check_threads(fresh) {
            let (name, length) = (failure.violation.anomaly.to_string(), failure.shortest.len());
            return Some(Found { by: "threads", name, text: failure.to_string(), length });
        }
    }
    None
}

/// The arguments of a move.
fn moves() -> impl Strategy<Value = Vec<Value>> {
    (1..=4_i64, 1..=4_i64, 1..=20_i64).prop_map(|(from, to, cents)| vec![from.into(), to.into(), cents.into()])
}
