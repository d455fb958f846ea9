//! One fetch session: the partitions that its client reads, and what it was last told of each.
//!
//! Invariants, as in Kafka: a request with the session's epoch, and no other, changes it, and only as long as no later
//! one has come; a reply carries exactly the partitions of which it says something new. The order of the partitions is
//! the order in which they are read: one that gave records goes to the end, so that the first do not starve the rest.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::cache::SessionError;
use super::{Asked, Entry, FetchError, Resolve, TopicKey, Wanted, named};
use crate::cluster::Image;
use crate::partition::Partition;

/// The high watermark of a partition of which the client was told nothing, or an error: whatever comes is news.
const NOTHING_TOLD: i64 = -1;

/// A partition that the client reads no more.
pub type Forgotten = (TopicKey, i32);

/// What a reply would say of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub high_watermark: i64,
    pub log_start: i64,
    pub has_records: bool,
    pub has_failed: bool,
    pub diverges: bool,
}

/// What a full fetch asked of a partition, under which name its topic was found, and what the reply says.
pub struct Told {
    pub wanted: Wanted,
    pub name: Option<Arc<str>>,
    pub shown: Shown,
}

pub struct Session {
    pub(super) id: i32,
    /// Named by ids; otherwise by names.
    by_id: bool,
    pub(super) created: Duration,
    state: Mutex<State>,
}

struct State {
    /// What the next request has to carry.
    epoch: i32,
    partitions: Partitions,
    /// The image in which the partitions were looked up.
    resolved_in: Weak<Image>,
}

/// In the order of reading; each is found by what it is, too.
#[derive(Default)]
struct Partitions {
    in_order: BTreeMap<u64, Cached>,
    places: HashMap<(TopicKey, i32), u64>,
    next_place: u64,
    bytes: usize,
}

struct Cached {
    topic: TopicKey,
    index: i32,
    asked: Asked,
    high_watermark: i64,
    log_start: i64,
    /// Once it was known by this name it stays so, although its id may be nobody's by now.
    name: Option<Arc<str>>,
    /// What was found in the session's image. Sessions keep no log open.
    found: Weak<Partition>,
}

/// A generous estimate of what a partition takes: its entry, its two keys, and their share of the maps.
const CACHED_BYTES: usize = 256;

pub(super) fn cost_bytes(topic: &TopicKey) -> usize {
    CACHED_BYTES + if let TopicKey::Name(name) = topic { name.len() } else { 0 }
}

/// What follows an epoch. Zero and below are no session's.
pub(super) fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        ..0 => -1,
        i32::MAX => 1,
        _ => epoch + 1,
    }
}

impl Partitions {
    fn insert(&mut self, cached: Cached) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        self.bytes += cost_bytes(&cached.topic);
        self.places.insert((cached.topic.clone(), cached.index), place);
        self.in_order.insert(place, cached);
        place
    }

    fn ask(&mut self, wanted: Wanted) {
        let Wanted { topic, index, asked } = wanted;
        let key = (topic, index);
        match self.places.get(&key).and_then(|place| self.in_order.get_mut(place)) {
            Some(known) => known.asked = asked,
            None => drop(self.insert(Cached::new(key.0, index, asked))),
        }
    }

    fn forget(&mut self, key: &Forgotten) {
        let Some(place) = self.places.remove(key) else { return };
        if let Some(gone) = self.in_order.remove(&place) {
            self.bytes -= cost_bytes(&gone.topic);
        }
    }

    fn move_to_end(&mut self, place: u64) {
        let Some(cached) = self.in_order.remove(&place) else { return };
        self.bytes -= cost_bytes(&cached.topic);
        self.insert(cached);
    }
}

impl Cached {
    fn new(topic: TopicKey, index: i32, asked: Asked) -> Self {
        Self {
            topic,
            index,
            asked,
            high_watermark: NOTHING_TOLD,
            log_start: NOTHING_TOLD,
            name: None,
            found: Weak::new(),
        }
    }

    /// What stands behind it. What was found in the session's image is not looked up again, but whether it may be read
    /// is asked each time.
    fn target(&mut self, resolver: &mut dyn Resolve) -> Result<Arc<Partition>, FetchError> {
        let name = named(&self.topic, self.name.as_ref(), resolver)?;
        let found = match self.found.upgrade() {
            Some(found) => return Ok(found),
            None => {
                let id = if let TopicKey::Id(id) = &self.topic { Some(*id) } else { None };
                resolver.partition(&name, id, self.index)
            }
        };
        self.name = Some(name);
        let found = found?;
        self.found = Arc::downgrade(&found);
        Ok(found)
    }

    /// Whether a reply has to say this, and remembers it as said.
    fn tell(&mut self, shown: Shown) -> bool {
        let is_news = shown.has_records
            || shown.has_failed
            || shown.diverges
            || self.high_watermark != shown.high_watermark
            || self.log_start != shown.log_start;
        // After an error everything is news, so that the client learns that it is over.
        self.high_watermark = if shown.has_failed { NOTHING_TOLD } else { shown.high_watermark };
        self.log_start = shown.log_start;
        is_news
    }
}

/// What a request makes of its session.
pub(super) struct Begun {
    /// Nothing if no partition is left: the session is over, and the request is one without.
    pub entries: Option<Vec<Entry>>,
    pub partitions: usize,
    pub bytes: usize,
}

impl Session {
    /// A session of what a full fetch asked for and was told.
    pub(super) fn new(id: i32, by_id: bool, created: Duration, told: Vec<Told>) -> Self {
        let mut partitions = Partitions::default();
        for Told { wanted: Wanted { topic, index, asked }, name, shown } in told {
            let mut cached = Cached { name, ..Cached::new(topic, index, asked) };
            cached.tell(shown);
            partitions.insert(cached);
        }
        let state = State { epoch: next_epoch(0), partitions, resolved_in: Weak::new() };
        Self { id, by_id, created, state: Mutex::new(state) }
    }

    pub fn id(&self) -> i32 {
        self.id
    }

    /// Takes in an incremental request.
    pub(super) fn begin(
        &self,
        epoch: i32,
        by_id: bool,
        changes: (Vec<Wanted>, &[Forgotten]),
        image: &Arc<Image>,
        resolver: &mut dyn Resolve,
    ) -> Result<Begun, SessionError> {
        let mut state = self.lock();
        if state.epoch != epoch {
            return Err(SessionError::Epoch);
        }
        if self.by_id != by_id {
            return Err(SessionError::TopicIds);
        }
        let (wanted, forgotten) = changes;
        wanted.into_iter().for_each(|wanted| state.partitions.ask(wanted));
        forgotten.iter().for_each(|key| state.partitions.forget(key));
        let (partitions, bytes) = (state.partitions.in_order.len(), state.partitions.bytes);
        if partitions == 0 {
            return Ok(Begun { entries: None, partitions, bytes });
        }
        state.epoch = next_epoch(epoch);
        Ok(Begun { entries: Some(state.entries(image, resolver)), partitions, bytes })
    }

    /// What of a reply to the request with this epoch has to be sent, by the places of its partitions. Of a request that
    /// a later one has overtaken, nothing.
    pub fn tell(
        &self,
        epoch: i32,
        shown: impl Iterator<Item = (u64, Shown)>,
    ) -> Result<Vec<bool>, SessionError> {
        let mut state = self.lock();
        if state.epoch != next_epoch(epoch) {
            return Err(SessionError::Epoch);
        }
        let tell = |(place, shown): (u64, Shown)| {
            let is_news = state.partitions.in_order.get_mut(&place).is_some_and(|cached| cached.tell(shown));
            if shown.has_records {
                state.partitions.move_to_end(place);
            }
            is_news
        };
        Ok(shown.map(tell).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn entries(&mut self, image: &Arc<Image>, resolver: &mut dyn Resolve) -> Vec<Entry> {
        // As long as the session holds its image weakly, no other has that address.
        if self.resolved_in.as_ptr() != Arc::as_ptr(image) {
            self.partitions.in_order.values_mut().for_each(|cached| cached.found = Weak::new());
            self.resolved_in = Arc::downgrade(image);
        }
        let entry = |(place, cached): (&u64, &mut Cached)| Entry {
            target: cached.target(resolver),
            topic: cached.topic.clone(),
            name: cached.name.clone(),
            index: cached.index,
            asked: cached.asked,
            place: *place,
        };
        self.partitions.in_order.iter_mut().map(entry).collect()
    }
}
