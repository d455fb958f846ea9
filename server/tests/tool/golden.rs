//! What `ottla log dump` prints of every kind of file, held against its exact words.

use std::fs;
use std::sync::Arc;

use server::cluster::records::{BrokerStarted, Record};
use storage::{
    BatchBuilder, DataDir, DataDirOptions, Env, Flushing, LeaderEpoch, Log, LogConfig, LogId, Offset, Origin,
    ProducerId, TopicId, check_internal, state_image,
};

use crate::process::Home;
use crate::{ottla_log, text};

fn append(dir: &DataDir, log: &Log, batch: BatchBuilder) {
    let ticket = log.append(check_internal(batch.build()).unwrap(), Origin::Coordinator, None);
    dir.flush();
    ticket.wait().unwrap();
}

/// Two batches in one log. The directory is left as a kill leaves it.
fn written(home: &Home) -> Arc<DataDir> {
    let options = DataDirOptions { flushing: Flushing::Manual, ..DataDirOptions::default() };
    let dir = DataDir::open(Env::real(), home.data(), options).unwrap();
    let id = LogId { topic: TopicId([7; 16]), partition: 0 };
    let config = LogConfig { index_interval_bytes: 1, ..LogConfig::default() };
    let log = dir.open_log(id, "t-0", config, LeaderEpoch(3)).unwrap();
    let first = BatchBuilder::new(1_000)
        .push(Some(b"key"), Some(b"two\nlines"), &[("h", Some(b"1")), ("none", None)])
        .push_at(1_005, None, Some(b"\xff\x00"), &[]);
    append(&dir, &log, first);
    let second = BatchBuilder::new(2_000).producer(ProducerId(9), 1, 5).transactional();
    append(&dir, &log, second.push(None, None, &[]));
    dir
}

fn dumped(home: &Home, args: &[&str], file: &str) -> String {
    let path = home.data().join(file);
    let said = ottla_log(&[&["dump"], args, &[text(&path)]].concat());
    assert_eq!((said.code, &*said.err), (0, ""), "{file}: {}", said.out);
    said.out
}

const SEGMENT: &str = "t-0/00000000000000000000.log";
const BATCHES: &str = r#"batch baseOffset: 0 lastOffset: 1 count: 2 position: 0 size: 99 codec: none timeType: create baseTime: 1000 maxTime: 1005 leaderEpoch: 3 producerId: -1 producerEpoch: -1 baseSequence: -1 transactional: false control: false crc: ok
| record offset: 0 time: 1000 key: "key" value: "two\nlines" headers: ["h"="1", "none"=null]
| record offset: 1 time: 1005 key: null value: "\xff\u{0}" headers: []
batch baseOffset: 2 lastOffset: 2 count: 1 position: 99 size: 68 codec: none timeType: create baseTime: 2000 maxTime: 2000 leaderEpoch: 3 producerId: 9 producerEpoch: 1 baseSequence: 5 transactional: true control: false crc: ok
| record offset: 2 time: 2000 key: null value: null headers: []
"#;

#[test]
fn segments_and_what_belongs_to_them() {
    let home = Home::new("tool-golden");
    written(&home).close();
    assert_eq!(dumped(&home, &["--records"], SEGMENT), BATCHES);
    let lines = |range: std::ops::Range<usize>| {
        let lines: Vec<&str> = BATCHES.split_inclusive('\n').collect();
        lines[range].concat()
    };
    assert_eq!(dumped(&home, &[], SEGMENT), lines(0..1) + &lines(3..4));
    assert_eq!(dumped(&home, &["--count", "1"], SEGMENT), lines(0..1));
    assert_eq!(dumped(&home, &["--from", "2"], SEGMENT), lines(3..4));
    assert_eq!(
        dumped(&home, &["--from", "1", "--count", "1", "--records"], SEGMENT),
        lines(0..1) + &lines(2..3)
    );
    let json = dumped(&home, &["--json", "--records", "--count", "1"], SEGMENT);
    assert_eq!(
        json.lines().nth(2),
        Some(r#"{"type":"record","offset":1,"time":1005,"key":null,"value":{"hex":"ff00"},"headers":[]}"#)
    );
    assert_eq!(dumped(&home, &[], "t-0/00000000000000000000.index"), "entry offset: 2 position: 99\n");
    let time = "entry time: 2000 offset: 2\n";
    assert_eq!(dumped(&home, &[], "t-0/00000000000000000000.timeindex"), time);
    assert_eq!(dumped(&home, &[], "t-0/leader-epoch-checkpoint"), "epoch epoch: 3 startOffset: 0\n");
    let partition = "partition topicId: BwcHBwcHBwcHBwcHBwcHBw\n";
    assert_eq!(dumped(&home, &[], "t-0/partition.metadata"), partition);
    let producer = "producer producerId: 9 producerEpoch: 1 lastTime: 2000 coordinatorEpoch: -1 firstOffset: 2 \
                    lastOffset: 2 lastSequence: 5 transactionFrom: 2\n";
    assert_eq!(dumped(&home, &[], "t-0/00000000000000000003.snapshot"), producer);
}

/// The records of an image are the metadata's, and shown as what they say.
#[test]
fn an_image_of_the_metadata() {
    let home = Home::new("tool-golden-image");
    let dir = home.data().join("__cluster_metadata-0");
    fs::create_dir_all(&dir).unwrap();
    let known = Record::from(BrokerStarted { node_id: 7 }).encode();
    let image = state_image::encode(Offset(12), &[known, vec![0xff, 0xff, 0]]);
    let name = state_image::name_of(Offset(12));
    fs::write(dir.join(&name), image).unwrap();
    let expected = "image nextOffset: 12 records: 2\n\
                    | state says: BrokerStarted(BrokerStarted { node_id: 7 })\n\
                    | state bytes: \"\\xff\\xff\\u{0}\" unknown: metadata record of type 65535 is unknown: the directory was \
                    written by a newer Ottla, start that version\n";
    assert_eq!(dumped(&home, &[], &format!("__cluster_metadata-0/{name}")), expected);
}

#[test]
fn files_of_the_data_directory() {
    let home = Home::new("tool-golden-dir");
    let dir = written(&home);
    let meta = dir.meta().clone();
    drop(dir);
    assert_eq!(
        dumped(&home, &[], "meta.properties"),
        format!("meta clusterId: {} nodeId: 1 directoryId: {}\n", meta.cluster_id, meta.directory_id)
    );
    let journal = fs::read_dir(home.data().join("journal")).unwrap().next().unwrap().unwrap();
    let journal = format!("journal/{}", journal.file_name().to_str().unwrap());
    let log = "topicId: BwcHBwcHBwcHBwcHBwcHBw partition: 0";
    let expected = format!(
        "commit position: 0 size: 4096 firstLsn: 1048577 lastLsn: 1048578 durableLsn: 1048576 count: 2\n\
         | record position: 40 lsn: 1048577 {log} op: create size: 3\n\
         | record position: 103 lsn: 1048578 {log} op: write segment: 0 at: 0 size: 99\n\
         commit position: 4096 size: 4096 firstLsn: 1048579 lastLsn: 1048579 durableLsn: 1048578 count: 1\n\
         | record position: 4136 lsn: 1048579 {log} op: write segment: 0 at: 99 size: 68\n"
    );
    assert_eq!(dumped(&home, &[], &journal), expected);
    let first = dumped(&home, &["--records"], &journal);
    assert!(first.contains("op: create size: 3 payload: \"t-0\"\n"), "{first}");
    let checkpoint = "checkpoint clean: false lsn: 1048577 journalFile: 1 journalPosition: 0 logs: 0\n";
    assert_eq!(dumped(&home, &[], "checkpoint"), checkpoint);

    let said = ottla_log(&["repair", text(&home.data())]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let closed = dumped(&home, &[], "checkpoint");
    assert!(closed.starts_with("checkpoint clean: true lsn: "), "{closed}");
    let entry =
        format!("| log dir: t-0 {log} start: 0 recoveryOffset: 3 segment: 0 position: 167 clean: true\n");
    assert!(closed.ends_with(&entry), "{closed}");
}
