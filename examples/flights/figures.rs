//! Questions about many flights at once. They are answered from indexes and columns where these know enough.

use crate::tables::{self, count, heading, left, right};
use crate::{Flight, Result, flight, january};
use memdex::{Bucket, Collection, DateUnit, Filter, GroupBy, Metric, Statistics, ValueRef};

/// A group for each carrier, with figures of each, and the groups with the highest of one of them.
pub(crate) fn delays_by_carrier(flights: &Collection<Flight>) -> Result<()> {
    heading("Who leaves latest: the ten carriers with the longest mean delay");
    let figures =
        || [Metric::count(), flight::DEP_DELAY.avg().named("mean"), flight::DEP_DELAY.percentile(90.0).named("p90")];
    let by_carrier = GroupBy::values(flight::CARRIER).metrics(figures()).top(10, "mean");
    let summary = flights.find(Filter::all()).statistics(Statistics::of(figures()).group_by(by_carrier))?;

    let name = |carrier: &str| january::AIRLINES.iter().find(|(code, _)| *code == carrier).map_or("", |(_, name)| name);
    let minutes = |figure: Option<f64>| figure.map_or("–".into(), |minutes| format!("{minutes:.1}"));
    let row = |airline: &str, figures: &memdex::Figures| {
        let flights = figures.int("count").unwrap_or(0);
        [airline.into(), count(flights as usize), minutes(figures.float("mean")), minutes(figures.float("p90"))]
    };
    let rows = summary.groups().iter().map(|group| match group.key[0].as_ref() {
        ValueRef::Str(carrier) => row(name(carrier), group),
        _ => row("", group),
    });
    let all = format!("all {} carriers", summary.groups_in_all());
    let rows = rows.chain([row(&all, &summary)]);
    tables::print([left("airline"), right("flights"), right("mean delay, min"), right("9 in 10 below, min")], rows);
    println!("\nAll of it in {:.1?}. Cancelled flights are counted, but have no delay.", summary.took);
    Ok(())
}

/// A group for each day of New York's calendar: UTC's days would begin at seven in the evening.
pub(crate) fn departures_by_day(flights: &Collection<Flight>) -> Result<()> {
    heading("Departures by day");
    let by_day = Bucket::date_in(flight::SCHEDULED, DateUnit::Day, january::ZONE);
    // What never left has no delay, so a count of delays is one of departures.
    let departed = flight::DEP_DELAY.count().named("departed");
    let by_day = GroupBy::from(by_day).with_empty().metrics([Metric::count(), departed]);
    let summary = flights.find(Filter::all()).statistics(by_day)?;

    let days = summary.groups().iter().map(|group| {
        let figure = |name| group.int(name).unwrap_or(0) as usize;
        (&group.key[0], figure("departed"), figure("count") - figure("departed"))
    });
    let days: Vec<_> = days.collect();
    let most = days.iter().map(|(_, departed, _)| *departed).max().unwrap_or(0);
    let rows = days.iter().map(|(day, departed, cancelled)| {
        // A bucket is named by its first moment, which prints as 2013-01-31T05:00:00Z.
        let date: String = day.to_string().chars().take(10).collect();
        [weekday(day).into(), date, count(*departed), count(*cancelled), tables::bar(*departed, most)]
    });
    tables::print([left(""), left("day"), right("departed"), right("cancelled"), left("")], rows);
    println!("\n{} days in {:.1?}.", days.len(), summary.took);
    Ok(())
}

fn weekday(day: &memdex::Value) -> &'static str {
    const DAY: i128 = 24 * 60 * 60 * 1_000_000_000; // nanoseconds
    // The first of January 1970 was a Thursday.
    match day.as_ref() {
        ValueRef::Timestamp(nanos) => {
            ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(nanos / DAY).rem_euclid(7) as usize]
        }
        _ => "",
    }
}
