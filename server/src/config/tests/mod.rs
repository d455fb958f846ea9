//! Tests of the settings as an operator meets them: through [`Config::load`].

mod dynamic;
mod group;
mod kafka_environment;
mod listeners;
mod names;
mod rules;
mod topic;

use super::*;
use crate::cli::Assignment;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) fn cli(set: &[(&str, &str)]) -> Cli {
    let set =
        set.iter().map(|(name, value)| Assignment { name: (*name).to_owned(), value: (*value).to_owned() });
    Cli { set: set.collect(), ..Cli::default() }
}

pub(super) fn try_load(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(&cli(set), [])
}

pub(super) fn load(set: &[(&str, &str)]) -> Config {
    try_load(set).unwrap_or_else(|error| panic!("{set:?}: {error}"))
}

/// The complaint about these settings.
pub(super) fn refused(set: &[(&str, &str)]) -> String {
    match try_load(set) {
        Ok(_) => panic!("{set:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

pub(super) fn has_notice(config: &Config, setting: &str, text: &str) -> bool {
    config.notices.iter().any(|notice| notice.setting == setting && notice.text.contains(text))
}

/// A settings file that is gone when the test is over.
pub(super) struct TempFile(PathBuf);

impl TempFile {
    #[expect(clippy::disallowed_methods, reason = "a test's own file on the real machine")]
    pub(super) fn new(text: &str) -> TempFile {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ottla-settings-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a temporary file");
        TempFile(path)
    }

    pub(super) fn cli(&self, set: &[(&str, &str)]) -> Cli {
        Cli { config: Some(self.0.clone()), ..cli(set) }
    }
}

impl Drop for TempFile {
    #[expect(clippy::disallowed_methods, reason = "a test's own file on the real machine")]
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
