//! Memory that a virtual machine's host has given and not taken again, for what a run writes into the page cache.
//!
//! A host takes pages that are free for seconds (free page reporting), and then each first touch is paid for: up to 2.4
//! CPU-seconds a GB, six times the page cache's own price, at random, and most by the slower of two that are compared.
//! Pages that were in use a moment ago have no such price. So what a run will fill is held before, and let go while the
//! page cache grows, little ahead of it. It lessens the effect and cannot end it, for the kernel chooses the pages.

use std::collections::VecDeque;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use memmap2::{Advice, MmapMut};

const BLOCK_BYTES: u64 = 16 << 20;
const PAGE_BYTES: usize = 4 << 10;
/// How far what was let go is ahead of the page cache.
const LEAD_BYTES: u64 = 256 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Memory that is held, every page of it touched.
pub(crate) struct Held {
    blocks: VecDeque<MmapMut>,
}

impl Held {
    /// Takes so much, and not more than half of what the machine has.
    pub(crate) fn take(bytes: u64) -> Result<Held> {
        let blocks = bytes.min(known_bytes("MemAvailable:")? / 2).div_ceil(BLOCK_BYTES);
        Ok(Held { blocks: (0..blocks).map(|_| touched_block()).collect::<Result<_>>()? })
    }

    /// Lets go of the blocks while the page cache grows; what is left of them, with the end of what it gives.
    pub(crate) fn feed(mut self) -> Result<Feeding> {
        let before = known_bytes("Cached:")?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let feeder = thread::spawn(move || {
            let (mut most, mut freed) = (0, 0);
            while !over.load(Ordering::Relaxed) && !self.blocks.is_empty() {
                let Ok(cached) = known_bytes("Cached:") else { return };
                // What a topic that is deleted meanwhile gives back is no host's yet.
                most = cached.saturating_sub(before).max(most);
                while freed < most + LEAD_BYTES && self.blocks.pop_front().is_some() {
                    freed += BLOCK_BYTES;
                }
                thread::sleep(LOOK_EVERY);
            }
        });
        Ok(Feeding { is_over, feeder: Some(feeder) })
    }
}

/// See [`Held::feed`].
pub(crate) struct Feeding {
    is_over: Arc<AtomicBool>,
    feeder: Option<JoinHandle<()>>,
}

impl Drop for Feeding {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(feeder) = self.feeder.take() {
            // One that panicked has said so, and has let go of everything.
            let _ = feeder.join();
        }
    }
}

fn touched_block() -> Result<MmapMut> {
    let mut block = MmapMut::map_anon(BLOCK_BYTES as usize).context("taking memory back from the host")?;
    // Without huge pages it only takes longer.
    let _ = block.advise(Advice::HugePage);
    block.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    Ok(block)
}

/// A line of /proc/meminfo.
fn known_bytes(name: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(number.with_context(|| format!("/proc/meminfo has no {name}"))? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_let_go() {
        let held = Held::take(3 * BLOCK_BYTES + 1).unwrap();
        assert_eq!(held.blocks.len(), 4);
        drop(held.feed().unwrap());
        assert!(known_bytes("MemTotal:").unwrap() > known_bytes("MemFree:").unwrap());
        assert!(known_bytes("NoSuchLine:").is_err());
    }
}
