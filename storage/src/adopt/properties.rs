//! Kafka's `meta.properties`: whose directory it is.

use std::collections::BTreeMap;

use crate::ids::TopicId;

/// What KRaft writes. Version 0 is from a cluster with ZooKeeper.
const KRAFT_VERSION: &str = "1";
const ZOOKEEPER_VERSION: &str = "0";
/// Only our own directories have it.
const OURS: &str = "ottla.format";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Properties {
    pub(super) cluster_id: String,
    pub(super) node_id: i32,
    /// Kafka 3.7 and later write it.
    pub(super) directory_id: Option<TopicId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Ours,
    ZooKeeper,
    Bad(String),
}

pub(super) fn decode(text: &[u8]) -> Result<Properties, Problem> {
    let bad = |what: &str| Problem::Bad(what.to_owned());
    let text = std::str::from_utf8(text).map_err(|_| bad("it is not text"))?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', '!']));
    // Java puts a backslash before what has a meaning; none of these values has anything else to escape.
    let values: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().replace('\\', ""), value.trim().replace('\\', "")))
        .collect();
    let get = |name: &str| values.get(name).map(String::as_str);
    if get(OURS).is_some() {
        return Err(Problem::Ours);
    }
    match get("version") {
        Some(KRAFT_VERSION) => {}
        Some(ZOOKEEPER_VERSION) => return Err(Problem::ZooKeeper),
        Some(other) => return Err(Problem::Bad(format!("version {other} is not known"))),
        None => return Err(bad("it has no version")),
    }
    let cluster_id =
        get("cluster.id").filter(|id| !id.is_empty()).ok_or_else(|| bad("it has no cluster.id"))?;
    let node_id = get("node.id").and_then(|id| id.parse().ok()).filter(|id| *id >= 0);
    let directory_id = match get("directory.id") {
        Some(id) => Some(id.parse().map_err(|_| bad("its directory.id is none"))?),
        None => None,
    };
    Ok(Properties {
        cluster_id: cluster_id.to_owned(),
        node_id: node_id.ok_or_else(|| bad("it has no node.id"))?,
        directory_id,
    })
}
