//! Statistics over many flights, computed from indexes and columns where possible.

use crate::tables::{self, count, heading, left, right};
use crate::{Flight, Result, flight, january};
use memdex::aggregate::{DateUnit, Statistics};
use memdex::typing::ValueRef;
use memdex::{Bucket, Collection, Filter, GroupBy, Metric};

/// Groups by carrier with metrics, limited to the groups with the highest mean.
pub(crate) fn delays_by_carrier(flights: &Collection<Flight>) -> Result<()> {
    heading("The ten carriers with the longest mean departure delay");
    let metrics =
        || [Metric::count(), flight::DEP_DELAY.avg().named("mean"), flight::DEP_DELAY.percentile(90.0).named("p90")];
    let by_carrier = GroupBy::values(flight::CARRIER).metrics(metrics()).top(10, "mean");
    let summary = flights.find(Filter::all()).statistics(Statistics::of(metrics()).group_by(by_carrier))?;

    let name = |carrier: &str| january::AIRLINES.iter().find(|(code, _)| *code == carrier).map_or("", |(_, name)| name);
    let minutes = |figure: Option<f64>| figure.map_or("–".into(), |minutes| format!("{minutes:.1}"));
    let row = |airline: &str, figures: &memdex::aggregate::MetricValues| {
        let flights = figures.int("count").unwrap_or(0);
        [airline.into(), count(flights as usize), minutes(figures.float("mean")), minutes(figures.float("p90"))]
    };
    let rows = summary.groups().iter().map(|group| match group.key[0].as_ref() {
        ValueRef::Str(carrier) => row(name(carrier), group),
        _ => row("", group),
    });
    let all = format!("all {} carriers", summary.groups_in_all());
    let rows = rows.chain([row(&all, &summary)]);
    tables::print([left("airline"), right("flights"), right("mean delay, min"), right("90th percentile, min")], rows);
    println!("\nComputed in {:.1?}. Cancelled flights are counted, but have no delay.", summary.took);
    Ok(())
}

/// Groups by day in the time zone of New York, where a UTC day starts at seven in the evening.
pub(crate) fn departures_by_day(flights: &Collection<Flight>) -> Result<()> {
    heading("Departures by day");
    let by_day = Bucket::date_in(flight::SCHEDULED, DateUnit::Day, january::ZONE);
    // Cancelled flights have no delay, so the count of delays is the count of departures.
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
        // The key of a bucket is its start, which prints as 2013-01-31T05:00:00Z.
        let date: String = day.to_string().chars().take(10).collect();
        [weekday(day).into(), date, count(*departed), count(*cancelled), tables::bar(*departed, most)]
    });
    tables::print([left(""), left("day"), right("departed"), right("cancelled"), left("")], rows);
    println!("\n{} days in {:.1?}.", days.len(), summary.took);
    Ok(())
}

fn weekday(day: &memdex::Value) -> &'static str {
    const DAY: i128 = 24 * 60 * 60 * 1_000_000_000; // nanoseconds
    // January 1, 1970 was a Thursday.
    match day.as_ref() {
        ValueRef::Timestamp(nanos) => {
            ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(nanos / DAY).rem_euclid(7) as usize]
        }
        _ => "",
    }
}
