//! How far a check is, on standard error: a line redrawn on a terminal, now and then a new one elsewhere.
//!
//! Invariants: nothing is said in the first second; a line is gone from the terminal before anything else is printed.

use std::io::{self, Write};
use std::time::Duration;

use storage::Clock;
use storage::at_rest::{Finding, Report};

use super::print::{self, Format};

const QUIET: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(200);
const NEW_LINE: Duration = Duration::from_secs(10);
/// The clock is asked once in so many bytes.
const LOOK_BYTES: u64 = 1 << 20;
/// Takes back the line that stands on a terminal.
const CLEAR: &str = "\r\x1b[K";

pub(super) struct Progress<'p> {
    clock: &'p dyn Clock,
    err: &'p mut dyn Write,
    is_terminal: bool,
    begun: Duration,
    next: Duration,
    all: u64,
    done: u64,
    looked: u64,
    drawn: bool,
}

impl<'p> Progress<'p> {
    pub(super) fn new(clock: &'p dyn Clock, err: &'p mut dyn Write, is_terminal: bool) -> Progress<'p> {
        let begun = clock.monotonic();
        let next = begun + if is_terminal { QUIET } else { NEW_LINE };
        Progress { clock, err, is_terminal, begun, next, all: 0, done: 0, looked: 0, drawn: false }
    }

    pub(super) fn expect(&mut self, bytes: u64) {
        self.all += bytes;
    }

    pub(super) fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if self.done - self.looked >= LOOK_BYTES {
            self.looked = self.done;
            self.look();
        }
    }

    fn look(&mut self) {
        let now = self.clock.monotonic();
        if now < self.next {
            return;
        }
        self.next = now + if self.is_terminal { REDRAW } else { NEW_LINE };
        let line = line(self.done, self.all, now.saturating_sub(self.begun));
        // Progress that cannot be shown is no reason to stop.
        let _ = if self.is_terminal {
            self.drawn = true;
            write!(self.err, "{CLEAR}{line}").and_then(|()| self.err.flush())
        } else {
            writeln!(self.err, "{line}")
        };
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(self.err, "{CLEAR}").and_then(|()| self.err.flush());
        }
    }
}

/// Bytes done of all, speed, time left.
fn line(done: u64, all: u64, elapsed: Duration) -> String {
    const MB: u64 = 1_000_000;
    let all = all.max(done);
    let per_second = (done as f64 / elapsed.as_secs_f64().max(0.001)).max(1.0);
    let left = ((all - done) as f64 / per_second).ceil() as u64;
    let speed = per_second / MB as f64;
    format!("{} of {} MB, {speed:.0} MB/s, {}:{:02} left", done / MB, all / MB, left / 60, left % 60)
}

/// Prints findings and progress.
pub(super) struct Printer<'p> {
    pub(super) progress: Progress<'p>,
    pub(super) out: &'p mut dyn Write,
    pub(super) format: Format,
    /// The first failure to print: the check goes on, because its result counts.
    pub(super) failed: Option<io::Error>,
}

impl<'p> Printer<'p> {
    pub(super) fn new(progress: Progress<'p>, out: &'p mut dyn Write, format: Format) -> Printer<'p> {
        Printer { progress, out, format, failed: None }
    }

    pub(super) fn print(&mut self, print: impl FnOnce(Format, &mut dyn Write) -> io::Result<()>) {
        self.progress.clear();
        if let Err(error) = print(self.format, self.out) {
            self.failed.get_or_insert(error);
        }
    }
}

impl Report for Printer<'_> {
    fn expect(&mut self, bytes: u64) {
        self.progress.expect(bytes);
    }

    fn done(&mut self, bytes: u64) {
        self.progress.add(bytes);
    }

    fn found(&mut self, finding: &Finding) {
        self.print(|format, out| print::finding(finding, format, out));
    }
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
