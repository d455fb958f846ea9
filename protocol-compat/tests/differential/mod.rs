//! The same batches, good and bad, to Apache Kafka and to Ottla: error codes, offsets, times, blamed records and what is
//! read back must be the same, but for the closed list in [`cases::Meant`].

mod adopted;
pub(crate) mod batch;
pub(crate) mod cases;
mod defects;
mod groups;
pub(crate) mod moved;
pub(crate) mod peer;
mod producers;
mod relocated;
mod requests;

use self::batch::{LOG_APPEND_TIME, Served};
use self::cases::{Case, Meant, TOPICS, UNREADABLE};
use self::peer::{Peer, Verdict};
use crate::harness::place::Judged;
use crate::harness::{Need, Scenario, Spec, Stage};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// The project promises at least so many.
const CASES_MIN: usize = 500;
/// Differences shown before the rest is only counted.
const SHOWN_MAX: usize = 400;
const NAMES_SHOWN_MAX: usize = 12;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let moved = moved::our_segments_are_served_by_kafka;
    let compacted = moved::our_compacted_segments_are_served_by_kafka;
    vec![
        Scenario::of_ottla("differential::adopted_after_a_kill", &[Need::Java], adopted::after_a_kill),
        Scenario::of_ottla("differential::adopted_after_a_stop", &[Need::Java], adopted::after_a_stop),
        Scenario::of_ottla("differential::compacted_segments_served_by_kafka", &[Need::Java], compacted),
        Scenario::of_ottla("differential::batches", &[Need::Java], batches_are_judged_alike),
        Scenario::of_ottla("differential::relocated", &[Need::Java], relocated::moves_are_answered_alike),
        Scenario::of_ottla("differential::requests", &[Need::Java], requests::requests_are_answered_alike),
        Scenario::of_ottla("differential::segments_served_by_kafka", &[Need::Java], moved),
    ]
}

fn batches_are_judged_alike(stage: &Stage) -> Result<()> {
    // Topics come by request alone, so that a case about an unknown one means the same to both.
    let spec = || Spec::default().set("auto.create.topics.enable", "false");
    let kafka = stage.broker_of(Judged::Kafka, spec())?;
    let ottla = stage.broker_of(Judged::Ottla, spec())?;
    let mut kafka = Peer::connect(kafka.bootstrap())?;
    let mut ottla = Peer::connect(ottla.bootstrap())?;
    kafka.create(TOPICS)?;
    ottla.create(TOPICS)?;
    stage.wait_for("Apache Kafka to show its topics", || {
        Ok(TOPICS.iter().all(|topic| kafka.fetch(topic.name, 0).is_ok_and(|(error, ..)| error == 0)))
    })?;
    let now = now_ms();
    let cases: Vec<Case> = [
        cases::good(now),
        cases::versions(now),
        cases::requests(now),
        defects::all(now),
        producers::all(now),
    ]
    .into_iter()
    .flatten()
    .collect();
    ensure!(cases.len() >= CASES_MIN, "only {} cases", cases.len());
    let mut judged = Judgements::default();
    for case in &cases {
        let (theirs, mut ours) = (kafka.produce(case)?, ottla.produce(case)?);
        ours.shift(judged.shifts.get(case.topic).copied().unwrap_or(0));
        if !is_alike(case, &theirs, &ours) {
            judged.note(case, &theirs, &ours);
            let shift = kafka.end(case.topic)? - ottla.end(case.topic)?;
            judged.shifts.insert(case.topic, shift);
        }
    }
    let mut differences = Vec::new();
    for topic in TOPICS.iter().filter(|topic| topic.name != UNREADABLE) {
        compare_topic(topic.name, now, &mut kafka, &mut ottla, &mut differences)?;
    }
    let mut shown = judged.shown();
    for difference in differences.iter().take(SHOWN_MAX) {
        writeln!(shown, "  {difference}")?;
    }
    ensure!(
        shown.is_empty(),
        "{} of {} batches are judged differently, {} topics or answers differ:\n{shown}",
        judged.count,
        cases.len(),
        differences.len()
    );
    Ok(())
}

/// Cases that were judged differently, those of one kind together.
#[derive(Default)]
struct Judgements {
    count: usize,
    kinds: BTreeMap<String, Vec<String>>,
    /// How far the offsets of a topic lie apart since a batch was taken by one broker only.
    shifts: BTreeMap<&'static str, i64>,
}

impl Judgements {
    fn note(&mut self, case: &Case, theirs: &Verdict, ours: &Verdict) {
        self.count += 1;
        let kind = format!("kafka {theirs:?}\n    ottla {ours:?}");
        self.kinds.entry(kind).or_default().push(case.name.clone());
    }

    fn shown(&self) -> String {
        let kinds = self.kinds.iter().take(SHOWN_MAX);
        kinds
            .map(|(kind, names)| {
                let some: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
                format!("  {} cases, such as {}\n    {kind}\n", names.len(), some.join(", "))
            })
            .collect()
    }
}

fn is_alike(case: &Case, theirs: &Verdict, ours: &Verdict) -> bool {
    const UNKNOWN_SERVER_ERROR: i16 = -1;
    const INVALID_RECORD: i16 = 87;
    let codes = (theirs.error(), ours.error());
    let is_meant = match case.meant {
        Meant::Nothing => false,
        Meant::Undecodable => codes == (Some(UNKNOWN_SERVER_ERROR), Some(INVALID_RECORD)),
        Meant::Unreadable => matches!(codes, (Some(0 | UNKNOWN_SERVER_ERROR), Some(INVALID_RECORD))),
    };
    is_meant || theirs.is_met_by(ours)
}

/// What the topic holds in the end, and what is answered about its times.
fn compare_topic(
    topic: &str,
    now: i64,
    kafka: &mut Peer,
    ottla: &mut Peer,
    differences: &mut Vec<String>,
) -> Result<()> {
    let (theirs, ours) = (kafka.fetch(topic, 0)?, ottla.fetch(topic, 0)?);
    if (theirs.0, theirs.1, theirs.2) != (ours.0, ours.1, ours.2) {
        differences.push(format!(
            "{topic}: error, high watermark and start are {:?} and {:?}",
            (theirs.0, theirs.1, theirs.2),
            (ours.0, ours.1, ours.2)
        ));
    }
    let (theirs, ours) = (comparable(&theirs.3, now)?, comparable(&ours.3, now)?);
    let unequal = theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours);
    if let Some((theirs, ours)) = unequal {
        differences.push(format!(
            "{topic}: the first batch that differs\n    kafka {}\n    ottla {}",
            brief(theirs),
            brief(ours)
        ));
    } else if theirs.len() != ours.len() {
        differences.push(format!("{topic}: {} and {} batches", theirs.len(), ours.len()));
    }
    let stamped = theirs.iter().any(|batch| batch.attributes & LOG_APPEND_TIME != 0);
    let hour = 3_600_000;
    let mut asked = vec![-1, -2, -4, -5, -6, -7, i64::MAX, now + 48 * hour];
    if !stamped {
        let times = theirs
            .iter()
            .flat_map(|batch| [batch.base_time, batch.base_time.saturating_add(2), batch.max_time]);
        let mut times: Vec<i64> = times.filter(|time| *time >= 0).collect();
        times.sort_unstable();
        times.dedup();
        asked.push(-3);
        asked.extend(times.iter().step_by(times.len().div_ceil(60).max(1)));
        asked.extend([0, 1, now - hour, now, now + 1, now + 2, now + hour / 2]);
    }
    let (theirs, ours) = (kafka.offsets(topic, &asked)?, ottla.offsets(topic, &asked)?);
    for ((asked, theirs), ours) in asked.iter().zip(theirs).zip(ours) {
        if theirs != ours {
            differences.push(format!("{topic}: the offset for {asked} is {theirs:?} and {ours:?}"));
        }
    }
    Ok(())
}

/// The batches, the time of the broker's own clock made the same in all.
fn comparable(bytes: &[u8], now: i64) -> Result<Vec<Served>> {
    let mut found = batch::read_all(bytes)?;
    for batch in &mut found {
        let is_of_the_broker = batch.attributes & LOG_APPEND_TIME != 0 && batch.max_time >= now;
        if is_of_the_broker {
            batch.max_time = now;
        }
    }
    Ok(found)
}

fn brief(batch: &Served) -> String {
    let Served { plain, .. } = batch;
    let head = &plain[..plain.len().min(48)];
    format!(
        "{:?}, {} bytes beginning with {head:02x?}",
        Served { plain: Vec::new(), ..batch.clone() },
        plain.len()
    )
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("the clock is not that far")
}
