//! `ottla top`: a broker at a glance, in a terminal, for as long as one looks. It asks any Ottla by its metrics address and
//! needs nothing but that.
//!
//! The terminal is given back as it was, however this ends. Without a terminal one look is printed.

mod page;
mod view;

use super::exit;
use clap::Args;
use page::Page;
pub(super) use page::ask;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, OptionalActions, Termios};
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Duration;
use storage::Env;
use view::Look;

/// What to look at, and how often.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// The broker's metrics address, HOST:PORT.
    #[arg(default_value = "127.0.0.1:9464")]
    pub address: String,

    /// Seconds between two looks.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..3600))]
    pub every: u64,

    /// Print one look and end; rates are taken over one interval.
    #[arg(long)]
    pub once: bool,
}

/// Runs `ottla top` on this process's terminal.
pub fn run_top(args: &TopArgs) -> ExitCode {
    let address = args.address.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut top = Top { address, env: Env::real(), last: None };
    let every = Duration::from_secs(args.every);
    let outcome = match io::stdout().is_terminal() && io::stdin().is_terminal() && !args.once {
        true => top.watch(every),
        false => top.once(every),
    };
    match outcome {
        Ok(()) => ExitCode::from(exit::STOPPED),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(exit::STOPPED),
        Err(error) => {
            eprintln!("ottla: {address} does not show its metrics: {error}");
            ExitCode::from(exit::FAILED)
        }
    }
}

struct Top<'a> {
    address: &'a str,
    env: Env,
    /// The page before, and when it came.
    last: Option<(Page, Duration)>,
}

/// A size for output that is no terminal.
const COLUMNS: usize = 160;
const ROWS: usize = 1000;

/// What a terminal is told: a screen of its own without a cursor; back; go to the top; clear the rest of the line, of the
/// screen.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const TOP: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";

impl Top<'_> {
    /// One more look.
    fn look(&mut self, columns: usize, rows: usize) -> io::Result<Vec<String>> {
        let (status, text) = ask(self.address, "/metrics")?;
        if status != 200 {
            return Err(io::Error::other(format!("it answers with status {status}")));
        }
        let (_, state) = ask(self.address, "/readyz")?;
        let (now, at) = (Page::parse(&text), self.env.clock.monotonic());
        let before = self.last.as_ref().map(|(page, then)| (page, at.saturating_sub(*then)));
        let state: String = state.trim().chars().filter(|c| !c.is_control()).take(20).collect();
        let look = Look { address: self.address, state: &state, now: &now, before };
        let lines = look.lines(columns, rows);
        self.last = Some((now, at));
        Ok(lines)
    }

    fn once(&mut self, every: Duration) -> io::Result<()> {
        self.look(COLUMNS, ROWS)?;
        let nothing: &mut [PollFd<'_>] = &mut [];
        poll(nothing, Some(&timespec(every)))?;
        let lines = self.look(COLUMNS, ROWS)?;
        let mut out = io::stdout().lock();
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    /// Looks again and again until someone presses q. A broker that does not answer is shown as such: it may come back.
    fn watch(&mut self, every: Duration) -> io::Result<()> {
        let _screen = Screen::take()?;
        loop {
            let size = termios::tcgetwinsize(io::stdout())?;
            let (columns, rows) = (usize::from(size.ws_col.max(1)), usize::from(size.ws_row.max(2)));
            let lines = self.look(columns, rows - 1).unwrap_or_else(|error| {
                self.last = None;
                vec![format!("{}: {error}", self.address)]
            });
            let mut frame = TOP.to_owned();
            for line in lines {
                frame.push_str(&line);
                frame.push_str(CLEAR_LINE);
                frame.push_str("\r\n");
            }
            frame.push_str(CLEAR_REST);
            frame.push_str("q ends");
            let mut out = io::stdout().lock();
            out.write_all(frame.as_bytes())?;
            out.flush()?;
            drop(out);
            if is_to_end(every)? {
                return Ok(());
            }
        }
    }
}

/// Waits for a key; true if it is one that ends. The end of the input ends too.
fn is_to_end(at_most: Duration) -> io::Result<bool> {
    const ENDS: [u8; 3] = [b'q', b'Q', 3];
    let stdin = io::stdin();
    let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
    if poll(&mut waiting, Some(&timespec(at_most)))? == 0 {
        return Ok(false);
    }
    let mut keys = [0; 64];
    let count = stdin.lock().read(&mut keys)?;
    Ok(count == 0 || keys[..count].iter().any(|key| ENDS.contains(key)))
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

/// The terminal while this has it: keys come at once and are not shown.
struct Screen(Termios);

impl Screen {
    fn take() -> io::Result<Screen> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        let screen = Screen(before);
        io::stdout().write_all(ENTER.as_bytes())?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = io::stdout().write_all(LEAVE.as_bytes());
        let _ = io::stdout().flush();
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
