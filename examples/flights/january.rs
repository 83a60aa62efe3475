//! Reads the flights from the file that the repository carries.

use crate::{Flight, Result};
use csv::{Reader, StringRecord};
use flate2::read::GzDecoder;
use memdex::Timestamp;
use memdex_examples::data;
use std::error::Error;
use std::fs::File;
use std::str::FromStr;

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

/// The zone of New York in winter.
pub(crate) const ZONE: &str = "-05:00";

/// Midnight in New York, as the first of January 2013 began.
const NEW_YEAR: Timestamp = Timestamp::from_micros(1_357_016_400_000_000);
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60; // minutes

/// A time plus a number of minutes, which may be negative.
pub(crate) fn after(time: Timestamp, minutes: i64) -> Timestamp {
    Timestamp::from_micros(time.as_micros().saturating_add(minutes * MINUTE))
}

/// A time in New York: `2013-01-31 17:45`.
pub(crate) fn clock(time: Timestamp) -> String {
    let minutes = (time.as_micros() - NEW_YEAR.as_micros()) / MINUTE;
    // Flights that leave on January 31 may arrive in February.
    let (month, day) = if minutes < 31 * DAY { (1, minutes / DAY + 1) } else { (2, minutes / DAY - 30) };
    format!("2013-{month:02}-{day:02} {:02}:{:02}", minutes % DAY / 60, minutes % 60)
}

/// All flights of the file.
pub(crate) fn flights() -> Result<Vec<Flight>> {
    let path = data("flights-2013-01.csv.gz");
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut reader = Reader::from_reader(GzDecoder::new(file));
    let columns = reader.headers()?.clone();
    reader.records().map(|values| Row { columns: &columns, values: values? }.flight()).collect()
}

/// Minutes since midnight of a clock time in the file's form: 517 is 05:17.
fn minutes(clock: u16) -> i64 {
    i64::from(clock / 100 * 60 + clock % 100)
}

/// The first time at or after `time` at which clocks show `clock`, because the file has no date of arrival.
fn next(time: Timestamp, clock: u16) -> Timestamp {
    let now = (time.as_micros() - NEW_YEAR.as_micros()) / MINUTE % DAY;
    after(time, (minutes(clock) - now).rem_euclid(DAY))
}

struct Row<'a> {
    columns: &'a StringRecord,
    values: StringRecord,
}

impl Row<'_> {
    fn flight(&self) -> Result<Flight> {
        let (day, sched_dep_time, dep_delay) =
            (self.get("day")?, self.get("sched_dep_time")?, self.get_if_known("dep_delay")?);
        let scheduled = after(NEW_YEAR, (i64::from(day) - 1) * DAY + minutes(sched_dep_time));
        let left = dep_delay.map(|delay: i16| after(scheduled, delay.into()));
        let arr_time = self.get_if_known("arr_time")?;
        Ok(Flight {
            month: self.get("month")?,
            day,
            carrier: self.get("carrier")?,
            number: self.get("flight")?,
            origin: self.get("origin")?,
            sched_dep_time,
            tailnum: self.get_if_known("tailnum")?,
            dest: self.get("dest")?,
            dep_delay,
            arr_delay: self.get_if_known("arr_delay")?,
            scheduled,
            arrived: left.zip(arr_time).map(|(left, clock)| next(left, clock)),
            distance: self.get("distance")?,
        })
    }

    fn get<T: FromStr<Err: Error>>(&self, column: &str) -> Result<T> {
        self.get_if_known(column)?.ok_or_else(|| format!("{column} is missing in {:?}", self.values).into())
    }

    /// The value of a column; the file has `NA` for a missing value.
    fn get_if_known<T: FromStr<Err: Error>>(&self, column: &str) -> Result<Option<T>> {
        let position = self.columns.iter().position(|name| name == column);
        let text = position.and_then(|position| self.values.get(position)).unwrap_or("NA");
        if text == "NA" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error| format!("{column} can't be {text:?}: {error}").into())
    }
}
