//! `ottla log adopt` as the real binary, on small directories of Kafka's made by hand. What a real Kafka wrote is
//! `protocol-compat`'s to show.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use storage::BatchBuilder;

use crate::process::{Home, Process, Spec};
use crate::talk::{fetch, produce};
use crate::{Said, everything, ottla_log, text};

const TOPIC: &str = "orders";
const ID: [u8; 16] = [3; 16];
const META: &str =
    "version=1\ncluster.id=b3R0bGEtcGVlci1zdWl0ZQ\nnode.id=5\ndirectory.id=BAQEBAQEBAQEBAQEBAQEBA\n";
const RECORDS: usize = 3;

/// One batch at this offset.
fn batch(offset: i64, values: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1_000);
    for value in values {
        builder = builder.push(None, Some(value), &[]);
    }
    let mut bytes = builder.build().to_vec();
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    bytes
}

/// Kafka's records of one topic with these partitions, all on this node.
fn metadata(partitions: u8, node: u8) -> Vec<Vec<u8>> {
    let topic = [&[1, 2, 0, TOPIC.len() as u8 + 1][..], TOPIC.as_bytes(), &ID, &[0]].concat();
    let partition = |number: u8| {
        let replicas = [2, 0, 0, 0, node];
        let rest = [&replicas[..], &replicas, &[1, 1], &[0, 0, 0, node], &[0; 4], &[0; 4], &[0]].concat();
        [&[1, 3, 0, 0, 0, 0, number][..], &ID, &rest].concat()
    };
    std::iter::once(topic).chain((0..partitions).map(partition)).collect()
}

struct Kafka {
    home: Home,
}

impl Kafka {
    fn new(name: &str) -> Self {
        let kafka = Self { home: Home::new(name) };
        kafka.write("meta.properties", META.as_bytes());
        kafka.write(".lock", b"");
        kafka.write(".kafka_cleanshutdown", b"{}");
        kafka.write("__cluster_metadata-0/00000000000000000000.log", &batch(0, &metadata(2, 5)));
        for partition in 0..2 {
            kafka.write(
                &format!("{TOPIC}-{partition}/partition.metadata"),
                b"version: 0\ntopic_id: AwMDAwMDAwMDAwMDAwMDAw",
            );
            let values: Vec<Vec<u8>> = (0..RECORDS).map(|number| vec![number as u8; 9]).collect();
            kafka.write(&format!("{TOPIC}-{partition}/00000000000000000000.log"), &batch(0, &values));
        }
        kafka
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("kafka")
    }

    fn to(&self) -> PathBuf {
        self.home.data()
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn adopt(&self, more: &[&str]) -> Said {
        let (from, to) = (self.path(), self.to());
        ottla_log(&[&["adopt", "--from", text(&from), "--to", text(&to)], more].concat())
    }
}

#[test]
fn a_small_directory_is_taken_over_and_served() {
    let kafka = Kafka::new("adopt-small");
    let before = everything(&kafka.path());
    let said = kafka.adopt(&["--json"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let last: serde_json::Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["offsets"]), (&"adopted".into(), &(2 * RECORDS).into()));
    assert!(everything(&kafka.path()) == before, "the source is what it was");
    let mut process = Process::start(&Spec::new(&kafka.home, &["node.id=5"]));
    let mut client = process.client();
    for partition in 0..2 {
        let offset = RECORDS as i64;
        assert_eq!(fetch(&mut client, TOPIC, 2).0, 0);
        assert_eq!(produce(&mut client, TOPIC, partition, b"more"), (0, offset), "it goes on behind");
    }
    assert!(process.terminate().0.success());
    let said = ottla_log(&["verify", text(&kafka.to())]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

#[test]
fn what_cannot_be_taken_over_is_refused_and_nothing_is_made() {
    type Harm = fn(&Kafka);
    let cases: &[(&str, &str, Harm)] = &[
        ("adopt-none", "no meta.properties", |kafka| {
            fs::remove_file(kafka.path().join("meta.properties")).unwrap();
        }),
        ("adopt-zookeeper", "migrate it to KRaft", |kafka| {
            kafka.write("meta.properties", b"version=0\nbroker.id=5\n");
        }),
        ("adopt-elsewhere", "orders-1 is not on node 5 but on 6", |kafka| {
            let records = [&metadata(1, 5)[..], &metadata(2, 6)[2..]].concat();
            kafka.write("__cluster_metadata-0/00000000000000000000.log", &batch(0, &records));
        }),
        ("adopt-missing", "orders-1 has no directory here", |kafka| {
            fs::remove_dir_all(kafka.path().join("orders-1")).unwrap();
        }),
        ("adopt-unknown", "records of type 99 are not known", |kafka| {
            let records = [&metadata(2, 5)[..], &[vec![1, 99, 0]]].concat();
            kafka.write("__cluster_metadata-0/00000000000000000000.log", &batch(0, &records));
        }),
        ("adopt-gap", "is missing", |kafka| {
            let dir = kafka.path().join("__cluster_metadata-0");
            fs::rename(dir.join("00000000000000000000.log"), dir.join("00000000000000000009.log")).unwrap();
        }),
        ("adopt-old", "format 1, of Kafka before 0.11", |kafka| {
            let path = kafka.path().join("orders-0/00000000000000000000.log");
            let mut content = fs::read(&path).unwrap();
            content[16] = 1;
            fs::write(path, content).unwrap();
        }),
        ("adopt-inside", "is not to be touched", |kafka| {
            fs::rename(kafka.path(), kafka.to()).unwrap();
            fs::create_dir(kafka.path()).unwrap();
        }),
    ];
    for (name, words, harm) in cases {
        let kafka = Kafka::new(name);
        harm(&kafka);
        let before = everything(kafka.home.path());
        let said = if name.ends_with("inside") {
            let from = kafka.to();
            ottla_log(&["adopt", "--from", text(&from), "--to", text(&from.join("deep"))])
        } else {
            kafka.adopt(&[])
        };
        assert_eq!(said.code, 2, "{name}: {}{}", said.out, said.err);
        assert!(format!("{}{}", said.out, said.err).contains(words), "{name}: {}{}", said.out, said.err);
        assert!(everything(kafka.home.path()) == before, "{name}: something was made");
    }
}

#[test]
fn partitions_without_a_directory_may_be_taken_as_empty() {
    let kafka = Kafka::new("adopt-empty");
    fs::remove_dir_all(kafka.path().join("orders-1")).unwrap();
    let said = kafka.adopt(&["--missing-as-empty"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("orders-1 has no directory here; it will be empty"), "{}", said.out);
    let process = Process::start(&Spec::new(&kafka.home, &["node.id=5"]));
    assert_eq!(produce(&mut process.client(), TOPIC, 1, b"first"), (0, 0));
}

#[test]
fn a_directory_that_kafka_has_is_refused() {
    let kafka = Kafka::new("adopt-locked");
    let lock = File::options().write(true).open(kafka.path().join(".lock")).unwrap();
    // What Java's FileChannel does.
    fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let said = kafka.adopt(&[]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert!(said.err.contains("is in use: stop Apache Kafka first"), "{}", said.err);
    assert!(!kafka.to().exists());
    drop(lock);
    assert_eq!(kafka.adopt(&[]).code, 0);
}

#[test]
fn a_torn_end_is_cut_with_a_line() {
    let kafka = Kafka::new("adopt-torn");
    fs::remove_file(kafka.path().join(".kafka_cleanshutdown")).unwrap();
    let path = kafka.path().join("orders-1/00000000000000000000.log");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], &whole[..70]].concat()).unwrap();
    let said = kafka.adopt(&[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("was not closed in order"), "{}", said.out);
    let line = format!("orders-1, which ends at offset {RECORDS}: a torn end of 70 bytes was cut");
    assert!(said.out.contains(&line), "{}", said.out);
}

/// What a kill in the middle leaves is not started on, and the next adoption begins anew.
#[test]
fn a_half_made_directory_is_never_started_on() {
    let kafka = Kafka::new("adopt-half");
    let half = kafka.to().with_extension("adopting");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("half-adopted"), b"").unwrap();
    fs::create_dir(half.join("orders-0")).unwrap();
    fs::rename(&half, kafka.to()).unwrap();
    let ended = Process::spawn(&Spec::new(&kafka.home, &[])).wait();
    assert!(!ended.success());
    assert!(fs::read_to_string(kafka.home.log()).unwrap().contains("run `ottla log adopt` again"));
    fs::rename(kafka.to(), adopting(&kafka.to())).unwrap();
    let said = kafka.adopt(&[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(!adopting(&kafka.to()).exists());
}

fn adopting(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".adopting");
    name.into()
}

#[test]
fn an_empty_directory_that_is_there_keeps_its_rights() {
    use std::os::unix::fs::PermissionsExt;
    let kafka = Kafka::new("adopt-rights");
    fs::create_dir(kafka.to()).unwrap();
    fs::set_permissions(kafka.to(), fs::Permissions::from_mode(0o750)).unwrap();
    assert_eq!(kafka.adopt(&["--dry-run"]).code, 0);
    assert_eq!(fs::read_dir(kafka.to()).unwrap().count(), 0, "nothing is made");
    assert_eq!(kafka.adopt(&[]).code, 0);
    assert_eq!(fs::metadata(kafka.to()).unwrap().mode() & 0o777, 0o750);
}
