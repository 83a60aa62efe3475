//! Time zones: the offsets of local time from UTC, by period.

use crate::error::StatisticsError;
use crate::value::civil::offset_seconds;

/// The range of seconds that a zone supports, which is that of the crate `jiff`: about the years -9999 to 9999.
pub(super) const FIRST_SECOND: i64 = -377_705_023_201;
pub(super) const LAST_SECOND: i64 = 253_402_207_200;
/// Before all timestamps, and far enough from `i64::MIN` for arithmetic.
pub(super) const LONG_AGO: i64 = -(1 << 60);
/// No local time is further from UTC than 26 hours.
pub(super) const MOST_OFFSET: i64 = 26 * 3_600;

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone(Rule);

#[derive(Clone, Debug)]
enum Rule {
    Fixed(i64),
    #[cfg(feature = "time-zones")]
    Named(jiff::tz::TimeZone),
}

/// A period with one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// The UTC second that it begins at, or `LONG_AGO`.
    pub(super) start: i64,
    /// Seconds that local time is ahead of UTC.
    pub(super) offset: i64,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(Rule::Fixed(0));

    /// Parses `UTC`, an offset like `+02:00`, or, with the feature `time-zones`, a name of the IANA time zone database
    /// like `Europe/Zurich`. The rules are compiled in, so that results do not depend on the machine.
    ///
    /// # Errors
    /// If no time zone has this name.
    pub fn parse(name: &str) -> Result<Self, StatisticsError> {
        if name.eq_ignore_ascii_case("UTC") || name.eq_ignore_ascii_case("Z") {
            return Ok(Zone::UTC);
        }
        match offset_seconds(name) {
            Some(seconds) => Ok(Zone(Rule::Fixed(seconds))),
            None => Zone::named(name),
        }
    }

    /// Whether local time is always UTC.
    pub fn is_utc(&self) -> bool {
        matches!(self.0, Rule::Fixed(0))
    }

    #[cfg(feature = "time-zones")]
    fn named(name: &str) -> Result<Self, StatisticsError> {
        match jiff::tz::TimeZoneDatabase::bundled().get(name) {
            Ok(zone) if !zone.is_unknown() => Ok(Zone(Rule::Named(zone))),
            _ => Err(StatisticsError::UnknownTimeZone { name: name.to_owned() }),
        }
    }

    #[cfg(not(feature = "time-zones"))]
    fn named(name: &str) -> Result<Self, StatisticsError> {
        let name = name.to_owned();
        // A name that begins like an offset must be a valid offset.
        if name.is_empty() || name.starts_with(['+', '-']) {
            return Err(StatisticsError::UnknownTimeZone { name });
        }
        Err(StatisticsError::TimeZonesNotBuilt { name })
    }

    /// The periods that contain the seconds from one to another, in order. Each has its true start, and adjacent
    /// periods have different offsets.
    pub(super) fn periods(&self, from: i64, to: i64) -> Vec<Period> {
        debug_assert!(FIRST_SECOND <= from && from <= to && to <= LAST_SECOND);
        match &self.0 {
            Rule::Fixed(offset) => vec![Period { start: LONG_AGO, offset: *offset }],
            #[cfg(feature = "time-zones")]
            Rule::Named(zone) => named_periods(zone, from, to),
        }
    }
}

#[cfg(feature = "time-zones")]
fn named_periods(zone: &jiff::tz::TimeZone, from: i64, to: i64) -> Vec<Period> {
    use jiff::Timestamp;
    // Every second within the bounds is a valid timestamp.
    let at = |second: i64| Timestamp::from_second(second.clamp(FIRST_SECOND, LAST_SECOND)).unwrap_or(Timestamp::MIN);
    let offset_at = |second: i64| i64::from(zone.to_offset(at(second)).seconds());
    let offset = offset_at(from);
    // Some transitions change only a name. `preceding` is exclusive, so it starts one second after `from`.
    let mut starts = zone.preceding(at(from + 1)).map(|transition| transition.timestamp().as_second());
    let start = starts.find(|start| offset_at(start - 1) != offset).unwrap_or(LONG_AGO);
    let mut periods = vec![Period { start, offset }];
    for transition in zone.following(at(from)) {
        let start = transition.timestamp().as_second();
        if start > to {
            break;
        }
        let offset = i64::from(transition.offset().seconds());
        if periods.last().is_none_or(|last| last.offset != offset) {
            periods.push(Period { start, offset });
        }
    }
    periods
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_by_offset_and_by_name() {
        let offset = |name: &str| Zone::parse(name).map(|zone| zone.periods(0, 0)[0].offset);
        assert_eq!((offset("UTC"), offset("z"), offset("+02:00")), (Ok(0), Ok(0), Ok(7_200)));
        assert_eq!((offset("-09:30"), offset("+05:45")), (Ok(-34_200), Ok(20_700)));
        for wrong in ["", "+2:00", "+24:00", "+02:60", "+02:00x", "Nowhere/Else", "Etc/Unknown"] {
            let error = offset(wrong).unwrap_err();
            assert!(error.to_string().contains(&format!("{wrong:?}")), "{error}");
        }
        let named = offset("Europe/Zurich");
        if cfg!(feature = "time-zones") {
            assert_eq!(named, Ok(3_600));
        } else {
            assert!(named.unwrap_err().to_string().contains("feature `time-zones`"));
        }
    }

    #[cfg(feature = "time-zones")]
    #[test]
    fn bounds_are_those_of_the_rules() {
        assert_eq!(FIRST_SECOND, jiff::Timestamp::MIN.as_second());
        assert_eq!(LAST_SECOND, jiff::Timestamp::MAX.as_second());
        assert!(i64::from(jiff::tz::Offset::MAX.seconds()) < MOST_OFFSET);
        assert!(i64::from(jiff::tz::Offset::MIN.seconds()) > -MOST_OFFSET);
    }

    #[cfg(feature = "time-zones")]
    #[test]
    fn periods_begin_where_the_offset_changes() {
        let zurich = Zone::parse("europe/zurich").unwrap();
        // 2013-03-31T01:00:00Z and 2013-10-27T01:00:00Z
        let (spring, autumn) = (1_364_691_600, 1_382_835_600);
        let [winter, summer] = [3_600, 7_200];
        let all = zurich.periods(spring, autumn);
        assert_eq!(all, [Period { start: spring, offset: summer }, Period { start: autumn, offset: winter }]);
        assert_eq!(zurich.periods(spring - 1, spring - 1).len(), 1);
        assert_eq!(zurich.periods(spring - 1, spring)[1], all[0]);
        assert_eq!(zurich.periods(FIRST_SECOND, FIRST_SECOND)[0].start, LONG_AGO);
        assert!(zurich.periods(FIRST_SECOND, LAST_SECOND).is_sorted_by_key(|period| period.start));
    }
}
