//! Waiting for data: a fetch that found too little sleeps until a high watermark rises, never by polling.
//!
//! Kafka's rules for it: of each partition counts what has come, at most as much as may be read of it; a reader behind a
//! segment's end waits for nothing, since all that a read gives is there; a log that goes ends the wait. Only the
//! partitions whose high watermark rose are counted anew, and nothing is read for it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use storage::{Bound, Log, Offset, Standing, Waiter};

/// A partition that is waited for.
pub struct Place {
    log: Arc<Log>,
    offset: Offset,
    bytes_max: i32,
    /// Nothing while the reader's offset lies beyond what it may see.
    standing: Option<Standing>,
    /// The high watermark at which it was counted.
    seen: Option<i64>,
    bytes: i64,
    waiter: Waiter,
    is_registered: bool,
}

/// There is enough, or no more than what is there will be given.
struct Enough;

impl Place {
    /// `standing` is what a read from `offset` said.
    pub fn new(log: Arc<Log>, offset: Offset, bytes_max: i32, standing: Option<Standing>) -> Self {
        let waiter = log.watch_high_watermark().waiter();
        Self { log, offset, bytes_max, standing, seen: None, bytes: 0, waiter, is_registered: false }
    }

    /// Counts what rose since the last time, and sees to it that the next rise wakes the task.
    fn look(&mut self, bound: Bound, cx: &mut Context<'_>) -> Result<(), Enough> {
        loop {
            let watch = self.log.watch_high_watermark();
            if watch.is_closed() {
                return Err(Enough);
            }
            let now = watch.value();
            if self.seen.is_some_and(|seen| seen >= now) {
                if self.is_registered {
                    return Ok(());
                }
            } else {
                self.seen = Some(now);
                self.is_registered = false;
                self.bytes = self.count(bound)?;
            }
            self.is_registered = true;
            if self.waiter.poll_above(cx, now).is_pending() {
                return Ok(());
            }
            self.is_registered = false;
        }
    }

    fn count(&mut self, bound: Bound) -> Result<i64, Enough> {
        if self.standing.is_none() {
            let plan = self.log.read(self.offset, 0, false, bound).map_err(|_| Enough)?;
            self.standing = plan.standing;
        }
        let Some(standing) = self.standing else { return Ok(0) };
        match self.log.bytes_from(standing, bound) {
            Ok(Some(bytes)) => Ok(i64::try_from(bytes).unwrap_or(i64::MAX).min(i64::from(self.bytes_max))),
            // What is wrong, the read behind the wait will tell.
            Ok(None) | Err(_) => Err(Enough),
        }
    }
}

/// Sleeps until the places have so many bytes together, one of them has no more to wait for, or the time is up.
pub async fn enough_comes(mut places: Vec<Place>, bytes_min: i32, bound: Bound, at_most: Duration) {
    let mut waker: Option<Waker> = None;
    let comes = poll_fn(|cx| {
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            waker = Some(cx.waker().clone());
            places.iter_mut().for_each(|place| place.is_registered = false);
        }
        let mut bytes = 0i64;
        for place in &mut places {
            let Ok(()) = place.look(bound, cx) else { return Poll::Ready(()) };
            bytes = bytes.saturating_add(place.bytes);
        }
        if bytes >= i64::from(bytes_min) { Poll::Ready(()) } else { Poll::Pending }
    });
    // Which of the two it was, the caller sees when it reads.
    let _ = tokio::time::timeout(at_most, comes).await;
}
