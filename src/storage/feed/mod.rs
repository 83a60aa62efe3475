//! Which subscriptions does a commit concern, and how do its changes get to them?

mod event;
mod part;
mod queue;
mod registry;
mod room;
mod route;

pub use queue::SubscriptionStats;

pub(crate) use event::Event;
pub(crate) use queue::{Patience, Queue, Settings, Size, Taken};
pub(crate) use registry::{Feed, Spec};
pub(crate) use room::{Full, Room};
