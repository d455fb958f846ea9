//! What is sent: one Produce request a case, the same bytes to both brokers.

use super::batch::{Batch, Form, Record};

/// A topic by its name, and the settings that it is made with.
pub(crate) struct Topic {
    pub name: &'static str,
    pub settings: &'static [(&'static str, &'static str)],
}

const fn topic(name: &'static str, settings: &'static [(&'static str, &'static str)]) -> Topic {
    Topic { name, settings }
}

pub(crate) const PLAIN: &str = "plain";
pub(crate) const COMPACTED: &str = "compacted";
pub(crate) const SMALL: &str = "small";
pub(crate) const NEAR: &str = "near";
pub(crate) const STAMPED: &str = "stamped";
/// For batches that only Kafka takes.
pub(crate) const UNREADABLE: &str = "unreadable";
pub(crate) const PRODUCERS: &str = "producers";
/// `max.message.bytes` of the topic [`SMALL`].
pub(crate) const SMALL_BYTES: usize = 1_000;
/// `message.timestamp.before.max.ms` and `…after.max.ms` of the topic [`NEAR`].
pub(crate) const NEAR_BEFORE_MS: i64 = 86_400_000;
pub(crate) const NEAR_AFTER_MS: i64 = 60_000;

pub(crate) const TOPICS: &[Topic] = &[
    topic(PLAIN, &[]),
    topic(STAMPED, &[("message.timestamp.type", "LogAppendTime")]),
    topic(COMPACTED, &[("cleanup.policy", "compact")]),
    topic("both-policies", &[("cleanup.policy", "compact,delete")]),
    topic(SMALL, &[("max.message.bytes", "1000")]),
    topic(
        NEAR,
        &[("message.timestamp.before.max.ms", "86400000"), ("message.timestamp.after.max.ms", "60000")],
    ),
    topic("to-plain", &[("compression.type", "uncompressed")]),
    topic("to-gzip", &[("compression.type", "gzip"), ("compression.gzip.level", "9")]),
    topic("to-snappy", &[("compression.type", "snappy")]),
    topic("to-lz4", &[("compression.type", "lz4")]),
    topic("to-zstd", &[("compression.type", "zstd"), ("compression.zstd.level", "1")]),
    topic("to-zstd-stamped", &[("compression.type", "zstd"), ("message.timestamp.type", "LogAppendTime")]),
    topic("to-gzip-compacted", &[("compression.type", "gzip"), ("cleanup.policy", "compact")]),
    topic("to-lz4-small", &[("compression.type", "lz4"), ("max.message.bytes", "1000")]),
    topic("to-plain-small", &[("compression.type", "uncompressed"), ("max.message.bytes", "1000")]),
    topic(PRODUCERS, &[]),
    topic(UNREADABLE, &[]),
];

/// A difference that is meant: the closed list of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meant {
    Nothing,
    /// Kafka answers UNKNOWN_SERVER_ERROR where it trips over its own reading of records, an unknown codec or a length
    /// that does not fit into a number, Ottla INVALID_RECORD: the producer would send the same again.
    Undecodable,
    /// Kafka takes compressed records whose lengths are not those of their parts, and no consumer can read them or get
    /// past them. Ottla answers INVALID_RECORD.
    Unreadable,
}

pub(crate) struct Case {
    pub name: String,
    pub topic: &'static str,
    pub partition: i32,
    pub version: i16,
    pub acks: i16,
    pub records: Vec<u8>,
    pub meant: Meant,
}

/// The version of Produce that most cases use: the newest that names topics.
pub(crate) const VERSION: i16 = 12;

impl Case {
    pub(crate) fn new(name: impl Into<String>, topic: &'static str, records: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            topic,
            partition: 0,
            version: VERSION,
            acks: -1,
            records,
            meant: Meant::Nothing,
        }
    }

    pub(crate) fn meant(mut self, meant: Meant) -> Self {
        self.meant = meant;
        self
    }
}

/// Records that are right, in all the shapes that differ to a validator.
fn shapes() -> Vec<(&'static str, Vec<Record>)> {
    let keyed = |offset: i32| Record::new(offset, Some(b"key"), Some(format!("value {offset}").as_bytes()));
    let with_headers = Record {
        headers: vec![("name", Some(b"value".to_vec())), ("name", None), ("", Some(Vec::new()))],
        ..keyed(0)
    };
    let at = |offset: i32, time: i64| Record { time, ..keyed(offset) };
    vec![
        ("one", vec![keyed(0)]),
        ("three", (0..3).map(keyed).collect()),
        ("many", (0..500).map(keyed).collect()),
        ("keyless", vec![Record::new(0, None, Some(b"value"))]),
        ("second-keyless", vec![keyed(0), Record::new(1, None, Some(b"value")), keyed(2)]),
        ("tombstone", vec![Record::new(0, Some(b"key"), None)]),
        ("empty-fields", vec![Record::new(0, Some(b""), Some(b""))]),
        ("headers", vec![with_headers]),
        ("times-fall", vec![at(0, 9), at(1, 5), at(2, 0), at(3, -7)]),
        ("times-equal", vec![at(0, 3), at(1, 3), at(2, 3)]),
        ("large", vec![Record::new(0, Some(b"key"), Some(&noise(3_000)))]),
        ("large-and-even", vec![Record::new(0, Some(b"key"), Some(&[7; 60_000]))]),
    ]
}

/// Bytes that no codec makes smaller, the same in every run.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(next).collect()
}

/// Every shape in every form into every topic.
pub(crate) fn good(now: i64) -> Vec<Case> {
    let mut cases = Vec::new();
    for topic in TOPICS.iter().filter(|topic| ![PRODUCERS, UNREADABLE].contains(&topic.name)) {
        for form in Form::ALL {
            for (shape, records) in shapes() {
                let name = format!("{}/{}/{shape}", topic.name, form.name());
                cases.push(Case::new(name, topic.name, Batch::of(form, now, &records).encode()));
            }
        }
    }
    cases
}

/// Every version of Produce that takes batches at all.
pub(crate) fn versions(now: i64) -> Vec<Case> {
    let batch = |form| Batch::of(form, now, &[Record::new(0, Some(b"key"), Some(b"value"))]).encode();
    let bad = |form| Batch { count: 5, ..Batch::of(form, now, &[Record::new(0, None, None)]) }.encode();
    let mut cases = Vec::new();
    for version in 3..=VERSION {
        for form in Form::ALL {
            let name = |what: &str| format!("version {version}/{}/{what}", form.name());
            cases.push(Case { version, ..Case::new(name("good"), PLAIN, batch(form)) });
            cases.push(Case { version, ..Case::new(name("wrong count"), PLAIN, bad(form)) });
            let keyless = Batch::of(form, now, &[Record::new(0, None, Some(b"v"))]).encode();
            cases.push(Case { version, ..Case::new(name("keyless"), COMPACTED, keyless) });
        }
    }
    cases
}

/// The numbers around a batch: acknowledgements, partitions, records that are no records. (On records that are null,
/// Kafka never answers.)
pub(crate) fn requests(now: i64) -> Vec<Case> {
    let batch = || Batch::of(Form::Plain, now, &[Record::new(0, Some(b"key"), Some(b"value"))]).encode();
    let case = |name: &str| Case::new(format!("request/{name}"), PLAIN, batch());
    let mut cases: Vec<Case> =
        [1, 2, -2, 7].map(|acks| Case { acks, ..case(&format!("acks {acks}")) }).into();
    cases.extend([1, -1, i32::MAX].map(|partition| Case { partition, ..case(&format!("p {partition}")) }));
    cases.push(Case { topic: "no-such-topic", ..case("no topic") });
    cases.push(Case { topic: "a bad name!", ..case("bad name") });
    cases.push(Case { topic: "", ..case("empty name") });
    for (name, records) in [
        ("no records", Vec::new()),
        ("one byte", vec![0]),
        ("16 bytes", vec![0; 16]),
        ("17 bytes", vec![0; 17]),
        ("60 bytes", vec![0; 60]),
        ("61 zero bytes", vec![0; 61]),
        ("noise", noise(200)),
    ] {
        cases.push(Case { records, ..case(name) });
    }
    cases
}
