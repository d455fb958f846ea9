//! Requests that read records and offsets.

use super::script::{Script, id, topic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::*;
use uuid::Uuid;

/// The first version of Fetch that names topics by their ids.
const BY_ID_FROM: i16 = 13;
const BYTES: i32 = 1 << 20;

/// A partition and the offset to read from.
fn part(index: i32, offset: i64) -> FetchPartition {
    FetchPartition::default().with_partition(index).with_fetch_offset(offset).with_partition_max_bytes(BYTES)
}

fn of(v: i16, name: &str, partitions: Vec<FetchPartition>) -> FetchTopic {
    let asked = FetchTopic::default().with_partitions(partitions);
    if v >= BY_ID_FROM { asked.with_topic_id(id(name)) } else { asked.with_topic(topic(name)) }
}

/// Without a session, without waiting.
fn request(v: i16, topics: Vec<FetchTopic>) -> FetchRequest {
    let request = FetchRequest::default().with_max_bytes(BYTES).with_topics(topics);
    if v >= 7 { request.with_session_epoch(-1) } else { request }
}

pub(super) fn fetch(script: &mut Script) {
    script.ask("from the beginning", |v| request(v, vec![of(v, "plain", vec![part(0, 0)])]));
    script.ask("all partitions", |v| {
        request(v, vec![of(v, "plain", vec![part(0, 0), part(1, 1), part(2, 2)])])
    });
    script.ask("committed", |v| request(v, vec![of(v, "plain", vec![part(0, 0)])]).with_isolation_level(1));
    script.ask("isolation level 2", |v| {
        request(v, vec![of(v, "plain", vec![part(0, 0)])]).with_isolation_level(2)
    });
    script.ask("in the middle of a batch", |v| request(v, vec![of(v, "plain", vec![part(0, 1)])]));
    for offset in [-1, -2, i64::MIN, i64::MAX, 1_000_000] {
        script.ask(&format!("from {offset}"), |v| request(v, vec![of(v, "plain", vec![part(0, offset)])]));
    }
    script.ask("an empty log", |v| request(v, vec![of(v, "empty", vec![part(0, 0)])]));
    script.ask("behind an empty log's end", |v| request(v, vec![of(v, "empty", vec![part(0, 1)])]));
    script.ask("unknown partition", |v| request(v, vec![of(v, "plain", vec![part(3, 0), part(-1, 0)])]));
    script.ask("unknown topic", |v| request(v, vec![of(v, "absent", vec![part(0, 0)])]));
    script.ask("one unknown, one known", |v| {
        request(v, vec![of(v, "absent", vec![part(0, 0)]), of(v, "plain", vec![part(0, 0)])])
    });
    script.ask("no topics", |v| request(v, Vec::new()));
    script.ask("no partitions", |v| request(v, vec![of(v, "plain", Vec::new())]));
    script.ask("no name", |v| {
        let nameless = FetchTopic::default().with_partitions(vec![part(0, 0)]);
        request(v, vec![nameless.with_topic_id(Uuid::nil())])
    });
    for bytes in [0, 1, -1, i32::MIN, 70, 100] {
        script.ask(&format!("partition's limit {bytes}"), |v| {
            request(v, vec![of(v, "plain", vec![part(0, 0).with_partition_max_bytes(bytes), part(1, 0)])])
        });
        script.ask(&format!("limit {bytes}"), |v| {
            request(v, vec![of(v, "plain", vec![part(0, 0), part(1, 0)])]).with_max_bytes(bytes)
        });
    }
    script.ask("min above max", |v| {
        request(v, vec![of(v, "plain", vec![part(0, 0)])]).with_min_bytes(i32::MAX).with_max_wait_ms(50)
    });
    script.ask("waits in vain", |v| {
        request(v, vec![of(v, "empty", vec![part(0, 0)])]).with_min_bytes(1).with_max_wait_ms(50)
    });
    script.ask("negative wait", |v| {
        request(v, vec![of(v, "empty", vec![part(0, 0)])]).with_min_bytes(1).with_max_wait_ms(-1)
    });
    for epoch in [0, 1, -2, i32::MAX] {
        script.ask(&format!("leader epoch {epoch}"), |v| {
            request(v, vec![of(v, "plain", vec![part(0, 0).with_current_leader_epoch(epoch)])])
        });
        script.ask(&format!("last fetched epoch {epoch}"), |v| {
            request(v, vec![of(v, "plain", vec![part(0, 1).with_last_fetched_epoch(epoch)])])
        });
    }
    script.ask("an unknown session", |v| {
        request(v, vec![of(v, "plain", vec![part(0, 0)])]).with_session_id(123_456).with_session_epoch(7)
    });
    script.ask("an unknown session that forgets", |v| {
        let forgotten = ForgottenTopic::default().with_partitions(vec![0]);
        let forgotten = if v >= BY_ID_FROM {
            forgotten.with_topic_id(id("plain"))
        } else {
            forgotten.with_topic(topic("plain"))
        };
        request(v, Vec::new())
            .with_session_id(123_456)
            .with_session_epoch(7)
            .with_forgotten_topics_data(vec![forgotten])
    });
    script.ask("closes a session that is none", |v| {
        request(v, vec![of(v, "plain", vec![part(0, 0)])]).with_session_id(123_456)
    });
    script.ask("a rack", |v| {
        let asked = request(v, vec![of(v, "plain", vec![part(0, 0)])]);
        asked.with_rack_id(super::script::text("rack"))
    });
}

pub(super) fn list_offsets(script: &mut Script, now: i64) {
    type Asked<'a> = (&'a str, &'a [(i32, i32, i64)]);
    let request = |isolation: i8, topics: &[Asked<'_>]| {
        let partition = |(index, epoch, time): &(i32, i32, i64)| {
            ListOffsetsPartition::default()
                .with_partition_index(*index)
                .with_current_leader_epoch(*epoch)
                .with_timestamp(*time)
        };
        let one = |(name, partitions): &(&str, &[(i32, i32, i64)])| {
            ListOffsetsTopic::default()
                .with_name(topic(name))
                .with_partitions(partitions.iter().map(partition).collect())
        };
        ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(isolation)
            .with_topics(topics.iter().map(one).collect())
    };
    let hour = 3_600_000;
    for time in [-1, -2, -3, -4, -5, -6, -7, i64::MIN, 0, 1, now - hour, now + hour, i64::MAX] {
        script.ask(&format!("time {time}").replace(&now.to_string(), "now"), |_| {
            request(0, &[("plain", &[(0, -1, time)])])
        });
    }
    for time in [-1, -3, 0] {
        script.ask(&format!("committed, time {time}"), |_| request(1, &[("plain", &[(0, -1, time)])]));
    }
    script.ask("isolation level 9", |_| request(9, &[("plain", &[(0, -1, -1)])]));
    script.ask("an empty log", |_| request(0, &[("empty", &[(0, -1, 0)]), ("settings", &[(0, -1, -3)])]));
    script.ask("unknown partition", |_| request(0, &[("plain", &[(3, -1, -1), (-1, -1, -1)])]));
    script.ask("unknown topic", |_| request(0, &[("absent", &[(0, -1, -1)])]));
    script.ask("bad names", |_| request(0, &[("", &[(0, -1, -1)]), ("a b", &[(0, -1, -1)])]));
    script.ask("a partition twice", |_| request(0, &[("plain", &[(0, -1, -1), (0, -1, -2), (1, -1, -1)])]));
    script.ask("a topic twice", |_| request(0, &[("plain", &[(0, -1, -1)]), ("plain", &[(0, -1, -2)])]));
    script.ask("none", |_| request(0, &[]));
    script.ask("no partitions", |_| request(0, &[("plain", &[])]));
    script.ask("unknown topic, wrong time", |_| request(0, &[("absent", &[(0, -1, -9)])]));
    for epoch in [0, 1, -2] {
        script.ask(&format!("leader epoch {epoch}"), |_| request(0, &[("plain", &[(0, epoch, -1)])]));
    }
    script.ask("as a replica", |_| request(0, &[("plain", &[(0, -1, -1)])]).with_replica_id(BrokerId(7)));
    script.ask("as a tool", |_| request(0, &[("plain", &[(0, -1, -1)])]).with_replica_id(BrokerId(-2)));
}

pub(super) fn epochs(script: &mut Script) {
    type Asked<'a> = (&'a str, &'a [(i32, i32, i32)]);
    let request = |topics: &[Asked<'_>]| {
        let partition = |(index, current, asked): &(i32, i32, i32)| {
            OffsetForLeaderPartition::default()
                .with_partition(*index)
                .with_current_leader_epoch(*current)
                .with_leader_epoch(*asked)
        };
        let one = |(name, partitions): &(&str, &[(i32, i32, i32)])| {
            OffsetForLeaderTopic::default()
                .with_topic(topic(name))
                .with_partitions(partitions.iter().map(partition).collect())
        };
        OffsetForLeaderEpochRequest::default().with_topics(topics.iter().map(one).collect())
    };
    for asked in [0, 1, -1, -2, i32::MAX, i32::MIN] {
        script.ask(&format!("epoch {asked}"), |_| request(&[("plain", &[(0, -1, asked)])]));
        script.ask(&format!("epoch {asked} of an empty log"), |_| request(&[("empty", &[(0, -1, asked)])]));
    }
    for current in [0, 1, -2, i32::MAX] {
        script.ask(&format!("current epoch {current}"), |_| request(&[("plain", &[(0, current, 0)])]));
    }
    script.ask("unknown partition", |_| request(&[("plain", &[(3, -1, 0), (-1, -1, 0), (0, -1, 0)])]));
    script.ask("unknown topic", |_| request(&[("absent", &[(0, -1, 0)])]));
    script.ask("bad name", |_| request(&[("a b", &[(0, -1, 0)])]));
    script.ask("none", |_| request(&[]));
    script.ask("a partition twice", |_| request(&[("plain", &[(0, -1, 0), (0, -1, 1)])]));
    script.ask("as a replica", |_| request(&[("plain", &[(0, -1, 0)])]).with_replica_id(BrokerId(7)));
}
