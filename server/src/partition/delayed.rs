//! Waiting for data: a fetch that found too little sleeps until a high watermark rises, never by polling.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use storage::{Log, Offset};

/// A log and the high watermark that its reader has seen.
pub struct Mark {
    pub log: Arc<Log>,
    pub seen: Offset,
}

/// Sleeps until one of the logs has more than its reader saw. False: the time was up first.
pub async fn any_rises(marks: &[Mark], at_most: Duration) -> bool {
    if at_most.is_zero() {
        return false;
    }
    let mut watches: Vec<_> = marks.iter().map(|m| m.log.watch_high_watermark().above(m.seen.0)).collect();
    let rises = poll_fn(|cx| {
        let risen = watches.iter_mut().any(|w| std::pin::Pin::new(w).poll(cx).is_ready());
        if risen { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::time::timeout(at_most, rises).await.is_ok()
}
