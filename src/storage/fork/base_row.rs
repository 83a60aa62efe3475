//! Where a record of a fork's base is.

use crate::rowset::Row;

/// A row of a layer, by the number of the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BaseRow {
    pub(crate) layer: usize,
    pub(crate) row: Row,
}
