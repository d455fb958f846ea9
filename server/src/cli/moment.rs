//! Times and durations as people write them: ISO 8601, milliseconds since 1970, and short forms like `15m`.
//!
//! A time without a zone is UTC, as in Kafka's tools. Nothing here asks a clock.

use std::str::FromStr;
use std::time::Duration;

/// A moment, in milliseconds since 1970.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is written as 2026-01-31T12:00:00.000 (UTC unless a zone follows), or in milliseconds since 1970"
)]
pub struct NotAMoment;

#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is written as P1DT2H3M4S, or as 90s, 15m, 2h, 7d")]
pub struct NotASpan;

/// A span of time back from now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// Beyond these years a time is a slip of the finger.
const YEARS: std::ops::RangeInclusive<i64> = 1970..=9999;

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Moment, NotAMoment> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Moment).map_err(|_| NotAMoment);
        }
        moment(text).map(Moment).ok_or(NotAMoment)
    }
}

/// Exactly `width` digits.
fn digits(text: &str, width: usize) -> Option<i64> {
    (text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn moment(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00"),
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !YEARS.contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if day < 1 || day > days_of(year, month) {
        return None;
    }
    let (time, zone_ms) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], zone(&time[at..])?),
        None => (time, 0),
    };
    let moment = days_before(year, month, day) * DAY_MS + time_of_day(time)? - zone_ms;
    (moment >= 0).then_some(moment)
}

/// `12:00`, `12:00:30`, `12:00:30.5`.
fn time_of_day(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let seconds = parts.next().map_or(Some(0), |seconds| digits(seconds, 2))?;
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 || fraction.len() > 9 {
        return None;
    }
    if text.contains('.') && fraction.is_empty() {
        return None;
    }
    let millis = match fraction.len() {
        0 => 0,
        // More than milliseconds is cut.
        _ => {
            digits(fraction, fraction.len())?;
            format!("{fraction:0<3}")[..3].parse().ok()?
        }
    };
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000 + millis)
}

/// `Z`, `+02`, `+0200`, `-02:30`.
fn zone(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("Z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let rest = rest.replacen(':', "", 1);
    let (hours, minutes) = match rest.len() {
        2 => (digits(&rest, 2)?, 0),
        4 => (digits(rest.get(..2)?, 2)?, digits(rest.get(2..)?, 2)?),
        _ => return None,
    };
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * MINUTE_MS)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to this day.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + day - 1
}

impl std::fmt::Display for Moment {
    /// As ISO 8601 in UTC, to the millisecond.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (days, rest) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        // No more than a year off, whatever the leap years.
        let mut year = 1970 + days.div_euclid(366);
        while days >= days_before(year + 1, 1, 1) {
            year += 1;
        }
        let mut day = days - days_before(year, 1, 1);
        let mut month = 1;
        while day >= days_of(year, month) {
            day -= days_of(year, month);
            month += 1;
        }
        let (seconds, millis) = (rest / 1_000, rest % 1_000);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        let day = day + 1;
        write!(f, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{:02}.{millis:03}Z", seconds % 60)
    }
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Span, NotASpan> {
        let text = text.trim().to_ascii_uppercase();
        let millis = match text.strip_prefix('P') {
            Some(rest) => iso_span(rest),
            None => short_span(&text),
        };
        millis.map(|millis| Span(Duration::from_millis(millis))).ok_or(NotASpan)
    }
}

/// A number with up to three decimals, in thousandths.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(fraction)
}

fn seconds_of(unit: char) -> Option<u64> {
    Some(match unit {
        'D' => 86_400,
        'H' => 3_600,
        'M' => 60,
        'S' => 1,
        _ => return None,
    })
}

fn short_span(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    thousandths(&text[..text.len() - unit.len_utf8()])?.checked_mul(seconds_of(unit)?)
}

/// What follows the `P`: days, then behind a `T` hours, minutes, seconds, each once and in this order.
fn iso_span(text: &str) -> Option<u64> {
    let (days, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text, ""),
    };
    let mut millis = 0u64;
    if !days.is_empty() {
        millis = short_span(days).filter(|_| days.ends_with('D'))?;
    } else if time.is_empty() {
        return None;
    }
    let mut rest = time;
    let mut units = "HMS".chars();
    while !rest.is_empty() {
        let at = rest.find(|c: char| c.is_ascii_uppercase())?;
        let (part, behind) = rest.split_at(at + 1);
        units.find(|unit| part.ends_with(*unit))?;
        millis = millis.checked_add(short_span(part)?)?;
        rest = behind;
    }
    Some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_in_every_form() {
        for (text, ms) in [
            ("0", 0),
            ("1700000000000", 1_700_000_000_000),
            ("1970-01-02", DAY_MS),
            ("2023-11-14T22:13:20.000", 1_700_000_000_000),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
            ("2023-11-14T17:43:20.5-0430", 1_700_000_000_500),
            ("2024-02-29 00:00", 1_709_164_800_000),
            ("2000-03-01T00:00:00", 951_868_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Moment(ms)), "{text}");
        }
        for wrong in [
            "",
            "now",
            "2023-02-29",
            "2023-13-01",
            "2023-1-01",
            "2023-11-14T24:00",
            "2023-11-14T1:00",
            "2023-11-14T10:00+25",
            "1969-01-01",
            "2023-11-14T10:00:00.",
            "-5",
            "2023-11-14T10:00é",
        ] {
            assert_eq!(wrong.parse::<Moment>(), Err(NotAMoment), "{wrong}");
        }
    }

    #[test]
    fn durations_in_every_form() {
        for (text, ms) in [
            ("PT1H", 3_600_000),
            ("P1D", DAY_MS as u64),
            ("P1DT2H3M4.5S", 93_784_500),
            ("pt90s", 90_000),
            ("15m", 900_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(ms))), "{text}");
        }
        for wrong in [
            "",
            "P",
            "PT",
            "P1H",
            "PT1D",
            "PT1S1H",
            "PT1H1H",
            "1",
            "-1h",
            "1w",
            "P1DT",
            "99999999999999999999d",
        ] {
            assert_eq!(wrong.parse::<Span>(), Err(NotASpan), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(ms in 0i64..253_402_300_800_000) {
            let printed = Moment(ms).to_string();
            prop_assert_eq!(printed.parse(), Ok(Moment(ms)), "{}", printed);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}", mixed in "[0-9TPZDHMS:+. -]{0,30}") {
            for text in [&text, &mixed] {
                let _ = text.parse::<Moment>();
                let _ = text.parse::<Span>();
            }
        }
    }
}
