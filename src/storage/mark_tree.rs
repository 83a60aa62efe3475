//! The marks of a collection in the order of their commits, in a tree that remembers unions.
//!
//! A reader needs the union of all marks after its commit. With a mark for each of 100,000 pinned commits that would be as many
//! sets, again for each query. So each inner node remembers the union of its marks once a reader has needed it, and a reader
//! unites a few dozen sets at most. A commit changes nodes on one path from the root, which forget their unions. Readers share
//! the nodes: the committer copies a node only while a reader holds it.

use crate::error::Commit;
use crate::rowset::{Row, RowSet};
use crate::sync::{Arc, OnceLock};

/// The change set of one commit, or of several merged ones, in one collection.
#[derive(Clone)]
pub(crate) struct Mark {
    /// The newest commit of the change set.
    pub(crate) commit: Commit,
    /// Rows from this one on were unused before the first of the commits, and are not listed.
    pub(crate) first_new_row: Row,
    pub(crate) rows: RowSet,
}

impl Mark {
    /// Merges the mark of later commits into this one. Costs as much as the smaller one has rows.
    pub(super) fn merge(&mut self, mut later: Mark) {
        later.rows.truncate(self.first_new_row);
        if self.rows.len() < later.rows.len() {
            std::mem::swap(&mut self.rows, &mut later.rows);
        }
        self.rows.insert_all(&later.rows.iter().collect::<Vec<Row>>());
        self.commit = later.commit;
    }
}

/// The bytes of a mark. The unions that inner nodes remember are not counted: readers make them.
pub(super) fn heap_bytes(mark: &Mark) -> usize {
    size_of::<Mark>() + mark.rows.heap_bytes()
}

/// Most parts of a node.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
const PARTS: usize = 16;
/// Two, so that concurrency checkers have inner nodes with three marks.
#[cfg(any(memdex_shuttle, memdex_loom))]
const PARTS: usize = 2;

/// A node. Only the root may be empty.
pub(super) struct Node {
    parts: Parts,
    /// The rows of all marks.
    union: OnceLock<RowSet>,
}

#[derive(Clone)]
enum Parts {
    Marks(Vec<Arc<Mark>>),
    Nodes(Vec<Arc<Node>>),
}

impl Clone for Node {
    /// A copy is about to be changed, so it has no union.
    fn clone(&self) -> Self {
        Node::new(self.parts.clone())
    }
}

impl Default for Node {
    fn default() -> Self {
        Node::new(Parts::Marks(Vec::new()))
    }
}

impl Node {
    fn new(parts: Parts) -> Self {
        Node { parts, union: OnceLock::new() }
    }

    // ---- what readers ask -----------------------------------------------------------------------------------------

    pub(super) fn first(&self) -> Option<&Mark> {
        match &self.parts {
            Parts::Marks(marks) => marks.first().map(|mark| &**mark),
            Parts::Nodes(nodes) => nodes.first()?.first(),
        }
    }

    pub(super) fn last(&self) -> Option<&Mark> {
        match &self.parts {
            Parts::Marks(marks) => marks.last().map(|mark| &**mark),
            Parts::Nodes(nodes) => nodes.last()?.last(),
        }
    }

    /// The first mark after a commit.
    pub(super) fn first_after(&self, commit: Commit) -> Option<&Mark> {
        match &self.parts {
            Parts::Marks(marks) => marks.get(through(marks, commit)).map(|mark| &**mark),
            Parts::Nodes(nodes) => nodes.get(before(nodes, commit))?.first_after(commit),
        }
    }

    /// The last mark that is not after a commit.
    pub(super) fn last_through(&self, commit: Commit) -> Option<&Mark> {
        match &self.parts {
            Parts::Marks(marks) => marks[..through(marks, commit)].last().map(|mark| &**mark),
            Parts::Nodes(nodes) => {
                let at = before(nodes, commit);
                let within = nodes.get(at).and_then(|node| node.last_through(commit));
                within.or_else(|| nodes[..at].last()?.last())
            }
        }
    }

    /// The rows of all marks after a commit.
    pub(super) fn union_after(&self, commit: Commit) -> RowSet {
        let mut sets = Vec::new();
        self.sets_after(commit, &mut sets);
        RowSet::union(sets)
    }

    fn sets_after<'a>(&'a self, commit: Commit, sets: &mut Vec<&'a RowSet>) {
        match &self.parts {
            Parts::Marks(marks) => sets.extend(marks[through(marks, commit)..].iter().map(|mark| &mark.rows)),
            Parts::Nodes(_) if self.first().is_some_and(|first| first.commit > commit) => sets.push(self.union()),
            Parts::Nodes(nodes) => {
                let mut nodes = nodes[before(nodes, commit)..].iter();
                nodes.next().into_iter().for_each(|node| node.sets_after(commit, sets));
                sets.extend(nodes.map(|node| node.union()));
            }
        }
    }

    fn union(&self) -> &RowSet {
        if let Some(union) = self.union.get() {
            return union;
        }
        let union = match &self.parts {
            Parts::Marks(marks) => RowSet::union(marks.iter().map(|mark| &mark.rows)),
            Parts::Nodes(nodes) => RowSet::union(nodes.iter().map(|node| node.union())),
        };
        // Another reader may have been first, with the same union.
        let _ = self.union.set(union);
        match self.union.get() {
            Some(union) => union,
            None => unreachable!("it was just set"),
        }
    }

    /// All marks.
    pub(super) fn for_each(&self, visit: &mut impl FnMut(&Mark)) {
        match &self.parts {
            Parts::Marks(marks) => marks.iter().for_each(|mark| visit(mark)),
            Parts::Nodes(nodes) => nodes.iter().for_each(|node| node.for_each(visit)),
        }
    }

    // ---- what the committer changes -------------------------------------------------------------------------------

    /// Adds a mark after all others.
    pub(super) fn push(&mut self, mark: Mark) {
        if let Some(sibling) = self.push_or_split(mark) {
            let first = std::mem::take(self);
            *self = Node::new(Parts::Nodes(vec![Arc::new(first), Arc::new(sibling)]));
        }
    }

    /// If the node is full, returns a sibling of it that has the mark.
    fn push_or_split(&mut self, mark: Mark) -> Option<Node> {
        self.union = OnceLock::new();
        match &mut self.parts {
            Parts::Marks(marks) if marks.len() < PARTS => marks.push(Arc::new(mark)),
            Parts::Marks(_) => return Some(Node::new(Parts::Marks(vec![Arc::new(mark)]))),
            Parts::Nodes(nodes) => {
                let sibling = Arc::new(Arc::make_mut(nodes.last_mut()?).push_or_split(mark)?);
                if nodes.len() == PARTS {
                    return Some(Node::new(Parts::Nodes(vec![sibling])));
                }
                nodes.push(sibling);
            }
        }
        None
    }

    /// The mark of exactly this commit, to change its rows and its commit within the gap to its neighbours.
    pub(super) fn get_mut(&mut self, commit: Commit) -> Option<&mut Mark> {
        self.union = OnceLock::new();
        match &mut self.parts {
            Parts::Marks(marks) => marks.iter_mut().find(|mark| mark.commit == commit).map(Arc::make_mut),
            Parts::Nodes(nodes) => {
                let at = nodes.partition_point(|node| node.last().is_some_and(|last| last.commit < commit));
                Arc::make_mut(nodes.get_mut(at)?).get_mut(commit)
            }
        }
    }

    /// Removes the marks within `first..=last`, and passes them to `removed`.
    pub(super) fn remove(&mut self, first: Commit, last: Commit, removed: &mut impl FnMut(Arc<Mark>)) {
        self.remove_within(first, last, removed);
        // Only the root becomes lower: so all leaves are at the same depth, and it takes 16 times as many marks to add one.
        while let Parts::Nodes(nodes) = &mut self.parts
            && nodes.len() <= 1
        {
            *self = nodes.pop().map(Arc::unwrap_or_clone).unwrap_or_default();
        }
    }

    fn remove_within(&mut self, first: Commit, last: Commit, removed: &mut impl FnMut(Arc<Mark>)) {
        self.union = OnceLock::new();
        match &mut self.parts {
            Parts::Marks(marks) => {
                let from = marks.partition_point(|mark| mark.commit < first);
                let to = through(marks, last);
                marks.drain(from..to.max(from)).for_each(removed);
            }
            Parts::Nodes(nodes) => {
                let from = nodes.partition_point(|node| node.last().is_some_and(|of| of.commit < first));
                let to = nodes.partition_point(|node| node.first().is_some_and(|of| of.commit <= last));
                let touched = from..to.max(from);
                nodes[touched.clone()]
                    .iter_mut()
                    .for_each(|node| Arc::make_mut(node).remove_within(first, last, removed));
                if nodes[touched].iter().any(|node| node.first().is_none()) {
                    nodes.retain(|node| node.first().is_some());
                }
            }
        }
    }
}

/// How many marks are not after a commit.
fn through(marks: &[Arc<Mark>], commit: Commit) -> usize {
    marks.partition_point(|mark| mark.commit <= commit)
}

/// How many nodes have no mark after a commit.
fn before(nodes: &[Arc<Node>], commit: Commit) -> usize {
    nodes.partition_point(|node| node.last().is_some_and(|last| last.commit <= commit))
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark(commit: u64, rows: &[Row]) -> Mark {
        Mark { commit: Commit::from_number(commit), first_new_row: 1_000, rows: rows.iter().copied().collect() }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Vec<Row>),
        /// Removes what lies between two places, in 256ths of the whole.
        Remove(u8, u8),
        /// Replaces the rows of the mark at a place.
        Change(u8, Vec<Row>),
        /// Looks at the union after a place; `true` holds the tree from then on.
        Look(u8, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let rows = || prop::collection::vec(0..200_000_u32, 0..4);
        prop_oneof![
            8 => rows().prop_map(Step::Push),
            1 => any::<(u8, u8)>().prop_map(|(from, len)| Step::Remove(from, len / 4)),
            2 => (any::<u8>(), rows()).prop_map(|(at, rows)| Step::Change(at, rows)),
            6 => any::<(u8, bool)>().prop_map(|(at, holds)| Step::Look(at, holds)),
        ]
    }

    fn check(tree: &Node, list: &[(u64, Vec<Row>)], after: u64) {
        let commit = Commit::from_number(after);
        let later = &list[list.partition_point(|(commit, _)| *commit <= after)..];
        let union: RowSet = later.iter().flat_map(|(_, rows)| rows.iter().copied()).collect();
        assert!(tree.union_after(commit) == union);
        let number = |mark: Option<&Mark>| mark.map(|mark| mark.commit.get());
        assert_eq!(number(tree.first_after(commit)), later.first().map(|(commit, _)| *commit));
        let through = list[..list.len() - later.len()].last();
        assert_eq!(number(tree.last_through(commit)), through.map(|(commit, _)| *commit));
        assert_eq!(number(tree.first()), list.first().map(|(commit, _)| *commit));
        assert_eq!(number(tree.last()), list.last().map(|(commit, _)| *commit));
    }

    proptest! {
        /// The tree answers as a plain list does. It has up to three levels, and loses whole subtrees.
        #[test]
        fn equals_a_list(steps in prop::collection::vec(step(), 1..600)) {
            let (mut tree, mut list, mut held) = (Arc::new(Node::default()), Vec::<(u64, Vec<Row>)>::new(), Vec::new());
            let mut next = 1;
            for step in &steps {
                let at = |place: u8| list.get(usize::from(place) * list.len() / 256).map_or(0, |(commit, _)| *commit);
                match step {
                    Step::Push(rows) => {
                        next += 1 + u64::from(rows.len() as u32 % 2);
                        Arc::make_mut(&mut tree).push(mark(next, rows));
                        list.push((next, rows.clone()));
                    }
                    Step::Remove(from, len) => {
                        let (first, last) = (at(*from), at(from.saturating_add(*len)));
                        let mut removed = Vec::new();
                        let mut note = |mark: Arc<Mark>| removed.push(mark.commit.get());
                        Arc::make_mut(&mut tree).remove(Commit::from_number(first), Commit::from_number(last), &mut note);
                        let gone = |commit: &u64| (first..=last).contains(commit);
                        prop_assert!(list.iter().map(|(commit, _)| *commit).filter(gone).eq(removed));
                        list.retain(|(commit, _)| !gone(commit));
                    }
                    Step::Change(place, rows) => {
                        let commit = at(*place);
                        if let Some(found) = Arc::make_mut(&mut tree).get_mut(Commit::from_number(commit)) {
                            found.rows = rows.iter().copied().collect();
                        }
                        list.iter_mut().filter(|(of, _)| *of == commit).for_each(|(_, of)| of.clone_from(rows));
                    }
                    // While a reader holds the nodes, changes copy them; otherwise they change in place, with the union that they remember.
                    Step::Look(place, holds) => {
                        check(&tree, &list, at(*place));
                        held.extend(holds.then(|| (tree.clone(), list.clone(), at(*place))));
                    }
                }
            }
            check(&tree, &list, 0);
            let mut count = 0;
            tree.for_each(&mut |_| count += 1);
            prop_assert_eq!(count, list.len());
            held.iter().for_each(|(tree, list, after)| check(tree, list, *after));
        }
    }

    #[test]
    fn its_depth_is_logarithmic() {
        fn depth(node: &Node) -> usize {
            match &node.parts {
                Parts::Marks(_) => 0,
                Parts::Nodes(nodes) => 1 + nodes.iter().map(|node| depth(node)).max().unwrap_or(0),
            }
        }
        let mut tree = Node::default();
        (1..=100_000).for_each(|commit| tree.push(mark(commit, &[7])));
        assert_eq!(depth(&tree), 4);
        // As snapshots that come and go: the first stays, and of the others the last thousand.
        for commit in 100_001..=400_000 {
            let last = Commit::from_number(commit - 1_000);
            tree.remove(Commit::from_number(2), last, &mut |_| {});
            tree.push(mark(commit, &[7]));
        }
        assert!(depth(&tree) <= 4, "{}", depth(&tree));
        tree.remove(Commit::from_number(3), Commit::MAX, &mut |_| {});
        assert_eq!(depth(&tree), 0);
    }
}
