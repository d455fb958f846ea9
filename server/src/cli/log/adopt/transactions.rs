//! Transactions that were open when Kafka stopped. Nobody could end them here, and readers of committed records would wait
//! for them for ever: they are ended as their coordinator would, committed if that was decided, aborted otherwise.

use std::sync::Arc;

use storage::{
    BatchHeader, Bound, DataDir, EndMarker, Env, Log, Offset, Origin, ProducerView, check_internal, records,
};

use super::Failure;
use crate::cluster::kraft::transactions::{Commits, TOPIC};

/// Bytes read at a time.
const STEP_BYTES: usize = 1 << 20;
/// More are counted only.
const NAMED_MAX: usize = 20;

/// Ends them, and says so.
pub(super) fn end_open(env: &Env, dir: &DataDir, logs: &[Arc<Log>]) -> Result<Vec<String>, Failure> {
    let mut open: Vec<(&Arc<Log>, ProducerView)> = Vec::new();
    for log in logs {
        let of_log = log.producers().into_iter().filter(|producer| producer.txn_first_offset.is_some());
        open.extend(of_log.map(|producer| (log, producer)));
    }
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let commits = commits(logs)?;
    let (mut said, count) = (Vec::new(), open.len());
    for (log, producer) in open {
        let decided = commits.of(producer.id.0);
        let marker =
            EndMarker { committed: decided.is_some(), coordinator_epoch: producer.coordinator_epoch.max(0) };
        let epoch = decided.unwrap_or(producer.epoch).max(producer.epoch);
        let batch = marker.batch(producer.id, epoch, env.clock.now_ms());
        let checked = check_internal(batch)
            .unwrap_or_else(|reject| unreachable!("a marker of our own is refused: {reject}"));
        let ticket = log.append(checked, Origin::Coordinator, None);
        dir.flush();
        ticket.wait().map_err(|error| Failure::Other(format!("{}: {error}", log.dir_name())))?;
        if said.len() < NAMED_MAX {
            let (end, first) =
                (if marker.committed { "committed" } else { "aborted" }, producer.txn_first_offset);
            said.push(format!(
                "{}: the transaction of producer {} from offset {} was open and is {end}",
                log.dir_name(),
                producer.id.0,
                first.unwrap_or(Offset(0))
            ));
        }
    }
    if count > NAMED_MAX {
        said.push(format!("and {} open transactions more", count - NAMED_MAX));
    }
    Ok(said)
}

/// Reads what Kafka had decided.
fn commits(logs: &[Arc<Log>]) -> Result<Commits, Failure> {
    let mut commits = Commits::default();
    let is_of_topic =
        |log: &&Arc<Log>| log.dir_name().rsplit_once('-').is_some_and(|(topic, _)| topic == TOPIC);
    for log in logs.iter().filter(is_of_topic) {
        let failed = |error: &dyn std::fmt::Display| Failure::Other(format!("{}: {error}", log.dir_name()));
        let mut next = log.start_offset();
        while next < log.end_offset() {
            let plan = log.read(next, STEP_BYTES, true, Bound::End).map_err(|error| failed(&error))?;
            let mut bytes = Vec::with_capacity(plan.bytes);
            for part in &plan.parts {
                bytes.extend_from_slice(&part.read()?);
            }
            let (mut rest, from) = (&bytes[..], next);
            while let Ok(header) = BatchHeader::parse(rest)
                && let Some((batch, behind)) = rest.split_at_checked(header.total_bytes())
            {
                if !header.is_control() {
                    for record in records(batch).map_err(|error| failed(&error))? {
                        let record = record.map_err(|error| failed(&error))?;
                        commits.replay(record.key.as_deref().unwrap_or_default(), record.value.as_deref());
                    }
                }
                (next, rest) = (header.next_offset(), behind);
            }
            if next == from {
                return Err(failed(&"it cannot be read to its end"));
            }
        }
    }
    Ok(commits)
}
