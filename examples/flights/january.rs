//! Reads the flights from the file that the repository carries.

use crate::{Flight, Result};
use csv::{Reader, StringRecord};
use flate2::read::GzDecoder;
use std::error::Error;
use std::fs::File;
use std::str::FromStr;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/flights-2013-01.csv.gz");

/// The airlines in the file, by the codes that it uses.
pub(crate) const AIRLINES: [(&str, &str); 16] = [
    ("9E", "Endeavor Air"),
    ("AA", "American Airlines"),
    ("AS", "Alaska Airlines"),
    ("B6", "JetBlue Airways"),
    ("DL", "Delta Air Lines"),
    ("EV", "ExpressJet Airlines"),
    ("F9", "Frontier Airlines"),
    ("FL", "AirTran Airways"),
    ("HA", "Hawaiian Airlines"),
    ("MQ", "Envoy Air"),
    ("OO", "SkyWest Airlines"),
    ("UA", "United Air Lines"),
    ("US", "US Airways"),
    ("VX", "Virgin America"),
    ("WN", "Southwest Airlines"),
    ("YV", "Mesa Airlines"),
];

/// All flights of the file.
pub(crate) fn flights() -> Result<Vec<Flight>> {
    let file = File::open(PATH).map_err(|error| format!("{PATH}: {error}"))?;
    let mut reader = Reader::from_reader(GzDecoder::new(file));
    let columns = reader.headers()?.clone();
    reader.records().map(|values| Row { columns: &columns, values: values? }.flight()).collect()
}

struct Row<'a> {
    columns: &'a StringRecord,
    values: StringRecord,
}

impl Row<'_> {
    fn flight(&self) -> Result<Flight> {
        Ok(Flight {
            month: self.get("month")?,
            day: self.get("day")?,
            carrier: self.get("carrier")?,
            number: self.get("flight")?,
            origin: self.get("origin")?,
            sched_dep_time: self.get("sched_dep_time")?,
            tailnum: self.get_if_known("tailnum")?,
            dest: self.get("dest")?,
            dep_delay: self.get_if_known("dep_delay")?,
            arr_delay: self.get_if_known("arr_delay")?,
            distance: self.get("distance")?,
        })
    }

    fn get<T: FromStr<Err: Error>>(&self, column: &str) -> Result<T> {
        self.get_if_known(column)?.ok_or_else(|| format!("{column} is missing in {:?}", self.values).into())
    }

    /// The file says `NA` where a value is missing.
    fn get_if_known<T: FromStr<Err: Error>>(&self, column: &str) -> Result<Option<T>> {
        let position = self.columns.iter().position(|name| name == column);
        let text = position.and_then(|position| self.values.get(position)).unwrap_or("NA");
        if text == "NA" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error| format!("{column} can't be {text:?}: {error}").into())
    }
}
