//! What must be true after every start: acknowledged and seen batches at their offsets with their bytes, offsets
//! continuous, each producer's batches in the order in which they were sent, nothing twice, nothing that nobody sent.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use storage::{BatchHeader, Offset};

use crate::TOPICS;
use crate::process::Client;
use crate::produce::{BatchId, Place, Produced, batches_of, call_fetch, fetch};

/// What clients know about one data directory.
#[derive(Default)]
pub(crate) struct History {
    acknowledged: BTreeMap<Place, BatchId>,
    /// Records that a reader was shown on a log.
    seen: BTreeMap<Place, BatchId>,
    /// How many batches each producer sent.
    sent: HashMap<u64, u64>,
}

impl History {
    pub(crate) fn add(&mut self, produced: Produced) {
        self.sent.insert(produced.producer, produced.sent);
        for (place, batch) in produced.acknowledged {
            let other = self.acknowledged.insert(place, batch);
            assert_eq!(other, None, "two batches were acknowledged at {place:?}");
        }
    }

    pub(crate) fn add_seen(&mut self, seen: Vec<(Place, BatchId)>) {
        for (place, batch) in seen {
            let other = *self.seen.entry(place).or_insert(batch);
            assert_eq!(other, batch, "two batches were shown at {place:?}");
        }
    }

    pub(crate) fn acknowledged_records(&self) -> u64 {
        self.acknowledged
            .values()
            .map(|batch| BatchHeader::parse(&batch.bytes()).unwrap().record_count as u64)
            .sum()
    }
}

pub(crate) fn audit(client: &mut Client, history: &History) {
    let mut found = BTreeMap::new();
    for topic in 0..TOPICS.len() {
        for (partition, batches) in read_topic(client, topic) {
            check_partition(topic, partition, &batches, history);
            let offset_of = |batch: &Bytes| BatchHeader::parse(batch).unwrap().base_offset.0;
            found.extend(batches.iter().map(|b| ((topic, partition, offset_of(b)), BatchId::of(b))));
        }
    }
    for (place, batch) in &history.acknowledged {
        assert_eq!(found.get(place), Some(batch), "acknowledged at {place:?} (topic, partition, offset)");
    }
    for (place, batch) in &history.seen {
        assert_eq!(found.get(place), Some(batch), "shown to a reader at {place:?}");
    }
}

/// Everything in a topic.
fn read_topic(client: &mut Client, topic: usize) -> BTreeMap<i32, Vec<Bytes>> {
    let mut next: BTreeMap<i32, i64> = (0..TOPICS[topic].1).map(|partition| (partition, 0)).collect();
    let mut found: BTreeMap<i32, Vec<Bytes>> = BTreeMap::new();
    while !next.is_empty() {
        let wanted: Vec<(i32, i64)> = next.iter().map(|(partition, offset)| (*partition, *offset)).collect();
        let mut came = 0;
        for (partition, batches, high_watermark) in batches_of(call_fetch(client, &fetch(topic, &wanted, 0)))
        {
            let at = next.get_mut(&partition).unwrap();
            for batch in batches {
                *at = BatchHeader::parse(&batch).unwrap().next_offset().0;
                came += 1;
                found.entry(partition).or_default().push(batch);
            }
            if *at >= high_watermark {
                assert_eq!(*at, high_watermark, "a batch ends behind the high watermark");
                next.remove(&partition);
                came += 1;
            }
        }
        assert!(came > 0, "nothing more comes of {}, at {next:?}", TOPICS[topic].0);
    }
    found
}

fn check_partition(topic: usize, partition: i32, batches: &[Bytes], history: &History) {
    let place = format!("{} {partition}", TOPICS[topic].0);
    let mut expected = Offset(0);
    let mut last: HashMap<u64, u64> = HashMap::new();
    for batch in batches {
        let header = BatchHeader::parse(batch).unwrap();
        assert_eq!(header.base_offset, expected, "{place}: offsets are continuous");
        expected = header.next_offset();
        let id = BatchId::of(batch);
        let sent = history.sent.get(&id.producer).copied().unwrap_or(0);
        assert!(id.number < sent, "{place}: nobody sent {id:?}");
        // Offset and epoch are the log's, up to the magic byte; all behind them is the producer's.
        assert_eq!(batch[16..], id.bytes()[16..], "{place}: the bytes of {id:?}");
        if let Some(before) = last.insert(id.producer, id.number) {
            assert!(before < id.number, "{place}: {id:?} behind number {before}");
        }
    }
}
