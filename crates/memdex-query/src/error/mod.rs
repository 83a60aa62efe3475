//! What is wrong with a query, a schema or a key, and what can the caller do about it?

/// Defines an error enum with the message of each variant, and for some variants a constructor. Other crates need it,
/// because
/// variants with fields are `#[non_exhaustive]`.
macro_rules! errors {
    (
        $(#[$meta:meta])*
        pub enum $error:ident {$(
            $(#[$doc:meta])*
            $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)* } $($vis:vis fn $make:ident)?)?
            => ($($message:tt)*),
        )*}
    ) => {
        $(#[$meta])*
        pub enum $error {
            $($(#[$doc])* $variant $({ $($(#[$field_doc])* $field: $type,)* })?,)*
        }

        impl std::fmt::Display for $error {
            #[allow(unused_variables, reason = "some messages do not use all fields")]
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $($error::$variant $({ $($field),* })? => write!(f, $($message)*),)*
                }
            }
        }

        impl $error {$($(
            errors! { @constructor $error $variant [$($vis fn $make)?] $($field: $type,)* }
        )?)*}
    };
    (@constructor $error:ident $variant:ident [] $($rest:tt)*) => {};
    (@constructor $error:ident $variant:ident [$vis:vis fn $make:ident] $($field:ident: $type:ty,)*) => {
        #[doc = concat!("Makes [`", stringify!($variant), "`](", stringify!($error), "::", stringify!($variant), ").")]
        $vis fn $make($($field: impl Into<$type>),*) -> Self {
            $error::$variant { $($field: $field.into()),* }
        }
    };
}

mod aggregate;
#[cfg(feature = "json")]
mod criteria;
mod query;
mod schema;
mod statistics;
mod suggest;

pub use aggregate::AggregateDefError;
#[cfg(feature = "json")]
pub use criteria::CriteriaError;
pub use query::QueryError;
pub use schema::{Conflict, KeyError, SchemaError};
pub use statistics::StatisticsError;
pub use suggest::{ItHas, nearest};
