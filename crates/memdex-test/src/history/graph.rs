//! Dependency graphs of transactions, and their cycles.

use std::collections::VecDeque;

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Dependency {
    /// It wrote the version before that of the other.
    WriteWrite,
    /// The other read its version.
    WriteRead,
    /// The other replaced the version that it read.
    ReadWrite,
    /// The other replaced a version that does not match its predicate.
    PredicateReadWrite,
    /// It ended before the other began.
    RealTime,
}

impl Dependency {
    pub(super) fn is_anti(self) -> bool {
        matches!(self, Dependency::ReadWrite | Dependency::PredicateReadWrite)
    }
}

/// An edge, with the number of its item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) by: Dependency,
    pub(super) item: usize,
}

/// A graph. Nodes beyond the transactions are points in time.
#[derive(Debug, Default)]
pub(super) struct Graph {
    edges: Vec<Vec<Edge>>,
}

impl Graph {
    pub(super) fn new(nodes: usize) -> Self {
        Graph { edges: vec![Vec::new(); nodes] }
    }

    pub(super) fn add(&mut self, from: usize, to: usize, by: Dependency, item: usize) {
        if from != to {
            self.edges[from].push(Edge { from, to, by, item });
        }
    }

    /// The graph whose paths take no two anti-dependencies in a row: each node is doubled, and an anti-dependency leads to the second
    /// copy, from which none leads on. It has a cycle if and only if (SO ∪ WR ∪ WW) ; RW? has one, which snapshot isolation excludes.
    pub(super) fn without_adjacent_anti_dependencies(&self) -> Graph {
        let nodes = self.edges.len();
        let mut doubled = Graph::new(2 * nodes);
        for edge in self.edges.iter().flatten() {
            if edge.by.is_anti() {
                doubled.edges[edge.from].push(Edge { to: nodes + edge.to, ..*edge });
            } else {
                doubled.edges[edge.from].push(*edge);
                doubled.edges[nodes + edge.from].push(Edge { from: nodes + edge.from, ..*edge });
            }
        }
        doubled
    }

    /// The shortest cycle, as its edges; `None` if there is none.
    pub(super) fn shortest_cycle(&self) -> Option<Vec<Edge>> {
        let component = self.components();
        let mut sizes = vec![0; self.edges.len()];
        component.iter().for_each(|of| sizes[*of] += 1);
        let mut shortest: Option<Vec<Edge>> = None;
        for start in (0..self.edges.len()).filter(|node| sizes[component[*node]] > 1) {
            let cycle = self.cycle_from(start, &component);
            if let Some(cycle) = cycle.filter(|cycle| shortest.as_ref().is_none_or(|known| cycle.len() < known.len())) {
                shortest = Some(cycle);
            }
            if shortest.as_ref().is_some_and(|known| known.len() <= 2) {
                break;
            }
        }
        shortest
    }

    /// Breadth first, within the component.
    fn cycle_from(&self, start: usize, component: &[usize]) -> Option<Vec<Edge>> {
        let mut by: Vec<Option<Edge>> = vec![None; self.edges.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for edge in self.edges[node].iter().filter(|edge| component[edge.to] == component[start]) {
                if edge.to == start {
                    let mut cycle = vec![*edge];
                    let mut at = node;
                    while at != start {
                        let edge = by[at]?;
                        cycle.push(edge);
                        at = edge.from;
                    }
                    cycle.reverse();
                    return Some(cycle);
                }
                if by[edge.to].is_none() {
                    by[edge.to] = Some(*edge);
                    queue.push_back(edge.to);
                }
            }
        }
        None
    }

    /// The strongly connected component of each node, by Tarjan's algorithm without recursion.
    fn components(&self) -> Vec<usize> {
        let nodes = self.edges.len();
        let (mut index, mut low, mut component) = (vec![usize::MAX; nodes], vec![0; nodes], vec![usize::MAX; nodes]);
        let (mut stack, mut next, mut components) = (Vec::new(), 0, 0);
        for root in 0..nodes {
            if index[root] != usize::MAX {
                continue;
            }
            let mut calls = vec![(root, 0)];
            while let Some((node, at)) = calls.pop() {
                if at == 0 {
                    (index[node], low[node]) = (next, next);
                    next += 1;
                    stack.push(node);
                }
                if let Some(edge) = self.edges[node].get(at) {
                    calls.push((node, at + 1));
                    if index[edge.to] == usize::MAX {
                        calls.push((edge.to, 0));
                    } else if component[edge.to] == usize::MAX {
                        low[node] = low[node].min(index[edge.to]);
                    }
                    continue;
                }
                if low[node] == index[node] {
                    while let Some(member) = stack.pop() {
                        component[member] = components;
                        if member == node {
                            break;
                        }
                    }
                    components += 1;
                }
                if let Some((parent, _)) = calls.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
            }
        }
        component
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dependency::{ReadWrite, WriteRead, WriteWrite};

    #[test]
    fn cycles_with_two_anti_dependencies_in_a_row_are_allowed() {
        let mut skew = Graph::new(3);
        skew.add(0, 1, ReadWrite, 0);
        skew.add(1, 0, ReadWrite, 1);
        assert_eq!(skew.shortest_cycle().map(|cycle| cycle.len()), Some(2));
        assert!(skew.without_adjacent_anti_dependencies().shortest_cycle().is_none());
        skew.add(1, 2, WriteWrite, 0);
        skew.add(2, 0, ReadWrite, 0);
        // Around the cycle, the last one and the first follow each other.
        assert!(skew.without_adjacent_anti_dependencies().shortest_cycle().is_none());
        skew.add(2, 0, WriteRead, 0);
        assert!(skew.without_adjacent_anti_dependencies().shortest_cycle().is_some());

        let mut fork = Graph::new(4);
        for (from, to, by) in [(0, 2, WriteRead), (2, 1, ReadWrite), (1, 3, WriteRead), (3, 0, ReadWrite)] {
            fork.add(from, to, by, 0);
        }
        let cycle = fork.without_adjacent_anti_dependencies().shortest_cycle().unwrap();
        assert_eq!(cycle.len(), 4);
    }

    #[test]
    fn long_chains_do_not_overflow_the_stack() {
        let mut chain = Graph::new(100_000);
        (1..100_000).for_each(|at| chain.add(at - 1, at, WriteWrite, 0));
        assert!(chain.shortest_cycle().is_none());
        chain.add(99_999, 99_997, WriteRead, 0);
        assert_eq!(chain.shortest_cycle().unwrap().len(), 3);
    }
}
