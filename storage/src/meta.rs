//! The two property files: `meta.properties`, which says whose data directory this is, and `partition.metadata`, which
//! says whose log a directory holds (in Kafka's format).
//!
//! Invariant: a directory that carries Kafka's `meta.properties` and not our marker is somebody else's.

use std::collections::BTreeMap;

use crate::ids::{LogId, TopicId};

pub(crate) const META_FILE_NAME: &str = "meta.properties";
pub(crate) const PARTITION_FILE_NAME: &str = "partition.metadata";
/// The property that only our directories have; its value is the version of everything in them.
const FORMAT_KEY: &str = "ottla.format";
pub(crate) const FORMAT: u32 = 1;

/// The checksum of the lines above it. Directories of the first builds have none.
const CHECKSUM_KEY: &str = "ottla.crc32c";

/// Whose data directory this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    pub directory_id: TopicId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetaProblem {
    /// Without our marker: Kafka wrote it.
    Kafka,
    Newer(u32),
    Invalid(String),
}

impl MetaProperties {
    pub(crate) fn encode(&self) -> String {
        let (cluster, node, directory) = (&self.cluster_id, self.node_id, self.directory_id);
        let lines = format!(
            "# Written by Ottla at the first start. Do not edit.\n{FORMAT_KEY}={FORMAT}\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={directory}\n"
        );
        format!("{lines}{CHECKSUM_KEY}={:08x}\n", crc32c::crc32c(lines.as_bytes()))
    }

    pub(crate) fn decode(text: &[u8]) -> Result<MetaProperties, MetaProblem> {
        let invalid = |what: &str| MetaProblem::Invalid(what.to_owned());
        let text = std::str::from_utf8(text).map_err(|_| invalid("it is not text"))?;
        let properties: BTreeMap<&str, &str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with(['#', '!']))
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let Some(format) = properties.get(FORMAT_KEY) else {
            return Err(if properties.is_empty() { invalid("it is empty") } else { MetaProblem::Kafka });
        };
        let format: u32 = format.parse().map_err(|_| invalid("ottla.format is not a number"))?;
        if format > FORMAT {
            return Err(MetaProblem::Newer(format));
        }
        if let Some(stored) = properties.get(CHECKSUM_KEY) {
            // A value may hold the name too.
            let above = text.find(&format!("\n{CHECKSUM_KEY}=")).map_or(text, |at| &text[..=at]);
            if *stored != format!("{:08x}", crc32c::crc32c(above.as_bytes())) {
                // Another directory.id would make strangers of the directory's own files.
                return Err(invalid(&format!(
                    "its checksum is wrong: put back what it held; if you changed it on purpose, remove the line {CHECKSUM_KEY}"
                )));
            }
        }
        let get =
            |name: &str| properties.get(name).copied().ok_or_else(|| invalid(&format!("{name} is missing")));
        let cluster_id = get("cluster.id")?.to_owned();
        let node_id = get("node.id")?.parse().map_err(|_| invalid("node.id is not a number"))?;
        let directory_id = get("directory.id")?.parse().map_err(|_| invalid("directory.id is not an id"))?;
        Ok(MetaProperties { cluster_id, node_id, directory_id })
    }
}

pub(crate) fn encode_partition(topic: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic}")
}

/// The topic in a `partition.metadata`; `None` if it does not say.
pub(crate) fn decode_partition(text: &[u8]) -> Option<TopicId> {
    let mut lines = std::str::from_utf8(text).ok()?.lines();
    if lines.next()?.strip_prefix("version:")?.trim() != "0" {
        return None;
    }
    let topic: TopicId = lines.next()?.strip_prefix("topic_id:")?.trim().parse().ok()?;
    (!topic.is_zero()).then_some(topic)
}

/// Whether a `partition.metadata` says that the directory is `topic`'s but for one bit. No other topic's does: ids are
/// random.
pub(crate) fn has_one_wrong_bit(text: &[u8], topic: TopicId) -> bool {
    let expected = encode_partition(topic);
    let differences = text.iter().zip(expected.as_bytes()).map(|(a, b)| (a ^ b).count_ones());
    text.len() == expected.len() && differences.sum::<u32>() == 1
}

/// Whether a `partition.metadata` says that the directory is another topic's.
pub(crate) fn is_anothers(text: &[u8], topic: TopicId) -> bool {
    decode_partition(text).is_some_and(|owner| owner != topic) && !has_one_wrong_bit(text, topic)
}

/// The partition in the name of a log's directory, `<topic>-<partition>`.
pub(crate) fn partition_of(dir_name: &str) -> Option<i32> {
    let (topic, partition) = dir_name.rsplit_once('-')?;
    let named = !topic.is_empty() && dir_name.len() <= 255 && !dir_name.contains(['/', '\0']);
    let digits = !partition.is_empty() && partition.bytes().all(|b| b.is_ascii_digit());
    if named && digits { partition.parse().ok() } else { None }
}

pub(crate) fn log_id(dir_name: &str, metadata: &[u8]) -> Option<LogId> {
    Some(LogId { topic: decode_partition(metadata)?, partition: partition_of(dir_name)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> MetaProperties {
        MetaProperties { cluster_id: "abc".to_owned(), node_id: 0, directory_id: TopicId([9; 16]) }
    }

    #[test]
    fn meta_round_trips_and_tells_kafka_apart() {
        assert_eq!(MetaProperties::decode(sample().encode().as_bytes()), Ok(sample()));
        let kafka =
            "#\n#Thu Jan 01\ncluster.id=x\ndirectory.id=AAAAAAAAAAAAAAAAAAAAEA\nnode.id=1\nversion=1\n";
        assert_eq!(MetaProperties::decode(kafka.as_bytes()), Err(MetaProblem::Kafka));
        let newer = sample().encode().replace("format=1", "format=2");
        assert_eq!(MetaProperties::decode(newer.as_bytes()), Err(MetaProblem::Newer(2)));
        assert!(matches!(MetaProperties::decode(b""), Err(MetaProblem::Invalid(_))));
    }

    #[test]
    fn a_wrong_bit_is_noticed_and_an_older_file_is_taken() {
        let whole = sample().encode();
        for at in 0..whole.len() * 8 {
            let mut harmed = whole.clone().into_bytes();
            harmed[at / 8] ^= 1 << (at % 8);
            assert!(MetaProperties::decode(&harmed).map_or(true, |found| found == sample()), "bit {at}");
        }
        let older: String =
            whole.split_inclusive('\n').filter(|line| !line.starts_with(CHECKSUM_KEY)).collect();
        assert_eq!(MetaProperties::decode(older.as_bytes()), Ok(sample()));
    }

    #[test]
    fn partition_metadata_is_kafkas() {
        let id = TopicId([3; 16]);
        assert_eq!(encode_partition(id), "version: 0\ntopic_id: AwMDAwMDAwMDAwMDAwMDAw");
        assert_eq!(decode_partition(encode_partition(id).as_bytes()), Some(id));
        assert_eq!(
            log_id("a-b-12", encode_partition(id).as_bytes()),
            Some(LogId { topic: id, partition: 12 })
        );
    }

    #[test]
    fn names_of_directories() {
        assert_eq!(partition_of("t-0"), Some(0));
        assert_eq!(partition_of("__cluster_metadata-0"), Some(0));
        for name in ["t", "-1", "t-", "t-+1", "t-99999999999", "t-0.abc-delete", "../t-0"] {
            assert_eq!(partition_of(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_meta_round_trips(cluster_id in "[!-~]([ -~]{0,30}[!-~])?", node_id: i32, id: [u8; 16], cut: prop::sample::Index) {
            let meta = MetaProperties { cluster_id, node_id, directory_id: TopicId(id) };
            let text = meta.encode();
            prop_assert_eq!(MetaProperties::decode(text.as_bytes()), Ok(meta.clone()));
            let cut = &text.as_bytes()[..cut.index(text.len())];
            prop_assert!(MetaProperties::decode(cut).map_or(true, |found| found == meta), "a part is not another whole");
        }

        #[test]
        fn any_partition_round_trips(id: [u8; 16], cut: prop::sample::Index) {
            prop_assume!(id != [0; 16]);
            let text = encode_partition(TopicId(id));
            prop_assert_eq!(decode_partition(text.as_bytes()), Some(TopicId(id)));
            prop_assert_eq!(decode_partition(&text.as_bytes()[..cut.index(text.len())]), None);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), name in ".{0,30}") {
            let _ = (MetaProperties::decode(&bytes), decode_partition(&bytes), partition_of(&name));
        }
    }
}
