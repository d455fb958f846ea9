//! The comparison: row by row, broker by broker, in ABBA order.
//!
//! Invariants: every row starts its brokers anew and throws their first runs away; every run has a topic of its own and
//! begins with the disk at rest. A failure of one broker fails its row, loudly, and the next row goes on.

use std::hint::black_box;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::client::Client;
use crate::cpu;
use crate::limits::{self, Limit};
use crate::load::{Done, Until, fetch, groups, java, nats, open_loop, produce, roundtrip, unix_time_ms};
use crate::peer::kafka::Kafka;
use crate::peer::nats::Nats;
use crate::peer::ottla::Ottla;
use crate::peer::{Broker, Contender, TempDir};
use crate::rows::{Batches, Effort, Row, Work, order};
use crate::stats::{Sample, Summary};
use crate::wire::batch::{self, Codec};
use crate::wire::request::Settings;

/// As many as Kafka's producer keeps on the way (`max.in.flight.requests.per.connection`).
const IN_FLIGHT: usize = 5;
const ACKS: i16 = 1;
/// Kafka flushes one append after the other: 1 GB at 2 ms each would take minutes.
const SLOW_FLUSH_SHARE: u64 = 10;
const FILL_RECORD_BYTES: usize = 1_024;
/// The data's pages, and room for what else the run allocates.
const RECLAIM_SHARE: u64 = 2;
/// Data, and as much again for journals and for the JVM's longer warm-up.
const FREE_SHARE: u64 = 2;

/// Everything that stays the same over all rows.
#[derive(Debug)]
pub(crate) struct Bench {
    pub kafka: Option<Kafka>,
    pub nats: Option<Nats>,
    pub ottla: Option<Ottla>,
    pub connections: usize,
    pub effort: Effort,
    /// Where brokers keep their data while they run.
    pub data_dir: PathBuf,
}

/// What came out of a row.
#[derive(Debug)]
pub(crate) struct RowResult {
    pub row: &'static Row,
    pub limits: Vec<Limit>,
    pub summaries: Vec<(Contender, Summary)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    WarmUp,
    Counted,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Counted => "run",
        }
    }
}

/// A broker in a row, with its counted runs.
struct Entrant {
    contender: Contender,
    broker: Broker,
    /// For rows that read: the topic filled for all runs.
    filled: Option<String>,
    runs: usize,
    samples: Vec<Sample>,
}

impl Bench {
    /// Those who take part in every row.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        let mut contenders = Vec::new();
        if self.kafka.is_some() {
            contenders.push(Contender::Kafka);
        }
        if self.ottla.is_some() {
            contenders.extend([Contender::OttlaRelaxed, Contender::OttlaDurable]);
        }
        contenders
    }

    fn contenders_of(&self, row: &Row) -> Vec<Contender> {
        let mut contenders = self.contenders();
        if row.setup.is_durable {
            contenders.retain(|contender| *contender != Contender::OttlaRelaxed);
        } else if self.nats.is_some()
            && matches!(row.work, Work::SingleRecords { .. } | Work::RoundTrips { .. })
        {
            contenders.insert(0, Contender::Nats);
        }
        contenders
    }

    /// Whether the row's generator is at hand.
    pub(crate) fn can_run(&self, row: &Row) -> bool {
        self.kafka.is_some() || !matches!(row.work, Work::Java(_))
    }

    pub(crate) fn run_row(&self, row: &'static Row) -> Result<RowResult> {
        self.check_room_of(row)?;
        let limits_dir = TempDir::new(self.data_dir.join("limits"))?;
        let limits =
            row.limits.iter().map(|kind| limits::measure(*kind, limits_dir.path(), self.connections(row)));
        let limits = limits.collect::<Result<Vec<_>>>().context("measuring the machine")?;
        let mut entrants = Vec::new();
        for contender in self.contenders_of(row) {
            let context = || format!("starting {}", contender.key());
            entrants.push(self.enter(row, contender).with_context(context)?);
        }
        for entrant in &mut entrants {
            self.warm_up(row, entrant)?;
        }
        for entrant in order(entrants.len(), self.effort.palindromes) {
            let sample = self.measured(row, &mut entrants[entrant], Kind::Counted)?;
            entrants[entrant].samples.push(sample);
        }
        let summaries =
            entrants.into_iter().map(|entrant| Ok((entrant.contender, Summary::of(entrant.samples)?)));
        Ok(RowResult { row, limits, summaries: summaries.collect::<Result<_>>()? })
    }

    /// Runs whose figures are thrown away. The JVM compiles for many seconds of load; without that it would look
    /// two or three times as dear as it is.
    fn warm_up(&self, row: &Row, entrant: &mut Entrant) -> Result<()> {
        let mut loaded = Duration::ZERO;
        loop {
            loaded += Duration::from_secs_f64(self.measured(row, entrant, Kind::WarmUp)?.seconds);
            if entrant.contender != Contender::Kafka || loaded >= self.effort.jvm_warm_up {
                return Ok(());
            }
        }
    }

    /// Whether the disk has room for the row's data.
    fn check_room_of(&self, row: &Row) -> Result<()> {
        let runs = match row.work {
            work if work.writes_a_volume() => 1 + 2 * self.effort.palindromes,
            _ => 1,
        };
        self.check_room(self.effort.volume_bytes * (runs * self.contenders().len()) as u64)
    }

    pub(crate) fn check_room(&self, data_bytes: u64) -> Result<()> {
        let needed = data_bytes * FREE_SHARE;
        let disk = rustix::fs::statvfs(&self.data_dir).context("asking for free space")?;
        let free = disk.f_bavail * disk.f_frsize;
        let (needed_gb, free_gb) = (needed as f64 / 1e9, free as f64 / 1e9);
        ensure!(free >= needed, "the row may need {needed_gb:.0} GB of disk and {free_gb:.0} GB are free");
        Ok(())
    }

    fn enter(&self, row: &Row, contender: Contender) -> Result<Entrant> {
        eprintln!("row {}: starting {}", row.id, contender.key());
        let dir = TempDir::new(self.data_dir.join(format!("{}-{}", row.id, contender.key())))?;
        let settings: Settings<'_> = match row.work {
            Work::Groups { .. } => groups::SETTINGS,
            _ => &[],
        };
        let broker = self.start(contender, dir, settings, row.setup.flush_delay)?;
        let mut entrant = Entrant { contender, broker, filled: None, runs: 0, samples: Vec::new() };
        if row.work.reads_a_volume() {
            let topic = format!("bench-{}-{}", row.id, contender.key());
            self.make_topic(row, &entrant.broker, &topic)?;
            self.fill(entrant.broker.address, &topic)?;
            entrant.filled = Some(topic);
        }
        Ok(entrant)
    }

    /// Starts one of them; each of its flushes takes so much longer.
    pub(crate) fn start(
        &self,
        contender: Contender,
        dir: TempDir,
        settings: Settings<'_>,
        flush_delay: Option<Duration>,
    ) -> Result<Broker> {
        let ottla = || self.ottla.as_ref().context("Ottla takes no part");
        match contender {
            Contender::Kafka => {
                self.kafka.as_ref().context("Kafka takes no part")?.start(dir, settings, flush_delay)
            }
            Contender::Nats => self.nats.as_ref().context("NATS takes no part")?.start(dir),
            Contender::OttlaRelaxed => ottla()?.start(dir, "relaxed", settings, flush_delay),
            Contender::OttlaDurable => ottla()?.start(dir, "durable", settings, flush_delay),
        }
    }

    fn connections(&self, row: &Row) -> usize {
        row.setup.connections.unwrap_or(self.connections)
    }

    /// A partition for each who has one of his own: a connection, or a member of a group.
    fn make_topic(&self, row: &Row, broker: &Broker, topic: &str) -> Result<()> {
        let partitions = match row.work {
            Work::Groups { members, .. } => members,
            _ => self.connections(row),
        };
        Client::connect(broker.address)?.create_topic(topic, partitions, row.setup.topic)
    }

    /// One run, with what it cost the broker and the generator.
    fn measured(&self, row: &Row, entrant: &mut Entrant, kind: Kind) -> Result<Sample> {
        let name = entrant.contender.key();
        entrant.runs += 1;
        let sample = self.run_once(row, entrant, kind);
        let sample = match sample {
            Ok(sample) => sample,
            // A broker that died explains the failure better than the connection it cut.
            Err(error) => {
                entrant.broker.process.check_survived().with_context(|| name.to_owned())?;
                return Err(error.context(name));
            }
        };
        let figures: Vec<String> = row
            .columns
            .iter()
            .filter_map(|metric| Some(format!("{:.2} {}", metric.of(&sample)?, metric.heading())))
            .collect();
        eprintln!("row {}: {name} {} {}: {}", row.id, kind.word(), entrant.runs, figures.join(", "));
        Ok(sample)
    }

    fn run_once(&self, row: &Row, entrant: &mut Entrant, kind: Kind) -> Result<Sample> {
        let topic = match &entrant.filled {
            Some(topic) => topic.clone(),
            None => {
                let topic = format!("bench-{}-{}-{}", row.id, entrant.contender.key(), entrant.runs);
                if entrant.contender != Contender::Nats {
                    self.make_topic(row, &entrant.broker, &topic)?;
                }
                topic
            }
        };
        let broker = &mut entrant.broker;
        settle_disk(broker.dir.path())?;
        if kind == Kind::Counted && row.work.writes_a_volume() {
            forget_pages(broker.dir.path())?;
            reclaim_memory(self.effort.volume_bytes)?;
        }
        let mut ready = self.prepare(row, broker, &topic)?;
        let pid = broker.process.pid();
        cpu::forget_peak_memory(pid)?;
        let (broker_before, own_before) = (cpu::process_cpu(pid)?, cpu::generator_cpu()?);
        let done = match &mut ready {
            Some(ready) => groups::run(ready, self.effort.span)?,
            None if entrant.contender == Contender::Nats => self.work_of_nats(row, broker, &topic)?,
            None => self.work(row, broker, &topic)?,
        };
        let (broker_after, own_after) = (cpu::process_cpu(pid)?, cpu::generator_cpu()?);
        broker.process.check_alive()?;
        ensure!(done.requests > 0, "the run ended without a single request");
        let broker_cpu_seconds = (broker_after - broker_before).as_secs_f64();
        let peak_memory_bytes = cpu::peak_memory_bytes(pid)?;
        ready.map_or(Ok(()), groups::leave).context("letting the members leave")?;
        // Free work would meet every goal; it means that the process started here is not the one that serves.
        ensure!(broker_cpu_seconds > 0.0, "the broker's process took no CPU: is it a wrapper of another?");
        Ok(Sample {
            seconds: done.elapsed.as_secs_f64(),
            bytes: done.bytes,
            requests: done.requests,
            broker_cpu_seconds,
            generator_cpu_seconds: (own_after - own_before).as_secs_f64(),
            peak_memory_bytes,
            latency_ns: done.latency_ns,
        })
    }

    /// What must stand before a run of groups begins.
    fn prepare(&self, row: &Row, broker: &Broker, topic: &str) -> Result<Option<groups::Ready>> {
        let Work::Groups { groups, members } = row.work else { return Ok(None) };
        Client::connect(broker.address)?.wait_for_coordinators()?;
        let plan = groups::Plan { topic, groups, members };
        groups::prepare(broker.address, plan).context("letting the members join").map(Some)
    }

    fn work(&self, row: &Row, broker: &Broker, topic: &str) -> Result<Done> {
        let until = Until::Elapsed(self.effort.span);
        let (address, acks, connections) = (broker.address, ACKS, self.connections(row));
        match row.work {
            Work::Volume { batches, acks } => {
                // A tenth of it where each waits for a slow flush.
                let share = if row.setup.flush_delay.is_some() { SLOW_FLUSH_SHARE } else { 1 };
                let volume_bytes = self.effort.volume_bytes / share;
                send_volume(address, topic, batches, volume_bytes, Acked { acks, connections })
            }
            Work::SingleRecords { record_bytes, in_flight } => {
                let (batch, _) = batch::fill(1, record_bytes, unix_time_ms());
                produce::run(
                    address,
                    &produce::Plan { topic, connections, in_flight, acks, batch: &batch, until },
                )
            }
            Work::OpenLoop { record_bytes, per_second } => {
                let span = self.effort.span;
                open_loop::run(address, &open_loop::Plan { topic, acks, record_bytes, per_second, span })
            }
            Work::RoundTrips { record_bytes } => {
                roundtrip::run(address, &roundtrip::Plan { topic, acks, record_bytes, until })
            }
            Work::Fetch { bytes_max, .. } => {
                fetch::run(address, &fetch::Plan { topic, connections, bytes_max, until })
            }
            Work::Java(tool) => {
                let kafka = self.kafka.as_ref().context("its tool comes with Apache Kafka")?;
                let Effort { volume_bytes, span, .. } = self.effort;
                java::run(kafka, address, &java::Plan { tool, topic, volume_bytes, span })
            }
            Work::Groups { .. } => anyhow::bail!("members join before their run"),
        }
    }

    /// The same work in the words of NATS, whose generator makes its streams itself.
    fn work_of_nats(&self, row: &Row, broker: &Broker, topic: &str) -> Result<Done> {
        let until = Until::Elapsed(self.effort.span);
        let plan = |record_bytes, in_flight| nats::Plan {
            topic,
            connections: self.connections(row),
            in_flight,
            record_bytes,
            until,
        };
        match row.work {
            Work::SingleRecords { record_bytes, in_flight } => {
                nats::publish(broker.address, &plan(record_bytes, in_flight))
            }
            Work::RoundTrips { record_bytes } => nats::round_trips(broker.address, &plan(record_bytes, 1)),
            _ => anyhow::bail!("NATS has no such work"),
        }
    }

    /// Fills a topic, which has a partition for each connection, with the effort's volume of 1 KiB records.
    pub(crate) fn fill(&self, address: SocketAddr, topic: &str) -> Result<Done> {
        self.send(address, topic, Batches::plain(FILL_RECORD_BYTES), self.effort.volume_bytes)
    }

    /// Sends so many bytes in full batches to such a topic.
    pub(crate) fn send(
        &self,
        address: SocketAddr,
        topic: &str,
        batches: Batches,
        volume_bytes: u64,
    ) -> Result<Done> {
        let acked = Acked { acks: ACKS, connections: self.connections };
        send_volume(address, topic, batches, volume_bytes, acked)
    }
}

/// Who sends a volume, and what they wait for.
#[derive(Debug, Clone, Copy)]
struct Acked {
    acks: i16,
    connections: usize,
}

fn send_volume(
    address: SocketAddr,
    topic: &str,
    Batches { record_bytes, batch_bytes, codec }: Batches,
    volume_bytes: u64,
    Acked { acks, connections }: Acked,
) -> Result<Done> {
    let (batch, _) = match codec {
        Codec::None => batch::fill(batch_bytes, record_bytes, unix_time_ms()),
        codec => batch::fill_compressed(codec, batch_bytes, record_bytes, unix_time_ms())?,
    };
    let until = Until::Requests(volume_bytes / batch.len() as u64);
    let plan = produce::Plan { topic, connections, in_flight: IN_FLIGHT, acks, batch: &batch, until };
    produce::run(address, &plan)
}

/// Lets the disk come to rest, so that no run pays for the pages of the one before it.
pub(crate) fn settle_disk(dir: &Path) -> Result<()> {
    let dir = std::fs::File::open(dir)?;
    rustix::fs::syncfs(&dir).context("flushing the file system between runs")
}

/// Gives back the page cache of all files below, which the disk must hold already. Of the pages of earlier runs the next is
/// then made, and those the machine has; with files left in the cache, each run would take pages that the host must find.
fn forget_pages(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            forget_pages(&path)?;
        } else if path.is_file() {
            let file = std::fs::File::open(&path)?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
                .context("emptying the page cache")?;
        }
    }
    Ok(())
}

/// A virtual machine gives pages that are free for seconds back to its host (free page reporting), and then pays
/// for the first touch of each: up to 2.4 CPU-seconds a GB, six times the page cache's own price, and at random. Pages
/// that were in use a moment ago have no such price, so as many as the run may need are touched and given back. It
/// lessens the effect and cannot end it, for the kernel chooses the pages.
pub(crate) fn reclaim_memory(volume_bytes: u64) -> Result<()> {
    let bytes = (volume_bytes * RECLAIM_SHARE).min(cpu::available_memory_bytes()? / 4 * 3);
    let mut pages = Vec::<u8>::new();
    pages.try_reserve_exact(bytes as usize).context("taking memory back from the host")?;
    pages.resize(bytes as usize, b'x');
    drop(black_box(pages));
    Ok(())
}
