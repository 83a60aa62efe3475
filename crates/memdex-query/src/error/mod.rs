//! Errors of queries, schemas and keys. Each message says what to do.

/// Defines an error enum with the message of each variant. `Variant [a, b] { c: C }` has the `String` fields `a` and
/// `b`, and the field `c`. It is `#[non_exhaustive]`, so other crates make it with its constructor.
macro_rules! errors {
    (
        $(#[$meta:meta])*
        pub enum $error:ident {
            $(without_fields {$(
                $(#[$plain_doc:meta])*
                $plain:ident => ($($plain_message:tt)*),
            )*})?
            $(
                $(#[$doc:meta])+
                $variant:ident [$($text:ident),*] { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
                $($vis:vis fn $make:ident)?
                => ($($message:tt)*),
            )*
        }
    ) => {
        $(#[$meta])*
        pub enum $error {
            $($($(#[$plain_doc])* $plain,)*)?
            $(
                $(#[$doc])*
                #[non_exhaustive]
                $variant {
                    $(#[doc = concat!("The ", stringify!($text), ".")] $text: String,)*
                    $($(#[$field_doc])* $field: $type,)*
                },
            )*
        }

        impl std::fmt::Display for $error {
            #[allow(unused_variables, reason = "some messages do not use all fields")]
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $($($error::$plain => write!(f, $($plain_message)*),)*)?
                    $($error::$variant { $($text,)* $($field),* } => write!(f, $($message)*),)*
                }
            }
        }

        impl $error {
            $(errors! { @constructor $error $variant [$($vis fn $make)?] $($text: String,)* $($field: $type,)* })*
        }
    };
    (@constructor $error:ident $variant:ident [] $($rest:tt)*) => {};
    (@constructor $error:ident $variant:ident [$vis:vis fn $make:ident] $($field:ident: $type:ty,)*) => {
        /// For the crates of memdex: the arguments change with the fields of the variant.
        #[doc(hidden)]
        $vis fn $make($($field: impl Into<$type>),*) -> Self {
            $error::$variant { $($field: $field.into()),* }
        }
    };
}

mod aggregate;
#[cfg(feature = "json")]
mod criteria;
mod failure;
mod field;
mod query;
mod schema;
mod statistics;
mod suggest;

pub use aggregate::AggregateDefError;
#[cfg(feature = "json")]
pub use criteria::CriteriaError;
pub use failure::Failure;
pub use field::FieldError;
pub use query::QueryError;
pub use schema::{Conflict, KeyError, ReferenceFault, SchemaError};
pub use statistics::StatisticsError;
pub use suggest::{DidYouMean, ItHas, nearest};
