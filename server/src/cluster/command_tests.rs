//! The decisions, as Apache Kafka's ReplicationControlManager makes them on one broker.

use super::super::apply::apply;
use super::super::records::TopicPurged;
use super::*;

const DEFAULTS: Defaults = Defaults { node_id: 1, partitions: 4, replication_factor: 1, partitions_max: 100 };

fn new(name: &str) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        partitions: -1,
        replication_factor: -1,
        assignments: BTreeMap::new(),
        configs: BTreeMap::new(),
    }
}

fn image_with(name: &str, id: u8) -> Image {
    let mut image = Image::default();
    let record = create_topic(&image, &new(name), TopicId([id; 16]), DEFAULTS).unwrap();
    apply(&mut image, record.into());
    image
}

#[test]
fn defaults_fill_what_is_left_open() {
    let created = create_topic(&Image::default(), &new("a"), TopicId([1; 16]), DEFAULTS).unwrap();
    assert_eq!(created.partitions, 4);
}

#[test]
fn names_must_be_legal_new_and_distinct_in_metrics() {
    let image = image_with("a.b", 1);
    let refusal = |name| create_topic(&image, &new(name), TopicId([2; 16]), DEFAULTS).unwrap_err();
    assert_eq!(refusal("a.b"), Refusal::Exists("a.b".into()));
    assert!(matches!(refusal("a_b"), Refusal::Collides { .. }));
    assert!(matches!(refusal("a/b"), Refusal::InvalidName(_)));
    assert_eq!(refusal("__cluster_metadata"), Refusal::Reserved("__cluster_metadata".into()));
}

#[test]
fn counts_are_checked() {
    let refusal = |partitions, replication_factor| {
        let wanted = NewTopic { partitions, replication_factor, ..new("a") };
        create_topic(&Image::default(), &wanted, TopicId([1; 16]), DEFAULTS).unwrap_err()
    };
    assert!(matches!(refusal(0, 1), Refusal::InvalidPartitions { .. }));
    assert!(matches!(refusal(-2, 1), Refusal::InvalidPartitions { .. }));
    assert!(matches!(refusal(101, 1), Refusal::InvalidPartitions { .. }));
    for factor in [0, -2, 2] {
        assert_eq!(refusal(1, factor), Refusal::InvalidReplicationFactor(factor));
    }
}

#[test]
fn assignments_name_this_broker_for_every_partition() {
    let create = |assignments: &[(i32, &[i32])], partitions| {
        let assignments = assignments.iter().map(|(p, r)| (*p, r.to_vec())).collect();
        let wanted = NewTopic { assignments, partitions, ..new("a") };
        create_topic(&Image::default(), &wanted, TopicId([1; 16]), DEFAULTS)
    };
    assert_eq!(create(&[(0, &[1]), (1, &[1])], -1).unwrap().partitions, 2);
    assert!(matches!(create(&[(0, &[1])], 1), Err(Refusal::InvalidRequest(_))));
    for bad in [&[(1, &[1][..])][..], &[(0, &[])], &[(0, &[2])], &[(0, &[1, 1])]] {
        assert!(matches!(create(bad, -1), Err(Refusal::InvalidAssignment(_))), "{bad:?}");
    }
}

#[test]
fn a_deleted_name_is_free_when_its_directories_are_gone() {
    let mut image = image_with("a", 1);
    let deleted = delete_topic(&image, TopicId([1; 16])).unwrap();
    apply(&mut image, deleted.into());
    assert!(image.topic("a").is_none());
    assert_eq!(image.deleting().count(), 1);
    let again = |image: &Image| create_topic(image, &new("a"), TopicId([2; 16]), DEFAULTS);
    assert_eq!(again(&image), Err(Refusal::BeingDeleted("a".into())), "its directories are still there");
    apply(&mut image, TopicPurged { id: TopicId([1; 16]) }.into());
    assert!(again(&image).is_ok());
    assert_eq!(delete_topic(&image, TopicId([1; 16])), Err(Refusal::UnknownId(TopicId([1; 16]))));
}

#[test]
fn producer_id_blocks_never_overlap() {
    let mut image = Image::default();
    for block in 0..3 {
        let (record, first) = reserve_producer_ids(&image);
        assert_eq!(first, block * PRODUCER_ID_BLOCK);
        apply(&mut image, record);
    }
}
