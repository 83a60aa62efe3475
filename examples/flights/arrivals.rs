//! Pages through sorted flights, and explains how a query runs.

use crate::tables::{self, count, delay, heading, left, right};
use crate::{Flight, Result, flight, january};
use memdex::query::{Cursor, Find};
use memdex::{Collection, IndexDef};

/// The newest arrivals of a carrier at an airport.
fn newest_first(flights: &Collection<Flight>, carrier: &str, dest: &str) -> Find<Flight> {
    let theirs = flights.find(flight::CARRIER.eq(carrier) & flight::DEST.eq(dest));
    theirs.order_by(flight::ARRIVED.desc()).limit(5)
}

/// Each page has a cursor that marks the start of the next page. A cursor is text, so a server can send it to a client and
/// read it back; the store keeps no state in between.
pub(crate) fn page_through(flights: &Collection<Flight>, carrier: &str, dest: &str) -> Result<()> {
    heading(&format!("The latest arrivals of {carrier} at {dest}, five a page"));
    let mut cursor = None::<String>;
    for number in 1..=3 {
        let mut query = newest_first(flights, carrier, dest);
        match &cursor {
            None => query = query.with_total(),
            Some(text) => query = query.after(text.parse::<Cursor>()?),
        }
        let page = query.fetch()?;
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
        println!("Page 4 starts after this cursor:\n\n  {cursor}");
    }
    Ok(())
}

/// Prints query plans. The inputs of a step are indented below it. This is the first thing to check if a query is slow.
pub(crate) fn explain(flights: &Collection<Flight>) -> Result<()> {
    heading("Explain a query");
    println!("The first page is read from the end of the ordered index; a sixth row tells if a second page follows:\n");
    tables::print_indented(&newest_first(flights, "DL", "ATL").explain()?.to_string());

    println!("\nArrivals more than ten hours late need a full scan, and explain gives advice:\n");
    let very_late = flights.find(flight::ARR_DELAY.gt(600)).order_by(flight::ARR_DELAY.desc());
    tables::print_indented(&very_late.explain()?.to_string());

    flights.add_index(IndexDef::ordered("arr_delay"))?;
    println!("\nThe same query with that index:\n");
    tables::print_indented(&very_late.explain()?.to_string());
    flights.drop_index("arr_delay")?;
    Ok(())
}
