//! Kafka's own bytes are read and written; every record survives a round trip; no bytes make the reader panic.

use bytes::Bytes;
use proptest::prelude::*;
use storage::TopicId;

use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.]{0,12}", ".{0,20}"]
}

fn committed() -> impl Strategy<Value = Committed> {
    (any::<i64>(), any::<i32>(), text(), any::<i64>(), any::<[u8; 16]>()).prop_map(
        |(offset, leader_epoch, metadata, commit_ms, id)| Committed {
            offset,
            leader_epoch,
            metadata: metadata.into(),
            commit_ms,
            expire_ms: None,
            topic_id: TopicId(id),
        },
    )
}

fn member() -> impl Strategy<Value = GroupMember> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    (text(), prop::option::of(text()), text(), any::<i32>(), any::<i32>(), bytes(), bytes()).prop_map(
        |(id, instance, client_id, rebalance, session, subscription, assignment)| GroupMember {
            id,
            instance,
            client_host: format!("/{client_id}"),
            client_id,
            rebalance_timeout_ms: rebalance,
            session_timeout_ms: session,
            subscription,
            assignment,
        },
    )
}

fn group() -> impl Strategy<Value = GroupMetadata> {
    let members = prop::collection::vec(member(), 0..4);
    (text(), any::<i32>(), prop::option::of(text()), prop::option::of(text()), any::<i64>(), members)
        .prop_map(|(protocol_type, generation, protocol, leader, changed_ms, members)| GroupMetadata {
            protocol_type,
            generation,
            protocol,
            leader,
            changed_ms,
            members,
        })
}

fn record() -> impl Strategy<Value = Record> {
    let key = (text(), text(), any::<i32>()).prop_map(|(group, topic, partition)| OffsetKey {
        group,
        topic,
        partition,
    });
    prop_oneof![
        (key, prop::option::of(committed())).prop_map(|(key, value)| Record::Offset(key, value)),
        (text(), prop::option::of(group())).prop_map(|(group, value)| Record::ClassicGroup(group, value)),
    ]
}

proptest! {
    #[test]
    fn round_trip(record in record()) {
        let Encoded { key, value } = record.encode();
        prop_assert_eq!(Record::decode(&key, value.as_deref()), Ok(record));
    }

    #[test]
    fn flexible_groups_round_trip(group in group()) {
        prop_assert_eq!(GroupMetadata::decode(&group.encode_as(4)), Some(group));
    }

    #[test]
    fn a_chosen_expiry_is_kept(mut committed in committed(), at in 0i64..) {
        // That layout knows neither epochs nor topic ids.
        committed = Committed { expire_ms: Some(at), leader_epoch: -1, topic_id: TopicId::default(), ..committed };
        prop_assert_eq!(Committed::decode(&committed.encode()), Some(committed));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        kind in 0i16..4,
        version in -1i16..6,
        key in prop::collection::vec(any::<u8>(), 0..40),
        value in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = [&kind.to_be_bytes()[..], &key].concat();
        let value = [&version.to_be_bytes()[..], &value].concat();
        if let Ok(record) = Record::decode(&key, Some(&value)) {
            // What was understood is written so that it is understood again.
            let Encoded { key, value } = record.encode();
            prop_assert!(Record::decode(&key, value.as_deref()).is_ok());
        }
    }

    #[test]
    fn a_value_cut_short_is_refused(record in record(), cut in 1usize..40) {
        let Encoded { key, value } = record.encode();
        if let Some(value) = value {
            let kept = value.len().saturating_sub(cut);
            prop_assert!(Record::decode(&key, Some(&value[..kept])).is_err());
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

const COMMIT_KEY: &str = "000100086d792d67726f757000046c6f677300000003";
const GROUP_KEY: &str = "000200086d792d67726f7570";

fn a_commit() -> Committed {
    Committed {
        offset: 42,
        leader_epoch: 5,
        metadata: "m".into(),
        commit_ms: 1_700_000_000_000,
        expire_ms: None,
        topic_id: TopicId::default(),
    }
}

/// Made by the classes of Kafka 4.3.1's `group-coordinator` jar.
#[test]
fn kafkas_committed_offsets() {
    let key = OffsetKey { group: "my-group".into(), topic: "logs".into(), partition: 3 };
    let id = TopicId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    let without_epoch = Committed { leader_epoch: -1, ..a_commit() };
    let expiring = Committed { expire_ms: Some(1_700_000_005_000), ..without_epoch.clone() };
    for (hex, version, expected) in [
        ("0000000000000000002a00016d0000018bcfe56800", 0, without_epoch.clone()),
        ("0001000000000000002a00016d0000018bcfe568000000018bcfe57b88", 1, expiring),
        ("0002000000000000002a00016d0000018bcfe56800", 2, without_epoch),
        ("0003000000000000002a0000000500016d0000018bcfe56800", 3, a_commit()),
        ("0004000000000000002a00000005026d0000018bcfe5680000", 4, a_commit()),
        (
            "0004000000000000002a00000005026d0000018bcfe568000100100102030405060708090a0b0c0d0e0f10",
            4,
            Committed { topic_id: id, ..a_commit() },
        ),
    ] {
        let value = bytes(hex);
        let record = Record::decode(&bytes(COMMIT_KEY), Some(&value)).unwrap();
        assert_eq!(record, Record::Offset(key.clone(), Some(expected.clone())), "{hex}");
        assert_eq!(expected.encode_as(version), value, "{hex}");
    }
    assert_eq!(Record::Offset(key, None).encode(), Encoded { key: bytes(COMMIT_KEY), value: None });
}

#[test]
fn kafkas_groups() {
    let member = GroupMember {
        id: "c-1".into(),
        instance: Some("i".into()),
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        subscription: Bytes::from_static(&[1, 2]),
        assignment: Bytes::from_static(&[3]),
    };
    let full = GroupMetadata {
        protocol_type: "consumer".into(),
        generation: 7,
        protocol: Some("range".into()),
        leader: Some("c-1".into()),
        changed_ms: 1_700_000_000_000,
        members: vec![member.clone()],
    };
    let nameless = GroupMember { instance: None, ..member };
    let v2 = GroupMetadata { members: vec![nameless.clone()], ..full.clone() };
    let v1 = GroupMetadata { changed_ms: -1, ..v2.clone() };
    let oldest = GroupMember { rebalance_timeout_ms: -1, ..nameless };
    let v0 = GroupMetadata { changed_ms: -1, members: vec![oldest], ..full.clone() };
    let empty = GroupMetadata {
        protocol_type: String::new(),
        generation: 0,
        protocol: None,
        leader: None,
        changed_ms: 5,
        members: Vec::new(),
    };
    for (hex, version, expected) in [
        (
            "00000008636f6e73756d657200000007000572616e67650003632d31000000010003632d31000163000a2f3132372e302e302e31\
             0000afc80000000201020000000103",
            0,
            v0,
        ),
        (
            "00010008636f6e73756d657200000007000572616e67650003632d31000000010003632d31000163000a2f3132372e302e302e31\
             000493e00000afc80000000201020000000103",
            1,
            v1,
        ),
        (
            "00020008636f6e73756d657200000007000572616e67650003632d310000018bcfe56800000000010003632d31000163000a2f31\
             32372e302e302e31000493e00000afc80000000201020000000103",
            2,
            v2,
        ),
        (
            "00030008636f6e73756d657200000007000572616e67650003632d310000018bcfe56800000000010003632d31000169000163000\
             a2f3132372e302e302e31000493e00000afc80000000201020000000103",
            3,
            full.clone(),
        ),
        (
            "000409636f6e73756d6572000000070672616e676504632d310000018bcfe568000204632d31026902630b2f3132372e302e302e31\
             000493e00000afc803010202030000",
            4,
            full,
        ),
        ("0003000000000000ffffffff000000000000000500000000", 3, empty),
    ] {
        let value = bytes(hex);
        let record = Record::decode(&bytes(GROUP_KEY), Some(&value)).unwrap();
        assert_eq!(record, Record::ClassicGroup("my-group".into(), Some(expected.clone())), "{hex}");
        assert_eq!(expected.encode_as(version), value, "{hex}");
    }
}

#[test]
fn what_a_later_version_writes_is_named() {
    assert_eq!(Record::decode(&[0, 17, 0, 0], None), Err(RecordError::UnknownKind(17)));
    assert_eq!(Record::decode(&bytes(COMMIT_KEY), Some(&[0, 5, 0])), Err(RecordError::Malformed("value")));
    assert_eq!(Record::decode(&[0], None), Err(RecordError::Malformed("key")));
}

/// As in Kafka: otherwise a flexible layout could say what a plain one, which we write, cannot.
#[test]
fn text_is_no_longer_than_a_plain_length_can_say() {
    let (key, longest) = (Record::ClassicGroup("g".into(), None).encode().key, i16::MAX as usize);
    for (length, is_read) in [(longest, true), (longest + 1, false)] {
        let group = GroupMetadata {
            protocol_type: "x".repeat(length),
            generation: 0,
            protocol: None,
            leader: None,
            changed_ms: 0,
            members: Vec::new(),
        };
        let read = Record::decode(&key, Some(&group.encode_as(4)));
        assert_eq!(read.is_ok(), is_read, "{length}");
        if let Ok(record) = read {
            let Encoded { key, value } = record.encode();
            assert_eq!(Record::decode(&key, value.as_deref()), Ok(record));
        }
    }
}
