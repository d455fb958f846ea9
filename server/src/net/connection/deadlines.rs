//! How long a connection may be silent, take over a frame, or leave its replies unread.
//!
//! One alarm serves all of it, and is set anew when it rings, never at every byte.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Connection;
use crate::config::Config;
use crate::metrics::Limit;
use crate::net::end::End;

/// Deadlines are looked at no more often than this,
const ALARM_REST_MIN: Duration = Duration::from_millis(20);
/// and no less often than this.
pub(super) const ALARM_REST_MAX: Duration = Duration::from_secs(3600);

/// So many bytes of a large frame count as progress.
const PROGRESS_BYTES: usize = 64 << 10;

/// A frame that is not complete: how much of it had come when it last made progress.
#[derive(Clone, Copy)]
pub(super) struct Partial {
    pub(super) since: Duration,
    bytes: usize,
}

impl Partial {
    /// Where a frame stands of which so much has come; its time begins anew if that is progress.
    pub(super) fn after(before: Option<Partial>, now: Duration, bytes: usize) -> Option<Partial> {
        match before {
            _ if bytes == 0 => None,
            Some(before) if bytes < before.bytes + PROGRESS_BYTES => Some(before),
            _ => Some(Partial { since: now, bytes }),
        }
    }
}

/// How patient this broker is.
#[derive(Clone, Copy)]
pub(super) struct Deadlines {
    /// Without a byte in either direction.
    pub(super) idle: Duration,
    /// For each `PROGRESS_BYTES` of a frame, and for its last bytes.
    pub(super) progress: Duration,
}

impl Deadlines {
    pub(super) fn new(config: &Config) -> Self {
        // Negative: for ever.
        let idle = u64::try_from(config.connections_max_idle_ms).map_or(Duration::MAX, Duration::from_millis);
        Self { idle, progress: Duration::from_millis(config.frame_progress_timeout_ms) }
    }
}

impl Connection {
    /// Looks at the deadlines when the alarm rings. It is set anew only then, and when a partial frame needs it earlier;
    /// never at every byte.
    pub(super) fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let now = self.broker.env.clock.monotonic();
            let rest = match self.time_left(now) {
                // Memory is given back without a call: it is asked for again soon.
                Ok(_) if self.starved => ALARM_REST_MIN,
                Ok(rest) => rest.clamp(ALARM_REST_MIN, ALARM_REST_MAX),
                Err(end) => return Poll::Ready(end),
            };
            let wanted = tokio::time::Instant::now() + rest;
            if self.alarm.deadline() > wanted + ALARM_REST_MIN {
                self.alarm.as_mut().reset(wanted);
            }
            ready!(self.alarm.as_mut().poll(cx));
            self.alarm.as_mut().reset(wanted);
            if self.starved {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// How long until a deadline; an error when one has passed.
    fn time_left(&self, now: Duration) -> Result<Duration, End> {
        let Deadlines { idle, progress } = self.deadlines;
        let mut left = idle.saturating_sub(now.saturating_sub(self.last_active));
        if left.is_zero() {
            // A peer that waits for a reply is not idle; one that does not take its replies is.
            if self.parked.is_empty() && self.placing.is_empty() {
                self.broker.metrics.limit(Limit::Idle).hits.increment(1);
                return Err(End::Idle(idle));
            }
            left = ALARM_REST_MAX;
        }
        // While this side does not read, the peer cannot go on.
        if let Some(partial) = self.partial.filter(|_| !self.paused) {
            let progress_left = progress.saturating_sub(now.saturating_sub(partial.since));
            if progress_left.is_zero() {
                self.broker.metrics.limit(Limit::FrameProgress).hits.increment(1);
                return Err(End::Stalled(progress));
            }
            left = left.min(progress_left);
        }
        Ok(left.min(self.time_for_others(now)?))
    }

    /// As long as nobody is short of anything, silence before the first request and replies that are not taken cost
    /// nothing; otherwise they have the time of a frame that makes no progress.
    fn time_for_others(&self, now: Duration) -> Result<Duration, End> {
        let patience = self.deadlines.progress;
        let is_over = |since: Duration| now.saturating_sub(since) >= patience;
        if !self.has_asked && is_over(self.last_active) && self.place.is_wanted() {
            return Err(End::Displaced(patience));
        }
        if !self.output.is_empty() && is_over(self.last_taken) && self.replies.is_full() {
            return Err(End::Unread(patience));
        }
        Ok(if self.has_asked && self.output.is_empty() { Duration::MAX } else { patience })
    }
}
