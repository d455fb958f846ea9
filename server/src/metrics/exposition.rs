//! Prometheus' text format, for what is not held by the exporter: series that come and go, and histograms.
//!
//! A name or label value comes out so that a scraper reads back what went in, whatever bytes a client chose.

use super::histogram::Histogram;
use super::table::{Kind, Metric};
use std::fmt::Write;

pub(super) struct Text(String);

impl Text {
    /// Goes on behind what is there.
    pub(super) fn behind(text: String) -> Text {
        Text(text)
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// What must stand before the series of a metric, once.
    pub(super) fn family(&mut self, metric: &Metric) {
        let kind = word(metric.kind);
        self.put(format_args!(
            "# HELP {} {}\n# TYPE {} {kind}\n",
            metric.name,
            metric.help.trim(),
            metric.name
        ));
    }

    /// One series, with a value for each label of the metric.
    pub(super) fn series(&mut self, metric: &Metric, values: &[&str], number: f64) {
        assert_eq!(metric.labels.len(), values.len(), "{}: a value for each label", metric.name);
        self.0.push_str(metric.name);
        self.labels(metric.labels, values, None);
        self.number(number);
    }

    /// As [`family`](Self::family), for one that clients push.
    pub(super) fn clients_family(&mut self, name: &str, kind: Kind) {
        let kind = word(kind);
        self.put(format_args!("# HELP {name} Pushed by clients.\n# TYPE {name} {kind}\n"));
    }

    /// One series of a family that clients push.
    pub(super) fn clients_series(&mut self, name: &str, labels: &[(&str, &str)], number: f64) {
        self.0.push_str(name);
        self.pairs(labels.iter().copied());
        match number {
            f64::INFINITY => self.put(format_args!(" +Inf\n")),
            f64::NEG_INFINITY => self.put(format_args!(" -Inf\n")),
            number => self.number(number),
        }
    }

    pub(super) fn histogram(&mut self, metric: &Metric, values: &[&str], histogram: &Histogram) {
        let cumulated = histogram.cumulated();
        let count = cumulated.last().copied().unwrap_or(0);
        for (at, so_many) in cumulated.iter().enumerate() {
            let bound = metric.buckets.get(at).map_or("+Inf".to_owned(), f64::to_string);
            self.put(format_args!("{}_bucket", metric.name));
            self.labels(metric.labels, values, Some(&bound));
            self.number(*so_many as f64);
        }
        for (suffix, number) in [("_sum", histogram.sum_seconds()), ("_count", count as f64)] {
            self.put(format_args!("{}{suffix}", metric.name));
            self.labels(metric.labels, values, None);
            self.number(number);
        }
    }

    fn labels(&mut self, names: &[&str], values: &[&str], bound: Option<&str>) {
        let pairs = names.iter().zip(values).map(|(name, value)| (*name, *value));
        self.pairs(pairs.chain(bound.map(|bound| ("le", bound))));
    }

    fn pairs<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut between = '{';
        for (name, value) in pairs {
            self.0.push(between);
            self.put(format_args!("{name}=\""));
            self.escaped(value);
            self.0.push('"');
            between = ',';
        }
        if between == ',' {
            self.0.push('}');
        }
    }

    fn escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
    }

    fn number(&mut self, number: f64) {
        self.put(format_args!(" {number}\n"));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a String takes everything");
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::table::{GROUP_LAG_RECORDS, REQUEST_PART_TIME};
    use std::time::Duration;

    #[test]
    fn what_clients_choose_breaks_no_line() {
        let mut text = Text::behind(String::new());
        text.series(&GROUP_LAG_RECORDS, &["a\"b\\c\nd", "t", "0"], 5.0);
        let expected =
            "ottla_consumer_lag_records{group=\"a\\\"b\\\\c\\nd\",topic=\"t\",partition=\"0\"} 5\n";
        assert_eq!(text.into_string(), expected);
    }

    #[test]
    fn a_histogram_has_every_bound_the_sum_and_the_count() {
        let histogram = Histogram::new(REQUEST_PART_TIME.buckets);
        histogram.record(Duration::from_millis(3));
        let mut text = Text::behind(String::new());
        text.histogram(&REQUEST_PART_TIME, &["Fetch", "local"], &histogram);
        let text = text.into_string();
        assert_eq!(text.lines().count(), REQUEST_PART_TIME.buckets.len() + 3);
        let labels = "api=\"Fetch\",part=\"local\"";
        for line in [
            format!("ottla_request_part_seconds_bucket{{{labels},le=\"0.0025\"}} 0"),
            format!("ottla_request_part_seconds_bucket{{{labels},le=\"0.005\"}} 1"),
            format!("ottla_request_part_seconds_bucket{{{labels},le=\"+Inf\"}} 1"),
            format!("ottla_request_part_seconds_sum{{{labels}}} 0.003"),
            format!("ottla_request_part_seconds_count{{{labels}}} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
