//! Random queries over the flights of January, for SQLite.

use super::flights::Flights;
use super::generate::{Column, Generator, Rng};
use memdex::{Query, Record, Value, field};

/// Number of flights whose values the queries use.
const SAMPLES: usize = 24;

pub(super) struct Corpus(Generator);

impl Corpus {
    pub(super) fn of(flights: &Flights) -> Corpus {
        let mut rng = Rng(2013);
        let records: Vec<_> =
            flights.collection.find(field("serial").is_in(random_serials(&mut rng))).fetch().unwrap().records;
        let columns = flights.schema.fields().iter().enumerate().map(|(at, def)| {
            let values = records.iter().map(|flight| flight.value(at).to_value());
            let samples: Vec<Value> = values.filter(|value| *value != Value::NULL).collect();
            let widths = match def.name() {
                "dep_delay" | "arr_delay" | "air_time" => vec![Value::from(5), Value::from(60)],
                "distance" | "flight" => vec![Value::from(100)],
                "speed" => vec![Value::from(12.5), Value::from(100.0)],
                _ => Vec::new(),
            };
            let name = flights.shapes[at].name;
            Column { name, kind: def.kind(), many: false, samples, widths, near: false, nocase: false }
        });
        let columns = columns.collect();
        Corpus(Generator { rng, collection: "Flight", columns, levels: 1, zones: vec!["UTC"], patterns: true })
    }

    /// The next query. Most have a condition on the day or the carrier, so that few select many flights.
    pub(super) fn next_query(&mut self) -> Query {
        let Corpus(generator) = self;
        let query = if generator.rng.once_in(3) { generator.aggregation_query() } else { generator.record_query(100) };
        match generator.rng.below(4) {
            0 => query,
            1 => query.filter(field("carrier").is_in(["HA", "9E", "AS"])),
            _ => query.filter(field("day").eq(1 + generator.rng.below(31) as u8)),
        }
    }
}

fn random_serials(rng: &mut Rng) -> Vec<Value> {
    (0..SAMPLES).map(|_| Value::from(rng.below(27_004) as u32)).collect()
}
