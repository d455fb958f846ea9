//! The README's tables are what the code says: the APIs that are served, and the limits.
//!
//! `OTTLA_WRITE=1 cargo test -p server --test readme` writes them anew.

#![expect(clippy::disallowed_methods, reason = "the test reads and writes the repository's own README")]

use std::fs;
use std::path::{Path, PathBuf};

use protocol_compat::versions::api_info;
use server::api::TABLE;
use server::config::setting;
use server::metrics::Limit;

/// What a reader should know of an API besides its versions.
const NOTES: &[(&str, &str)] = &[
    ("Produce", "any codec, `acks` 0, 1, all; what an idempotent producer sends again is stored once"),
    ("Fetch", "sessions, long poll; records leave by sendfile"),
    ("ListOffsets", "times down to the record, and every special offset"),
    ("Metadata", "topics made on first use"),
    ("OffsetCommit", "in Kafka's format, durable when the reply comes"),
    ("FindCoordinator", "makes `__consumer_offsets` when the first client asks"),
    ("JoinGroup", "the classic protocol, static members too"),
    ("DeleteTopics", "by name or id"),
    ("DeleteRecords", "answered when no crash can take it back"),
    ("InitProducerId", "without transactions"),
    ("OffsetForLeaderEpoch", "tells a consumer that what it read was lost"),
    (
        "DescribeConfigs",
        "settings of topics, groups, brokers and clients' metrics, with where they come from; levels of loggers",
    ),
    (
        "AlterConfigs",
        "settings of topics, groups, brokers and clients' metrics, in force when the reply comes",
    ),
    ("IncrementalAlterConfigs", "the same one by one, and levels of loggers"),
    ("AlterReplicaLogDirs", "partitions move between data directories while they are used"),
    ("DescribeLogDirs", "sizes by data directory, moves that are under way, and what the volume has left"),
    ("ElectLeaders", "one broker leads everything: no election is needed"),
    ("AlterPartitionReassignments", "one broker: to stay is well, to move is refused"),
    ("ListPartitionReassignments", "one broker: none"),
    ("DescribeQuorum", "the metadata's one voter"),
    ("DescribeProducers", "who wrote to a partition, and since when a transaction hangs"),
    ("CreatePartitions", "served when the reply comes"),
    ("DescribeClientQuotas", "of users, client ids, both, and addresses"),
    ("AlterClientQuotas", "bytes, time, changes of topics, connections; in force when the reply comes"),
    (
        "ConsumerGroupHeartbeat",
        "the broker assigns (`uniform`, `range`); patterns, static members; live groups go over and back",
    ),
    ("UpdateFeatures", "`group.version` 0 turns the newer consumer protocol off"),
    ("GetTelemetrySubscriptions", "what a client is to push of its own metrics (KIP-714)"),
    ("PushTelemetry", "a client's own metrics, shown among the broker's"),
    ("DescribeTopicPartitions", "page by page"),
];

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

/// Holds the part of the README between the marks of this name against `table`, or writes it there.
fn hold(name: &str, table: &str) {
    let text = fs::read_to_string(readme()).expect("there is a README");
    let (begin, end) = (format!("<!-- {name}: generated -->\n"), format!("<!-- {name}: end -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("no {begin:?} in the README")) + begin.len();
    let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("no {end:?} in the README"));
    if std::env::var_os("OTTLA_WRITE").is_some() {
        let written = [&text[..from], table, &text[to..]].concat();
        fs::write(readme(), written).expect("the README can be written");
        return;
    }
    assert_eq!(&text[from..to], table, "stale: OTTLA_WRITE=1 cargo test -p server --test readme");
}

fn apis() -> String {
    let mut table = "| key | API | versions | |\n|---|---|---|---|\n".to_owned();
    for api in TABLE {
        let name = api_info(api.key).expect("Kafka has it").name;
        let (min, max) = (api.versions.start(), api.versions.end());
        let versions = if min == max { min.to_string() } else { format!("{min}–{max}") };
        let note = NOTES.iter().find(|(of, _)| *of == name).map_or("", |(_, note)| *note);
        table.push_str(&format!("| {} | {name} | {versions} | {note} |\n", api.key).replace("|  |", "| |"));
    }
    table
}

fn limits() -> String {
    let mut table =
        "| limit, as its setting and its metric name it | default | |\n|---|---|---|\n".to_owned();
    for limit in Limit::ALL {
        let found = setting(limit.setting());
        let found = found.unwrap_or_else(|| panic!("{} is no setting", limit.setting()));
        let default = found.default.map_or("none".to_owned(), |default| format!("`{default}`"));
        table.push_str(&format!("| `{}` | {default} | {} |\n", found.name, found.doc()));
    }
    table
}

/// One test, since both parts are of one file.
#[test]
fn the_tables_are_current() {
    hold("apis", &apis());
    hold("limits", &limits());
}

#[test]
fn notes_are_of_apis_that_are_served() {
    for (name, _) in NOTES {
        assert!(TABLE.iter().any(|api| api_info(api.key).is_some_and(|info| info.name == *name)), "{name}");
    }
}
