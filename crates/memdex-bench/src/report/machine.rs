//! Where a suite ran.

use serde::{Deserialize, Serialize};

/// A machine, as far as the standard library knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// The operating system.
    pub os: String,
    /// The architecture of the processor.
    pub architecture: String,
    /// The number of threads that run at once.
    pub cores: usize,
    /// Whether the program was built without optimizations: then its figures mean little.
    pub is_debug_build: bool,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        Machine {
            os: std::env::consts::OS.to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            is_debug_build: cfg!(debug_assertions),
        }
    }

    /// In words.
    pub(super) fn description(&self) -> String {
        let debug = if self.is_debug_build { ", debug build: the figures mean little" } else { "" };
        let cores = if self.cores == 1 { "core" } else { "cores" };
        format!("{} {cores}, {}, {}{debug}", self.cores, self.architecture, self.os)
    }
}
