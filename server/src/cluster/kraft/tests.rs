use super::records::{Change, KraftRecord, Placed, RecordError};
use super::state::{BROKER, GROUP, State, TOPIC};
use super::transactions::Commits;
use super::{fuzz, translate};
use crate::cli::Cli;
use crate::cluster::records::{BrokerStarts, GroupConfigured, ProducerIdsReserved, Record, TopicCreated};
use crate::config::Config;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use storage::TopicId;

const ID: TopicId = TopicId([7; 16]);
const DIRECTORY: TopicId = TopicId([8; 16]);

/// A record as Kafka's generated code writes it.
struct Bytes(Vec<u8>);

impl Bytes {
    fn of(kind: u8, version: u8) -> Self {
        Self(vec![1, kind, version])
    }

    fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    fn text(self, text: &str) -> Self {
        self.raw([text.len() as u8 + 1]).raw(text)
    }

    fn numbers(self, numbers: &[i32]) -> Self {
        let bytes = numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
        self.raw([numbers.len() as u8 + 1]).raw(bytes)
    }

    fn i32(self, number: i32) -> Self {
        self.raw(number.to_be_bytes())
    }

    fn end(self) -> Vec<u8> {
        self.raw([0]).0
    }
}

fn topic(name: &str, id: TopicId) -> Vec<u8> {
    Bytes::of(2, 0).text(name).raw(id.0).end()
}

fn partition(partition: i32, replicas: &[i32], epoch: i32) -> Vec<u8> {
    Bytes::of(3, 1)
        .i32(partition)
        .raw(ID.0)
        .numbers(replicas)
        .numbers(replicas)
        .numbers(&[])
        .numbers(&[])
        .i32(replicas[0])
        .i32(epoch)
        .i32(0)
        .raw([2])
        .raw(DIRECTORY.0)
        .end()
}

/// It has a new leader, and others in sync.
fn change(partition: i32, in_sync: &[i32]) -> Vec<u8> {
    let tag = Bytes(Vec::new()).numbers(in_sync).0;
    let changed = Bytes::of(5, 0).i32(partition).raw(ID.0).raw([2, 0, tag.len() as u8]).raw(tag);
    changed.raw([1, 4]).i32(in_sync[0]).0
}

/// Nobody is in sync, and nobody leads; these have everything.
fn stopped(partition: i32, eligible: &[i32]) -> Vec<u8> {
    let tag = Bytes(Vec::new()).numbers(eligible).0;
    let changed = Bytes::of(5, 2).i32(partition).raw(ID.0).raw([3, 0, 1, 1, 1, 4]).i32(-1);
    changed.raw([6, tag.len() as u8]).raw(tag).0
}

fn config(kind: i8, resource: &str, name: &str, value: Option<&str>) -> Vec<u8> {
    let bytes = Bytes::of(4, 0).raw([kind as u8]).text(resource).text(name);
    match value {
        Some(value) => bytes.text(value).end(),
        None => bytes.raw([0]).end(),
    }
}

fn quota(client: Option<&str>, key: &str, value: f64) -> Vec<u8> {
    let bytes = Bytes::of(14, 0).raw([2]).text("client-id");
    let bytes = client.map_or(Bytes(bytes.0.clone()).raw([0]), |name| Bytes(bytes.0.clone()).text(name));
    bytes.raw([0]).text(key).raw(value.to_be_bytes()).raw([0]).end()
}

fn ids(next: i64) -> Vec<u8> {
    Bytes::of(15, 0).i32(1).raw([0; 8]).raw(next.to_be_bytes()).end()
}

fn samples() -> Vec<Vec<u8>> {
    vec![
        topic("orders", ID),
        partition(0, &[1], 4),
        partition(1, &[1], 2),
        change(0, &[1]),
        stopped(1, &[1]),
        Bytes::of(28, 0).text("orders").end(),
        config(TOPIC, "orders", "retention.ms", Some("5")),
        config(GROUP, "g", "consumer.session.timeout.ms", Some("50000")),
        quota(Some("c"), "producer_byte_rate", 5.0),
        ids(3000),
        Bytes::of(12, 0).text("metadata.version").raw([0, 25]).end(),
        Bytes::of(9, 0).raw(ID.0).end(),
        Bytes::of(23, 0).end(),
        Bytes::of(24, 0).end(),
        Bytes::of(25, 0).end(),
        Bytes::of(0, 3).raw([0; 30]).0,
        Bytes::of(18, 0).end(),
    ]
}

fn state(records: &[Vec<u8>]) -> State {
    let mut state = State::default();
    for record in records {
        state.replay(KraftRecord::decode(record).unwrap());
    }
    state
}

fn translated(state: &State) -> translate::Translated {
    let broker = Config::load(&Cli::default(), []).unwrap();
    translate(state, 1, &BTreeSet::from([DIRECTORY]), &broker)
}

#[test]
fn records_say_what_kafka_wrote() {
    let placed = Placed {
        replicas: vec![1, 2],
        in_sync: vec![1, 2],
        eligible: Vec::new(),
        leader_epoch: 4,
        directories: vec![DIRECTORY],
    };
    let decoded = KraftRecord::decode(&partition(3, &[1, 2], 4));
    assert_eq!(decoded, Ok(KraftRecord::Partition { topic: ID, partition: 3, placed }));
    let changed = Change { in_sync: Some(vec![2]), has_leader: true, ..Change::default() };
    let decoded = KraftRecord::decode(&change(3, &[2]));
    assert_eq!(decoded, Ok(KraftRecord::PartitionChange { topic: ID, partition: 3, change: changed }));
    for record in samples() {
        let decoded = KraftRecord::decode(&record).unwrap();
        for cut in 3..record.len() {
            let is_passed_over = matches!(decoded, KraftRecord::Other(_));
            assert!(
                is_passed_over || KraftRecord::decode(&record[..cut]).is_err(),
                "{decoded:?} cut at {cut}"
            );
        }
    }
}

#[test]
fn what_a_newer_kafka_writes_is_refused_by_name() {
    assert_eq!(KraftRecord::decode(&[1, 99, 0]), Err(RecordError::UnknownType(99)));
    let newer = KraftRecord::decode(&Bytes::of(3, 9).end());
    assert_eq!(newer, Err(RecordError::UnknownVersion { name: "PartitionRecord", version: 9 }));
    assert_eq!(KraftRecord::decode(&[2, 2, 0]), Err(RecordError::Frame(2)));
    assert_eq!(KraftRecord::decode(&[]), Err(RecordError::NoType));
    assert_eq!(KraftRecord::decode(&[1, 2, 0, 5]), Err(RecordError::Malformed("TopicRecord")));
}

#[test]
fn who_was_stopped_in_order_has_everything() {
    let of = |more: &[Vec<u8>]| {
        let mut records = vec![topic("t", ID), partition(0, &[1, 2], 4)];
        records.extend_from_slice(more);
        translated(&state(&records)).obstacles
    };
    let clear = |topic: &str| Bytes::of(28, 0).text(topic).end();
    assert_eq!(of(&[]), Vec::<String>::new());
    assert_eq!(of(&[stopped(0, &[1])]), Vec::<String>::new());
    assert_eq!(of(&[stopped(0, &[1]), clear("another")]), Vec::<String>::new());
    for behind in
        [vec![stopped(0, &[2])], vec![stopped(0, &[1]), clear("t")], vec![stopped(0, &[1]), clear("")]]
    {
        assert!(of(&behind).iter().any(|why| why.contains("not in sync")), "{behind:?}");
    }
    // Nobody has more of it than its only node.
    let alone = [topic("t", ID), partition(0, &[1], 4), stopped(0, &[])];
    assert_eq!(translated(&state(&alone)).obstacles, Vec::<String>::new());
}

#[test]
fn a_transaction_counts_when_it_ends() {
    let (begin, end, abort) = (Bytes::of(23, 0).end(), Bytes::of(24, 0).end(), Bytes::of(25, 0).end());
    let made = topic("t", ID);
    assert!(state(&[begin.clone(), made.clone()]).topics.is_empty());
    assert!(state(&[begin.clone(), made.clone(), abort, end.clone()]).topics.is_empty());
    assert_eq!(state(&[begin, made, end]).topics.len(), 1);
}

#[test]
fn a_topic_is_ours_with_what_it_has_of_its_own() {
    let found = translated(&state(&samples()[..10]));
    assert_eq!((found.obstacles, found.notes), (vec![], vec![]));
    let configs = BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]);
    let created = TopicCreated { id: ID, name: "orders".to_owned(), partitions: 2, configs };
    assert_eq!(found.records[0], created.into());
    let changes = [("consumer.session.timeout.ms".to_owned(), Some("50000".to_owned()))].into();
    assert_eq!(found.records[1], GroupConfigured { group: "g".to_owned(), changes }.into());
    assert!(matches!(found.records[2], Record::ClientQuotaAltered(_)));
    // The leader of partition 0 was elected anew.
    let rest: [Record; 2] = [BrokerStarts { count: 6 }.into(), ProducerIdsReserved { next: 3000 }.into()];
    assert_eq!(found.records[3..], rest);
    assert_eq!(found.partitions.keys().collect::<Vec<_>>(), ["orders-0", "orders-1"]);
}

#[test]
fn what_is_deleted_or_unset_is_not_there() {
    let mut records = samples()[..10].to_vec();
    records.push(config(GROUP, "g", "consumer.session.timeout.ms", None));
    records.push(Bytes::of(9, 0).raw(ID.0).end());
    let found = translated(&state(&records));
    assert!(found.partitions.is_empty() && found.obstacles.is_empty());
    assert!(
        !found.records.iter().any(|it| matches!(it, Record::TopicCreated(_) | Record::GroupConfigured(_)))
    );
}

#[test]
fn what_stands_in_the_way_is_said() {
    let records = [topic("orders", ID), partition(0, &[2, 3], 0), partition(1, &[1, 2], 0), change(1, &[2])];
    let found = translated(&state(&records));
    assert_eq!(found.obstacles.len(), 2, "{:?}", found.obstacles);
    assert!(found.obstacles[0].contains("not on node 1 but on 2, 3"));
    assert!(found.obstacles[1].contains("not in sync"));
    let broker = Config::load(&Cli::default(), []).unwrap();
    let records = [topic("orders", ID), partition(0, &[1], 0)];
    let found = translate(&state(&records), 1, &BTreeSet::new(), &broker);
    assert!(found.obstacles[0].contains("log.dir that is not named"), "{:?}", found.obstacles);
    let holes = [topic("orders", ID), partition(1, &[1], 0)];
    assert!(translated(&state(&holes)).obstacles[0].contains("from 0 on"));
}

#[test]
fn what_is_left_out_is_said() {
    let records = [
        topic("orders", ID),
        partition(0, &[1], 0),
        config(TOPIC, "orders", "retention.ms", Some("soon")),
        config(TOPIC, "orders", "segment.ms", Some("7000")),
        config(GROUP, "g", "consumer.session.timeout.ms", Some("1")),
        config(BROKER, "1", "log.retention.ms", Some("9")),
        config(BROKER, "2", "log.retention.ms", Some("9")),
        config(BROKER, "", "ssl.keystore.password", Some("secret!")),
        quota(None, "strange_rate", 1.0),
        Bytes::of(18, 0).end(),
        Bytes::of(11, 0).end(),
    ];
    let found = translated(&state(&records));
    assert!(found.obstacles.is_empty());
    let Record::TopicCreated(created) = &found.records[0] else { panic!("{:?}", found.records) };
    assert_eq!(created.configs.keys().collect::<Vec<_>>(), ["segment.ms"]);
    let notes = found.notes.join("\n");
    for word in
        ["`retention.ms`", "group g", "log.retention.ms=9", "[hidden]", "strange_rate", "1 access", "SCRAM"]
    {
        assert!(notes.contains(word), "{word} is not in\n{notes}");
    }
    assert!(!notes.contains("secret!") && found.notes.len() == 7, "{notes}");
}

#[test]
fn what_was_decided_is_committed() {
    let value = |version: u8, status: u8| {
        [&[0, version][..], &9i64.to_be_bytes(), &[0, 3], &[0; 4], &[status], &[1, 1]].concat()
    };
    let key = b"\0\0\0\x01t";
    let mut commits = Commits::default();
    commits.replay(key, Some(&value(1, 1)));
    assert_eq!(commits.of(9), None, "it is going on");
    commits.replay(key, Some(&value(0, 2)));
    assert_eq!((commits.of(9), commits.of(8)), (Some(3), None));
    commits.replay(b"\0\x01other kind", Some(&value(0, 4)));
    commits.replay(key, Some(&value(1, 4)));
    assert_eq!(commits.of(9), None, "it has ended");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        for (_, target) in fuzz::TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn harmed_records_never_panic(
        which in prop::collection::vec((0usize..15, any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut: prop::sample::Index,
    ) {
        let mut all = Vec::new();
        for (which, at, harm) in which {
            let mut record = samples()[which].clone();
            let at = at.index(record.len());
            // Every other one is whole.
            record[at] ^= if harm & 1 == 1 { harm } else { 0 };
            fuzz::record(&record);
            fuzz::record(&record[..cut.index(record.len())]);
            all.push(record.len() as u8);
            all.extend(record);
        }
        fuzz::records(&all);
    }
}
