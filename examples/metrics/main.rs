//! Metrics of a web server: counters by route and status, latencies of the last 15 minutes with percentiles, and the routes with the
//! most requests, in a table that is printed again and again while the requests arrive.
//!
//! ```text
//! cargo run --release --example metrics
//! ```
//!
//! The requests are simulated: each tick stands for half a minute, by a clock that the program moves.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use memdex::aggregate::Window;
use memdex::clock::ManualClock;
use memdex::{Batch, Collection, Filter, GroupBy, Metric, Record, Store, Timestamp};
use std::error::Error;
use std::io::{IsTerminal, Write, stdout};
use std::thread::sleep;
use std::time::Duration;

/// The requests of one route that were answered with one status.
#[derive(Clone, Record)]
struct Counter {
    #[record(key)]
    route: String,
    #[record(key)]
    status: u16,
    #[record(ordered)]
    requests: u64,
    /// In microseconds.
    #[record(field)]
    slowest: u64,
    #[record(field)]
    last_seen: Option<Timestamp>,
}

/// The routes, how often they are requested, and a typical latency in microseconds.
const ROUTES: [(&str, u64, u64); 6] = [
    ("GET /", 40, 900),
    ("GET /search", 25, 12_000),
    ("GET /product", 20, 3_500),
    ("POST /cart", 9, 6_000),
    ("POST /order", 4, 45_000),
    ("GET /admin", 2, 2_000),
];
const TICKS: u32 = 45;
const FRAMES: u32 = 5;
const REQUESTS_PER_TICK: u32 = 400;
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
const PAUSE: Duration = Duration::from_millis(40);

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let clock = ManualClock::starting_at(Timestamp::from_secs(1_800_000_000));
    let store = Store::builder().clock(clock.clone()).build();
    let counters = store.collection::<Counter>("Counter")?;
    let latencies = Window::new(&store, "latencies", Duration::from_secs(60), 15)?;
    let mut requests = Requests(42);

    for tick in 1..=TICKS {
        serve(&store, &counters, &latencies, &mut requests)?;
        if tick % (TICKS / FRAMES) == 0 {
            show(&counters, &latencies, tick)?;
        }
        clock.advance(Duration::from_secs(30));
        sleep(PAUSE);
    }

    let total: u64 = counters.iter().map(|counter| counter.requests).sum();
    println!("\n{total} requests in {} commits.", store.newest_commit());
    println!("{} buckets of latencies have left the window: they expire by themselves.", store.expire_now()?);
    store.verify()?;
    Ok(())
}

/// The requests of one tick: one commit for all counters, and one for the latencies of each route.
fn serve(store: &Store, counters: &Collection<Counter>, latencies: &Window, requests: &mut Requests) -> Result<()> {
    let now = store.snapshot().time();
    let mut batch = store.batch();
    let mut by_route = [const { Vec::new() }; ROUTES.len()];
    for _ in 0..REQUESTS_PER_TICK {
        let request = requests.next();
        count(&mut batch, counters, &request, now)?;
        by_route[request.route].push(request.micros);
    }
    batch.commit()?;
    for ((route, ..), micros) in ROUTES.iter().zip(by_route) {
        latencies.record_all(route, micros)?;
    }
    Ok(())
}

/// Three changes of one record. In a batch, all changes of a record make one version of it.
fn count(batch: &mut Batch, counters: &Collection<Counter>, request: &Request, now: Timestamp) -> Result<()> {
    let (route, status) = (ROUTES[request.route].0, request.status);
    let new = Counter { route: route.into(), status, requests: 0, slowest: 0, last_seen: None };
    batch.increment_or_insert(counters, new, counter::REQUESTS, 1)?;
    batch.max(counters, (route, status), counter::SLOWEST, request.micros)?;
    batch.max(counters, (route, status), counter::LAST_SEEN, now)?;
    Ok(())
}

fn show(counters: &Collection<Counter>, latencies: &Window, tick: u32) -> Result<()> {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(["route", "requests", "errors", "last 15 min", "p50", "p99", "last minute", "slowest"]);
    (1..8)
        .filter_map(|column| table.column_mut(column).map(|of| of.set_cell_alignment(CellAlignment::Right)))
        .for_each(drop);

    let requests = counter::REQUESTS.sum().named("requests");
    let errors = counter::REQUESTS.sum().filter(counter::STATUS.ge(500)).named("errors");
    let slowest = counter::SLOWEST.max().named("slowest");
    let by_route = GroupBy::values(counter::ROUTE).metrics([requests, errors, slowest, Metric::count()]);
    // The four routes with the most requests.
    let top = counters.find(Filter::all()).statistics(by_route.top(4, "requests"))?;
    for group in top.groups() {
        let route = group.key[0].as_str().unwrap_or_default();
        let recent = latencies.summary(route);
        table.add_row([
            route.to_owned(),
            group.int("requests").unwrap_or(0).to_string(),
            group.int("errors").unwrap_or(0).to_string(),
            recent.count().to_string(),
            millis(recent.percentile(50.0)),
            millis(recent.percentile(99.0)),
            latencies.last(route, 1).count().to_string(),
            millis(group.int("slowest").and_then(|micros| micros.try_into().ok())),
        ]);
    }
    let mut out = stdout().lock();
    if out.is_terminal() && tick > TICKS / FRAMES {
        // Up to the first line of the table before, and clear what follows.
        write!(out, "\x1b[{}A\x1b[J", table.lines().count() + 1)?;
    }
    writeln!(out, "after {} minutes", f64::from(tick) / 2.0)?;
    writeln!(out, "{table}")?;
    Ok(())
}

fn millis(micros: Option<u64>) -> String {
    micros.map_or_else(|| "-".into(), |micros| format!("{:.1} ms", micros as f64 / 1e3))
}

/// A sequence of requests that is the same in every run.
struct Requests(u64);

struct Request {
    /// Its place among the routes.
    route: usize,
    status: u16,
    micros: u64,
}

impl Requests {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn next(&mut self) -> Request {
        let mut rest = self.below(ROUTES.iter().map(|(_, weight, _)| weight).sum());
        let mut route = 0;
        while rest >= ROUTES[route].1 {
            rest -= ROUTES[route].1;
            route += 1;
        }
        let typical = ROUTES[route].2;
        // One in fifty is much slower than usual.
        let slow = if self.below(50) == 0 { 8 } else { 1 };
        let micros = typical * slow / 2 + self.below(typical * slow);
        let status = match self.below(100) {
            0 => 500,
            1..4 => 404,
            _ => 200,
        };
        Request { route, status, micros }
    }
}
