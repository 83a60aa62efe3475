//! The catalog in which readers find the structures that commits maintain.

use super::aggregate::Materialized;
use super::read::Index;
use super::shape::extract;
use crate::error::Cause;
use crate::record::FieldSource;
use crate::sync::Arc;

/// The shared sides of all structures of a collection, in the order in which they were added.
#[derive(Clone)]
pub(crate) struct Catalog {
    pub(crate) indexes: Arc<[Arc<dyn Index>]>,
    pub(crate) aggregates: Arc<[Arc<Materialized>]>,
}

/// A catalog to which structures add their shared sides.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) indexes: Vec<Arc<dyn Index>>,
    pub(crate) aggregates: Vec<Arc<Materialized>>,
}

impl Listing {
    pub(crate) fn finish(self) -> Catalog {
        Catalog { indexes: self.indexes.into(), aggregates: self.aggregates.into() }
    }
}

impl Catalog {
    /// Refuses a record that a structure can't hold, as far as that depends on the record only. Runs its extractors.
    pub(crate) fn check(&self, record: &dyn FieldSource) -> Result<(), Cause> {
        self.indexes.iter().try_for_each(|index| extract(|| index.shape.entry(record)).map(drop))?;
        self.aggregates.iter().try_for_each(|aggregate| extract(|| aggregate.plan.accepts(record)))
    }

    /// Whether both list the same structures.
    pub(crate) fn is_same(&self, other: &Catalog) -> bool {
        fn same<T: ?Sized>(a: &[Arc<T>], b: &[Arc<T>]) -> bool {
            let addresses = |of: &[Arc<T>]| of.iter().map(|one| Arc::as_ptr(one).cast::<()>()).collect::<Vec<_>>();
            addresses(a) == addresses(b)
        }
        same(&self.indexes, &other.indexes) && same(&self.aggregates, &other.aggregates)
    }
}
