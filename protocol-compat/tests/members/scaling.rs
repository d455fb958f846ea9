//! Groups grow from one member to eight and shrink to three while 100,000 records are written: each record is read, and
//! once, since all who leave do so in order.

use crate::harness::{Client, Scenario, Stage};
use crate::members::crew::Crew;
use crate::members::ledger::{Count, Ledger};
use crate::members::{RECORDS, asking, crews, is_shared, short_sessions, wait_until, write_steadily};
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const PARTITIONS: i32 = 16;
const TOPIC: &str = "suite";
const MANY: usize = 8;
const FEW: usize = 3;
const LIMIT: Duration = Duration::from_secs(60);

struct Group {
    name: &'static str,
    client: Client,
    how: &'static str,
}

const GROUPS: [Group; 4] = [
    Group { name: "java-classic", client: Client::Java, how: "cooperative-sticky" },
    Group { name: "java-consumer", client: Client::Java, how: "consumer" },
    Group { name: "kafka-python", client: Client::KafkaPython, how: "range" },
    Group { name: "librdkafka", client: Client::Librdkafka, how: "roundrobin" },
];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let clients = [Client::Java, Client::KafkaPython, Client::Librdkafka];
    vec![Scenario::with_clients("groups::one_to_eight_to_three_while_records_come", &clients, play)]
}

fn play(stage: &Stage) -> Result<()> {
    let broker = stage.broker(short_sessions())?;
    let address = broker.bootstrap();
    asking::make_topic(address, TOPIC, PARTITIONS)?;
    let ledger = Arc::new(Ledger::default());
    let clients = [Client::Java, Client::KafkaPython, Client::Librdkafka];
    let mut crews = crews(stage, &clients, address, &ledger)?;
    change(&mut crews, 0..1, |crew, group, member| crew.join(group.name, member, TOPIC, group.how))?;
    are_shared(address, &mut crews, 1)?;
    thread::scope(|threads| {
        let writer = threads.spawn(|| write_steadily(stage, address, TOPIC));
        let scaled = (|| {
            wait_until("records", LIMIT, &mut crews, || {
                let written = asking::ends(address, TOPIC, PARTITIONS)?.values().sum::<i64>();
                Ok((written == 0).then(|| "none are written".to_owned()))
            })?;
            change(&mut crews, 1..MANY, |crew, group, member| {
                crew.join(group.name, member, TOPIC, group.how)
            })?;
            are_shared(address, &mut crews, MANY)?;
            // Those who were there first go, too.
            change(&mut crews, 0..MANY - FEW, |crew, _, member| crew.leave(member))?;
            are_shared(address, &mut crews, FEW)
        })();
        println!("scaled while the writer {}", if writer.is_finished() { "had ended" } else { "wrote" });
        writer.join().expect("the writer's thread does not panic")?;
        scaled
    })?;
    let ends = asking::ends(address, TOPIC, PARTITIONS)?;
    ensure!(ends.values().sum::<i64>() == RECORDS as i64, "written: {ends:?}");
    wait_until("every record is read", LIMIT, &mut crews, || {
        let missing = GROUPS.iter().find_map(|group| ledger.has_read_all(group.name, &ends).err());
        Ok(missing.map(|missing| missing.to_string()))
    })?;
    crews.into_iter().try_for_each(Crew::end)?;
    for Group { name, .. } in &GROUPS {
        let count = ledger.count(name);
        ensure!(count == Count { read: RECORDS, again: 0 }, "{name}: {count:?}");
        let kept = asking::committed(address, name, TOPIC, PARTITIONS)?;
        ensure!(kept.as_ref() == Some(&ends), "{name}: {kept:?}, and the ends are {ends:?}");
    }
    Ok(())
}

/// Does something with these members of each group.
fn change(
    crews: &mut [Crew],
    members: std::ops::Range<usize>,
    with: impl Fn(&mut Crew, &Group, &str) -> Result<()>,
) -> Result<()> {
    for group in &GROUPS {
        let crew = crews.iter_mut().find(|crew| crew.client() == group.client);
        let crew = crew.context("a program for each client")?;
        members.clone().try_for_each(|n| with(crew, group, &format!("{}-{n}", group.name)))?;
    }
    Ok(())
}

fn are_shared(address: &str, crews: &mut [Crew], members: usize) -> Result<()> {
    for Group { name, .. } in &GROUPS {
        let took =
            wait_until("members share", LIMIT, crews, || is_shared(address, name, members, PARTITIONS))?;
        println!("{name}: shared by {members} after {} ms", took.as_millis());
    }
    Ok(())
}
