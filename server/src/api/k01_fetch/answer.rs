//! From what a pass found to the reply: what is told of each partition, and what of that a session leaves out.

use protocol_compat::ErrorCode;
use protocol_compat::fetch_encode::{Endpoint, FetchPartitionReply, FetchReply, FetchTopicReply};
use protocol_compat::messages::{StrBytes, Uuid};
use storage::{Bound, Part, ReadPlan};

use super::{Context, Fetching, NO_SESSION, is_known_before, whole};
use crate::api::error::ToCode;
use crate::api::reply::{Fetched, Records};
use crate::config::Compression;
use crate::partition::Partition;
use crate::partition::fetch::{Entry, FetchError, Found, Pass, Shown, Told, TopicKey, Wanted};
use crate::quotas::Throttle;

type PartitionReply = FetchPartitionReply<Records>;

const FIRST_WITH_ZSTD: i16 = 10;
const FIRST_WITH_LEADERS: i16 = 16;
/// Clients of these versions do not know the code of a broken disk; Kafka sends them elsewhere, too.
const LAST_WITHOUT_STORAGE_ERROR: i16 = 5;

/// What nobody looked into has no aborted transactions, and Kafka says so.
pub(super) fn untouched(index: i32, code: i16) -> PartitionReply {
    PartitionReply { aborted: Some(Vec::new()), ..PartitionReply::failed(index, code) }
}

impl Fetching {
    pub(super) fn answer(mut self, pass: Pass) -> Fetched {
        if let Some(throttled) = self.throttled(&pass) {
            return self.rest(throttled);
        }
        let entries = std::mem::take(&mut self.entries);
        let told = entries.into_iter().zip(pass.found);
        let mut told: Vec<(Entry, PartitionReply)> = told
            .map(|(entry, found)| {
                let reply = self.tell(&entry, found);
                (entry, reply)
            })
            .collect();
        // Those that were not read stand behind the others.
        told.sort_by_key(|(entry, _)| is_known_before(entry));
        let session_id = match &self.context {
            Context::Alone => NO_SESSION,
            Context::New => {
                let told = told.iter().map(|(entry, reply)| Told {
                    wanted: Wanted { topic: entry.topic.clone(), index: entry.index, asked: entry.asked },
                    name: entry.name.clone(),
                    shown: shown(reply),
                });
                let by_id = self.version >= super::FIRST_WITH_IDS;
                self.broker.fetch_sessions.create(by_id, told.collect())
            }
            Context::Increment(session, epoch) => {
                let shown = told.iter().map(|(entry, reply)| (entry.place, shown(reply)));
                let news = match session.tell(*epoch, shown) {
                    Ok(news) => news,
                    Err(overtaken) => return whole(overtaken.code(), session.id()),
                };
                let mut news = news.into_iter();
                told.retain(|_| news.next().unwrap_or(true));
                session.id()
            }
        };
        self.reply(session_id, told)
    }

    /// How long the client has to rest before it gets this. What it gets counts.
    fn throttled(&self, pass: &Pass) -> Option<Throttle> {
        let client = &self.metered.as_ref()?.client;
        let (seen, now) = (self.broker.controller.seen(), self.broker.env.clock.monotonic());
        self.broker.quotas.fetched(seen.image.quotas(), client, pass.bytes(), self.spent, now)
    }

    /// The empty answer of a client that has to rest. It begins no session and tells an old one nothing.
    fn rest(&self, throttled: Throttle) -> Fetched {
        let session_id = match &self.context {
            Context::Alone | Context::New => NO_SESSION,
            Context::Increment(session, epoch) => match session.tell(*epoch, std::iter::empty()) {
                Ok(_) => session.id(),
                Err(overtaken) => {
                    return Fetched { throttled: Some(throttled), ..whole(overtaken.code(), session.id()) };
                }
            },
        };
        Fetched { throttled: Some(throttled), ..self.reply(session_id, Vec::new()) }
    }

    fn reply(&self, session_id: i32, told: Vec<(Entry, PartitionReply)>) -> Fetched {
        let mut topics: Vec<FetchTopicReply<Records>> = Vec::new();
        let mut last = None;
        let mut names_leaders = false;
        for (entry, mut reply) in told {
            self.keep_zstd_from_old_readers(&entry, &mut reply);
            names_leaders |= reply.current_leader.is_some();
            match topics.last_mut().filter(|_| last.as_ref() == Some(&entry.topic)) {
                Some(topic) => topic.partitions.push(reply),
                None => topics.push(topic_reply(&entry.topic, reply)),
            }
            last = Some(entry.topic);
        }
        let endpoints = if names_leaders { self.endpoints() } else { Vec::new() };
        let reply = FetchReply { throttle_ms: 0, error: 0, session_id, topics, endpoints };
        Fetched { reply, throttled: None }
    }

    /// What is told of one partition.
    fn tell(&self, entry: &Entry, found: Result<Found, FetchError>) -> PartitionReply {
        let told = found.and_then(|found| match found {
            Found::Records(mut plan) => {
                let parts = std::mem::take(&mut plan.parts);
                let records = parts.into_iter().map(ready_to_send).collect::<Result<_, _>>()?;
                self.count(entry, &plan);
                let aborted = plan.aborted.take().unwrap_or_default();
                let aborted = aborted.iter().map(|a| (a.producer_id.0, a.first_offset.0)).collect();
                let aborted = (self.limits.bound == Bound::LastStable).then_some(aborted);
                Ok(PartitionReply { records, aborted, ..standing_at(entry.index, &plan) })
            }
            Found::Diverging(parted, plan) => {
                Ok(PartitionReply { diverging: Some(parted), ..standing_at(entry.index, &plan) })
            }
        });
        told.unwrap_or_else(|error| self.failed(entry, error))
    }

    /// For the metrics: what leaves, and how long it had been waiting for its first reader.
    fn count(&self, entry: &Entry, plan: &ReadPlan) {
        let Ok(partition) = &entry.target else { return };
        if plan.bytes == 0 {
            return;
        }
        let from = entry.asked.offset;
        let to = delivered_to(partition, from, plan, self.limits.bound);
        let now = self.broker.env.clock.monotonic();
        if let Some(waited) = partition.traffic.gave_out(from, to, plan.bytes, now) {
            self.broker.metrics.logs.delivered(waited);
        }
    }

    fn failed(&self, entry: &Entry, error: FetchError) -> PartitionReply {
        let code = match error.code() {
            ErrorCode::KafkaStorageError if self.version <= LAST_WITHOUT_STORAGE_ERROR => {
                ErrorCode::NotLeaderOrFollower
            }
            code => code,
        };
        let mut reply = PartitionReply::failed(entry.index, code.code());
        if is_known_before(entry) {
            // Kafka makes these replies elsewhere, and its list of nothing is an empty one there.
            reply.aborted = Some(Vec::new());
        }
        if self.version >= FIRST_WITH_LEADERS
            && matches!(code, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch)
            && let Ok(partition) = &entry.target
        {
            reply.current_leader = Some((self.broker.identity.node_id, partition.log.leader_epoch().0));
        }
        reply
    }

    /// Old readers cannot decode zstd; whether there is any in what they would get is not looked at.
    fn keep_zstd_from_old_readers(&self, entry: &Entry, reply: &mut PartitionReply) {
        if self.version < FIRST_WITH_ZSTD
            && let Ok(partition) = &entry.target
            && partition.config().compression == Compression::Zstd
        {
            let code = ErrorCode::UnsupportedCompressionType.code();
            *reply = untouched(entry.index, code);
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let advertised = self.broker.advertised_on(&self.listener);
        let endpoint = |host: &str, port: u16| Endpoint {
            node_id: self.broker.identity.node_id,
            host: host.to_owned(),
            port: i32::from(port),
        };
        advertised.map(|a| endpoint(&a.host, a.port)).into_iter().collect()
    }
}

/// Behind the last record of a reply: exact for a reader that gets all there is. No batch is looked into for it, so that
/// for one that is far behind it is told from how many records these bytes hold on average.
fn delivered_to(partition: &Partition, from: i64, plan: &ReadPlan, bound: Bound) -> i64 {
    let end = if bound == Bound::LastStable { plan.last_stable.0 } else { plan.high_watermark.0 };
    let left = plan.standing.and_then(|standing| partition.log.bytes_from(standing, bound).ok().flatten());
    let (records, bytes) = match left {
        Some(left) if left <= plan.bytes as u64 => return end,
        Some(left) => (end - from, left),
        None => (end - plan.start.0, partition.log.size_bytes()),
    };
    let share = plan.bytes as f64 / bytes.max(1) as f64;
    from + ((records as f64 * share) as i64).clamp(1, (end - from).max(1))
}

fn topic_reply(topic: &TopicKey, first: PartitionReply) -> FetchTopicReply<Records> {
    let (name, id) = match topic {
        TopicKey::Name(name) => (StrBytes::from_string(name.to_string()), Uuid::nil()),
        TopicKey::Id(id) => (StrBytes::default(), Uuid::from_bytes(id.0)),
    };
    FetchTopicReply { name, id, partitions: vec![first] }
}

/// Where the partition stands, without records.
fn standing_at(index: i32, plan: &ReadPlan) -> PartitionReply {
    PartitionReply {
        error: 0,
        high_watermark: plan.high_watermark.0,
        last_stable: plan.last_stable.0,
        log_start: plan.start.0,
        ..PartitionReply::failed(index, 0)
    }
}

fn shown(reply: &PartitionReply) -> Shown {
    Shown {
        high_watermark: reply.high_watermark,
        log_start: reply.log_start,
        has_records: reply.records.iter().any(|records| !records.0.is_empty()),
        has_failed: reply.error != 0,
        diverges: reply.diverging.is_some(),
    }
}

/// File ranges up to this size are read and join the bytes around them: cheaper than a call of their own.
const INLINE_BYTES_MAX: usize = 32 << 10;

/// Planning has read at least the first bytes of a range: whether the disk has to be asked for so few is not looked at.
const JUST_READ_BYTES: usize = 4 << 10;

/// Small ranges are read here, where a disk that fails costs this partition alone; unless they have to come from the disk.
fn ready_to_send(part: Part) -> Result<Records, FetchError> {
    let is_small = part.len() <= INLINE_BYTES_MAX;
    if !is_small || (part.len() > JUST_READ_BYTES && !part.is_cached()) {
        return Ok(Records(part));
    }
    part.read().map(|bytes| Records(Part::Bytes(bytes))).map_err(|error| {
        tracing::error!(%error, "a segment cannot be read; check the disk");
        FetchError::Storage
    })
}
