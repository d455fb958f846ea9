//! What is told of a connection: its requests' times to the metrics, the slow ones and its end to the log.
//!
//! Nothing is decided by it. What a peer can bring about at will is told at a bounded rate.

use std::time::Duration;

use protocol_compat::frame::FrameError;

use super::Connection;
use crate::metrics::{Limit, Parts, WaitsFor};
use crate::net::end::End;
use crate::net::timing::{Arrived, Sent};
use crate::traces::{Client, Request};

/// OpenTelemetry's word for an error that has no name.
const WITHOUT_A_NAME: &str = "_OTHER";

impl Connection {
    /// A request that has no reply is over.
    pub(super) fn observe_silent(&self, request: Arrived, now: Duration, failed: bool) {
        let metrics = self.broker.metrics.api(request.key);
        metrics.observe(request.observed(0, now, failed));
        let parts = request.parts(now, now);
        metrics.sent(parts);
        if request.traced.is_some() {
            self.trace(request, parts, None, failed.then_some(WITHOUT_A_NAME));
        }
    }

    /// A sampled request is over.
    fn trace(
        &self,
        request: Arrived,
        parts: Parts,
        response_bytes: Option<usize>,
        error: Option<&'static str>,
    ) {
        let metrics = self.broker.metrics.api(request.key);
        let client = Client {
            address: self.peer.address,
            id: self.peer.client_id.get().cloned().unwrap_or_default(),
            software: self.peer.software.get().cloned(),
        };
        self.broker.traces.push(Request {
            api: metrics.name(),
            version: request.traced.unwrap_or(-1),
            came: request.came,
            parts,
            waits_for: metrics.waits_for(),
            request_bytes: request.bytes,
            response_bytes,
            error,
            client,
        });
    }

    /// A request that came will not be answered.
    pub(super) fn abandon(&self, key: i16) {
        self.broker.metrics.api(key).abandoned(1);
    }

    /// Replies that are all with the kernel now.
    pub(super) fn count_sent(&mut self, now: Duration) {
        while let Some(Sent { request, decided, replied }) = self.unsent.sent_before(self.output.bytes()) {
            let parts = request.parts(decided, now);
            if let Some(replied) = replied {
                self.trace(request, parts, Some(replied.bytes), replied.error);
            }
            let metrics = self.broker.metrics.api(request.key);
            metrics.sent(parts);
            if parts.is_slow(self.broker.config.load().slow_request_log_ms, metrics.waits_for()) {
                self.tell_slow(metrics.name(), metrics.waits_for(), parts, now);
            }
        }
    }

    fn tell_slow(&self, api: &'static str, waits_for: WaitsFor, parts: Parts, now: Duration) {
        let address = self.peer.address;
        let Some(kept_back) = self.place.telling().may_say("slow", address.ip(), now) else { return };
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let wait = ms(parts.wait.unwrap_or_default());
        let (durable_wait_ms, long_poll_ms) = match waits_for {
            WaitsFor::Durability => (wait, 0.0),
            WaitsFor::Others => (0.0, wait),
        };
        let (queue_ms, local_ms, send_ms) = (ms(parts.queue), ms(parts.local), ms(parts.send));
        let client_id = self.peer.client_id.get().map_or("", |id| &**id);
        let software = self.peer.software.get().map_or("unknown", |(name, _)| name.as_str());
        tracing::warn!(
            api, %address, client_id, software, queue_ms, local_ms, durable_wait_ms, long_poll_ms, send_ms,
            kept_back, "a slow request"
        );
    }

    pub(super) fn report(&self, end: &End) {
        self.broker.metrics.connections.closed(end.reason());
        self.broker.telemetry.disconnected(self.peer.connection_id);
        if let Some(software) = self.peer.software.get() {
            self.broker.metrics.clients.closed(software);
        }
        if matches!(end, End::Frame(FrameError::TooLarge { .. })) {
            self.broker.metrics.limit(Limit::Frame).hits.increment(1);
        }
        let software = self.peer.software.get().map_or("unknown", |(name, _)| name.as_str());
        let address = self.peer.address;
        let now = self.broker.env.clock.monotonic();
        let told = end.misuse().and_then(|kind| self.place.telling().may_say(kind, address.ip(), now));
        match told {
            Some(kept_back) => {
                tracing::warn!(%address, software, reason = %end, kept_back, "closed a connection")
            }
            None => tracing::debug!(%address, software, reason = %end, "a connection ended"),
        }
    }
}
