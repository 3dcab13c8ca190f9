//! Times as tools write them: of the machine's own clock, without a zone and sometimes without a date.
//! In whole nanoseconds since 1970-01-01T00:00:00 of that clock.

use std::time::UNIX_EPOCH;

use crate::units::{Nanoseconds, WallTime};

/// Nanoseconds of a second.
pub(super) const SECOND_NS: i64 = 1_000_000_000;

/// Nanoseconds of a minute.
pub(super) const MINUTE_NS: i64 = 60 * SECOND_NS;

/// Nanoseconds of a day.
pub(super) const DAY_NS: i64 = 86_400 * SECOND_NS;

/// `2024/05/13 10:22:31.123` or `2024-05-13T10:22:31`, as nanoseconds since the epoch of the log's clock.
pub(super) fn date_and_time(text: &str) -> Option<i64> {
    let text = text.trim().replace('/', "-");
    let at = humantime::parse_rfc3339_weak(&text).ok()?;
    i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}

/// `14:55:35:726` or `14:55:35.726`, as nanoseconds since midnight.
pub(super) fn time_of_day(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.trim().split([':', '.']).collect();
    let [hours, minutes, seconds, milliseconds] = parts.as_slice() else { return None };
    let number = |text: &str, below: i64| -> Option<i64> {
        let number = text.parse::<i64>().ok()?;
        (0..below).contains(&number).then_some(number)
    };
    let seconds = number(hours, 24)? * 3600 + number(minutes, 60)? * 60 + number(seconds, 60)?;
    Some(seconds * SECOND_NS + number(milliseconds, 1000)? * 1_000_000)
}

/// `1715595751.123456`, as nanoseconds since the epoch. A float would have lost the last of these digits.
pub(super) fn epoch_seconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_number = |digits: &str| digits.chars().all(|c| c.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanoseconds: i64 = format!("{fraction:0<9}").parse().ok()?;
    seconds.parse::<i64>().ok()?.checked_mul(SECOND_NS)?.checked_add(nanoseconds)
}

/// Turns times of day into times that go on through midnight.
#[derive(Debug, Default)]
pub(super) struct DayCount {
    days: i64,
    last: Option<i64>,
}

impl DayCount {
    /// The time since the midnight before the first time. A step back of more than half a day is a
    /// midnight; a smaller one is a clock that was set back, and stays one.
    pub(super) fn unrolled(&mut self, time_of_day: i64) -> i64 {
        if self.last.is_some_and(|last| last - time_of_day > DAY_NS / 2) {
            self.days += 1;
        }
        self.last = Some(time_of_day);
        self.days * DAY_NS + time_of_day
    }
}

/// The instant at which the log's clock shows `local`.
pub(super) fn wall_time(local: i64, utc_offset_seconds: Option<i32>) -> WallTime {
    let offset = i64::from(utc_offset_seconds.unwrap_or(0)) * SECOND_NS;
    WallTime::from_epoch_nanos(local.saturating_sub(offset))
}

/// A length from seconds; `None` where it is negative or longer than a trace may be, 292 years.
pub(super) fn seconds(seconds: f64) -> Option<Nanoseconds> {
    let length = std::time::Duration::try_from_secs_f64(seconds).ok().map(Nanoseconds::from)?;
    i64::try_from(length.get()).is_ok().then_some(length)
}

/// Both lengths together, or the longest there is; the trace is then refused for its length.
pub(super) const fn together(one: Nanoseconds, other: Nanoseconds) -> Nanoseconds {
    Nanoseconds::new(one.get().saturating_add(other.get()))
}

/// The length from one instant of a clock to another; nothing where it is not later.
pub(super) fn between(from: i64, to: i64) -> Nanoseconds {
    Nanoseconds::new(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_a_date_are_the_same_instant() {
        // 2024-05-13T10:22:31Z is 1715595751.
        let expected = 1_715_595_751_123_000_000;
        assert_eq!(date_and_time("2024/05/13 10:22:31.123"), Some(expected));
        assert_eq!(date_and_time(" 2024-05-13T10:22:31.123"), Some(expected));
        assert_eq!(date_and_time("13.05.2024 10:22"), None);
    }

    #[test]
    fn milliseconds_stand_behind_a_colon() {
        assert_eq!(time_of_day("00:00:01:002"), Some(1_002_000_000));
        assert_eq!(time_of_day("24:00:00:000"), None);
        assert_eq!(time_of_day("12:00"), None);
    }

    #[test]
    fn microseconds_of_the_epoch_are_exact() {
        assert_eq!(epoch_seconds("1715595751.123456"), Some(1_715_595_751_123_456_000));
        assert_eq!(epoch_seconds("1715595751"), Some(1_715_595_751_000_000_000));
        for wrong in ["", "-1.0", "1e9", "99999999999999999999", "1.0000000001"] {
            assert_eq!(epoch_seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_begins_after_midnight_and_not_when_a_clock_is_set_back() {
        let mut days = DayCount::default();
        let last = time_of_day("23:59:59:900").unwrap();
        assert_eq!(days.unrolled(last), last);
        assert_eq!(days.unrolled(100_000_000), DAY_NS + 100_000_000);
        assert_eq!(days.unrolled(50_000_000), DAY_NS + 50_000_000);
    }

    #[test]
    fn a_clock_two_hours_ahead_shows_an_earlier_instant() {
        let noon = 12 * 3600 * SECOND_NS;
        assert_eq!(wall_time(noon, Some(7200)).epoch_nanos(), 10 * 3600 * SECOND_NS);
    }
}
