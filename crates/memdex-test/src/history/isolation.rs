//! Isolation: do the transactions of a history fit a level of isolation?
//!
//! The check follows Elle (Kingsbury and Alvaro, *Elle: Inferring Isolation Anomalies from Experimental Observations*, 2020). Since each
//! write sets a different version, so a read names its writer. Dirty, intermediate and unknown reads are found directly. Then a graph
//! of dependencies (Adya, *Weak Consistency*, 1999) is built and searched for cycles; by Cerone and Gotsman (*Analysing Snapshot
//! Isolation*, 2016) a history fits snapshot isolation if and only if (SO ∪ WR ∪ WW) ; RW? is acyclic.

use super::graph::{Dependency, Edge, Graph};
use super::transaction::{End, Item, Transaction, Version};
use super::verdict::{Anomaly, Violation};
use super::versions::Versions;
use std::collections::{BTreeMap, HashMap};

/// A level of isolation. Each includes that a transaction sees those that ended before it began, as the databases of one machine do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// No dirty, intermediate or unknown reads, and no cycles of writes and reads of them.
    ReadCommitted,
    /// Each transaction reads the state of one moment, and no two replace the same version. Write skew is allowed.
    Snapshot,
    /// There is an order of the transactions that explains what they read.
    Serializable,
}

/// What a check of transactions did, if nothing is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IsolationReport {
    /// The transactions.
    pub transactions: usize,
    /// The reads whose version is known.
    pub reads: usize,
    /// The reads that could not be judged, since several writes wrote the version that they saw, or may have been missed by the scan.
    pub skipped: usize,
}

/// Checks transactions against a level of isolation. `start` are the versions before the history; other items do not exist there.
///
/// The order of the versions of an item is known from [`Transaction::commit`], or from transactions that read a version before they
/// replaced it, and from the times. If it is known in part only, anomalies can be missed; none is reported wrongly.
///
/// ```
/// use memdex_test::history::{Access, Anomaly, Item, Level, Transaction, isolated};
/// use std::collections::BTreeMap;
///
/// let [x, y] = [1, 2].map(|id| Item::new("Account", [id.into()]));
/// let start = BTreeMap::from([(x.clone(), 0.into()), (y.clone(), 0.into())]);
/// let read = |item: &Item, version: i32| Access::Read(item.clone(), version.into());
/// let write = |item: &Item, version: i32| Access::Write(item.clone(), version.into());
///
/// // Both read both accounts, and each writes one of them.
/// let skew = [
///     Transaction::new(0, 0, 9).with(read(&x, 0)).with(read(&y, 0)).with(write(&x, 1)),
///     Transaction::new(1, 1, 8).with(read(&x, 0)).with(read(&y, 0)).with(write(&y, 2)),
/// ];
/// assert!(isolated(&skew, &start, Level::Snapshot).is_ok());
/// assert_eq!(isolated(&skew, &start, Level::Serializable).unwrap_err().anomaly, Anomaly::WriteSkew);
///
/// // Both add to the same account.
/// let lost = [
///     Transaction::new(0, 0, 9).with(read(&x, 0)).with(write(&x, 1)),
///     Transaction::new(1, 1, 8).with(read(&x, 0)).with(write(&x, 2)),
/// ];
/// assert_eq!(isolated(&lost, &start, Level::Snapshot).unwrap_err().anomaly, Anomaly::LostUpdate);
/// ```
///
/// # Errors
/// The violation: an anomaly that the level excludes, and the transactions concerned.
///
/// # Cost
/// For n transactions with a accesses each, O(n · a) for the direct checks, and each scan looks at all items of its collection. The
/// graph has O(n · a) edges if versions have known orders; the search for cycles is linear in it, and that for the shortest one
/// quadratic in the part that has cycles.
pub fn isolated(
    history: &[Transaction],
    start: &BTreeMap<Item, Version>,
    level: Level,
) -> Result<IsolationReport, Violation> {
    let versions = Versions::collect(history, start)?;
    if level >= Level::Snapshot {
        lost_updates(&versions)?;
    }
    let graph = dependencies(history, &versions, level);
    let checked = match level {
        Level::Snapshot => graph.without_adjacent_anti_dependencies(),
        _ => graph,
    };
    if let Some(cycle) = checked.shortest_cycle() {
        return Err(explain(history, &versions, &cycle));
    }
    Ok(IsolationReport { transactions: history.len(), reads: versions.reads.len(), skipped: versions.skipped })
}

/// Two transactions that read one version and both replaced it.
fn lost_updates(versions: &Versions<'_>) -> Result<(), Violation> {
    let mut first: HashMap<(usize, Option<usize>), usize> = HashMap::new();
    for read in versions.reads.iter().filter(|read| !read.is_by_predicate) {
        if !versions.written[read.item].contains(&read.reader) {
            continue;
        }
        let other = *first.entry((read.item, read.writer)).or_insert(read.reader);
        if other != read.reader {
            return Err(versions.violation(Anomaly::LostUpdate, &[other, read.reader], read.item));
        }
    }
    Ok(())
}

fn dependencies(history: &[Transaction], versions: &Versions<'_>, level: Level) -> Graph {
    // The points in time are the ends of committed transactions.
    let mut ends: Vec<(u64, usize)> = history
        .iter()
        .enumerate()
        .filter(|(_, of)| of.end == End::Committed)
        .filter_map(|(at, of)| of.ended.map(|end| (end, at)))
        .collect();
    ends.sort_unstable();
    let transactions = history.len();
    let mut graph = Graph::new(transactions + ends.len());
    if level >= Level::Snapshot {
        for (at, (_, transaction)) in ends.iter().enumerate() {
            graph.add(*transaction, transactions + at, Dependency::RealTime, usize::MAX);
            if at > 0 {
                graph.add(transactions + at - 1, transactions + at, Dependency::RealTime, usize::MAX);
            }
        }
        for (at, of) in history.iter().enumerate().filter(|(at, _)| versions.took_place[*at]) {
            let before = ends.partition_point(|(end, _)| *end < of.began);
            if before > 0 {
                graph.add(transactions + before - 1, at, Dependency::RealTime, usize::MAX);
            }
        }
    }
    let mut later: HashMap<(usize, Option<usize>), Vec<usize>> = HashMap::new();
    for (item, first, second) in versions.orders() {
        if let Some(first) = first {
            graph.add(first, second, Dependency::WriteWrite, item);
        }
        later.entry((item, first)).or_default().push(second);
    }
    for read in &versions.reads {
        if let Some(writer) = read.writer.filter(|_| !read.is_by_predicate) {
            graph.add(writer, read.reader, Dependency::WriteRead, read.item);
        }
        if level >= Level::Snapshot {
            let by = if read.is_by_predicate { Dependency::PredicateReadWrite } else { Dependency::ReadWrite };
            for writer in later.get(&(read.item, read.writer)).into_iter().flatten() {
                graph.add(read.reader, *writer, by, read.item);
            }
        }
    }
    graph
}

/// The name of a cycle, and what its edges mean.
fn explain(history: &[Transaction], versions: &Versions<'_>, cycle: &[Edge]) -> Violation {
    let transactions = history.len();
    // The points in time, and the second copies of nodes, are not for people.
    let total = transactions + history.iter().filter(|of| of.end == End::Committed && of.ended.is_some()).count();
    let plain = |node: usize| if node >= total { node - total } else { node };
    let mut edges: Vec<Edge> = Vec::new();
    for edge in cycle {
        let edge = Edge { from: plain(edge.from), to: plain(edge.to), ..*edge };
        match edges.last_mut() {
            Some(last) if last.to >= transactions => last.to = edge.to,
            _ => edges.push(edge),
        }
    }
    if edges.first().is_some_and(|first| first.from >= transactions)
        && let Some(last) = edges.pop()
    {
        match edges.first_mut() {
            Some(first) => first.from = last.from,
            None => edges.push(last),
        }
    }
    let anomaly = name_of(history, &edges);
    let mut concerned: Vec<usize> = edges.iter().map(|edge| edge.from).collect();
    concerned.sort_unstable();
    concerned.dedup();
    let mut explanation = String::new();
    for at in &concerned {
        explanation += &format!("  T{at}: {}\n", history[*at]);
    }
    for edge in &edges {
        let item = versions.items.get(edge.item).map_or_else(String::new, |item| format!("{item:?}"));
        let why = match edge.by {
            Dependency::WriteWrite => format!("wrote {item} before"),
            Dependency::WriteRead => format!("wrote the version of {item} that was read by"),
            Dependency::ReadWrite => format!("read the version of {item} that was replaced by"),
            Dependency::PredicateReadWrite => format!("did not find {item} in a scan, which was written by"),
            Dependency::RealTime => "ended before the beginning of".to_owned(),
        };
        explanation += &format!("  T{} {why} T{}\n", edge.from, edge.to);
    }
    Violation { anomaly, operations: concerned, explanation }
}

fn name_of(history: &[Transaction], edges: &[Edge]) -> Anomaly {
    let anti = edges.iter().filter(|edge| edge.by.is_anti()).count();
    let has = |by: Dependency| edges.iter().any(|edge| edge.by == by);
    let writes = |at: usize| history[at].accesses.iter().any(|access| matches!(access, super::Access::Write(..)));
    if has(Dependency::PredicateReadWrite) {
        return Anomaly::Phantom;
    }
    match anti {
        0 if has(Dependency::WriteRead) => Anomaly::CircularInformationFlow,
        0 => Anomaly::DirtyWrite,
        1 if has(Dependency::RealTime) => Anomaly::StaleRead,
        1 => {
            let Some(anti) = edges.iter().find(|edge| edge.by.is_anti()) else { return Anomaly::ReadSkew };
            let same_item = edges.iter().any(|edge| edge.by == Dependency::WriteWrite && edge.item == anti.item);
            match edges.len() {
                2 if same_item => Anomaly::LostUpdate,
                2 if !writes(anti.from) => Anomaly::TornRead,
                _ => Anomaly::ReadSkew,
            }
        }
        _ => {
            let mut around = edges.iter().zip(edges.iter().cycle().skip(1));
            let is_adjacent = around.any(|(a, b)| a.by.is_anti() && b.by.is_anti());
            if is_adjacent { Anomaly::WriteSkew } else { Anomaly::LongFork }
        }
    }
}
