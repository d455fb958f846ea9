//! Producer ids from reserved blocks. No id is handed out before its block's reservation is durable, so that no crash
//! lets two producers have the same one.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use storage::AppendError;

use crate::cluster::controller::{CommandError, Seen};
use crate::cluster::{Controller, command};

/// An id, and the metadata that must be durable before anyone learns of it.
pub struct Allocated {
    pub producer_id: i64,
    pub seen: Arc<Seen>,
}

/// Soft state: what is left of the block is lost at a restart, on purpose.
#[derive(Default)]
pub struct ProducerIds {
    block: Mutex<Option<Block>>,
}

struct Block {
    ids: Range<i64>,
    seen: Arc<Seen>,
}

impl ProducerIds {
    pub fn allocate(&self, controller: &Controller) -> Result<Allocated, AppendError> {
        let mut held = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = held.as_mut()
            && let Some(producer_id) = block.ids.next()
        {
            return Ok(Allocated { producer_id, seen: block.seen.clone() });
        }
        let mut block = reserve(controller)?;
        let producer_id = block.ids.next().unwrap_or_else(|| unreachable!("a new block has ids"));
        let seen = block.seen.clone();
        *held = Some(block);
        Ok(Allocated { producer_id, seen })
    }
}

fn reserve(controller: &Controller) -> Result<Block, AppendError> {
    let (reserved, seen) = controller.execute(|image| {
        let (record, first) = command::reserve_producer_ids(image);
        Ok::<_, std::convert::Infallible>((vec![record], first))
    });
    match reserved {
        Ok(first) => Ok(Block { ids: first..first + command::PRODUCER_ID_BLOCK, seen }),
        Err(CommandError::Storage(error)) => Err(error),
        Err(CommandError::Refused(never)) => match never {},
    }
}
