//! Set operations on strictly ascending slices.
//!
//! Slices of similar length are merged without a branch on the data (the comparison moves the cursors), because no branch
//! predictor can guess how two random rows compare. If one slice is `SKEW` times longer, each entry of the short one is
//! looked up in the long one by galloping: O(short * log(gap)).

/// At this ratio of lengths, galloping becomes faster than merging.
const SKEW: usize = 16;

/// First position at or after `from` whose entry is not `below`; `below` must be true for a prefix. O(log distance).
#[inline]
pub(super) fn gallop<T>(slice: &[T], from: usize, below: impl Fn(&T) -> bool) -> usize {
    let (mut low, mut width) = (from, 1);
    while let Some(entry) = slice.get(low + width - 1) {
        if !below(entry) {
            break;
        }
        low += width;
        width *= 2;
    }
    let high = slice.len().min(low + width - 1);
    low + slice.get(low..high).map_or(0, |window| window.partition_point(below))
}

/// Whether `slice` is strictly ascending.
pub(super) fn is_ascending<T: Ord>(slice: &[T]) -> bool {
    slice.is_sorted_by(|a, b| a < b)
}

/// Entries that are in both.
pub(super) fn and<T: Copy + Ord + Default>(a: &[T], b: &[T]) -> Vec<T> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut out = vec![T::default(); short.len()];
    let mut len = 0;
    if short.len() * SKEW <= long.len() {
        seek(short, long, |entry, found| {
            out[len] = entry;
            len += usize::from(found);
        });
    } else {
        let (mut i, mut j) = (0, 0);
        while let (Some(&x), Some(&y)) = (short.get(i), long.get(j)) {
            out[len] = x;
            len += usize::from(x == y);
            i += usize::from(x <= y);
            j += usize::from(y <= x);
        }
    }
    out.truncate(len);
    out
}

/// Number of entries that are in both.
pub(super) fn and_len<T: Copy + Ord>(a: &[T], b: &[T]) -> usize {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut len = 0;
    if short.len() * SKEW <= long.len() {
        seek(short, long, |_, found| len += usize::from(found));
    } else {
        let (mut i, mut j) = (0, 0);
        while let (Some(&x), Some(&y)) = (short.get(i), long.get(j)) {
            len += usize::from(x == y);
            i += usize::from(x <= y);
            j += usize::from(y <= x);
        }
    }
    len
}

/// Entries of `a` that are not in `b`.
pub(super) fn minus<T: Copy + Ord + Default>(a: &[T], b: &[T]) -> Vec<T> {
    let mut out = vec![T::default(); a.len()];
    let mut len = 0;
    let mut i = 0;
    if a.len() * SKEW <= b.len() {
        seek(a, b, |entry, found| {
            out[len] = entry;
            len += usize::from(!found);
        });
        i = a.len();
    } else if b.len() * SKEW <= a.len() {
        for entry in b {
            let next = gallop(a, i, |other| other < entry);
            let between = a.get(i..next).unwrap_or_default();
            out[len..len + between.len()].copy_from_slice(between);
            len += between.len();
            i = next + usize::from(a.get(next) == Some(entry));
        }
    } else {
        let mut j = 0;
        while let (Some(&x), Some(&y)) = (a.get(i), b.get(j)) {
            out[len] = x;
            len += usize::from(x < y);
            i += usize::from(x <= y);
            j += usize::from(y <= x);
        }
    }
    out.truncate(len);
    out.extend_from_slice(a.get(i..).unwrap_or_default());
    out
}

/// Entries that are in either, each once.
pub(super) fn or<T: Copy + Ord + Default>(a: &[T], b: &[T]) -> Vec<T> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut out = Vec::with_capacity(a.len() + b.len());
    if short.len() * SKEW <= long.len() {
        let mut at = 0;
        for &entry in short {
            let next = gallop(long, at, |other| *other < entry);
            out.extend_from_slice(long.get(at..next).unwrap_or_default());
            out.push(entry);
            at = next + usize::from(long.get(next) == Some(&entry));
        }
        out.extend_from_slice(long.get(at..).unwrap_or_default());
    } else {
        out.resize(a.len() + b.len(), T::default());
        let (mut i, mut j, mut len) = (0, 0, 0);
        while let (Some(&x), Some(&y)) = (a.get(i), b.get(j)) {
            out[len] = x.min(y);
            len += 1;
            i += usize::from(x <= y);
            j += usize::from(y <= x);
        }
        out.truncate(len);
        out.extend_from_slice(a.get(i..).unwrap_or_default());
        out.extend_from_slice(b.get(j..).unwrap_or_default());
    }
    out
}

/// Calls `visit` with each entry of `short` and whether `long` contains it.
#[inline(always)]
fn seek<T: Copy + Ord>(short: &[T], long: &[T], mut visit: impl FnMut(T, bool)) {
    let mut at = 0;
    for &entry in short {
        at = gallop(long, at, |other| *other < entry);
        visit(entry, long.get(at) == Some(&entry));
    }
}
