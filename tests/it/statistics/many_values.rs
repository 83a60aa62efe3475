//! Statistics of fields of many values: each value of each record counts.

use super::by_hand::{ask, counts, named, record};
use memdex::aggregate::Statistics;
use memdex::{Bucket, Filter, GroupBy, Metric, Record, Store, field};

#[test]
fn a_record_is_in_the_group_of_each_value() {
    let tags = [vec!["p", "q", "p"], vec!["q"], vec![]];
    let records: Vec<_> =
        tags.into_iter().enumerate().map(|(key, tags)| record(key).with_each("tags", tags).with("n", 1)).collect();
    let metrics = [Metric::count(), field("n").sum(), field("tags").count(), field("tags").distinct()];
    let requested = Statistics::of(metrics.clone()).group_by(GroupBy::values("tags").metrics(metrics));
    let figures = ask(&records, requested);
    assert_eq!(
        ["count", "sum(n)", "count(tags)", "distinct(tags)"].map(|name| figures.int(name).unwrap()),
        [3, 3, 4, 2]
    );
    assert_eq!(counts(&figures), named(&[("null", 1), ("\"p\"", 1), ("\"q\"", 2)]));
    assert_eq!(figures.group("p").unwrap().int("count(tags)"), Some(3));
    let ranges = Bucket::ranges("tags", [(None, Some("q")), (Some("q"), None)]);
    let by_range = ask(&records, GroupBy::from(ranges).metrics([Metric::count()]));
    assert_eq!(by_range.groups().iter().map(|range| range.int("count")).collect::<Vec<_>>(), [Some(1), Some(2)]);
    let pairs =
        ask(&records, GroupBy::new([Bucket::values("tags"), Bucket::values("tags")]).metrics([Metric::count()]));
    assert_eq!(pairs.group_of(&["p".into(), "q".into()]).unwrap().int("count"), Some(1));
    assert_eq!(pairs.groups().len(), 5);
}

#[test]
fn metrics_take_each_value_of_each_record() {
    let marks: [&[i64]; 4] = [&[3, 5], &[], &[5], &[1, 1, 9]];
    let shops = ["a", "a", "b", "b"].into_iter();
    let records: Vec<_> = shops
        .zip(marks)
        .enumerate()
        .map(|(key, (shop, marks))| record(key).with("shop", shop).with_each("marks", marks.iter().copied()))
        .collect();
    let marks = || field("marks");
    let metrics = [
        Metric::count(),
        marks().count(),
        marks().sum(),
        marks().avg(),
        marks().min(),
        marks().max(),
        marks().stddev_pop(),
        marks().distinct(),
        marks().median(),
        marks().mode(),
        marks().sum().filter(marks().contains(3)).named("of those with 3"),
    ];
    let figures = ask(&records, metrics.clone());
    let int = |name: &str| figures.int(name).unwrap();
    assert_eq!((int("count"), int("count(marks)"), int("sum(marks)")), (4, 6, 24));
    assert_eq!((int("min(marks)"), int("max(marks)"), int("distinct(marks)")), (1, 9, 4));
    assert_eq!((figures.float("avg(marks)"), figures.float("median(marks)")), (Some(4.0), Some(4.0)));
    assert_eq!((figures.float("stddev_pop(marks)"), int("mode(marks)")), (Some((46.0_f64 / 6.0).sqrt()), 1));
    assert_eq!(int("of those with 3"), 8);
    let by_shop = ask(&records, GroupBy::values("shop").metrics(metrics));
    assert_eq!(by_shop.groups().iter().map(|group| group.int("sum(marks)")).collect::<Vec<_>>(), [Some(8), Some(16)]);

    let by_width = GroupBy::from(Bucket::width("marks", 4)).with_empty().metrics([Metric::count()]);
    assert_eq!(counts(&ask(&records, by_width)), named(&[("0", 2), ("4", 2), ("8", 1)]), "each record once");
    let ranges = Bucket::ranges("marks", [(None, Some(4)), (Some(4), None)]);
    let by_range = ask(&records, GroupBy::from(ranges).metrics([Metric::count()]));
    assert_eq!(counts(&by_range), named(&[("\"..4\"", 2), ("\"4..\"", 3)]));
}

#[test]
fn lists_of_numbers_have_typed_metrics() {
    #[derive(Record)]
    struct Reading {
        #[record(key)]
        id: u32,
        #[record(field)]
        samples: Vec<f64>,
    }
    let readings = Store::new().collection::<Reading>("Reading").unwrap();
    readings.store(Reading { id: 1, samples: vec![0.5, 2.5] }).unwrap();
    readings.store(Reading { id: 2, samples: Vec::new() }).unwrap();
    let figures = readings.find(Filter::all()).statistics([reading::SAMPLES.sum(), reading::SAMPLES.avg()]).unwrap();
    assert_eq!((figures.float("sum(samples)"), figures.float("avg(samples)")), (Some(3.0), Some(1.5)));
}
