//! How a case is timed: what begins a measurement, how long it lasts, and what it ends as.
//!
//! Invariants: CPU is this whole process's, the threads of the data directory included, and nothing else runs in it
//! meanwhile; what was prepared before `begin` is not in the figures.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::cpu::own_cpu;
use crate::stats::Sample;

/// How long a case that goes by time may last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget(pub Duration);

impl Budget {
    pub(crate) fn lasts(self, figures: &Figures) -> bool {
        figures.begun.elapsed() < self.0
    }
}

/// A measurement on its way.
#[derive(Debug)]
pub(crate) struct Figures {
    begun: Instant,
    cpu_before: Duration,
    seconds: f64,
    cpu_seconds: f64,
    requests: u64,
    bytes: u64,
    pub latency_ns: Option<Histogram<u64>>,
}

impl Figures {
    pub(crate) fn begin() -> Self {
        Self {
            cpu_before: own_cpu(),
            begun: Instant::now(),
            seconds: 0.0,
            cpu_seconds: 0.0,
            requests: 0,
            bytes: 0,
            latency_ns: None,
        }
    }

    /// Ends it: so many requests of one size were done.
    pub(crate) fn done(&mut self, requests: u64, bytes_each: usize) {
        self.done_bytes(requests, requests * bytes_each as u64);
    }

    pub(crate) fn done_bytes(&mut self, requests: u64, bytes: u64) {
        self.seconds = self.begun.elapsed().as_secs_f64();
        self.cpu_seconds = (own_cpu() - self.cpu_before).as_secs_f64();
        (self.requests, self.bytes) = (requests, bytes);
    }

    /// Counts another part of the same run.
    pub(crate) fn add(&mut self, part: &Figures) {
        self.seconds += part.seconds;
        self.cpu_seconds += part.cpu_seconds;
        self.requests += part.requests;
        self.bytes += part.bytes;
    }

    /// As a run of the comparison: there is no broker but this process, and no generator beside it.
    pub(crate) fn sample(self) -> Sample {
        Sample {
            seconds: self.seconds,
            bytes: self.bytes,
            requests: self.requests,
            broker_cpu_seconds: self.cpu_seconds,
            generator_cpu_seconds: 0.0,
            peak_memory_bytes: 0,
            latency_ns: self.latency_ns,
        }
    }
}
