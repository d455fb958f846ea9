//! Who may connect and how much memory requests may hold: the bounds that all connections share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::memory::{RequestMemory, Share};
use crate::config::Config;
use crate::metrics::{Limit, Metrics};

/// Why a connection is turned away.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Turned {
    #[error("{0} connections are open, which is max.connections or what `ulimit -n` leaves for them")]
    All(usize),
    #[error("max.connections.per.ip ({0}) is reached for this address")]
    Address(usize),
}

pub struct Admission {
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    /// `max.connections`, or what the process's descriptors allow if that is less.
    connections_max: usize,
    memory: Arc<RequestMemory>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Connections never take the descriptors that segments need: half of them stay free.
fn descriptors_for_connections() -> usize {
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    descriptors.map_or(usize::MAX, |most| usize::try_from(most / 2).unwrap_or(usize::MAX))
}

/// A connection's place; it is free again when this is dropped.
pub(super) struct Place {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub fn new(config: Arc<Config>, metrics: Arc<Metrics>) -> Arc<Self> {
        let connections_max = config.max_connections.min(descriptors_for_connections());
        metrics.limit(Limit::Connections).max.set(connections_max as f64);
        let memory = RequestMemory::new(config.request_memory_bytes_max, metrics.clone());
        Arc::new(Self { config, metrics, connections_max, memory, open: Mutex::default() })
    }

    /// The part of a connection in what requests may hold.
    pub(super) fn memory(&self, connection_id: u64) -> Share {
        self.memory.share(connection_id)
    }

    fn most_from(&self, address: IpAddr) -> usize {
        let overrides = &self.config.max_connections_per_ip_overrides;
        let own = overrides.iter().find(|(ip, _)| *ip == address);
        own.map_or(self.config.max_connections_per_ip, |(_, most)| *most)
    }

    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Turned> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let most = self.connections_max;
        if open.total >= most {
            self.metrics.limit(Limit::Connections).hits.increment(1);
            return Err(Turned::All(most));
        }
        let most_here = self.most_from(address);
        let here = open.by_address.entry(address).or_default();
        if *here >= most_here {
            self.metrics.limit(Limit::ConnectionsPerAddress).hits.increment(1);
            return Err(Turned::Address(most_here));
        }
        *here += 1;
        open.total += 1;
        self.metrics.limit(Limit::Connections).used.set(open.total as f64);
        Ok(Place { admission: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
        self.admission.metrics.limit(Limit::Connections).used.set(open.total as f64);
    }
}
