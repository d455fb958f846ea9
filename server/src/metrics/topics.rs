//! Topics and their partitions, as they stand when someone asks, the busiest of them by name.

use super::exposition::Text;
use super::named::{Crowd, OTHER};
use super::table::{
    PARTITION_BYTES, PARTITION_END, PARTITION_SEGMENTS, PARTITION_START, TOPIC_BYTES, TOPIC_PARTITIONS,
    TOPIC_RECEIVED_BYTES, TOPIC_RECEIVED_RECORDS, TOPIC_SENT_BYTES, TOPIC_SENT_RECORDS,
};
use super::{Metric, NamedMax};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What went through a partition since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    pub records_in: u64,
    pub bytes_in: u64,
    pub records_out: u64,
    pub bytes_out: u64,
}

/// One partition at one time.
#[derive(Clone, Debug)]
pub struct PartitionFigures {
    pub topic: Arc<str>,
    pub index: i32,
    pub start_offset: i64,
    pub end_offset: i64,
    pub log_bytes: u64,
    pub segments: u64,
    pub moved: Moved,
}

/// Called for each scrape; `None` once there is nobody to ask.
pub type AskPartitions = Box<dyn Fn() -> Option<Vec<PartitionFigures>> + Send + Sync>;

/// The counters of a topic that are shown. Before them stands one that tells how busy it is: the bytes of both ways.
const COUNTERS: [&Metric; 4] =
    [&TOPIC_RECEIVED_BYTES, &TOPIC_SENT_BYTES, &TOPIC_RECEIVED_RECORDS, &TOPIC_SENT_RECORDS];
const COUNTED: usize = 1 + COUNTERS.len();

/// What is shown of one topic, or of all without a name.
#[derive(Clone, Copy, Default)]
struct Topic {
    counts: [u64; COUNTED],
    partitions: u64,
    log_bytes: u64,
}

/// A metric, and what of one it shows.
type Shown<T> = (&'static Metric, fn(&T) -> u64);

/// A log has no offsets below zero.
fn offset(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

/// What is shown of all partitions without a name.
#[derive(Default)]
struct Rest {
    any: bool,
    start: u64,
    end: u64,
    log_bytes: u64,
    segments: u64,
}

pub(super) struct TopicMetrics {
    crowd: Crowd<COUNTED>,
    partitions_max: usize,
}

impl TopicMetrics {
    pub(super) fn new(named_max: NamedMax) -> TopicMetrics {
        TopicMetrics { crowd: Crowd::new(named_max.topics), partitions_max: named_max.partitions }
    }

    /// Shows them; answers how many topics and partitions there are.
    pub(super) fn show(&mut self, text: &mut Text, mut all: Vec<PartitionFigures>) -> (usize, usize) {
        all.sort_unstable_by(|a, b| (&a.topic, a.index).cmp(&(&b.topic, b.index)));
        let mut topics: BTreeMap<Arc<str>, Topic> = BTreeMap::new();
        for partition in &all {
            let topic = topics.entry(partition.topic.clone()).or_default();
            let Moved { records_in, bytes_in, records_out, bytes_out } = partition.moved;
            for (count, more) in topic.counts.iter_mut().zip([
                bytes_in + bytes_out,
                bytes_in,
                bytes_out,
                records_in,
                records_out,
            ]) {
                *count += more;
            }
            topic.partitions += 1;
            topic.log_bytes += partition.log_bytes;
        }
        let counts: Vec<_> = topics.iter().map(|(name, topic)| (name.clone(), topic.counts)).collect();
        self.crowd.look(&counts);
        self.show_topics(text, &topics);
        self.show_partitions(text, &all);
        (topics.len(), all.len())
    }

    fn show_topics(&self, text: &mut Text, topics: &BTreeMap<Arc<str>, Topic>) {
        let (named, others): (Vec<_>, Vec<_>) =
            topics.iter().partition(|(name, _)| self.crowd.is_named(name));
        let other = self.crowd.other().map(|counts| Topic {
            counts,
            partitions: others.iter().map(|(_, topic)| topic.partitions).sum(),
            log_bytes: others.iter().map(|(_, topic)| topic.log_bytes).sum(),
        });
        let gauges: [Shown<Topic>; 2] =
            [(&TOPIC_PARTITIONS, |topic| topic.partitions), (&TOPIC_BYTES, |topic| topic.log_bytes)];
        let mut show = |metric: &Metric, value: &dyn Fn(&Topic) -> u64| {
            text.family(metric);
            for (name, topic) in &named {
                text.series(metric, &[name], value(topic) as f64);
            }
            if let Some(other) = &other {
                text.series(metric, &[OTHER], value(other) as f64);
            }
        };
        for (at, metric) in COUNTERS.iter().enumerate() {
            show(metric, &|topic| topic.counts[1 + at]);
        }
        for (metric, value) in gauges {
            show(metric, &value);
        }
    }

    /// Partitions of topics without a name have none either.
    fn show_partitions(&self, text: &mut Text, all: &[PartitionFigures]) {
        let mut left = self.partitions_max;
        let (mut named, mut rest) = (Vec::new(), Rest::default());
        for partition in all {
            if left > 0 && self.crowd.is_named(&partition.topic) {
                left -= 1;
                named.push((partition, partition.index.to_string()));
            } else {
                rest.add(partition);
            }
        }
        let gauges: [(Shown<PartitionFigures>, u64); 4] = [
            ((&PARTITION_START, |p| offset(p.start_offset)), rest.start),
            ((&PARTITION_END, |p| offset(p.end_offset)), rest.end),
            ((&PARTITION_BYTES, |p| p.log_bytes), rest.log_bytes),
            ((&PARTITION_SEGMENTS, |p| p.segments), rest.segments),
        ];
        for ((metric, value), of_rest) in gauges {
            text.family(metric);
            for (partition, index) in &named {
                text.series(metric, &[&partition.topic, index], value(partition) as f64);
            }
            if rest.any {
                text.series(metric, &[OTHER, OTHER], of_rest as f64);
            }
        }
    }
}

impl Rest {
    fn add(&mut self, partition: &PartitionFigures) {
        self.any = true;
        self.start += offset(partition.start_offset);
        self.end += offset(partition.end_offset);
        self.log_bytes += partition.log_bytes;
        self.segments += partition.segments;
    }
}
