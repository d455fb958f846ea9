//! The golden frames, and the codec's view of every API, for the tests that share them.

#![allow(dead_code, reason = "each test binary uses its own part")]

use bytes::{Bytes, BytesMut};
use protocol_compat::messages::*;

/// What Kafka 4.3.1's serialisers wrote; see `generator/`.
const FRAMES: &str = include_str!("kafka-4.3.1.frames");

/// One frame without its length prefix.
#[derive(Debug, Clone)]
pub(crate) struct Golden {
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) is_request: bool,
    pub(crate) header_version: i16,
    pub(crate) bytes: Bytes,
}

pub(crate) fn all() -> Vec<Golden> {
    FRAMES.lines().map(parse).collect()
}

fn parse(line: &str) -> Golden {
    let words: Vec<&str> = line.split(' ').collect();
    let [key, version, kind, header_version, hex] = words[..] else {
        panic!("five words, not {line}");
    };
    assert!(matches!(kind, "request" | "response"), "{kind}");
    Golden {
        key: key.parse().unwrap(),
        version: version.parse().unwrap(),
        is_request: kind == "request",
        header_version: header_version.parse().unwrap(),
        bytes: unhex(hex),
    }
}

fn unhex(text: &str) -> Bytes {
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Decodes all of `body` and says how many bytes were left over.
pub(crate) type Decode = fn(&Bytes, i16) -> anyhow::Result<usize>;
/// Decodes all of `body` and encodes it again.
pub(crate) type RoundTrip = fn(&Bytes, i16) -> anyhow::Result<BytesMut>;

/// The codec's functions for one API.
#[derive(Clone, Copy)]
pub(crate) struct Codec {
    pub(crate) key: i16,
    pub(crate) decode_request: Decode,
    pub(crate) request: RoundTrip,
    pub(crate) response: RoundTrip,
}

pub(crate) fn codec(key: i16) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| codec.key == key)
}

const fn codec_of<R: Request>() -> Codec {
    Codec {
        key: R::KEY,
        decode_request: decode::<R>,
        request: round_trip::<R>,
        response: round_trip::<R::Response>,
    }
}

fn decode<M: Decodable>(body: &Bytes, version: i16) -> anyhow::Result<usize> {
    let mut rest = body.clone();
    drop(M::decode(&mut rest, version)?);
    Ok(rest.len())
}

fn round_trip<M: Decodable + Encodable>(body: &Bytes, version: i16) -> anyhow::Result<BytesMut> {
    let mut rest = body.clone();
    let message = M::decode(&mut rest, version)?;
    anyhow::ensure!(rest.is_empty(), "{} bytes left over", rest.len());
    let mut out = BytesMut::new();
    message.encode(&mut out, version)?;
    anyhow::ensure!(out.len() == message.compute_size(version)?, "the codec's own size is wrong");
    Ok(out)
}

macro_rules! codecs {
    ($($request:ident)*) => {
        const CODECS: &[Codec] = &[$(codec_of::<$request>(),)*];
    };
}

codecs! {
    ProduceRequest
    FetchRequest
    ListOffsetsRequest
    MetadataRequest
    OffsetCommitRequest
    OffsetFetchRequest
    FindCoordinatorRequest
    JoinGroupRequest
    HeartbeatRequest
    LeaveGroupRequest
    SyncGroupRequest
    DescribeGroupsRequest
    ListGroupsRequest
    SaslHandshakeRequest
    ApiVersionsRequest
    CreateTopicsRequest
    DeleteTopicsRequest
    DeleteRecordsRequest
    InitProducerIdRequest
    OffsetForLeaderEpochRequest
    AddPartitionsToTxnRequest
    AddOffsetsToTxnRequest
    EndTxnRequest
    WriteTxnMarkersRequest
    TxnOffsetCommitRequest
    DescribeAclsRequest
    CreateAclsRequest
    DeleteAclsRequest
    DescribeConfigsRequest
    AlterConfigsRequest
    AlterReplicaLogDirsRequest
    DescribeLogDirsRequest
    SaslAuthenticateRequest
    CreatePartitionsRequest
    CreateDelegationTokenRequest
    RenewDelegationTokenRequest
    ExpireDelegationTokenRequest
    DescribeDelegationTokenRequest
    DeleteGroupsRequest
    ElectLeadersRequest
    IncrementalAlterConfigsRequest
    AlterPartitionReassignmentsRequest
    ListPartitionReassignmentsRequest
    OffsetDeleteRequest
    DescribeClientQuotasRequest
    AlterClientQuotasRequest
    DescribeUserScramCredentialsRequest
    AlterUserScramCredentialsRequest
    VoteRequest
    BeginQuorumEpochRequest
    EndQuorumEpochRequest
    DescribeQuorumRequest
    AlterPartitionRequest
    UpdateFeaturesRequest
    EnvelopeRequest
    FetchSnapshotRequest
    DescribeClusterRequest
    DescribeProducersRequest
    BrokerRegistrationRequest
    BrokerHeartbeatRequest
    UnregisterBrokerRequest
    DescribeTransactionsRequest
    ListTransactionsRequest
    AllocateProducerIdsRequest
    ConsumerGroupHeartbeatRequest
    ConsumerGroupDescribeRequest
    ControllerRegistrationRequest
    GetTelemetrySubscriptionsRequest
    PushTelemetryRequest
    AssignReplicasToDirsRequest
    ListConfigResourcesRequest
    DescribeTopicPartitionsRequest
    ShareGroupHeartbeatRequest
    ShareGroupDescribeRequest
    ShareFetchRequest
    ShareAcknowledgeRequest
    AddRaftVoterRequest
    RemoveRaftVoterRequest
    UpdateRaftVoterRequest
    InitializeShareGroupStateRequest
    ReadShareGroupStateRequest
    WriteShareGroupStateRequest
    DeleteShareGroupStateRequest
    ReadShareGroupStateSummaryRequest
    DescribeShareGroupOffsetsRequest
    AlterShareGroupOffsetsRequest
    DeleteShareGroupOffsetsRequest
}
