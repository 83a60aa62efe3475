//! Hand-written queries that cover each feature.

use memdex::aggregate::{DateStep, DateUnit, Statistics, Weekday};
use memdex::query::{IntoOrder, OrderBy, Predicate};
use memdex::typing::{DecimalValue, ValueRef};
use memdex::{Bucket, GroupBy, Metric, Query, Value, field};

fn flights(filter: Predicate) -> Query {
    Query::over(["Flight"]).filter(filter)
}

fn page(filter: Predicate, order: impl IntoOrder, limit: usize) -> Query {
    flights(filter).order_by(order).limit(limit)
}

fn aggregation(filter: Predicate, statistics: impl Into<Statistics>) -> Query {
    flights(filter).statistics(statistics)
}

fn asc(name: &'static str) -> OrderBy {
    field(name).asc()
}

fn desc(name: &'static str) -> OrderBy {
    field(name).desc()
}

/// A date; memdex has no date type without a feature.
fn day(days: i32) -> Value {
    ValueRef::Date(days).to_value()
}

fn time(text: &str) -> Value {
    Value::from_text(memdex::Kind::Timestamp, text).unwrap()
}

fn fare(text: &str) -> DecimalValue {
    text.parse().unwrap()
}

pub(super) fn queries() -> Vec<Query> {
    [filters(), text_filters(), combined_filters(), pages(), aggregations(), groups()].concat()
}

/// One query for each condition.
fn filters() -> Vec<Query> {
    [
        Predicate::All,
        field("carrier").eq("UA"),
        field("carrier").eq("ua"),
        field("carrier").ne("UA"),
        field("tailnum").eq("N14228"),
        field("tailnum").ne("N14228"),
        field("tailnum").is_null(),
        !field("tailnum").is_null(),
        field("dest").is_in(["HNL", "ANC", "SFO"]),
        field("dest").is_in(Vec::<&str>::new()),
        !field("dest").is_in(Vec::<&str>::new()),
        !field("dest").is_in(["HNL", "ATL"]),
        field("dep_delay").is_in([0, 1, -1]),
        !field("dep_delay").is_in([0, 1, -1]),
        field("dep_delay").gt(120),
        field("dep_delay").le(-20),
        field("dep_delay").between(-3, 3),
        field("dep_delay").between(3, -3),
        !field("dep_delay").between(-900, 900),
        field("dep_delay").is_null(),
        field("arr_delay").lt(-60),
        field("arr_delay").ge(300),
        field("distance").eq(2_586),
        field("distance").gt(4_000),
        field("distance").lt(0),
        field("air_time").between(600, 700),
        field("speed").gt(550),
        field("speed").lt(150.5),
        field("speed").ge(f64::INFINITY),
        field("speed").is_null(),
        field("speed").ne(480.0),
        field("cancelled").eq(true),
        field("cancelled").ne(true),
        field("cancelled").gt(false),
        field("hub").eq('J'),
        field("hub").ne('J'),
        field("hub").le('J'),
        field("time_hour").eq(time("2013-01-01T10:00:00Z")),
        field("time_hour").lt("2013-01-01T12:00:00Z"),
        field("time_hour").between("2013-01-31T20:00:00-05:00", "2013-01-31T23:00:00-05:00"),
        field("moment").between(time("1969-12-31T23:00:00Z"), time("1970-01-01T01:00:00Z")),
        field("date").eq(day(-1)),
        field("date").lt("1969-12-18"),
        field("fare").eq(fare("210")),
        field("fare").ne(fare("210.00")),
        field("fare").eq(210),
        field("fare").eq("212.4"),
        field("fare").is_in([fare("33.75"), fare("388.05"), fare("0.5")]),
        field("mark").eq(&b"\xec\xe8\xe1"[..]),
        field("mark").gt(&b"\xf8"[..]),
        field("id").is_in([ValueRef::Uuid([0; 16]).to_value(), ValueRef::Uuid([7; 16]).to_value()]),
        field("id").lt("00400000-0000-0000-0000-000000000000"),
        field("carrier").ge("US"),
        field("carrier").lt("A"),
        field("tailnum").between("N1", "N101"),
        field("serial").lt(50),
        field("serial").is_in([0, 27_003, 27_004]),
    ]
    .into_iter()
    .map(flights)
    .collect()
}

fn text_filters() -> Vec<Query> {
    [
        field("tailnum").starts_with("N1"),
        field("tailnum").starts_with("n1"),
        field("tailnum").starts_with_ignore_case("n1"),
        field("tailnum").starts_with(""),
        !field("tailnum").starts_with(""),
        field("tailnum").ends_with("MQ"),
        field("tailnum").ends_with("mq"),
        field("tailnum").ends_with_ignore_case("mq"),
        !field("tailnum").ends_with_ignore_case("mq") & field("carrier").eq("MQ"),
        field("tailnum").contains_str("73"),
        field("tailnum").contains_str("jb"),
        field("tailnum").contains_str_ignore_case("jb"),
        field("tailnum").eq_ignore_case("n14228"),
        field("tailnum").like("N_3%MQ"),
        field("tailnum").like("n_3%mq"),
        field("tailnum").like_ignore_case("n_3%mq"),
        field("tailnum").like("%\\_%"),
        field("tailnum").like("N1422_") | field("dest").like("%A%A%"),
        field("dest").like("S_O"),
        field("dest").like("___"),
        field("dest").like("[A-Z]*"),
        field("dest").like("%"),
        field("dest").contains_str("*"),
        field("carrier").starts_with("9") & field("dest").ends_with("R"),
    ]
    .into_iter()
    .map(flights)
    .collect()
}

fn combined_filters() -> Vec<Query> {
    let late = || field("dep_delay").gt(60);
    [
        field("carrier").eq("B6") & field("origin").eq("JFK") & field("dest").eq("MSY"),
        field("origin").eq("EWR") & field("dest").eq("SFO") & late(),
        field("carrier").eq("AA") & field("dep_delay").between(30, 45),
        field("carrier").eq("AA") & field("dep_delay").is_null(),
        field("carrier").eq("HA") | field("carrier").eq("AS"),
        (field("carrier").eq("HA") | field("dest").eq("ANC")) & !field("cancelled").eq(true),
        late() & field("arr_delay").lt(30),
        late() & field("arr_delay").is_null(),
        late() & !field("arr_delay").gt(0),
        !(late() | field("dep_delay").lt(0)),
        !(late() & field("arr_delay").gt(60)),
        !!late(),
        !(!late() & !field("arr_delay").gt(500)),
        field("dep_delay").is_null() & field("origin").eq("EWR"),
        field("dep_delay").is_null() & field("origin").eq("EWR") & field("tailnum").eq("N16559"),
        field("tailnum").is_null() & !field("dep_delay").is_null(),
        field("day").eq(31) & field("hub").eq('J') & field("distance").gt(2_000),
        field("day").between(30, 31) & field("carrier").is_in(["9E", "EV"]) & late(),
        field("cancelled").eq(false) & field("distance").between(2_475, 2_475) & field("flight").lt(10),
        field("cancelled").eq(false) & field("distance").gt(3_000),
        Predicate::All & field("carrier").eq("OO"),
        Predicate::none(),
        !Predicate::none() & field("carrier").eq("OO"),
        !Predicate::All,
        (1..200).map(|n| field("flight").eq(n)).reduce(|a, b| a | b).unwrap(),
        (1..200).map(|n| field("flight").ne(n)).reduce(|a, b| a & b).unwrap() & field("day").eq(1),
        (0..25).fold(field("dest").eq("HNL"), |inner, n| !(inner & !field("flight").eq(n))),
        field("speed").gt(500) & (field("air_time").lt(40) | field("distance").gt(2_500)) & field("day").le(10),
        field("time_hour").ge("2013-01-15T00:00:00Z") & field("time_hour").lt("2013-01-15T12:00:00Z") & late(),
        !field("speed").gt(200) & !field("cancelled").eq(true),
        field("carrier").eq("UA") & field("carrier").eq("AA"),
        field("carrier").ne("UA") & field("carrier").ne("EV") & field("carrier").ne("B6") & field("day").eq(13),
    ]
    .into_iter()
    .map(flights)
    .collect()
}

fn pages() -> Vec<Query> {
    let all = || Predicate::All;
    let jfk = || field("origin").eq("JFK");
    vec![
        page(all(), asc("dep_delay"), 10),
        page(all(), desc("dep_delay"), 10),
        page(all(), asc("dep_delay").nulls_last(), 10),
        page(all(), desc("dep_delay").nulls_first(), 200),
        page(jfk(), [desc("arr_delay"), asc("dest")], 25),
        page(jfk(), [asc("arr_delay").nulls_last(), desc("dest")], 25),
        page(jfk(), [asc("tailnum"), desc("speed").nulls_first()], 40),
        page(jfk(), [desc("cancelled"), asc("hub"), desc("date"), asc("carrier")], 60),
        page(field("carrier").eq("HA"), desc("distance"), 5).offset(7),
        page(field("carrier").eq("HA"), desc("distance"), 100).with_total(),
        page(field("carrier").eq("HA"), asc("speed").nulls_last(), 9).with_total().offset(20),
        page(all(), [asc("carrier"), desc("flight"), asc("day")], 33),
        page(all(), [desc("carrier"), desc("origin"), desc("day"), desc("flight"), desc("sched_dep_time")], 33),
        page(all(), asc("serial"), 1).offset(27_003),
        page(all(), asc("serial"), 10).offset(27_004),
        page(all(), asc("serial"), 10).offset(usize::MAX),
        page(field("dest").eq("XXX"), asc("serial"), 10).with_total(),
        page(all(), [asc("day"), desc("day"), asc("serial")], 12),
        page(field("dep_delay").gt(60), asc("arr_delay"), 50),
        page(field("dep_delay").gt(60) & field("arr_delay").between(0, 40), asc("arr_delay"), 50),
        page(field("carrier").eq("AA"), asc("dep_delay"), 77),
        page(field("carrier").eq("AA") & field("dep_delay").gt(10), desc("dep_delay"), 77),
        page(!field("tailnum").is_null(), desc("tailnum"), 44),
        page(all(), asc("time_hour"), 64),
        page(all(), desc("moment"), 64),
        page(all(), [asc("date"), desc("mark")], 64),
        page(field("day").eq(9), [asc("mark"), desc("hub"), asc("id")], 64),
        page(field("day").eq(9), [desc("id")], 64),
        page(field("speed").gt(0), desc("speed"), 30),
        page(all(), asc("speed").nulls_first(), 300),
        flights(field("day").eq(2)).order_by([asc("air_time"), asc("dest")]),
        flights(field("day").eq(2)).order_by(Vec::new()).offset(900),
        flights(field("day").eq(2)).limit(20),
        flights(field("day").eq(2)).limit(20).offset(800).with_total(),
        flights(field("cancelled").eq(true)).with_total(),
        flights(field("cancelled").eq(true)).order_by(desc("dep_time")),
        page(field("cancelled").eq(true), [asc("dep_delay"), desc("arr_delay"), asc("air_time")], 50),
    ]
}

fn aggregations() -> Vec<Query> {
    let of = |name: &'static str| {
        [
            field(name).count(),
            field(name).sum(),
            field(name).avg(),
            field(name).min(),
            field(name).max(),
            field(name).distinct(),
        ]
    };
    let extremes =
        |name: &'static str| [field(name).min(), field(name).max(), field(name).count(), field(name).distinct()];
    vec![
        aggregation(Predicate::All, Metric::count()),
        aggregation(field("carrier").eq("UA"), Metric::count()),
        aggregation(field("carrier").eq("??"), of("dep_delay")),
        aggregation(field("cancelled").eq(true), of("dep_delay")),
        aggregation(Predicate::All, of("dep_delay")),
        aggregation(Predicate::All, of("arr_delay")),
        aggregation(field("dep_delay").gt(60), of("arr_delay")),
        aggregation(Predicate::All, of("distance")),
        aggregation(Predicate::All, of("speed")),
        aggregation(field("dest").eq("LAX"), of("speed")),
        aggregation(!field("dest").eq("LAX") & field("hub").ne('E'), of("air_time")),
        aggregation(Predicate::All, extremes("tailnum")),
        aggregation(Predicate::All, extremes("dest")),
        aggregation(Predicate::All, extremes("moment")),
        aggregation(field("day").eq(5), extremes("time_hour")),
        aggregation(Predicate::All, extremes("date")),
        aggregation(Predicate::All, extremes("cancelled")),
        aggregation(Predicate::All, extremes("hub")),
        aggregation(field("day").eq(31), extremes("mark")),
        aggregation(field("day").eq(31), extremes("id")),
        aggregation(Predicate::All, [field("fare").count(), field("fare").distinct()]),
        aggregation(
            field("carrier").eq("DL"),
            [Metric::count().named("n"), field("dep_delay").avg().named("mean delay")],
        ),
    ]
}

fn groups() -> Vec<Query> {
    let all = || Predicate::All;
    let count = || [Metric::count()];
    let delays = || [Metric::count(), field("dep_delay").avg(), field("dep_delay").max(), field("distance").sum()];
    let by = |name: &'static str| GroupBy::values(name);
    let delay_ranges = || Bucket::ranges("dep_delay", [(None, Some(0)), (Some(0), Some(60)), (Some(60), None)]);
    let metrics_named_like_columns = || {
        let sums =
            ["dep_delay", "Dep_Delay", "p", "P", "k", "ranges", "m0"].map(|name| field("dep_delay").sum().named(name));
        let counts = ["carrier", "distance", "m1", "place of the range"].map(|name| Metric::count().named(name));
        [&sums[..], &counts[..]].concat()
    };
    let buckets = |buckets: Vec<Bucket>| GroupBy::new(buckets).metrics([Metric::count(), field("arr_delay").sum()]);
    vec![
        aggregation(all(), by("carrier").metrics(delays())),
        aggregation(all(), by("dep_delay").metrics(count())),
        aggregation(field("dep_delay").is_null(), by("tailnum").metrics(delays())),
        aggregation(field("day").eq(3), by("dest").metrics(delays())),
        aggregation(field("day").eq(99), by("dest").metrics(delays())),
        aggregation(all(), by("cancelled").metrics(delays())),
        aggregation(all(), by("hub").metrics([field("dest").distinct(), field("tailnum").distinct()])),
        aggregation(all(), by("date").metrics([field("speed").avg(), field("speed").min()])),
        aggregation(field("carrier").eq("HA"), by("speed").metrics(count())),
        aggregation(field("carrier").eq("HA"), by("moment").metrics(count())),
        aggregation(field("day").eq(1), by("mark").metrics(count())),
        aggregation(field("serial").lt(20), by("id").metrics(count())),
        aggregation(all(), by("carrier")),
        aggregation(all(), buckets(vec![Bucket::values("carrier"), Bucket::values("origin")])),
        aggregation(all(), buckets(vec![Bucket::values("cancelled"), Bucket::values("hub"), Bucket::values("day")])),
        aggregation(all(), by("carrier").metrics(delays()).top(5, "count")),
        aggregation(all(), by("carrier").metrics(delays()).top(5, "avg(dep_delay)")),
        aggregation(all(), by("carrier").metrics(delays()).bottom(5, "avg(dep_delay)")),
        aggregation(all(), by("dest").metrics(count()).top(10, "count")),
        aggregation(all(), by("dest").metrics(count()).bottom(30, "count")),
        aggregation(field("day").eq(6), by("tailnum").metrics(delays()).bottom(50, "max(dep_delay)")),
        aggregation(field("carrier").is_in(["9E", "EV"]), by("tailnum").metrics(delays()).top(500, "max(dep_delay)")),
        aggregation(all(), buckets(vec![Bucket::width("dep_delay", 15)])),
        aggregation(all(), buckets(vec![Bucket::width("dep_delay", 1)])),
        aggregation(all(), buckets(vec![Bucket::width_from("dep_delay", 60, 7)])),
        aggregation(all(), buckets(vec![Bucket::width_from("dep_delay", 60, -127)])),
        aggregation(all(), buckets(vec![Bucket::width("arr_delay", 30)])),
        aggregation(all(), buckets(vec![Bucket::width("distance", 500)])),
        aggregation(all(), buckets(vec![Bucket::width("speed", 50.0)])),
        aggregation(all(), buckets(vec![Bucket::width_from("speed", 12.5, -3.0)])),
        aggregation(all(), buckets(vec![Bucket::width("speed", 0.1)])),
        aggregation(all(), buckets(vec![Bucket::width("speed", 1.0 / 3.0)])),
        aggregation(all(), buckets(vec![Bucket::width("dep_delay", 100), Bucket::values("hub")])),
        aggregation(all(), buckets(vec![Bucket::width("dep_delay", 100), Bucket::width("distance", 1_000)])),
        aggregation(all(), buckets(vec![Bucket::width("dep_delay", 30)]).top(3, "count")),
        aggregation(all(), buckets(vec![Bucket::date("moment", DateUnit::Day)])),
        aggregation(all(), buckets(vec![Bucket::date("moment", DateUnit::Week)])),
        aggregation(all(), buckets(vec![Bucket::date("moment", DateUnit::Month)])),
        aggregation(all(), buckets(vec![Bucket::date("moment", DateUnit::Quarter)])),
        aggregation(all(), buckets(vec![Bucket::date("moment", DateUnit::Year)])),
        aggregation(all(), buckets(vec![Bucket::date("time_hour", DateUnit::Hour)])),
        aggregation(field("day").eq(16), buckets(vec![Bucket::date("moment", DateUnit::Minute)])),
        aggregation(
            all(),
            Statistics::from(GroupBy::values("carrier").metrics([
                Metric::count(),
                Metric::count().filter(field("day").lt(10)).named("early"),
                Metric::ratio("early", "count").named("share"),
                field("moment").max().filter(field("day").lt(3) | field("carrier").eq("AA")).named("latest"),
            ])),
        ),
        aggregation(field("day").eq(16), buckets(vec![Bucket::date("moment", DateUnit::Minute.every(15))])),
        aggregation(all(), buckets(vec![Bucket::date("moment", DateUnit::Hour.every(6).offset_seconds(-3_600))])),
        aggregation(all(), buckets(vec![Bucket::date("moment", DateStep::weeks_from(Weekday::Sunday))])),
        aggregation(all(), buckets(vec![Bucket::date("moment", DateUnit::Week.every(2))])),
        aggregation(all(), buckets(vec![Bucket::date("date", DateStep::weeks_from(Weekday::Wednesday).every(2))])),
        aggregation(all(), buckets(vec![Bucket::date("date", DateUnit::Day.every(10))])),
        aggregation(all(), buckets(vec![Bucket::date("date", DateUnit::Day)])),
        aggregation(all(), buckets(vec![Bucket::date("date", DateUnit::Week)])),
        aggregation(all(), buckets(vec![Bucket::date("date", DateUnit::Month)])),
        aggregation(all(), buckets(vec![Bucket::date("date", DateUnit::Quarter)])),
        aggregation(all(), buckets(vec![Bucket::date("date", DateUnit::Year), Bucket::values("carrier")])),
        aggregation(
            all(),
            buckets(vec![Bucket::ranges("dep_delay", [(None, Some(0)), (Some(0), Some(60)), (Some(60), None)])]),
        ),
        aggregation(
            all(),
            buckets(vec![Bucket::ranges(
                "dep_delay",
                [(Some(-10), Some(10)), (Some(0), Some(5_000)), (Some(9_000), None)],
            )]),
        ),
        aggregation(
            all(),
            buckets(vec![Bucket::ranges("speed", [(None, Some(300.0)), (Some(300.0), None)])]).top(1, "count"),
        ),
        // Names of metrics that equal names of columns, with and without case, or names that the SQL statement uses.
        aggregation(all(), GroupBy::from(delay_ranges()).metrics(metrics_named_like_columns())),
        aggregation(all(), GroupBy::from(delay_ranges()).metrics(metrics_named_like_columns()).top(2, "P")),
        aggregation(all(), by("carrier").metrics(metrics_named_like_columns()).bottom(3, "carrier")),
        aggregation(all(), Statistics::of(metrics_named_like_columns())),
        aggregation(all(), buckets(vec![Bucket::ranges("dest", [(Some("A"), Some("C")), (Some("C"), None)])])),
        aggregation(all(), buckets(vec![Bucket::ranges("moment", [(None, Some(time("1970-01-01T00:00:00Z")))])])),
    ]
}

/// Queries that PostgreSQL can execute and SQLite cannot.
pub(super) fn for_postgres() -> Vec<Query> {
    let all = || Predicate::All;
    let of = |name: &'static str| {
        [
            field(name).stddev(),
            field(name).stddev_pop(),
            field(name).percentile(0.0),
            field(name).percentile(50.0),
            field(name).percentile(99.5),
            field(name).percentile(100.0),
        ]
    };
    let by = |name: &'static str| GroupBy::values(name);
    let fares = [field("fare").sum(), field("fare").avg(), field("fare").min(), field("fare").max()];
    vec![
        flights(field("fare").gt(fare("600.5"))),
        flights(field("fare").between(fare("12"), fare("30.01"))),
        page(field("day").eq(7), [desc("fare"), asc("dest")], 50),
        aggregation(all(), of("dep_delay")),
        aggregation(all(), of("speed")),
        aggregation(all(), of("fare")),
        aggregation(field("serial").eq(0), of("speed")),
        aggregation(field("serial").lt(0), of("speed")),
        aggregation(all(), by("carrier").metrics(of("arr_delay"))),
        aggregation(all(), by("dest").metrics(of("air_time")).top(7, "percentile(air_time, 50)")),
        aggregation(all(), fares.clone()),
        aggregation(all(), by("origin").metrics(fares)),
        aggregation(field("day").eq(4), by("fare").metrics([Metric::count()])),
        aggregation(all(), GroupBy::new([Bucket::width("fare", fare("99.9"))]).metrics([Metric::count()])),
        aggregation(all(), GroupBy::new([Bucket::width_from("fare", 50, fare("-0.25"))]).metrics([Metric::count()])),
        aggregation(
            all(),
            GroupBy::new([Bucket::ranges("fare", [(None, Some(100)), (Some(100), None)])]).metrics([Metric::count()]),
        ),
    ]
}
