//! `ottla produce`: lines from standard input as records.
//!
//! Lines are gathered into a batch for each partition and sent together; reading goes on only when they are acknowledged,
//! so that no more is in memory than one round. Invariants: what was gathered before a signal is sent; what is refused ends
//! the command as a failure, which says how many lines were acknowledged before.

mod partition;

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde_json::json;
use storage::{BatchBuilder, Codec, Encoding, Env};
use tokio::sync::mpsc;

use super::Assignment;
use super::moment::Moment;
use super::record_json::{self, NewRecord};
use super::remote::{EXIT_CODES, OnSignal, Printer, RemoteArgs, Signals, Stop, run};
use crate::client::{Client, NewRecords, TopicPartition};

const EXAMPLES: &str = "\
Examples:
  echo hello | ottla produce greetings
  ottla produce orders --key-separator : --codec zstd < orders.txt          key before the first colon of a line
  ottla consume orders --from-beginning --exit-at-end --json | ottla produce copy --from-json";

/// What to write where.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct ProduceArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    /// The topic; made if the server makes topics on first use.
    pub topic: String,

    /// The key of a record is what stands before the first of these in its line.
    #[arg(long, value_name = "TEXT", conflicts_with = "from_json", value_parser = not_empty)]
    pub key_separator: Option<String>,

    /// A key or value of exactly this is none at all.
    #[arg(long, value_name = "TEXT", conflicts_with = "from_json")]
    pub null: Option<String>,

    /// Each line is a JSON object with key, value, headers, timestamp, partition, as `ottla consume --json` prints it.
    #[arg(long)]
    pub from_json: bool,

    /// A header of every record; may be given any number of times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub header: Vec<Assignment>,

    /// The partition of every record that names none. Otherwise keys decide as in Java's producer.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,

    /// The time of every record that names none: 2026-01-31T12:00:00.000 (UTC unless a zone follows), or milliseconds.
    #[arg(long, value_name = "TIME")]
    pub timestamp: Option<Moment>,

    /// How records are compressed.
    #[arg(long, value_enum, default_value_t = CodecName::None)]
    pub codec: CodecName,

    /// Who must have a record before it counts: nobody, the leader, all replicas in sync.
    #[arg(long, value_enum, default_value_t = Acks::All)]
    pub acks: Acks,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum CodecName {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Acks {
    #[value(name = "0")]
    Nobody,
    #[value(name = "1")]
    Leader,
    All,
}

fn not_empty(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("it must not be empty") } else { Ok(text.to_owned()) }
}

impl CodecName {
    fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Gzip => Codec::Gzip,
            Self::Snappy => Codec::Snappy,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd => Codec::Zstd,
        }
    }
}

impl Acks {
    fn number(self) -> i16 {
        match self {
            Self::Nobody => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// Bytes of lines that are gathered at most before they are sent; brokers take a megabyte a batch by default.
const ROUND_BYTES_MAX: usize = 768 << 10;
/// Lines that wait between the reader's thread and the sender.
const LINES_MAX: usize = 4_096;

/// Runs `ottla produce`.
pub fn run_produce(args: &ProduceArgs) -> ExitCode {
    run(&args.remote, OnSignal::Theirs, async |client, printer| produce(client, args, printer).await)
}

async fn produce(client: &mut Client, args: &ProduceArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let mut signals = Signals::new()?;
    let mut lines = lines();
    let mut sender = Sender::new(args);
    let mut number = 0u64;
    let ended = loop {
        let line = match lines.try_recv() {
            Ok(line) => {
                tokio::select! {
                    biased;
                    () = signals.any() => break Ok(()),
                    () = std::future::ready(()) => Some(line),
                }
            }
            // Nothing more waits: what there is goes out, and then the next line is waited for.
            Err(_) => {
                sender.send(client).await?;
                tokio::select! {
                    line = lines.recv() => line,
                    () = signals.any() => break Ok(()),
                }
            }
        };
        let line = match line {
            None => break Ok(()),
            Some(Ok(line)) => line,
            Some(Err(error)) => break Err(Stop::Failed(format!("cannot read standard input: {error}"))),
        };
        number += 1;
        match record(args, &line) {
            Ok(record) => sender.add(client, record).await?,
            Err(why) => break Err(Stop::Failed(format!("line {number}: {why}"))),
        }
    };
    // What was right before a wrong line is written, as it would be had that line come later.
    sender.send(client).await?;
    sender.report(printer)?;
    ended
}

/// The lines of standard input, without their ends. They are read on a thread of their own, which ends with the process.
fn lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (give, take) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = match input.read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => {
                    if line.last() == Some(&b'\n') {
                        line.pop();
                    }
                    Ok(line)
                }
                Err(error) => Err(error),
            };
            let is_over = read.is_err();
            if give.blocking_send(read).is_err() || is_over {
                return;
            }
        }
    });
    take
}

/// The record of a line.
fn record(args: &ProduceArgs, line: &[u8]) -> Result<NewRecord, String> {
    let mut record = match args.from_json {
        true => record_json::parse(line).map_err(|error| error.to_string())?,
        false => of_text(args, line)?,
    };
    let fixed = args.header.iter().map(|one| (one.name.clone(), Some(one.value.clone().into_bytes())));
    record.headers.extend(fixed);
    record.timestamp = record.timestamp.or(args.timestamp.map(|moment| moment.0));
    record.partition = record.partition.or(args.partition);
    Ok(record)
}

fn of_text(args: &ProduceArgs, line: &[u8]) -> Result<NewRecord, String> {
    let field = |bytes: &[u8]| match &args.null {
        Some(null) if null.as_bytes() == bytes => None,
        _ => Some(bytes.to_vec()),
    };
    let Some(separator) = &args.key_separator else {
        return Ok(NewRecord { value: field(line), ..NewRecord::default() });
    };
    let separator = separator.as_bytes();
    let at = line.windows(separator.len()).position(|window| window == separator);
    let at = at.ok_or_else(|| "it has no key: the separator is not in it".to_owned())?;
    let (key, value) = (&line[..at], &line[at + separator.len()..]);
    Ok(NewRecord { key: field(key), value: field(value), ..NewRecord::default() })
}

/// What was acknowledged of a partition.
#[derive(Default)]
struct Written {
    records: u64,
    first: Option<i64>,
    last: Option<i64>,
}

struct Sender<'a> {
    args: &'a ProduceArgs,
    env: Env,
    /// Known with the first record.
    partitions: Vec<i32>,
    gathered: BTreeMap<i32, Vec<NewRecord>>,
    gathered_bytes: usize,
    rounds: usize,
    written: BTreeMap<i32, Written>,
}

impl<'a> Sender<'a> {
    fn new(args: &'a ProduceArgs) -> Self {
        Self {
            args,
            env: Env::real(),
            partitions: Vec::new(),
            gathered: BTreeMap::new(),
            gathered_bytes: 0,
            rounds: 0,
            written: BTreeMap::new(),
        }
    }

    async fn add(&mut self, client: &mut Client, record: NewRecord) -> Result<(), Stop> {
        if self.partitions.is_empty() {
            self.partitions = known_partitions(client, &self.args.topic).await?;
        }
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => self.partitions[partition::of_key(key, self.partitions.len())],
            (None, None) => self.partitions[self.rounds % self.partitions.len()],
        };
        let bytes = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
        let size = bytes(&record.key) + bytes(&record.value);
        if self.gathered_bytes > 0 && self.gathered_bytes + size > ROUND_BYTES_MAX {
            self.send(client).await?;
        }
        self.gathered_bytes += size;
        let gathered = self.gathered.entry(partition).or_default();
        gathered.push(record);
        // Empty lines have no bytes and take memory all the same.
        if gathered.len() >= LINES_MAX {
            self.send(client).await?;
        }
        Ok(())
    }

    /// Sends what is gathered and waits until it is acknowledged.
    async fn send(&mut self, client: &mut Client) -> Result<(), Stop> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let (now_ms, encoding) = (self.env.clock.now_ms(), Encoding::of(self.args.codec.codec()));
        let gathered = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        self.rounds += 1;
        let counts: BTreeMap<i32, u64> =
            gathered.iter().map(|(partition, records)| (*partition, records.len() as u64)).collect();
        let batches = gathered.into_iter().map(|(partition, records)| {
            (TopicPartition::new(&self.args.topic, partition), batch(&records, now_ms, encoding))
        });
        let new = NewRecords { batches: batches.collect(), acks: self.args.acks.number() };
        let produced = client.produce(new).await.map_err(|error| {
            let before: u64 = self.written.values().map(|written| written.records).sum();
            Stop::Failed(format!("{error}; {before} records were written before"))
        })?;
        for one in produced {
            let count = counts.get(&one.partition.partition).copied().unwrap_or_default();
            let written = self.written.entry(one.partition.partition).or_default();
            written.records += count;
            if let Some(base) = one.base_offset {
                written.first = written.first.or(Some(base));
                written.last = Some(base + count as i64 - 1);
            }
        }
        Ok(())
    }

    fn report(&self, printer: &mut Printer<'_>) -> Result<(), Stop> {
        if printer.is_json() {
            for (partition, written) in &self.written {
                printer.object(&json!({
                    "topic": self.args.topic,
                    "partition": partition,
                    "records": written.records,
                    "firstOffset": written.first,
                    "lastOffset": written.last,
                }))?;
            }
            return Ok(());
        }
        let all: u64 = self.written.values().map(|written| written.records).sum();
        let records = if all == 1 { "record" } else { "records" };
        Ok(printer.note(format_args!("{all} {records} written to {}.", self.args.topic))?)
    }
}

fn batch(records: &[NewRecord], now_ms: i64, encoding: Encoding) -> Bytes {
    let base = records.first().and_then(|record| record.timestamp).unwrap_or(now_ms);
    let builder = records.iter().fold(BatchBuilder::new(base), |builder, record| {
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
        let timestamp = record.timestamp.unwrap_or(now_ms);
        builder.push_at(timestamp, record.key.as_deref(), record.value.as_deref(), &headers)
    });
    builder.build_in(encoding)
}

/// How often and how long apart a topic is looked for that the question itself may make.
const LOOKS: usize = 30;
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);

async fn known_partitions(client: &mut Client, name: &str) -> Result<Vec<i32>, Stop> {
    let mut found = None;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let mut metadata = client.metadata(Some(&[name.to_owned()]), true).await?;
        let Some(topic) = metadata.topics.remove(name) else { continue };
        if topic.error_code == 0 && !topic.partitions.is_empty() {
            return Ok(topic.partitions.iter().map(|partition| partition.index).collect());
        }
        found = Some(topic);
    }
    if let Some(topic) = found {
        topic.check()?;
    }
    Err(Stop::Failed(format!("topic '{name}': there is no such topic")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ProduceArgs,
    }

    fn args(words: &[&str]) -> ProduceArgs {
        Line::parse_from([&["produce", "t"], words].concat()).args
    }

    #[test]
    fn lines_become_records() {
        let plain = record(&args(&[]), b"a:b").unwrap();
        assert_eq!((plain.key, plain.value.as_deref()), (None, Some(&b"a:b"[..])));
        let keyed = record(&args(&["--key-separator", ":", "--header", "h=1", "--partition", "2"]), b"a:b:c")
            .unwrap();
        assert_eq!((keyed.key.as_deref(), keyed.value.as_deref()), (Some(&b"a"[..]), Some(&b"b:c"[..])));
        assert_eq!((keyed.headers, keyed.partition), (vec![("h".to_owned(), Some(b"1".to_vec()))], Some(2)));
        assert!(record(&args(&["--key-separator", "::"]), b"a:b").is_err());
        let null = record(&args(&["--key-separator", ":", "--null", "-"]), b"a:-").unwrap();
        assert_eq!((null.key.as_deref(), null.value), (Some(&b"a"[..]), None), "a tombstone");
        let json = args(&["--from-json", "--timestamp", "5", "--partition", "1"]);
        let json = record(&json, br#"{"value":"x","partition":3}"#).unwrap();
        assert_eq!((json.partition, json.timestamp), (Some(3), Some(5)), "a record's own word counts");
    }

    #[test]
    fn a_batch_keeps_its_records_in_every_codec() {
        for name in CodecName::value_variants() {
            let one = |n: u8| NewRecord {
                value: Some(vec![n; 100]),
                timestamp: Some(n.into()),
                ..NewRecord::default()
            };
            let batch = batch(&[one(3), one(1)], 9, Encoding::of(name.codec()));
            let read: Vec<(i64, usize)> = storage::records(&batch)
                .unwrap()
                .map(|record| {
                    record
                        .map(|record| (record.timestamp, record.value.map_or(0, |value| value.len())))
                        .unwrap()
                })
                .collect();
            assert_eq!(read, [(3, 100), (1, 100)], "{name:?}");
        }
    }
}
