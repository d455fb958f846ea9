//! The broker is killed in the middle of rebalances and commits, again and again: within twice its session timeout each
//! group is stable again with those who are still there, no offset whose commit was answered is gone, none of the classic
//! group has gone back, and in the end every record was read. `OTTLA_EFFORT=long` kills 200 times, `OTTLA_SIM_SEED` plays another sequence.

use crate::harness::place::Judged;
use crate::harness::random::Random;
use crate::harness::{Broker, Client, Scenario, Stage, place};
use crate::members::commit_log::CommitLog;
use crate::members::crew::Crew;
use crate::members::ledger::{Answered, Ledger, Offsets};
use crate::members::{asking, crews, is_shared, short_sessions, wait_until};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const KILLS: usize = 5;
const KILLS_LONG: usize = 200;
const SEED: u64 = 11;
const PARTITIONS: i32 = 6;
const TOPIC: &str = "suite";
/// Of the members as of the broker's consumer groups.
const SESSION: Duration = Duration::from_secs(6);
/// A rebalance ends about a heartbeat after it begins; kills fall before, into and behind it.
const LIFE_MS_MAX: usize = 1_800;
const CATCH_UP_LIMIT: Duration = Duration::from_secs(60);

/// A group, its lasting members, and who comes and goes so that there is always a rebalance.
struct Group {
    name: &'static str,
    how: &'static str,
    members: &'static [Client],
    guest: Client,
}

const GROUPS: [Group; 2] = [
    Group {
        name: "classic",
        how: "range",
        members: &[Client::KafkaPython, Client::Java, Client::Librdkafka],
        guest: Client::KafkaPython,
    },
    Group {
        name: "newer",
        how: "consumer",
        members: &[Client::Java, Client::Librdkafka],
        guest: Client::Java,
    },
];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let clients = [Client::KafkaPython, Client::Java, Client::Librdkafka];
    vec![Scenario::with_clients("groups::kills_amid_rebalances_and_commits", &clients, play)]
}

fn play(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(short_sessions())?;
    let address = broker.bootstrap().to_owned();
    asking::make_topic(&address, TOPIC, PARTITIONS)?;
    let partitions = PARTITIONS.to_string();
    let words = [address.as_str(), TOPIC, &partitions];
    thread::scope(|threads| {
        let writer = threads.spawn(|| stage.python("kafka_python_members.py", "write", &words));
        let played = Played::begin(stage, &mut broker).and_then(|mut played| {
            played.kill_again_and_again()?;
            Ok(played)
        });
        fs::write(stage.folder().join("stop"), "")?;
        writer.join().expect("the writer's thread does not panic")?;
        played?.come_to_an_end()
    })
}

impl Group {
    /// Of a member for a partition that it has just given up.
    fn takes_late_commits(&self) -> bool {
        self.how == "consumer"
    }
}

fn is_not_behind(kept: &Offsets, answered: &Answered) -> Result<()> {
    for (partition, wanted) in answered.iter().filter_map(|(partition, all)| Some((partition, all.last()?))) {
        let found = kept.get(partition).copied().unwrap_or(-1);
        ensure!(found >= *wanted, "partition {partition} is at {found}, and {wanted} was answered");
    }
    Ok(())
}

/// How long a group may take from the broker's return. Apache Kafka is away for so long that clients wait before they try
/// to connect again.
fn limit() -> Duration {
    match place::judged() {
        Judged::Ottla => 2 * SESSION,
        Judged::Kafka => CATCH_UP_LIMIT,
    }
}

struct Played<'a> {
    stage: &'a Stage,
    broker: &'a mut Broker,
    crews: Vec<Crew>,
    ledger: Arc<Ledger>,
    logs: [CommitLog; GROUPS.len()],
}

impl<'a> Played<'a> {
    fn begin(stage: &'a Stage, broker: &'a mut Broker) -> Result<Self> {
        let ledger = Arc::new(Ledger::default());
        let clients = [Client::KafkaPython, Client::Java, Client::Librdkafka];
        let crews = crews(stage, &clients, broker.bootstrap(), &ledger)?;
        let logs = GROUPS.each_ref().map(|group| CommitLog::of(group.name));
        let mut played = Self { stage, broker, crews, ledger, logs };
        for group in &GROUPS {
            for client in group.members {
                played.crew(*client)?.join(
                    group.name,
                    &format!("{}-{client:?}", group.name),
                    TOPIC,
                    group.how,
                )?;
            }
        }
        for group in &GROUPS {
            played.until_stable(group, 0, CATCH_UP_LIMIT)?;
        }
        Ok(played)
    }

    fn crew(&mut self, client: Client) -> Result<&mut Crew> {
        self.crews.iter_mut().find(|crew| crew.client() == client).context("a program for each client")
    }

    fn kill_again_and_again(&mut self) -> Result<()> {
        let kills = if place::long_effort() { KILLS_LONG } else { KILLS };
        let seed = std::env::var("OTTLA_SIM_SEED").map_or(Ok(SEED), |seed| seed.parse())?;
        println!("OTTLA_SIM_SEED={seed}");
        let mut random = Random::seeded(seed);
        let (begun, mut times) = (Instant::now(), Vec::new());
        for kill in 0..kills {
            let guests = usize::from(kill % 2 == 0);
            for group in &GROUPS {
                let guest = format!("{}-guest-{}", group.name, kill / 2);
                let crew = self.crew(group.guest)?;
                match guests {
                    1 => crew.join(group.name, &guest, TOPIC, group.how)?,
                    _ => crew.leave(&guest)?,
                }
            }
            thread::sleep(Duration::from_millis(random.below(LIFE_MS_MAX) as u64));
            self.broker.kill()?;
            self.stage.again(self.broker)?;
            let back = Instant::now();
            for group in &GROUPS {
                let left = limit().saturating_sub(back.elapsed());
                self.until_stable(group, guests, left).with_context(|| format!("after kill {kill}"))?;
                times.push((back.elapsed(), group.name, kill));
            }
            self.keep_what_was_answered().with_context(|| format!("after kill {kill}"))?;
            if kill % 20 == 19 {
                println!("{} kills in {} s", kill + 1, begun.elapsed().as_secs());
            }
        }
        times.sort_unstable();
        let (middle, _, _) = times[times.len() / 2];
        let (slowest, group, kill) = times[times.len() - 1];
        println!("{kills} kills: stable again after {} ms in the middle", middle.as_millis());
        println!("the slowest: {group} after {} ms of kill {kill}", slowest.as_millis());
        Ok(())
    }

    fn until_stable(&mut self, group: &Group, guests: usize, limit: Duration) -> Result<Duration> {
        let (broker, members) = (self.broker.bootstrap(), group.members.len() + guests);
        wait_until("a stable group", limit, &mut self.crews, || {
            is_shared(broker, group.name, members, PARTITIONS)
        })
    }

    fn keep_what_was_answered(&mut self) -> Result<()> {
        let broker = self.broker.bootstrap();
        for (group, log) in GROUPS.iter().zip(&mut self.logs) {
            // What is answered while this goes on comes later in the log.
            let answered = self.ledger.answered(group.name);
            let before = log.read_on(broker)?;
            let kept = asking::committed(broker, group.name, TOPIC, PARTITIONS)?;
            let kept = kept.context("a stable group has its coordinator")?;
            log.read_on(broker)?;
            log.holds(&answered)?;
            log.is_where(&kept, &before)?;
            if !group.takes_late_commits() {
                is_not_behind(&kept, &answered).with_context(|| group.name)?;
            }
        }
        Ok(())
    }

    fn come_to_an_end(mut self) -> Result<()> {
        let ends = asking::ends(self.broker.bootstrap(), TOPIC, PARTITIONS)?;
        let ledger = Arc::clone(&self.ledger);
        wait_until("every record is read", CATCH_UP_LIMIT, &mut self.crews, || {
            let missing = GROUPS.iter().find_map(|group| ledger.has_read_all(group.name, &ends).err());
            Ok(missing.map(|missing| missing.to_string()))
        })?;
        self.crews.into_iter().try_for_each(Crew::end)?;
        for group in &GROUPS {
            let kept = asking::committed(self.broker.bootstrap(), group.name, TOPIC, PARTITIONS)?;
            ensure!(kept.as_ref() == Some(&ends), "{}: {kept:?}, and the ends are {ends:?}", group.name);
            println!("{}: {:?}", group.name, self.ledger.count(group.name));
        }
        Ok(())
    }
}
