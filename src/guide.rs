//! The guide: one page for each task. The pages are the files of `docs/guide/` in the repository.
//!
//! | page | task |
//! | --- | --- |
//! | [`queries`] | filter, sort, page through, search several collections, explain |
//! | [`json`] | send and store queries, predicates and statistics as JSON |
//! | [`statistics`] | count, sum and group, histograms, materialized aggregates |
//! | [`writing`] | batches, bulk, background writer, conditional writes, refusals |
//! | [`references`] | refer to other records: foreign keys, cascades, checks |
//! | [`documents`] | JSON documents, key/value records, types of other crates |
//! | [`errors`] | which error means what, and what to do |
//! | [`caching`] | answer repeated queries from the cache |
//! | [`feeds`] | live queries, subscriptions, observers |
//! | [`observe`] | tracing, stats, latencies, audits |
//! | [`async_code`] | use memdex from async code |
//! | [`fixtures`] | load records from JSON, JSON Lines and CSV |
//! | [`saved`] | save and load a store |
//! | [`mod@test`] | a test double, snapshots as assertions, a manual clock, refusing hooks |
//! | [`faults`] | let operations of a test double fail, wait and lose events |
//! | [`strict`] | make a test double refuse what production refuses, and show commits late |
//! | [`property_tests`] | check memdex, or your code on top of it, against a model |
//! | [`sessions`] | cache sessions |
//! | [`bounds`] | bound a collection in records or weight, evict the others |
//! | [`metrics`] | collect metrics |
//! | [`benchmark`] | benchmark with memdex |
//!
//! Translation to SQL is described by the crate `memdex-sql`.

#[doc = include_str!("../docs/guide/queries.md")]
pub mod queries {}

#[doc = include_str!("../docs/guide/json.md")]
pub mod json {}

#[doc = include_str!("../docs/guide/statistics.md")]
pub mod statistics {}

#[doc = include_str!("../docs/guide/writing.md")]
pub mod writing {}

#[doc = include_str!("../docs/guide/references.md")]
pub mod references {}

#[doc = include_str!("../docs/guide/documents.md")]
pub mod documents {}

#[doc = include_str!("../docs/guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/guide/caching.md")]
pub mod caching {}

#[doc = include_str!("../docs/guide/feeds.md")]
pub mod feeds {}

#[doc = include_str!("../docs/guide/observe.md")]
pub mod observe {}

#[doc = include_str!("../docs/guide/async.md")]
pub mod async_code {}

#[doc = include_str!("../docs/guide/test.md")]
pub mod test {}

#[doc = include_str!("../docs/guide/fixtures.md")]
pub mod fixtures {}

#[doc = include_str!("../docs/guide/saved.md")]
pub mod saved {}

#[doc = include_str!("../docs/guide/faults.md")]
pub mod faults {}

#[doc = include_str!("../docs/guide/strict.md")]
pub mod strict {}

#[doc = include_str!("../docs/guide/property-tests.md")]
pub mod property_tests {}

#[doc = include_str!("../docs/guide/sessions.md")]
pub mod sessions {}

#[doc = include_str!("../docs/guide/bounds.md")]
pub mod bounds {}

#[doc = include_str!("../docs/guide/metrics.md")]
pub mod metrics {}

#[doc = include_str!("../docs/guide/benchmark.md")]
pub mod benchmark {}
