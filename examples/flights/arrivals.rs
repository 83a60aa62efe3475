//! Flights in an order, page by page; and how a query is answered.

use crate::tables::{self, count, delay, heading, left, right};
use crate::{Flight, Result, flight, january};
use memdex::{Collection, Cursor, Find, IndexDef};

/// The newest arrivals of a carrier at an airport.
fn newest_first(flights: &Collection<Flight>, carrier: &str, dest: &str) -> Find<Flight> {
    let theirs = flights.find(flight::CARRIER.eq(carrier) & flight::DEST.eq(dest));
    theirs.order_by(flight::ARRIVED.desc()).limit(5)
}

/// Each page says where the next one begins, in a cursor. It is text, so that it can go out to whoever turns the pages,
/// and come back; the store keeps nothing meanwhile.
pub(crate) fn page_through(flights: &Collection<Flight>, carrier: &str, dest: &str) -> Result<()> {
    heading(&format!("The latest arrivals of {carrier} at {dest}, five a page"));
    let mut cursor = None::<String>;
    for number in 1..=3 {
        let mut query = newest_first(flights, carrier, dest);
        match &cursor {
            None => query = query.with_total(),
            Some(text) => query = query.after(text.parse::<Cursor>()?),
        }
        let page = query.page()?;
        let of = page.total.map_or(String::new(), |total| format!(" of {} flights", count(total)));
        println!("Page {number}{of}, in {:.1?}:\n", page.took);
        let rows = page.records.iter().map(|flight| {
            [
                flight.arrived.map_or("–".into(), january::clock),
                delay(flight.arr_delay),
                format!("{} {}", flight.carrier, flight.number),
                format!("{} → {}", flight.origin, flight.dest),
                january::clock(flight.scheduled),
            ]
        });
        let columns = [left("arrived"), right("late, min"), left("flight"), left("route"), left("was to leave")];
        tables::print(columns, rows);
        println!();
        cursor = page.next.map(|next| next.to_string());
    }
    if let Some(cursor) = cursor {
        println!("Page 4 begins behind this cursor:\n\n  {cursor}");
    }
    Ok(())
}

/// How the store answers: each step rests on those that are indented below it. Whoever wonders why a query is slow asks
/// this first.
pub(crate) fn explain(flights: &Collection<Flight>) -> Result<()> {
    heading("How is that found?");
    println!("The first page is the end of the ordered index; a sixth row tells whether a second page follows:\n");
    tables::print_indented(&newest_first(flights, "DL", "ATL").explain()?.to_string());

    println!("\nWho came more than ten hours late? Every flight is looked at, and there is some advice:\n");
    let very_late = flights.find(flight::ARR_DELAY.gt(600)).order_by(flight::ARR_DELAY.desc());
    tables::print_indented(&very_late.explain()?.to_string());

    flights.add_index(IndexDef::ordered("arr_delay"))?;
    println!("\nThe same question, once there is such an index:\n");
    tables::print_indented(&very_late.explain()?.to_string());
    flights.drop_index("arr_delay")?;
    Ok(())
}
