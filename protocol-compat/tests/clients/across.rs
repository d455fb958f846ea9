//! Clients beside each other: what one writes is read by all, in every codec; and all of them at once write and read
//! while the broker is stopped and started again.

use crate::harness::client::ALL;
use crate::harness::place::{self, Judged};
use crate::harness::{Broker, Client, Need, Scenario, Spec, Stage, kcat};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const RECORDS: &str = "60";
/// By their numbers in a batch.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::with_clients("across::everyone_reads_what_everyone_writes", &ALL, everyone_reads)
            .and_needs(Need::Debian),
        Scenario::with_clients("across::everyone_goes_on_after_restarts", &ALL, everyone_goes_on),
    ]
}

fn name(client: Client) -> String {
    format!("{client:?}").to_lowercase()
}

/// Records that are as old as these would be deleted in time; this takes longer than other scenarios.
fn keeping() -> Spec {
    Spec::default().set("log.retention.ms", "-1")
}

fn everyone_reads(stage: &Stage) -> Result<()> {
    let broker = stage.broker(keeping())?;
    // A writer that cannot write all of a record's parts writes none here.
    let writers = ALL.into_iter().filter(|client| *client != Client::Rskafka);
    let mut topics = Vec::new();
    for writer in writers {
        let prefix = format!("by-{}", name(writer));
        let mut words = vec!["write_all", broker.bootstrap(), &prefix, RECORDS];
        words.extend(CODECS);
        stage.parts(writer, &[words])?;
        topics.extend(CODECS.map(|codec| format!("{prefix}-{codec}")));
    }
    for topic in &topics {
        is_stored_as_sent(&broker, topic)?;
    }
    // kafkajs consumes by group only.
    for reader in ALL.into_iter().filter(|client| *client != Client::KafkaJs) {
        let mut words = vec!["read_all", broker.bootstrap(), RECORDS];
        words.extend(topics.iter().map(String::as_str));
        let asked = Instant::now();
        stage.parts(reader, &[words])?;
        println!("{reader:?} read {} topics in {} ms", topics.len(), asked.elapsed().as_millis());
    }
    for topic in &topics {
        let found = read_by_kcat(stage, &broker, topic).with_context(|| format!("kcat on {topic}"))?;
        ensure!(found.len() == 60, "kcat found {} records of {topic}", found.len());
        for (offset, found) in found.iter().enumerate() {
            let wanted = wanted(topic, offset);
            ensure!(*found == wanted, "kcat found {found} and should have found {wanted}");
        }
    }
    Ok(())
}

/// The log has the codec that a topic's name ends in: a client that is not sure of its broker sends other codecs than it
/// was told to. librdkafka leaves a batch as it is that compression does not make shorter.
fn is_stored_as_sent(broker: &Broker, topic: &str) -> Result<()> {
    let name = topic.rsplit('-').next().unwrap_or_default();
    let wanted = CODECS.iter().position(|codec| *codec == name).context("a codec")?;
    let segment = fs::read(broker.segment(topic, 0, "log"))?;
    let found = codecs(&segment).with_context(|| format!("the batches of {topic}"))?;
    let is_meant = found.contains(&wanted) && found.iter().all(|codec| *codec == wanted || *codec == 0);
    ensure!(is_meant, "{topic} is stored with codecs {found:?}");
    Ok(())
}

/// Of each batch.
fn codecs(mut segment: &[u8]) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    while !segment.is_empty() {
        // The low three bits of a batch's attributes, behind base offset, length, epoch, magic and CRC.
        found.push(usize::from(segment.get(22)? & 7));
        let length = u32::from_be_bytes(segment.get(8..12)?.try_into().ok()?);
        segment = segment.get(12 + length as usize..)?;
    }
    Some(found)
}

fn read_by_kcat(stage: &Stage, broker: &Broker, topic: &str) -> Result<Vec<serde_json::Value>> {
    let mut kcat = kcat::command(broker.bootstrap())?;
    // To be told of the end would take it the time of a fetch that finds nothing.
    kcat.args(["-C", "-q", "-J", "-c", RECORDS, "-o", "beginning", "-p", "0", "-t", topic]);
    let said = stage.program(&mut kcat, "")?;
    said.lines().map(|line| without_broker(line).with_context(|| line.to_owned())).collect()
}

/// Which broker a record came from is not of the record.
fn without_broker(line: &str) -> Result<serde_json::Value> {
    let mut found: serde_json::Value = serde_json::from_str(line)?;
    found.as_object_mut().context("an object")?.remove("broker");
    Ok(found)
}

/// The record that belongs at this offset, as every client of the suites writes it and kcat shows it.
fn wanted(topic: &str, i: usize) -> serde_json::Value {
    let value = match i % 7 {
        3 => None,
        4 => Some(String::new()),
        _ => Some(format!("τιμή 🦦 {i} {}", "x".repeat(i * 37 % 400))),
    };
    let key = match i % 5 {
        0 if value.is_some() => None,
        1 => Some(String::new()),
        _ => Some(format!("κλειδί-{i}")),
    };
    let mut record = serde_json::json!({
        "topic": topic, "partition": 0, "offset": i, "tstype": "create",
        "ts": 1_700_000_000_000_u64 + 1000 * i as u64, "key": key, "payload": value,
    });
    if !i.is_multiple_of(3) {
        record["headers"] = serde_json::json!(["заголовок", format!("значение-{i}"), "заголовок", ""]);
    }
    record
}

/// Whether what an idempotent producer sends may stand there twice. Apache Kafka knows one batch of each producer after
/// a start, of which several may have been on their way.
fn guarantee() -> &'static str {
    match place::judged() {
        Judged::Ottla => "exactly_once",
        Judged::Kafka => "at_least_once",
    }
}

/// Whether a client goes on trying for as long as the broker is away: kafkajs gives up after five times, in some ten
/// seconds, and on a small machine Apache Kafka may need longer to come back.
fn outlasts(client: Client) -> bool {
    place::judged() == Judged::Ottla || client != Client::KafkaJs
}

/// Each client writes, with its defaults and with idempotence, and reads what it writes, until all are told that it is
/// enough; meanwhile the broker is stopped and started again, twice.
fn everyone_goes_on(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    let address = broker.bootstrap().to_owned();
    thread::scope(|threads| {
        let mut playing = Vec::new();
        // One after the other: ten clients that start at once are too much for a small machine.
        let begun = ALL.into_iter().filter(|client| outlasts(*client)).try_for_each(|client| {
            let address = &address;
            let player = threads.spawn(move || {
                let topic = name(client);
                stage.parts(client, &[vec!["through_a_restart", address, &topic, guarantee()]])
            });
            let writing = stage.folder().join(format!("writing-{}", name(client)));
            let is_writing =
                stage.wait_for("a client to write", || Ok(writing.exists() || player.is_finished()));
            playing.push(player);
            is_writing
        });
        let stopped = begun.and_then(|()| stop_twice(stage, &mut broker));
        // Whatever happened, they have to come to an end.
        fs::write(stage.folder().join("enough"), "")?;
        for player in playing {
            let said = player.join().expect("a client's thread does not panic")?;
            print!("{}", said.replace("PASS through_a_restart\n", ""));
            for wrote in said.lines().filter_map(|line| line.strip_prefix("WROTE ")) {
                let (topic, count) = wrote.split_once(' ').context("a topic and a count")?;
                let is_exact = topic.ends_with("-idempotent") && guarantee() == "exactly_once";
                let exactness = if is_exact { "exactly_once" } else { "at_least_once" };
                let words = vec!["read_numbers", &address, topic, count, exactness];
                stage.parts(Client::KafkaPython, &[words])?;
            }
        }
        stopped
    })
}

fn stop_twice(stage: &Stage, broker: &mut Broker) -> Result<()> {
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(1_200));
        broker.stop()?;
        thread::sleep(Duration::from_millis(300));
        stage.again(broker)?;
    }
    thread::sleep(Duration::from_millis(1_200));
    Ok(())
}
