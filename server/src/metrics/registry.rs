//! Hands out counting handles for declared counters and gauges and renders what they counted. Histograms and series that
//! come and go are held elsewhere (`histogram`, `exposition`).
//!
//! A handle is made once and kept: counting through it costs nanoseconds, finding it again would cost a hundred. A registry
//! belongs to one broker and is not the process's global recorder, so that several brokers in one process do not mix.

use super::table::{Kind, METRICS, Metric};
use metrics::{Counter, Gauge, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

pub(super) struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

static METADATA: Metadata<'static> = Metadata::new("ottla", Level::INFO, None);

impl Registry {
    pub(super) fn new() -> Registry {
        let recorder = PrometheusBuilder::new().build_recorder();
        for metric in METRICS {
            describe(&recorder, metric);
        }
        Registry { handle: recorder.handle(), recorder }
    }

    pub(super) fn counter(&self, metric: &Metric, labels: &[&str]) -> Counter {
        assert_eq!(metric.kind, Kind::Counter, "{}", metric.name);
        self.recorder.register_counter(&key(metric, labels), &METADATA)
    }

    pub(super) fn gauge(&self, metric: &Metric, labels: &[&str]) -> Gauge {
        assert_eq!(metric.kind, Kind::Gauge, "{}", metric.name);
        self.recorder.register_gauge(&key(metric, labels), &METADATA)
    }

    /// All series in Prometheus' text format.
    pub(super) fn render(&self) -> String {
        self.handle.render()
    }
}

fn describe(recorder: &PrometheusRecorder, metric: &Metric) {
    let (name, help) = (KeyName::from_const_str(metric.name), metric.help.trim().into());
    match metric.kind {
        Kind::Counter => recorder.describe_counter(name, None, help),
        Kind::Gauge => recorder.describe_gauge(name, None, help),
        Kind::Histogram => {}
    }
}

fn key(metric: &Metric, values: &[&str]) -> Key {
    assert_eq!(metric.labels.len(), values.len(), "{}: a value for each label", metric.name);
    let pairs = metric.labels.iter().zip(values);
    Key::from_parts(
        metric.name,
        pairs.map(|(label, value)| Label::new(*label, (*value).to_owned())).collect::<Vec<_>>(),
    )
}
