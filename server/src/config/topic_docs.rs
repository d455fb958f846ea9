//! What each of Kafka's topic settings does, in our words: the docs of the one table in `topic`.
//!
//! Sorted by name. A test holds it against the generated table: each setting has its line, and no line is left over.

/// The doc of the topic setting of this name; empty for a name that is none.
pub(super) fn doc_of(name: &str) -> &'static str {
    DOCS.binary_search_by(|(documented, _)| documented.cmp(&name)).map_or("", |at| DOCS[at].1)
}

pub(super) const DURABILITY: &str = "Whether an answered record survives a power cut (durable) or sits in the page cache for a while (relaxed).";
pub(super) const RECORD_VALIDATION: &str =
    "Whether each record of a batch is checked (full), or the batch's header and checksum only (header).";

#[rustfmt::skip]
pub(super) static DOCS: &[(&str, &str)] = &[
    ("cleanup.policy", "What becomes of old records: delete removes them by age and size, compact keeps the last one of each key, both may be combined, and with neither all are kept."),
    ("compression.gzip.level", "How hard gzip works where the broker compresses: 1 is quickest, 9 smallest, -1 the codec's own choice."),
    ("compression.lz4.level", "How hard lz4 works where the broker compresses, from 1 to 17."),
    ("compression.type", "The codec in which batches are kept; producer leaves them as they came."),
    ("compression.zstd.level", "How hard zstd works where the broker compresses, from -131072 to 22."),
    ("delete.retention.ms", "How long the markers of deleted keys stay after their first compaction, so that readers see them."),
    ("file.delete.delay.ms", "How long the files of a removed segment stay on the disk."),
    ("flush.messages", "Records after which a relaxed log is flushed in the background; 1 makes the log durable."),
    ("flush.ms", "Time after which a relaxed log is flushed in the background."),
    ("follower.replication.throttled.replicas", "Kept for tools that set it: there is no replication to throttle."),
    ("index.interval.bytes", "Bytes of records between two entries of an offset index."),
    ("internal.segment.bytes", "The size of a segment without the lower bound of segment.bytes, for tests."),
    ("leader.replication.throttled.replicas", "Kept for tools that set it: there is no replication to throttle."),
    ("local.retention.bytes", "Kept for tools that set it: there is no remote storage, so that retention.bytes counts."),
    ("local.retention.ms", "Kept for tools that set it: there is no remote storage, so that retention.ms counts."),
    ("max.compaction.lag.ms", "The longest that a record may wait for compaction, whatever the share of bytes not yet compacted."),
    ("max.message.bytes", "The largest batch of records that is taken, as it was sent."),
    ("message.timestamp.after.max.ms", "How far a producer's time may lie ahead of the broker's."),
    ("message.timestamp.before.max.ms", "How far a producer's time may lie behind the broker's."),
    ("message.timestamp.type", "Whose time records carry: the producer's (CreateTime) or the broker's (LogAppendTime)."),
    ("min.cleanable.dirty.ratio", "The share of bytes not yet compacted from which a log is compacted."),
    ("min.compaction.lag.ms", "How old a record must be before it may be compacted away."),
    ("min.insync.replicas", "Replicas that must hold a record before acks=all is answered; never more than there are."),
    ("preallocate", "Kept for tools that set it: segments grow as they are written."),
    ("remote.log.copy.disable", "Kept for tools that set it: there is no remote storage."),
    ("remote.log.delete.on.disable", "Kept for tools that set it: there is no remote storage."),
    ("remote.storage.enable", "Whether old segments move to remote storage. Only false is taken: there is none."),
    ("retention.bytes", "How large a partition may grow before its oldest segments go; -1 is without bound."),
    ("retention.ms", "How old a partition's newest record of a segment may be before the segment goes; -1 keeps them for ever."),
    ("segment.bytes", "The size at which a segment ends."),
    ("segment.index.bytes", "The size at which an index, and its segment with it, ends."),
    ("segment.jitter.ms", "How much earlier than segment.ms some segments end, so that not all end at once."),
    ("segment.ms", "The age at which a segment ends with the next record."),
    ("unclean.leader.election.enable", "Kept for tools that set it: a partition has one replica, which always leads."),
];
