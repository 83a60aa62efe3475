//! Makes a failing history shorter: removes operations, then simplifies those that are left. proptest's shrinking runs before; this
//! also removes parts of batches and of queries.

use crate::operation::Operation;
use memdex::Query;
use memdex::query::{Ask, Paging, Predicate};

/// Most runs of one minimization.
const MOST_RUNS: usize = 4_000;

/// The shortest history found for which `fails` returns true; it is true for the first one.
pub(super) fn minimize(mut history: Vec<Operation>, fails: &mut dyn FnMut(&[Operation]) -> bool) -> Vec<Operation> {
    let mut runs = 0;
    let mut try_it = |candidate: &[Operation]| {
        runs += 1;
        runs <= MOST_RUNS && fails(candidate)
    };
    loop {
        let before = history.clone();
        let mut size = history.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < history.len() {
                let end = (at + size).min(history.len());
                let candidate: Vec<_> = [&history[..at], &history[end..]].concat();
                if try_it(&candidate) {
                    history = candidate;
                } else {
                    at = end;
                }
            }
            size /= 2;
        }
        for at in 0..history.len() {
            while let Some(simpler) = simpler(&history[at]).into_iter().find(|simpler| {
                let mut candidate = history.clone();
                candidate[at] = simpler.clone();
                try_it(&candidate)
            }) {
                history[at] = simpler;
            }
        }
        if history == before {
            return history;
        }
    }
}

/// Operations that are simpler than this one, the simplest first. None leads back to it.
fn simpler(operation: &Operation) -> Vec<Operation> {
    match operation {
        Operation::Batch(parts) => {
            let without = (0..parts.len()).filter(|_| parts.len() > 1).map(|at| {
                let rest = parts.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, part)| part.clone());
                Operation::Batch(rest.collect())
            });
            let alone = (parts.len() == 1).then(|| parts[0].clone());
            alone.into_iter().chain(without).collect()
        }
        Operation::Find(query) => queries(query).into_iter().map(Operation::Find).collect(),
        Operation::Walk(query) => {
            let find = Operation::Find(query.clone());
            queries(query).into_iter().map(Operation::Walk).chain([find]).collect()
        }
        Operation::DeleteWhere(query) => queries(query).into_iter().map(Operation::DeleteWhere).collect(),
        Operation::Update { collection, key, set } if set.len() > 1 => {
            let without = |at: usize| {
                let mut set = set.clone();
                set.remove(at);
                Operation::Update { collection: collection.clone(), key: key.clone(), set }
            };
            (0..set.len()).map(without).collect()
        }
        _ => Vec::new(),
    }
}

fn queries(query: &Query) -> Vec<Query> {
    let with_filter = |filter| {
        let mut query = query.clone();
        query.filter = filter;
        query
    };
    let with_ask = |ask: Ask| {
        let mut query = query.clone();
        query.ask = ask;
        query
    };
    let mut simpler: Vec<Query> = filters(&query.filter).into_iter().map(with_filter).collect();
    match &query.ask {
        Ask::Records(paging) => {
            let with = |paging: Paging| with_ask(Ask::Records(paging));
            for at in 0..paging.order.len() {
                let mut fewer = paging.clone();
                fewer.order.remove(at);
                simpler.push(with(fewer));
            }
            if paging.offset > 0 {
                simpler.push(with(Paging { offset: 0, ..paging.clone() }));
            }
            if paging.total {
                simpler.push(with(Paging { total: false, ..paging.clone() }));
            }
        }
        Ask::Statistics(statistics) => {
            let with = |statistics| with_ask(Ask::Statistics(statistics));
            if statistics.groups.is_some() {
                let mut fewer = statistics.clone();
                fewer.groups = None;
                simpler.push(with(fewer));
            }
            for at in (0..statistics.metrics.len()).filter(|_| statistics.metrics.len() > 1) {
                let mut fewer = statistics.clone();
                fewer.metrics.remove(at);
                simpler.push(with(fewer));
            }
        }
    }
    simpler
}

fn filters(filter: &Predicate) -> Vec<Predicate> {
    let mut simpler = Vec::new();
    if *filter != Predicate::All {
        simpler.push(Predicate::All);
    }
    match filter {
        Predicate::And(parts) | Predicate::Or(parts) => simpler.extend(parts.iter().cloned()),
        Predicate::Not(part) => simpler.push((**part).clone()),
        _ => {}
    }
    simpler
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;
    use memdex::field;

    #[test]
    fn only_the_needed_operations_remain() {
        let insert = |id: i32| Operation::insert("User", Row::new().with("id", id));
        let query =
            Query::over(["User"]).filter(field("id").eq(1) & !field("id").eq(2)).order_by(field("id").asc()).limit(3);
        let history = vec![insert(1), insert(2), Operation::Batch(vec![insert(3), insert(4)]), Operation::Walk(query)];
        // Fails if record 4 is inserted before a query with a limit.
        let mut fails = |history: &[Operation]| {
            let text: Vec<String> = history.iter().map(Operation::to_string).collect();
            let inserted = text.iter().position(|text| text.contains("{id: 4}"));
            let queried = text.iter().position(|text| text.contains("limit"));
            inserted.zip(queried).is_some_and(|(inserted, queried)| inserted < queried)
        };
        let shortest = minimize(history, &mut fails);
        assert_eq!(shortest, [insert(4), Operation::Find(Query::over(["User"]).limit(3))]);
    }
}
