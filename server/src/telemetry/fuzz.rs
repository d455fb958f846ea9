//! What holds of any bytes at all that a client may push: a target for whoever makes up bytes, be it a property test or a
//! fuzzer.
//!
//! A target panics only if the code under it is wrong: it panics itself, keeps more than it may, or shows what a scraper
//! could not read. Invariant: the same bytes give the same result; nothing outside memory is touched.

use super::otlp;
use crate::metrics::{PushedInstance, render_pushed};

/// So many points are kept of a push.
const POINTS_MAX: usize = 20;

/// A client pushes these bytes, twice.
pub fn payload(bytes: &[u8]) {
    let Ok(pushed) = otlp::read(bytes, POINTS_MAX) else { return };
    assert!(pushed.points.len() <= POINTS_MAX, "{}", pushed.points.len());
    let labels = pushed.attributes;
    let once = PushedInstance::default().next(labels.clone(), pushed.points.clone(), POINTS_MAX);
    let twice = once.next(labels, pushed.points, POINTS_MAX);
    let shown = render_pushed(&[twice.into(), once.into()]);
    let mut families = std::collections::HashSet::new();
    let mut series = std::collections::HashSet::new();
    for line in shown.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(family) => assert!(families.insert(family.to_owned()), "{family} twice"),
            None if line.starts_with("# HELP ") => {}
            None => assert!(series.insert(check_series(line)), "{line} twice"),
        }
    }
}

/// One series as Prometheus reads it; what tells it from others.
fn check_series(line: &str) -> String {
    let (series, value) = line.rsplit_once(' ').expect("a value behind the series");
    assert!(
        ["NaN", "+Inf", "-Inf"].contains(&value) || value.parse::<f64>().is_ok_and(f64::is_finite),
        "{line}"
    );
    let name_end = series.find('{').unwrap_or(series.len());
    let is_name = |name: &str| {
        let (first, rest) = name.split_at_checked(1).expect("a name");
        let word = |text: &str, digits: bool| {
            text.chars().all(|c| c.is_ascii_alphabetic() || c == '_' || digits && c.is_ascii_digit())
        };
        word(first, false) && word(rest, true)
    };
    assert!(is_name(&series[..name_end]), "{line}");
    let labels = &series[name_end..];
    let mut labels = match labels.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').expect("the labels end"),
        None => labels,
    };
    while !labels.is_empty() {
        let (name, rest) = labels.split_once("=\"").expect("a label");
        assert!(is_name(name), "{line}");
        let mut escaped = false;
        let end = rest.find(|c| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        });
        let behind = &rest[end.expect("the label's end") + 1..];
        labels = behind.strip_prefix(',').unwrap_or(behind);
    }
    series.to_owned()
}
