//! Fetch (key 1), versions 4–18.
//!
//! - 4: isolation level. 5: log start offset. 7 (KIP-227): sessions. 9 (KIP-320): leader epochs. 10: zstd.
//! - 11 (KIP-392): rack. 12: flexible, divergence. 13 (KIP-516): topic ids. 15 (KIP-903): replica state. 16 (KIP-951):
//!   leader hints. 17 (KIP-853): directory ids. 18: a follower's high watermark.
//!
//! A fetch that finds fewer than `min_bytes` sleeps until enough has come or its time is up. As in Kafka, partitions that
//! are unknown or may not be read do not end that sleep, unless there are no others; they stand behind the others in the
//! reply. A topic whose setting is zstd is refused to readers of versions below 10, whatever it holds.
//!
//! A reader whose client has to rest for its quotas is answered at once with nothing, and its session learns nothing. Of the
//! bytes that count against a quota, only those of records do.
//!
//! Deviation: a reader beyond the bound of what it may see waits; Kafka answers it at once, with nothing.

mod answer;

use std::iter::once;
use std::sync::Arc;
use std::time::Duration;

use protocol_compat::ErrorCode;
use protocol_compat::fetch_encode::{FetchReply, FetchTopicReply};
use protocol_compat::messages::fetch_request::FetchTopic;
use protocol_compat::messages::{ApiKey, FetchRequest, StrBytes, Uuid, detached};
use storage::{Bound, Offset, TopicId};

use super::error::ToCode;
use super::reply::Fetched;
use super::{Api, Broker, Cx, Metered, Then};
use crate::partition::Partition;
use crate::partition::delayed::{Place, enough_comes};
use crate::partition::fetch::{
    Asked, Entry, FetchError, Forgotten, Found, Limits, Pass, Resolve, Session, TopicKey, Wanted, entries,
    read,
};
use crate::security::{Operation, Resource};

pub(super) struct Fetch;

const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;
const FIRST_WITH_SESSIONS: i16 = 7;
const FIRST_WITH_IDS: i16 = 13;
/// The epoch of a full fetch that may begin a session, and of one that wants none.
const INITIAL_EPOCH: i32 = 0;
const FINAL_EPOCH: i32 = -1;
const NO_SESSION: i32 = 0;

impl Api for Fetch {
    const KEY: i16 = ApiKey::Fetch as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;
    type Req = FetchRequest;
    type Resp = Fetched;
    const COUNTS_ITS_TIME: bool = true;

    fn codes(reply: &Fetched) -> impl Iterator<Item = i16> {
        let partitions = reply.reply.topics.iter().flat_map(|t| &t.partitions);
        once(reply.reply.error).chain(partitions.map(|p| p.error))
    }

    fn begin(cx: &Cx, req: FetchRequest, version: i16) -> Then<Fetched> {
        let mut fetching = match Fetching::begin(cx, req, version) {
            Ok(fetching) => fetching,
            Err(reply) => return Then::Now(reply),
        };
        if !fetching.is_at_hand() {
            return Then::later(async move {
                match fetching.read_apart().await {
                    Some((fetching, pass)) if fetching.may_answer(&pass) => fetching.answer(pass),
                    Some((fetching, pass)) => fetching.wait(pass).await,
                    None => stopping(),
                }
            });
        }
        let pass = fetching.read();
        if fetching.may_answer(&pass) {
            return Then::Now(fetching.answer(pass));
        }
        Then::later(fetching.wait(pass))
    }
}

/// An answer about the whole request.
fn whole(error: ErrorCode, session_id: i32) -> Fetched {
    let (topics, endpoints) = (Vec::new(), Vec::new());
    let reply = FetchReply { throttle_ms: 0, error: error.code(), session_id, topics, endpoints };
    Fetched { reply, throttled: None }
}

/// The threads for cold reads have ended: so has the broker, nearly.
fn stopping() -> Fetched {
    whole(ErrorCode::KafkaStorageError, NO_SESSION)
}

/// What the reply means to a session.
enum Context {
    /// Nothing.
    Alone,
    /// It may begin one.
    New,
    /// It is the answer to a session's request with this epoch.
    Increment(Arc<Session>, i32),
}

/// A request, resolved to partitions; nothing else of it outlives its turn.
struct Fetching {
    broker: Arc<Broker>,
    listener: Arc<str>,
    version: i16,
    entries: Vec<Entry>,
    limits: Limits,
    wait: Duration,
    context: Context,
    /// Whose bytes and time these are.
    metered: Option<Metered>,
    /// Time that it took so far.
    spent: Duration,
}

impl Fetching {
    /// Takes the request into its session. An error is the reply.
    fn begin(cx: &Cx, req: FetchRequest, version: i16) -> Result<Self, Fetched> {
        let replica = if version >= 15 { req.replica_state.replica_id.0 } else { req.replica_id.0 };
        let is_follower = replica >= 0;
        let (entries, context) = open(cx, &req, version, is_follower)?;
        let bound = match req.isolation_level {
            READ_UNCOMMITTED => Bound::HighWatermark,
            READ_COMMITTED => Bound::LastStable,
            _ if entries.iter().all(is_known_before) => Bound::HighWatermark,
            _ => return Err(no_such_isolation(&req, version)),
        };
        let fetch_max_bytes = i32::try_from(cx.broker.config.load().fetch_max_bytes).unwrap_or(i32::MAX);
        let bytes_max = req.max_bytes.min(fetch_max_bytes);
        // A follower's bytes are no client's.
        let metered = cx.metered.clone().filter(|_| !is_follower);
        let quotas = cx.seen.image.quotas();
        let allowed = metered.as_ref().and_then(|m| cx.broker.quotas.fetch_bytes_max(quotas, &m.client));
        let bytes_max = allowed.map_or(bytes_max, |allowed| bytes_max.min(allowed as i32));
        let mut fetching = Self {
            broker: cx.broker.clone(),
            listener: cx.peer.listener.clone(),
            version,
            entries,
            limits: Limits { bytes_max, bytes_min: req.min_bytes.min(bytes_max), bound, is_follower },
            wait: Duration::from_millis(u64::try_from(req.max_wait_ms).unwrap_or(0)),
            context,
            metered,
            spent: Duration::ZERO,
        };
        if let Some(metered) = &fetching.metered {
            fetching.spent = fetching.now_if_metered().saturating_sub(metered.began);
        }
        Ok(fetching)
    }

    /// Whether reading now waits for no disk.
    fn is_at_hand(&self) -> bool {
        let is_at_hand = |entry: &Entry| match &entry.target {
            Ok(partition) => partition.log.is_at_hand(Offset(entry.asked.offset), self.limits.bound),
            Err(_) => true,
        };
        self.entries.iter().all(is_at_hand)
    }

    fn read(&mut self) -> Pass {
        let began = self.now_if_metered();
        let pass = read(&self.entries, &self.limits);
        self.spent += self.now_if_metered().saturating_sub(began);
        pass
    }

    /// Nobody asks for the time where nobody has a quota.
    fn now_if_metered(&self) -> Duration {
        self.metered.as_ref().map(|_| self.broker.env.clock.monotonic()).unwrap_or_default()
    }

    /// Reads where it may take its time. Nothing comes back from a broker that ends.
    async fn read_apart(mut self) -> Option<(Self, Pass)> {
        let broker = self.broker.clone();
        let read = move || {
            let pass = self.read();
            (self, pass)
        };
        broker.cold_reads.run(read).await
    }

    fn may_answer(&self, pass: &Pass) -> bool {
        self.wait.is_zero() || pass.is_enough(&self.limits)
    }

    /// Sleeps until there is enough or the time is up, then answers with what is there.
    async fn wait(mut self, pass: Pass) -> Fetched {
        let places = self.entries.iter().zip(&pass.found).filter_map(|(entry, found)| {
            let (Ok(partition), Ok(Found::Records(plan))) = (&entry.target, found) else { return None };
            let Asked { offset, bytes_max, .. } = entry.asked;
            Some(Place::new(partition.log.clone(), Offset(offset), bytes_max, plan.standing))
        });
        let places = places.collect();
        drop(pass);
        enough_comes(places, self.limits.bytes_min, self.limits.bound, self.wait).await;
        if self.is_at_hand() {
            let pass = self.read();
            return self.answer(pass);
        }
        match self.read_apart().await {
            Some((fetching, pass)) => fetching.answer(pass),
            None => stopping(),
        }
    }
}

fn is_known_before(entry: &Entry) -> bool {
    matches!(&entry.target, Err(error) if error.is_known_before())
}

/// Kafka's answer to a request that it cannot make sense of.
fn no_such_isolation(req: &FetchRequest, version: i16) -> Fetched {
    let code = ErrorCode::UnknownServerError;
    let mut whole = whole(code, req.session_id);
    if version < FIRST_WITH_IDS {
        let topic = |topic: &FetchTopic| FetchTopicReply {
            name: detached(&topic.topic),
            id: Uuid::nil(),
            partitions: topic
                .partitions
                .iter()
                .map(|p| answer::untouched(p.partition, code.code()))
                .collect(),
        };
        whole.reply.topics = req.topics.iter().map(topic).collect();
    }
    whole
}

/// The partitions that a request is about, with those that its session remembers.
fn open(
    cx: &Cx,
    req: &FetchRequest,
    version: i16,
    is_follower: bool,
) -> Result<(Vec<Entry>, Context), Fetched> {
    let by_id = version >= FIRST_WITH_IDS;
    let mut resolver = InImage::new(cx, is_follower);
    let wanted = wanted(req, by_id);
    let sessions = &cx.broker.fetch_sessions;
    let (id, epoch) = (req.session_id, req.session_epoch);
    match epoch {
        _ if version < FIRST_WITH_SESSIONS => Ok((entries(wanted, &mut resolver), Context::Alone)),
        INITIAL_EPOCH | FINAL_EPOCH => {
            if id != NO_SESSION {
                sessions.close(id);
            }
            let context = if epoch == INITIAL_EPOCH { Context::New } else { Context::Alone };
            Ok((entries(wanted, &mut resolver), context))
        }
        _ => {
            let changes = (wanted, forgotten(req, by_id));
            let added = sessions
                .add((id, epoch), by_id, changes, &cx.seen.image, &mut resolver)
                .map_err(|error| whole(error.code(), NO_SESSION))?;
            let context = added.session.map_or(Context::Alone, |session| Context::Increment(session, epoch));
            Ok((added.entries, context))
        }
    }
}

fn key(by_id: bool, id: Uuid, name: &StrBytes) -> TopicKey {
    if by_id { TopicKey::Id(TopicId(*id.as_bytes())) } else { TopicKey::Name(Arc::from(&**name)) }
}

fn wanted(req: &FetchRequest, by_id: bool) -> Vec<Wanted> {
    let of_topic = |topic: &FetchTopic| {
        let key = key(by_id, topic.topic_id, &topic.topic);
        let wanted = |p: &protocol_compat::messages::fetch_request::FetchPartition| Wanted {
            topic: key.clone(),
            index: p.partition,
            asked: Asked {
                leader_epoch: p.current_leader_epoch,
                last_epoch: p.last_fetched_epoch,
                offset: p.fetch_offset,
                bytes_max: p.partition_max_bytes,
            },
        };
        topic.partitions.iter().map(wanted).collect::<Vec<_>>()
    };
    req.topics.iter().flat_map(of_topic).collect()
}

fn forgotten(req: &FetchRequest, by_id: bool) -> Vec<Forgotten> {
    let of_topic = |topic: &protocol_compat::messages::fetch_request::ForgottenTopic| {
        let key = key(by_id, topic.topic_id, &topic.topic);
        topic.partitions.iter().map(|index| (key.clone(), *index)).collect::<Vec<_>>()
    };
    req.forgotten_topics_data.iter().flat_map(of_topic).collect()
}

/// What stands behind names and ids of a fetch, in the image that its request sees.
struct InImage<'a> {
    cx: &'a Cx,
    is_follower: bool,
    /// The topic that was asked about last, since its partitions stand together, and the answer.
    last: Option<(Arc<str>, bool)>,
}

impl<'a> InImage<'a> {
    fn new(cx: &'a Cx, is_follower: bool) -> Self {
        Self { cx, is_follower, last: None }
    }
}

impl Resolve for InImage<'_> {
    fn name_of(&mut self, id: TopicId) -> Option<Arc<str>> {
        self.cx.seen.image.topic_by_id(id).map(|topic| topic.name.clone())
    }

    fn may_read(&mut self, name: &Arc<str>) -> bool {
        if let Some((last, allowed)) = &self.last
            && (Arc::ptr_eq(last, name) || last == name)
        {
            return *allowed;
        }
        let allowed = if self.is_follower {
            self.cx.allow(Operation::ClusterAction, Resource::Cluster)
        } else {
            self.cx.allow(Operation::Read, Resource::Topic(name))
        };
        self.last = Some((name.clone(), allowed));
        allowed
    }

    fn partition(
        &mut self,
        name: &str,
        id: Option<TopicId>,
        index: i32,
    ) -> Result<Arc<Partition>, FetchError> {
        let topic = self.cx.seen.image.topic(name).ok_or(FetchError::UnknownPartition)?;
        if topic.log_id(index).is_none() {
            return Err(FetchError::UnknownPartition);
        }
        if id.is_some_and(|id| id != topic.id) {
            return Err(FetchError::OtherTopic);
        }
        Ok(self.cx.broker.partitions.get(topic, index)?)
    }
}
