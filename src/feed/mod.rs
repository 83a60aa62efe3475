//! The change feed: what subscribers see of the commits of a store. Start at [`Store::subscribe`](crate::Store::subscribe).
//!
//! How a commit gets to the queues of subscriptions is in `storage::feed`.

mod builder;
mod subscription;
pub(crate) mod watch;

pub use builder::SubscriptionBuilder;
pub use subscription::{FeedEvent, Missed, Subscription};
