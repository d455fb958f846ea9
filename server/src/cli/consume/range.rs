//! Where each partition begins and ends, and how far it was read.

use std::collections::BTreeMap;

use storage::Record;

use super::ConsumeArgs;
use crate::cli::remote::Stop;
use crate::client::{Client, TopicPartition, When};

/// Where a partition ends.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Limit {
    /// Without it.
    offset: Option<i64>,
    /// The first record of this time or later, where there was none when it was asked for.
    time: Option<i64>,
}

impl Limit {
    pub(super) fn is_reached(&self, record: &Record<'_>) -> bool {
        self.offset.is_some_and(|end| record.offset.0 >= end)
            || self.time.is_some_and(|time| record.timestamp >= time)
    }
}

/// The partitions that are still read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    reading: BTreeMap<TopicPartition, (i64, Limit)>,
}

impl Progress {
    pub(super) fn positions(&self) -> BTreeMap<TopicPartition, i64> {
        self.reading.iter().map(|(partition, (position, _))| (partition.clone(), *position)).collect()
    }

    pub(super) fn limit(&self, partition: &TopicPartition) -> Limit {
        self.reading.get(partition).map(|(_, limit)| *limit).unwrap_or_default()
    }

    /// A partition was read up to here.
    pub(super) fn advance(&mut self, partition: &TopicPartition, to: i64) {
        let Some((position, limit)) = self.reading.get_mut(partition) else { return };
        *position = to.max(*position);
        // The record before the end may be one that is not there any more.
        if limit.offset.is_some_and(|end| *position >= end) {
            self.reading.remove(partition);
        }
    }

    pub(super) fn end(&mut self, partition: &TopicPartition) {
        self.reading.remove(partition);
    }

    pub(super) fn is_over(&self) -> bool {
        self.reading.is_empty()
    }
}

/// Looks up where everything begins and ends.
pub(super) async fn begin(client: &mut Client, args: &ConsumeArgs) -> Result<Progress, Stop> {
    let partitions = partitions(client, args).await?;
    let starts = places(client, &partitions, When::Earliest).await?;
    let ends = places(client, &partitions, When::Latest).await?;
    let from_time = match args.from.from_time {
        Some(moment) => places(client, &partitions, When::At(moment.0)).await?,
        None => BTreeMap::new(),
    };
    let to_time = match args.to_time {
        Some(moment) => places(client, &partitions, When::At(moment.0)).await?,
        None => BTreeMap::new(),
    };
    let mut progress = Progress::default();
    for partition in partitions {
        let place =
            |places: &BTreeMap<TopicPartition, Option<i64>>| places.get(&partition).copied().flatten();
        let (start, end) = (place(&starts).unwrap_or(0), place(&ends).unwrap_or(0));
        let from = &args.from;
        let position = match (from.from_beginning, from.from_offset, from.last) {
            (true, _, _) => start,
            (_, Some(offset), _) => offset.max(start),
            (_, _, Some(last)) => end.saturating_sub(last).max(start),
            _ if from.from_time.is_some() => place(&from_time).unwrap_or(end),
            _ => end,
        };
        let by_time = place(&to_time);
        let asked = args.to_offset.or(by_time);
        let limit = Limit {
            offset: if args.exit_at_end { Some(asked.map_or(end, |asked| asked.min(end))) } else { asked },
            time: args.to_time.map(|moment| moment.0).filter(|_| by_time.is_none()),
        };
        if position > end {
            return Err(Stop::Failed(format!(
                "partition {partition}: offset {position} lies behind its end, {end}"
            )));
        }
        progress.reading.insert(partition.clone(), (position, limit));
        progress.advance(&partition, position);
    }
    Ok(progress)
}

async fn partitions(client: &mut Client, args: &ConsumeArgs) -> Result<Vec<TopicPartition>, Stop> {
    let metadata = client.metadata(Some(&args.topics), false).await?;
    let mut all = Vec::new();
    for name in &args.topics {
        let Some(topic) = metadata.topics.get(name) else {
            return Err(Stop::Failed(format!("topic '{name}': there is no such topic")));
        };
        topic.check()?;
        let indexes: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).collect();
        if let Some(missing) = args.partition.iter().find(|index| !indexes.contains(index)) {
            return Err(Stop::Failed(format!("topic '{name}' has no partition {missing}")));
        }
        let is_wanted = |index: &i32| args.partition.is_empty() || args.partition.contains(index);
        all.extend(indexes.into_iter().filter(is_wanted).map(|index| TopicPartition::new(name, index)));
    }
    Ok(all)
}

async fn places(
    client: &mut Client,
    partitions: &[TopicPartition],
    when: When,
) -> Result<BTreeMap<TopicPartition, Option<i64>>, Stop> {
    let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), when)).collect();
    let mut places = BTreeMap::new();
    for (partition, found) in client.offsets_at(&wanted).await? {
        places.insert(partition, found?);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_over_at_its_limit() {
        let (one, other) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        let limit = Limit { offset: Some(5), time: None };
        let mut progress = Progress::default();
        progress.reading.insert(one.clone(), (0, limit));
        progress.reading.insert(other.clone(), (9, Limit::default()));
        progress.advance(&one, 4);
        assert_eq!(progress.positions()[&one], 4);
        progress.advance(&one, 7);
        assert_eq!(progress.positions().len(), 1, "what lies beyond the limit was never there");
        progress.advance(&other, 3);
        assert_eq!(progress.positions()[&other], 9, "nothing goes back");
        progress.end(&other);
        assert!(progress.is_over());
    }
}
