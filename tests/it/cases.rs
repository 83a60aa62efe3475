//! How many cases random tests run.

use proptest::prelude::ProptestConfig;

/// `PROPTEST_CASES` sets the number of cases. The default is 64 without optimization, where each is slow, and 256 with it.
pub(crate) fn default_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    let is_default = cfg!(debug_assertions) && std::env::var_os("PROPTEST_CASES").is_none();
    ProptestConfig { cases: if is_default { 64 } else { default.cases }, ..default }
}
