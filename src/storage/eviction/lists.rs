//! Doubly linked lists of rows whose links are in one vector by row: each step is O(1), and a row is in at most one list.

use crate::rowset::Row;

/// No row.
const NONE: Row = Row::MAX;
/// The list of a row that is in none.
const NOWHERE: u8 = u8::MAX;

pub(super) struct Lists<const N: usize> {
    nodes: Vec<Node>,
    ends: [Ends; N],
}

#[derive(Clone, Copy)]
struct Node {
    newer: Row,
    older: Row,
    list: u8,
}

#[derive(Clone, Copy)]
struct Ends {
    newest: Row,
    oldest: Row,
    len: usize,
}

fn row(row: Row) -> Option<Row> {
    (row != NONE).then_some(row)
}

impl<const N: usize> Lists<N> {
    pub(super) fn new() -> Self {
        Lists { nodes: Vec::new(), ends: [Ends { newest: NONE, oldest: NONE, len: 0 }; N] }
    }

    pub(super) fn len(&self, list: usize) -> usize {
        self.ends[list].len
    }

    pub(super) fn oldest(&self, list: usize) -> Option<Row> {
        row(self.ends[list].oldest)
    }

    /// The next newer row of its list.
    pub(super) fn newer(&self, of: Row) -> Option<Row> {
        row(self.nodes.get(of as usize)?.newer)
    }

    /// The list of a row.
    pub(super) fn list_of(&self, of: Row) -> Option<usize> {
        let list = self.nodes.get(of as usize)?.list;
        (list != NOWHERE).then_some(list.into())
    }

    /// Adds a row, which is in no list, as the newest one.
    pub(super) fn push(&mut self, list: usize, of: Row) {
        self.link(list, of, NONE);
    }

    /// Adds a row, which is in no list, before the next newer one; without one, as the newest.
    pub(super) fn insert_before(&mut self, list: usize, of: Row, newer: Option<Row>) {
        self.link(list, of, newer.unwrap_or(NONE));
    }

    fn link(&mut self, list: usize, of: Row, newer: Row) {
        let place = of as usize;
        if place >= self.nodes.len() {
            self.nodes.resize(place + 1, Node { newer: NONE, older: NONE, list: NOWHERE });
        }
        debug_assert!(self.nodes[place].list == NOWHERE, "a row is in one list");
        let older = if newer == NONE { self.ends[list].newest } else { self.nodes[newer as usize].older };
        self.nodes[place] = Node { newer, older, list: list as u8 };
        *self.newer_of(list, older) = of;
        *self.older_of(list, newer) = of;
        self.ends[list].len += 1;
    }

    /// Takes a row out of its list. Returns the list, if it was in one.
    pub(super) fn remove(&mut self, of: Row) -> Option<usize> {
        let list = self.list_of(of)?;
        let Node { newer, older, .. } = self.nodes[of as usize];
        *self.newer_of(list, older) = newer;
        *self.older_of(list, newer) = older;
        self.nodes[of as usize].list = NOWHERE;
        self.ends[list].len -= 1;
        Some(list)
    }

    /// The link from a row to the newer one; from before the oldest row, to the oldest.
    fn newer_of(&mut self, list: usize, of: Row) -> &mut Row {
        if of == NONE { &mut self.ends[list].oldest } else { &mut self.nodes[of as usize].newer }
    }

    /// The link from a row to the older one; from behind the newest row, to the newest.
    fn older_of(&mut self, list: usize, of: Row) -> &mut Row {
        if of == NONE { &mut self.ends[list].newest } else { &mut self.nodes[of as usize].older }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }

    /// The rows of all lists, by a walk along the links in both directions; `None` if these disagree.
    pub(super) fn walk(&self) -> Option<Vec<Row>> {
        let mut all = Vec::new();
        for (list, ends) in self.ends.iter().enumerate() {
            let (mut at, mut older, before) = (ends.oldest, NONE, all.len());
            while at != NONE {
                let node = self.nodes.get(at as usize)?;
                if usize::from(node.list) != list || node.older != older || all.len() > self.nodes.len() {
                    return None;
                }
                all.push(at);
                (older, at) = (at, node.newer);
            }
            if ends.newest != older || all.len() - before != ends.len {
                return None;
            }
        }
        Some(all)
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    fn from_oldest(lists: &Lists<2>, list: usize) -> Vec<Row> {
        std::iter::successors(lists.oldest(list), |row| lists.newer(*row)).collect()
    }

    #[test]
    fn rows_join_at_every_place_and_leave() {
        let mut lists = Lists::<2>::new();
        [4, 2, 7].iter().for_each(|row| lists.push(0, *row));
        lists.push(1, 3);
        lists.insert_before(0, 5, Some(4));
        lists.insert_before(0, 6, Some(7));
        lists.insert_before(0, 8, None);
        assert_eq!((from_oldest(&lists, 0), from_oldest(&lists, 1)), (vec![5, 4, 2, 6, 7, 8], vec![3]));
        assert_eq!(lists.walk().unwrap().len(), 7);
        for row in [5, 8, 2] {
            assert_eq!(lists.remove(row), Some(0));
            assert_eq!((lists.remove(row), lists.list_of(row)), (None, None));
            lists.walk().unwrap();
        }
        assert_eq!((from_oldest(&lists, 0), lists.len(0), lists.len(1)), (vec![4, 6, 7], 3, 1));
        for row in [4, 6, 7, 3] {
            lists.remove(row);
        }
        assert_eq!((lists.oldest(0), lists.oldest(1), lists.walk()), (None, None, Some(Vec::new())));
    }
}
