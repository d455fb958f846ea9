//! What is counted of the traces that leave for a collector. Both counts are there, and stay 0, while traces are off.

use super::registry::Registry;
use super::table;
use metrics::Counter;

/// Handles; copies count into the same series.
#[derive(Clone)]
pub struct TraceMetrics {
    sent: Counter,
    dropped: Counter,
}

impl TraceMetrics {
    pub(super) fn new(registry: &Registry) -> TraceMetrics {
        TraceMetrics {
            sent: registry.counter(&table::TRACE_SPANS_SENT, &[]),
            dropped: registry.counter(&table::TRACE_SPANS_DROPPED, &[]),
        }
    }

    /// A collector took so many spans.
    pub fn sent(&self, spans: u64) {
        self.sent.increment(spans);
    }

    /// So many will reach nobody.
    pub fn dropped(&self, spans: u64) {
        self.dropped.increment(spans);
    }
}
