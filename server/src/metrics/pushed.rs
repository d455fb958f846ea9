//! What clients push of their own metrics (KIP-714), as series of Prometheus.
//!
//! Names and labels are clients' own words, so that each is made one that a scraper takes, and their number is bounded by
//! whoever keeps the instances. A name belongs to one kind of metric: what another client shows under the same name as
//! another kind, or under a name of our own, is not shown. Sums since the last push are added up, so that they only rise.

use super::exposition::Text;
use super::table::{Kind, metric_of_series};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// In front of every name; `org.apache.kafka.` is left out for it.
const PREFIX: &str = "ottla_client_";
const KAFKAS_PREFIX: &str = "org.apache.kafka.";

/// A sum that has not come with so many pushes is gone; other values are gone with the first.
const MISSED_MAX: u8 = 3;

/// One value as a client pushed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub sample: Sample,
}

/// What kind of value, and the value.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    Gauge(f64),
    /// `is_delta`: what it grew by since the last push.
    Sum {
        value: f64,
        is_delta: bool,
    },
    /// `counts` has one more than `bounds`, which rise.
    Histogram {
        sum: f64,
        bounds: Vec<f64>,
        counts: Vec<u64>,
        is_delta: bool,
    },
}

impl Sample {
    fn kind(&self) -> Kind {
        match self {
            Self::Gauge(_) => Kind::Gauge,
            Self::Sum { .. } => Kind::Counter,
            Self::Histogram { .. } => Kind::Histogram,
        }
    }

    fn is_delta(&self) -> bool {
        matches!(self, Self::Sum { is_delta: true, .. } | Self::Histogram { is_delta: true, .. })
    }

    /// With what was there before added to it, if it says only what came since.
    fn behind(mut self, before: Option<&Sample>) -> Sample {
        match (&mut self, before) {
            (Self::Sum { value, is_delta: true }, Some(Self::Sum { value: before, .. })) => *value += before,
            (
                Self::Histogram { sum, bounds, counts, is_delta: true },
                Some(Self::Histogram { sum: sum_before, bounds: same, counts: before, .. }),
            ) if bounds == same => {
                *sum += sum_before;
                counts
                    .iter_mut()
                    .zip(before)
                    .for_each(|(count, before)| *count = count.saturating_add(*before));
            }
            _ => {}
        }
        self
    }
}

/// Name and labels: what tells a series of a client from its others.
type SeriesKey = (String, Vec<(String, String)>);

#[derive(Clone, Debug)]
struct Series {
    sample: Sample,
    missed: u8,
}

/// What one client shows.
#[derive(Clone, Debug, Default)]
pub struct PushedInstance {
    /// Which client it is: in front of the labels of each of its series.
    labels: Vec<(String, String)>,
    series: BTreeMap<SeriesKey, Series>,
}

impl PushedInstance {
    /// What it shows once it has pushed these points too; at most so many series.
    pub fn next(&self, labels: Vec<(String, String)>, points: Vec<Point>, series_max: usize) -> Self {
        let labels = unique(labels.into_iter(), &[]);
        let mut series: BTreeMap<SeriesKey, Series> = BTreeMap::new();
        for Point { name, labels: own, sample } in points {
            let Some(family) = family(&name, sample.kind()) else { continue };
            let key = (family, unique(own.into_iter(), &labels));
            if series.len() == series_max && !series.contains_key(&key) {
                continue;
            }
            // Two of one push under one name count together where they are parts, and the last stands where not.
            let before = series.get(&key).or_else(|| self.series.get(&key)).map(|series| &series.sample);
            let sample = sample.behind(before);
            series.insert(key, Series { sample, missed: 0 });
        }
        for (key, known) in &self.series {
            let missed = known.missed + 1;
            let stays = known.sample.is_delta() && missed < MISSED_MAX && series.len() < series_max;
            if stays && !series.contains_key(key) {
                series.insert(key.clone(), Series { sample: known.sample.clone(), missed });
            }
        }
        Self { labels, series }
    }

    pub fn len(&self) -> usize {
        self.series.len()
    }

    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

/// The name for a scraper; `None` for one that cannot be shown.
fn family(name: &str, kind: Kind) -> Option<String> {
    let name = name.strip_prefix(KAFKAS_PREFIX).unwrap_or(name);
    let word = word(name);
    if word.trim_matches('_').is_empty() {
        return None;
    }
    let suffix = if kind == Kind::Counter && !word.ends_with("_total") { "_total" } else { "" };
    Some(format!("{PREFIX}{word}{suffix}"))
}

/// With `_` for whatever a name cannot have in it.
fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Labels in the order of their names, which are right for a scraper, each once and none of `taken`.
fn unique(
    labels: impl Iterator<Item = (String, String)>,
    taken: &[(String, String)],
) -> Vec<(String, String)> {
    /// Names that mean something to a scraper.
    const RESERVED: [&str; 2] = ["le", "quantile"];
    let mut unique = BTreeMap::new();
    for (name, value) in labels {
        let name = word(&name);
        let name = name.trim_start_matches(|c: char| c == '_' || c.is_ascii_digit());
        if !name.is_empty() && !RESERVED.contains(&name) && !taken.iter().any(|(known, _)| known == name) {
            unique.entry(name.to_owned()).or_insert(value);
        }
    }
    unique.into_iter().collect()
}

/// The series of all instances, family by family.
pub(super) fn show(text: &mut Text, instances: &[Arc<PushedInstance>]) {
    let mut families: BTreeMap<&str, Vec<(&PushedInstance, &SeriesKey, &Sample)>> = BTreeMap::new();
    for instance in instances {
        for (key, series) in &instance.series {
            families.entry(&key.0).or_default().push((instance, key, &series.sample));
        }
    }
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for (family, series) in families {
        let Some(kind) = series.first().map(|(_, _, sample)| sample.kind()) else { continue };
        let suffixes: &[&str] =
            if kind == Kind::Histogram { &["", "_bucket", "_sum", "_count"] } else { &[""] };
        let names: Vec<String> = suffixes.iter().map(|suffix| format!("{family}{suffix}")).collect();
        if names.iter().any(|name| taken.contains(name) || metric_of_series(name).is_some()) {
            continue;
        }
        taken.extend(names);
        text.clients_family(family, kind);
        let mut shown = BTreeSet::new();
        for (instance, (_, labels), sample) in series {
            let labels: Vec<(&str, &str)> =
                instance.labels.iter().chain(labels).map(|(name, value)| (&**name, &**value)).collect();
            if sample.kind() == kind && shown.insert(labels.clone()) {
                show_sample(text, family, &labels, sample);
            }
        }
    }
}

fn show_sample(text: &mut Text, family: &str, labels: &[(&str, &str)], sample: &Sample) {
    match sample {
        Sample::Gauge(value) | Sample::Sum { value, .. } => text.clients_series(family, labels, *value),
        Sample::Histogram { sum, bounds, counts, .. } => {
            let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
            let mut cumulated = 0u64;
            for (bound, count) in bounds.zip(counts) {
                cumulated = cumulated.saturating_add(*count);
                let with_bound = [labels, &[("le", &*bound)]].concat();
                text.clients_series(&format!("{family}_bucket"), &with_bound, cumulated as f64);
            }
            text.clients_series(&format!("{family}_sum"), labels, *sum);
            text.clients_series(&format!("{family}_count"), labels, cumulated as f64);
        }
    }
}

/// All that these instances show.
pub fn render_pushed(instances: &[Arc<PushedInstance>]) -> String {
    let mut text = Text::behind(String::new());
    show(&mut text, instances);
    text.into_string()
}

#[cfg(test)]
#[path = "pushed_tests.rs"]
mod tests;
