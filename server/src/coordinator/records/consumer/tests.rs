//! Kafka's own bytes are read and written; every record survives a round trip; no bytes make the reader panic.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::coordinator::records::Record;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.]{0,12}", ".{0,20}"]
}

fn topic() -> impl Strategy<Value = TopicId> {
    any::<[u8; 16]>().prop_map(TopicId)
}

fn partitions() -> impl Strategy<Value = Partitions> {
    let of_topic = prop::collection::btree_set(any::<i32>(), 0..5);
    prop::collection::btree_map(topic(), of_topic, 0..4)
}

fn with_epochs() -> impl Strategy<Value = WithEpochs> {
    let of_topic = prop::collection::btree_map(any::<i32>(), any::<i32>(), 1..5);
    prop::collection::btree_map(topic(), of_topic, 0..4)
}

fn member() -> impl Strategy<Value = ConsumerMember> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let classic = (any::<i32>(), prop::collection::vec((text(), bytes), 0..3));
    let classic =
        classic.prop_map(|(session_timeout_ms, protocols)| ClassicMember { session_timeout_ms, protocols });
    let topics = prop::collection::btree_set(text(), 0..4);
    let words = (prop::option::of(text()), prop::option::of(text()), text(), prop::option::of(text()));
    (words, topics, prop::option::of(text()), any::<i32>(), prop::option::of(classic)).prop_map(
        |((instance, rack, client_id, assignor), topics, pattern, rebalance_timeout_ms, classic)| {
            ConsumerMember {
                instance,
                rack,
                client_host: format!("/{client_id}"),
                client_id,
                topics,
                pattern,
                rebalance_timeout_ms,
                assignor,
                classic,
            }
        },
    )
}

fn current() -> impl Strategy<Value = CurrentAssignment> {
    let state = prop::sample::select(vec![
        MemberState::Stable,
        MemberState::Unrevoked,
        MemberState::Unreleased,
        MemberState::Unknown,
    ]);
    (any::<i32>(), any::<i32>(), state, with_epochs(), with_epochs()).prop_map(
        |(epoch, previous_epoch, state, assigned, revoking)| CurrentAssignment {
            epoch,
            previous_epoch,
            state,
            assigned,
            revoking,
        },
    )
}

fn record() -> impl Strategy<Value = ConsumerRecord> {
    let epoch =
        (any::<i32>(), any::<i64>()).prop_map(|(epoch, topics_hash)| GroupEpoch { epoch, topics_hash });
    let target = (any::<i32>(), any::<i64>()).prop_map(|(epoch, made_ms)| TargetEpoch { epoch, made_ms });
    let pattern = (prop::collection::btree_set(text(), 0..4), any::<i64>(), any::<i64>())
        .prop_map(|(topics, version, at_ms)| ResolvedPattern { topics, version, at_ms });
    prop_oneof![
        prop::option::of(epoch).prop_map(ConsumerRecord::Epoch),
        prop::option::of(Just(())).prop_map(ConsumerRecord::PartitionMetadata),
        (text(), prop::option::of(member())).prop_map(|(id, value)| ConsumerRecord::Member(id, value)),
        prop::option::of(target).prop_map(ConsumerRecord::TargetEpoch),
        (text(), prop::option::of(partitions())).prop_map(|(id, value)| ConsumerRecord::Target(id, value)),
        (text(), prop::option::of(current())).prop_map(|(id, value)| ConsumerRecord::Current(id, value)),
        (text(), prop::option::of(pattern)).prop_map(|(id, value)| ConsumerRecord::Pattern(id, value)),
    ]
}

proptest! {
    #[test]
    fn round_trip(group in text(), record in record()) {
        let record = Record::Consumer(group, record);
        let Encoded { key, value } = record.encode();
        prop_assert_eq!(Record::decode(&key, value.as_deref()), Ok(record));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        kind in prop::sample::select(vec![3i16, 4, 5, 6, 7, 8, 16]),
        key in prop::collection::vec(any::<u8>(), 0..40),
        value in prop::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..80),
    ) {
        let key = [&kind.to_be_bytes()[..], &key].concat();
        let value = [&[0, 0][..], &value].concat();
        if let Ok(record) = Record::decode(&key, Some(&value)) {
            // What was understood is written so that it is understood again.
            let Encoded { key, value } = record.encode();
            prop_assert_eq!(Record::decode(&key, value.as_deref()), Ok(record));
        }
    }

    #[test]
    fn a_value_cut_short_is_refused(record in record(), cut in 1usize..40) {
        let is_read = !matches!(record, ConsumerRecord::PartitionMetadata(_));
        let Encoded { key, value } = Record::Consumer("g".into(), record).encode();
        if let Some(value) = value.filter(|_| is_read) {
            let kept = value.len().saturating_sub(cut);
            prop_assert!(Record::decode(&key, Some(&value[..kept])).is_err());
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

const ID: TopicId = TopicId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

fn a_member(classic: Option<ClassicMember>) -> ConsumerRecord {
    let member = ConsumerMember {
        instance: Some("i".into()),
        rack: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        topics: ["a".into(), "b".into()].into(),
        pattern: Some("x.*".into()),
        rebalance_timeout_ms: 5,
        assignor: Some("range".into()),
        classic,
    };
    ConsumerRecord::Member("m".into(), Some(member))
}

/// Made by the classes of Kafka 4.3.1's `group-coordinator` jar.
#[test]
fn kafkas_records() {
    let classic = ClassicMember {
        session_timeout_ms: 9,
        protocols: vec![("range".into(), Bytes::from_static(&[1, 2]))],
    };
    let target: Partitions = [(ID, [0, 3].into())].into();
    let pattern = ResolvedPattern { topics: ["xa".into(), "xb".into()].into(), version: 3, at_ms: 4 };
    for (key, value, expected) in [
        (
            "0003000167",
            "000000000007010008fffffffffffffffe",
            ConsumerRecord::Epoch(Some(GroupEpoch { epoch: 7, topics_hash: -2 })),
        ),
        (
            "0003000167",
            "00000000000700",
            ConsumerRecord::Epoch(Some(GroupEpoch { epoch: 7, topics_hash: 0 })),
        ),
        (
            "000500016700016d",
            "00000269000263032f68030261026204782e2a000000050672616e676501000100",
            a_member(None),
        ),
        (
            "000500016700016d",
            "00000269000263032f68030261026204782e2a000000050672616e67650100110100000009020672616e67650301020000",
            a_member(Some(classic)),
        ),
        (
            "0006000167",
            "0000000000070100080000000000000008",
            ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch: 7, made_ms: 8 })),
        ),
        (
            "000700016700016d",
            "0000020102030405060708090a0b0c0d0e0f100300000000000000030000",
            ConsumerRecord::Target("m".into(), Some(target)),
        ),
        (
            "00100001670003782e2a",
            "0000030378610378620000000000000003000000000000000400",
            ConsumerRecord::Pattern("x.*".into(), Some(pattern)),
        ),
    ] {
        let expected = Record::Consumer("g".into(), expected);
        assert_eq!(Record::decode(&bytes(key), Some(&bytes(value))), Ok(expected.clone()));
        assert_eq!(expected.encode(), Encoded { key: bytes(key), value: Some(bytes(value)) });
    }
    let taken_back = Record::Consumer("g".into(), ConsumerRecord::PartitionMetadata(None));
    assert_eq!(taken_back.encode(), Encoded { key: bytes("0004000167"), value: None });
}

/// Of one topic the epochs are there, of the other they are null, as before Kafka 4.2.
#[test]
fn kafkas_current_assignment() {
    let key = bytes("000800016700016d");
    let value = bytes(
        "0000000000070000000601020102030405060708090a0b0c0d0e0f1003000000000000000301000903000000050000000702010203\
         0405060708090a0b0c0d0e0f1002000000010100010000",
    );
    let expected = CurrentAssignment {
        epoch: 7,
        previous_epoch: 6,
        state: MemberState::Unrevoked,
        assigned: [(ID, [(0, 5), (3, 7)].into())].into(),
        revoking: [(ID, [(1, 7)].into())].into(),
    };
    let expected = Record::Consumer("g".into(), ConsumerRecord::Current("m".into(), Some(expected)));
    assert_eq!(Record::decode(&key, Some(&value)), Ok(expected));
}
