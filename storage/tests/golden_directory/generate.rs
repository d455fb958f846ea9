//! Writes the directories of the present format, in a simulated machine: the same code gives the same bytes.
//!
//! What is committed was written by this once. A change of the format gets a [`Set`](crate::set::Set) of its own, and
//! this file then writes that one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::env::SimFiles;
use storage::{DataDir, DataDirOptions, Durability, Env, Files, Flushing, JournalOptions, Log, Origin};

use crate::set::{
    BATCHES, DROPPED, DURABLE, DURABLE_12, JOINED, RELAXED, batch, checked, config, list, open_log, options,
};

/// Files by their paths in the data directory.
pub(crate) type Tree = BTreeMap<PathBuf, Vec<u8>>;

const DIR: &str = "/data";
const SEED: u64 = 1;
/// The log behind whose last batch the killed process left half of another.
const TORN: &str = RELAXED.0;

/// What the generator makes: files of each directory, and the listing.
pub(crate) struct Generated {
    pub(crate) dirs: BTreeMap<&'static str, Tree>,
    pub(crate) batches: String,
}

pub(crate) fn generate() -> Generated {
    let life = Life::live();
    let batches = life.logs.iter().map(|log| list(log)).collect();
    life.dir.close();
    let clean = tree(&life.files);

    let life = Life::live();
    let killed = tree(&life.files);
    fill(&life.dir, &life.logs[..1], BATCHES..BATCHES + 1);
    let cut = cut(life.flushed, &killed, &tree(&life.files));
    let killed = with_torn_batch(killed);
    Generated { dirs: [("clean", clean), ("killed", killed), ("cut", cut)].into(), batches }
}

/// A data directory with all that was appended to it, still open.
struct Life {
    files: SimFiles,
    dir: Arc<DataDir>,
    /// Those that the listing tells of; the first is durable.
    logs: Vec<Arc<Log>>,
    /// The files at the only checkpoint: all of it is on the disk. Of what came later a power cut leaves what is in the
    /// journal.
    flushed: Tree,
}

impl Life {
    fn live() -> Life {
        let (env, files, _) = Env::simulated(SEED);
        let dir = DataDir::open(env, DIR.into(), sim_options()).unwrap();
        let joined = open_log(&dir, (JOINED.0, JOINED.1, JOINED.2, Durability::Relaxed));
        let mut logs = vec![open_log(&dir, DURABLE), open_log(&dir, RELAXED), joined];
        fill(&dir, &logs, 0..BATCHES / 2);
        dir.checkpoint();
        logs[2].reconfigure(config(Durability::Durable));
        dir.flush();
        assert_eq!(logs[2].durability(), Durability::Durable);
        let flushed = tree(&files);

        logs.push(open_log(&dir, DURABLE_12));
        let dropped = open_log(&dir, DROPPED);
        fill(&dir, &logs[3..], 0..BATCHES / 2);
        fill(&dir, std::slice::from_ref(&dropped), 0..2);
        fill(&dir, &logs, BATCHES / 2..BATCHES);
        dir.delete_log(&dropped).unwrap();
        dir.flush();
        let checkpoint = files.content(&Path::new(DIR).join("checkpoint")).unwrap();
        assert_eq!(checkpoint, flushed[Path::new("checkpoint")], "no other was written");
        Life { files, dir, logs, flushed }
    }
}

fn sim_options() -> DataDirOptions {
    // So small that it goes on from one file to the next, and so large that it never asks for a checkpoint.
    let journal = JournalOptions { bytes_max: 96 << 10, file_bytes: 48 << 10, ..JournalOptions::SMALL };
    DataDirOptions { flushing: Flushing::Manual, journal, ..options() }
}

/// Appends the batches of these numbers to each log, with one commit for all logs.
fn fill(dir: &DataDir, logs: &[Arc<Log>], numbers: std::ops::Range<usize>) {
    for number in numbers {
        let append =
            |log: &Arc<Log>| log.append(checked(batch(log.dir_name(), number)), Origin::Client, None);
        let tickets: Vec<_> = logs.iter().map(append).collect();
        dir.flush();
        for ticket in tickets {
            ticket.wait().unwrap();
        }
    }
}

/// Half a batch behind the last, as a kill between two pages of a write leaves it.
fn with_torn_batch(mut killed: Tree) -> Tree {
    let is_segment = |path: &Path| path.starts_with(TORN) && path.extension().is_some_and(|end| end == "log");
    let (_, last) = killed.iter_mut().rfind(|(path, _)| is_segment(path)).unwrap();
    let torn = batch("torn", 0);
    last.extend(&torn[..torn.len() / 2]);
    killed
}

/// What a power cut leaves that takes everything unflushed: of the logs what was `flushed`, and of the journal as much
/// as there was `before` the last commit, with half of that commit, which nobody was told of.
fn cut(mut flushed: Tree, before: &Tree, after: &Tree) -> Tree {
    let mut torn = 0;
    for (path, bytes) in before.iter().filter(|(path, _)| path.starts_with("journal")) {
        let (mut bytes, after) = (bytes.clone(), &after[path]);
        let changed: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] != after[at]).collect();
        for &at in &changed[..changed.len() / 2] {
            bytes[at] = after[at];
        }
        torn += changed.len();
        flushed.insert(path.clone(), bytes);
    }
    assert!(torn > 0, "the last commit is in a file that was there before");
    flushed
}

/// The data directory as processes see it.
pub(crate) fn tree(files: &SimFiles) -> Tree {
    let (mut found, mut dirs) = (Tree::new(), vec![PathBuf::from(DIR)]);
    while let Some(dir) = dirs.pop() {
        for entry in files.list(&dir).unwrap() {
            let path = dir.join(&entry.name);
            if entry.is_dir {
                dirs.push(path);
            } else {
                let inside = path.strip_prefix(DIR).unwrap().to_owned();
                found.insert(inside, files.content(&path).unwrap());
            }
        }
    }
    found
}

impl Generated {
    pub(crate) fn write(&self, to: &Path) {
        for (name, tree) in &self.dirs {
            for (path, bytes) in tree {
                let path = to.join(name).join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        }
        fs::write(to.join("batches"), &self.batches).unwrap();
    }
}
