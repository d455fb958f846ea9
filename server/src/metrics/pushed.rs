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
mod tests {
    use super::*;

    fn pairs(labels: &[(&str, &str)]) -> Vec<(String, String)> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn point(name: &str, sample: Sample) -> Point {
        Point { name: name.to_owned(), labels: pairs(&[("topic", "t")]), sample }
    }

    fn delta(value: f64) -> Sample {
        Sample::Sum { value, is_delta: true }
    }

    fn shown(instances: Vec<PushedInstance>) -> Vec<String> {
        let instances: Vec<_> = instances.into_iter().map(Arc::new).collect();
        render_pushed(&instances).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    fn client(id: &str) -> Vec<(String, String)> {
        pairs(&[("client_id", id)])
    }

    #[test]
    fn names_and_labels_are_made_right() {
        let own = pairs(&[("client_id", "other"), ("node-id", "1"), ("__x", "y"), ("le", "z"), ("é", "n")]);
        let points = vec![
            Point {
                name: "org.apache.kafka.producer.a-b".to_owned(),
                labels: own,
                sample: Sample::Gauge(1.0),
            },
            point("org.apache.kafka.producer.sent.total", delta(2.0)),
            point("sent", Sample::Sum { value: f64::INFINITY, is_delta: false }),
            point("..", Sample::Gauge(1.0)),
            // A name of our own.
            point("connections", Sample::Gauge(1.0)),
        ];
        assert_eq!(
            shown(vec![PushedInstance::default().next(client("a\"b"), points, 9)]),
            [
                "ottla_client_producer_a_b{client_id=\"a\\\"b\",node_id=\"1\",x=\"y\"} 1",
                "ottla_client_producer_sent_total{client_id=\"a\\\"b\",topic=\"t\"} 2",
                "ottla_client_sent_total{client_id=\"a\\\"b\",topic=\"t\"} +Inf",
            ]
        );
    }

    #[test]
    fn what_grew_is_added_up_and_the_last_of_others_stands() {
        let push = |instance: &PushedInstance, sum: f64, gauge: f64| {
            instance.next(client("a"), vec![point("s", delta(sum)), point("g", Sample::Gauge(gauge))], 9)
        };
        let mut instance = push(&push(&PushedInstance::default(), 2.0, 5.0), 3.0, 4.0);
        let series =
            |name: &str, value: u32| format!("ottla_client_{name}{{client_id=\"a\",topic=\"t\"}} {value}");
        assert_eq!(shown(vec![instance.clone()]), [series("g", 4), series("s_total", 5)]);
        for _ in 1..MISSED_MAX {
            instance = instance.next(client("a"), Vec::new(), 9);
            assert_eq!(shown(vec![instance.clone()]), [series("s_total", 5)]);
        }
        instance = instance.next(client("a"), Vec::new(), 9);
        assert!(instance.is_empty());
    }

    #[test]
    fn a_name_has_one_kind_whoever_shows_it() {
        let gauge = |name: &str| vec![point(name, Sample::Gauge(1.0))];
        let histogram =
            Sample::Histogram { sum: 3.0, bounds: vec![0.5], counts: vec![2, 1], is_delta: false };
        let instances = vec![
            PushedInstance::default().next(client("a"), vec![point("h", histogram)], 9),
            PushedInstance::default().next(client("b"), gauge("h"), 9),
            PushedInstance::default().next(client("c"), gauge("h_sum"), 9),
        ];
        let labels = "client_id=\"a\",topic=\"t\"";
        assert_eq!(
            shown(instances),
            [
                format!("ottla_client_h_bucket{{{labels},le=\"0.5\"}} 2"),
                format!("ottla_client_h_bucket{{{labels},le=\"+Inf\"}} 3"),
                format!("ottla_client_h_sum{{{labels}}} 3"),
                format!("ottla_client_h_count{{{labels}}} 3"),
            ]
        );
    }

    #[test]
    fn there_are_no_more_series_than_there_may_be() {
        let points = (0..9).map(|number| point(&format!("m{number}"), delta(1.0))).collect();
        let instance = PushedInstance::default().next(client("a"), points, 4);
        assert_eq!(instance.len(), 4);
        let others = (0..9).map(|number| point(&format!("n{number}"), delta(1.0))).collect();
        assert_eq!(instance.next(client("a"), others, 4).len(), 4);
    }
}
