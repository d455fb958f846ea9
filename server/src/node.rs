//! The composition root: data directories, metadata, partitions, listeners, in that order, and back.
//!
//! This is the one module that sees every other one. It holds no logic of serving.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol_compat::{guard, versions};
use storage::{
    AppendError, DataDir, DataDirOptions, Env, JournalOptions, OnCheckpoint, OnFlush, OnOffline, OpenError,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

pub use crate::api::Broker;
use crate::api::{Identity, TABLE, waits_for};
use crate::cluster::Image;
use crate::cluster::configure::stored_settings;
use crate::cluster::controller::{self, CommandError, LoadError};
use crate::cluster::records::BrokerStarted;
use crate::config::{Advertised, Config, Host, LiveConfig, TopicConfig, TopicConfigError};
use crate::coordinator::{Groups, ProducerIds};
use crate::metrics::{
    self, AskDataDir, AskGroups, BoundFigures, CompactionFigures, CountedApi, DataDirFigures, GROUP_STATES,
    GroupFigures, Health, HttpLimits, Metrics, NamedMax, State,
};
use crate::net::{self, Admission, BoundListener};
use crate::observer;
use crate::partition::fetch::FetchSessions;
use crate::partition::{ColdReads, Partitions, cleaner_options};
use crate::quotas::ClientQuotas;
use crate::security::Authorizer;
use crate::telemetry::Telemetry;
use crate::traces::{self, Traces};

/// Why the broker does not start. Each line says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    DataDir(#[from] OpenError),
    #[error(transparent)]
    Metadata(#[from] LoadError),
    #[error("the metadata log does not take records: {0}")]
    MetadataWrite(#[from] AppendError),
    #[error("the broker's settings do not fit together: {0}")]
    Settings(#[from] TopicConfigError),
    #[error(
        "listener {listener}: cannot listen on {address}: {source}; `--set listeners=…` chooses another address"
    )]
    Bind { listener: String, address: String, source: io::Error },
    #[error(
        "cannot listen on {address} for metrics: {source}; `--set metrics.listener=…` chooses another, `off` none"
    )]
    BindMetrics { address: String, source: io::Error },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A broker that serves.
pub struct Node {
    broker: Arc<Broker>,
    dirs: Vec<Arc<DataDir>>,
    health: Arc<Health>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<io::Result<()>>,
    /// Writes the metadata's snapshots.
    keeping: JoinHandle<()>,
    /// Sends traces, if there is somebody to send them to.
    exporter: Option<traces::Exporter>,
    helpers: Vec<JoinHandle<()>>,
    /// Moves partitions between data directories.
    moving: std::thread::JoinHandle<()>,
    addresses: Vec<String>,
    metadata_offline: Arc<Notify>,
}

impl Node {
    pub async fn start(config: Config, env: Env) -> Result<Node, StartError> {
        TopicConfig::from_overrides(&BTreeMap::new(), &config)?;
        let config = Arc::new(config);
        let metrics = new_metrics(&config);
        let health = Arc::new(Health::default());
        // Bound before recovery, so that a supervisor sees a broker that starts and not one that is away.
        let metrics_listener = bind_metrics(&config).await?;
        let mut helpers = Vec::new();
        let mut addresses = Vec::new();
        if let Some((listener, address)) = metrics_listener {
            addresses.push(format!("metrics=http://{address}/metrics"));
            let limits = HttpLimits {
                connections_max: config.metrics_connections_max,
                request_timeout: Duration::from_millis(config.metrics_request_timeout_ms),
            };
            helpers.push(tokio::spawn(metrics::serve(listener, metrics.clone(), health.clone(), limits)));
        }
        let metadata_offline = Arc::new(Notify::new());
        let dirs = open_dirs(&config, &env, &metrics, &metadata_offline)?;
        let (broker, exporter) = open_broker(&config, &env, &dirs, &metrics).await?;
        let broker = Arc::new(broker);
        watch(&metrics, &broker);
        let bound = bind_all(&config)?;
        let advertised = advertise(&config, &bound);
        broker.advertised.get_or_init(|| advertised);
        addresses.splice(0..0, bound.iter().map(|b| format!("{}://{}", b.name, b.address)));
        let (stop, stopping) = watch::channel(false);
        helpers.push(tokio::spawn(expire_producers(dirs.clone(), broker.config.clone())));
        helpers.push(tokio::spawn(look_at_partitions(broker.clone())));
        let moving = move_partitions(&broker)?;
        let admission = Admission::new(broker.config.clone(), metrics);
        helpers.push(tokio::spawn(tell_admission(admission.clone())));
        let keeping = tokio::spawn(keep_snapshots(broker.clone(), stopping.clone()));
        let serving = tokio::spawn(net::serve(bound, broker.clone(), admission, stopping));
        health.set(State::Ready);
        Ok(Node {
            broker,
            dirs,
            health,
            stop,
            serving,
            keeping,
            exporter,
            helpers,
            moving,
            addresses,
            metadata_offline,
        })
    }

    /// Waits until this broker cannot go on: the directory of its metadata takes no more writes, so that nothing it would
    /// say could be kept.
    pub async fn failed(&self) {
        self.metadata_offline.notified().await;
        self.health.set(State::Failed);
    }

    /// The bound addresses, in the words of the ready line.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Ends what has begun, flushes everything, and leaves the directories as a clean start wants them.
    pub async fn stop(self) -> io::Result<()> {
        self.health.set(State::Stopping);
        // No receiver: the listeners have ended already.
        let _ = self.stop.send(true);
        // Members who wait for each other would hold their connections.
        self.broker.groups.close();
        let served = self.serving.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        self.helpers.iter().for_each(JoinHandle::abort);
        self.broker.partitions.stop_moving();
        if self.moving.join().is_err() {
            tracing::error!("the thread that moves partitions panicked");
        }
        if let Some(exporter) = self.exporter {
            exporter.finish().await;
        }
        // Nothing may be written once another process can have the directories.
        if let Err(panic) = self.keeping.await {
            tracing::error!(%panic, "the metadata's snapshots were not kept to the end");
        }
        for dir in &self.dirs {
            dir.close();
        }
        served
    }
}

/// The metadata lives in the first directory.
fn on_offline(metadata_offline: &Arc<Notify>) -> OnOffline {
    let metadata_offline = metadata_offline.clone();
    Arc::new(move || metadata_offline.notify_one())
}

/// Flushes are counted where they happen.
fn on_flush(metrics: &Arc<Metrics>) -> OnFlush {
    let metrics = metrics.clone();
    Arc::new(move |elapsed| metrics.logs.flushed(elapsed))
}

/// And checkpoints.
fn on_checkpoint(metrics: &Arc<Metrics>) -> OnCheckpoint {
    let metrics = metrics.clone();
    Arc::new(move |elapsed| metrics.logs.checkpointed(elapsed))
}

/// Every now and then partitions forget the producers that have been silent for long.
async fn expire_producers(dirs: Vec<Arc<DataDir>>, config: Arc<LiveConfig>) {
    let every = Duration::from_millis(config.load().producer_id_expiration_check_interval_ms);
    loop {
        tokio::time::sleep(every).await;
        let after = Duration::from_millis(config.load().producer_id_expiration_ms);
        // Memory only, log by log: no longer than many a request.
        let expired: usize = dirs.iter().map(|dir| dir.expire_producers(after)).sum();
        if expired > 0 {
            tracing::debug!(expired, "producers that were silent for long are forgotten");
        }
    }
}

/// Moves partitions between data directories, one after the other, for as long as the broker is there.
fn move_partitions(broker: &Arc<Broker>) -> io::Result<std::thread::JoinHandle<()>> {
    const LOOK_AROUND: Duration = Duration::from_secs(1);
    let broker = Arc::downgrade(broker);
    let work = move || {
        while let Some(broker) = broker.upgrade()
            && broker.partitions.move_on(LOOK_AROUND)
        {}
    };
    std::thread::Builder::new().name("move".to_owned()).spawn(work)
}

/// Those who wait for a place look again when the settings have changed.
async fn tell_admission(admission: Arc<Admission>) {
    let mut changes = admission.config().subscribe();
    while changes.changed().await.is_ok() {
        admission.reconfigured();
    }
}

/// What the metrics ask of a directory, for as long as it is there.
fn figures_of(dir: &Arc<DataDir>) -> AskDataDir {
    let dir = Arc::downgrade(dir);
    Box::new(move || {
        let dir = dir.upgrade()?;
        let stats = dir.stats();
        Some(DataDirFigures {
            journal_commits: stats.journal.commits,
            journal_bytes: stats.journal.committed_bytes,
            journal_live_bytes: stats.journal.live_bytes,
            journal_capacity_bytes: stats.journal.capacity_bytes,
            checkpoints: stats.checkpoints,
            waiting_appends: stats.waiting_appends,
            quarantined_bytes: stats.quarantined_bytes,
            removed_segments: stats.removed_segments,
            removed_bytes: stats.removed_bytes,
            moves_underway: stats.moves_underway,
            moved_logs: stats.moved_logs,
            moved_bytes: stats.moved_bytes,
            compaction: CompactionFigures {
                passes: stats.cleaner.passes,
                read_bytes: stats.cleaner.read_bytes,
                written_bytes: stats.cleaner.written_bytes,
                busy: stats.cleaner.busy,
                uncleanable_logs: stats.cleaner.uncleanable_logs,
                uncleanable_bytes: stats.cleaner.uncleanable_bytes,
                dirty_percent_max: stats.cleaner.dirty_percent_max,
                since_last_run: stats.cleaner.since_last_run,
            },
            producers: stats.producers,
            is_offline: dir.is_offline(),
        })
    })
}

/// Metrics for the APIs that are served.
fn new_metrics(config: &Config) -> Arc<Metrics> {
    let counted = |key: i16| CountedApi {
        key,
        name: versions::api_info(key).map_or("unknown", |info| info.name),
        waits_for: waits_for(key),
    };
    let named_max = NamedMax {
        topics: config.metrics_topics_max,
        partitions: config.metrics_partitions_max,
        groups: config.metrics_groups_max,
        group_partitions: config.metrics_group_partitions_max,
        client_software: config.metrics_client_software_max,
        client_instances: config.metrics_client_instances_max,
    };
    Metrics::new(&TABLE.iter().map(|api| counted(api.key)).collect::<Vec<_>>(), named_max)
}

/// What the metrics ask of a broker, for as long as it is there.
fn watch(metrics: &Metrics, broker: &Arc<Broker>) {
    let weak = Arc::downgrade(broker);
    metrics.watch_partitions(Box::new(move || {
        let broker = weak.upgrade()?;
        Some(observer::partitions(&broker.partitions, &broker.controller.seen().image))
    }));
    let weak = Arc::downgrade(broker);
    metrics.watch_pushed(Box::new(move || Some(weak.upgrade()?.telemetry.pushed())));
    let weak = Arc::downgrade(broker);
    let lag = move |rows_max: usize| {
        let broker = weak.upgrade()?;
        let seen = broker.controller.seen();
        let clock = &*broker.env.clock;
        Some(observer::lag(&broker.groups, &broker.partitions, &seen.image, clock, rows_max))
    };
    metrics.watch_groups(group_figures_of(broker), Box::new(lag));
}

/// Notes every second up to where partitions can be read.
async fn look_at_partitions(broker: Arc<Broker>) {
    let mut interval = tokio::time::interval(observer::LOOK_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        observer::look(&broker.partitions, &*broker.env.clock).await;
    }
}

/// What the metrics ask of the groups, for as long as the broker is there.
fn group_figures_of(broker: &Arc<Broker>) -> AskGroups {
    let broker = Arc::downgrade(broker);
    Box::new(move || {
        let figures = broker.upgrade()?.groups.figures();
        Some(GroupFigures {
            groups: GROUP_STATES.map(|state| figures.groups.get(state).copied().unwrap_or(0)),
            members: figures.members,
            offsets: figures.offsets,
            commits: figures.counts.commits,
            expired_offsets: figures.counts.expired_offsets,
            rebalances: figures.counts.rebalances,
            loading_shards: figures.loading_shards,
            group_bound: bound_of(figures.group_bound),
            pending_bound: bound_of(figures.pending_bound),
        })
    })
}

fn bound_of(bound: crate::coordinator::group::BoundFigures) -> BoundFigures {
    BoundFigures { max: bound.max, used: bound.used, hits: bound.hits }
}

fn open_dirs(
    config: &Config,
    env: &Env,
    metrics: &Arc<Metrics>,
    metadata_offline: &Arc<Notify>,
) -> Result<Vec<Arc<DataDir>>, OpenError> {
    // The first directory names the cluster; the others must agree with it.
    let mut cluster_id = config.cluster_id.clone();
    let mut dirs: Vec<Arc<DataDir>> = Vec::new();
    for path in &config.log_dirs {
        let options = DataDirOptions {
            cluster_id: cluster_id.clone(),
            node_id: config.node_id,
            free_bytes_min: config.log_dir_min_free_bytes,
            retention_interval: Duration::from_millis(config.log_retention_check_interval_ms),
            journal: JournalOptions {
                bytes_max: config.journal_bytes_max,
                direct: config.journal_direct,
                ..JournalOptions::default()
            },
            cleaner: cleaner_options(config),
            on_offline: dirs.is_empty().then(|| on_offline(metadata_offline)),
            on_flush: Some(on_flush(metrics)),
            on_checkpoint: Some(on_checkpoint(metrics)),
            ..Default::default()
        };
        let dir = DataDir::open(env.clone(), path.clone(), options)?;
        metrics.watch_data_dir(&path.display().to_string(), figures_of(&dir));
        cluster_id.get_or_insert_with(|| dir.meta().cluster_id.clone());
        dirs.push(dir);
    }
    Ok(dirs)
}

async fn open_broker(
    config: &Arc<Config>,
    env: &Env,
    dirs: &[Arc<DataDir>],
    metrics: &Arc<Metrics>,
) -> Result<(Broker, Option<traces::Exporter>), StartError> {
    let (log, controller) = controller::open(&dirs[0], env)?;
    let started = BrokerStarted { node_id: config.node_id as u32 };
    let (noted, seen) = controller.execute(|_| Ok::<_, Infallible>((vec![started.into()], ())));
    if let Err(CommandError::Storage(error)) = noted {
        return Err(error.into());
    }
    let image = seen.image.clone();
    // Nobody may see an epoch that a crash could hand out again.
    seen.as_ref().clone().durable().await?;
    log.set_leader_epoch(image.leader_epoch());
    let live = LiveConfig::new(with_stored(config, &image));
    let config = &live.load_full();
    dirs.iter().for_each(|dir| dir.reconfigure_cleaner(cleaner_options(config)));
    let partitions = Partitions::new(dirs.to_vec(), live.clone(), env.clone(), &image, controller::LOG_ID)?;
    partitions.open_existing(&image);
    let identity = Identity { cluster_id: dirs[0].meta().cluster_id.clone(), node_id: config.node_id };
    let service = traces::Service { cluster_id: &identity.cluster_id, node_id: identity.node_id };
    let (traces, exporter) = Traces::start(config, env, metrics, service);
    let broker = Broker {
        identity,
        config: live,
        controller,
        partitions,
        fetch_sessions: FetchSessions::new(config, env.clone(), metrics.clone()),
        cold_reads: ColdReads::new(config.cold_reads_max, metrics.clone()),
        producer_ids: ProducerIds::default(),
        groups: Groups::new(config, env.clone()),
        quotas: ClientQuotas::new(config, metrics),
        telemetry: Telemetry::new(config, env.clone(), metrics.clone()),
        authorizer: Authorizer,
        metrics: metrics.clone(),
        traces,
        env: env.clone(),
        guard_limits: guard::Limits::default(),
        heavy_work: Arc::new(Semaphore::new(1)),
        advertised: OnceLock::new(),
    };
    image.deleting().for_each(|topic| broker.purge(topic));
    broker.groups.load(&broker.partitions, &image);
    Ok((broker, exporter))
}

/// The settings of this start under those that were set in earlier lives.
fn with_stored(config: &Config, image: &Image) -> Config {
    let (config, complaints) = config.with_stored(&stored_settings(image, config.node_id));
    for complaint in complaints {
        tracing::error!(complaint, "what was set for the broker in an earlier life does not count");
    }
    config
}

/// Writes a snapshot of the metadata whenever one is due, until the broker stops.
#[expect(clippy::disallowed_methods, reason = "rare and long: it encodes and flushes a whole image")]
async fn keep_snapshots(broker: Arc<Broker>, mut stopping: watch::Receiver<bool>) {
    loop {
        let seen = tokio::select! {
            seen = broker.controller.snapshot_due() => seen,
            _ = stopping.changed() => return,
        };
        let broker = broker.clone();
        let write = move || {
            broker.controller.write_snapshot(&seen)?;
            broker.controller.forget_covered();
            Ok(())
        };
        let written = tokio::task::spawn_blocking(write).await;
        if let Err(error) = written.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            tracing::warn!(%error, "no snapshot of the metadata: the next start reads more of its log");
        }
    }
}

fn bind_all(config: &Config) -> Result<Vec<BoundListener>, StartError> {
    let mut bound = Vec::new();
    for listener in &config.listeners {
        bound.extend(net::bind(listener, config).map_err(|source| StartError::Bind {
            listener: listener.name.clone(),
            address: format!("{}:{}", listener.host, listener.port),
            source,
        })?);
    }
    Ok(bound)
}

/// What clients are told, with the bound port where the settings leave it open.
fn advertise(config: &Config, bound: &[BoundListener]) -> Vec<Advertised> {
    let bound_port = |name: &str| bound.iter().find(|b| &*b.name == name).map_or(0, |b| b.address.port());
    let complete = |a: &Advertised| {
        let port = if a.port == 0 { bound_port(&a.name) } else { a.port };
        Advertised { port, ..a.clone() }
    };
    config.advertised.iter().map(complete).collect()
}

async fn bind_metrics(config: &Config) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(endpoint) = &config.metrics_listener else { return Ok(None) };
    let failed = |source| StartError::BindMetrics { address: endpoint.to_string(), source };
    let host = match &endpoint.host {
        Host::Localhost => "127.0.0.1".to_owned(),
        Host::All => "::".to_owned(),
        Host::Address(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    let listener = TcpListener::bind((host.as_str(), endpoint.port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some((listener, address)))
}
