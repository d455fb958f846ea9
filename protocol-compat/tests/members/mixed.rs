//! Every client that knows groups: with its defaults among its like, with each of the others in one group, and all that
//! have an assignor together. Nothing is read twice while nobody comes or goes, and who leaves in order has committed.

use crate::harness::{Client, Scenario, Spec, Stage};
use crate::members::crew::Crew;
use crate::members::ledger::{Count, Ledger, Offsets};
use crate::members::{asking, crews, is_shared, short_sessions, wait_until};
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::time::Duration;

const PARTITIONS: i32 = 6;
const TOPIC: &str = "suite";
const RECORDS: usize = 120;
const LIMIT: Duration = Duration::from_secs(60);

const CLIENTS: [Client; 6] = [
    Client::KafkaPython,
    Client::Aiokafka,
    Client::Librdkafka,
    Client::Java,
    Client::KafkaJs,
    Client::FranzGo,
];

/// Who has an assignor; `consumer` stands for the protocol in which the broker assigns.
const ASSIGNORS: [(&str, &[Client]); 5] = [
    ("range", &[Client::KafkaPython, Client::Aiokafka, Client::Librdkafka, Client::Java, Client::FranzGo]),
    // kafkajs' own one under the name that the others know.
    ("roundrobin", &CLIENTS),
    ("sticky", &[Client::KafkaPython, Client::Aiokafka, Client::Java, Client::FranzGo]),
    ("cooperative-sticky", &[Client::KafkaPython, Client::Librdkafka, Client::Java, Client::FranzGo]),
    ("consumer", &[Client::Librdkafka, Client::Java, Client::FranzGo]),
];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::with_clients("groups::every_client_with_its_defaults", &CLIENTS, defaults),
        Scenario::with_clients("groups::every_two_clients_in_a_group", &CLIENTS, pairs),
        Scenario::with_clients("groups::every_assignor_among_its_clients", &CLIENTS, assignors),
    ]
}

/// The protocols that a client names if it is told nothing.
fn by_default(client: Client) -> &'static [&'static str] {
    match client {
        Client::KafkaPython | Client::Librdkafka => &["range", "roundrobin"],
        Client::Aiokafka => &["roundrobin"],
        Client::Java => &["range", "cooperative-sticky"],
        Client::FranzGo => &["cooperative-sticky"],
        _ => &[],
    }
}

/// A group and its members: whose they are, and what each is told.
struct Group {
    name: String,
    how: &'static str,
    clients: Vec<Client>,
}

impl Group {
    fn member(&self, n: usize) -> String {
        format!("{}-{n}", self.name)
    }
}

fn defaults(stage: &Stage) -> Result<()> {
    let group =
        |client: Client| Group { name: format!("{client:?}"), how: "default", clients: vec![client, client] };
    share(stage, Spec::default(), CLIENTS.map(group).into())
}

fn pairs(stage: &Stage) -> Result<()> {
    let mut groups = Vec::new();
    for (n, one) in CLIENTS.into_iter().enumerate() {
        for other in CLIENTS.into_iter().skip(n + 1) {
            let have_common = by_default(one).iter().any(|name| by_default(other).contains(name));
            let how = if have_common { "default" } else { "roundrobin" };
            groups.push(Group { name: format!("{one:?}-{other:?}"), how, clients: vec![one, other] });
        }
    }
    share(stage, short_sessions(), groups)
}

fn assignors(stage: &Stage) -> Result<()> {
    let group = |(how, clients): (&'static str, &[Client])| Group {
        name: how.to_owned(),
        how,
        clients: clients.to_vec(),
    };
    share(stage, short_sessions(), ASSIGNORS.map(group).into())
}

/// All groups read one topic, side by side: shared by all members, and then by all but the first.
fn share(stage: &Stage, spec: Spec, groups: Vec<Group>) -> Result<()> {
    let broker = stage.broker(spec)?;
    let address = broker.bootstrap();
    asking::make_topic(address, TOPIC, PARTITIONS)?;
    let ledger = Arc::new(Ledger::default());
    let mut crews = crews(stage, &CLIENTS, address, &ledger)?;
    for group in &groups {
        for (n, client) in group.clients.iter().enumerate() {
            crew(&mut crews, *client)?.join(&group.name, &group.member(n), TOPIC, group.how)?;
        }
    }
    is_read_once(stage, address, &groups, &mut crews, &ledger, 0)?;
    for group in &groups {
        crew(&mut crews, group.clients[0])?.leave(&group.member(0))?;
    }
    wait_until("the first of each has left", LIMIT, &mut crews, || {
        let stays = groups.iter().find(|group| !ledger.has_left(&group.name, &group.member(0)));
        Ok(stays.map(|group| format!("{} stays", group.member(0))))
    })?;
    let ends = is_read_once(stage, address, &groups, &mut crews, &ledger, 1)?;
    crews.into_iter().try_for_each(Crew::end)?;
    for Group { name, .. } in &groups {
        let kept = asking::committed(address, name, TOPIC, PARTITIONS)?;
        ensure!(kept.as_ref() == Some(&ends), "{name}: {kept:?}, and the ends are {ends:?}");
    }
    Ok(())
}

/// The members that are left share the partitions; then records are written, and each group reads each of them once.
fn is_read_once(
    stage: &Stage,
    address: &str,
    groups: &[Group],
    crews: &mut [Crew],
    ledger: &Ledger,
    gone: usize,
) -> Result<Offsets> {
    for Group { name, clients, .. } in groups {
        let took = wait_until("members share", LIMIT, crews, || {
            is_shared(address, name, clients.len() - gone, PARTITIONS)
        })?;
        println!("{name}: shared by {} after {} ms", clients.len() - gone, took.as_millis());
    }
    let first = (gone * RECORDS).to_string();
    stage.python("grouping.py", "write", &[address, TOPIC, &first, &RECORDS.to_string()])?;
    let ends = asking::ends(address, TOPIC, PARTITIONS)?;
    wait_until("every record is read", LIMIT, crews, || {
        let missing = groups.iter().find_map(|group| ledger.has_read_all(&group.name, &ends).err());
        Ok(missing.map(|missing| missing.to_string()))
    })?;
    for Group { name, .. } in groups {
        let count = ledger.count(name);
        ensure!(count == Count { read: (gone + 1) * RECORDS, again: 0 }, "{name}: {count:?}");
    }
    Ok(ends)
}

fn crew(crews: &mut [Crew], client: Client) -> Result<&mut Crew> {
    crews.iter_mut().find(|crew| crew.client() == client).context("a program for each client")
}
