//! Commands that give records a lifetime, and the default of a collection.

use super::action::Action;
use super::batch::{Batch, Refused};
use super::commands::{UpdateResult, change, insert_and_upsert, store_and_update};
use super::lifetime::{DefaultLifetime, Given, Lifetime, NO_LIFETIMES, restricts};
use super::operation::Operation;
use super::receipt::Receipt;
use super::writer::{Writer, WriterError};
use crate::error::{Cause, Refusal};
use crate::record::Record;
use crate::storage::{Collection, Handle};
use memdex_query::value::{IntoKey, Kind};

/// Commands that give the record a lifetime: `with_lifetime(…)` of [`Collection`](Collection::with_lifetime),
/// [`Batch`](Batch::with_lifetime) and [`Writer`](Writer::with_lifetime) returns it.
///
/// The lifetime counts from the time of the commit. Refused with [`Cause::Expired`] if it ends before.
///
/// ```
/// use memdex::{Record, Store};
/// use std::time::Duration;
///
/// #[derive(Clone, Record)]
/// struct Token { #[record(key)] id: u32, uses: u32 }
///
/// let store = Store::new();
/// let tokens = store.collection::<Token>("Token")?;
/// let hour = Duration::from_secs(3_600);
/// tokens.with_lifetime(hour).insert(Token { id: 1, uses: 0 })?;
/// tokens.update(1, |token| token.uses += 1)?; // keeps the deadline
/// assert!(tokens.get(1).unwrap().expires_at().is_some());
///
/// let mut batch = store.batch();
/// batch.with_lifetime(hour).upsert(&tokens, Token { id: 2, uses: 1 }, |token| token.uses += 1)?;
/// batch.commit()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until one of its commands is called"]
pub struct WithLifetime<W> {
    pub(super) writes_to: W,
    pub(super) lifetime: Lifetime,
}

pub(super) fn given(
    operation: Result<Operation, Refusal>,
    lifetime: Lifetime,
    only_later: bool,
) -> Result<Operation, Refusal> {
    operation.map(|operation| Operation { given: Some(Given { lifetime, only_later }), ..operation })
}

/// The commands of [`WithLifetime`]. The arguments are those of `store_and_update`.
macro_rules! commands_with_lifetime {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        add: $add:expr => $output:ty,
        errors: $errors:literal,
    ) => {
        store_and_update! {
            impl[$($of)?] WithLifetime<$target>,
            generics: [$($generics)*],
            receiver: ($($receiver)*),
            collection: $collection,
            seen: None,
            add: $add => $output,
            checked: "The record then has this lifetime.",
            errors: $errors,
        }

        insert_and_upsert! {
            impl[$($of)?] WithLifetime<$target>,
            generics: [$($generics)*],
            receiver: ($($receiver)*),
            collection: $collection,
            add: $add => $output,
            checked: "The record then has this lifetime. One that has expired is no obstacle.",
            errors: $errors,
        }
    };
}

/// The commands that change the lifetime of a record only.
macro_rules! commands_on_lifetimes {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        add: $add:expr => $output:ty,
        errors: $errors:literal,
    ) => {
        #[allow(clippy::multiple_bound_locations, reason = "the macro takes the other bounds from its caller")]
        impl<$($of: Record)?> $target {
            /// Gives the record of a key another lifetime, from now on: shorter, longer, or [`Lifetime::Forever`]. It is an update
            /// that changes nothing else. Refused if no record has the key, or if the lifetime ends before the commit.
            ///
            /// # Errors
            #[doc = $errors]
            pub fn set_lifetime<$($generics)* Q: IntoKey<R::Key>>(
                $($receiver)*,
                key: Q,
                lifetime: impl Into<Lifetime>,
            ) -> $output
            where
                R: Clone,
            {
                let key = $collection.table.counters.hold(key);
                let operation = Operation::of_key(&$collection.table, &*key, None, Action::Update(change(|_: &mut R| ())));
                ($add)(given(operation, lifetime.into(), false))
            }

            /// As `set_lifetime`, but leaves a deadline that is later, or none, as it is.
            ///
            /// # Errors
            #[doc = $errors]
            pub fn extend_lifetime<$($generics)* Q: IntoKey<R::Key>>(
                $($receiver)*,
                key: Q,
                lifetime: impl Into<Lifetime>,
            ) -> $output
            where
                R: Clone,
            {
                let key = $collection.table.counters.hold(key);
                let operation = Operation::of_key(&$collection.table, &*key, None, Action::Update(change(|_: &mut R| ())));
                ($add)(given(operation, lifetime.into(), true))
            }
        }
    };
}

macro_rules! gathered_commands_with_lifetime {
    ($target:ident => $output:ty, $errors:literal) => {
        commands_with_lifetime! {
            impl[] &mut $target,
            generics: [R: Record,],
            receiver: (self, collection: &Collection<R>),
            collection: collection,
            add: |operation| self.writes_to.add(collection, given(operation, self.lifetime, false)) => $output,
            errors: $errors,
        }

        commands_on_lifetimes! {
            impl[] $target,
            generics: [R: Record,],
            receiver: (&mut self, collection: &Collection<R>),
            collection: collection,
            add: |operation| self.add(collection, operation) => $output,
            errors: $errors,
        }

        impl $target {
            /// Commands that give their record a lifetime: see [`WithLifetime`].
            pub fn with_lifetime(&mut self, lifetime: impl Into<Lifetime>) -> WithLifetime<&mut Self> {
                WithLifetime { writes_to: self, lifetime: lifetime.into() }
            }
        }
    };
}

commands_with_lifetime! {
    impl[R] &Collection<R>,
    generics: [],
    receiver: (self),
    collection: self.writes_to,
    add: |operation| self.writes_to.commit_one(given(operation, self.lifetime, false)) => Result<Receipt, Refused>,
    errors: "[`Refused`], with the cause, and a batch of this one operation.",
}

commands_on_lifetimes! {
    impl[R] Collection<R>,
    generics: [],
    receiver: (&self),
    collection: self,
    add: |operation| self.commit_one(operation) => Result<Receipt, Refused>,
    errors: "[`Refused`], with the cause, and a batch of this one operation.",
}

gathered_commands_with_lifetime!(
    Batch => Result<(), Refusal>,
    "A [`Refusal`], and the operation is not added: the collection belongs to another store, the key is invalid, or the batch is \
     full."
);

gathered_commands_with_lifetime!(
    Writer => Result<(), WriterError>,
    "[`WriterError::NotTaken`], and the operation is not added: the collection belongs to another store, the key is invalid, \
     or the buffer is full. [`WriterError::NotFlushed`] if the operation is added and the flush after it is refused."
);

impl<R: Record> Collection<R> {
    /// Commands that give their record a lifetime: see [`WithLifetime`].
    pub fn with_lifetime(&self, lifetime: impl Into<Lifetime>) -> WithLifetime<&Self> {
        WithLifetime { writes_to: self, lifetime: lifetime.into() }
    }

    /// The lifetime of records that are stored from now on without another one. See [`DefaultLifetime`].
    ///
    /// ```
    /// use memdex::{Record, Store, write::DefaultLifetime};
    /// use memdex::clock::ManualClock;
    /// use std::time::Duration;
    ///
    /// #[derive(Record)]
    /// struct Session { #[record(key)] id: u32 }
    ///
    /// let clock = ManualClock::default();
    /// let store = Store::builder().clock(clock.clone()).build();
    /// let sessions = store.collection::<Session>("Session")?;
    /// sessions.set_default_lifetime(DefaultLifetime::Sliding(Duration::from_secs(60)))?;
    /// sessions.store(Session { id: 1 })?;
    /// clock.advance(Duration::from_secs(50));
    /// assert!(sessions.get(1).is_some()); // extends it
    /// clock.advance(Duration::from_secs(50));
    /// assert!(sessions.peek(1).is_some()); // does not
    /// clock.advance(Duration::from_secs(10));
    /// assert!(sessions.get(1).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Cause::NoLifetime`] for a lifetime of less than a microsecond, [`Cause::NotADeadline`] for a field that has no single timestamps,
    /// [`Cause::IsReferredTo`] if another collection refers to this one and restricts deletions.
    pub fn set_default_lifetime(&self, lifetime: DefaultLifetime) -> Result<(), Refusal> {
        let refused = |cause| Refusal::new("set_default_lifetime", self.name(), cause);
        let (duration, slides, field) = match lifetime {
            DefaultLifetime::Forever => (None, false, None),
            DefaultLifetime::Fixed(duration) => (Some(duration), false, None),
            DefaultLifetime::Sliding(duration) => (Some(duration), true, None),
            DefaultLifetime::Field(name) => match self.schema().find(&name) {
                Some((at, def)) if def.kind() == Kind::Timestamp && !def.is_many() => (None, false, Some(at)),
                found => {
                    let kind = found.map(|(_, def)| (def.kind(), def.is_many()));
                    return Err(refused(Cause::NotADeadline { field: name.into_owned(), kind }));
                }
            },
        };
        if duration.is_some_and(|duration| duration.as_micros() == 0) {
            return Err(refused(Cause::NoLifetime));
        }
        let _kept = self.engine.links.keep();
        if duration.is_some() || field.is_some() {
            self.engine.links.refuse_if_referred(self.name(), NO_LIFETIMES, restricts).map_err(refused)?;
        }
        self.table.deadlines.set_lifetime(duration, slides, field);
        Ok(())
    }

    /// Deletes the record of a key and returns it; `None` if there is none. If several callers take it at once,
    /// one of them gets the record.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct Code { #[record(key)] code: u32, user: u32 }
    /// # let codes = Store::new().collection::<Code>("Code")?;
    /// codes.store(Code { code: 1234, user: 7 })?;
    /// assert_eq!(codes.take(1234)?.unwrap().user, 7);
    /// assert!(codes.take(1234)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`], with the cause.
    pub fn take<Q: IntoKey<R::Key>>(&self, key: Q) -> Result<Option<Handle<R>>, Refused> {
        let mut found = self.peek(key);
        while let Some(record) = found {
            match self.if_unchanged(record.commit()).delete(record.key()) {
                Ok(_) => return Ok(Some(record)),
                // Another commit was faster.
                Err(refused) if matches!(refused.cause(), Cause::Stale { .. }) => found = self.peek(record.key()),
                Err(refused) => return Err(refused),
            }
        }
        Ok(None)
    }
}
