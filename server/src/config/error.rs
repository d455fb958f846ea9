//! Why settings are refused. Each message names the setting, where it was given, the bad value and what is allowed.

use super::properties::BadEscape;
use super::sources::Source;
use std::fmt;
use std::path::PathBuf;

/// A name and where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub name: String,
    pub source: Source,
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.source)
    }
}

/// A value that its setting does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given}: `{value}` is not allowed; allowed: {allowed}")]
pub struct BadValue {
    pub given: Given,
    pub value: String,
    pub allowed: String,
}

/// Everything here is for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("unknown setting {given}{}", did_you_mean(closest))]
    UnknownName { given: Given, closest: Option<String> },
    #[error("unknown environment variable `{}`, behind {} stands a setting's name{}", given.name, prefix, did_you_mean(closest))]
    UnknownVariable { given: Given, prefix: &'static str, closest: Option<String> },
    #[error("setting {given}: {why}")]
    Removed { given: Given, why: &'static str },
    #[error("setting {0}")]
    BadValue(Box<BadValue>),
    #[error("setting {given}: `{value}` is not served yet; {instead}")]
    NotServed { given: Given, value: String, instead: String },
    #[error("cannot read the settings in {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("cannot read the settings in {}: {why}", path.display())]
    FileFormat { path: PathBuf, why: BadEscape },
}

impl From<BadValue> for ConfigError {
    fn from(bad: BadValue) -> ConfigError {
        ConfigError::BadValue(Box::new(bad))
    }
}

fn did_you_mean(closest: &Option<String>) -> String {
    closest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
