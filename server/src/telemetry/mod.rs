//! Clients' own metrics (KIP-714): which of them push what and how often, and what they pushed.
//!
//! As Kafka's ClientMetricsManager answers, which needs a plugin to do anything with a push; here it is read and shown among
//! the broker's metrics. What subscriptions there are is in the image of the metadata; everything here is soft, bounded, and
//! gone with a restart: a client asks again then.
//!
//! | what | where |
//! |---|---|
//! | what an instance is subscribed to, and when it may ask and push | `instance` |
//! | the instances that are remembered | `instances` |
//! | reading a push | `otlp` |
//! | what of it is shown | `shown` |
//! | the order of Java's sets, which is in the ids of subscriptions | `java_set` |
//!
//! Must not know: connections but by their numbers, messages, topics.

pub mod fuzz;
mod instance;
mod instances;
mod java_set;
mod otlp;
mod shown;
#[cfg(test)]
mod tests;

pub use instance::Subscribed;

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::{Codec, Env, TopicId};

use self::instance::{Instance, Known, Last};
use self::instances::Instances;
use self::shown::Shown;
use crate::cluster::client_metrics::ClientSubscriptions;
use crate::config::Config;
use crate::metrics::{Limit, Metrics, PushedInstance};

/// Codecs that a push may have, the preferred first, by their numbers in batches: Kafka's order.
pub const CODECS: [Codec; 4] = [Codec::Zstd, Codec::Lz4, Codec::Gzip, Codec::Snappy];

/// Which instance of a client it is, from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(TopicId);

impl InstanceId {
    /// Any id that a client says is its own.
    pub fn of_client(bytes: [u8; 16]) -> Self {
        Self(TopicId(bytes))
    }

    /// `None` for ids that no client is given: Kafka keeps 0 and 1 for itself.
    pub fn new(bytes: [u8; 16]) -> Option<Self> {
        (u128::from_be_bytes(bytes) > 1).then_some(Self(TopicId(bytes)))
    }

    pub fn bytes(self) -> [u8; 16] {
        self.0.0
    }

    /// Java's hash of it.
    fn java_hash(self) -> i32 {
        let bits = u128::from_be_bytes(self.0.0);
        let folded = (bits >> 64) as u64 ^ bits as u64;
        (folded >> 32) as i32 ^ folded as i32
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of a client.
#[derive(Debug, Clone)]
pub struct ClientInfo {
    pub client_id: String,
    /// Name and version, where it told them.
    pub software: Option<(String, String)>,
    pub address: SocketAddr,
    pub connection_id: u64,
}

impl ClientInfo {
    fn known(&self, instance: InstanceId) -> Known<'_> {
        let (address, port) = (self.address.ip().to_canonical().to_string(), self.address.port().to_string());
        Known { client: self, instance: instance.to_string(), address, port }
    }
}

/// A push as it came.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    pub instance: InstanceId,
    pub subscription: i32,
    pub is_last: bool,
    /// The codec's number in batches.
    pub codec: i8,
    pub payload: &'a [u8],
}

/// Why a client is not answered, or its push not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    #[error("this came before the next interval")]
    TooEarly,
    #[error("the client pushed for the last time before")]
    Over,
    #[error("the client is subscribed to something else by now")]
    OtherSubscription,
    #[error("there is no such codec")]
    UnknownCodec,
    #[error("the push is larger than a push may be")]
    TooLarge,
    #[error("the push cannot be read")]
    Unreadable,
}

/// What is known of all instances of clients.
pub struct Telemetry {
    env: Env,
    metrics: Arc<Metrics>,
    payload_bytes_max: usize,
    series_max: usize,
    instances: Mutex<Instances>,
    shown: Mutex<Shown>,
}

impl Telemetry {
    pub fn new(config: &Config, env: Env, metrics: Arc<Metrics>) -> Self {
        Self {
            env,
            metrics,
            payload_bytes_max: config.telemetry_max_bytes,
            series_max: config.metrics_client_series_max,
            instances: Mutex::default(),
            shown: Mutex::new(Shown::new(config.metrics_client_instances_max)),
        }
    }

    /// What the instance is subscribed to; one without an id gets a new one.
    pub fn subscribed(
        &self,
        subscriptions: &ClientSubscriptions,
        client: ClientInfo,
        instance: Option<InstanceId>,
    ) -> Result<(InstanceId, Subscribed), TelemetryError> {
        let now = self.env.clock.monotonic();
        let mut instances = self.instances();
        let id = instance.unwrap_or_else(|| self.new_id(&instances));
        let instance = instances.get(id, subscriptions, client, now);
        if !instance.may_ask(now) {
            return Err(TelemetryError::TooEarly);
        }
        instance.last = Last::Nothing;
        Ok((id, instance.subscribed.clone()))
    }

    /// Takes what an instance pushed.
    pub fn push(
        &self,
        subscriptions: &ClientSubscriptions,
        client: ClientInfo,
        push: Push<'_>,
    ) -> Result<(), TelemetryError> {
        let now = self.env.clock.monotonic();
        let subscribed = {
            let mut instances = self.instances();
            let instance = instances.get(push.instance, subscriptions, client.clone(), now);
            let checked = self.check(instance, &push, now);
            instance.is_over = push.is_last;
            instance.last = match checked {
                Err(TelemetryError::OtherSubscription | TelemetryError::UnknownCodec) => Last::AskAgain,
                _ => Last::Nothing,
            };
            checked?;
            instance.subscribed.clone()
        };
        // Read outside of the lock: this is the work.
        let pushed = match push.payload {
            [] => otlp::Pushed::default(),
            payload => self.read(push.codec, payload).ok_or(TelemetryError::Unreadable)?,
        };
        if pushed.left_out > 0 {
            self.metrics.limit(Limit::MetricsClientSeries).hits.increment(1);
        }
        let mut shown = self.shown();
        if push.is_last {
            shown.forget(push.instance);
        } else if !push.payload.is_empty() {
            let until = now + subscribed.shown();
            if !shown.show(push.instance, &client, pushed, self.series_max, until, now) {
                self.metrics.limit(Limit::MetricsClients).hits.increment(1);
            }
        }
        Ok(())
    }

    /// Whether a push is to be read, in Kafka's order.
    fn check(&self, instance: &mut Instance, push: &Push<'_>, now: Duration) -> Result<(), TelemetryError> {
        if instance.is_over {
            return Err(TelemetryError::Over);
        }
        if !instance.may_push(now) && !push.is_last {
            return Err(TelemetryError::TooEarly);
        }
        if push.subscription != instance.subscribed.id {
            return Err(TelemetryError::OtherSubscription);
        }
        if codec_of(push.codec).is_none() {
            return Err(TelemetryError::UnknownCodec);
        }
        if push.payload.len() > self.payload_bytes_max {
            return Err(TelemetryError::TooLarge);
        }
        Ok(())
    }

    /// What the client pushed, if it is right. Decompressed it may not be larger than a push may be on the wire.
    fn read(&self, codec: i8, payload: &[u8]) -> Option<otlp::Pushed> {
        let plain = match codec_of(codec)? {
            Codec::None => return otlp::read(payload, self.series_max).ok(),
            codec => {
                let mut plain = Vec::new();
                let limit = self.payload_bytes_max as u64;
                storage::codec::decompress(codec, payload, limit).ok()?.read_to_end(&mut plain).ok()?;
                plain
            }
        };
        otlp::read(&plain, self.series_max).ok()
    }

    /// The connection is over, and the instance that came by it with it.
    pub fn disconnected(&self, connection_id: u64) {
        self.instances().disconnected(connection_id);
    }

    /// What all instances show now.
    pub fn pushed(&self) -> Vec<Arc<PushedInstance>> {
        self.shown().all(self.env.clock.monotonic())
    }

    fn new_id(&self, instances: &Instances) -> InstanceId {
        loop {
            let id = TopicId::random(&*self.env.random);
            if let Some(id) = InstanceId::new(id.0).filter(|id| !instances.knows(*id)) {
                return id;
            }
        }
    }

    fn instances(&self) -> MutexGuard<'_, Instances> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn codec_of(number: i8) -> Option<Codec> {
    u8::try_from(number).ok().and_then(Codec::from_id)
}
