use super::disk::{Measured, Times};
use super::limits::{version, year};
use super::{Finding, Verdict, amount, dirs};
use std::time::Duration;

#[test]
fn a_line_says_what_was_found_and_what_to_do() {
    let mut out = Vec::new();
    Finding::ok("clock", "it goes").put(false, &mut out).unwrap();
    Finding::warn("disk", "3 MiB are free", "make room").put(false, &mut out).unwrap();
    Finding::fail("port", "a \"b\"", "c").put(true, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["ok    clock        it goes", "warn  disk         3 MiB are free → make room"]);
    let json: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!((&json["verdict"], &json["found"]), (&"fail".into(), &"a \"b\"".into()));
}

#[test]
fn a_slow_disk_is_told_of() {
    let measured = |ms| {
        let times = Times { median: Duration::from_millis(ms), slow: Duration::from_millis(3 * ms) };
        dirs::judge(&Measured { durable: times, flushed: times })
    };
    let fast = measured(1);
    assert_eq!(fast.verdict, Verdict::Ok);
    assert!(fast.found.contains("1.00 ms, one of a hundred 3.00 ms") && fast.found.contains("1000 a second"));
    assert_eq!(measured(11).verdict, Verdict::Warn);
}

#[test]
fn numbers_are_read_and_shown() {
    assert_eq!(version("6.8.0-45-generic"), Some((6, 8)));
    assert_eq!(version("5.15"), Some((5, 15)));
    assert_eq!(version("strange"), None);
    assert_eq!([0, 1_767_225_600_000 + 86_400_000, -1].map(year), [1970, 2026, 1969]);
    assert_eq!([500, 3 << 20, 20 << 30].map(amount), ["500 bytes", "3 MiB", "20 GiB"]);
}
