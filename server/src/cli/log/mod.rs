//! `ottla log`: the files of logs at rest, checked, shown and repaired.
//!
//! The work is `storage::at_rest`'s; this reads the command line, prints, and says how far it is. Invariant: results go
//! to standard output, one line each; progress and complaints go to standard error.

mod adopt;
mod dump;
mod print;
mod progress;
mod repair;
mod verify;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use storage::Env;
use storage::at_rest::AtRestError;

use super::exit;

const EXAMPLES: &str = "\
Examples:
  ottla log verify /var/lib/ottla                        check everything in a data directory
  ottla log verify --json /var/lib/ottla/orders-0        one log, one JSON object a line
  ottla log dump --records --from 4711 --count 1 /var/lib/ottla/orders-0/00000000000000000000.log
  ottla log dump /var/lib/ottla/checkpoint
  ottla log repair --dry-run /var/lib/ottla              what is wrong, without touching it
  ottla log repair /var/lib/ottla                        with the broker stopped
  ottla log adopt --from /var/lib/kafka --to /var/lib/ottla

Each command has a --help of its own, with the exit codes.";

const EXIT_CODES: &str = "\
Exit codes:
  0  all is right (verify), all could be shown (dump), all is right now (repair), it is made (adopt)
  1  damage was found (verify, dump, repair --dry-run); something is left that is wrong, or the directory is in use (repair);
     it was not made to the end (adopt)
  2  the command line is wrong, or nothing could be done: it is missing, not Ottla's, or Apache Kafka's (of adopt: is not
     Kafka's, in use, or cannot be taken over); nothing was changed";

/// What to do with which files.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LogArgs {
    #[command(subcommand)]
    pub command: LogCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub enum LogCommand {
    /// Check files against themselves and each other, and change nothing.
    ///
    /// Every batch is read: checksum, offsets, the records inside; the indexes and the leader epochs are held against
    /// the batches, snapshots against their checksums, the checkpoint against the segments, the journal's commits against each other. One line per problem
    /// says the file, the position in it, the offset due there, what is wrong and what to do; a summary ends it. What a
    /// crash leaves and the next start puts right (a torn tail), and what a repair set aside before, is a `note` and no
    /// damage. A broker may run meanwhile; then the journal is left out and ends of logs may look torn.
    #[command(after_help = EXIT_CODES)]
    Verify(VerifyArgs),
    /// Print what stands in one file.
    ///
    /// Knows segments (.log), their indexes (.index, .timeindex, .txnindex) and .quarantine files, producers' .snapshot
    /// files, the metadata's .image files, .journal files, checkpoint, cleaner-offset-checkpoint, meta.properties,
    /// partition.metadata and leader-epoch-checkpoint; and what retention and compactions set aside (.deleted, .swap,
    /// .cleaned). A segment's batches are one line each; with
    /// --records each record too. Bytes that are no UTF-8 are printed as \xNN (in JSON as {"hex": ...}). Segments and
    /// indexes of Apache Kafka have the same format and can be shown, too.
    #[command(after_help = EXIT_CODES)]
    Dump(DumpArgs),
    /// Open a data directory as the broker would, and set aside every damaged byte in it.
    ///
    /// Takes the directory's lock, and refuses if a broker has it. First everything is checked as `verify` does, then the
    /// journal is replayed, torn tails are cut, indexes and lost small files are made anew, and damaged bytes of logs are
    /// moved to `<segment>.quarantine` files while all that stands behind them is kept. Nothing is asked. What was
    /// damaged is checked again at the end. Make a copy of the directory first if the disk is suspected.
    #[command(after_help = EXIT_CODES)]
    Repair(RepairArgs),
    /// Make a data directory with everything that a stopped Apache Kafka (KRaft) node has, and leave Kafka's untouched.
    ///
    /// Takes over topics with their ids and settings, all records with their offsets and times, log starts, leaders'
    /// epochs, groups and committed offsets, producers' sequences and ids, quotas, settings of groups, the cluster's and
    /// the node's id. Kafka 4.x, and 3.3 or later with KRaft; every partition must be on this node and in sync. Nothing
    /// is converted: batches are copied (or shared, where the file system can) and each is checked. If Kafka did not stop
    /// in order, torn ends are cut. Open transactions are ended, as their coordinator would. The new directory gets its
    /// name when it is whole: interrupt and begin again at any time. Access control, passwords and broker settings that
    /// were set while Kafka ran are named, and not taken over.
    #[command(after_help = EXIT_CODES)]
    Adopt(AdoptArgs),
}

#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// A data directory, the directory of a log in it, or a file: .log, .index, .timeindex, .txnindex, .quarantine,
    /// .snapshot, .image, .journal, checkpoint, cleaner-offset-checkpoint, meta.properties, partition.metadata,
    /// leader-epoch-checkpoint.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DumpArgs {
    /// The file to show.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Show the records in batches, too: offset, time, key, value, headers. Of journals and quarantines, the payloads.
    #[arg(long)]
    pub records: bool,

    /// Segments: begin with the batch that holds this offset.
    #[arg(long, value_name = "OFFSET")]
    pub from: Option<i64>,

    /// Segments: end after this many batches.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,

    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct RepairArgs {
    /// The data directory, one of `log.dirs`.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Only say what is wrong and would be repaired; change nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct AdoptArgs {
    /// Kafka's data directories: all of its `log.dirs`, and `metadata.log.dir` if that is another.
    #[arg(long, required = true, value_name = "KAFKA_LOG_DIR", value_delimiter = ',')]
    pub from: Vec<PathBuf>,

    /// The data directory to make. It must not be there, or be empty.
    #[arg(long, value_name = "OTTLA_DATA_DIR")]
    pub to: PathBuf,

    /// Only say what would be taken over and what not; make nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Take partitions whose directories are missing as empty, instead of refusing.
    #[arg(long)]
    pub missing_as_empty: bool,

    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

/// Runs `ottla log` over this machine's files and standard output.
pub fn run_log(args: &LogArgs) -> ExitCode {
    let (env, out) = (Env::real(), &mut io::stdout().lock());
    let code = match &args.command {
        LogCommand::Verify(args) => verify::run(&env, args, out),
        LogCommand::Dump(args) => dump::run(&env, args, out),
        LogCommand::Repair(args) => repair::run(&env, args, out),
        LogCommand::Adopt(args) => adopt::run(&env, args, out),
    };
    ExitCode::from(code)
}

/// Says why something was not done, and gives the exit code for it.
fn complain(error: &AtRestError) -> u8 {
    match error {
        // Whoever reads the output has seen enough of it: `ottla log dump … | head`.
        AtRestError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return exit::STOPPED,
        error => eprintln!("ottla: {error}"),
    }
    use storage::OpenError::{KafkaDirectory, NewerFormat};
    match error {
        AtRestError::Open(KafkaDirectory { .. } | NewerFormat { .. }) => exit::USAGE,
        AtRestError::InUse { .. }
        | AtRestError::Io { .. }
        | AtRestError::Open(_)
        | AtRestError::Output(_) => exit::FAILED,
        _ => exit::USAGE,
    }
}

/// The path in full, so that a file's directory and the one above it can be told.
fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;
