//! Where the time of a request goes, from its last byte to the last byte of its reply. Nothing is decided by it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::metrics::{Observed, Parts};

/// Replies of one connection whose sending is timed at once. A peer that leaves more of them unread is told of by others.
const TIMED_MAX: usize = 1024;

/// What the metrics want to know of a request.
#[derive(Clone, Copy)]
pub(super) struct Arrived {
    pub(super) key: i16,
    /// Its version, if it is one of those to be traced.
    pub(super) traced: Option<i16>,
    pub(super) bytes: usize,
    /// When its last byte came,
    pub(super) came: Duration,
    /// when its work began,
    pub(super) began: Duration,
    /// and when it began to wait, if it did.
    pub(super) parked: Option<Duration>,
}

impl Arrived {
    pub(super) fn observed(&self, response_bytes: usize, now: Duration, failed: bool) -> Observed {
        let elapsed = now.saturating_sub(self.came);
        Observed { request_bytes: self.bytes, response_bytes, elapsed, failed }
    }

    /// Its parts, for a reply that was decided and sent at these times.
    pub(super) fn parts(&self, decided: Duration, sent: Duration) -> Parts {
        Parts {
            queue: self.began.saturating_sub(self.came),
            local: self.parked.unwrap_or(decided).saturating_sub(self.began),
            wait: self.parked.map(|parked| decided.saturating_sub(parked)),
            send: sent.saturating_sub(decided),
        }
    }
}

/// What a trace wants to know of a reply.
pub(super) struct Replied {
    pub(super) bytes: usize,
    pub(super) error: Option<&'static str>,
}

/// A request whose reply is sent.
pub(super) struct Sent {
    pub(super) request: Arrived,
    pub(super) decided: Duration,
    /// Of one that is traced.
    pub(super) replied: Option<Box<Replied>>,
}

/// Requests whose replies are decided and not all sent, in order.
#[derive(Default)]
pub(super) struct Unsent {
    /// With where in all that is sent the reply ends.
    requests: VecDeque<(Sent, u64)>,
    /// Bytes of all replies so far.
    pushed_bytes: u64,
}

impl Unsent {
    pub(super) fn push(
        &mut self,
        request: Arrived,
        bytes: usize,
        decided: Duration,
        replied: Option<Box<Replied>>,
    ) {
        self.pushed_bytes += bytes as u64;
        if self.requests.len() < TIMED_MAX {
            self.requests.push_back((Sent { request, decided, replied }, self.pushed_bytes));
        }
    }

    /// The first of them whose reply is sent, when so many bytes of all replies are not.
    pub(super) fn sent_before(&mut self, unsent_bytes: usize) -> Option<Sent> {
        let sent_bytes = self.pushed_bytes.saturating_sub(unsent_bytes as u64);
        let (.., end) = self.requests.front()?;
        if *end > sent_bytes {
            return None;
        }
        self.requests.pop_front().map(|(sent, _)| sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn request(key: i16) -> Arrived {
        Arrived { key, traced: None, bytes: 10, came: ms(1), began: ms(3), parked: None }
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let waited = Arrived { parked: Some(ms(10)), ..request(0) };
        let expected = Parts { queue: ms(2), local: ms(7), wait: Some(ms(20)), send: ms(5) };
        assert_eq!(waited.parts(ms(30), ms(35)), expected);
        assert_eq!(waited.observed(1, ms(30), false).elapsed, ms(29));
        let at_once = Parts { queue: ms(2), local: ms(1), wait: None, send: ms(0) };
        assert_eq!(request(0).parts(ms(4), ms(4)), at_once);
    }

    #[test]
    fn a_reply_is_sent_when_its_last_byte_is() {
        let mut unsent = Unsent::default();
        unsent.push(request(0), 100, ms(5), None);
        unsent.push(request(1), 50, ms(6), None);
        let sent = |unsent: &mut Unsent, left| unsent.sent_before(left).map(|sent| sent.request.key);
        assert_eq!(sent(&mut unsent, 51), None);
        assert_eq!(sent(&mut unsent, 50), Some(0));
        assert_eq!(sent(&mut unsent, 1), None);
        unsent.push(request(2), 7, ms(7), None);
        assert_eq!(
            (sent(&mut unsent, 0), sent(&mut unsent, 0), sent(&mut unsent, 0)),
            (Some(1), Some(2), None)
        );
    }

    #[test]
    fn a_peer_that_reads_nothing_takes_no_more_memory() {
        let mut unsent = Unsent::default();
        (0..10_000).for_each(|_| unsent.push(request(0), 10, ms(5), None));
        assert_eq!(unsent.requests.len(), TIMED_MAX);
        unsent.push(request(1), 10, ms(5), None);
        while unsent.sent_before(0).is_some() {}
        unsent.push(request(2), 10, ms(6), None);
        assert_eq!(unsent.sent_before(0).map(|sent| sent.request.key), Some(2));
    }
}
