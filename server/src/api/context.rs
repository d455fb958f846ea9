//! What a request sees: the broker's services, its peer, and one image of the metadata.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol_compat::guard;
use protocol_compat::messages::StrBytes;
use storage::{Env, Together, TopicId};
use tokio::sync::Semaphore;

use crate::cluster::command::Refusal;
use crate::cluster::controller::Seen;
use crate::cluster::quota::Key;
use crate::cluster::records::TopicPurged;
use crate::cluster::{Controller, Topic};
use crate::config::{Advertised, LiveConfig};
use crate::coordinator::{Groups, ProducerIds};
use crate::metrics::Metrics;
pub use crate::partition::ColdReads;
use crate::partition::Partitions;
use crate::partition::fetch::FetchSessions;
use crate::quotas::{Change, Client, ClientQuotas, Throttle};
use crate::security::{Authorizer, Operation, Principal, Resource};
use crate::telemetry::Telemetry;
use crate::traces::Traces;

/// How long between two looks whether a log is durable yet. It takes a flush, of milliseconds.
pub(super) const DURABILITY_LOOK: Duration = Duration::from_millis(2);

/// Who this broker is, for good.
#[derive(Debug, Clone)]
pub struct Identity {
    pub cluster_id: String,
    pub node_id: i32,
}

/// Everything that requests work with, made once by `node`.
pub struct Broker {
    pub identity: Identity,
    pub config: Arc<LiveConfig>,
    pub controller: Controller,
    pub partitions: Partitions,
    pub fetch_sessions: FetchSessions,
    pub cold_reads: ColdReads,
    pub producer_ids: ProducerIds,
    pub groups: Groups,
    pub quotas: ClientQuotas,
    pub telemetry: Telemetry,
    pub authorizer: Authorizer,
    pub metrics: Arc<Metrics>,
    pub traces: Traces,
    pub env: Env,
    pub guard_limits: guard::Limits,
    /// One batch at a time that is much work to check, so that neither threads nor memory go to such batches alone.
    pub heavy_work: Arc<Semaphore>,
    /// Set when the listeners are bound, before the first connection.
    pub advertised: OnceLock<Vec<Advertised>>,
}

impl Broker {
    /// The address to tell a client that came through `listener`.
    pub fn advertised_on(&self, listener: &str) -> Option<&Advertised> {
        let all = self.advertised.get()?;
        all.iter().find(|a| a.name == listener).or_else(|| all.first())
    }

    /// Gives a topic's open logs the settings that the newest image has, and waits until each of them keeps what they
    /// promise: a log that becomes durable is flushed first.
    pub async fn reconfigure(&self, id: TopicId) {
        let newest = || self.controller.seen().image.topic_by_id(id).cloned();
        let open = self.partitions.reconfigure(newest);
        let deadline =
            self.env.clock.monotonic() + Duration::from_millis(self.config.load().request_timeout_ms);
        for partition in open {
            while !partition.is_as_durable_as_wanted() && self.env.clock.monotonic() < deadline {
                tokio::time::sleep(DURABILITY_LOOK).await;
            }
        }
    }

    /// Counts time of the broker's threads that no reply can tell of any more: it counts with what comes next.
    pub fn spend(&self, client: &Client, spent: Duration) {
        let (seen, now) = (self.controller.seen(), self.env.clock.monotonic());
        self.quotas.spent(seen.image.quotas(), client, spent, now);
    }

    /// How long a new connection from this address is kept outside, if it came too soon.
    pub fn keep_out(&self, address: IpAddr) -> Option<Duration> {
        let seen = self.controller.seen();
        let quotas = seen.image.quotas();
        if !quotas.bounds(Key::ConnectionCreationRate) {
            return None;
        }
        let pause = self.quotas.connected(quotas, address, self.env.clock.monotonic())?;
        self.metrics.quotas.throttled(Key::ConnectionCreationRate.name(), pause);
        Some(pause)
    }

    /// Removes what a deleted topic left on disk, and notes in the metadata that nothing is left. What fails now is done
    /// again at the next start.
    pub fn purge(&self, topic: &Topic) {
        if let Err(error) = self.partitions.delete(topic) {
            tracing::warn!(topic = %topic.name, %error, "a deleted topic's directories stay until the next start");
            return;
        }
        let purged = TopicPurged { id: topic.id };
        let (noted, _) = self.controller.execute(|_| Ok::<_, Infallible>((vec![purged.into()], ())));
        if let Err(error) = noted {
            tracing::warn!(topic = %topic.name, %error, "the removal of a deleted topic is not noted");
        }
    }
}

/// The other end of a connection.
#[derive(Debug)]
pub struct Peer {
    pub principal: Principal,
    pub listener: Arc<str>,
    pub address: SocketAddr,
    pub connection_id: u64,
    /// Name and version that the client gave in ApiVersions.
    pub software: OnceLock<(String, String)>,
    /// What the first request called its client; one connection belongs to one client. Cut if it is long.
    pub client_id: OnceLock<Box<str>>,
}

/// Characters of a client's id that are kept for the log.
const CLIENT_ID_CHARS_MAX: usize = 128;

impl Peer {
    pub(super) fn note_client_id(&self, id: &str) {
        self.client_id.get_or_init(|| id.chars().take(CLIENT_ID_CHARS_MAX).collect());
    }
}

/// The context of one request.
pub struct Cx {
    pub broker: Arc<Broker>,
    pub peer: Arc<Peer>,
    pub client_id: StrBytes,
    /// The one image that this request works with, unless it changes it.
    pub seen: Arc<Seen>,
    /// Bytes of the request behind its length prefix.
    pub request_bytes: usize,
    /// Who asks, where any client has a quota.
    pub metered: Option<Metered>,
    /// What the request appends is written with that of others behind it.
    pub together: Option<Arc<Together>>,
    /// How long the connection is to rest for what the request has done already.
    throttled: Cell<Option<Throttle>>,
}

/// A request that may count against a quota.
#[derive(Clone)]
pub struct Metered {
    pub client: Arc<Client>,
    /// When its work began.
    pub began: Duration,
}

impl Cx {
    pub(super) fn new(
        broker: &Arc<Broker>,
        peer: &Arc<Peer>,
        client_id: StrBytes,
        request_bytes: usize,
        together: Option<&Arc<Together>>,
    ) -> Self {
        let seen = broker.controller.seen();
        let metered = (!seen.image.quotas().is_empty()).then(|| Metered {
            client: Client::new(&peer.principal.name, &client_id),
            began: broker.env.clock.monotonic(),
        });
        let (broker, peer, together) = (broker.clone(), peer.clone(), together.cloned());
        Self { broker, peer, client_id, seen, request_bytes, metered, together, throttled: Cell::new(None) }
    }

    /// The connection rests for at least so long.
    pub(super) fn throttle(&self, throttle: Option<Throttle>) {
        self.throttled.set(Throttle::longer(self.throttled.get(), throttle));
    }

    pub(super) fn throttled(&self) -> Option<Throttle> {
        self.throttled.get()
    }

    /// Who asks, if the time of the broker's threads is bounded for anybody.
    pub(super) fn timed(&self) -> Option<Arc<Client>> {
        let bounds_time = self.seen.image.quotas().bounds(Key::RequestPercentage);
        self.metered.as_ref().filter(|_| bounds_time).map(|metered| metered.client.clone())
    }

    /// Counts so many partitions that are created or deleted. A strict quota refuses what exceeds it, which only clients of
    /// newer versions understand; to the others it happens, and they rest.
    pub(super) fn change(&self, partitions: usize, is_strict: bool) -> Result<(), Refusal> {
        let Some(metered) = &self.metered else { return Ok(()) };
        let (quotas, now) = (self.seen.image.quotas(), self.broker.env.clock.monotonic());
        let change = Change { partitions, is_strict };
        let (is_allowed, rest) = self.broker.quotas.changed(quotas, &metered.client, change, now);
        self.throttle(rest);
        if is_allowed { Ok(()) } else { Err(Refusal::QuotaUsedUp) }
    }

    pub fn allow(&self, operation: Operation, resource: Resource<'_>) -> bool {
        self.broker.authorizer.allow(&self.peer.principal, operation, resource)
    }

    pub fn allowed_operations(&self, resource: Resource<'_>) -> i32 {
        self.broker.authorizer.allowed_operations(&self.peer.principal, resource)
    }
}
