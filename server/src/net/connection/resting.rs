//! A connection whose client took more than its quotas allow rests: what has begun is answered, and nothing is read or begun
//! until the time that the client was told is over. As in Kafka, a client that does not keep to it by itself gains nothing.

use std::future::Future;
use std::task::Context;
use std::time::Duration;

use super::Connection;
use crate::quotas::Throttle;

impl Connection {
    /// Rests for so long, if not longer already.
    pub(super) fn rest_for(&mut self, throttle: Option<Throttle>) {
        let Some(throttle) = throttle else { return };
        let left = throttle.until.saturating_sub(self.broker.env.clock.monotonic());
        if left.is_zero() {
            return;
        }
        let until = tokio::time::Instant::now() + left;
        match &mut self.resting {
            Some(resting) if resting.deadline() >= until => {}
            Some(resting) => resting.as_mut().reset(until),
            None => {
                self.broker.metrics.quotas.throttled(throttle.key.name(), left);
                self.resting = Some(Box::pin(tokio::time::sleep_until(until)));
            }
        }
    }

    /// Whether a rest is over now.
    pub(super) fn wake(&mut self, cx: &mut Context<'_>) -> bool {
        let is_over = self.resting.as_mut().is_some_and(|resting| resting.as_mut().poll(cx).is_ready());
        if is_over {
            self.resting = None;
        }
        is_over
    }

    /// Counts time that was spent on sending against the quota of whoever is sent to.
    pub(super) fn count_time_since(&self, began: Option<Duration>) {
        if let (Some(client), Some(began)) = (&self.timed, began) {
            let spent = self.broker.env.clock.monotonic().saturating_sub(began);
            self.broker.spend(client, spent);
        }
    }
}
