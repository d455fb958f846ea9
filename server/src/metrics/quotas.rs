//! What is counted of clients that rest for their quotas.

use super::exposition::Text;
use super::histogram::Histogram;
use super::table::{self, QUOTA_NAMES};
use std::time::Duration;

/// One histogram for each kind of quota, made at the start.
pub struct QuotaMetrics(Vec<(&'static str, Histogram)>);

impl QuotaMetrics {
    pub(super) fn new() -> QuotaMetrics {
        let histogram = |name: &&'static str| (*name, Histogram::new(table::QUOTA_THROTTLE_TIME.buckets));
        QuotaMetrics(QUOTA_NAMES.iter().map(histogram).collect())
    }

    /// A connection rests for so long for the quota of this name.
    pub fn throttled(&self, name: &str, time: Duration) {
        if let Some((_, histogram)) = self.0.iter().find(|(known, _)| *known == name) {
            histogram.record(time);
        }
    }

    pub(super) fn show(&self, text: &mut Text) {
        text.family(&table::QUOTA_THROTTLE_TIME);
        for (name, histogram) in &self.0 {
            text.histogram(&table::QUOTA_THROTTLE_TIME, &[name], histogram);
        }
    }
}
