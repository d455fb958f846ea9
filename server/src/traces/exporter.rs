//! The task that takes sampled requests from the queue to the collector, in batches, one POST at a time.
//!
//! A collector that is away is asked again after ever longer pauses, with the same batch; meanwhile the queue fills and what
//! comes then is dropped. What a collector refuses for good is dropped at once. Each of the two turns, to ill and back, is one
//! line of the log, and no more than one pair of them a minute.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use storage::Env;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::collector::{Answer, Collector};
use super::spans::Encoder;
use super::{BATCH_MAX, Request};
use crate::config::CollectorUrl;
use crate::metrics::TraceMetrics;

/// How long a request waits for company.
const COMPANY: Duration = Duration::from_millis(500);
/// How long a POST may take, its connection included.
const POST_MAX: Duration = Duration::from_secs(5);
/// The first pause before a batch is sent again; each is twice the one before,
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// up to this, whatever a collector asks for, which may be no pause at all.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long a stopping broker waits for the last batches.
const LAST_MAX: Duration = Duration::from_secs(1);
/// Between two lines that say that the collector is ill.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The task. It ends when this is dropped.
pub struct Exporter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Exporter {
    pub(super) fn start(
        url: CollectorUrl,
        env: Env,
        encoder: Encoder,
        queue: mpsc::Receiver<Request>,
        bell: Arc<Notify>,
        counts: TraceMetrics,
    ) -> Exporter {
        let (stop, stopped) = oneshot::channel();
        let worker = Worker {
            standing: Standing { env, is_ill: false, said: None },
            collector: Collector::new(url),
            encoder,
            queue,
            bell,
            counts,
            stop: stopped,
            is_stopping: false,
        };
        Exporter { stop, task: tokio::spawn(worker.run()) }
    }

    /// Sends what waits, as far as a stopping broker has time for it.
    pub async fn finish(mut self) {
        // A task that has ended already needs no word.
        let _ = self.stop.send(());
        if timeout(LAST_MAX, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!("the collector did not take the last traces in time");
        }
    }
}

struct Worker {
    collector: Collector,
    encoder: Encoder,
    queue: mpsc::Receiver<Request>,
    bell: Arc<Notify>,
    counts: TraceMetrics,
    stop: oneshot::Receiver<()>,
    is_stopping: bool,
    standing: Standing,
}

impl Worker {
    async fn run(mut self) {
        while !self.is_stopping {
            tokio::select! {
                _ = &mut self.stop => self.is_stopping = true,
                () = self.bell.notified() => {}
                () = sleep(COMPANY) => {}
            }
            loop {
                let batch: Vec<Request> =
                    std::iter::from_fn(|| self.queue.try_recv().ok()).take(BATCH_MAX).collect();
                if batch.is_empty() {
                    break;
                }
                self.deliver(&batch).await;
            }
        }
    }

    /// Until the collector has the batch, does not want it, or the broker stops.
    async fn deliver(&mut self, batch: &[Request]) {
        let spans: u64 = batch.iter().map(Request::span_count).sum();
        let body = self.encoder.encode(batch);
        let mut pause = PAUSE_MIN;
        loop {
            let posted = timeout(POST_MAX, self.collector.post(&body)).await;
            let wanted = match posted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(Answer::Taken { rejected }) => {
                    let rejected = rejected.min(spans);
                    self.counts.sent(spans - rejected);
                    self.counts.dropped(rejected);
                    return self.standing.well(&self.collector);
                }
                Ok(Answer::Refused { status }) => {
                    self.counts.dropped(spans);
                    return self.standing.ill(&self.collector, &format!("it answers with status {status}"));
                }
                Ok(Answer::Later { status, after }) => {
                    self.standing.ill(&self.collector, &format!("it answers with status {status}"));
                    after
                }
                Err(error) => {
                    self.standing.ill(&self.collector, &error.to_string());
                    None
                }
            };
            if self.is_stopping {
                return self.counts.dropped(spans);
            }
            let wanted = wanted.unwrap_or_else(|| self.standing.some_of(pause));
            self.rest(wanted.clamp(PAUSE_MIN / 2, PAUSE_MAX)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn rest(&mut self, pause: Duration) {
        tokio::select! {
            _ = &mut self.stop => self.is_stopping = true,
            () = sleep(pause) => {}
        }
    }
}

/// What was last said of the collector.
struct Standing {
    env: Env,
    /// The log says so.
    is_ill: bool,
    /// When it last began to.
    said: Option<Duration>,
}

impl Standing {
    fn ill(&mut self, collector: &Collector, reason: &str) {
        let now = self.env.clock.monotonic();
        let is_new = self.said.is_none_or(|said| now.saturating_sub(said) >= SAID_EVERY);
        if !self.is_ill && is_new {
            (self.is_ill, self.said) = (true, Some(now));
            let endpoint = collector.url();
            tracing::warn!(%endpoint, reason, "the collector of traces does not take them");
        }
    }

    fn well(&mut self, collector: &Collector) {
        if std::mem::take(&mut self.is_ill) {
            tracing::info!(endpoint = %collector.url(), "the collector of traces takes them again");
        }
    }

    /// From half of a pause to the whole: brokers that lost their collector together do not come back together.
    fn some_of(&self, pause: Duration) -> Duration {
        let half = pause / 2;
        half + half.mul_f64(self.env.random.next_u64() as f64 / u64::MAX as f64)
    }
}
