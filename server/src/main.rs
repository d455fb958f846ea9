//! `ottla`: reads the command line, starts the node, waits for a signal.

mod notify;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use server::cli::{
    Cli, Command, VERSION, exit, print_completions, print_man, run_cluster, run_config, run_consume,
    run_doctor, run_group, run_health, run_log, run_produce, run_quota, run_top, run_topic, show_config,
};
use server::config::{Config, LogFormat, environment};
use server::logging;
use server::node::{Broker, Node};
use storage::Env;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.has_idle_settings() {
        eprintln!(
            "ottla: --config and --set before this command have no meaning: they are settings of a broker"
        );
        return ExitCode::from(exit::USAGE);
    }
    if let Some(command) = &cli.command {
        return run_command(&cli, command);
    }
    let config = match Config::load(&cli, environment()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("ottla: {error}");
            return ExitCode::from(exit::USAGE);
        }
    };
    logging::init(match config.log_format {
        LogFormat::Text => logging::Format::Text,
        LogFormat::Json => logging::Format::Json,
    });
    match serve(config, cli) {
        Ok(()) => ExitCode::from(exit::STOPPED),
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(exit::FAILED)
        }
    }
}

/// What is no broker.
fn run_command(cli: &Cli, command: &Command) -> ExitCode {
    match command {
        Command::Config(args) => match &args.command {
            Some(command) => run_config(command),
            None => show_config(cli, args),
        },
        Command::Topic(args) => run_topic(args),
        Command::Produce(args) => run_produce(args),
        Command::Consume(args) => run_consume(args),
        Command::Cluster(args) => run_cluster(args),
        Command::Group(args) => run_group(args),
        Command::Quota(args) => run_quota(args),
        Command::Log(args) => {
            // What is found is printed; the storage's own words are for those who ask.
            if std::env::var_os("RUST_LOG").is_some() {
                logging::init(logging::Format::Text);
            }
            raise_descriptor_limit();
            run_log(args)
        }
        Command::Doctor(args) => run_doctor(cli, args),
        Command::Top(args) => run_top(args),
        Command::Health(args) => run_health(cli, args),
        Command::Completions(args) => print_completions(args),
        Command::Man(args) => print_man(args),
    }
}

fn serve(config: Config, cli: Cli) -> anyhow::Result<()> {
    tracing::info!("ottla {VERSION}");
    raise_descriptor_limit();
    for notice in &config.notices {
        tracing::info!("{notice}");
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = config.num_network_threads {
        runtime.worker_threads(threads);
    }
    let runtime =
        runtime.enable_all().thread_name("ottla-net").build().context("cannot start the network threads")?;
    runtime.block_on(run(config, cli))
}

async fn run(config: Config, cli: Cli) -> anyhow::Result<()> {
    // Taken before the start, so that a signal during recovery is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;
    let node = Node::start(config, Env::real()).await?;
    println!("ottla ready: {}", node.addresses().join(" "));
    notify::ready(node.addresses());
    let reloading = tokio::spawn(reload_on(hangup, cli, node.broker().clone()));
    let failed = tokio::select! {
        _ = terminate.recv() => {
            tracing::info!("SIGTERM: stopping");
            false
        }
        _ = interrupt.recv() => {
            tracing::info!("SIGINT: stopping");
            false
        }
        () = node.failed() => true,
    };
    notify::stopping();
    reloading.abort();
    node.stop().await.context("the broker did not stop cleanly")?;
    anyhow::ensure!(
        !failed,
        "the data directory of the metadata takes no more writes; repair the disk and start again"
    );
    tracing::info!("stopped");
    Ok(())
}

/// Each SIGHUP has the settings read again, one after the other.
async fn reload_on(mut hangup: Signal, cli: Cli, broker: Arc<Broker>) {
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP: the settings are read again");
        let reloaded = match Config::load(&cli, environment()) {
            Ok(start) => broker.reload(&start).await,
            Err(error) => Err(error),
        };
        if let Err(error) = reloaded {
            tracing::error!(%error, "the settings stay as they are");
        }
    }
}

/// Below this an operator is told; containers and systemd units commonly have more.
const DESCRIPTORS_WANTED: u64 = 16_384;

/// As many connections and segments as the machine's hard limit lets this process have.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::info!(%error, "the limit of open files stays as it is");
    }
    if let Some(most) = getrlimit(Resource::Nofile).current.filter(|most| *most < DESCRIPTORS_WANTED) {
        tracing::warn!(
            "this process may have {most} open files, at most three quarters of them connections; each partition in use needs one: \
             raise `ulimit -Hn` to {DESCRIPTORS_WANTED} or more"
        );
    }
}
