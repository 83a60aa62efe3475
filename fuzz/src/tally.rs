//! How often the targets compared something: inputs that are refused at once prove little.

use std::cell::Cell;

thread_local! {
    static COMPARED: Cell<usize> = const { Cell::new(0) };
}

/// How many answers, documents, rows, files and tables this thread has compared with those of an oracle.
pub fn compared() -> usize {
    COMPARED.get()
}

/// Counts one.
pub(crate) fn count() {
    COMPARED.set(COMPARED.get() + 1);
}
