//! Compares row sets with `roaring`, the reference model, under deterministic pseudo-random operations.

use super::chunk::{ARRAY_MAX, BITMAP_MIN, Chunk};
use super::set::{Repr, TINY, TINY_MIN};
use super::{Collector, Row, RowSet, popcount, sorted};
use roaring::RoaringBitmap;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    fn rows(&mut self, count: usize, from: Row, span: u64) -> Vec<Row> {
        let rows: RoaringBitmap = (0..count).map(|_| from + self.below(span) as Row).collect();
        rows.into_iter().collect()
    }
}

/// Sparse sets, dense sets, and sets at the limits of chunks and of representations.
fn samples() -> Vec<Vec<Row>> {
    let mut random = Random(1);
    let mut samples = vec![
        vec![],
        vec![0],
        vec![u32::MAX],
        vec![0, 65_535, 65_536, 131_071, 131_072, u32::MAX - 1, u32::MAX],
        (0..70_000).collect(),
        (65_536..131_072).collect(),
        (u32::MAX - 9000..=u32::MAX).collect(),
        (0..200_000).step_by(7).collect(),
        (0..1_000_000).step_by(5_000).collect(),
        (0..20_000).step_by(2).chain(65_000..66_000).chain([u32::MAX]).collect(),
    ];
    for len in [TINY_MIN, TINY_MIN + 1, TINY - 1, TINY, TINY + 1, BITMAP_MIN, ARRAY_MAX - 1, ARRAY_MAX, ARRAY_MAX + 1] {
        samples.push((65_400..65_400 + len as Row).collect());
        samples.push((0..len as Row).map(|i| 3 * i + 131_072).collect());
    }
    for (count, span) in [(40, 1 << 32), (300, 1 << 32), (500, 1 << 20), (9_000, 150_000), (30_000, 200_000)] {
        samples.push(random.rows(count, 0, span));
        samples.push(random.rows(count, 60_000, span - 60_000));
    }
    samples
}

/// Checks the invariants of the representation, and the content.
#[track_caller]
fn check(set: &RowSet, model: &RoaringBitmap) {
    match &set.repr {
        Repr::Tiny(rows) => {
            assert!(rows.len() <= TINY && sorted::is_ascending(rows));
            assert!(rows.capacity() <= 2 * rows.len() + 16, "{} for {}", rows.capacity(), rows.len());
        }
        Repr::Slots(slots) => {
            assert!(slots.is_sorted_by(|a, b| a.key() < b.key()));
            assert!(slots.iter().map(|slot| slot.len() as usize).sum::<usize>() > TINY_MIN);
            assert_eq!(slots.chunk_bytes, slots.iter().map(|slot| slot.heap_bytes()).sum::<usize>());
            for slot in slots.iter() {
                assert_ne!(slot.len(), 0);
                assert_eq!(slot.len(), slot.chunk().len());
                match slot.chunk() {
                    Chunk::Array(array) => {
                        assert!(array.len() <= ARRAY_MAX && sorted::is_ascending(array));
                        assert!(array.capacity() <= 2 * array.len() + 32);
                    }
                    Chunk::Bitmap(bits) => {
                        assert!(bits.len() as usize >= BITMAP_MIN);
                        assert_eq!(bits.len(), popcount::count(bits.words()));
                        assert_eq!(bits.len(), bits.words().iter().map(|word| word.count_ones()).sum::<u32>());
                    }
                }
            }
        }
    }
    assert_eq!(set.len() as u64, model.len());
    assert_eq!(set.is_empty(), model.is_empty());
    assert_eq!(set.iter().len() as u64, model.len());
    assert!(set.iter().eq(model), "wrong content");
    assert!(!set.is_empty() || set.heap_bytes() == 0);
}

fn model(rows: &[Row]) -> RoaringBitmap {
    rows.iter().collect()
}

#[test]
fn is_small() {
    assert!(size_of::<RowSet>() <= 24);
    assert!(size_of::<super::slot::Slot>() == 16);
    assert!(size_of::<Chunk>() <= 24);
    assert_eq!(RowSet::default().heap_bytes(), 0);
    let few: RowSet = (0..10).map(|i| i * 1_000).collect();
    assert!(few.heap_bytes() <= 48, "{}", few.heap_bytes());
    let mut few = RowSet::new();
    (0..10).for_each(|i| assert!(few.insert(i * 1_000)));
    assert!(few.heap_bytes() <= 48, "{}", few.heap_bytes());
}

#[test]
fn builds_and_reads() {
    for rows in samples() {
        let expected = model(&rows);
        let set = RowSet::from_sorted(&rows);
        check(&set, &expected);

        let shuffled: RowSet = rows.iter().rev().chain(&rows).copied().collect();
        check(&shuffled, &expected);
        assert_eq!(shuffled, set);

        let mut folded = Vec::new();
        let mut iter = set.iter();
        folded.extend(iter.by_ref().take(rows.len() / 3));
        assert_eq!(iter.len(), rows.len() - folded.len());
        iter.for_each(|row| folded.push(row));
        assert_eq!(folded, rows);

        for &row in rows.iter().step_by(1 + rows.len() / 50) {
            for near in [row, row.wrapping_sub(1), row.wrapping_add(1), row ^ 0x1_0000] {
                assert_eq!(set.contains(near), expected.contains(near));
            }
        }
    }
}

#[test]
fn combines() {
    let samples = samples();
    let sets: Vec<RowSet> = samples.iter().map(|rows| RowSet::from_sorted(rows)).collect();
    let models: Vec<RoaringBitmap> = samples.iter().map(|rows| model(rows)).collect();
    for (a, x) in models.iter().zip(&sets) {
        for (b, y) in models.iter().zip(&sets).filter(|(b, _)| a.len() + b.len() < 22_000) {
            let (and, or, minus) = (a & b, a | b, a - b);
            assert!(x.and(y).iter().eq(&and));
            assert!(x.minus(y).iter().eq(&minus));
            assert!(x.or(y).iter().eq(&or));
            assert_eq!(x.and_len(y) as u64, and.len());
            assert_eq!(x.minus_len(y) as u64, minus.len());
            assert_eq!(RowSet::union([x, y]), x.or(y));
            assert_eq!(x == y, a == b);
        }
    }
    // The invariants of the results, only for neighbours, because these checks take long.
    for ((a, x), (b, y)) in models.iter().zip(&sets).zip(models.iter().zip(&sets).skip(1)) {
        check(&x.and(y), &(a & b));
        check(&x.or(y), &(a | b));
        check(&x.minus(y), &(a - b));
        check(&y.minus(x), &(b - a));
    }
}

#[test]
fn prints_as_a_set() {
    let rows = [3, 70_000, u32::MAX];
    assert_eq!(format!("{:?}", RowSet::from_sorted(&rows)), "{3, 70000, 4294967295}");
}

#[test]
fn changes_one_by_one() {
    let mut random = Random(2);
    for (span, steps) in [(400, 3_000), (200_000, 4_000), (1 << 32, 3_000)] {
        let (mut set, mut expected) = (RowSet::new(), RoaringBitmap::new());
        // Grows, then shrinks, across all thresholds within reach of this many steps.
        for step in 0..2 * steps {
            let row = random.below(span) as Row;
            let grow = random.below(10) < if step < steps { 9 } else { 1 };
            if grow {
                assert_eq!(set.insert(row), expected.insert(row));
            } else {
                // Mostly a row that is present.
                let row = expected.range(row..).next().unwrap_or(row);
                assert_eq!(set.remove(row), expected.remove(row));
            }
            if step % 61 == 0 || (set.len().abs_diff(TINY) < 2 && step % 3 == 0) {
                check(&set, &expected);
            }
        }
        for row in expected.clone() {
            assert!(set.remove(row) && !set.remove(row));
            expected.remove(row);
        }
        check(&set, &expected);
    }
}

#[test]
fn crosses_the_thresholds() {
    for base in [0, 65_536 * 3, u32::MAX - 5_000] {
        let (mut set, mut expected) = (RowSet::new(), RoaringBitmap::new());
        let near = |len: usize| [TINY_MIN, TINY, BITMAP_MIN, ARRAY_MAX].iter().any(|&at| len.abs_diff(at) < 3);
        let order: Vec<Row> = (0..5_000).map(|i| base + i * 7 % 5_000).collect();
        for &row in &order {
            assert!(set.insert(row) && !set.insert(row));
            expected.insert(row);
            if near(set.len()) {
                check(&set, &expected);
            }
        }
        for &row in &order {
            assert!(set.remove(row) && !set.remove(row));
            expected.remove(row);
            if near(set.len()) {
                check(&set, &expected);
            }
        }
        check(&set, &expected);
    }
}

#[test]
fn does_not_thrash() {
    // Around each threshold the representation changes once and then stays.
    let kind = |set: &RowSet| match &set.repr {
        Repr::Tiny(_) => 0,
        Repr::Slots(slots) => 1 + usize::from(matches!(slots[0].chunk(), Chunk::Bitmap(_))),
    };
    for len in [TINY as Row, ARRAY_MAX as Row] {
        let mut set: RowSet = (0..=len).collect();
        let before = kind(&set);
        for _ in 0..10 {
            assert!(set.remove(len) && set.remove(0));
            assert_eq!(kind(&set), before);
            assert!(set.insert(0) && set.insert(len));
            assert_eq!(kind(&set), before);
        }
    }
}

#[test]
fn changes_in_bulk() {
    let mut random = Random(3);
    for span in [1_000, 100_000, 400_000, 1 << 32] {
        let (mut set, mut expected) = (RowSet::new(), RoaringBitmap::new());
        for step in 0..90 {
            let count = [1, 3, 20, 200, 3_000][random.below(5) as usize];
            let local = random.below(2) == 0;
            let from = if local { random.below(span) as Row } else { 0 };
            let rows = random.rows(count, from, if local { 5_000.min(span - u64::from(from)) } else { span });
            let held = set.clone();
            if random.below(10) < if step < 45 { 8 } else { 2 } {
                set.insert_all(&rows);
                expected.extend(&rows);
            } else {
                let rows = if random.below(3) == 0 { rows } else { expected.iter().step_by(3).collect() };
                set.remove_all(&rows);
                rows.iter().for_each(|row| _ = expected.remove(*row));
            }
            check(&set, &expected);
            drop(held);
        }
        let all: Vec<Row> = expected.iter().collect();
        set.insert_all(&all);
        set.remove_all(&[]);
        set.insert_all(&[]);
        check(&set, &expected);
        set.remove_all(&all);
        check(&set, &RoaringBitmap::new());
    }
}

#[test]
fn appends() {
    let (mut set, mut expected) = (RowSet::new(), RoaringBitmap::new());
    for batch in 0..300 {
        let rows: Vec<Row> = (batch * 1_000..batch * 1_000 + batch % 40 * 25).collect();
        set.insert_all(&rows);
        expected.extend(&rows);
        if batch % 20 == 0 {
            check(&set, &expected);
        }
    }
    check(&set, &expected);
}

#[test]
fn sets_ranges_of_bitmaps() {
    let every_third: Vec<Row> = (0..65_536).step_by(3).collect();
    for (first, last) in [(0, 0), (1, 5), (63, 64), (64, 127), (100, 100), (70, 500), (65_530, 65_535), (0, 65_535)] {
        let mut set = RowSet::from_sorted(&every_third);
        let mut expected = model(&every_third);
        set.insert_all(&(first..=last).collect::<Vec<Row>>());
        expected.extend(first..=last);
        check(&set, &expected);
    }
    // Many rows that do not form a range.
    let mut set = RowSet::from_sorted(&every_third);
    let more: Vec<Row> = (1..65_536).step_by(2).collect();
    set.insert_all(&more);
    check(&set, &every_third.iter().chain(&more).collect());
}

#[test]
fn combines_arrays_of_any_ratio() {
    let mut random = Random(5);
    for a in [0, 1, 7, 60, 255, 1_000, 4_000] {
        for b in [0, 1, 9, 100, 300, 2_000, 4_096] {
            // Both the plain slices and the sets, whose chunks choose other algorithms.
            let (a, b) = (random.rows(a, 0, 6_000), random.rows(b, 0, 6_000));
            let (x, y) = (RowSet::from_sorted(&a), RowSet::from_sorted(&b));
            let (m, n) = (model(&a), model(&b));
            let (and, or, minus) = (&m & &n, &m | &n, &m - &n);
            assert_eq!(model(&sorted::and(&a, &b)), and);
            assert_eq!(sorted::and_len(&a, &b) as u64, and.len());
            assert!(sorted::or(&a, &b).into_iter().eq(&or));
            assert!(sorted::minus(&a, &b).into_iter().eq(&minus));
            check(&x.and(&y), &and);
            check(&x.or(&y), &or);
            check(&x.minus(&y), &minus);
            assert_eq!((x.and_len(&y) as u64, x.minus_len(&y) as u64), (and.len(), minus.len()));
        }
    }
}

#[test]
fn merges_new_chunks_in_between() {
    let even: Vec<Row> = (0..400).map(|i| i << 17).collect();
    let odd: Vec<Row> = (0..400).map(|i| i << 17 | 1 << 16).collect();
    let mut set = RowSet::from_sorted(&even);
    set.insert_all(&odd);
    let mut expected = model(&even);
    expected.extend(&odd);
    check(&set, &expected);
    set.remove_all(&even);
    check(&set, &model(&odd));
}

#[test]
fn truncates() {
    for rows in samples() {
        let ends = rows.iter().copied().step_by(1 + rows.len() / 2).chain(rows.last().copied());
        for end in ends.chain([0, 1, 65_535, 65_536, 65_537, 131_072, u32::MAX]) {
            let mut set = RowSet::from_sorted(&rows);
            let held = set.clone();
            set.truncate(end);
            check(&set, &rows.iter().filter(|row| **row < end).collect());
            assert_eq!(held.len(), rows.len());
        }
    }
}

#[test]
fn clones_do_not_change() {
    for rows in samples() {
        let original = RowSet::from_sorted(&rows);
        let expected = model(&rows);
        let mut set = original.clone();
        for row in [0, 65_537, 70_000, 131_073, u32::MAX - 3] {
            set.insert(row);
        }
        for &row in rows.iter().step_by(1 + rows.len() / 9) {
            set.remove(row);
        }
        set.insert_all(&(66_000..67_000).collect::<Vec<Row>>());
        set.remove_all(&(0..60_000).step_by(3).collect::<Vec<Row>>());
        set.truncate(140_000);
        check(&original, &expected);
    }
}

#[test]
fn shares_untouched_chunks() {
    let a: RowSet = (0..200_000).collect();
    let b: RowSet = (150_000..300_000).collect();
    let shared = |x: &RowSet, y: &RowSet| match (&x.repr, &y.repr) {
        (Repr::Slots(x), Repr::Slots(y)) => x.iter().filter(|x| y.iter().any(|y| x.shares(y))).count(),
        _ => 0,
    };
    assert_eq!(shared(&a.clone(), &a), 4);
    assert_eq!(shared(&a.or(&b), &a), 2 + 1);
    assert_eq!(shared(&a.or(&b), &b), 1 + 1);
    assert_eq!(shared(&a.minus(&b), &a), 2);
    assert_eq!(shared(&a.and(&a.clone()), &a), 4);
    assert!(a.minus(&a.clone()).is_empty());
    // A call that changes nothing copies nothing.
    let mut c = a.clone();
    assert!(!c.insert(5) && !c.remove(300_000));
    c.insert_all(&[1, 2, 100_000]);
    c.remove_all(&[250_000, 300_000]);
    c.truncate(200_000);
    assert_eq!(shared(&a, &c), 4);
    assert!(c.insert(200_000));
    assert_eq!(shared(&a, &c), 3);
}

#[test]
fn unites_many() {
    let mut random = Random(4);
    for (count, span) in [(10_000, 1 << 20), (10_000, 1 << 32), (50, 5_000), (3, 100)] {
        let sets: Vec<RowSet> = (0..count).map(|_| RowSet::from_sorted(&random.rows(8, 0, span))).collect();
        let expected: RoaringBitmap = sets.iter().flatten().collect();
        check(&RowSet::union(&sets), &expected);
    }
    let mixed: Vec<Vec<Row>> = samples().into_iter().filter(|rows| rows.len() < 15_000).collect();
    let sets: Vec<RowSet> = mixed.iter().map(|rows| RowSet::from_sorted(rows)).collect();
    check(&RowSet::union(&sets), &mixed.iter().flatten().collect());
    check(&RowSet::union(&sets[7..]), &mixed[7..].iter().flatten().collect());
    check(&RowSet::union([]), &RoaringBitmap::new());
}

#[test]
fn collects_rows_in_any_order() {
    let mut random = Random(6);
    let spans = [300, 20_000, 65_536, 1 << 20, 1 << 24, 1 << 32];
    for (span, count) in spans.into_iter().flat_map(|span| [0, 1, 200, 700, 20_000, 90_000].map(|count| (span, count)))
    {
        for from in [0, 3 << 20] {
            let span = u64::min(span, (1 << 32) - u64::from(from));
            let mut rows: Vec<Row> = (0..count).map(|_| from + random.below(span) as Row).collect();
            for ascending in [false, true] {
                if ascending {
                    rows.sort_unstable();
                    rows.dedup();
                }
                let mut collector = Collector::new();
                rows.chunks(177).for_each(|rows| collector.buffer().extend_from_slice(rows));
                let expected = model(&rows);
                check(&collector.finish(), &expected);
                check(&rows.iter().copied().collect(), &expected);
            }
        }
    }
    // First a chunk in the middle, then the chunks around it.
    let mut collector = Collector::new();
    let parts = [5 << 16..6 << 16, 2 << 16..3 << 16, 9 << 16..9 << 16 | 9, 0..9];
    for part in &parts {
        collector.buffer().extend(part.clone().rev());
    }
    check(&collector.finish(), &parts.into_iter().flatten().collect());
    // Without gaps, and with few gaps.
    for step in [usize::MAX, 63, 64, 10_000] {
        let mut collector = Collector::new();
        let rows: Vec<Row> = (70_000..200_000).filter(|row| *row as usize % step != 1).collect();
        rows.chunks(500).for_each(|rows| collector.buffer().extend_from_slice(rows));
        check(&collector.finish(), &rows.into_iter().collect());
    }
}

#[test]
fn equality_ignores_the_representation() {
    // A bitmap that shrank within the hysteresis equals the array built at once.
    let mut bitmap: RowSet = (0..5_000).collect();
    bitmap.truncate(3_500);
    let array: RowSet = (0..3_500).collect();
    assert!(matches!(&bitmap.repr, Repr::Slots(slots) if matches!(slots[0].chunk(), Chunk::Bitmap(_))));
    assert!(matches!(&array.repr, Repr::Slots(slots) if matches!(slots[0].chunk(), Chunk::Array(_))));
    assert_eq!(bitmap, array);
    let mut slots: RowSet = (0..1_000).collect();
    slots.truncate(200);
    let tiny: RowSet = (0..200).collect();
    assert!(matches!(slots.repr, Repr::Slots(_)) && matches!(tiny.repr, Repr::Tiny(_)));
    assert_eq!(slots, tiny);
    tiny.iter().for_each(|row| assert!(slots.remove(row)));
    assert_eq!(slots, RowSet::new());
    assert_ne!(array, tiny);
}
