//! DescribeLogDirs (key 35), versions 1–5.
//!
//! - 2: flexible. 3: one error for the whole reply (before, those who may not ask get an empty list). 4 (KIP-827): the
//!   size of the volume and what of it is free. 5 (KIP-1066): whether a directory is cordoned off, which none here is.
//!
//! Every data directory is in the reply, those that are offline with their error and nothing else. No list of topics means
//! all; what is asked for and is not there is left out, as in Kafka. A partition without a record has no directory on the
//! disk yet: it is shown where it would be made now, with no bytes. One that is on its way to another directory is shown
//! there too, as a future replica, with what is copied and how many records that lacks.

use std::collections::{HashMap, HashSet};
use std::iter::once;

use bytes::{BufMut, BytesMut};
use protocol_compat::ErrorCode;
use protocol_compat::fetch_encode::put_uvarint;
use protocol_compat::messages::describe_log_dirs_request::DescribableLogDirTopic;
use protocol_compat::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol_compat::messages::{
    ApiKey, DescribeLogDirsRequest, DescribeLogDirsResponse, StrBytes, TopicName, encode_body,
};
use storage::DataDir;

use super::reply::{Frame, Reply, Unencodable, framed};
use super::{Api, Cx, Then};
use crate::partition::Placed;
use crate::security::{Operation, Resource};

pub(super) struct DescribeLogDirs;

/// The codec ends before this version.
const CORDONED_SINCE: i16 = 5;

/// The reply, for which version 5 is written by hand.
pub(super) struct Described(DescribeLogDirsResponse);

impl Api for DescribeLogDirs {
    const KEY: i16 = ApiKey::DescribeLogDirs as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=CORDONED_SINCE;
    type Req = DescribeLogDirsRequest;
    type Resp = Described;

    fn codes(reply: &Described) -> impl Iterator<Item = i16> {
        once(reply.0.error_code).chain(reply.0.results.iter().map(|dir| dir.error_code))
    }

    fn begin(cx: &Cx, req: DescribeLogDirsRequest, version: i16) -> Then<Described> {
        let mut reply = DescribeLogDirsResponse::default();
        if cx.allow(Operation::Describe, Resource::Cluster) {
            reply.results = describe(cx, req.topics.as_deref());
        } else if version >= 3 {
            reply.error_code = ErrorCode::ClusterAuthorizationFailed.code();
        }
        Then::Now(Described(reply))
    }
}

fn describe(cx: &Cx, topics: Option<&[DescribableLogDirTopic]>) -> Vec<DescribeLogDirsResult> {
    let asked = topics.map(|topics| {
        let of_topic = |topic: &DescribableLogDirTopic| topic.partitions.iter().copied().collect();
        topics.iter().map(|topic| (topic.topic.to_string(), of_topic(topic))).collect()
    });
    let placed = cx.broker.partitions.by_directory(&cx.seen.image);
    placed.iter().map(|(dir, partitions)| describe_dir(dir, partitions, asked.as_ref())).collect()
}

fn describe_dir(
    dir: &DataDir,
    placed: &[Placed],
    asked: Option<&HashMap<String, HashSet<i32>>>,
) -> DescribeLogDirsResult {
    let path = std::path::absolute(dir.path()).unwrap_or_else(|_| dir.path().to_owned());
    let base =
        DescribeLogDirsResult::default().with_log_dir(StrBytes::from_string(path.display().to_string()));
    let (total, free) = match (dir.total_bytes(), dir.free_bytes()) {
        (Ok(total), Ok(free)) if !dir.is_offline() => (total, free),
        _ => return base.with_error_code(ErrorCode::KafkaStorageError.code()),
    };
    let is_asked = |placed: &Placed| {
        asked.is_none_or(|asked| {
            asked.get(&*placed.topic.name).is_some_and(|partitions| partitions.contains(&placed.partition))
        })
    };
    let mut topics: Vec<DescribeLogDirsTopic> = Vec::new();
    for placed in placed.iter().filter(|placed| is_asked(placed)) {
        // Partitions of a topic come one behind the other.
        if topics.last().is_none_or(|last| *last.name != *placed.topic.name) {
            let name = TopicName(StrBytes::from_string(placed.topic.name.to_string()));
            topics.push(DescribeLogDirsTopic::default().with_name(name));
        }
        let partition = describe_partition(placed);
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(partition);
        }
    }
    base.with_topics(topics).with_total_bytes(total as i64).with_usable_bytes(free as i64)
}

fn describe_partition(placed: &Placed) -> DescribeLogDirsPartition {
    let base = DescribeLogDirsPartition::default().with_partition_index(placed.partition);
    let log = placed.open.as_ref().map(|partition| &partition.log);
    match &placed.copy {
        None => base.with_partition_size(log.map_or(0, |log| log.size_bytes()) as i64),
        Some(copy) => {
            let end = log.map_or(0, |log| log.end_offset().0);
            base.with_is_future_key(true)
                .with_partition_size(copy.size_bytes() as i64)
                .with_offset_lag((end - copy.end_offset().0).max(0))
        }
    }
}

impl Reply for Described {
    fn frame(self, key: i16, version: i16, correlation_id: i32) -> Result<Frame, Unencodable> {
        if version < CORDONED_SINCE {
            return self.0.frame(key, version, correlation_id);
        }
        framed(key, version, correlation_id, |out| put_with_cordons(&self.0, out))
    }

    fn throttle(&mut self, left_ms: i32) {
        self.0.throttle_time_ms = left_ms;
    }
}

/// The body in version 5: as in version 4, but each directory has one byte more.
fn put_with_cordons(reply: &DescribeLogDirsResponse, out: &mut BytesMut) -> Result<(), String> {
    const NOT_CORDONED: u8 = 0;
    const NO_TAGGED_FIELDS: u8 = 0;
    out.put_i32(reply.throttle_time_ms);
    out.put_i16(reply.error_code);
    put_uvarint(out, reply.results.len() as u32 + 1);
    for dir in &reply.results {
        encode_body(dir, CORDONED_SINCE - 1, out)?;
        // It stands before the tagged fields, of which there are none.
        out.truncate(out.len() - 1);
        out.put_slice(&[NOT_CORDONED, NO_TAGGED_FIELDS]);
    }
    out.put_u8(NO_TAGGED_FIELDS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol_compat::fetch_encode::Piece;
    use protocol_compat::frame::PREFIX_BYTES;

    use super::*;

    fn dir(path: &'static str, error_code: i16) -> DescribeLogDirsResult {
        let partition = DescribeLogDirsPartition::default().with_partition_index(3).with_partition_size(5);
        let topic = DescribeLogDirsTopic::default()
            .with_name(TopicName(StrBytes::from_static_str("t")))
            .with_partitions(vec![partition]);
        DescribeLogDirsResult::default()
            .with_log_dir(StrBytes::from_static_str(path))
            .with_topics(vec![topic])
            .with_error_code(error_code)
            .with_total_bytes(7)
    }

    /// The body in this version.
    fn body(version: i16, results: Vec<DescribeLogDirsResult>) -> Vec<u8> {
        const HEADER: usize = PREFIX_BYTES + 4 + 1;
        let reply = DescribeLogDirsResponse::default().with_throttle_time_ms(9).with_results(results);
        let frame = Described(reply).frame(DescribeLogDirs::KEY, version, 1).unwrap();
        let [Piece::Bytes(bytes)] = &frame[..] else { panic!("one piece") };
        assert_eq!(bytes.len() - PREFIX_BYTES, u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize);
        bytes[HEADER..].to_vec()
    }

    #[test]
    fn version_5_ends_each_directory_with_its_cordon() {
        const HEAD: usize = 4 + 2 + 1;
        assert_eq!(body(5, Vec::new()), body(4, Vec::new()));
        let alone = |path, error| {
            let (before, after) = (body(4, vec![dir(path, error)]), body(5, vec![dir(path, error)]));
            let fields = before.len() - 2;
            assert_eq!(after, [&before[..fields], &[0], &before[fields..]].concat());
            after[HEAD..after.len() - 1].to_vec()
        };
        let both = body(5, vec![dir("/a", 0), dir("/b", 56)]);
        assert_eq!(both[HEAD - 1], 3, "the count, and one");
        assert_eq!(both[HEAD..], [alone("/a", 0), alone("/b", 56), vec![0]].concat());
    }
}
