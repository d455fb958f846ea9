//! Every record type survives a round trip, and no bytes make the reader panic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use storage::TopicId;

use super::*;
use crate::cluster::quota::{Entity, Key, Name, Value};

fn configs() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("[a-z.]{1,20}", ".{0,20}", 0..4)
}

fn entity() -> impl Strategy<Value = Entity> {
    let name = || prop::option::of(any::<Option<String>>().prop_map(|text| Name::of(text.as_deref())));
    (name(), name(), name()).prop_map(|(user, client_id, ip)| Entity { user, client_id, ip })
}

fn value() -> impl Strategy<Value = Option<Value>> {
    prop::option::of(any::<f64>()).prop_map(|value| value.and_then(Value::new))
}

fn record() -> impl Strategy<Value = Record> {
    let id = any::<[u8; 16]>().prop_map(TopicId);
    prop_oneof![
        any::<u32>().prop_map(|node_id| BrokerStarted { node_id }.into()),
        (id.clone(), ".{0,30}", any::<u32>(), configs())
            .prop_map(|(id, name, partitions, configs)| TopicCreated { id, name, partitions, configs }.into()),
        id.clone().prop_map(|id| TopicDeleted { id }.into()),
        id.clone().prop_map(|id| TopicPurged { id }.into()),
        (id.clone(), any::<u32>()).prop_map(|(id, partitions)| TopicGrown { id, partitions }.into()),
        (id, prop::collection::btree_map("[a-z.]{1,20}", any::<Option<String>>(), 0..4))
            .prop_map(|(id, changes)| TopicConfigured { id, changes }.into()),
        (".{0,30}", prop::collection::btree_map("[a-z.]{1,20}", any::<Option<String>>(), 0..4))
            .prop_map(|(group, changes)| GroupConfigured { group, changes }.into()),
        (".{0,30}", prop::collection::btree_map("[a-z.]{1,20}", any::<Option<String>>(), 0..4))
            .prop_map(|(subscription, changes)| ClientMetricsConfigured { subscription, changes }.into()),
        (".{0,30}", any::<u32>(), any::<i64>())
            .prop_map(|(feature, level, epoch)| FeatureLevelSet { feature, level, epoch }.into()),
        (
            prop::option::of(0i32..=i32::MAX),
            prop::collection::btree_map("[a-z.]{1,20}", any::<Option<String>>(), 0..4)
        )
            .prop_map(|(node_id, changes)| BrokerConfigured { node_id, changes }.into()),
        (entity(), 0usize..Key::ALL.len(), value()).prop_map(|(entity, key, value)| {
            ClientQuotaAltered { entity, key: Key::ALL[key], value }.into()
        }),
        any::<u32>().prop_map(|count| BrokerStarts { count }.into()),
        any::<i64>().prop_map(|next| ProducerIdsReserved { next }.into()),
    ]
}

proptest! {
    #[test]
    fn round_trip(record in record()) {
        prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn any_bytes_are_read_or_refused(kind in 0u16..20, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut value = kind.to_be_bytes().to_vec();
        value.extend(bytes);
        let _ = Record::decode(&value);
    }

    #[test]
    fn a_record_cut_short_is_refused(record in record(), cut in 1usize..40) {
        let bytes = record.encode();
        let kept = bytes.len().saturating_sub(cut);
        prop_assert!(Record::decode(&bytes[..kept]).is_err());
    }
}

#[test]
fn ids_are_unique_and_newer_versions_are_refused() {
    let mut types = TYPES.to_vec();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), TYPES.len());
    let mut newer = Record::from(BrokerStarted { node_id: 1 }).encode();
    newer[2] = 9;
    assert_eq!(Record::decode(&newer), Err(RecordError::UnknownVersion(1, 9)));
    assert_eq!(Record::decode(&[0, 99, 0]), Err(RecordError::UnknownType(99)));
}

/// The bytes that later versions have to read, one line a record.
#[test]
fn golden() {
    let id = TopicId([7; 16]);
    let ids = "07".repeat(16);
    let settings = |pairs: &[(&str, Option<&str>)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
    };
    let configs = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let golden: [(Record, String); 15] = [
        (BrokerStarted { node_id: 1 }.into(), "00010000000001".to_owned()),
        (
            TopicCreated { id, name: "ab".to_owned(), partitions: 3, configs }.into(),
            format!("000200{ids}000000026162000000030000000100000001 6b 00000001 76"),
        ),
        (TopicDeleted { id }.into(), format!("000300{ids}")),
        (TopicPurged { id }.into(), format!("000400{ids}")),
        (ProducerIdsReserved { next: 1000 }.into(), "00050000000000000003e8".to_owned()),
        (
            TopicConfigured { id, changes: settings(&[("a", None), ("b", Some("v"))]) }.into(),
            format!("000600{ids}00000002 00000001 61 00 00000001 62 01 00000001 76"),
        ),
        (BrokerStarts { count: 5 }.into(), "00070000000005".to_owned()),
        (TopicGrown { id, partitions: 258 }.into(), format!("000800{ids}00000102")),
        (
            GroupConfigured { group: "g".to_owned(), changes: settings(&[("a", None), ("b", Some("v"))]) }
                .into(),
            "000900 00000001 67 00000002 00000001 61 00 00000001 62 01 00000001 76".to_owned(),
        ),
        (
            ClientQuotaAltered {
                entity: Entity { user: Some(Name::of(Some("u"))), client_id: Some(Name::Default), ip: None },
                key: Key::ConsumerByteRate,
                value: Value::new(1.5),
            }
            .into(),
            "000a00 01 02 00000001 75 00 02 01 3ff8000000000000".to_owned(),
        ),
        (
            ClientQuotaAltered {
                entity: Entity { ip: Some(Name::Default), ..Entity::default() },
                key: Key::ConnectionCreationRate,
                value: None,
            }
            .into(),
            "000a00 00 00 01 05 00".to_owned(),
        ),
        (
            ClientMetricsConfigured {
                subscription: "s".to_owned(),
                changes: settings(&[("a", None), ("b", Some("v"))]),
            }
            .into(),
            "001000 00000001 73 00000002 00000001 61 00 00000001 62 01 00000001 76".to_owned(),
        ),
        (
            FeatureLevelSet { feature: "f".to_owned(), level: 2, epoch: 3 }.into(),
            "001100 00000001 66 00000002 0000000000000003".to_owned(),
        ),
        (
            BrokerConfigured { node_id: Some(258), changes: settings(&[("a", None), ("b", Some("v"))]) }
                .into(),
            "000b00 00000102 00000002 00000001 61 00 00000001 62 01 00000001 76".to_owned(),
        ),
        (
            BrokerConfigured { node_id: None, changes: settings(&[]) }.into(),
            "000b00 ffffffff 00000000".to_owned(),
        ),
    ];
    for (record, hex) in golden {
        let bytes: String = record.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(bytes, hex.replace(' ', ""), "{record:?}");
    }
}
