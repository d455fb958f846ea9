//! Traces of sampled requests, on their way to an OpenTelemetry collector. Off unless `otlp.endpoint` is set.
//!
//! A request costs one branch while they are off, one addition to a shared number while they are on, and a few copies
//! when it is sampled. A request that is never answered leaves no trace. None ever waits: what finds no room in the queue
//! is dropped and counted. Everything else (spans, ids, bytes, the connection) is made on one task of its own. Nothing in
//! the broker depends on what becomes of a trace.
//!
//! | what | where |
//! |---|---|
//! | which requests | `sampler` |
//! | what a request looks like as spans, by OpenTelemetry's conventions | `spans` |
//! | a POST on a connection that stays | `collector` |
//! | batches, patience, what is said and counted | `exporter` |
//!
//! It knows requests as `metrics` does, and neither connections nor APIs.

mod collector;
mod exporter;
mod sampler;
mod spans;
#[cfg(test)]
mod tests;

pub use exporter::Exporter;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use storage::Env;
use tokio::sync::{Notify, mpsc};

use self::sampler::Sampler;
use self::spans::Encoder;
use crate::config::Config;
use crate::metrics::{Metrics, Parts, TraceMetrics, WaitsFor};

/// Sampled requests that wait to be sent; further ones are dropped.
const QUEUE_MAX: usize = 8192;
/// From so many on they are sent at once; fewer wait for company.
const BATCH_MAX: usize = 512;

/// A sampled request that is over.
#[derive(Clone, Debug)]
pub struct Request {
    pub api: &'static str,
    pub version: i16,
    /// When its last byte came, by the monotonic clock.
    pub came: Duration,
    pub parts: Parts,
    pub waits_for: WaitsFor,
    pub request_bytes: usize,
    /// `None` for a request without a reply, by protocol or because its connection was closed instead.
    pub response_bytes: Option<usize>,
    /// Kafka's name of the first error in the reply.
    pub error: Option<&'static str>,
    pub client: Client,
}

/// Who asked.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: SocketAddr,
    /// What it calls itself; may be empty.
    pub id: Box<str>,
    /// Name and version of its software, if it told them.
    pub software: Option<(String, String)>,
}

/// Whose traces these are.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    pub cluster_id: &'a str,
    pub node_id: i32,
}

/// Where requests leave their traces.
pub struct Traces(Option<On>);

struct On {
    sampler: Sampler,
    queue: mpsc::Sender<Request>,
    /// Rung when a whole batch waits.
    bell: Arc<Notify>,
    counts: TraceMetrics,
}

impl Traces {
    /// With the settings' collector, and with the task that feeds it; without one there is neither.
    pub fn start(
        config: &Config,
        env: &Env,
        metrics: &Metrics,
        service: Service<'_>,
    ) -> (Traces, Option<Exporter>) {
        let Some(url) = &config.otlp_endpoint else { return (Traces(None), None) };
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let bell = Arc::new(Notify::new());
        let counts = metrics.traces.clone();
        let encoder = Encoder::new(env.clone(), service);
        let exporter =
            Exporter::start(url.clone(), env.clone(), encoder, waiting, bell.clone(), counts.clone());
        let sampler = Sampler::new(config.otlp_traces_sample_ratio, env.random.next_u64());
        (Traces(Some(On { sampler, queue, bell, counts })), Some(exporter))
    }

    /// Whether the request that begins now is one of those to be traced.
    #[inline]
    pub fn samples(&self) -> bool {
        self.0.as_ref().is_some_and(|on| on.sampler.samples())
    }

    /// A sampled request is over.
    pub fn push(&self, request: Request) {
        let Some(on) = &self.0 else { return };
        let spans = request.span_count();
        if on.queue.try_send(request).is_err() {
            on.counts.dropped(spans);
        }
        if on.queue.capacity() <= QUEUE_MAX - BATCH_MAX {
            on.bell.notify_one();
        }
    }
}
