//! A month of real flights through memdex: stored, found, summed up, paged through, changed, and a change refused.
//!
//! ```text
//! cargo run --release --example flights
//! ```
//!
//! Read it from top to bottom. `figures.rs` beside it has the questions about many flights at once, `arrivals.rs` pages
//! through some of them and asks how; `january.rs` reads the data, `tables.rs` prints.

mod arrivals;
mod figures;
mod january;
mod tables;

use indicatif::HumanBytes;
use memdex::{Collection, Handle, Predicate, Record, Snapshot, Store, Timestamp, field};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;
use tables::{count, heading, left, right};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What is stored. No single field tells two flights apart, so six of them are the key together.
#[derive(Clone, Debug, Record)]
// The arrivals of a carrier at an airport, by time: no query has to sort them.
#[record(ordered(carrier, dest, arrived))]
struct Flight {
    #[record(key)]
    month: u8,
    #[record(key)]
    day: u8,
    #[record(key, index)] // found by an index, besides being part of the key
    carrier: String,
    #[record(key, rename = "flight")] // how queries call it that name it at run time
    number: u16,
    #[record(key, index)]
    origin: String,
    #[record(key)]
    sched_dep_time: u16, // 1545 is 15:45
    #[record(index)]
    tailnum: Option<String>, // which plane; unknown for some that never left
    #[record(index)]
    dest: String,
    #[record(column)] // kept beside the records, value by value: for figures of many
    dep_delay: Option<i16>, // minutes; none if it was cancelled
    #[record(field)] // found by a look at the records
    arr_delay: Option<i16>,
    #[record(column)]
    scheduled: Timestamp, // when it was to leave: the day and the time of the key, in New York
    #[record(field)] // found by the ordered index above
    arrived: Option<Timestamp>, // as the clocks there showed it; none if it never came
    distance: u16, // miles; nothing is asked of a field that no query names
}

impl Flight {
    fn is_cancelled(&self) -> bool {
        self.dep_delay.is_none()
    }

    /// Late as the authorities count it: by a quarter of an hour or more.
    fn is_late(&self) -> bool {
        self.dep_delay.is_some_and(|minutes| minutes >= 15)
    }

    /// This flight, so much later.
    fn delayed(&self, minutes: i16) -> Flight {
        let later = |delay: Option<i16>| delay.map(|delay| delay + minutes);
        let arrived = self.arrived.map(|arrived| january::after(arrived, minutes.into()));
        Flight { dep_delay: later(self.dep_delay), arr_delay: later(self.arr_delay), arrived, ..self.clone() }
    }
}

/// What is counted, in a collection of its own.
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

    figures::delays_by_carrier(&flights)?;
    figures::departures_by_day(&flights)?;
    arrivals::page_through(&flights, "DL", "ATL")?;
    arrivals::explain(&flights)?;

    delay_in_one_commit(&store, &flights, &airlines)?;
    refuse_a_batch(&store, &flights, &airlines)?;

    heading("Last, the audit");
    let audit = store.verify()?;
    println!(
        "Every structure agrees with every record: {} collections, {} records, {} values in indexes.",
        audit.collections,
        count(audit.records),
        count(audit.index_entries)
    );
    Ok(())
}

/// A writer gathers what it is given and commits a hundred at a time.
fn store_flights(store: &Store, flights: &Collection<Flight>) -> Result<()> {
    heading("Every flight that left New York in January 2013");
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
        "{} flights stored in {took:.1?} by {} commits: {} a second. They take this much memory:\n",
        count(flights.len()),
        stats.commits,
        count((flights.len() as f64 / took.as_secs_f64()) as usize)
    );
    let Some(memory) = stats.collections.iter().find(|it| it.name == flights.name()).map(|it| it.memory) else {
        return Err("the collection has no figures".into());
    };
    let parts = [
        ("records", memory.records, "the flights, without the text that they point to"),
        ("versions", memory.versions, "beside each: its key, its commit, reference counts"),
        ("key table", memory.key_table, "from key to flight"),
        ("row pages", memory.row_pages, "from row number to flight"),
        ("indexes", memory.indexes, "from carrier, origin, tailnum, dest and arrival to rows"),
        ("codes", memory.codes, "from row to what is indexed of it"),
        ("columns", memory.columns, "from row to delay and scheduled departure"),
        ("bookkeeping", memory.bookkeeping, "what snapshots hold up, and free rows"),
        ("all", memory.total(), ""),
    ];
    let rows = parts.map(|(part, bytes, what)| {
        let a_flight = bytes as f64 / flights.len() as f64;
        [part.into(), HumanBytes(bytes as u64).to_string(), format!("{a_flight:.0} B"), what.into()]
    });
    tables::print([left("part"), right("memory"), right("a flight"), left("what it is")], rows);
    Ok(())
}

/// A batch gathers operations until it is committed: all sixteen airlines appear at once.
fn count_by_airline(store: &Store, flights: &Collection<Flight>, airlines: &Collection<Airline>) -> Result<()> {
    heading("A second collection counts them by airline");
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

/// One index answers. Records come as handles: owned, no lock held, and they deref to the flight.
fn find_by_plane(flights: &Collection<Flight>, tailnum: &str) -> Result<()> {
    heading(&format!("The flights of one plane, {tailnum}"));
    tables::print_flights(flights.find(flight::TAILNUM.eq(tailnum)).fetch()?, 10);

    let unknown = flights.find(flight::TAILNUM.is_null()).count()?;
    let cancelled = flights.find(flight::TAILNUM.is_null() & flight::DEP_DELAY.is_null()).count()?;
    println!("\nOf {unknown} flights we don't know the plane; {cancelled} of them never left.");
    Ok(())
}

/// Three indexes answer. `flight::DEST` and its like come with the derive: a misspelt field or a comparison with
/// another type does not compile.
fn find_by_route(flights: &Collection<Flight>) -> Result<()> {
    heading("Carrier and origin and destination: JetBlue from Kennedy to New Orleans");
    let route = flights.find(flight::CARRIER.eq("B6") & flight::ORIGIN.eq("JFK") & flight::DEST.eq("MSY"));

    let started = Instant::now();
    let found = route.count()?;
    println!("{found} flights, counted in {:.1?} without a look at one. Fetched, they are:\n", started.elapsed());
    tables::print_flights(route.fetch()?, 5);
    Ok(())
}

/// Fields can be named at run time too. Whether they exist, and can hold such values, is judged when the query runs.
fn find_by_names(flights: &Collection<Flight>, asked: &str) -> Result<()> {
    heading(&format!("Fields named at run time: {asked}"));
    let mut predicate = Predicate::All;
    for (name, value) in asked.split('&').filter_map(|part| part.split_once('=')) {
        predicate = predicate & field(name.to_owned()).eq(value);
    }
    println!("{} flights. And if a name is not there:\n", flights.find(predicate).count()?);
    if let Err(error) = flights.find(field("destination").eq("SFO")).count() {
        tables::print_wrapped(&error.to_string());
    }
    Ok(())
}

/// A commit changes both collections at once. A snapshot shows all of the store as of one commit, for as long as it is
/// held; taking one stops nobody.
fn delay_in_one_commit(store: &Store, flights: &Collection<Flight>, airlines: &Collection<Airline>) -> Result<()> {
    heading("One commit over both collections: ice at Kennedy holds up Endeavor Air on the 31st");
    let that_day = || flight::CARRIER.eq("9E") & flight::ORIGIN.eq("JFK") & flight::DAY.eq(31);

    let before = store.snapshot();
    let held_up = before.of(flights).find(that_day() & !flight::DEP_DELAY.is_null()).fetch()?;
    let now_late = held_up.iter().filter(|flight| !flight.is_late() && flight.delayed(20).is_late()).count();
    let receipt = store.commit(|batch| {
        for flight in &held_up {
            // Only if it is still as the snapshot has shown it: else the whole batch is refused.
            batch.update_if(flights, flight.commit(), flight.key(), |flight| *flight = flight.delayed(20))?;
        }
        batch.update(airlines, "9E", move |airline| airline.late += now_late)
    })?;
    let after = store.snapshot();

    println!("{} flights leave 20 minutes later, and the airline's count of late flights knows it.", held_up.len());
    println!("{} records changed in {:.1?}. As the two snapshots see it:\n", receipt.counts.updated, receipt.took);
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
        "as of commit",
        "late that day, from Kennedy",
        "their mean delay, cancelled ones aside",
        "late in the month, flight by flight",
        "late in the month, by the airline's count",
    ];
    tables::print_side_by_side(rows, seen(&before)?, seen(&after)?);
    Ok(())
}

/// A closure may refuse. Then the whole batch is refused: no operation of it happens.
fn refuse_a_batch(store: &Store, flights: &Collection<Flight>, airlines: &Collection<Airline>) -> Result<()> {
    heading("A refused batch: nobody shall fly to Honolulu");
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
        batch.try_update(airlines, carrier, move |airline| airline.withdraw(flights))?;
    }
    let operations = batch.len();
    let Err(refused) = batch.commit() else { return Err("the batch should have been refused".into()) };

    println!("{operations} operations, and the last one says no:\n");
    tables::print_wrapped(&refused.to_string());
    store.verify()?; // an error if it finds a fault
    println!("\nSo none of them has happened, and an audit of the whole store finds no fault:\n");
    let rows = ["newest commit", "flights", "flights to Honolulu", "flights of United", "flights of Hawaiian"];
    tables::print_side_by_side(rows, before, seen()?);
    Ok(())
}
