//! From a typed reply to a frame: a list of pieces, some of which are file ranges.

use bytes::{BufMut, BytesMut};
use protocol_compat::ErrorCode;
use protocol_compat::fetch_encode::{self, FetchReply, Payload, Piece};
use protocol_compat::frame::PREFIX_BYTES;
use protocol_compat::header::encode_response_header;
use protocol_compat::messages::{self, Encodable, encode_body};
use protocol_compat::versions;
use storage::Part;

use crate::quotas::Throttle;

/// Record bytes on their way out: in memory, or a range of a segment for sendfile.
pub struct Records(pub Part);

impl Payload for Records {
    fn len(&self) -> usize {
        self.0.len()
    }
}

/// A whole reply frame in the order of its bytes, its length prefix included.
pub type Frame = Vec<Piece<Records>>;

/// A reply with something in it that its version cannot carry: a bug of ours, and the end of one connection.
#[derive(Debug, thiserror::Error)]
#[error("the reply to API {key} version {version} does not encode: {reason}")]
pub struct Unencodable {
    key: i16,
    version: i16,
    reason: String,
}

/// A decided reply.
pub struct Answer {
    pub frame: Result<Frame, Unencodable>,
    /// What it says went wrong.
    pub errors: Errors,
    /// How long the connection is to rest.
    pub throttled: Option<Throttle>,
}

/// The error codes of a reply and how often each is in it. A reply without errors costs no memory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Errors(Vec<(i16, u64)>);

impl Errors {
    pub(super) fn of(codes: impl IntoIterator<Item = i16>) -> Self {
        let mut counted: Vec<(i16, u64)> = Vec::new();
        for code in codes.into_iter().filter(|code| *code != 0) {
            match counted.iter_mut().find(|(known, _)| *known == code) {
                Some((_, count)) => *count += 1,
                None => counted.push((code, 1)),
            }
        }
        Self(counted)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Kafka's name of the first of them.
    pub fn first(&self) -> Option<&'static str> {
        self.by_name().next().map(|(name, _)| name)
    }

    /// Kafka's name of each error, and how often it is there.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let unknown = ErrorCode::UnknownServerError;
        self.0
            .iter()
            .map(move |(code, count)| (ErrorCode::from_code(*code).unwrap_or(unknown).name(), *count))
    }
}

/// How a reply becomes a frame.
pub trait Reply {
    fn frame(self, key: i16, version: i16, correlation_id: i32) -> Result<Frame, Unencodable>;

    /// Tells the client how long it has to rest, where the reply has a place for it.
    fn throttle(&mut self, left_ms: i32);

    /// How long the client has to rest for what is known of the reply alone.
    fn throttled(&self) -> Option<Throttle> {
        None
    }
}

/// Typed messages: header and body by the codec.
macro_rules! replies {
    ($($message:ident $(. $throttle:ident)?),* $(,)?) => {
        $(impl Reply for messages::$message {
            fn frame(self, key: i16, version: i16, correlation_id: i32) -> Result<Frame, Unencodable> {
                encoded(&self, key, version, correlation_id)
            }

            fn throttle(&mut self, _left_ms: i32) {
                $(self.$throttle = _left_ms;)?
            }
        })*

        /// Each reply by its API's name, as it encodes when its client has to rest.
        #[cfg(test)]
        const RESTING: &[(&str, fn(i16, i16, i32) -> Result<Frame, Unencodable>)] =
            &[$((stringify!($message), |key, version, left_ms| {
                let mut reply = messages::$message::default();
                reply.throttle(left_ms);
                reply.frame(key, version, 1)
            })),*];
    };
}

replies! {
    ProduceResponse.throttle_time_ms,
    GetTelemetrySubscriptionsResponse.throttle_time_ms,
    PushTelemetryResponse.throttle_time_ms,
    UpdateFeaturesResponse.throttle_time_ms,
    ListOffsetsResponse.throttle_time_ms,
    MetadataResponse.throttle_time_ms,
    OffsetCommitResponse.throttle_time_ms,
    OffsetFetchResponse.throttle_time_ms,
    FindCoordinatorResponse.throttle_time_ms,
    JoinGroupResponse.throttle_time_ms,
    HeartbeatResponse.throttle_time_ms,
    LeaveGroupResponse.throttle_time_ms,
    SyncGroupResponse.throttle_time_ms,
    DescribeGroupsResponse.throttle_time_ms,
    ListGroupsResponse.throttle_time_ms,
    ApiVersionsResponse.throttle_time_ms,
    CreateTopicsResponse.throttle_time_ms,
    DeleteTopicsResponse.throttle_time_ms,
    DeleteRecordsResponse.throttle_time_ms,
    InitProducerIdResponse.throttle_time_ms,
    OffsetForLeaderEpochResponse.throttle_time_ms,
    DescribeConfigsResponse.throttle_time_ms,
    AlterConfigsResponse.throttle_time_ms,
    AlterReplicaLogDirsResponse.throttle_time_ms,
    DescribeLogDirsResponse.throttle_time_ms,
    CreatePartitionsResponse.throttle_time_ms,
    DeleteGroupsResponse.throttle_time_ms,
    ElectLeadersResponse.throttle_time_ms,
    IncrementalAlterConfigsResponse.throttle_time_ms,
    AlterPartitionReassignmentsResponse.throttle_time_ms,
    ListPartitionReassignmentsResponse.throttle_time_ms,
    OffsetDeleteResponse.throttle_time_ms,
    DescribeClientQuotasResponse.throttle_time_ms,
    AlterClientQuotasResponse.throttle_time_ms,
    DescribeQuorumResponse,
    DescribeClusterResponse.throttle_time_ms,
    DescribeProducersResponse.throttle_time_ms,
    ConsumerGroupHeartbeatResponse.throttle_time_ms,
    ConsumerGroupDescribeResponse.throttle_time_ms,
    ListConfigResourcesResponse.throttle_time_ms,
    DescribeTopicPartitionsResponse.throttle_time_ms,
}

fn encoded(
    message: &impl Encodable,
    key: i16,
    version: i16,
    correlation_id: i32,
) -> Result<Frame, Unencodable> {
    framed(key, version, correlation_id, |out| {
        encode_body(message, versions::reply_codec_version(key, version), out)
    })
}

/// Length, header, and the body that is written behind them.
pub(super) fn framed(
    key: i16,
    version: i16,
    correlation_id: i32,
    write_body: impl FnOnce(&mut BytesMut) -> Result<(), String>,
) -> Result<Frame, Unencodable> {
    let mut out = BytesMut::with_capacity(256);
    out.put_i32(0);
    encode_response_header(key, version, correlation_id, &mut out);
    write_body(&mut out).map_err(|reason| Unencodable { key, version, reason })?;
    let len = (out.len() - PREFIX_BYTES) as i32;
    out[..PREFIX_BYTES].copy_from_slice(&len.to_be_bytes());
    Ok(vec![Piece::Bytes(out.freeze())])
}

/// A Fetch reply, whose records are never copied.
pub(super) struct Fetched {
    pub(super) reply: FetchReply<Records>,
    /// Why it holds nothing, if it holds nothing because its client has to rest.
    pub(super) throttled: Option<Throttle>,
}

impl Reply for Fetched {
    fn throttle(&mut self, left_ms: i32) {
        self.reply.throttle_ms = left_ms;
    }

    fn throttled(&self) -> Option<Throttle> {
        self.throttled
    }

    fn frame(self, _key: i16, version: i16, correlation_id: i32) -> Result<Frame, Unencodable> {
        Ok(fetch_encode::encode(self.reply, version, correlation_id))
    }
}

#[cfg(test)]
mod tests {
    use super::super::TABLE;
    use super::*;
    use protocol_compat::versions::api_info;

    fn bytes_of(frame: Frame) -> Vec<u8> {
        let bytes = |piece: &Piece<Records>| match piece {
            Piece::Bytes(bytes) => bytes.to_vec(),
            Piece::Payload(_) => panic!("no records here"),
        };
        frame.iter().flat_map(bytes).collect()
    }

    /// The first versions of replies that say how long to rest, where it is not the first one served. Kafka added it to all
    /// others with their first version.
    const SINCE: &[(&str, i16)] = &[
        ("ApiVersions", 1),
        ("DescribeGroups", 1),
        ("DescribeLogDirs", 0),
        ("FindCoordinator", 1),
        ("Heartbeat", 1),
        ("JoinGroup", 2),
        ("LeaveGroup", 1),
        ("ListGroups", 1),
        ("ListOffsets", 2),
        ("Metadata", 3),
        ("OffsetCommit", 3),
        ("OffsetFetch", 3),
        ("OffsetForLeaderEpoch", 2),
        ("SyncGroup", 1),
        ("DescribeQuorum", i16::MAX),
    ];

    #[test]
    fn every_reply_that_can_tells_how_long_to_rest() {
        for (name, resting) in RESTING {
            let name = name.strip_suffix("Response").unwrap();
            let api = TABLE.iter().find(|api| api_info(api.key).unwrap().name == name).unwrap();
            let since = SINCE.iter().find(|(known, _)| *known == name).map_or(0, |(_, since)| *since);
            for version in api.versions.clone().filter(|version| *version < 5 || name != "DescribeLogDirs") {
                let [idle, told] = [0, 0x1234_5678]
                    .map(|ms| bytes_of(resting(api.key, version, ms).unwrap_or_else(|e| panic!("{e}"))));
                assert_eq!(idle != told, version >= since, "{name} {version}");
            }
        }
    }
}
