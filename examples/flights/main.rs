//! A month of real flights in memdex: stores, finds, aggregates, pages through and updates them, and rolls back a batch.
//!
//! ```text
//! cargo run --release --example flights
//! ```
//!
//! Read it from top to bottom. In the same folder, `statistics.rs` computes statistics, `arrivals.rs` pages through flights
//! and explains queries, `january.rs` reads the data, and `tables.rs` prints.

mod arrivals;
mod january;
mod statistics;
mod tables;

use indicatif::HumanBytes;
use memdex::query::Predicate;
use memdex::{Collection, Handle, Record, Snapshot, Store, Timestamp, field};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;
use tables::{count, heading, left, right};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A flight. No single field identifies it, so six fields form the key.
#[derive(Clone, Debug, Record)]
// The arrivals of a carrier at an airport in order of time, so that queries need no sort.
#[record(ordered(carrier, dest, arrived))]
struct Flight {
    #[record(key)]
    month: u8,
    #[record(key)]
    day: u8,
    #[record(key, index)] // part of the key, and indexed
    carrier: String,
    #[record(key, rename = "flight")] // the name in queries that name fields at run time
    number: u16,
    #[record(key, index)]
    origin: String,
    #[record(key)]
    sched_dep_time: u16, // 1545 is 15:45
    #[record(index)]
    tailnum: Option<String>, // the plane; unknown for some cancelled flights
    #[record(index)]
    dest: String,
    #[record(column)] // stored in a column too, for statistics and scans
    dep_delay: Option<i16>, // minutes; `None` if it was cancelled
    #[record(field)] // without an index: queries scan the records
    arr_delay: Option<i16>,
    #[record(column)]
    scheduled: Timestamp, // the scheduled departure, in New York's time
    #[record(field)] // part of the ordered index above
    arrived: Option<Timestamp>, // local time at the destination; `None` if it never arrived
    distance: u16, // miles; without an attribute, queries can't name it
}

impl Flight {
    fn is_cancelled(&self) -> bool {
        self.dep_delay.is_none()
    }

    /// Whether it left at least 15 minutes late, the official definition.
    fn is_late(&self) -> bool {
        self.dep_delay.is_some_and(|minutes| minutes >= 15)
    }

    /// This flight with a longer delay.
    fn delayed(&self, minutes: i16) -> Flight {
        let later = |delay: Option<i16>| delay.map(|delay| delay + minutes);
        let arrived = self.arrived.map(|arrived| january::after(arrived, minutes.into()));
        Flight { dep_delay: later(self.dep_delay), arr_delay: later(self.arr_delay), arrived, ..self.clone() }
    }
}

/// An airline with its counts, in a second collection.
#[derive(Clone, Debug, Record)]
struct Airline {
    #[record(key)]
    carrier: String,
    name: &'static str,
    flights: usize,
    late: usize,
    cancelled: usize,
}

impl Airline {
    fn withdraw(&mut self, flights: usize) -> Result<(), String> {
        if flights >= self.flights {
            return Err(format!("{} would have no flight left", self.name));
        }
        self.flights -= flights;
        Ok(())
    }
}

fn main() -> Result<()> {
    let store = Store::new();
    let flights = store.collection::<Flight>("Flight")?;
    store_flights(&store, &flights)?;

    let airlines = store.collection::<Airline>("Airline")?;
    count_by_airline(&store, &flights, &airlines)?;

    find_by_plane(&flights, "N730MQ")?;
    find_by_route(&flights)?;
    find_by_names(&flights, "carrier=VX&origin=JFK&dest=SFO")?;

    statistics::delays_by_carrier(&flights)?;
    statistics::departures_by_day(&flights)?;
    arrivals::page_through(&flights, "DL", "ATL")?;
    arrivals::explain(&flights)?;

    delay_in_one_commit(&store, &flights, &airlines)?;
    refuse_a_batch(&store, &flights, &airlines)?;

    heading("Audit the store");
    let audit = store.verify()?;
    println!(
        "Every structure is consistent with every record: {} collections, {} records, {} index entries.",
        audit.collections,
        count(audit.records),
        count(audit.index_entries)
    );
    Ok(())
}

/// A writer buffers operations and commits them a hundred at a time.
fn store_flights(store: &Store, flights: &Collection<Flight>) -> Result<()> {
    heading("Store the flights that left New York in January 2013");
    let rows = january::flights()?;
    let bar = tables::progress_bar(rows.len());

    let started = Instant::now();
    let mut writer = store.writer();
    for flight in bar.wrap_iter(rows.into_iter()) {
        writer.store(flights, flight)?;
    }
    writer.flush()?;
    let took = started.elapsed();

    let stats = store.stats();
    println!(
        "Stored {} flights in {took:.1?} with {} commits: {} a second. Memory in use:\n",
        count(flights.len()),
        stats.commits,
        count((flights.len() as f64 / took.as_secs_f64()) as usize)
    );
    let Some(memory) = stats.collections.iter().find(|it| it.name == flights.name()).map(|it| it.memory) else {
        return Err("the store has no statistics of the collection".into());
    };
    let parts = [
        ("records", memory.records, "the flights"),
        ("heap of records", memory.record_heap, "the strings of the flights"),
        ("versions", memory.versions, "for each record: key, commit, reference counts"),
        ("key table", memory.key_table, "key → flight"),
        ("row pages", memory.row_pages, "row number → flight"),
        ("indexes", memory.indexes, "carrier, origin, tailnum, dest and arrival → rows"),
        ("codes", memory.back_references, "row → its entries in the indexes"),
        ("columns", memory.columns, "row → delay and scheduled departure"),
        ("bookkeeping", memory.bookkeeping, "versions retained for snapshots, and free rows"),
        ("all", memory.total(), ""),
    ];
    let rows = parts.map(|(part, bytes, what)| {
        let a_flight = bytes as f64 / flights.len() as f64;
        [part.into(), HumanBytes(bytes as u64).to_string(), format!("{a_flight:.0} B"), what.into()]
    });
    tables::print([left("part"), right("memory"), right("a flight"), left("contents")], rows);
    Ok(())
}

/// A batch collects operations until it is committed: readers see all sixteen airlines at once.
fn count_by_airline(store: &Store, flights: &Collection<Flight>, airlines: &Collection<Airline>) -> Result<()> {
    heading("Count flights by airline in a second collection");
    let mut batch = store.batch();
    for (carrier, name) in january::AIRLINES {
        let theirs = flights.find(flight::CARRIER.eq(carrier)).fetch()?;
        let late = theirs.iter().filter(|flight| flight.is_late()).count();
        let cancelled = theirs.iter().filter(|flight| flight.is_cancelled()).count();
        let airline = Airline { carrier: carrier.into(), name, flights: theirs.len(), late, cancelled };
        batch.insert(airlines, airline)?;
    }
    batch.commit()?;

    let mut by_size: Vec<Handle<Airline>> = airlines.iter().collect();
    by_size.sort_by_key(|airline| std::cmp::Reverse(airline.flights));
    let rows = by_size.iter().map(|airline| {
        let [flights, late, cancelled] = [airline.flights, airline.late, airline.cancelled].map(count);
        [airline.carrier.clone(), airline.name.into(), flights, late, cancelled]
    });
    let columns = [left(""), left("airline"), right("flights"), right("15 min late"), right("cancelled")];
    tables::print(columns, rows);
    Ok(())
}

/// Uses one index. Results are handles: owned, without a lock, and they dereference to the flight.
fn find_by_plane(flights: &Collection<Flight>, tailnum: &str) -> Result<()> {
    heading(&format!("The flights of one plane, {tailnum}"));
    tables::print_flights(flights.find(flight::TAILNUM.eq(tailnum)).fetch()?.records, 10);

    let unknown = flights.find(flight::TAILNUM.is_null()).count()?;
    let cancelled = flights.find(flight::TAILNUM.is_null() & flight::DEP_DELAY.is_null()).count()?;
    println!("\nThe plane of {unknown} flights is unknown; {cancelled} of them were cancelled.");
    Ok(())
}

/// Uses three indexes. The derive generates `flight::DEST` and the other fields: a misspelt field or a comparison with
/// a wrong type does not compile.
fn find_by_route(flights: &Collection<Flight>) -> Result<()> {
    heading("Carrier and origin and destination: JetBlue from Kennedy to New Orleans");
    let route = flights.find(flight::CARRIER.eq("B6") & flight::ORIGIN.eq("JFK") & flight::DEST.eq("MSY"));

    let started = Instant::now();
    let found = route.count()?;
    println!("{found} flights, counted in {:.1?} without reading a record. The flights:\n", started.elapsed());
    tables::print_flights(route.fetch()?.records, 5);
    Ok(())
}

/// Fields can also be named at run time. The query checks when it runs that they exist and that the values fit.
fn find_by_names(flights: &Collection<Flight>, conditions: &str) -> Result<()> {
    heading(&format!("Fields named at run time: {conditions}"));
    let mut predicate = Predicate::All;
    for (name, value) in conditions.split('&').filter_map(|part| part.split_once('=')) {
        predicate &= field(name.to_owned()).eq(value);
    }
    println!("{} flights. The error for an unknown field:\n", flights.find(predicate).count()?);
    if let Err(error) = flights.find(field("destination").eq("SFO")).count() {
        tables::print_wrapped(&error.to_string());
    }
    Ok(())
}

/// A commit changes both collections at once. A snapshot keeps showing the whole store at one commit, and blocks neither
/// readers nor writers.
fn delay_in_one_commit(store: &Store, flights: &Collection<Flight>, airlines: &Collection<Airline>) -> Result<()> {
    heading("One commit over both collections: ice at Kennedy delays Endeavor Air on the 31st");
    let that_day = || flight::CARRIER.eq("9E") & flight::ORIGIN.eq("JFK") & flight::DAY.eq(31);

    let before = store.snapshot();
    let delayed = before.of(flights).find(that_day() & !flight::DEP_DELAY.is_null()).fetch()?;
    let now_late = delayed.iter().filter(|flight| !flight.is_late() && flight.delayed(20).is_late()).count();
    let receipt = store.commit(|batch| {
        for flight in &delayed {
            // If the record has changed since the snapshot, the whole batch is refused.
            batch.if_unchanged(flight.commit()).update(flights, flight.key(), |flight| *flight = flight.delayed(20))?;
        }
        batch.update(airlines, "9E", move |airline| airline.late += now_late)
    })?;
    let after = store.snapshot();

    println!("{} flights leave 20 minutes later, and the airline's count of late flights changes too.", delayed.len());
    println!("{} records changed in {:.1?}. The two snapshots show:\n", receipt.counts.updated, receipt.took);
    let seen = |snapshot: &Snapshot| -> Result<[String; 5]> {
        let flights = snapshot.of(flights);
        let that_day = flights.find(that_day()).fetch()?;
        let all = flights.find(flight::CARRIER.eq("9E")).fetch()?;
        let delays: Vec<f64> = that_day.iter().filter_map(|flight| flight.dep_delay).map(f64::from).collect();
        let counted = snapshot.of(airlines).get("9E").map_or(0, |airline| airline.late);
        Ok([
            snapshot.commit().to_string(),
            that_day.iter().filter(|flight| flight.is_late()).count().to_string(),
            format!("{:.1} min", delays.iter().sum::<f64>() / delays.len() as f64),
            all.iter().filter(|flight| flight.is_late()).count().to_string(),
            counted.to_string(),
        ])
    };
    let rows = [
        "commit",
        "late that day, from Kennedy",
        "mean delay that day, without cancelled flights",
        "late in the month, counted flight by flight",
        "late in the month, in the airline's record",
    ];
    tables::print_side_by_side(rows, seen(&before)?, seen(&after)?);
    Ok(())
}

/// If a closure returns an error, the whole batch is rolled back.
fn refuse_a_batch(store: &Store, flights: &Collection<Flight>, airlines: &Collection<Airline>) -> Result<()> {
    heading("A refused batch: delete all flights to Honolulu");
    let seen = || -> Result<[String; 5]> {
        let flights_of = |carrier| airlines.get(carrier).map_or(0, |airline| airline.flights);
        Ok([
            store.stats().commits.to_string(),
            count(flights.len()),
            count(flights.find(flight::DEST.eq("HNL")).count()?),
            count(flights_of("UA")),
            count(flights_of("HA")),
        ])
    };
    let before = seen()?;

    let mut batch = store.batch();
    let mut lost = BTreeMap::<String, usize>::new();
    for flight in flights.find(flight::DEST.eq("HNL")).fetch()? {
        batch.delete(flights, flight.key())?;
        *lost.entry(flight.carrier.clone()).or_default() += 1;
    }
    for (carrier, flights) in lost.into_iter().rev() {
        batch.update(airlines, carrier, move |airline| airline.withdraw(flights))?;
    }
    let operations = batch.len();
    let Err(refused) = batch.commit() else { return Err("the batch should have been refused".into()) };

    println!("The last of {operations} operations is refused:\n");
    tables::print_wrapped(&refused.to_string());
    store.verify()?; // an error if it finds an inconsistency
    println!("\nNone of them took effect, and an audit of the whole store finds no inconsistency:\n");
    let rows = ["newest commit", "flights", "flights to Honolulu", "flights of United", "flights of Hawaiian"];
    tables::print_side_by_side(rows, before, seen()?);
    Ok(())
}
