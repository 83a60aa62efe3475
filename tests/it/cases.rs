//! How many cases and rounds tests run.

use proptest::prelude::ProptestConfig;

/// `PROPTEST_CASES` sets the number of cases. The default is 64 without optimization, where each is slow, and 256 with it.
pub(crate) fn default_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    let is_default = cfg!(debug_assertions) && std::env::var_os("PROPTEST_CASES").is_none();
    ProptestConfig { cases: if is_default { 64 } else { default.cases }, ..default }
}

/// So many records or commits of one thread; a fifth without optimization, where each is slow.
pub(crate) const fn rounds(of: u32) -> u32 {
    if cfg!(debug_assertions) { of / 5 } else { of }
}
