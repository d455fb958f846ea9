//! Live groups go over from the classic protocol to the newer one and back: each member in its turn ends and begins anew
//! with the other protocol, while 100,000 records are written. Each record is read, and no committed offset goes back.

use crate::harness::{Client, Scenario, Stage};
use crate::members::crew::Crew;
use crate::members::ledger::{Ledger, Offsets};
use crate::members::{LOOK_AGAIN, RECORDS, asking, is_shared, short_sessions, wait_until, write_steadily};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const PARTITIONS: i32 = 12;
const TOPIC: &str = "suite";
const MEMBERS: usize = 3;
const LIMIT: Duration = Duration::from_secs(60);

/// The newer protocol, as an order to join names it.
const NEWER: &str = "consumer";

/// A group, and the assignor that its members have as long as they are classic ones. What they give up all of with the one
/// they keep with the other.
struct Group {
    name: &'static str,
    assignor: &'static str,
}

const GROUPS: [Group; 2] = [
    Group { name: "eager", assignor: "range" },
    Group { name: "cooperative", assignor: "cooperative-sticky" },
];

/// Where the members are on their way: who is on the next leg has another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leg {
    Before,
    Newer,
    Back,
}

impl Leg {
    fn member(self, group: &Group, n: usize) -> String {
        format!("{}-{n}-{self:?}", group.name)
    }

    fn how(self, group: &Group) -> &'static str {
        if self == Self::Newer { NEWER } else { group.assignor }
    }
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::with_clients("groups::live_to_the_newer_protocol_and_back", &[Client::Java], play)]
}

fn play(stage: &Stage) -> Result<()> {
    let broker = stage.broker(short_sessions())?;
    let address = broker.bootstrap();
    asking::make_topic(address, TOPIC, PARTITIONS)?;
    let ledger = Arc::new(Ledger::default());
    let crew = Crew::start(stage, Client::Java, address, &ledger)?;
    let mut played = Played { address, crew, ledger: &ledger };
    for group in &GROUPS {
        (0..MEMBERS).try_for_each(|n| played.join(group, n, Leg::Before))?;
    }
    played.are_shared()?;
    let is_over = AtomicBool::new(false);
    let ends = thread::scope(|threads| {
        let writer = threads.spawn(|| write_steadily(stage, address, TOPIC));
        let watcher = threads.spawn(|| watch(address, &ledger, &is_over));
        let moved = played.move_all(Leg::Before, Leg::Newer).and_then(|()| {
            println!(
                "all have moved while the writer {}",
                if writer.is_finished() { "had ended" } else { "wrote" }
            );
            played.move_all(Leg::Newer, Leg::Back)
        });
        println!(
            "all are back while the writer {}",
            if writer.is_finished() { "had ended" } else { "wrote" }
        );
        let written = writer.join().expect("the writer's thread does not panic");
        let read = moved.and(written).and_then(|()| played.have_read_all());
        is_over.store(true, Ordering::Relaxed);
        let looks = watcher.join().expect("the watcher's thread does not panic")?;
        println!("committed offsets were looked at {looks} times");
        read
    })?;
    played.crew.end()?;
    for Group { name, .. } in &GROUPS {
        let kept = asking::committed(address, name, TOPIC, PARTITIONS)?;
        ensure!(kept.as_ref() == Some(&ends), "{name}: {kept:?}, and the ends are {ends:?}");
        println!("{name}: {:?}", ledger.count(name));
    }
    Ok(())
}

struct Played<'a> {
    address: &'a str,
    crew: Crew,
    ledger: &'a Ledger,
}

impl Played<'_> {
    fn join(&mut self, group: &Group, n: usize, leg: Leg) -> Result<()> {
        self.crew.join(group.name, &leg.member(group, n), TOPIC, leg.how(group))
    }

    fn are_shared(&mut self) -> Result<()> {
        for Group { name, .. } in &GROUPS {
            let is_shared = || is_shared(self.address, name, MEMBERS, PARTITIONS);
            let took = wait_until("members share", LIMIT, slice::from_mut(&mut self.crew), is_shared)?;
            println!("{name}: shared after {} ms", took.as_millis());
        }
        Ok(())
    }

    /// One member of each group after the other. A group is of the newer kind while one of its members is.
    fn move_all(&mut self, from: Leg, to: Leg) -> Result<()> {
        for n in 0..MEMBERS {
            self.move_one(n, from, to).with_context(|| format!("member {n} from {from:?} to {to:?}"))?;
            let is_newer = to == Leg::Newer || n + 1 < MEMBERS;
            let expected = if is_newer { "consumer" } else { "classic" };
            for Group { name, .. } in &GROUPS {
                let kind = asking::kind(self.address, name)?.context("the group is listed")?;
                ensure!(kind.eq_ignore_ascii_case(expected), "{name} is {kind}, with {n} on {to:?}");
            }
        }
        Ok(())
    }

    fn move_one(&mut self, n: usize, from: Leg, to: Leg) -> Result<()> {
        GROUPS.iter().try_for_each(|group| self.crew.leave(&from.member(group, n)))?;
        let ledger = self.ledger;
        wait_until("it has left", LIMIT, slice::from_mut(&mut self.crew), || {
            let stays = GROUPS.iter().find(|group| !ledger.has_left(group.name, &from.member(group, n)));
            Ok(stays.map(|group| format!("{} stays", from.member(group, n))))
        })?;
        GROUPS.iter().try_for_each(|group| self.join(group, n, to))?;
        self.are_shared()
    }

    fn have_read_all(&mut self) -> Result<Offsets> {
        let ends = asking::ends(self.address, TOPIC, PARTITIONS)?;
        ensure!(ends.values().sum::<i64>() == RECORDS as i64, "written: {ends:?}");
        let ledger = self.ledger;
        wait_until("every record is read", LIMIT, slice::from_mut(&mut self.crew), || {
            let missing = GROUPS.iter().find_map(|group| ledger.has_read_all(group.name, &ends).err());
            Ok(missing.map(|missing| missing.to_string()))
        })?;
        Ok(ends)
    }
}

/// Looks again and again whether what was committed is still there, and what was answered too. Says how often.
fn watch(address: &str, ledger: &Ledger, is_over: &AtomicBool) -> Result<usize> {
    let mut known: BTreeMap<&str, Offsets> = BTreeMap::new();
    let mut looks = 0;
    while !is_over.load(Ordering::Relaxed) {
        for Group { name, .. } in &GROUPS {
            let answered = ledger.committed(name);
            let kept = asking::committed(address, name, TOPIC, PARTITIONS)?;
            let kept = kept.with_context(|| format!("{name} is without its coordinator"))?;
            let before = known.entry(name).or_default();
            for (partition, wanted) in answered.iter().chain(before.iter()) {
                let found = kept.get(partition).copied().unwrap_or(-1);
                ensure!(found >= *wanted, "{name}: partition {partition} is at {found}, and was at {wanted}");
            }
            *before = kept;
        }
        looks += 1;
        thread::sleep(LOOK_AGAIN);
    }
    Ok(looks)
}
