//! Histories of operations on a store, which must do what the model predicts.

use crate::draw::seed;
use crate::tally::count;
use memdex_torture::history_of;

/// The most operations of a history.
const MOST: usize = 100;

/// Four bytes draw the schema, each four more an operation.
pub fn run(data: &[u8]) {
    if let Some(history) = history_of(data.chunks(4).take(MOST + 1).map(seed)) {
        history.run();
        count();
    }
}
