//! Queries for books in an order, by pages and for statistics: asked once, from the cache, and as live queries.

use super::aggregates::{any_statistics, check_statistics};
use super::books::Book;
use super::machine::Race;
use super::operations::First;
use super::predicates::{Tree, tree};
use super::reference::{Shelf, World};
use memdex::aggregate::Statistics;
use memdex::hook::watch::{Watch, WatchedRecords};
use memdex::query::Find;
use memdex::{Commit, Handle, View};
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(super) struct Question {
    tree: Tree,
    first: First,
    page: usize,
    statistics: Statistics,
}

/// How often a question is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    Once,
    /// Again after each later operation, from the cache.
    Cached,
    /// As a live query.
    Live,
}

pub(super) fn any_question() -> BoxedStrategy<Question> {
    let make = |(tree, mut first, page, statistics): (_, First, _, _)| {
        first.records = first.records.clamp(1, 1_000);
        first.sort_at_least_by_key();
        Question { tree, first, page, statistics }
    };
    (tree::<Book>(), First::any::<Book>(), 1..4_usize, any_statistics()).prop_map(make).boxed()
}

impl Question {
    /// The records that it returns from these, in their order.
    fn expected<'a>(&self, books: &'a Shelf<Book>) -> Vec<&'a (Book, Commit)> {
        let mut matching: Vec<_> = books.values().filter(|(book, _)| self.tree.holds(book)).collect();
        matching.sort_by(|(a, _), (b, _)| self.first.compare(a, b));
        matching
    }

    fn ask(&self, view: &View<Book>, books: &Shelf<Book>) {
        let expected = self.expected(books);
        let find = || view.find(self.tree.filter()).order_by(self.first.to_store::<Book>());
        same(&find().fetch().unwrap(), &expected, self);
        let first = find().limit(self.first.records).fetch().unwrap();
        same(&first, &expected[..expected.len().min(self.first.records)], self);
        self.walk(find, &expected);
        let held: Vec<&Book> = expected.iter().map(|(book, _)| book).collect();
        check_statistics(
            &view.find(self.tree.filter()).statistics(self.statistics.clone()).unwrap(),
            &held,
            &self.statistics,
        );
    }

    /// Goes through all pages by cursors, forwards.
    fn walk(&self, find: impl Fn() -> Find<Book>, expected: &[&(Book, Commit)]) {
        let mut page = find().size(self.page).fetch().unwrap();
        let mut walked: Vec<Handle<Book>> = page.iter().cloned().collect();
        while let Some(next) = page.next.take() {
            page = find().size(self.page).after(next).fetch().unwrap();
            assert!(!page.is_empty() && page.len() <= self.page, "{self:?}");
            walked.extend(page.iter().cloned());
        }
        same(&walked, expected, self);
    }
}

fn same(found: &[Handle<Book>], expected: &[&(Book, Commit)], asked: &Question) {
    let found: Vec<_> = found.iter().map(|book| (&**book, book.commit())).collect();
    let expected: Vec<_> = expected.iter().map(|(book, commit)| (book, *commit)).collect();
    assert_eq!(found, expected, "by {asked:?}");
}

/// A live query, and a copy of its answer that only the updates change.
pub(super) struct Live {
    watch: Watch<WatchedRecords<Book>>,
    copy: Vec<Handle<Book>>,
}

impl Race {
    pub(super) fn ask(&mut self, world: &World, question: &Question, asked: Asked) {
        match asked {
            Asked::Once => {
                let newest = self.store.snapshot();
                for snapshot in self.snapshots.iter().chain([&newest]) {
                    question.ask(&snapshot.of(&self.books), &world.at(snapshot.commit()).books);
                }
            }
            // `check_questions` asks it.
            Asked::Cached => {}
            Asked::Live => {
                let watch = self.books.watch(question.tree.filter()).order_by(question.first.to_store::<Book>());
                let watch = watch.limit(question.first.records).start().unwrap();
                self.live.push(Live { copy: watch.answer().clone(), watch });
            }
        }
    }

    pub(super) fn check_questions(&mut self, world: &World) {
        let newest = world.at(world.newest());
        let cached = self.books.cached();
        for question in &world.cached {
            let expected = question.expected(&newest.books);
            let find = || cached.find(question.tree.filter()).order_by(question.first.to_store::<Book>());
            same(&find().fetch().unwrap(), &expected, question);
            assert_eq!(*cached.find(question.tree.filter()).count().unwrap(), expected.len(), "{question:?}");
            let held: Vec<&Book> = expected.iter().map(|(book, _)| book).collect();
            let found = cached.find(question.tree.filter()).statistics(question.statistics.clone()).unwrap();
            check_statistics(&found, &held, &question.statistics);
        }
        for (live, question) in self.live.iter_mut().zip(&world.live) {
            while let Some(update) = live.watch.try_next() {
                update.apply(&mut live.copy);
            }
            let expected = question.expected(&newest.books);
            let expected = &expected[..expected.len().min(question.first.records)];
            same(live.watch.answer(), expected, question);
            same(&live.copy, expected, question);
        }
    }
}
