//! What there is to take over, and what stands in the way. Nothing is changed here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use storage::adopt::{Source, SourceLog};
use storage::{Env, TopicId};

use super::super::{AdoptArgs, absolute};
use super::Failure;
use crate::cli::Cli;
use crate::cluster::kraft;
use crate::cluster::records::Record;
use crate::config::Config;

/// A log to be taken over.
pub(super) struct Part {
    /// Which of the sources it is in.
    pub(super) source: usize,
    pub(super) log: SourceLog,
    pub(super) topic: TopicId,
}

pub(super) struct Plan {
    pub(super) sources: Vec<Source>,
    pub(super) cluster_id: String,
    pub(super) node_id: i32,
    pub(super) topics: usize,
    pub(super) parts: Vec<Part>,
    pub(super) bytes: u64,
    pub(super) records: Vec<Record>,
    pub(super) producer_id_next: i64,
    pub(super) notes: Vec<String>,
    pub(super) obstacles: Vec<String>,
}

pub(super) fn make(env: &Env, args: &AdoptArgs) -> Result<Plan, Failure> {
    let sources = sources(env, args)?;
    let (cluster_id, node_id) = (sources[0].cluster_id.clone(), sources[0].node_id);
    let has_metadata = |source: &&Source| source.logs.iter().any(|log| log.dir_name == kraft::DIR_NAME);
    let home = sources.iter().find(has_metadata).map_or(&sources[0].path, |source| &source.path);
    let state = kraft::load(env, &home.join(kraft::DIR_NAME))?;
    let broker = Config::load(&Cli::default(), []).map_err(|error| Failure::Other(error.to_string()))?;
    let directories = sources.iter().filter_map(|source| source.directory_id).collect();
    let translated = kraft::translate(&state, node_id, &directories, &broker);
    let mut plan = Plan {
        cluster_id,
        node_id,
        topics: state.topics.len(),
        parts: Vec::new(),
        bytes: 0,
        records: translated.records,
        producer_id_next: state.producer_id_next,
        notes: Vec::new(),
        obstacles: translated.obstacles,
        sources,
    };
    plan.note_sources();
    plan.notes.extend(translated.notes);
    plan.match_logs(translated.partitions, args.missing_as_empty);
    for part in &plan.parts {
        plan.sources[part.source].check_format(env, &part.log)?;
    }
    plan.bytes = plan.parts.iter().map(|part| part.log.bytes).sum();
    Ok(plan)
}

/// All of one node of one cluster, each once.
fn sources(env: &Env, args: &AdoptArgs) -> Result<Vec<Source>, Failure> {
    let mut paths: Vec<PathBuf> = args.from.iter().map(|path| absolute(path)).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut sources: Vec<Source> = Vec::new();
    for path in paths {
        let source = Source::open(env, &path)?;
        if let Some(first) = sources.first()
            && (&first.cluster_id, first.node_id) != (&source.cluster_id, source.node_id)
        {
            return Err(Failure::Other(format!(
                "{} is of node {} of cluster {}, and {} of node {} of cluster {}: adopt one node",
                first.path.display(),
                first.node_id,
                first.cluster_id,
                source.path.display(),
                source.node_id,
                source.cluster_id
            )));
        }
        sources.push(source);
    }
    Ok(sources)
}

impl Plan {
    fn note_sources(&mut self) {
        for source in &self.sources {
            let path = source.path.display();
            if !source.is_clean {
                self.notes.push(format!(
                    "{path} was not closed in order: Kafka was killed, or the machine went down. Torn ends will be cut"
                ));
            }
            if source.has_damaged_starts {
                self.notes.push(format!(
                    "{path}/log-start-offset-checkpoint cannot be read: records that were deleted by request may be back"
                ));
            }
            if !source.is_held {
                self.notes.push(format!(
                    "{path} has no .lock, as a copy has none: nothing keeps a Kafka from starting on it meanwhile"
                ));
            }
            for name in &source.left_out {
                self.notes.push(format!(
                    "{path}/{name} is no partition of a topic any more, or not yet; it is left out"
                ));
            }
        }
    }

    /// Finds the directory of each partition.
    fn match_logs(&mut self, mut wanted: BTreeMap<String, (TopicId, i32)>, missing_as_empty: bool) {
        let mut taken: BTreeMap<String, PathBuf> = BTreeMap::new();
        for (place, source) in self.sources.iter().enumerate() {
            for log in source.logs.iter().filter(|log| log.dir_name != kraft::DIR_NAME) {
                let path = source.path.join(&log.dir_name);
                let owner = wanted.get(&log.dir_name).copied();
                // Before Kafka 2.8 nothing said whose a directory is.
                let owner = owner.filter(|(topic, _)| log.topic.is_none_or(|id| id == *topic));
                if let Some(other) = taken.get(&log.dir_name) {
                    self.obstacles.push(format!(
                        "{} and {} are of the same partition: remove the one that is not in use",
                        other.display(),
                        path.display()
                    ));
                } else if let Some((topic, _)) = owner {
                    taken.insert(log.dir_name.clone(), path);
                    self.parts.push(Part { source: place, log: log.clone(), topic });
                } else {
                    self.notes
                        .push(format!("{} is of no topic that there is; it is left out", path.display()));
                }
            }
        }
        wanted.retain(|name, _| !taken.contains_key(name));
        for name in wanted.keys() {
            let what = format!("{name} has no directory here");
            if missing_as_empty {
                self.notes.push(format!("{what}; it will be empty"));
            } else {
                self.obstacles.push(format!(
                    "{what}: name all of Kafka's log.dirs, or take such partitions as empty with --missing-as-empty"
                ));
            }
        }
    }
}
