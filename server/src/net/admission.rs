//! Who may connect, when, and how much memory requests and replies may hold: the bounds that all connections share.
//!
//! As in Kafka, a listener that is full, or that gets connections faster than it may, does not accept until that is over:
//! clients wait in the kernel's queue. Only an address with too many connections is turned away. The listener between
//! brokers is not held up by what fills the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::memory::{RequestMemory, Share};
use super::pace::Pace;
use super::replies::{ReplyMemory, ReplyShare};
use super::telling::Telling;
use crate::config::{Config, Listener, LiveConfig};
use crate::metrics::{Limit, Metrics};

/// Why a connection is turned away.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Turned {
    #[error("max.connections.per.ip ({0}) is reached for this address")]
    Address(usize),
}

pub struct Admission {
    config: Arc<LiveConfig>,
    metrics: Arc<Metrics>,
    /// What the process's descriptors allow, whatever the settings say.
    descriptors_max: usize,
    memory: Arc<RequestMemory>,
    replies: Arc<ReplyMemory>,
    open: Mutex<Open>,
    /// Rung when a connection leaves.
    left: Notify,
    /// Accepted connections that wait for a place: at most one for each listening socket.
    waiting: AtomicUsize,
    pub(super) telling: Telling,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    by_listener: HashMap<String, usize>,
    pace: Pace,
    pace_of_listeners: HashMap<String, Pace>,
}

/// What the broker itself has open, and some segments, whatever the limit.
const DESCRIPTORS_KEPT_MIN: u64 = 64;

/// Connections never take the descriptors that segments need: a quarter of them stays free, and half of them where there
/// are very few. Segments that nobody uses hold none.
fn descriptors_for_connections() -> usize {
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let left = |most: u64| most - (most / 4).max(DESCRIPTORS_KEPT_MIN).min(most / 2);
    descriptors.map_or(usize::MAX, |most| usize::try_from(left(most)).unwrap_or(usize::MAX))
}

/// A connection's place; it is free again when this is dropped.
pub(super) struct Place {
    admission: Arc<Admission>,
    listener: Arc<Listener>,
    address: IpAddr,
}

impl Place {
    /// Is there a connection that could be served if this one left?
    pub(super) fn is_wanted(&self) -> bool {
        self.admission.waiting.load(Ordering::Relaxed) > 0
    }

    /// The part of a connection in what requests may hold.
    pub(super) fn memory(&self, connection_id: u64) -> Share {
        self.admission.memory.share(connection_id)
    }

    /// The part of a connection in what replies may hold.
    pub(super) fn replies(&self) -> ReplyShare {
        self.admission.replies.share()
    }

    pub(super) fn telling(&self) -> &Telling {
        &self.admission.telling
    }
}

impl Admission {
    pub fn new(config: Arc<LiveConfig>, metrics: Arc<Metrics>) -> Arc<Self> {
        let descriptors_max = descriptors_for_connections();
        let start = config.load_full();
        let admission = Arc::new(Self {
            memory: RequestMemory::new(start.request_memory_bytes_max, metrics.clone()),
            replies: ReplyMemory::new(start.queued_max_response_bytes, metrics.clone()),
            config,
            metrics,
            descriptors_max,
            open: Mutex::default(),
            left: Notify::new(),
            waiting: AtomicUsize::new(0),
            telling: Telling::default(),
        });
        admission.reconfigured();
        admission
    }

    pub fn config(&self) -> &LiveConfig {
        &self.config
    }

    /// There may be more room now, or less.
    pub fn reconfigured(&self) {
        let most = self.config.load().max_connections.min(self.descriptors_max);
        self.metrics.limit(Limit::Connections).max.set(most as f64);
        self.left.notify_waiters();
    }

    /// Waits for a place, as long as it takes.
    pub(super) async fn admit(
        self: &Arc<Self>,
        listener: &Arc<Listener>,
        address: IpAddr,
        now: Duration,
    ) -> Result<Place, Turned> {
        let pause = self.pause(listener, now);
        if !pause.is_zero() {
            self.metrics.limit(Limit::ConnectionRate).hits.increment(1);
            tokio::time::sleep(pause).await;
        }
        if let Some(taken) = self.take(listener, address) {
            return taken;
        }
        self.metrics.limit(Limit::Connections).hits.increment(1);
        if let Some(kept_back) = self.telling.may_say("full", address, now) {
            tracing::warn!(
                listener = %listener.name, kept_back,
                "as many connections as max.connections, or what `ulimit -n` leaves for them, allow: others wait"
            );
        }
        let _waiting = Waiting::new(&self.waiting);
        loop {
            let mut left = pin!(self.left.notified());
            left.as_mut().enable();
            if let Some(taken) = self.take(listener, address) {
                return taken;
            }
            left.await;
        }
    }

    /// Counts a connection, and says how long it must wait for having come too soon.
    fn pause(&self, listener: &Listener, now: Duration) -> Duration {
        let config = self.config.load();
        let mut open = self.open();
        let for_all = match is_protected(&config, listener) {
            true => Duration::ZERO,
            false => open.pace.count(now, config.max_connection_creation_rate),
        };
        let pace = open.pace_of_listeners.entry(listener.name.clone()).or_default();
        for_all.max(pace.count(now, now_of(&config, listener).creation_rate_max))
    }

    /// A place, a refusal, or nothing while there is no place.
    fn take(self: &Arc<Self>, listener: &Arc<Listener>, address: IpAddr) -> Option<Result<Place, Turned>> {
        let config = self.config.load();
        let mut open = self.open();
        let most = if is_protected(&config, listener) { usize::MAX } else { config.max_connections };
        let on_listener = open.by_listener.get(&listener.name).copied().unwrap_or(0);
        if open.total >= most.min(self.descriptors_max)
            || on_listener >= now_of(&config, listener).connections_max
        {
            return None;
        }
        let most_here = most_from(&config, address);
        let here = open.by_address.entry(address).or_default();
        if *here >= most_here {
            self.metrics.limit(Limit::ConnectionsPerAddress).hits.increment(1);
            return Some(Err(Turned::Address(most_here)));
        }
        *here += 1;
        open.total += 1;
        *open.by_listener.entry(listener.name.clone()).or_default() += 1;
        self.metrics.limit(Limit::Connections).used.set(open.total as f64);
        Some(Ok(Place { admission: self.clone(), listener: listener.clone(), address }))
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The listener between brokers, where it is not the only one.
fn is_protected(config: &Config, listener: &Listener) -> bool {
    config.listeners.len() > 1 && config.inter_broker_listener == listener.name
}

/// The listener as the settings have it now.
fn now_of<'a>(config: &'a Config, listener: &'a Listener) -> &'a Listener {
    config.listeners.iter().find(|now| now.name == listener.name).unwrap_or(listener)
}

fn most_from(config: &Config, address: IpAddr) -> usize {
    let own = config.max_connections_per_ip_overrides.iter().find(|(ip, _)| *ip == address);
    own.map_or(config.max_connections_per_ip, |(_, most)| *most)
}

/// Counts itself as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn count_down<K: std::hash::Hash + Eq + std::borrow::Borrow<Q>, Q: std::hash::Hash + Eq + ?Sized>(
    counts: &mut HashMap<K, usize>,
    of: &Q,
) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        open.total -= 1;
        count_down(&mut open.by_address, &self.address);
        count_down(&mut open.by_listener, &*self.listener.name);
        self.admission.metrics.limit(Limit::Connections).used.set(open.total as f64);
        drop(open);
        self.admission.left.notify_waiters();
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
