//! How the vectors of a row set grow and shrink.
//!
//! An index holds hundreds of thousands of small vectors, so doubling would waste a third of its memory. A vector of a
//! row set grows by at most a quarter, in steps of 16 bytes (the granularity of common allocators): appends stay amortised
//! O(1), and the slack stays below 20 % plus 12 bytes. It shrinks once it is less than half full. An empty vector
//! holds no memory.

/// Entries of `T` in one 16-byte step.
const fn step<T>() -> usize {
    let size = size_of::<T>();
    if size == 0 || size > 16 { 1 } else { 16 / size }
}

/// Reserves capacity for `more` entries.
#[inline]
pub(super) fn reserve<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        grow(vec, more);
    }
}

#[cold]
fn grow<T>(vec: &mut Vec<T>, more: usize) {
    let len = vec.len();
    let wanted = (len + more).max(len + len / 4).next_multiple_of(step::<T>());
    vec.reserve_exact(wanted - len);
}

/// Releases memory if most of it is unused.
#[inline]
pub(super) fn trim<T>(vec: &mut Vec<T>) {
    let (len, capacity) = (vec.len(), vec.capacity());
    if capacity != 0 && (len == 0 || capacity > 2 * len + 4 * step::<T>()) {
        vec.shrink_to((len + len / 8).next_multiple_of(step::<T>()));
    }
}
