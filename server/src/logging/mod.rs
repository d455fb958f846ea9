//! What the broker says of itself on stderr: text or JSON, one line each, and how much of it.
//!
//! Loggers are the modules of the source, and `root` above them all. `RUST_LOG` says their levels at the start; while the
//! broker runs they are altered through [`Loggers`], and nothing of that outlives the process. No module of the broker
//! may be known here.

mod levels;

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use levels::Levels;
pub use levels::{Level, ROOT};

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    /// One JSON object: timestamp, level, target, message, and the other fields beside them.
    Json,
}

/// Why the levels of loggers stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAltered {
    #[error("there is no logger '{0}'")]
    NoLogger(String),
    #[error("a logger has one of the levels TRACE, DEBUG, INFO, WARN, ERROR, FATAL, and not '{0}'")]
    NoLevel(String),
    #[error("the level of the root logger cannot be taken away")]
    Root,
    #[error("a logger's level is set or taken away; it is no list")]
    NoList,
    #[error("the levels cannot be put in force: {0}")]
    Refused(String),
}

/// What is to become of a logger's level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    Set(String),
    /// As the logger above it has it.
    Delete,
    /// What is for lists.
    OfList,
}

type Handle = reload::Handle<EnvFilter, Registry>;

/// The loggers of this process.
pub struct Loggers {
    levels: Mutex<Levels>,
    /// There is none where somebody else writes the lines: in tests.
    handle: Option<Handle>,
}

static LOGGERS: OnceLock<Loggers> = OnceLock::new();

/// The loggers of this process.
pub fn loggers() -> &'static Loggers {
    LOGGERS.get_or_init(|| Loggers { levels: Mutex::new(Levels::of("info")), handle: None })
}

/// From now on lines are written to stderr, as `RUST_LOG` and whoever alters the levels later want it.
pub fn init(format: Format) {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let levels = wanted.as_deref().filter(|text| EnvFilter::try_new(text).is_ok()).unwrap_or("info");
    let levels = Levels::of(levels);
    let (filter, handle) = reload::Layer::new(EnvFilter::new(levels.directives()));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed(),
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    };
    // Whoever comes second finds the lines written already.
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = LOGGERS.set(Loggers { levels: Mutex::new(levels), handle: Some(handle) });
    }
}

impl Loggers {
    /// Every logger and the level that counts for it, by name.
    pub fn levels(&self) -> Vec<(String, Level)> {
        self.lock().effective()
    }

    /// Alters all of these, or none. With `only_check` nothing is altered.
    pub fn alter(&self, wanted: &[(String, Alteration)], only_check: bool) -> Result<(), NotAltered> {
        let mut levels = self.lock();
        let mut next = levels.clone();
        for (name, alteration) in wanted {
            next.alter(name, alteration)?;
        }
        if only_check {
            return Ok(());
        }
        if let Some(handle) = &self.handle {
            let refused = |why: String| NotAltered::Refused(why);
            let filter = EnvFilter::try_new(next.directives()).map_err(|error| refused(error.to_string()))?;
            handle.reload(filter).map_err(|error| refused(error.to_string()))?;
        }
        *levels = next;
        drop(levels);
        for (logger, alteration) in wanted {
            tracing::warn!(logger, to = alteration.word(), "the level of a logger was altered");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alteration {
    fn word(&self) -> &str {
        match self {
            Self::Set(level) => level,
            Self::Delete | Self::OfList => "(inherited)",
        }
    }
}
