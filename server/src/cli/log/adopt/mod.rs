//! `ottla log adopt`: first all that could stand in the way, then the copy, then what the metadata says.

mod metadata;
mod plan;
mod transactions;

use std::io::{self, IsTerminal, Write};

use storage::adopt::{AdoptError, Taken, Target};
use storage::{Env, LogId};

use self::plan::{Part, Plan};
use super::print::{Format, Object};
use super::progress::Progress;
use super::{AdoptArgs, absolute, exit};
use crate::cluster::controller::LoadError;
use crate::cluster::kraft::KraftError;

/// Why the adoption ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    #[error(transparent)]
    Kraft(#[from] KraftError),
    #[error(transparent)]
    Metadata(#[from] LoadError),
    #[error("{0}")]
    Other(String),
    #[error(transparent)]
    Output(#[from] io::Error),
}

pub(super) fn run(env: &Env, args: &AdoptArgs, out: &mut dyn Write) -> u8 {
    let mut say = Say { out, format: Format::new(args.json) };
    let plan = match plan::make(env, args).and_then(|plan| show(&plan, &mut say).map(|()| plan)) {
        Ok(plan) => plan,
        Err(failure) => return complain(&failure, exit::USAGE),
    };
    if !plan.obstacles.is_empty() {
        eprintln!("ottla: nothing was taken over");
        return exit::USAGE;
    }
    if let Err(error) = Target::check(env, &absolute(&args.to), &plan.sources, plan.bytes) {
        return complain(&error.into(), exit::USAGE);
    }
    if args.dry_run {
        return exit::STOPPED;
    }
    match perform(env, args, &plan, &mut say) {
        Ok(()) => exit::STOPPED,
        Err(failure) => complain(&failure, exit::FAILED),
    }
}

fn complain(failure: &Failure, code: u8) -> u8 {
    match failure {
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        failure => eprintln!("ottla: {failure}"),
    }
    code
}

/// Lines of output.
struct Say<'o> {
    out: &'o mut dyn Write,
    format: Format,
}

impl Say<'_> {
    fn line(&mut self, kind: &str, text: &str) -> io::Result<()> {
        match self.format {
            Format::Text => writeln!(self.out, "{kind}: {text}"),
            Format::Json => Object::new(kind).text("what", text).put(self.out),
        }
    }
}

fn show(plan: &Plan, say: &mut Say<'_>) -> Result<(), Failure> {
    let Plan { cluster_id, node_id, topics, bytes, .. } = plan;
    let partitions = plan.parts.len();
    match say.format {
        Format::Text => writeln!(
            say.out,
            "cluster {cluster_id}, node {node_id}: {topics} topics, {partitions} partitions, {bytes} bytes"
        )?,
        Format::Json => Object::new("found")
            .text("cluster", cluster_id)
            .with("node", node_id)
            .with("topics", topics)
            .with("partitions", partitions)
            .with("bytes", bytes)
            .put(say.out)?,
    }
    for note in &plan.notes {
        say.line("note", note)?;
    }
    for obstacle in &plan.obstacles {
        say.line("obstacle", obstacle)?;
    }
    Ok(())
}

fn perform(env: &Env, args: &AdoptArgs, plan: &Plan, say: &mut Say<'_>) -> Result<(), Failure> {
    let to = absolute(&args.to);
    let target = Target::begin(env, &to, &plan.cluster_id, plan.node_id)?;
    let (err, is_terminal) = (&mut io::stderr(), io::stderr().is_terminal());
    let mut progress = Progress::new(&*env.clock, err, is_terminal);
    progress.expect(plan.bytes);
    let mut logs = Vec::new();
    for Part { source, log, topic } in &plan.parts {
        let id = LogId { topic: *topic, partition: log.partition };
        let taken = target.take(&plan.sources[*source], log, id, &mut |bytes| progress.add(bytes))?;
        if taken.quarantined_bytes > 0 || taken.cut_bytes > 0 {
            progress.clear();
            say.line("damage", &damage(&log.dir_name, &taken))?;
        }
        logs.push(taken.log);
    }
    progress.clear();
    for ended in transactions::end_open(env, &target.dir, &logs)? {
        say.line("note", &ended)?;
    }
    metadata::write(env, &target.dir, plan, &logs)?;
    let records: i64 = logs.iter().map(|log| log.end_offset().0 - log.start_offset().0).sum();
    drop(logs);
    target.finish()?;
    let node = match plan.node_id {
        1 => String::new(),
        id => format!(" --set node.id={id}"),
    };
    let name = args.to.display();
    match say.format {
        Format::Text => writeln!(
            say.out,
            "{name}: {} partitions, {records} offsets; start it with: ottla --set log.dirs={name}{node}",
            plan.parts.len()
        )?,
        Format::Json => Object::new("adopted")
            .text("path", &name.to_string())
            .with("partitions", plan.parts.len())
            .with("offsets", records)
            .with("node", plan.node_id)
            .put(say.out)?,
    }
    Ok(())
}

fn damage(dir_name: &str, taken: &Taken) -> String {
    let end = taken.log.end_offset();
    let mut text = format!("{dir_name}, which ends at offset {end}:");
    if taken.cut_bytes > 0 {
        text += &format!(" a torn end of {} bytes was cut", taken.cut_bytes);
    }
    if taken.quarantined_bytes > 0 {
        let and = if taken.cut_bytes > 0 { ";" } else { "" };
        text += &format!("{and} {} damaged bytes were set aside", taken.quarantined_bytes);
    }
    text
}
