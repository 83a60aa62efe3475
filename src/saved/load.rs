//! Loading: reads the blocks in their order, opens the collections, and inserts the records, a block in a commit.

use super::codec::decode;
use super::error::{Damage, LoadError, Place};
use super::forms::{Declared, Form, Loading, NotInserted, of_documents, of_key_values};
use super::head::{CollectionHead, Encoding, EndOfFile, RecordKind, StoreHead};
use super::layout::{Block, Input, Kind, damaged};
use super::progress::Progress;
use super::schema::difference;
use crate::error::Commit;
use crate::record::{AggregateDef, IndexDef, Schema};
use crate::store::Store;
use crate::sync::Arc;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::Read;

/// What an archive says of the collections, and to whom it reports.
pub(super) struct Loader<'a> {
    pub(super) declared: &'a dyn Fn(&str) -> Declared,
    pub(super) report: &'a dyn Fn(&Progress<'_>),
}

/// No store makes so many commits.
const MOST_COMMITS: u64 = 1 << 62;

impl Loader<'_> {
    /// Fills an empty store.
    pub(super) fn load(&self, store: &Store, from: impl Read) -> Result<(), LoadError> {
        let mut input = Input::start(from)?;
        let head: StoreHead = {
            let block = expect(&mut input, None, Kind::Store, "the store")?;
            whole(&input, &block, "head of the store", None)?
        };
        if head.commit >= MOST_COMMITS {
            let message = format!("commit {} is beyond any that a store reaches", head.commit);
            return Err(damaged(input.place(0, None), Damage::Content { part: "head of the store", message }));
        }
        // Commits of the loaded store are later than all that the program may remember of the saved one.
        store.engine().timeline.publish(Commit::from_number(head.commit));
        for (name, next) in &head.sequences {
            store.sequence(name).skip_to(*next);
        }
        let mut end = EndOfFile { collections: 0, records: 0 };
        loop {
            let block = input.block(None)?;
            match block.kind {
                Kind::Collection => {
                    let collection: CollectionHead = whole(&input, &block, "head of a collection", None)?;
                    end.records += self.collection(store, &mut input, collection, (end.records, head.records))?;
                    end.collections += 1;
                }
                Kind::End => {
                    let stated: EndOfFile = whole(&input, &block, "end of the file", None)?;
                    let place = || input.place(0, None);
                    check_count("collections", stated.collections, end.collections, place)?;
                    check_count("records", stated.records, end.records, place)?;
                    return input.end();
                }
                other => return Err(misplaced(&input, other, "a collection, or the end of the file", None)),
            }
        }
    }

    /// Loads a collection up to its end, and returns the number of its records.
    fn collection<R: Read>(
        &self,
        store: &Store,
        input: &mut Input<R>,
        head: CollectionHead,
        (done, total): (u64, u64),
    ) -> Result<u64, LoadError> {
        let name = head.name.clone();
        let place = input.place(0, Some(&name));
        let loading = match self.form(&head)? {
            Some(form) => {
                // A second collection of the name would add its records to the first.
                if store.any_collection(&name).is_some() {
                    let message = "a second collection of this name".to_owned();
                    return Err(damaged(place, Damage::Content { part: "head of a collection", message }));
                }
                Some(open(store, &head, &*form, &place)?)
            }
            None => None,
        };
        let now = store.engine().clock.now();
        let mut records = 0;
        loop {
            let Block { kind, content } = input.block(Some(&name))?;
            match (kind, &loading) {
                (Kind::Records, Some(loading)) => {
                    let inserted = loading.insert(store, &content, head.encoding, now);
                    records += inserted.map_err(|why| match why {
                        NotInserted::Record(at, message) => {
                            damaged(input.place(at, Some(&name)), Damage::Content { part: "record", message })
                        }
                        NotInserted::Refused(source) => {
                            LoadError::Refused { place: input.place(0, Some(&name)), source }
                        }
                    })?;
                    (self.report)(&Progress { collection: &name, records: done + records, total });
                }
                // Left out.
                (Kind::Records, None) => {}
                (Kind::CollectionEnd, loading) => {
                    let block = Block { kind, content };
                    let stated: u64 = whole(input, &block, "end of a collection", Some(&name))?;
                    if loading.is_none() {
                        return Ok(stated);
                    }
                    check_count("records", stated, records, || input.place(0, Some(&name)))?;
                    return Ok(records);
                }
                (other, _) => {
                    return Err(misplaced(input, other, "records, or the end of a collection", Some(&name)));
                }
            }
        }
    }

    /// The form of the records; `None` if the archive leaves the collection out.
    fn form(&self, head: &CollectionHead) -> Result<Option<Arc<dyn Form>>, LoadError> {
        let of = || (head.name.clone(), head.record_type.clone());
        let units = || of_key_values::<()>(None, Encoding::Binary);
        let form = match ((self.declared)(&head.name), head.kind) {
            (Declared::LeftOut, _) => return Ok(None),
            (Declared::As(form), _) => form,
            (Declared::Undeclared, RecordKind::Document) => of_documents(None),
            (Declared::Undeclared, RecordKind::KeyValue) if units().record_type() == head.record_type => units(),
            _ => {
                let (collection, record_type) = of();
                return Err(LoadError::Undeclared { collection, record_type });
            }
        };
        if form.kind() != head.kind {
            let (collection, record_type) = of();
            return Err(LoadError::OtherType { collection, record_type, declared: form.record_type() });
        }
        if head.encoding == Encoding::Binary && form.encoding() == Encoding::Binary && head.fields != form.fields() {
            let (saved, now) = (head.fields.clone(), form.fields());
            return Err(LoadError::OtherFields { collection: head.name.clone(), saved, now });
        }
        Ok(Some(form))
    }
}

/// Opens a collection with the indexes and the aggregates that it had, or has in the program's schema.
fn open(store: &Store, head: &CollectionHead, form: &dyn Form, place: &Place) -> Result<Box<dyn Loading>, LoadError> {
    let saved: Schema = definition(&head.schema, "schema", place)?;
    let indexes: Vec<IndexDef> = definition(&head.indexes, "list of indexes", place)?;
    let aggregates: Vec<AggregateDef> = definition(&head.aggregates, "list of materialized aggregates", place)?;
    let place = || place.clone();
    let loading = form
        .open(store, &head.name, &saved)
        .map_err(|source| LoadError::Collection { place: place(), source: Box::new(source) })?;
    if let Some(difference) = difference(&saved, loading.schema()) {
        return Err(LoadError::OtherSchema { collection: head.name.clone(), difference });
    }
    let plan = Plan::of(&saved.indexes(), &indexes, &loading.schema().indexes(), IndexDef::name);
    let failed = |source| LoadError::Index { place: place(), source: Box::new(source) };
    plan.dropped.iter().try_for_each(|name| loading.drop_index(name)).map_err(failed)?;
    plan.added.into_iter().try_for_each(|index| loading.add_index(index)).map_err(failed)?;
    let plan = Plan::of(saved.aggregates(), &aggregates, loading.schema().aggregates(), AggregateDef::name);
    let failed = |source| LoadError::Aggregate { place: place(), source: Box::new(source) };
    plan.dropped.iter().try_for_each(|name| loading.drop_aggregate(name)).map_err(failed)?;
    plan.added.into_iter().try_for_each(|aggregate| loading.add_aggregate(aggregate)).map_err(failed)?;
    let lifetime = head.lifetime.clone().into();
    loading.set_default_lifetime(lifetime).map_err(|source| LoadError::Refused { place: place(), source })?;
    Ok(loading)
}

/// What was added to a collection, and dropped from it, at run time.
struct Plan<T> {
    added: Vec<T>,
    dropped: Vec<String>,
}

impl<T: Clone + PartialEq> Plan<T> {
    /// By the definitions of the saved schema, those that the collection had, and those of the program's schema.
    fn of(declared: &[T], had: &[T], now: &[T], name: fn(&T) -> &str) -> Self {
        let is_named = |among: &[T], of: &T| among.iter().any(|other| name(other) == name(of));
        let added = had.iter().filter(|of| !declared.contains(of) && !is_named(now, of)).cloned().collect();
        let dropped = now.iter().filter(|of| declared.contains(of) && !is_named(had, of));
        Plan { added, dropped: dropped.map(|of| name(of).to_owned()).collect() }
    }
}

fn definition<T: DeserializeOwned>(json: &str, part: &'static str, place: &Place) -> Result<T, LoadError> {
    serde_json::from_str(json)
        .map_err(|error| damaged(place.clone(), Damage::Content { part, message: error.to_string() }))
}

fn expect<R: Read>(
    input: &mut Input<R>,
    collection: Option<&str>,
    kind: Kind,
    expected: &'static str,
) -> Result<Block, LoadError> {
    let block = input.block(collection)?;
    if block.kind == kind { Ok(block) } else { Err(misplaced(input, block.kind, expected, collection)) }
}

fn misplaced<R: Read>(input: &Input<R>, found: Kind, expected: &'static str, collection: Option<&str>) -> LoadError {
    damaged(input.place(0, collection), Damage::Order { found: found.name().to_owned(), expected })
}

/// The value that is the whole content of a block.
fn whole<'a, R: Read, T: Deserialize<'a>>(
    input: &Input<R>,
    block: &'a Block,
    part: &'static str,
    collection: Option<&str>,
) -> Result<T, LoadError> {
    let mut rest = &block.content[..];
    let invalid = |rest: &[u8], message| {
        let place = input.place(block.content.len() - rest.len(), collection);
        damaged(place, Damage::Content { part, message })
    };
    let value = decode(&mut rest).map_err(|message| invalid(rest, message))?;
    if rest.is_empty() { Ok(value) } else { Err(invalid(rest, format!("{} bytes too many", rest.len()))) }
}

fn check_count(what: &'static str, stated: u64, found: u64, place: impl Fn() -> Place) -> Result<(), LoadError> {
    if stated == found { Ok(()) } else { Err(damaged(place(), Damage::Count { what, stated, found })) }
}
