//! Points in time, to the microsecond.

use super::text::{read_timestamp, write_timestamp};
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, before or after it, up to about 292,000 years.
///
/// `Display` and `FromStr` use RFC 3339 in UTC. With the feature `serde` that text is also its form in readable formats
/// such as JSON; binary formats get the microseconds as an `i64`.
///
/// ```
/// use memdex::Timestamp;
/// use std::time::Duration;
///
/// let paid: Timestamp = "2026-11-21T14:00:00.5+02:00".parse()?;
/// assert_eq!(paid.to_string(), "2026-11-21T12:00:00.5Z");
/// assert_eq!((paid + Duration::from_secs(60)) - paid, Duration::from_secs(60));
/// assert_eq!(Timestamp::from_secs(-1).to_string(), "1969-12-31T23:59:59Z");
/// assert!(paid < Timestamp::now());
/// # Ok::<(), memdex::typing::TimestampError>(())
/// ```
///
/// It converts from and to [`SystemTime`] and, with the feature `jiff`, `jiff::Timestamp`. Finer times are rounded down
/// to the microsecond.
///
/// ```
/// use memdex::Timestamp;
/// use std::time::SystemTime;
///
/// let now = SystemTime::now();
/// let then = SystemTime::try_from(Timestamp::from(now))?;
/// assert!(now.duration_since(then)?.as_micros() < 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

errors! {
    /// A text that is not a time, or a time that another type cannot hold.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum TimestampError {
        /// The text is not a time in RFC 3339.
        Text [text] {} => ("{text:?} is not a time in RFC 3339; write it like 2026-11-21T12:00:00Z"),
        /// The other type cannot hold this time.
        OutOfRange [] {
            /// The time.
            time: Timestamp,
            /// The other type.
            target: &'static str,
        } => ("{time} is outside the range of `{target}`"),
    }
}

impl std::error::Error for TimestampError {}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// The earliest time.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The latest time.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The current time of the operating system's clock. (A store takes its times from its own `Clock`.)
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The time `micros` microseconds after the Unix epoch, or before it if negative.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    /// The time `millis` milliseconds after the Unix epoch; the earliest or latest time if it lies beyond that.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis.saturating_mul(1_000))
    }

    /// The time `secs` seconds after the Unix epoch; the earliest or latest time if it lies beyond that.
    pub const fn from_secs(secs: i64) -> Self {
        Timestamp(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch; negative before it.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Nanoseconds since the Unix epoch, as a [`ValueRef::Timestamp`](crate::value::ValueRef::Timestamp) holds them.
    pub const fn as_nanos(self) -> i128 {
        self.0 as i128 * 1_000
    }

    /// The time of these nanoseconds, rounded down to the microsecond; `None` if it is out of range.
    pub fn from_nanos(nanos: i128) -> Option<Self> {
        i64::try_from(nanos.div_euclid(1_000)).ok().map(Timestamp)
    }

    /// The signed difference in microseconds: negative if `self` is earlier than `other`. Saturates.
    pub const fn micros_since(self, other: Timestamp) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// The time between `earlier` and `self`; `None` if `earlier` is in fact later.
    pub fn checked_duration_since(self, earlier: Timestamp) -> Option<Duration> {
        (self >= earlier).then(|| Duration::from_micros(self.0.abs_diff(earlier.0)))
    }
}

/// Microseconds, saturated.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    /// Later by `duration`, at most [`Timestamp::MAX`].
    fn add(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    /// Earlier by `duration`, at least [`Timestamp::MIN`].
    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(micros(duration)))
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    /// The time since `earlier`; zero if `earlier` is in fact later, as for [`Instant`](std::time::Instant). See also
    /// [`micros_since`](Timestamp::micros_since).
    fn sub(self, earlier: Timestamp) -> Duration {
        self.checked_duration_since(earlier).unwrap_or_default()
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl SubAssign<Duration> for Timestamp {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl From<SystemTime> for Timestamp {
    /// Rounded down to the microsecond; the earliest or latest time if it lies beyond that.
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp(micros(after)),
            Err(before) => {
                let before = before.duration();
                let partial = i64::from(before.subsec_nanos() % 1_000 > 0);
                Timestamp(micros(before).saturating_neg().saturating_sub(partial))
            }
        }
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampError;

    /// Fails only if the operating system's time cannot go that far. (On Linux and macOS it can.)
    fn try_from(time: Timestamp) -> Result<Self, TimestampError> {
        let distance = Duration::from_micros(time.0.unsigned_abs());
        let there = if time.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        there.ok_or(TimestampError::OutOfRange { time, target: "std::time::SystemTime" })
    }
}

#[cfg(feature = "jiff")]
impl From<jiff::Timestamp> for Timestamp {
    /// Rounded down to the microsecond.
    fn from(time: jiff::Timestamp) -> Self {
        // The years of jiff, -9999 to 9999, are in range.
        Timestamp::from_nanos(time.as_nanosecond()).unwrap_or_default()
    }
}

#[cfg(feature = "jiff")]
impl TryFrom<Timestamp> for jiff::Timestamp {
    type Error = TimestampError;

    /// Fails outside the years -9999 to 9999.
    fn try_from(time: Timestamp) -> Result<Self, TimestampError> {
        let out_of_range = |_| TimestampError::OutOfRange { time, target: "jiff::Timestamp" };
        jiff::Timestamp::from_microsecond(time.0).map_err(out_of_range)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads RFC 3339 with `Z` or an offset and up to nine decimals, rounded down to the microsecond; and what
    /// `Display` writes for other years.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let nanos = read_timestamp(text).or_else(|| read_seconds(text));
        let time = nanos.and_then(Timestamp::from_nanos);
        time.ok_or_else(|| TimestampError::Text { text: text.to_owned() })
    }
}

/// Nanoseconds of `-62167219200.5s`.
fn read_seconds(text: &str) -> Option<i128> {
    let number = text.strip_suffix('s')?;
    let (seconds, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let (negative, seconds) = seconds.strip_prefix('-').map_or((false, seconds), |seconds| (true, seconds));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(decimals) || decimals.len() > 9 {
        return None;
    }
    let fraction = decimals.parse::<i128>().ok()? * 10i128.pow(9 - decimals.len() as u32);
    let nanos = seconds.parse::<i128>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)?;
    Some(if negative { -nanos } else { nanos })
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with as many decimals as needed; seconds since the epoch (`253402300800.5s`) outside the years 0
    /// to 9999.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_timestamp(self.as_nanos(), f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_back_as_the_same_time() {
        for time in [
            Timestamp::EPOCH,
            Timestamp::MIN,
            Timestamp::MAX,
            Timestamp::from_micros(-1),
            Timestamp::from_secs(253_402_300_800),
            Timestamp::from_millis(1_500),
        ] {
            assert_eq!(time.to_string().parse(), Ok(time), "{time}");
            assert_eq!(format!("{time:?}"), time.to_string());
        }
        assert_eq!("1969-12-31T23:59:59.9999999Z".parse(), Ok(Timestamp::from_micros(-1)), "rounded down");
        for wrong in ["", "s", "-s", "1", "1.s", ".5s", "1.0000000000s", "--1s", "2026-11-21", "9223372036855s"] {
            let error = wrong.parse::<Timestamp>().unwrap_err();
            assert!(error.to_string().contains("is not a time in RFC 3339"), "{error}");
        }
    }

    #[test]
    fn arithmetic_saturates_and_differences_have_a_sign() {
        let (early, late) = (Timestamp::from_secs(-3), Timestamp::from_secs(4));
        assert_eq!((late.micros_since(early), early.micros_since(late)), (7_000_000, -7_000_000));
        assert_eq!((late - early, early - late), (Duration::from_secs(7), Duration::ZERO));
        assert_eq!(early.checked_duration_since(late), None);
        assert_eq!(Timestamp::MAX - Timestamp::MIN, Duration::from_micros(u64::MAX));
        assert_eq!(Timestamp::MAX.micros_since(Timestamp::MIN), i64::MAX);
        assert_eq!((Timestamp::MAX + Duration::MAX, Timestamp::MIN - Duration::MAX), (Timestamp::MAX, Timestamp::MIN));
        let mut time = early;
        time += Duration::from_secs(8);
        time -= Duration::from_secs(1);
        assert_eq!(time, late);
        assert_eq!((early.as_secs(), Timestamp::from_micros(-1).as_secs()), (-3, -1));
        assert_eq!(Timestamp::from_secs(i64::MAX), Timestamp::MAX);
    }

    #[test]
    fn system_times_convert_both_ways() {
        for time in [Timestamp::EPOCH, Timestamp::from_micros(-1_500_001), Timestamp::from_secs(4_000_000_000)] {
            assert_eq!(Timestamp::from(SystemTime::try_from(time).unwrap()), time);
        }
        let before = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(Timestamp::from(before), Timestamp::from_micros(-1), "rounded down");
    }

    #[cfg(feature = "jiff")]
    #[test]
    fn times_of_jiff_convert_both_ways() {
        let time = Timestamp::from_micros(-1_500_001);
        assert_eq!(Timestamp::from(jiff::Timestamp::try_from(time).unwrap()), time);
        assert_eq!(Timestamp::from(jiff::Timestamp::MIN).as_nanos(), jiff::Timestamp::MIN.as_nanosecond());
        let error = jiff::Timestamp::try_from(Timestamp::MAX).unwrap_err();
        assert!(error.to_string().contains("outside the range of `jiff::Timestamp`"), "{error}");
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_holds_rfc_3339() {
        for (time, json) in [
            (Timestamp::from_millis(1_500), r#""1970-01-01T00:00:01.5Z""#),
            (Timestamp::MAX, r#""9223372036854.775807s""#),
        ] {
            assert_eq!(serde_json::to_string(&time).unwrap(), json);
            assert_eq!(serde_json::from_str::<Timestamp>(json).unwrap(), time);
        }
        assert!(serde_json::from_str::<Timestamp>("5").is_err());
    }
}
