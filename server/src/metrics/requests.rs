//! What is counted of requests, by API: how many, how large, how long in each of their parts, and what went wrong.
//!
//! Handles are made at the start and kept. Only an error code that was never answered before is looked up.

use super::exposition::Text;
use super::histogram::Histogram;
use super::registry::Registry;
use super::table;
use metrics::Counter;
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// What a request that is begun and not decided waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// The disk.
    Durability,
    /// Records to come, or other members of a group.
    Others,
}

impl WaitsFor {
    /// The name of the part that is this wait.
    pub fn part(self) -> &'static str {
        match self {
            WaitsFor::Durability => "durable_wait",
            WaitsFor::Others => "long_poll",
        }
    }
}

/// Where the time of a request went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// From its last byte to its begin: requests before it on the connection, and others of the thread.
    pub queue: Duration,
    /// Its work on the thread of the connection.
    pub local: Duration,
    /// From there to the decision, if it waited.
    pub wait: Option<Duration>,
    /// From the decision until its reply was with the kernel.
    pub send: Duration,
}

impl Parts {
    /// Whether it took longer than so many milliseconds, where waiting for others is no part of it. Below zero nothing does.
    pub fn is_slow(&self, limit_ms: i64, waits_for: WaitsFor) -> bool {
        let Ok(limit_ms) = u64::try_from(limit_ms) else { return false };
        let wait = self.wait.filter(|_| waits_for == WaitsFor::Durability).unwrap_or_default();
        self.queue + self.local + wait + self.send > Duration::from_millis(limit_ms)
    }
}

/// One request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// The request's bytes with its length prefix.
    pub request_bytes: usize,
    /// The reply's bytes with its length prefix; 0 without one.
    pub response_bytes: usize,
    /// From the request's last byte to its finished reply.
    pub elapsed: Duration,
    /// It was answered with an error code or by closing the connection.
    pub failed: bool,
}

/// What is counted of one API.
pub struct ApiMetrics {
    name: &'static str,
    waits_for: WaitsFor,
    arrived: Counter,
    requests: Counter,
    abandoned: Counter,
    failed: Counter,
    request_bytes: Counter,
    response_bytes: Counter,
    time: Histogram,
    /// Made with the first request: most APIs are never asked, and these are many series.
    parts: OnceLock<PartTimes>,
    errors: Mutex<BTreeMap<&'static str, u64>>,
}

struct PartTimes {
    queue: Histogram,
    local: Histogram,
    wait: Histogram,
    send: Histogram,
}

impl ApiMetrics {
    pub(super) fn new(registry: &Registry, name: &'static str, waits_for: WaitsFor) -> ApiMetrics {
        ApiMetrics {
            name,
            waits_for,
            arrived: registry.counter(&table::REQUESTS_ARRIVED, &[name]),
            requests: registry.counter(&table::REQUESTS, &[name]),
            abandoned: registry.counter(&table::REQUESTS_ABANDONED, &[name]),
            failed: registry.counter(&table::REQUEST_ERRORS, &[name]),
            request_bytes: registry.counter(&table::REQUEST_BYTES, &[name]),
            response_bytes: registry.counter(&table::RESPONSE_BYTES, &[name]),
            time: Histogram::new(table::REQUEST_TIME.buckets),
            parts: OnceLock::new(),
            errors: Mutex::default(),
        }
    }

    /// The API's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn waits_for(&self) -> WaitsFor {
        self.waits_for
    }

    /// The last byte of a request is there.
    pub fn arrived(&self) {
        self.arrived.increment(1);
    }

    /// So many requests that had arrived will never be decided: their connection is over.
    pub fn abandoned(&self, requests: usize) {
        self.abandoned.increment(requests as u64);
    }

    /// A request is decided.
    pub fn observe(&self, observed: Observed) {
        self.requests.increment(1);
        self.request_bytes.increment(observed.request_bytes as u64);
        self.response_bytes.increment(observed.response_bytes as u64);
        self.time.record(observed.elapsed);
        if observed.failed {
            self.failed.increment(1);
        }
    }

    /// The reply of a request is sent.
    pub fn sent(&self, parts: Parts) {
        let times = self.parts.get_or_init(PartTimes::new);
        times.queue.record(parts.queue);
        times.local.record(parts.local);
        times.send.record(parts.send);
        if let Some(wait) = parts.wait {
            times.wait.record(wait);
        }
    }

    /// A reply named these errors, each so often.
    pub fn answered_errors(&self, errors: impl Iterator<Item = (&'static str, u64)>) {
        let mut counted = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        for (error, count) in errors {
            *counted.entry(error).or_default() += count;
        }
    }
}

impl PartTimes {
    fn new() -> PartTimes {
        let histogram = || Histogram::new(table::REQUEST_PART_TIME.buckets);
        PartTimes { queue: histogram(), local: histogram(), wait: histogram(), send: histogram() }
    }
}

/// The series that the exporter does not hold.
pub(super) fn show<'a>(text: &mut Text, apis: impl Iterator<Item = &'a ApiMetrics> + Clone) {
    text.family(&table::REQUEST_TIME);
    for api in apis.clone() {
        text.histogram(&table::REQUEST_TIME, &[api.name], &api.time);
    }
    text.family(&table::REQUEST_PART_TIME);
    for api in apis.clone() {
        let Some(times) = api.parts.get() else { continue };
        let wait = api.waits_for.part();
        for (part, histogram) in
            [("queue", &times.queue), ("local", &times.local), (wait, &times.wait), ("send", &times.send)]
        {
            text.histogram(&table::REQUEST_PART_TIME, &[api.name, part], histogram);
        }
    }
    text.family(&table::ERRORS);
    for api in apis {
        for (error, count) in &*api.errors.lock().unwrap_or_else(PoisonError::into_inner) {
            text.series(&table::ERRORS, &[api.name, error], *count as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_others_is_not_slow_for_that() {
        let ms = Duration::from_millis;
        let parts = Parts { queue: ms(10), local: ms(20), wait: Some(ms(500)), send: ms(40) };
        assert!(parts.is_slow(69, WaitsFor::Others) && !parts.is_slow(70, WaitsFor::Others));
        assert!(parts.is_slow(569, WaitsFor::Durability) && !parts.is_slow(570, WaitsFor::Durability));
        assert!(!parts.is_slow(-1, WaitsFor::Durability), "below zero none is");
    }
}
