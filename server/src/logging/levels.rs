//! Which logger has which level, and the directives that say so to the filter. Pure.

use std::collections::BTreeMap;
use std::fmt;

use super::{Alteration, NotAltered};

/// The logger above all.
pub const ROOT: &str = "root";

macro_rules! of_server {
    ($($module:literal),+ $(,)?) => { [$(concat!("server", "::", $module)),+] };
}

/// The loggers that are there whether or not anybody set their level: the crates, and the modules of the broker. A test
/// walks the source and finds each of them here.
const CRATES: [&str; 6] =
    ["ottla", "protocol_compat", "server", "storage", "storage::compact", "storage::journal"];
const MODULES: [&str; 17] = of_server![
    "api",
    "cli",
    "client",
    "cluster",
    "config",
    "coordinator",
    "logging",
    "metrics",
    "net",
    "node",
    "observer",
    "partition",
    "protobuf",
    "quotas",
    "security",
    "telemetry",
    "traces",
];

fn known() -> impl Iterator<Item = &'static str> {
    CRATES.into_iter().chain(MODULES)
}

/// From the most that is said to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    /// Nothing here is worse than an error: errors are said.
    Fatal,
    /// Only `RUST_LOG` can say it.
    Off,
}

impl Level {
    const ALL: [(Level, &str, &str); 7] = [
        (Level::Trace, "TRACE", "trace"),
        (Level::Debug, "DEBUG", "debug"),
        (Level::Info, "INFO", "info"),
        (Level::Warn, "WARN", "warn"),
        (Level::Error, "ERROR", "error"),
        (Level::Fatal, "FATAL", "error"),
        (Level::Off, "OFF", "off"),
    ];

    /// As Kafka names it.
    pub fn word(self) -> &'static str {
        self.names().0
    }

    fn directive(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        let [(_, word, directive), ..] = Self::ALL;
        let found = Self::ALL.iter().find(|(level, ..)| *level == self);
        found.map_or((word, directive), |(_, word, directive)| (*word, *directive))
    }

    /// One that somebody may ask for while the broker runs.
    fn asked(word: &str) -> Option<Level> {
        let found = Self::ALL.iter().find(|(_, known, _)| *known == word);
        found.map(|(level, ..)| *level).filter(|level| *level != Level::Off)
    }

    /// As `RUST_LOG` has it: a word in any case, or a number from 0, nothing, to 5, everything.
    fn of_filter(text: &str) -> Option<Level> {
        let by_number = ["off", "error", "warn", "info", "debug", "trace"];
        let word = text.parse::<usize>().ok().and_then(|number| by_number.get(number).copied());
        let word = word.unwrap_or(text);
        let known = Self::ALL.iter().filter(|(level, ..)| *level != Level::Fatal);
        known
            .into_iter()
            .find(|(.., directive)| directive.eq_ignore_ascii_case(word))
            .map(|(level, ..)| *level)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Levels by loggers; a logger without one has that of the nearest above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Levels {
    root: Level,
    set: BTreeMap<String, Level>,
    /// What `RUST_LOG` says of spans and fields, which no logger here has.
    others: Vec<String>,
}

impl Levels {
    /// As a text of directives says, like `info,server::net=debug`. The filter lets errors through where it says nothing.
    pub(super) fn of(directives: &str) -> Levels {
        let mut levels = Levels { root: Level::Error, set: BTreeMap::new(), others: Vec::new() };
        for part in directives.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, level) = part.split_once('=').unwrap_or((part, ""));
            match (Level::of_filter(part), Level::of_filter(level)) {
                _ if part.contains(['[', ']', '{']) => levels.others.push(part.to_owned()),
                (Some(root), _) => levels.root = root,
                (None, Some(level)) => drop(levels.set.insert(name.to_owned(), level)),
                // A name alone is everything of it.
                (None, None) if level.is_empty() => drop(levels.set.insert(name.to_owned(), Level::Trace)),
                (None, None) => levels.others.push(part.to_owned()),
            }
        }
        levels
    }

    pub(super) fn directives(&self) -> String {
        let mut all = vec![self.root.directive().to_owned()];
        all.extend(self.set.iter().map(|(name, level)| format!("{name}={}", level.directive())));
        all.extend(self.others.iter().cloned());
        all.join(",")
    }

    pub(super) fn effective(&self) -> Vec<(String, Level)> {
        let mut names: Vec<&str> = self.set.keys().map(String::as_str).collect();
        for name in known() {
            names.push(name);
        }
        names.push(ROOT);
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (name.to_owned(), self.of_logger(name))).collect()
    }

    fn of_logger(&self, name: &str) -> Level {
        let mut above = name;
        loop {
            if let Some(level) = self.set.get(above) {
                return *level;
            }
            match above.rsplit_once("::") {
                Some((parent, _)) => above = parent,
                None => return self.root,
            }
        }
    }

    fn is_there(&self, name: &str) -> bool {
        name == ROOT || known().any(|known| known == name) || self.set.contains_key(name)
    }

    pub(super) fn alter(&mut self, name: &str, wanted: &Alteration) -> Result<(), NotAltered> {
        if *wanted == Alteration::OfList {
            return Err(NotAltered::NoList);
        }
        if !self.is_there(name) {
            return Err(NotAltered::NoLogger(name.to_owned()));
        }
        match wanted {
            Alteration::Set(word) => {
                let level = Level::asked(word).ok_or_else(|| NotAltered::NoLevel(word.clone()))?;
                if name == ROOT {
                    self.root = level;
                } else {
                    self.set.insert(name.to_owned(), level);
                }
            }
            _ if name == ROOT => return Err(NotAltered::Root),
            _ => drop(self.set.remove(name)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tracing_subscriber::EnvFilter;

    fn level(levels: &Levels, name: &str) -> &'static str {
        let all = levels.effective();
        all.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}")).1.word()
    }

    fn set(levels: &mut Levels, name: &str, word: &str) -> Result<(), NotAltered> {
        levels.alter(name, &Alteration::Set(word.to_owned()))
    }

    #[test]
    fn a_logger_has_its_own_level_or_that_above_it() {
        let mut levels = Levels::of("info,storage=warn,storage::journal=debug,hyper=off");
        assert_eq!(level(&levels, ROOT), "INFO");
        assert_eq!(level(&levels, "storage::journal"), "DEBUG");
        assert_eq!(level(&levels, "storage::compact"), "WARN");
        assert_eq!(level(&levels, MODULES[0]), "INFO");
        assert_eq!(level(&levels, "hyper"), "OFF", "what RUST_LOG names is there, too");
        set(&mut levels, "server", "FATAL").expect("there");
        assert_eq!(level(&levels, MODULES[0]), "FATAL");
        levels.alter("storage::journal", &Alteration::Delete).expect("there");
        levels.alter("storage", &Alteration::Delete).expect("there");
        set(&mut levels, ROOT, "TRACE").expect("there");
        assert_eq!(level(&levels, "storage::journal"), "TRACE");
        assert_eq!(levels.directives(), "trace,hyper=off,server=error");
    }

    #[test]
    fn what_is_no_logger_and_no_level_is_refused() {
        let mut levels = Levels::of("info");
        let before = levels.clone();
        assert_eq!(set(&mut levels, "no.such", "INFO"), Err(NotAltered::NoLogger("no.such".to_owned())));
        for word in ["", "info", "OFF", "ALL", "LOUD"] {
            assert_eq!(set(&mut levels, ROOT, word), Err(NotAltered::NoLevel(word.to_owned())));
        }
        assert_eq!(levels.alter(ROOT, &Alteration::Delete), Err(NotAltered::Root));
        assert_eq!(
            levels.alter("no.such", &Alteration::Delete),
            Err(NotAltered::NoLogger("no.such".to_owned()))
        );
        assert_eq!(levels.alter(ROOT, &Alteration::OfList), Err(NotAltered::NoList));
        assert_eq!(levels, before);
    }

    #[test]
    fn what_says_something_of_spans_is_kept_as_it_is() {
        let text = "warn,server[request{key=1}]=trace,3,storage";
        let levels = Levels::of(text);
        assert_eq!(levels.directives(), "info,storage=trace,server[request{key=1}]=trace");
        assert!(EnvFilter::try_new(levels.directives()).is_ok());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "this test reads the project's own source tree")]
    fn every_module_is_a_logger() {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let lib = std::fs::read_to_string(source.join("lib.rs")).expect("the source");
        let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        let modules: Vec<String> = modules.map(|module| ["server", module].join("::")).collect();
        assert!(modules.len() > 10, "{modules:?}");
        for module in modules {
            assert!(MODULES.contains(&module.as_str()), "{module} is no logger");
        }
        assert!(CRATES.is_sorted() && MODULES.is_sorted());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z:=,\\[\\]{}0-9 ]{0,40}") {
            let levels = Levels::of(&text);
            prop_assert!(!levels.effective().is_empty());
            // What the filter takes it still takes.
            if EnvFilter::try_new(&text).is_ok() {
                prop_assert!(EnvFilter::try_new(levels.directives()).is_ok(), "{}", levels.directives());
            }
        }
    }
}
