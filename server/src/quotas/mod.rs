//! Quotas at work: what clients took of late, and how long each has to rest until that is within what it may have.
//!
//! As in Kafka, nobody is refused: the reply is sent at once with the time to wait, and the connection is not read for that
//! long. Only changes of topics are refused above their quota, to clients that know the code for it. Which quotas there are
//! is in the image of the metadata, so that a request costs nothing here while there are none; what was measured is soft and
//! gone with a restart. Times are of the monotonic clock.
//!
//! Must not know: connections, messages, topics.

mod bucket;
mod meters;
mod rate;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use self::table::Client;

use self::bucket::Bucket;
use self::meters::{Bound, Meters};
use self::rate::{Rate, Windows};
use self::table::{Together, counts_for};
use crate::cluster::quota::{Key, Quotas};
use crate::config::Config;
use crate::metrics::Metrics;

/// How long a client has to rest, and which quota says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    pub key: Key,
    pub until: Duration,
}

impl Throttle {
    fn new(key: Key, now: Duration, ms: u64) -> Option<Self> {
        // Clients are told the milliseconds as a number of 32 bits.
        let rest = Duration::from_millis(ms.min(i32::MAX as u64));
        (ms > 0).then(|| Self { key, until: now + rest })
    }

    /// The milliseconds that are left of it.
    pub fn left_ms(self, now: Duration) -> i32 {
        i32::try_from(self.until.saturating_sub(now).as_millis()).unwrap_or(i32::MAX)
    }

    /// The longer one.
    pub fn longer(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if other.until > one.until => Some(other),
            (one, other) => one.or(other),
        }
    }
}

impl Client {
    pub fn new(user: &str, id: &str) -> Arc<Self> {
        Arc::new(Self { user: user.into(), id: id.into() })
    }
}

/// What clients took.
pub struct ClientQuotas {
    produced: Meters<Together, Rate>,
    fetched: Meters<Together, Rate>,
    time: Meters<Together, Rate>,
    changes: Meters<Together, Bucket>,
    connections: Meters<IpAddr, Rate>,
}

impl ClientQuotas {
    pub fn new(config: &Config, metrics: &Arc<Metrics>) -> Self {
        let windows = Windows::new(config.quota_window_num, config.quota_window_size_seconds);
        let of_controller =
            Windows::new(config.controller_quota_window_num, config.controller_quota_window_size_seconds);
        let bound = Bound { named_max: config.quota_clients_max, metrics: metrics.clone() };
        Self::within(windows, of_controller, &bound)
    }

    fn within(windows: Windows, of_controller: Windows, bound: &Bound) -> Self {
        Self {
            produced: Meters::new(windows, bound.clone()),
            fetched: Meters::new(windows, bound.clone()),
            time: Meters::new(windows, bound.clone()),
            changes: Meters::new(of_controller, bound.clone()),
            connections: Meters::new(windows, bound.clone()),
        }
    }

    /// Counts a Produce request of so many bytes.
    pub fn produced(
        &self,
        quotas: &Quotas,
        client: &Client,
        bytes: usize,
        now: Duration,
    ) -> Option<Throttle> {
        let key = Key::ProducerByteRate;
        let ms = charge(&self.produced, find(quotas, key, client)?, bytes as f64, now);
        Throttle::new(key, now, ms)
    }

    /// Counts a Fetch reply of so many bytes, which took so much of the broker's time. One that has to wait is not sent:
    /// then its bytes do not count.
    pub fn fetched(
        &self,
        quotas: &Quotas,
        client: &Client,
        bytes: usize,
        spent: Duration,
        now: Duration,
    ) -> Option<Throttle> {
        let key = Key::ConsumerByteRate;
        let for_time = self.spent(quotas, client, spent, now);
        let Some((together, bound)) = find(quotas, key, client) else { return for_time };
        let ms = self.fetched.with(together, millis(now), |rate, windows| {
            rate.record(bytes as f64, millis(now), windows);
            let ms = rate.throttle_ms(bound, millis(now), windows);
            if ms > 0 || for_time.is_some() {
                rate.record(-(bytes as f64), millis(now), windows);
            }
            ms
        });
        Throttle::longer(for_time, Throttle::new(key, now, ms))
    }

    /// The bytes of a Fetch reply that a client which fetched nothing of late gets without having to wait. For more it would
    /// have to wait each time, and never get anything.
    pub fn fetch_bytes_max(&self, quotas: &Quotas, client: &Client) -> Option<f64> {
        let (_, bound) = find(quotas, Key::ConsumerByteRate, client)?;
        Some(bound * self.fetched.windows().whole_ms() as f64 / 1000.0)
    }

    /// Counts time of the broker's threads. A rest for it is never longer than a window.
    pub fn spent(
        &self,
        quotas: &Quotas,
        client: &Client,
        spent: Duration,
        now: Duration,
    ) -> Option<Throttle> {
        let key = Key::RequestPercentage;
        let ms = charge(&self.time, find(quotas, key, client)?, spent.as_secs_f64() * 100.0, now);
        Throttle::new(key, now, ms.min(self.time.windows().each_ms))
    }

    /// Counts partitions that are created or deleted. False if they must not be, and how long the client has to rest.
    pub fn changed(
        &self,
        quotas: &Quotas,
        client: &Client,
        change: Change,
        now: Duration,
    ) -> (bool, Option<Throttle>) {
        let key = Key::ControllerMutationRate;
        let Some((together, bound)) = find(quotas, key, client) else { return (true, None) };
        let now_ms = millis(now);
        let (is_allowed, ms) = self.changes.with(together, now_ms, |bucket, windows| {
            let debt = bucket.throttle_ms(bound, now_ms, windows);
            if change.is_strict && debt > 0 {
                return (false, debt);
            }
            bucket.take(change.partitions as f64, bound, now_ms, windows);
            // A strict quota lets one change take more than there is, and tells the next.
            let debt = if change.is_strict { 0 } else { bucket.throttle_ms(bound, now_ms, windows) };
            (true, debt)
        });
        (is_allowed, Throttle::new(key, now, ms))
    }

    /// Counts a connection from this address. If it came too soon it does not count: nobody gets in for so long.
    pub fn connected(&self, quotas: &Quotas, address: IpAddr, now: Duration) -> Option<Duration> {
        let bound = quotas.connection_rate(address)?.get();
        let ms = self.connections.with(address, millis(now), |rate, windows| {
            rate.record(1.0, millis(now), windows);
            let ms = rate.throttle_ms(bound, millis(now), windows);
            if ms > 0 {
                rate.record(-1.0, millis(now), windows);
            }
            ms.min(windows.each_ms)
        });
        (ms > 0).then(|| Duration::from_millis(ms))
    }
}

/// Partitions that a request creates or deletes.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub partitions: usize,
    /// What exceeds the quota is refused.
    pub is_strict: bool,
}

fn find(quotas: &Quotas, key: Key, client: &Client) -> Option<(Together, f64)> {
    if quotas.bounds(key) { counts_for(quotas, key, client) } else { None }
}

fn charge(
    meters: &Meters<Together, Rate>,
    (together, bound): (Together, f64),
    amount: f64,
    now: Duration,
) -> u64 {
    let now_ms = millis(now);
    meters.with(together, now_ms, |rate, windows| {
        rate.record(amount, now_ms, windows);
        rate.throttle_ms(bound, now_ms, windows)
    })
}

fn millis(now: Duration) -> u64 {
    now.as_millis() as u64
}

#[cfg(test)]
mod tests;
