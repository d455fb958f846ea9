//! What is written in pieces must be, byte for byte, what the typed codec writes in one.

use super::*;
use crate::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint, PartitionData,
};
use crate::messages::{Encodable, TopicName};
use proptest::prelude::*;

impl Payload for Bytes {
    fn len(&self) -> usize {
        Bytes::len(self)
    }
}

fn joined(pieces: Vec<Piece<Bytes>>) -> Vec<u8> {
    pieces
        .into_iter()
        .flat_map(|p| match p {
            Piece::Bytes(b) | Piece::Payload(b) => b.to_vec(),
        })
        .collect()
}

fn reference(reply: &FetchReply<Bytes>, version: i16, correlation_id: i32) -> Vec<u8> {
    let topics = reply.topics.iter().map(|t| {
        let mut topic = FetchableTopicResponse::default()
            .with_partitions(t.partitions.iter().map(|p| reference_partition(p, version)).collect());
        if version >= 13 {
            topic.topic_id = t.id;
        } else {
            topic.topic = TopicName(t.name.clone());
        }
        topic
    });
    let mut message =
        FetchResponse::default().with_throttle_time_ms(reply.throttle_ms).with_responses(topics.collect());
    if version >= 7 {
        message.error_code = reply.error;
        message.session_id = reply.session_id;
    }
    if version >= 16 {
        message.node_endpoints = reply.endpoints.iter().map(reference_endpoint).collect();
    }
    let mut body = BytesMut::new();
    body.put_i32(correlation_id);
    if version >= 12 {
        body.put_u8(0);
    }
    message.encode(&mut body, version).unwrap();
    let mut frame = (body.len() as i32).to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

fn reference_endpoint(endpoint: &Endpoint) -> NodeEndpoint {
    NodeEndpoint::default()
        .with_node_id(endpoint.node_id.into())
        .with_host(StrBytes::from_string(endpoint.host.clone()))
        .with_port(endpoint.port)
}

fn reference_partition(p: &FetchPartitionReply<Bytes>, version: i16) -> PartitionData {
    let aborted = p.aborted.as_ref().map(|list| {
        list.iter()
            .map(|(id, first)| {
                AbortedTransaction::default().with_producer_id((*id).into()).with_first_offset(*first)
            })
            .collect()
    });
    let mut data = PartitionData::default()
        .with_partition_index(p.index)
        .with_error_code(p.error)
        .with_high_watermark(p.high_watermark)
        .with_last_stable_offset(p.last_stable)
        .with_aborted_transactions(aborted)
        .with_records(Some(p.records.concat().into()));
    if version >= 5 {
        data.log_start_offset = p.log_start;
    }
    if let (12.., Some((epoch, end))) = (version, p.diverging) {
        data.diverging_epoch = EpochEndOffset::default().with_epoch(epoch).with_end_offset(end);
    }
    if let (12.., Some((leader, epoch))) = (version, p.current_leader) {
        data.current_leader =
            LeaderIdAndEpoch::default().with_leader_id(leader.into()).with_leader_epoch(epoch);
    }
    data
}

fn partition() -> impl Strategy<Value = FetchPartitionReply<Bytes>> {
    let aborted = prop::option::of(prop::collection::vec((any::<i64>(), any::<i64>()), 0..3));
    let records =
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from), 0..3);
    let tags = (prop::option::of((0..9i32, 0..9i64)), prop::option::of((0..9i32, 0..9i32)));
    (any::<i32>(), any::<i16>(), any::<[i64; 3]>(), aborted, tags, records).prop_map(
        |(index, error, offsets, aborted, (diverging, current_leader), records)| FetchPartitionReply {
            index,
            error,
            high_watermark: offsets[0],
            last_stable: offsets[1],
            log_start: offsets[2],
            aborted,
            diverging,
            current_leader,
            records,
        },
    )
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (any::<i32>(), "[a-z.]{0,200}", any::<i32>()).prop_map(|(node_id, host, port)| Endpoint {
        node_id,
        host,
        port,
    })
}

fn reply() -> impl Strategy<Value = FetchReply<Bytes>> {
    let topic = ("[a-zé]{0,200}", any::<u128>(), prop::collection::vec(partition(), 0..4)).prop_map(
        |(name, id, partitions)| FetchTopicReply {
            name: StrBytes::from_string(name),
            id: Uuid::from_u128(id),
            partitions,
        },
    );
    let topics = prop::collection::vec(topic, 0..4);
    let endpoints = prop::collection::vec(endpoint(), 0..3);
    (any::<i32>(), any::<i16>(), any::<i32>(), topics, endpoints).prop_map(
        |(throttle_ms, error, session_id, topics, endpoints)| FetchReply {
            throttle_ms,
            error,
            session_id,
            topics,
            endpoints,
        },
    )
}

proptest! {
    #[test]
    fn pieces_equal_the_typed_codec(reply in reply(), version in 4i16..=18, correlation_id in any::<i32>()) {
        let expected = reference(&reply, version, correlation_id);
        prop_assert_eq!(joined(encode(reply, version, correlation_id)), expected);
    }
}
