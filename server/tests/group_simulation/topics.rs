//! The topics that the members read, as an image of the metadata: made once, over a disk of its own.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use server::cluster::command::{self, Defaults, NewTopic};
use server::cluster::{Controller, Image};
use storage::{DataDir, DataDirOptions, Durability, Env, LeaderEpoch, LogConfig, LogId, TopicId};

use super::member::{PARTITIONS, TOPIC, TOPIC_ID};

const METADATA: LogId = LogId { topic: TopicId([2; 16]), partition: 0 };
const METADATA_DIR: &str = "__cluster_metadata-0";

pub(crate) fn image() -> Arc<Image> {
    static IMAGE: LazyLock<Arc<Image>> = LazyLock::new(make);
    IMAGE.clone()
}

fn make() -> Arc<Image> {
    let (env, _files, _clock) = Env::simulated(1);
    let home = PathBuf::from("/metadata");
    let dir = DataDir::open(env.clone(), home.clone(), DataDirOptions::default()).expect("the disk is sound");
    let config = LogConfig { durability: Durability::Durable, ..LogConfig::default() };
    let log = dir.open_log(METADATA, METADATA_DIR, config, LeaderEpoch(0)).expect("the log is sound");
    let controller = Controller::load(log, home.join(METADATA_DIR), env).expect("the log is read");
    let wanted = NewTopic {
        name: TOPIC.to_owned(),
        partitions: PARTITIONS.into(),
        replication_factor: 1,
        assignments: Default::default(),
        configs: Default::default(),
    };
    let defaults =
        Defaults { node_id: 1, partitions: 1, replication_factor: 1, partitions_max: PARTITIONS.into() };
    let (created, seen) = controller.execute(|image| {
        command::create_topic(image, &wanted, TOPIC_ID, defaults).map(|created| (vec![created.into()], ()))
    });
    created.expect("the topic is new");
    dir.close();
    seen.image.clone()
}
