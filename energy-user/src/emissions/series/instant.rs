//! Instants as tables of intensities write them, to wall-clock time.
//! Reference: RFC 3339, section 5.6; ISO 8601-1:2019 for offsets without a colon.

use std::time::UNIX_EPOCH;

use crate::units::WallTime;

/// `2026-11-23T07:00:00Z`, `2026-11-23 07:00`, `2026-11-23T07:00:00.000+01:00` or
/// `2026-11-23 07:00:00 UTC`. Without an offset it is UTC. `None` before 1970, and for what is none.
pub(in crate::emissions) fn instant(text: &str) -> Option<WallTime> {
    let text = text.trim();
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    let (local, offset_minutes) = split_offset(text)?;
    // Minutes will do, and hours do not.
    let local = if local.matches(':').count() == 1 { format!("{local}:00") } else { local.into() };
    let at = humantime::parse_rfc3339_weak(&local).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let nanoseconds = i64::try_from(at.as_nanos()).ok()?;
    let nanoseconds = nanoseconds.checked_sub(offset_minutes.checked_mul(60_000_000_000)?)?;
    (nanoseconds >= 0).then_some(WallTime::from_epoch_nanos(nanoseconds))
}

/// The date and time, and how many minutes that is ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, 0));
    }
    // The date has hyphens of its own.
    let date = "2026-11-23".len();
    let Some(at) = text.get(date..)?.rfind(['+', '-']) else { return Some((text, 0)) };
    let (local, offset) = text.split_at(date + at);
    let ahead = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset[1..].chars().filter(|c| *c != ':').collect();
    if digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 =
        digits.get(2..).filter(|text| !text.is_empty()).map_or(Ok(0), str::parse).ok()?;
    (hours < 24 && minutes < 60).then_some((local.trim_end(), ahead * (hours * 60 + minutes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_in_many_spellings() {
        let seven = Some(WallTime::from_epoch_nanos(1_795_417_200_000_000_000));
        for text in [
            "2026-11-23T07:00:00Z",
            "2026-11-23 07:00:00",
            "2026-11-23 07:00",
            "2026-11-23 07:00:00 UTC",
            " 2026-11-23T07:00:00.000Z ",
            "2026-11-23T08:00:00+01:00",
            "2026-11-23T02:00-0500",
        ] {
            assert_eq!(instant(text), seven, "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "yesterday",
            "2026-11-23",
            "07:00",
            "2026-13-01 00:00",
            "1969-12-31T23:00Z",
            "1970-01-01T00:00+01:00",
            "2026-11-23T07:00+25:00",
            "2026-11-23T07:00+ä",
            "2026-11-2ä 07:00",
            "2026-11-23T08+01",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
