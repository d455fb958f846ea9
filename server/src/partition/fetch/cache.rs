//! The fetch sessions of all clients: bounded in number and in bytes, with Kafka's rules of eviction.
//!
//! Invariants: what the sessions take is counted, partition by partition, and stays below its bound; a session that is
//! refused or evicted costs its client a full fetch and nothing else. Kafka keeps eight caches of an eighth of the slots
//! each; here is one, so that a session is evicted only when all slots are taken. No session is a follower's: none is
//! privileged.
//!
//! The cache's lock and a session's are never held together.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::Env;

use super::session::{Forgotten, Session, Told, cost_bytes};
use super::{Entry, Resolve, Wanted};
use crate::cluster::Image;
use crate::config::Config;
use crate::metrics::{Limit, Metrics};

/// A session that was not used for so long may go for any other; one that is younger goes for none.
const EVICTABLE_AFTER: Duration = Duration::from_secs(120);
/// What a session takes without its partitions.
const SESSION_BYTES: usize = 512;
/// The id of no session.
const NO_SESSION: i32 = 0;

/// Why a session does not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("there is no such fetch session")]
    Unknown,
    #[error("the request has not the session's epoch")]
    Epoch,
    #[error("the session names its topics otherwise")]
    TopicIds,
}

/// What became of an incremental request.
pub struct Added {
    pub entries: Vec<Entry>,
    /// Nothing if its last partition was forgotten: then the request is one without a session.
    pub session: Option<Arc<Session>>,
}

pub struct FetchSessions {
    slots_max: usize,
    bytes_max: usize,
    env: Env,
    metrics: Arc<Metrics>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    sessions: HashMap<i32, Slot>,
    by_use: BTreeSet<(Duration, i32)>,
    /// Those old enough to make way for a larger one, by their size.
    evictable: BTreeSet<(usize, i32)>,
    partitions: usize,
    bytes: usize,
}

struct Slot {
    session: Arc<Session>,
    used: Duration,
    partitions: usize,
    bytes: usize,
}

impl FetchSessions {
    pub fn new(config: &Config, env: Env, metrics: Arc<Metrics>) -> Self {
        let (slots_max, bytes_max) =
            (config.max_incremental_fetch_session_cache_slots, config.fetch_session_cache_bytes_max);
        metrics.limit(Limit::FetchSessions).max.set(slots_max as f64);
        metrics.limit(Limit::FetchSessionBytes).max.set(bytes_max as f64);
        Self { slots_max, bytes_max, env, metrics, held: Mutex::default() }
    }

    /// A session for what a full fetch asked for and was told, in the order of the reply. 0 if there is no room: every
    /// client does without.
    pub fn create(&self, by_id: bool, told: Vec<Told>) -> i32 {
        let now = self.env.clock.monotonic();
        let partitions = told.len();
        let bytes = SESSION_BYTES + told.iter().map(|told| cost_bytes(&told.wanted.topic)).sum::<usize>();
        let id = {
            let mut held = self.lock();
            if !self.make_room(&mut held, (1, bytes), partitions, now) {
                return NO_SESSION;
            }
            self.new_id(&held)
        };
        // Made outside of the lock, since it may be large.
        let session = Arc::new(Session::new(id, by_id, now, told));
        let mut held = self.lock();
        let is_taken = held.sessions.contains_key(&id);
        if is_taken || !self.make_room(&mut held, (1, bytes), partitions, now) {
            return NO_SESSION;
        }
        held.partitions += partitions;
        held.bytes += bytes;
        held.by_use.insert((now, id));
        held.sessions.insert(id, Slot { session, used: now, partitions, bytes });
        self.show(&held);
        id
    }

    /// Ends a session, if there is one.
    pub fn close(&self, id: i32) {
        let mut held = self.lock();
        held.remove(id);
        self.show(&held);
    }

    /// Takes an incremental request into its session.
    pub fn add(
        &self,
        (id, epoch): (i32, i32),
        by_id: bool,
        (wanted, forgotten): (Vec<Wanted>, Vec<Forgotten>),
        image: &Arc<Image>,
        resolver: &mut dyn Resolve,
    ) -> Result<Added, SessionError> {
        let session =
            self.lock().sessions.get(&id).map(|slot| slot.session.clone()).ok_or(SessionError::Unknown)?;
        let more_bytes = wanted.iter().map(|wanted| cost_bytes(&wanted.topic)).sum();
        if !self.reserve(id, more_bytes) {
            return Err(SessionError::Unknown);
        }
        // What is left if the session turns out to be empty is what the request itself asks for.
        let alone = if forgotten.is_empty() { Vec::new() } else { wanted.clone() };
        let begun = session.begin(epoch, by_id, (wanted, &forgotten), image, resolver);
        match begun {
            Ok(begun) => {
                let Some(entries) = begun.entries else {
                    self.close(id);
                    return Ok(Added { entries: super::entries(alone, resolver), session: None });
                };
                self.touch(id, begun.partitions, SESSION_BYTES + begun.bytes);
                Ok(Added { entries, session: Some(session) })
            }
            Err(error) => {
                self.give_back(id, more_bytes);
                Err(error)
            }
        }
    }

    /// Counts what a session may grow by, before it does. One that would grow beyond the bound is closed: its client
    /// begins anew, and finds that there is no room.
    fn reserve(&self, id: i32, more_bytes: usize) -> bool {
        if more_bytes == 0 {
            return true;
        }
        let now = self.env.clock.monotonic();
        let mut held = self.lock();
        let (partitions, bytes) = held.sessions.get(&id).map_or((0, 0), |slot| (slot.partitions, slot.bytes));
        // Nobody makes way for what would not fit into an empty cache.
        let may_fit = bytes + more_bytes <= self.bytes_max;
        let has_room = may_fit && self.make_room(&mut held, (0, more_bytes), partitions, now);
        match held.sessions.get_mut(&id) {
            Some(slot) if has_room => {
                slot.bytes += more_bytes;
                held.bytes += more_bytes;
            }
            // It made way itself.
            _ => held.remove(id),
        }
        self.show(&held);
        has_room
    }

    fn give_back(&self, id: i32, bytes: usize) {
        let mut held = self.lock();
        let Some(slot) = held.sessions.get_mut(&id) else { return };
        let bytes = bytes.min(slot.bytes);
        slot.bytes -= bytes;
        held.bytes -= bytes;
        self.show(&held);
    }

    /// Notes that a session was used, and its size.
    fn touch(&self, id: i32, partitions: usize, bytes: usize) {
        let now = self.env.clock.monotonic();
        let mut held = self.lock();
        let Some(slot) = held.sessions.get_mut(&id) else { return };
        let before = Slot { session: slot.session.clone(), ..*slot };
        (slot.used, slot.partitions, slot.bytes) = (now, partitions, bytes);
        let is_old = now.saturating_sub(slot.session.created) > EVICTABLE_AFTER;
        held.partitions = held.partitions - before.partitions + partitions;
        held.bytes = held.bytes - before.bytes + bytes;
        held.by_use.remove(&(before.used, id));
        held.by_use.insert((now, id));
        held.evictable.remove(&(before.partitions, id));
        if is_old {
            held.evictable.insert((partitions, id));
        }
        self.show(&held);
    }

    /// Evicts what may go for a session of this many partitions, until there is room. False: there is none.
    fn make_room(
        &self,
        held: &mut Held,
        (slots, bytes): (usize, usize),
        partitions: usize,
        now: Duration,
    ) -> bool {
        if bytes > self.bytes_max || slots > self.slots_max {
            let limit = if slots > self.slots_max { Limit::FetchSessions } else { Limit::FetchSessionBytes };
            self.metrics.limit(limit).hits.increment(1);
            return false;
        }
        loop {
            let limit = if held.sessions.len() + slots > self.slots_max {
                Limit::FetchSessions
            } else if held.bytes + bytes > self.bytes_max {
                Limit::FetchSessionBytes
            } else {
                return true;
            };
            let Some(id) = held.evictable_for(partitions, now) else {
                self.metrics.limit(limit).hits.increment(1);
                return false;
            };
            held.remove(id);
            self.metrics.fetch_sessions.evictions.increment(1);
        }
    }

    /// Random, so that no client guesses another's.
    fn new_id(&self, held: &Held) -> i32 {
        loop {
            let id = (self.env.random.next_u64() >> 33) as i32;
            if id != NO_SESSION && !held.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    fn show(&self, held: &Held) {
        self.metrics.limit(Limit::FetchSessions).used.set(held.sessions.len() as f64);
        self.metrics.limit(Limit::FetchSessionBytes).used.set(held.bytes as f64);
        self.metrics.fetch_sessions.partitions.set(held.partitions as f64);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn figures(&self) -> (usize, usize, usize) {
        let held = self.lock();
        assert_eq!(held.by_use.len(), held.sessions.len());
        assert_eq!(held.partitions, held.sessions.values().map(|slot| slot.partitions).sum::<usize>());
        assert_eq!(held.bytes, held.sessions.values().map(|slot| slot.bytes).sum::<usize>());
        assert!(held.evictable.iter().all(|(size, id)| held.sessions[id].partitions == *size));
        (held.sessions.len(), held.partitions, held.bytes)
    }
}

impl Held {
    /// The session that makes way for one of this many partitions: one that is used no more, or else a smaller one.
    fn evictable_for(&self, partitions: usize, now: Duration) -> Option<i32> {
        let (used, oldest) = self.by_use.first()?;
        if now.saturating_sub(*used) > EVICTABLE_AFTER {
            return Some(*oldest);
        }
        self.evictable.first().filter(|(size, _)| *size < partitions).map(|(_, id)| *id)
    }

    fn remove(&mut self, id: i32) {
        let Some(slot) = self.sessions.remove(&id) else { return };
        self.by_use.remove(&(slot.used, id));
        self.evictable.remove(&(slot.partitions, id));
        self.partitions -= slot.partitions;
        self.bytes -= slot.bytes;
    }
}
