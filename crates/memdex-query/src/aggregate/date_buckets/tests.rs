use super::*;
use proptest::prelude::*;

const UNITS: [DateUnit; 7] = [
    DateUnit::Minute,
    DateUnit::Hour,
    DateUnit::Day,
    DateUnit::Week,
    DateUnit::Month,
    DateUnit::Quarter,
    DateUnit::Year,
];

fn nanos(text: &str) -> i64 {
    let value = Value::from_text(crate::value::Kind::Timestamp, text).unwrap_or_else(|| panic!("{text}"));
    match value.as_ref() {
        ValueRef::Timestamp(nanos) => nanos.try_into().unwrap(),
        other => panic!("{other}"),
    }
}

fn buckets(unit: DateUnit, zone: &str) -> DateBuckets {
    DateBuckets::new(unit, Zone::parse(zone).unwrap_or_else(|error| panic!("{error}"))).unwrap()
}

/// The name of a time's bucket.
fn name(unit: DateUnit, zone: &str, time: &str) -> String {
    let mut buckets = buckets(unit, zone);
    let number = buckets.number_of(nanos(time));
    // A new instance must return the same name.
    let name = DateBuckets::new(unit, buckets.zone.clone()).unwrap().name(number);
    assert_eq!(buckets.name(number), name);
    name.unwrap_or_else(|| panic!("{time} has no bucket")).to_string()
}

/// If `even` returns buckets between two times, all times in between have the numbers that follow from them.
fn check_even(buckets: &mut DateBuckets, times: &[i64]) -> usize {
    let mut even = 0;
    for pair in times.windows(2) {
        let (least, greatest) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        // Times far apart mostly have an offset change between them; near ones mostly don't.
        for greatest in [greatest, least.saturating_add(40 * 86_400_000_000_000), least] {
            let Some(Even { first, start, length }) = buckets.even(least, greatest) else { continue };
            let number = |time: i64| first + (time.wrapping_sub(start).cast_unsigned() / length) as i64;
            for time in [least, least.midpoint(greatest), greatest] {
                assert_eq!(number(time), buckets.number_of(time), "{time} from {least} to {greatest}");
            }
            even += 1;
        }
    }
    even
}

#[test]
fn buckets_are_even_up_to_the_ends_of_64_bits() {
    for unit in UNITS {
        for (least, greatest) in
            [(i64::MIN, i64::MAX), (i64::MIN, -1), (0, i64::MAX), (i64::MIN + 1, 9), (i64::MAX - 5, i64::MAX)]
        {
            check_even(&mut buckets(unit, "-07:30"), &[least, greatest]);
            check_even(&mut buckets(unit, "UTC"), &[least, greatest]);
        }
    }
}

#[test]
fn every_bucket_of_a_time_has_a_name() {
    let zones = ["+00:00", "-23:59", "+14:00", "+23:59"];
    #[cfg(feature = "time-zones")]
    let zones = [&zones[..], &["America/New_York", "America/St_Johns", "Pacific/Apia", "Pacific/Kwajalein"]].concat();
    for zone in zones {
        for unit in UNITS {
            for bound in [FIRST_SECOND, LAST_SECOND] {
                for away in (0..14).map(|n| n * 9_999).chain((0..9).map(|n| n * 321_987)) {
                    let second = if bound < 0 { bound + away } else { bound - away };
                    let mut buckets = buckets(unit, zone);
                    let nanos = i128::from(second) * 1_000_000_000;
                    let number = buckets.number_of_wide(nanos).unwrap();
                    let start =
                        buckets.start(number).unwrap_or_else(|| panic!("{second} in {zone} by {unit:?} has no start"));
                    assert!(start <= nanos, "{second} in {zone} by {unit:?} begins at {start}");
                }
            }
        }
    }
}

fn any_unit() -> impl Strategy<Value = DateUnit> {
    prop::sample::select(UNITS.to_vec())
}

proptest! {
    #[test]
    fn buckets_with_one_offset_follow_the_calendar(
        unit in any_unit(),
        times in prop::collection::vec(prop_oneof![any::<i64>(), -4_000_000_000_000_000_000..4_000_000_000_000_000_000i64], 1..20),
        minutes in -1_439i64..1_440,
    ) {
        let sign = if minutes < 0 { '-' } else { '+' };
        let mut buckets = buckets(unit, &format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60));
        check_even(&mut DateBuckets::new(unit, buckets.zone.clone()).unwrap(), &times);
        for time in times {
            let number = buckets.number_of(time);
            let local = time.div_euclid(1_000_000_000) + minutes * 60;
            let start = match unit.seconds_within_day() {
                Some(length) => local.div_euclid(length) * length,
                None => unit.first_day(unit.number_of_day(local.div_euclid(86_400))) * 86_400,
            };
            prop_assert_eq!(buckets.start(number), Some(i128::from(start - minutes * 60) * 1_000_000_000));
            prop_assert_eq!(buckets.number_of_wide(time.into()), Some(number));
            let next = buckets.start(number + 1).unwrap();
            prop_assert!(next > time.into() && buckets.number_of_wide(next) == Some(number + 1));
            prop_assert_eq!(buckets.number_of_wide(next - 1), Some(number));
        }
    }
}

#[test]
fn times_outside_the_years_have_no_bucket() {
    for unit in UNITS {
        let mut buckets = buckets(unit, "UTC");
        for (second, inside) in
            [(FIRST_SECOND, true), (LAST_SECOND, true), (FIRST_SECOND - 1, false), (LAST_SECOND + 1, false)]
        {
            let number = buckets.number_of_wide(i128::from(second) * 1_000_000_000);
            assert_eq!(number.is_some(), inside);
            assert!(number.is_none_or(|number| buckets.start(number).is_some()), "{unit:?}");
        }
        for nowhere in [i64::MIN, i64::MAX, i64::MAX / 3_601, 6_000_000_000] {
            assert_eq!(buckets.start(nowhere), None, "{unit:?} {nowhere}");
        }
        assert_eq!(buckets.number_of_wide(i128::MAX), None);
        assert_eq!(buckets.number_of_wide(i128::MIN), None);
        assert!(buckets.start(buckets.clone().number_of(i64::MIN)).unwrap() <= i64::MIN.into());
    }
}

#[test]
fn empty_buckets_are_filled_in_up_to_a_limit() {
    let mut hours = buckets(DateUnit::Hour, "UTC");
    let starts: Vec<_> = hours.between(-1, 1).unwrap().collect();
    assert_eq!(starts, [(-1, -3_600_000_000_000), (0, 0), (1, 3_600_000_000_000)]);
    assert!(hours.between(0, 100_000).map(|_| ()).is_err());
    assert!(hours.between(i64::MIN, i64::MAX).map(|_| ()).is_err());
    assert_eq!(hours.between(5, 4).unwrap().count(), 0);
}

#[test]
fn an_offset_moves_days() {
    assert_eq!(name(DateUnit::Day, "+02:00", "2013-03-31T22:30:00Z"), "2013-03-31T22:00:00Z");
    assert_eq!(name(DateUnit::Day, "UTC", "1969-12-31T22:30:00Z"), "1969-12-31T00:00:00Z");
    assert_eq!(name(DateUnit::Week, "-01:00", "2026-11-22T12:00:00Z"), "2026-11-16T01:00:00Z");
    assert_eq!(name(DateUnit::Quarter, "UTC", "2026-11-22T12:00:00Z"), "2026-10-01T00:00:00Z");
}

/// The name of a time's bucket of several units.
fn name_of(step: DateStep, zone: &str, time: &str) -> String {
    let mut buckets = DateBuckets::new(step, Zone::parse(zone).unwrap()).unwrap();
    let number = buckets.number_of(nanos(time));
    buckets.name(number).unwrap_or_else(|| panic!("{time} has no bucket")).to_string()
}

#[test]
fn several_units_are_counted_from_1970() {
    let quarter_hour = DateUnit::Minute.every(15);
    assert_eq!(name_of(quarter_hour, "UTC", "2026-11-22T06:14:59Z"), "2026-11-22T06:00:00Z");
    assert_eq!(name_of(quarter_hour, "+05:45", "1969-12-31T23:59:00Z"), "1969-12-31T23:45:00Z");
    assert_eq!(name_of(DateUnit::Week.every(2), "UTC", "1970-01-11T23:00:00Z"), "1969-12-29T00:00:00Z");
    assert_eq!(name_of(DateUnit::Month.every(5), "UTC", "1969-12-31T00:00:00Z"), "1969-08-01T00:00:00Z");
    assert_eq!(name_of(DateUnit::Year.every(10), "UTC", "2026-11-22T00:00:00Z"), "2020-01-01T00:00:00Z");
    let sunday = DateStep::weeks_from(crate::query::Weekday::Sunday);
    assert_eq!(name_of(sunday, "UTC", "2026-11-28T23:00:00Z"), "2026-11-22T00:00:00Z");
    let office = DateStep::from(DateUnit::Day).offset_seconds(6 * 3_600);
    assert_eq!(name_of(office, "+01:00", "2026-11-22T04:59:00Z"), "2026-11-21T05:00:00Z");
    assert_eq!(
        name_of(DateUnit::Month.every(1).offset_seconds(86_400), "UTC", "2026-03-01T09:00:00Z"),
        "2026-02-02T00:00:00Z"
    );
}

#[test]
fn steps_of_nothing_and_of_too_much_are_refused() {
    for step in [
        DateUnit::Day.every(0),
        DateUnit::Day.every(10_001),
        DateUnit::Day.every(1).offset_seconds(367 * 86_400),
        DateUnit::Day.every(1).offset_seconds(i64::MIN + 1),
    ] {
        let error = DateBuckets::new(step, Zone::UTC).unwrap_err();
        assert!(matches!(error, StatisticsError::BadStep { .. }), "{error}");
    }
}

#[cfg(feature = "time-zones")]
#[test]
fn long_buckets_contain_both_passes_of_a_repeated_hour() {
    // The clock goes back from 3 to 2 o'clock at 2013-10-27T01:00:00Z.
    let six_hours = DateUnit::Hour.every(6);
    for time in ["2013-10-26T22:30:00Z", "2013-10-27T00:30:00Z", "2013-10-27T01:30:00Z", "2013-10-27T04:59:59Z"] {
        assert_eq!(name_of(six_hours, "Europe/Zurich", time), "2013-10-26T22:00:00Z");
    }
    assert_eq!(name_of(six_hours, "Europe/Zurich", "2013-10-27T05:00:00Z"), "2013-10-27T05:00:00Z");
    assert_eq!(name_of(DateUnit::Minute.every(30), "Europe/Zurich", "2013-10-27T01:10:00Z"), "2013-10-27T01:00:00Z");
    // Days that begin at 6 o'clock, in summer and in winter.
    let office = DateStep::from(DateUnit::Day).offset_seconds(6 * 3_600);
    assert_eq!(name_of(office, "Europe/Zurich", "2013-10-27T04:59:00Z"), "2013-10-26T04:00:00Z");
    assert_eq!(name_of(office, "Europe/Zurich", "2013-10-27T05:00:00Z"), "2013-10-27T05:00:00Z");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn buckets_of_several_units_begin_at_or_before_their_times(
        unit in any_unit(),
        every in prop_oneof![1u32..50, 1u32..=10_000],
        offset in -31_622_400i64..=31_622_400,
        zone in prop::sample::select(if cfg!(feature = "time-zones") {
            vec!["UTC", "-07:30", "Europe/Zurich", "Australia/Lord_Howe", "Pacific/Apia"]
        } else {
            vec!["UTC", "-07:30"]
        }),
        times in prop::collection::vec(prop_oneof![any::<i64>(), 0..4_000_000_000_000_000_000i64], 1..12),
    ) {
        let mut buckets = DateBuckets::new(unit.every(every).offset_seconds(offset), Zone::parse(zone).unwrap()).unwrap();
        check_even(&mut buckets.clone(), &times);
        for time in times {
            let number = buckets.number_of(time);
            let start = buckets.start(number).unwrap();
            prop_assert!(start <= time.into());
            if start > i64::MIN.into() {
                prop_assert_eq!(buckets.number_of_wide(start), Some(number));
                prop_assert!(buckets.number_of_wide(start - 1) < Some(number));
            }
            prop_assert_eq!(buckets.clone().start(number), Some(start));
        }
    }
}

#[cfg(feature = "time-zones")]
mod named {
    use super::*;
    use jiff::Timestamp;
    use jiff::civil::Date;
    use jiff::tz::{TimeZone, TimeZoneDatabase};

    const ZONES: [&str; 16] = [
        "Europe/Zurich",
        "Europe/Dublin",
        "Europe/London",
        "America/Sao_Paulo",
        "America/St_Johns",
        "America/Juneau",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Asia/Manila",
        "Asia/Gaza",
        "Africa/Casablanca",
        "Africa/Monrovia",
        "Pacific/Apia",
        "Pacific/Kwajalein",
        "Antarctica/Troll",
    ];

    fn jiff(name: &str) -> TimeZone {
        TimeZoneDatabase::bundled().get(name).unwrap()
    }

    /// The first day of the unit that contains a day, computed by the calendar of `jiff`.
    fn first_day(unit: DateUnit, date: Date) -> Date {
        match unit {
            DateUnit::Week => date.checked_sub(jiff::Span::new().days(date.weekday().to_monday_zero_offset())).unwrap(),
            DateUnit::Month => date.first_of_month(),
            DateUnit::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).unwrap(),
            DateUnit::Year => date.first_of_year(),
            _ => date,
        }
    }

    /// The start of a second's bucket, found by walking back.
    fn naive_start(unit: DateUnit, zone: &TimeZone, second: i64) -> i64 {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        if unit.seconds_within_day().is_none() {
            let day = first_day(unit, zone.to_datetime(at(second)).date());
            // The first instant of the day, or of the first later day that exists.
            return zone.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).unwrap().as_second();
        }
        let clock = |second: i64| {
            let time = zone.to_datetime(at(second));
            (time.date(), time.hour(), if unit == DateUnit::Minute { time.minute() } else { 0 })
        };
        let offset = |second: i64| zone.to_offset(at(second));
        let continues = |second: i64| clock(second - 1) == clock(second) && offset(second - 1) <= offset(second);
        (0..).map(|back| second - back).find(|second| !continues(*second)).unwrap()
    }

    fn check(unit: DateUnit, zone: &str, buckets: &mut DateBuckets, second: i64) {
        let number = buckets.number_of(second * 1_000_000_000);
        let start = buckets.start(number).unwrap();
        let expected = i128::from(naive_start(unit, &jiff(zone), second)) * 1_000_000_000;
        assert_eq!(start, expected, "{unit:?} in {zone} of {second}");
        assert_eq!(buckets.number_of_wide(start), Some(number), "{unit:?} in {zone} of {second}");
        let mut other = DateBuckets::new(unit, Zone::parse(zone).unwrap()).unwrap();
        assert_eq!(other.start(number), Some(start), "{unit:?} in {zone} of {second}");
        assert_eq!(other.number_of(second * 1_000_000_000), number);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn buckets_in_any_zone_are_as_the_clock_shows(
            unit in any_unit(),
            zone in prop::sample::select(ZONES.to_vec()),
            seconds in prop::collection::vec(prop_oneof![-5_000_000_000i64..5_000_000_000, 1_300_000_000..1_400_000_000i64], 1..6),
            near in -90_000i64..90_000,
        ) {
            let mut buckets = buckets(unit, zone);
            let times: Vec<i64> = seconds.iter().map(|second| second * 1_000_000_000 + near).collect();
            check_even(&mut buckets, &times);
            for second in seconds {
                check(unit, zone, &mut buckets, second);
                // Around and at the next transition.
                let rules = jiff(zone);
                let next = rules.following(Timestamp::from_second(second).unwrap()).next();
                if let Some(at) = next.map(|next| next.timestamp().as_second()).filter(|at| *at < 9_000_000_000) {
                    for second in [at - 1, at, at + 1, at + near, at + near / 40] {
                        check(unit, zone, &mut buckets, second);
                    }
                }
            }
        }

        #[test]
        fn hours_are_numbered_without_a_gap(zone in prop::sample::select(ZONES.to_vec()), first in -700_000i64..700_000) {
            let mut hours = buckets(DateUnit::Hour, zone);
            let starts: Vec<_> = hours.between(first, first + 5_000).unwrap().collect();
            prop_assert_eq!(starts.len(), 5_001);
            for pair in starts.windows(2) {
                prop_assert!(pair[0].1 < pair[1].1);
                prop_assert_eq!(hours.number_of_wide(pair[1].1 - 1), Some(pair[0].0));
            }
        }
    }

    #[test]
    fn an_hour_that_is_repeated_is_two_buckets() {
        let hour = |time| name(DateUnit::Hour, "Europe/Zurich", time);
        // Both local times are half past two.
        assert_eq!(hour("2013-10-27T00:30:00Z"), "2013-10-27T00:00:00Z");
        assert_eq!(hour("2013-10-27T01:30:00Z"), "2013-10-27T01:00:00Z");
        // Half past one and half past three.
        assert_eq!(hour("2013-03-31T00:30:00Z"), "2013-03-31T00:00:00Z");
        assert_eq!(hour("2013-03-31T01:30:00Z"), "2013-03-31T01:00:00Z");
        let mut days = buckets(DateUnit::Day, "Europe/Zurich");
        let day = days.number_of(nanos("2013-03-31T12:00:00Z"));
        let length = |days: &mut DateBuckets, day: i64| {
            (days.start(day + 1).unwrap() - days.start(day).unwrap()) / 3_600_000_000_000
        };
        assert_eq!((length(&mut days, day - 1), length(&mut days, day), length(&mut days, day + 210)), (24, 23, 25));
        assert_eq!(name(DateUnit::Year, "Europe/Zurich", "2013-06-01T00:00:00Z"), "2012-12-31T23:00:00Z");
        assert_eq!(name(DateUnit::Quarter, "Europe/Zurich", "2013-06-01T00:00:00Z"), "2013-03-31T22:00:00Z");
    }

    #[test]
    fn a_day_without_midnight_begins_when_it_begins() {
        // On 2013-10-20 at 00:00 the clock went forward to 01:00.
        assert_eq!(name(DateUnit::Day, "America/Sao_Paulo", "2013-10-20T12:00:00Z"), "2013-10-20T03:00:00Z");
        assert_eq!(name(DateUnit::Day, "America/Sao_Paulo", "2013-10-20T02:59:59Z"), "2013-10-19T03:00:00Z");
        // On 2013-02-17 at 00:00 it went back to 23:00, so the day before had 25 hours.
        assert_eq!(name(DateUnit::Day, "America/Sao_Paulo", "2013-02-17T02:30:00Z"), "2013-02-16T02:00:00Z");
        assert_eq!(name(DateUnit::Day, "America/Sao_Paulo", "2013-02-17T03:00:00Z"), "2013-02-17T03:00:00Z");
    }

    #[test]
    fn a_day_that_is_shown_twice_is_one_bucket() {
        // On 2010-11-07 at 00:01 the clock went back to 23:01 of the day before.
        let day = |time| name(DateUnit::Day, "America/St_Johns", time);
        assert_eq!(day("2010-11-07T02:30:30Z"), "2010-11-07T02:30:00Z");
        assert_eq!(day("2010-11-07T02:31:00Z"), "2010-11-06T02:30:00Z");
        assert_eq!(day("2010-11-07T03:30:00Z"), "2010-11-07T02:30:00Z");
    }

    #[test]
    fn a_clock_that_is_put_on_within_an_hour_stays_in_its_bucket() {
        // On 1916-07-28 at 00:01 the clock of Athens went forward to 00:26:08.
        let mut hours = buckets(DateUnit::Hour, "Europe/Athens");
        let before = hours.number_of(nanos("1916-07-27T22:26:07Z"));
        assert_eq!(hours.number_of(nanos("1916-07-27T22:26:08Z")), before);
        assert_eq!(hours.number_of(nanos("1916-07-27T22:59:59Z")), before);
        assert_eq!(hours.number_of(nanos("1916-07-27T23:00:00Z")), before + 1);
        assert_eq!(hours.name(before).unwrap().to_string(), "1916-07-27T22:25:08Z");
        assert_eq!(hours.name(before + 1).unwrap().to_string(), "1916-07-27T23:00:00Z");
    }

    #[test]
    fn half_hours_and_quarters() {
        // On 2013-04-07 at 02:00 the clock went back to 01:30, on 2013-10-06 at 02:00 forward to 02:30.
        let hour = |time| name(DateUnit::Hour, "Australia/Lord_Howe", time);
        assert_eq!(hour("2013-04-06T14:59:00Z"), "2013-04-06T14:00:00Z");
        assert_eq!(hour("2013-04-06T15:10:00Z"), "2013-04-06T15:00:00Z");
        assert_eq!(hour("2013-04-06T15:40:00Z"), "2013-04-06T15:30:00Z");
        assert_eq!(hour("2013-10-05T15:40:00Z"), "2013-10-05T15:30:00Z");
        assert_eq!(hour("2013-10-05T16:10:00Z"), "2013-10-05T16:00:00Z");
        assert_eq!(name(DateUnit::Hour, "Asia/Kathmandu", "2013-01-01T00:20:00Z"), "2013-01-01T00:15:00Z");
        assert_eq!(name(DateUnit::Day, "Asia/Kathmandu", "2013-01-01T00:20:00Z"), "2012-12-31T18:15:00Z");
    }

    #[test]
    fn a_day_that_was_left_out_has_no_bucket() {
        // Samoa skipped 30 December 2011.
        let mut days = buckets(DateUnit::Day, "Pacific/Apia");
        let day = days.number_of(nanos("2011-12-30T09:59:59Z"));
        assert_eq!(days.number_of(nanos("2011-12-30T10:00:00Z")), day + 2);
        assert_eq!(days.start(day + 1), None);
        let all: Vec<_> = days.between(day, day + 2).unwrap().map(|(number, _)| number).collect();
        assert_eq!(all, [day, day + 2]);
        assert_eq!(days.name(day + 2).unwrap().to_string(), "2011-12-30T10:00:00Z");
    }
}
