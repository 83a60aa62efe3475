//! The commands that change one field of a record, for collections, batches and writers.

use super::batch::{Batch, Refused};
use super::change::{Edit, How};
use super::commands::IfUnchanged;
use super::lasting::{WithLifetime, given};
use super::operation::Operation;
use super::receipt::Receipt;
use super::writer::{Writer, WriterError};
use crate::error::Refusal;
use crate::record::Record;
use crate::storage::{Collection, Draft};
use memdex_query::query::{FieldName, ListField, NumberField, ValueField};
use memdex_query::value::{IntoKey, Value};

/// The edit of a field, or the refusal of the command.
fn edit<R: Record + Clone>(
    collection: &Collection<R>,
    how: How,
    (field, value): (FieldName, Value),
) -> Result<Edit, Refusal> {
    let edit = Edit::new::<R>(&collection.table, &field, how, &value);
    edit.map_err(|cause| Refusal::new(how.name(), collection.name(), cause))
}

/// The commands on the record of a key. The arguments are those of `store_and_update`.
macro_rules! edits_of_a_key {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        seen: $seen:expr,
        add: $add:expr => $output:ty,
        errors: $errors:literal,
    ) => {
        #[allow(clippy::multiple_bound_locations, reason = "the macro takes the other bounds from its caller")]
        impl<$($of: Record + Clone)?> $target {
            /// Adds a number to a field of the record of a key. A negative number decrements, and a missing value counts as zero.
            /// Refused if no record has the key, or if the sum does not fit the type of the field.
            ///
            /// Successive commands of a batch on fields of one record change one clone of it: the batch makes one new version, and its
            /// receipt counts each command as an update. The field is a typed one, or [`field`](crate::field) with a name.
            ///
            /// # Errors
            #[doc = $errors]
            /// [`Cause::Field`](crate::error::Cause::Field) if the field can't be incremented by this number, which it says before
            /// anything is committed, or if the sum overflows.
            pub fn increment<$($generics)* Q: IntoKey<R::Key>>(
                $($receiver)*,
                key: Q,
                field: impl NumberField<R>,
                by: impl Into<Value>,
            ) -> $output {
                let key = $collection.table.counters.hold(key);
                let edit = edit($collection, How::Increment, (field.into_name(), by.into()));
                ($add)(Operation::of_edit(&$collection.table, &*key, $seen, edit))
            }

            /// Sets a field of the record of a key to a value that is greater than the field's, or if it has none; otherwise it
            /// stays. Refused if no record has the key.
            ///
            /// # Errors
            #[doc = $errors]
            /// [`Cause::Field`](crate::error::Cause::Field) if the field can't have the value.
            pub fn max<$($generics)* Q: IntoKey<R::Key>, V>(
                $($receiver)*,
                key: Q,
                field: impl ValueField<R, V>,
                value: V,
            ) -> $output {
                let key = $collection.table.counters.hold(key);
                let edit = edit($collection, How::Max, field.with_value(value));
                ($add)(Operation::of_edit(&$collection.table, &*key, $seen, edit))
            }

            /// As `max`, for a value that is less.
            ///
            /// # Errors
            #[doc = $errors]
            /// [`Cause::Field`](crate::error::Cause::Field) if the field can't have the value.
            pub fn min<$($generics)* Q: IntoKey<R::Key>, V>(
                $($receiver)*,
                key: Q,
                field: impl ValueField<R, V>,
                value: V,
            ) -> $output {
                let key = $collection.table.counters.hold(key);
                let edit = edit($collection, How::Min, field.with_value(value));
                ($add)(Operation::of_edit(&$collection.table, &*key, $seen, edit))
            }

            /// Appends a value to a field that is a list, and removes its first values, so that at most `keep` are left. Refused if no
            /// record has the key.
            ///
            /// # Errors
            #[doc = $errors]
            /// [`Cause::Field`](crate::error::Cause::Field) if the field is no list, if its elements can't be this value, or if `keep`
            /// is zero.
            pub fn append_bounded<$($generics)* Q: IntoKey<R::Key>, V>(
                $($receiver)*,
                key: Q,
                field: impl ListField<R, V>,
                value: V,
                keep: usize,
            ) -> $output {
                let key = $collection.table.counters.hold(key);
                let edit = edit($collection, How::Append(keep), field.with_item(value));
                ($add)(Operation::of_edit(&$collection.table, &*key, $seen, edit))
            }
        }
    };
}

/// The commands that insert a missing record. The arguments are those of `store_and_update`.
macro_rules! edits_or_inserts {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        add: $add:expr => $output:ty,
        errors: $errors:literal,
    ) => {
        #[allow(clippy::multiple_bound_locations, reason = "the macro takes the other bounds from its caller")]
        impl<$($of: Record + Clone)?> $target {
            /// As `increment`, for the record with the key of `default`. If there is none, inserts `default` with its field
            /// incremented.
            ///
            /// # Errors
            #[doc = $errors]
            /// [`Cause::Field`](crate::error::Cause::Field) as for `increment`.
            pub fn increment_or_insert<$($generics)*>(
                $($receiver)*,
                default: R,
                field: impl NumberField<R>,
                by: impl Into<Value>,
            ) -> $output {
                let edit = edit($collection, How::Increment, (field.into_name(), by.into()));
                ($add)(Operation::of_edit_or_insert(&$collection.table, Draft::new(default), edit))
            }

            /// As `max`, for the record with the key of `default`. If there is none, inserts `default` with its field changed so.
            ///
            /// # Errors
            #[doc = $errors]
            /// [`Cause::Field`](crate::error::Cause::Field) as for `max`.
            pub fn max_or_insert<$($generics)* V>(
                $($receiver)*,
                default: R,
                field: impl ValueField<R, V>,
                value: V,
            ) -> $output {
                let edit = edit($collection, How::Max, field.with_value(value));
                ($add)(Operation::of_edit_or_insert(&$collection.table, Draft::new(default), edit))
            }

            /// As `min`, for the record with the key of `default`. If there is none, inserts `default` with its field changed so.
            ///
            /// # Errors
            #[doc = $errors]
            /// [`Cause::Field`](crate::error::Cause::Field) as for `min`.
            pub fn min_or_insert<$($generics)* V>(
                $($receiver)*,
                default: R,
                field: impl ValueField<R, V>,
                value: V,
            ) -> $output {
                let edit = edit($collection, How::Min, field.with_value(value));
                ($add)(Operation::of_edit_or_insert(&$collection.table, Draft::new(default), edit))
            }

            /// As `append_bounded`, for the record with the key of `default`. If there is none, inserts `default` with the value
            /// appended.
            ///
            /// # Errors
            #[doc = $errors]
            /// [`Cause::Field`](crate::error::Cause::Field) as for `append_bounded`.
            pub fn append_bounded_or_insert<$($generics)* V>(
                $($receiver)*,
                default: R,
                field: impl ListField<R, V>,
                value: V,
                keep: usize,
            ) -> $output {
                let edit = edit($collection, How::Append(keep), field.with_item(value));
                ($add)(Operation::of_edit_or_insert(&$collection.table, Draft::new(default), edit))
            }
        }
    };
}

/// Both, for one type.
macro_rules! edits {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        add: $add:expr => $output:ty,
        errors: $errors:literal,
    ) => {
        edits_of_a_key! {
            impl[$($of)?] $target,
            generics: [$($generics)*],
            receiver: ($($receiver)*),
            collection: $collection,
            seen: None,
            add: $add => $output,
            errors: $errors,
        }

        edits_or_inserts! {
            impl[$($of)?] $target,
            generics: [$($generics)*],
            receiver: ($($receiver)*),
            collection: $collection,
            add: $add => $output,
            errors: $errors,
        }
    };
}

edits! {
    impl[R] Collection<R>,
    generics: [],
    receiver: (&self),
    collection: self,
    add: |operation| self.commit_one(operation) => Result<Receipt, Refused>,
    errors: "[`Refused`], with the cause.",
}

edits_of_a_key! {
    impl[R] IfUnchanged<&Collection<R>>,
    generics: [],
    receiver: (self),
    collection: self.writes_to,
    seen: Some(self.seen),
    add: |operation| self.writes_to.commit_one(operation) => Result<Receipt, Refused>,
    errors: "[`Refused`], with the cause, also if the record has changed since.",
}

edits! {
    impl[R] WithLifetime<&Collection<R>>,
    generics: [],
    receiver: (self),
    collection: self.writes_to,
    add: |operation| self.writes_to.commit_one(given(operation, self.lifetime, false)) => Result<Receipt, Refused>,
    errors: "[`Refused`], with the cause. The record then has this lifetime.",
}

macro_rules! gathered_edits {
    ($target:ident => $output:ty, $errors:literal) => {
        edits! {
            impl[] $target,
            generics: [R: Record + Clone,],
            receiver: (&mut self, collection: &Collection<R>),
            collection: collection,
            add: |operation| self.add(collection, operation) => $output,
            errors: $errors,
        }

        edits_of_a_key! {
            impl[] IfUnchanged<&mut $target>,
            generics: [R: Record + Clone,],
            receiver: (self, collection: &Collection<R>),
            collection: collection,
            seen: Some(self.seen),
            add: |operation| self.writes_to.add(collection, operation) => $output,
            errors: $errors,
        }

        edits! {
            impl[] WithLifetime<&mut $target>,
            generics: [R: Record + Clone,],
            receiver: (self, collection: &Collection<R>),
            collection: collection,
            add: |operation| self.writes_to.add(collection, given(operation, self.lifetime, false)) => $output,
            errors: $errors,
        }
    };
}

gathered_edits!(Batch => Result<(), Refusal>, "A [`Refusal`], and the operation is not added.");

gathered_edits!(
    Writer => Result<(), WriterError>,
    "[`WriterError::NotTaken`], and the operation is not added; [`WriterError::NotFlushed`] if it is added and the flush after it is \
     refused."
);
