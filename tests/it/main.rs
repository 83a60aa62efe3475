//! The only integration-test binary, with one module for each subject. See `tests/README.md`.

#[cfg(memdex_shuttle)]
mod schedules;

#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod aggregates;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod background;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod cache;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod cases;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod collations;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod counters;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub mod derive;
#[cfg(all(feature = "documents", not(any(memdex_shuttle, memdex_loom))))]
mod documents;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod every_plan;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod eviction;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod feed;
#[cfg(all(feature = "fixtures", not(any(memdex_shuttle, memdex_loom))))]
mod fixtures;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod forks;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod indexes;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod key_values;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod layers;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod lifetimes;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod model;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod plans;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod predicates;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod public_api;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod reads;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod references;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod statistics;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod store;
#[cfg(all(feature = "testing", not(any(memdex_shuttle, memdex_loom))))]
mod testing;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod threads;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod types;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod user_code;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod watch;
