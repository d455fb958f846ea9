//! A compacted log beside a plain list of what was appended.

use super::*;
use crate::codec::testing::CODECS;
use proptest::prelude::*;

fn cases() -> u32 {
    if std::env::var("OTTLA_EFFORT").is_ok_and(|effort| effort == "long") { 5_000 } else { 80 }
}

const RETENTION: Duration = Duration::from_secs(50);

#[derive(Clone, Debug)]
enum Step {
    /// Keys, and whether there is a value.
    Append {
        codec: usize,
        records: Vec<(Option<u8>, bool)>,
    },
    Roll,
    Clean,
    Wait(u64),
    Kill,
    Close,
    LoseCleanOffsets,
}

fn step() -> impl Strategy<Value = Step> {
    let record = (proptest::option::weighted(0.95, 0u8..12), proptest::bool::weighted(0.8));
    prop_oneof![
        20 => (0usize..5, proptest::collection::vec(record, 1..8))
            .prop_map(|(codec, records)| Step::Append { codec, records }),
        3 => Just(Step::Roll),
        4 => Just(Step::Clean),
        3 => (1u64..40).prop_map(Step::Wait),
        1 => Just(Step::Kill),
        1 => Just(Step::Close),
        1 => Just(Step::LoseCleanOffsets),
    ]
}

struct Run {
    world: World,
    appended: Vec<Seen>,
    /// When each offset was below the clean end for the first time.
    cleaned_at: BTreeMap<i64, i64>,
    appends: u32,
}

impl Run {
    fn append(&mut self, codec: Codec, records: &[(Option<u8>, bool)]) {
        self.appends += 1;
        let texts: Vec<_> = records
            .iter()
            .enumerate()
            .map(|(i, (key, has_value))| {
                let value = has_value.then(|| format!("value {} {i} {:?}", self.appends, key));
                (key.map(|key| format!("key {key}")), value)
            })
            .collect();
        let borrowed: Vec<_> = texts.iter().map(|(key, value)| (key.as_deref(), value.as_deref())).collect();
        let base = self.world.append(codec, &borrowed);
        let timestamp = self.world.now();
        for (i, (key, value)) in texts.into_iter().enumerate() {
            let (key, value) = (key.map(String::into_bytes), value.map(String::into_bytes));
            self.appended.push(Seen { offset: base + i as i64, timestamp, key, value });
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append { codec, records } => self.append(CODECS[*codec], records),
            Step::Roll => {
                let segments = self.world.log.segment_count();
                while self.world.log.segment_count() == segments {
                    self.append(Codec::None, &[(Some(99), true)]);
                }
            }
            Step::Clean => {
                self.world.dir.flush();
                self.world.dir.clean();
                self.check_cleaned();
            }
            Step::Wait(seconds) => self.world.clock.advance(Duration::from_secs(*seconds)),
            Step::Kill | Step::Close | Step::LoseCleanOffsets => {
                self.world.dir.flush();
                let before = self.world.records();
                match step {
                    Step::Close => self.world.dir.close(),
                    _ => self.world.files.kill(),
                }
                if matches!(step, Step::LoseCleanOffsets) {
                    let _ = self.world.files.remove_file(&Path::new(DIR).join("cleaner-offset-checkpoint"));
                }
                self.world.reopen();
                assert_eq!(self.world.records(), before, "after {step:?}");
            }
        }
        self.check();
    }

    /// What holds at any time.
    fn check(&self) {
        let high = self.world.log.high_watermark().0;
        let found: BTreeMap<i64, Seen> =
            self.world.records().into_iter().map(|record| (record.offset, record)).collect();
        for record in found.values() {
            assert_eq!(record, &self.appended[record.offset as usize], "a record is as it was appended");
        }
        let mut last: BTreeMap<&[u8], &Seen> = BTreeMap::new();
        for record in self.appended.iter().filter(|record| record.offset < high) {
            if let Some(key) = &record.key {
                last.insert(key, record);
            }
        }
        let now = self.world.now();
        for record in last.values() {
            let is_there = found.contains_key(&record.offset);
            let cleaned_at = self.cleaned_at.get(&record.offset);
            let may_go = record.value.is_none()
                && cleaned_at.is_some_and(|at| *at + RETENTION.as_millis() as i64 <= now);
            assert!(is_there || may_go, "the last of its key: {record:?}");
        }
        let untouched = self.world.log.segments.read().unwrap().last().map_or(high, |last| last.base.0);
        for record in self.appended.iter().filter(|record| (untouched..high).contains(&record.offset)) {
            assert!(found.contains_key(&record.offset), "in the active segment: {record:?}");
        }
    }

    /// What holds when nothing is left to clean.
    fn check_cleaned(&mut self) {
        let (end, now) = (self.world.clean_end(), self.world.now());
        let found = self.world.records();
        let mut later = std::collections::BTreeSet::new();
        for record in self.appended.iter().filter(|record| record.offset < end).rev() {
            self.cleaned_at.entry(record.offset).or_insert(now);
            let is_there = found.iter().any(|found| found.offset == record.offset);
            match &record.key {
                None => assert!(!is_there, "without a key: {record:?}"),
                Some(key) => {
                    let is_last = later.insert(key.clone());
                    assert!(is_last || !is_there, "superfluous: {record:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn a_compacted_log_is_what_a_plain_one_says(
        steps in proptest::collection::vec(step(), 1..120),
        seed: u64,
        keys in prop_oneof![Just(2u64), 3..20u64, Just(1_000u64)],
        segment_bytes in 400u32..2_000,
        is_durable: bool,
    ) {
        let config = LogConfig {
            segment_bytes,
            delete_retention: RETENTION,
            durability: if is_durable { Durability::Durable } else { Durability::Relaxed },
            ..compacted()
        };
        let cleaner = CleanerOptions {
            key_table_bytes_max: keys * 24,
            buffer_bytes: 1_000,
            ..CleanerOptions::default()
        };
        let world = World::with(seed, config, cleaner);
        let mut run = Run { world, appended: Vec::new(), cleaned_at: BTreeMap::new(), appends: 0 };
        steps.iter().for_each(|step| run.step(step));
        // The first of them may only have begun the log.
        [Step::Roll, Step::Roll, Step::Clean].iter().for_each(|step| run.step(step));
        prop_assert!(run.world.clean_end() > 0);
        prop_assert_eq!(run.world.log.damaged_bytes() + run.world.log.quarantined_bytes(), 0);
    }
}
