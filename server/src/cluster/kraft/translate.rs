//! The same in our own records. Pure.

use std::collections::{BTreeMap, BTreeSet};

use storage::TopicId;

use super::state::{BROKER, CLIENT_METRICS, GROUP, KraftTopic, State, TOPIC};
use crate::cluster::quota::{self, Wanted};
use crate::cluster::records::{BrokerStarts, GroupConfigured, ProducerIdsReserved, Record, TopicCreated};
use crate::cluster::{Image, topic_name};
use crate::config::{Config, TopicConfig, check_group};

/// What becomes of Kafka's metadata.
#[derive(Debug, Default, PartialEq)]
pub struct Translated {
    pub records: Vec<Record>,
    /// What is not taken over, or differently: a line each, for people.
    pub notes: Vec<String>,
    /// The partitions that Kafka's node has, by the names of their directories.
    pub partitions: BTreeMap<String, (TopicId, i32)>,
    /// Why the node cannot be taken over, if it cannot.
    pub obstacles: Vec<String>,
}

/// Where a replica is that has no place yet, or may be anywhere: ids up to this are Kafka's own.
const RESERVED_IDS: u128 = 100;

/// What the node of this id has, whose directories have these ids.
pub fn translate(
    state: &State,
    node_id: i32,
    directories: &BTreeSet<TopicId>,
    broker: &Config,
) -> Translated {
    let mut translated = Translated::default();
    let mut epoch_max = 0;
    for (id, topic) in &state.topics {
        translated.topic(state, *id, topic, broker);
        for (partition, placed) in &topic.partitions {
            epoch_max = epoch_max.max(placed.leader_epoch);
            let name = format!("{}-{partition}", topic.name);
            let place = placed.replicas.iter().position(|replica| *replica == node_id);
            let Some(place) = place else {
                let other = placed.replicas.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
                translated.obstacles.push(format!("{name} is not on node {node_id} but on {other}"));
                continue;
            };
            if !placed.is_whole_on(node_id) {
                translated.obstacles.push(format!("{name} is behind on node {node_id}: it is not in sync"));
            }
            let directory = placed.directories.get(place);
            let is_named = |id: &&TopicId| u128::from_be_bytes(id.0) >= RESERVED_IDS;
            if let Some(missing) = directory.filter(is_named).filter(|id| !directories.contains(*id)) {
                translated.obstacles.push(format!(
                    "{name} is in a log.dir that is not named here (its directory.id is {missing})"
                ));
            }
            translated.partitions.insert(name, (*id, *partition));
        }
    }
    translated.settings(state, node_id, broker);
    translated.quotas(state);
    translated.left_behind(state);
    // The next start counts one more: clients that knew a leader's epoch of Kafka's see a later one.
    translated.records.push(BrokerStarts { count: epoch_max.max(0) as u32 + 1 }.into());
    translated.records.push(ProducerIdsReserved { next: state.producer_id_next }.into());
    translated
}

impl Translated {
    fn topic(&mut self, state: &State, id: TopicId, topic: &KraftTopic, broker: &Config) {
        let KraftTopic { name, partitions } = topic;
        if let Err(why) = topic_name::check(name) {
            self.obstacles.push(format!("topic {name:?}: {why}"));
            return;
        }
        let count = partitions.len() as u32;
        if count == 0 || partitions.keys().ne(&(0..count as i32).collect::<Vec<_>>()) {
            self.obstacles.push(format!("topic {name}: its partitions are not those from 0 on"));
            return;
        }
        let mut configs = state.configs.get(&(TOPIC, name.clone())).cloned().unwrap_or_default();
        while let Err(error) = TopicConfig::from_overrides(&configs, broker) {
            self.notes.push(format!("topic {name}: {error}; it is left out"));
            if configs.remove(&error.name).is_none() {
                configs.clear();
            }
        }
        if configs.get("remote.storage.enable").is_some_and(|value| value == "true") {
            self.notes.push(format!("topic {name}: what is only in its remote storage stays behind"));
        }
        self.records.push(TopicCreated { id, name: name.clone(), partitions: count, configs }.into());
    }

    fn settings(&mut self, state: &State, node_id: i32, broker: &Config) {
        for ((kind, resource), configs) in &state.configs {
            match *kind {
                TOPIC => {}
                GROUP => match check_group(configs, broker) {
                    Ok(()) => {
                        let set = |(name, value): (&String, &String)| (name.clone(), Some(value.clone()));
                        let changes = configs.iter().map(set).collect();
                        self.records.push(GroupConfigured { group: resource.clone(), changes }.into());
                    }
                    Err(error) => {
                        self.notes.push(format!("group {resource}: {error}; its settings are left out"));
                    }
                },
                BROKER if resource.is_empty() || *resource == node_id.to_string() => {
                    for (name, value) in configs {
                        let shown = if crate::config::is_secret(name) { "[hidden]" } else { value };
                        self.notes.push(format!(
                            "broker setting {name}={shown}, set while Kafka ran: give it to Ottla by its own settings"
                        ));
                    }
                }
                BROKER => {}
                CLIENT_METRICS => {
                    self.notes.push(format!("settings of the client metrics {resource} are left out"));
                }
                kind => self.notes.push(format!("settings of {resource:?} (type {kind}) are left out")),
            }
        }
    }

    fn quotas(&mut self, state: &State) {
        for (entity, values) in &state.quotas {
            for (key, value) in values {
                let wanted = Wanted { entity: entity.clone(), changes: vec![(key.clone(), Some(*value))] };
                let why = match quota::alter(&Image::default(), &[wanted]) {
                    Ok((records, outcomes)) => {
                        self.records.extend(records);
                        outcomes.into_iter().find_map(|(_, outcome)| outcome.err())
                    }
                    Err(why) => Some(why),
                };
                if let Some(why) = why {
                    self.notes.push(format!("quota {key} of {entity:?}: {why}; it is left out"));
                }
            }
        }
    }

    fn left_behind(&mut self, state: &State) {
        let acls = state.left_of("AccessControlEntryRecord", "RemoveAccessControlEntryRecord");
        if acls > 0 {
            self.notes.push(format!(
                "{acls} access control entries are left out: every client may do everything here"
            ));
        }
        if state.others.contains_key("UserScramCredentialRecord") {
            self.notes
                .push("users with SCRAM passwords are left out: there is no authentication here".to_owned());
        }
        let tokens = state.left_of("DelegationTokenRecord", "RemoveDelegationTokenRecord");
        if tokens > 0 {
            self.notes.push(format!("{tokens} delegation tokens are left out"));
        }
    }
}
