//! The same requests, good and wrong, to Apache Kafka and to Ottla: the replies must be the same field by field, or both
//! close the connection, but for the closed list in [`allowed`].
//!
//! Both brokers live through the same history: a case may rest on those before it. What each broker chooses for itself
//! (ids, ports, times, the order in which topics are answered) is made the same before replies are compared.

mod admin;
mod allowed;
mod broken;
mod broker_settings;
mod cluster;
mod group_settings;
mod operating;
mod peer;
mod quotas;
mod reading;
mod reply;
mod script;
mod settings;
mod writing;

use self::allowed::Judgement;
use self::peer::{Outcome, Peer};
pub(super) use self::reply::flat;
use self::script::{Case, Script};
use super::now_ms;
use crate::harness::place::Judged;
use crate::harness::{Spec, Stage};
use anyhow::{Result, ensure};
use protocol_compat::versions::{APIS, api_info};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::thread;
use std::time::Duration;

/// The project promises at least so many.
const CASES_MIN: usize = 1_000;
/// Cases of each version of each API, at least.
const CASES_OF_A_VERSION_MIN: usize = 6;
/// Apache Kafka shows what it has done some milliseconds later; a question that changes nothing is asked again so often.
const TRIES: usize = 40;
const PRODUCER_IDS: i16 = 22;
const PAUSE: Duration = Duration::from_millis(50);
const SHOWN_MAX: usize = 120;
const NAMES_SHOWN_MAX: usize = 8;

pub(crate) fn requests_are_answered_alike(stage: &Stage) -> Result<()> {
    // Topics come by request alone: that Ottla answers their creation at once is a difference that is meant.
    let mut spec = Spec::default().set("auto.create.topics.enable", "false");
    for (name, value) in super::groups::SETTINGS {
        spec = spec.set(name, value);
    }
    let spec = || spec.clone();
    let kafka = stage.broker_of(Judged::Kafka, spec())?;
    let ottla = stage.broker_of(Judged::Ottla, spec())?;
    let brokers = (kafka.bootstrap().to_owned(), ottla.bootstrap().to_owned());
    let mut kafka = Peer::connect(&brokers.0)?;
    let mut ottla = Peer::connect(&brokers.1)?;
    let mut report = Report::default();

    play(&admin::topics_to_work_with(), &mut kafka, &mut ottla, &mut report)?;
    for peer in [&mut kafka, &mut ottla] {
        stage.wait_for("the topics to be served", || peer.learn_ids(admin::TOPICS))?;
    }
    let mut script = Script::default();
    writing::produce(&mut script, now_ms());
    reading::fetch(&mut script);
    reading::list_offsets(&mut script, now_ms());
    reading::epochs(&mut script);
    writing::delete_records(&mut script);
    writing::producer_ids(&mut script);
    settings::all(&mut script);
    broker_settings::all(&mut script);
    group_settings::all(&mut script);
    admin::create(&mut script);
    admin::partitions(&mut script);
    cluster::all(&mut script);
    operating::all(&mut script);
    quotas::all(&mut script);
    admin::delete(&mut script);
    broken::all(&mut script);
    play(&script, &mut kafka, &mut ottla, &mut report)?;
    ensure!(report.is_clean(), "{}", report.shown()?);
    report.check_coverage()?;
    super::groups::are_answered_alike(stage, &brokers.0, &brokers.1)
}

fn play(script: &Script, kafka: &mut Peer, ottla: &mut Peer, report: &mut Report) -> Result<()> {
    // Whether Apache Kafka had its time since the last change.
    let mut is_settled = false;
    for case in script.cases() {
        let ours = ottla.ask(case)?;
        let mut theirs = kafka.ask(case)?;
        // Its block of producer ids comes only when somebody asks for one.
        is_settled &= case.changes_nothing && case.key != PRODUCER_IDS;
        for _ in 0..TRIES {
            if is_settled
                || !case.changes_nothing
                || allowed::judge(case, &theirs, &ours) != Judgement::Different
            {
                break;
            }
            thread::sleep(PAUSE);
            theirs = kafka.ask(case)?;
        }
        is_settled |= case.changes_nothing;
        report.note(case, &theirs, &ours);
    }
    Ok(())
}

#[derive(Default)]
struct Report {
    count: usize,
    different: usize,
    of_version: BTreeMap<(i16, i16), usize>,
    answered: BTreeSet<(i16, i16)>,
    /// The differences of the list that were seen.
    meant: BTreeSet<&'static str>,
    /// Cases by the way in which they differ.
    kinds: BTreeMap<String, Vec<String>>,
}

impl Report {
    fn note(&mut self, case: &Case, theirs: &Outcome, ours: &Outcome) {
        self.count += 1;
        *self.of_version.entry((case.key, case.version)).or_default() += 1;
        if matches!(theirs, Outcome::Reply(_)) {
            self.answered.insert((case.key, case.version));
        }
        match allowed::judge(case, theirs, ours) {
            Judgement::Alike => {}
            Judgement::Meant(why) => drop(self.meant.insert(why)),
            Judgement::Different => {
                self.different += 1;
                self.kinds
                    .entry(difference(&theirs.to_string(), &ours.to_string()))
                    .or_default()
                    .push(case.name.clone());
            }
        }
    }

    /// Every version of every API that Ottla serves has its cases, and is answered in some of them.
    fn check_coverage(&self) -> Result<()> {
        ensure!(self.count >= CASES_MIN, "only {} requests", self.count);
        for key in script::SERVED {
            let api = api_info(*key).expect("Kafka has it");
            for version in api.min..=api.max {
                let found = self.of_version.get(&(*key, version)).copied().unwrap_or(0);
                ensure!(found >= CASES_OF_A_VERSION_MIN, "{} {version}: only {found} requests", api.name);
                ensure!(self.answered.contains(&(*key, version)), "{} {version} is never answered", api.name);
            }
        }
        let unseen = allowed::unseen(&self.meant);
        ensure!(unseen.is_empty(), "allowed, and nowhere to be seen: {unseen:#?}");
        ensure!(script::SERVED.iter().all(|key| APIS.iter().any(|api| api.key == *key)), "an API of nobody");
        Ok(())
    }

    fn is_clean(&self) -> bool {
        self.kinds.is_empty()
    }

    fn shown(&self) -> Result<String> {
        let mut shown = format!("{} of {} requests are answered differently:\n", self.different, self.count);
        for (kind, names) in self.kinds.iter().take(SHOWN_MAX) {
            let some: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
            writeln!(shown, "{} cases, such as {}\n{kind}", names.len(), some.join("; "))?;
        }
        Ok(shown)
    }
}

/// The first lines that differ, with the path to them.
pub(super) fn difference(theirs: &str, ours: &str) -> String {
    const LINES_MAX: usize = 6;
    let (a, b): (Vec<&str>, Vec<&str>) = (theirs.lines().collect(), ours.lines().collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str]| {
        lines[same.min(lines.len())..].iter().take(LINES_MAX).copied().collect::<Vec<_>>().join("\n    | ")
    };
    let before = if same == 0 { "" } else { a[same - 1].trim() };
    format!("  behind {before:?}\n  kafka | {}\n  ottla | {}\n", rest(&a), rest(&b))
}
