//! Commands that ask a running Kafka server: how it is named, how results are printed, how they end.
//!
//! Invariants: results go to standard output, for programs as one JSON object a line; complaints and progress go to standard
//! error; whoever stops reading (`| head`) is no failure; SIGINT and SIGTERM end a command at once, with what was
//! printed before whole.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::exit;
use crate::client::{Client, ClientError, Options};

/// Which server, how long to wait for it, and who reads the answer.
#[derive(Clone, Debug, Args)]
pub struct RemoteArgs {
    /// Some brokers of the cluster.
    #[arg(
        short = 'b',
        long = "bootstrap-server",
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        default_value = "localhost:9092",
        global = true,
        help_heading = "Server"
    )]
    pub bootstrap: Vec<String>,

    /// How long to try before giving up, per question.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=86_400),
        global = true,
        help_heading = "Server"
    )]
    pub timeout: u64,

    /// Print one JSON object per line.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The exit codes of these commands, for `--help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed, or a part of it did; what failed is on standard error
  2  the command line is wrong; nothing was asked";

/// Why a command ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot write the results: {0}")]
    Output(#[from] io::Error),
    /// The words of the command line do not go together.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Failed(String),
}

/// Where a command prints.
pub(super) struct Printer<'o> {
    out: &'o mut dyn Write,
    is_json: bool,
    has_failed: bool,
}

impl<'o> Printer<'o> {
    pub(super) fn new(out: &'o mut dyn Write, is_json: bool) -> Printer<'o> {
        Printer { out, is_json, has_failed: false }
    }

    pub(super) fn is_json(&self) -> bool {
        self.is_json
    }

    /// A line for people or an object for programs.
    pub(super) fn say(
        &mut self,
        text: impl FnOnce() -> String,
        object: impl FnOnce() -> Value,
    ) -> io::Result<()> {
        match self.is_json {
            true => writeln!(self.out, "{}", object()),
            false => writeln!(self.out, "{}", text()),
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    pub(super) fn object(&mut self, object: &Value) -> io::Result<()> {
        writeln!(self.out, "{object}")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Says what failed; the command goes on and ends as a failure.
    pub(super) fn complain(&mut self, what: impl std::fmt::Display) -> io::Result<()> {
        self.has_failed = true;
        self.note(format_args!("Error: {what}"))
    }

    /// Says something that is no result.
    pub(super) fn note(&mut self, what: impl std::fmt::Display) -> io::Result<()> {
        self.out.flush()?;
        eprintln!("{what}");
        Ok(())
    }
}

/// Whether nobody reads standard output any more: who prints seldom would not notice.
pub(super) fn is_reader_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&at_once)).is_ok() && asked[0].revents().contains(PollFlags::ERR)
}

/// Whether a signal ends a command's work as it is, or the command ends it itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum OnSignal {
    Leave,
    /// [`Signals`] are the command's own.
    Theirs,
}

/// SIGINT and SIGTERM.
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(super) async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Runs a command's work over standard output.
pub(super) fn run(
    args: &RemoteArgs,
    on_signal: OnSignal,
    work: impl AsyncFnOnce(&mut Client, &mut Printer<'_>) -> Result<(), Stop>,
) -> ExitCode {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut printer = Printer::new(&mut stdout, args.json);
    let ended = in_runtime(args, on_signal, work, &mut printer);
    let failed = printer.has_failed;
    let ended = ended.and_then(|()| stdout.flush().map_err(Stop::Output));
    ExitCode::from(match ended {
        Ok(()) if !failed => exit::STOPPED,
        Ok(()) => exit::FAILED,
        // Whoever reads the results has seen enough of them.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => exit::STOPPED,
        Err(stop) => {
            // What was found before the failure is worth showing.
            let _ = stdout.flush();
            eprintln!("ottla: {stop}");
            if matches!(stop, Stop::Usage(_)) { exit::USAGE } else { exit::FAILED }
        }
    })
}

fn in_runtime(
    args: &RemoteArgs,
    on_signal: OnSignal,
    work: impl AsyncFnOnce(&mut Client, &mut Printer<'_>) -> Result<(), Stop>,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let bootstrap = args.bootstrap.iter().map(|address| with_port(address)).collect::<Result<_, _>>()?;
    let options = Options { bootstrap, patience: Duration::from_secs(args.timeout) };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::Failed(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let mut client = Client::new(options);
        let mut signals = match on_signal {
            OnSignal::Leave => Some(Signals::new()?),
            OnSignal::Theirs => None,
        };
        let work = Box::pin(work(&mut client, printer));
        match &mut signals {
            None => work.await,
            Some(signals) => tokio::select! {
                done = work => done,
                () = signals.any() => Err(Stop::Failed("interrupted".to_owned())),
            },
        }
    })
}

/// The port that Kafka servers have.
const PORT_DEFAULT: u16 = 9092;

/// An address as it was given, with a port.
fn with_port(address: &str) -> Result<String, Stop> {
    let address = address.trim();
    let port = match address.rsplit_once(':') {
        // The colons of an IPv6 address.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => None,
        Some((_, port)) if !address.ends_with(']') => Some(port),
        _ => None,
    };
    match port {
        Some(port) if port.parse::<u16>().is_err() => {
            Err(Stop::Usage(format!("`{address}` has no port behind its colon")))
        }
        Some(_) => Ok(address.to_owned()),
        None if address.is_empty() => Err(Stop::Usage("an address of a broker is empty".to_owned())),
        None if address.contains(':') && !address.starts_with('[') => {
            Ok(format!("[{address}]:{PORT_DEFAULT}"))
        }
        None => Ok(format!("{address}:{PORT_DEFAULT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_the_port_that_they_lack() {
        for (given, expected) in [
            ("localhost", "localhost:9092"),
            (" broker:19092 ", "broker:19092"),
            ("::1", "[::1]:9092"),
            ("[::1]", "[::1]:9092"),
            ("[::1]:1", "[::1]:1"),
        ] {
            assert_eq!(with_port(given).unwrap(), expected);
        }
        for wrong in ["", "host:", "host:port", "host:99999"] {
            assert!(matches!(with_port(wrong), Err(Stop::Usage(_))), "{wrong:?}");
        }
    }
}
