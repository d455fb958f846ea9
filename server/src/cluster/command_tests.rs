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

#[test]
fn partitions_are_added_and_never_taken_away() {
    let mut image = image_with("a", 1);
    let more = |count, assignments: Option<Vec<Vec<i32>>>| MorePartitions {
        name: "a".to_owned(),
        count,
        assignments,
    };
    let refusal = |count, assignments| {
        create_partitions(&image, &more(count, assignments), DEFAULTS).expect_err("not allowed")
    };
    for count in [4, 3, 0, -1, i32::MIN] {
        assert!(matches!(refusal(count, None), Refusal::NotMorePartitions { existing: 4, .. }), "{count}");
        // What is assigned does not matter then.
        assert!(matches!(refusal(count, Some(vec![vec![9]])), Refusal::NotMorePartitions { .. }), "{count}");
    }
    for wrong in
        [vec![], vec![vec![1]], vec![vec![1], vec![]], vec![vec![1], vec![2]], vec![vec![1], vec![1, 1]]]
    {
        assert!(matches!(refusal(6, Some(wrong.clone())), Refusal::InvalidAssignment(_)), "{wrong:?}");
    }
    assert!(matches!(refusal(105, None), Refusal::TooManyPartitions { got: 101, max: 100 }));
    let absent = MorePartitions { name: "b".to_owned(), ..more(9, None) };
    assert_eq!(create_partitions(&image, &absent, DEFAULTS), Err(Refusal::UnknownName("b".to_owned())));

    for (count, assignments) in [(5, None), (7, Some(vec![vec![1], vec![1]]))] {
        let grown = create_partitions(&image, &more(count, assignments), DEFAULTS).unwrap();
        apply(&mut image, grown.into());
        assert_eq!(image.topic("a").unwrap().partitions, count as u32);
    }
    // Records that are old or come late change nothing.
    for (id, partitions) in [(1, 2), (9, 20)] {
        let before = image.clone();
        apply(&mut image, TopicGrown { id: TopicId([id; 16]), partitions }.into());
        assert_eq!(image, before);
    }
}
