//! Partitions that move between the data directories of Apache Kafka and of Ottla: the same requests get the same codes, and
//! behind each the same partitions live in the same places, with the same records.

use super::batch;
use super::cases::{PLAIN, Topic};
use super::moved::{self, TOPIC};
use super::now_ms;
use super::peer::Peer;
use crate::harness::place::Judged;
use crate::harness::{Spec, Stage};
use crate::hostile::frames::topic_name;
use anyhow::{Result, ensure};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};
use kafka_protocol::protocol::StrBytes;
use std::fs;

const ALTER_VERSIONS: [i16; 2] = [1, 2];
const DESCRIBE_VERSION: i16 = 4;
/// Made when its place was chosen already.
const LATER: &str = "later";
const LATER_TOPIC: &[Topic] = &[Topic { name: LATER, settings: &[] }];

#[derive(Clone, Copy)]
enum Dir {
    /// One of the broker's.
    Own(usize),
    /// The second one, by way of the first.
    Winding,
    Stranger(&'static str),
}

const A: Dir = Dir::Own(0);
const B: Dir = Dir::Own(1);

/// What is asked at once: topic, partition, directory.
type Asked<'a> = &'a [(&'a str, i32, Dir)];

const STEPS: &[(&str, Asked<'_>)] = &[
    ("there", &[(PLAIN, 0, A)]),
    ("where it is", &[(PLAIN, 0, A)]),
    ("to the other", &[(PLAIN, 0, B)]),
    ("and back", &[(PLAIN, 0, A)]),
    ("nowhere", &[(PLAIN, 0, Dir::Stranger("/nowhere"))]),
    ("by another path", &[(PLAIN, 0, Dir::Winding)]),
    ("no path", &[(PLAIN, 0, Dir::Stranger(""))]),
    ("to both", &[(PLAIN, 0, A), (PLAIN, 0, B)]),
    ("unknown partitions", &[(PLAIN, 1, A), (PLAIN, -1, A), (PLAIN, 0, B)]),
    ("an unknown topic", &[(LATER, 0, B), (PLAIN, 0, A)]),
    ("an unknown topic to nowhere", &[("absent", 0, Dir::Stranger("/nowhere"))]),
    ("a bad name", &[("a b", 0, A)]),
    ("no name", &[("", 0, A)]),
    ("nothing", &[]),
];

pub(super) fn moves_are_answered_alike(stage: &Stage) -> Result<()> {
    let start = |judged: Judged, name: &str| {
        let dirs = ["a", "b"].map(|dir| stage.folder().join(name).join(dir));
        dirs.iter().try_for_each(fs::create_dir_all)?;
        let dirs = dirs.map(|dir| dir.display().to_string());
        let spec = Spec::default().set("auto.create.topics.enable", "false");
        Ok::<_, anyhow::Error>((stage.broker_of(judged, spec.set("log.dirs", &dirs.join(",")))?, dirs))
    };
    let (kafka, kafkas) = start(Judged::Kafka, "of-kafka")?;
    let (ottla, ottlas) = start(Judged::Ottla, "of-ottla")?;
    let mut peers = [
        Mover { peer: Peer::connect(kafka.bootstrap())?, dirs: kafkas },
        Mover { peer: Peer::connect(ottla.bootstrap())?, dirs: ottlas },
    ];
    for Mover { peer, .. } in &mut peers {
        peer.create(TOPIC)?;
        stage.wait_for("the partition to be led", || Ok(peer.fetch(PLAIN, 0)?.0 == 0))?;
    }
    let mut batches = moved::batches(now_ms()).into_iter();
    let long = "x".repeat(230);
    let long = [(&*long, 0, A)];
    let steps = STEPS.iter().copied().chain([("a long name", &long[..])]);
    let each = batches.len().div_ceil(STEPS.len() * ALTER_VERSIONS.len());
    for (what, asked) in steps {
        for version in ALTER_VERSIONS {
            for case in batches.by_ref().take(each) {
                for Mover { peer, .. } in &mut peers {
                    ensure!(peer.produce(&case)?.error() == Some(0), "{}", case.name);
                }
            }
            let [theirs, ours] = &mut peers;
            let (kafkas, ottlas) = (theirs.alter(asked, version)?, ours.alter(asked, version)?);
            ensure!(
                kafkas == ottlas,
                "{what}, {version}: {kafkas:?} from Apache Kafka, {ottlas:?} from Ottla"
            );
            let (kafkas, ottlas) = (theirs.settled(stage, PLAIN)?, ours.settled(stage, PLAIN)?);
            ensure!(kafkas == ottlas, "{what}, {version}: {kafkas:?} in Apache Kafka, {ottlas:?} in Ottla");
        }
    }
    for mover in &mut peers {
        mover.peer.create(LATER_TOPIC)?;
        stage.wait_for("the chosen place", || Ok(mover.places(LATER)? == [(1, 0, false)]))?;
    }
    let [theirs, ours] = &mut peers;
    let (theirs, ours) = (theirs.peer.fetch(PLAIN, 0)?, ours.peer.fetch(PLAIN, 0)?);
    ensure!((theirs.0, theirs.1, theirs.2) == (ours.0, ours.1, ours.2), "other ends");
    ensure!(batch::read_all(&theirs.3)? == batch::read_all(&ours.3)?, "other records");
    Ok(())
}

/// A broker whose partitions move.
struct Mover {
    peer: Peer,
    dirs: [String; 2],
}

impl Mover {
    /// The code for each partition, in order.
    fn alter(&mut self, asked: Asked<'_>, version: i16) -> Result<Vec<(String, i32, i16)>> {
        let one = |(topic, partition, dir): &(&str, i32, Dir)| {
            let moved = AlterReplicaLogDirTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(vec![*partition]);
            let path = match dir {
                Dir::Own(place) => self.dirs[*place].clone(),
                Dir::Winding => format!("{}/../b", self.dirs[0]),
                Dir::Stranger(path) => (*path).to_owned(),
            };
            AlterReplicaLogDir::default().with_path(StrBytes::from_string(path)).with_topics(vec![moved])
        };
        let request = AlterReplicaLogDirsRequest::default().with_dirs(asked.iter().map(one).collect());
        let mut codes = Vec::new();
        for topic in self.peer.must(&request, version)?.results {
            let name = topic.topic_name.to_string();
            codes.extend(topic.partitions.iter().map(|p| (name.clone(), p.partition_index, p.error_code)));
        }
        codes.sort();
        Ok(codes)
    }

    /// Where a topic's partitions are: directory, partition, and whether it is a copy.
    fn places(&mut self, topic: &str) -> Result<Vec<(usize, i32, bool)>> {
        let request = DescribeLogDirsRequest::default().with_topics(None);
        let mut found = Vec::new();
        for dir in self.peer.must(&request, DESCRIBE_VERSION)?.results {
            ensure!(dir.error_code == 0, "error {}", dir.error_code);
            let place = self.dirs.iter().position(|path| *path == *dir.log_dir);
            let place = place.ok_or_else(|| anyhow::anyhow!("{} is nobody's", dir.log_dir.as_str()))?;
            for of_topic in dir.topics.iter().filter(|of| *of.name == *topic) {
                found.extend(of_topic.partitions.iter().map(|p| (place, p.partition_index, p.is_future_key)));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Where the only one is when nothing moves any more. In between Kafka may name both directories as its place.
    fn settled(&mut self, stage: &Stage, topic: &str) -> Result<Vec<(usize, i32, bool)>> {
        let mut found = Vec::new();
        stage.wait_for("the moves to end", || {
            found = self.places(topic)?;
            Ok(matches!(found[..], [(_, _, false)]))
        })?;
        Ok(found)
    }
}
