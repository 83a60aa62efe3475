//! The removal of records that have expired, in small commits.

use super::batch::Batch;
use super::operation::Operation;
use crate::error::Refusal;
use crate::limits::EXPIRED_A_COMMIT;
use crate::storage::{Engine, Table};
use crate::sync::Arc;

/// Removes the first records that have expired, by at most one commit. Returns how many it was, and whether there may be more.
pub(crate) fn remove_some(engine: &Arc<Engine>, table: &Arc<Table>) -> Result<(usize, bool), Refusal> {
    let time = engine.clock.for_reader();
    let guard = engine.lock_to_write().map_err(|cause| Refusal::new("expire", &table.name, cause))?;
    let (looked_at, keys) = table.expired_keys(time, EXPIRED_A_COMMIT);
    drop(guard);
    let more = looked_at == EXPIRED_A_COMMIT;
    if keys.is_empty() {
        return Ok((0, more));
    }
    let mut batch = Batch::new(engine.clone());
    for (key, hash) in keys {
        batch.add_to(engine, table, Ok(Operation::of_expired(key, hash)))?;
    }
    if engine.links.any() {
        // A record that can't go because of others that refer to it keeps no other from going.
        let report = batch.commit_lenient().map_err(|refused| refused.into_refusal())?;
        let removed = report.receipt.counts.expired;
        return Ok((removed, more && removed > 0));
    }
    let receipt = batch.commit().map_err(|refused| refused.into_refusal())?;
    Ok((receipt.counts.expired, more))
}
