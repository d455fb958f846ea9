//! Figures of runs: medians of what repeats, merged histograms of what is timed, ratios between brokers.
//!
//! Invariants: percentiles are taken from all rounds of all counted runs together, never averaged; a ratio to nothing is none.

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

/// One counted run of one broker.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub seconds: f64,
    pub bytes: u64,
    pub requests: u64,
    pub broker_cpu_seconds: f64,
    pub generator_cpu_seconds: f64,
    pub peak_memory_bytes: u64,
    pub latency_ns: Option<Histogram<u64>>,
}

/// What a table can show of a broker in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    MegabytesPerSecond,
    RequestsPerSecond,
    AppendsPerSecond,
    CpuSecondsPerGb,
    CpuMicrosPerRequest,
    CpuMicrosPerAppend,
    PeakMegabytes,
    GeneratorCpuSecondsPerGb,
    GeneratorCpuMicrosPerRequest,
    AverageMs,
    P50Ms,
    P99Ms,
    P999Ms,
    MaxMs,
    TotalMs,
}

impl Metric {
    /// The heading of its column, unit included.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::MegabytesPerSecond => "MB/s",
            Self::RequestsPerSecond => "requests/s",
            Self::AppendsPerSecond => "appends/s",
            Self::CpuSecondsPerGb => "CPU-s/GB",
            Self::CpuMicrosPerRequest => "CPU-us/req",
            Self::CpuMicrosPerAppend => "CPU-us/append",
            Self::PeakMegabytes => "peak MB",
            Self::GeneratorCpuSecondsPerGb => "gen CPU-s/GB",
            Self::GeneratorCpuMicrosPerRequest => "gen CPU-us/req",
            Self::AverageMs => "avg ms",
            Self::P50Ms => "p50 ms",
            Self::P99Ms => "p99 ms",
            Self::P999Ms => "p99.9 ms",
            Self::MaxMs => "max ms",
            Self::TotalMs => "ms in all",
        }
    }

    /// Whether less of it is better.
    pub(crate) fn is_cost(self) -> bool {
        !matches!(self, Self::MegabytesPerSecond | Self::RequestsPerSecond | Self::AppendsPerSecond)
    }

    /// The name in the machine-readable results.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::MegabytesPerSecond => "megabytes_per_second",
            Self::RequestsPerSecond => "requests_per_second",
            Self::AppendsPerSecond => "appends_per_second",
            Self::CpuSecondsPerGb => "cpu_seconds_per_gb",
            Self::CpuMicrosPerRequest => "cpu_micros_per_request",
            Self::CpuMicrosPerAppend => "cpu_micros_per_append",
            Self::PeakMegabytes => "peak_megabytes",
            Self::GeneratorCpuSecondsPerGb => "generator_cpu_seconds_per_gb",
            Self::GeneratorCpuMicrosPerRequest => "generator_cpu_micros_per_request",
            Self::AverageMs => "average_ms",
            Self::P50Ms => "p50_ms",
            Self::P99Ms => "p99_ms",
            Self::P999Ms => "p999_ms",
            Self::MaxMs => "max_ms",
            Self::TotalMs => "total_ms",
        }
    }

    fn of_latency(self, latency_ns: &Histogram<u64>) -> Option<f64> {
        let ns = match self {
            Self::AverageMs => latency_ns.mean(),
            Self::P50Ms => latency_ns.value_at_quantile(0.5) as f64,
            Self::P99Ms => latency_ns.value_at_quantile(0.99) as f64,
            Self::P999Ms => latency_ns.value_at_quantile(0.999) as f64,
            Self::MaxMs => latency_ns.max() as f64,
            _ => return None,
        };
        (!latency_ns.is_empty()).then_some(ns / 1e6)
    }

    /// The metric of one run; none where the run has no such figure.
    pub(crate) fn of(self, sample: &Sample) -> Option<f64> {
        let gigabytes = sample.bytes as f64 / 1e9;
        let requests = sample.requests as f64;
        match self {
            Self::MegabytesPerSecond => ratio(gigabytes * 1e3, sample.seconds),
            Self::RequestsPerSecond | Self::AppendsPerSecond => ratio(requests, sample.seconds),
            Self::CpuSecondsPerGb => ratio(sample.broker_cpu_seconds, gigabytes),
            Self::CpuMicrosPerRequest | Self::CpuMicrosPerAppend => {
                ratio(sample.broker_cpu_seconds * 1e6, requests)
            }
            Self::PeakMegabytes => Some(sample.peak_memory_bytes as f64 / 1e6),
            Self::GeneratorCpuSecondsPerGb => ratio(sample.generator_cpu_seconds, gigabytes),
            Self::GeneratorCpuMicrosPerRequest => ratio(sample.generator_cpu_seconds * 1e6, requests),
            Self::TotalMs => Some(sample.seconds * 1e3),
            Self::AverageMs | Self::P50Ms | Self::P99Ms | Self::P999Ms | Self::MaxMs => {
                self.of_latency(sample.latency_ns.as_ref()?)
            }
        }
    }
}

/// The counted runs of one broker in one row.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub samples: Vec<Sample>,
    merged_latency_ns: Option<Histogram<u64>>,
}

impl Summary {
    pub(crate) fn of(samples: Vec<Sample>) -> Result<Self> {
        let mut merged: Option<Histogram<u64>> = None;
        for latency in samples.iter().filter_map(|sample| sample.latency_ns.as_ref()) {
            match &mut merged {
                Some(sum) => sum.add(latency).context("merging histograms")?,
                None => merged = Some(latency.clone()),
            }
        }
        Ok(Self { samples, merged_latency_ns: merged })
    }

    pub(crate) fn value(&self, metric: Metric) -> Option<f64> {
        if let Some(value) = self.merged_latency_ns.as_ref().and_then(|all| metric.of_latency(all)) {
            return Some(value);
        }
        median(self.samples.iter().filter_map(|sample| metric.of(sample)).collect())
    }

    /// Half the way from the lowest run to the highest, as a share of the median: how far to trust it.
    pub(crate) fn spread(&self, metric: Metric) -> Option<f64> {
        let values: Vec<f64> = self.samples.iter().filter_map(|sample| metric.of(sample)).collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        ratio((high - low) / 2.0, median(values)?)
    }
}

/// The middle value, or the mean of the two middle ones.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some((values[middle - 1] + upper) / 2.0) }
}

pub(crate) fn ratio(of: f64, to: f64) -> Option<f64> {
    let ratio = of / to;
    (to != 0.0 && ratio.is_finite()).then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::roundtrip::new_histogram;

    fn sample(seconds: f64, latencies_ns: &[u64]) -> Sample {
        let mut histogram = new_histogram().unwrap();
        for &latency in latencies_ns {
            histogram.record(latency).unwrap();
        }
        Sample {
            seconds,
            bytes: 2_000_000_000,
            requests: 1_000,
            broker_cpu_seconds: 3.0,
            generator_cpu_seconds: 1.0,
            peak_memory_bytes: 5_000_000,
            latency_ns: (!latencies_ns.is_empty()).then_some(histogram),
        }
    }

    #[test]
    fn median_of_odd_even_and_none() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn ratio_to_nothing_is_none() {
        assert_eq!(ratio(6.0, 3.0), Some(2.0));
        assert_eq!(ratio(6.0, 0.0), None);
        assert_eq!(ratio(0.0, 0.0), None);
        assert_eq!(ratio(f64::NAN, 1.0), None);
    }

    #[test]
    fn metrics_carry_their_units() {
        let sample = sample(4.0, &[]);
        assert_eq!(Metric::MegabytesPerSecond.of(&sample), Some(500.0));
        assert_eq!(Metric::RequestsPerSecond.of(&sample), Some(250.0));
        assert_eq!(Metric::CpuSecondsPerGb.of(&sample), Some(1.5));
        assert_eq!(Metric::CpuMicrosPerRequest.of(&sample), Some(3000.0));
        assert_eq!(Metric::GeneratorCpuSecondsPerGb.of(&sample), Some(0.5));
        assert_eq!(Metric::PeakMegabytes.of(&sample), Some(5.0));
        assert_eq!(Metric::P99Ms.of(&sample), None);
    }

    #[test]
    fn percentiles_come_from_all_rounds_together() {
        let calm = sample(1.0, &[1_000_000; 99]);
        let rough = sample(1.0, &[50_000_000]);
        let summary = Summary::of(vec![calm, rough]).unwrap();
        let p50 = summary.value(Metric::P50Ms).unwrap();
        assert!((p50 - 1.0).abs() < 0.01, "{p50}");
        let p999 = summary.value(Metric::P999Ms).unwrap();
        assert!((p999 - 50.0).abs() < 0.1, "{p999}");
    }

    #[test]
    fn spread_is_half_the_range() {
        let summary = Summary::of(vec![sample(1.0, &[]), sample(2.0, &[]), sample(4.0, &[])]).unwrap();
        assert_eq!(summary.value(Metric::MegabytesPerSecond), Some(1000.0));
        assert_eq!(summary.spread(Metric::MegabytesPerSecond), Some(0.75));
    }
}
