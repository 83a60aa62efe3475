//! Random histories of everything that a store can do, compared with a naive model that shares no code with the engine.
//!
//! A history is data: it is drawn by proptest, so a failing one is shrunk. The tests of memdex, its fuzz target `operations` and the
//! program `memdex-torture` run the same histories.
//!
//! ```
//! use proptest::prelude::*;
//! use proptest::test_runner::TestRunner;
//!
//! let mut runner = TestRunner::new(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() });
//! runner.run(&memdex_torture::histories(1..10), |history| {
//!     history.run();
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod model;
pub mod naive;

pub use model::{Collisions, History, collisions, histories, history_of};
