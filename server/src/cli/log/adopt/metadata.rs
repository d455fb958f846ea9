//! The metadata of the new directory: written by the controller, as a running broker would.

use std::convert::Infallible;
use std::sync::Arc;

use storage::{DataDir, Env, Log};

use super::Failure;
use super::plan::Plan;
use crate::cluster::controller::{self, CommandError};
use crate::cluster::records::{ProducerIdsReserved, Record};

/// Records of one batch: far from what a segment takes.
const BATCH_RECORDS: usize = 500;

pub(super) fn write(env: &Env, dir: &DataDir, plan: &Plan, logs: &[Arc<Log>]) -> Result<(), Failure> {
    let (_, controller) = controller::open(dir, env)?;
    let seen_ids = logs.iter().flat_map(|log| log.producers()).map(|producer| producer.id.0 + 1).max();
    // What the metadata gave out, and whatever is in use beyond it.
    let next = plan.producer_id_next.max(seen_ids.unwrap_or(0));
    let ids = Record::from(ProducerIdsReserved { next });
    let records: Vec<Record> = plan.records.iter().cloned().chain([ids]).collect();
    for some in records.chunks(BATCH_RECORDS) {
        let (outcome, seen) = controller.execute(|_| Ok::<_, Infallible>((some.to_vec(), ())));
        match outcome {
            Ok(()) => {}
            Err(CommandError::Refused(never)) => match never {},
            Err(CommandError::Storage(error)) => return Err(Failure::Other(error.to_string())),
        }
        dir.flush();
        if !seen.is_durable() {
            return Err(Failure::Other("the metadata could not be written: look at the disk".to_owned()));
        }
    }
    Ok(())
}
