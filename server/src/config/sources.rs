//! Where values come from, and which of them counts: the command line, then the environment with Ottla's names, then with
//! those of Apache Kafka's container image, then the file, then the default.
//!
//! Every name is checked against what Kafka and Ottla know, and every value against its type and bounds, whether or not it has a
//! meaning here. A value keeps its text and its source, so that any later complaint and DescribeConfigs can name them.

use super::closest::{closest, is_slip};
use super::dynamic::{Dynamic, Reloaded, has_effect, hidden_by, may_reload};
use super::error::{BadValue, ConfigError, Given};
use super::kafka_environment::{self as kafkas_environment, Meaning};
use super::kinds::{Kind, find};
use super::table::{SETTINGS, Setting, setting};
use super::values::FromSetting;
use super::{Notice, kafka_names, properties};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    File {
        path: Arc<Path>,
        line: usize,
    },
    Environment {
        variable: String,
    },
    CommandLine,
    /// Set for all brokers while they ran.
    AllBrokers,
    /// Set for this broker while it ran.
    ThisBroker,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { path, line } => write!(f, "{}:{line}", path.display()),
            Source::Environment { variable } => f.write_str(variable),
            Source::CommandLine => f.write_str("--set"),
            Source::AllBrokers => f.write_str("set for all brokers"),
            Source::ThisBroker => f.write_str("set for this broker"),
        }
    }
}

/// A value that someone has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    pub text: String,
    pub source: Source,
}

/// Every value that someone has set, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    set: BTreeMap<String, Assigned>,
    /// What of it the start has set, where something was set while the broker ran.
    started: Option<BTreeMap<String, Assigned>>,
    dynamic: Dynamic,
}

impl Values {
    /// What the start has set, whether or not it counts.
    pub fn started(&self) -> &BTreeMap<String, Assigned> {
        self.started.as_ref().unwrap_or(&self.set)
    }

    /// What was set while the broker ran, as far as it counts.
    pub fn dynamic(&self) -> &Dynamic {
        &self.dynamic
    }

    /// The start's values under these.
    pub(super) fn under(&self, dynamic: Dynamic) -> Values {
        let started = self.started().clone();
        let mut set = started.clone();
        let layers = [(&dynamic.all_brokers, Source::AllBrokers), (&dynamic.this_broker, Source::ThisBroker)];
        for (layer, source) in layers {
            layer.keys().flat_map(|name| hidden_by(name)).for_each(|hidden| drop(set.remove(hidden)));
            let assigned = |(name, text): (&String, &String)| {
                (name.clone(), Assigned { text: text.clone(), source: source.clone() })
            };
            set.extend(layer.iter().map(assigned));
        }
        Values { set, started: Some(started), dynamic }
    }

    /// The values of another start, as far as they need no restart, under what was set while the broker ran; and what
    /// differs.
    pub(super) fn restarted(&self, other: &Values) -> (Values, Vec<Reloaded>) {
        let (mut started, mut told) = (self.started().clone(), Vec::new());
        let names: BTreeSet<&String> = self.started().keys().chain(other.started().keys()).collect();
        for name in names {
            let (was, is) = (self.started().get(name), other.started().get(name));
            if was.map(|was| &was.text) != is.map(|is| &is.text) {
                let is_hidden = hidden_by(name).iter().any(|name| self.dynamic.has(name));
                let one = match () {
                    () if !has_effect(name) => Reloaded::WithoutEffect(name.clone()),
                    () if !may_reload(name) => Reloaded::NeedsRestart(name.clone()),
                    () if is_hidden => Reloaded::Hidden(name.clone()),
                    () => Reloaded::Taken(name.clone()),
                };
                told.push(one);
                if told.last() == Some(&Reloaded::NeedsRestart(name.clone())) {
                    continue;
                }
            }
            match is {
                Some(is) => drop(started.insert(name.clone(), is.clone())),
                None => drop(started.remove(name)),
            }
        }
        (Values { set: started, ..Values::default() }.under(self.dynamic.clone()), told)
    }

    /// The value that someone has set.
    pub fn assigned(&self, name: &str) -> Option<&Assigned> {
        self.set.get(name)
    }

    /// Every value that someone has set, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Assigned)> {
        self.set.iter().map(|(name, assigned)| (name.as_str(), assigned))
    }

    /// The value that counts: what is set, otherwise our default, otherwise Kafka's.
    pub fn text(&self, name: &str) -> Option<&str> {
        if let Some(assigned) = self.set.get(name) {
            return Some(&assigned.text);
        }
        match setting(name) {
            Some(ours) => ours.default,
            None => find(kafka_names::SERVER, name)?.default,
        }
    }

    pub fn source(&self, name: &str) -> Source {
        self.set.get(name).map_or(Source::Default, |assigned| assigned.source.clone())
    }

    /// The typed value of a declared setting.
    pub(super) fn read<T: FromSetting>(&self, setting: &Setting) -> Result<T, ConfigError> {
        let text = self.text(setting.name);
        T::from_setting(text).map_err(|allowed| self.refuse(setting.name, allowed))
    }

    /// What is set for single listeners, whether or not they are there.
    pub(super) fn of_listeners(&self) -> impl Iterator<Item = &String> {
        self.set.keys().filter(|name| is_of_listener(name))
    }

    /// The value of a setting of one listener, where it has one.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ConfigError> {
        let number =
            |text: &str| text.trim().parse().map_err(|_| self.refuse(name, "a whole number, at least 0"));
        self.assigned(name).map(|assigned| number(&assigned.text)).transpose()
    }

    /// The complaint that the value of `name` is not what is allowed.
    pub(super) fn refuse(&self, name: &str, allowed: impl Into<String>) -> ConfigError {
        let value = if is_secret(name) { "[hidden]" } else { self.text(name).unwrap_or_default() };
        let given = Given { name: name.to_owned(), source: self.source(name) };
        BadValue { given, value: value.to_owned(), allowed: allowed.into() }.into()
    }
}

pub(super) const NO_EFFECT: &str = "accepted; it has no effect in Ottla";

/// Names of the tests' own, which the broker leaves alone.
/// And that of the build.
const IGNORED_VARIABLES: [&str; 4] =
    ["OTTLA_EFFORT", "OTTLA_TEST_CACHE", "OTTLA_REQUIRE_ALL", "OTTLA_COMMIT"];
const IGNORED_VARIABLES_PREFIX: &str = "OTTLA_SIM_";
const VARIABLE_PREFIX: &str = "OTTLA_";

/// Values from all sources, and what there is to say about those without a meaning here.
pub(super) fn gather(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    command_line: &[(String, String)],
) -> Result<(Values, Vec<Notice>), ConfigError> {
    let mut gathered = Gathered::default();
    if let Some(path) = file {
        gathered.take_file(path)?;
    }
    // The environment has no order; sorted, the same mistake gives the same message each time.
    let environment: BTreeMap<_, _> = environment.into_iter().collect();
    gathered.take_kafkas_environment(&environment)?;
    gathered.take_environment(environment)?;
    for (name, text) in command_line {
        gathered.take(name.clone(), text.clone(), Source::CommandLine)?;
    }
    let without_meaning =
        gathered.values.set.keys().filter(|name| setting(name).is_none() && !is_of_listener(name));
    gathered.notices.extend(without_meaning.map(|name| Notice::new(name, NO_EFFECT)));
    Ok((gathered.values, gathered.notices))
}

#[derive(Default)]
struct Gathered {
    values: Values,
    notices: Vec<Notice>,
}

impl Gathered {
    fn take_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = read_file(path)?;
        let failed = |why| ConfigError::FileFormat { path: path.to_owned(), why };
        let path: Arc<Path> = path.into();
        for property in properties::parse(&text).map_err(failed)? {
            let source = Source::File { path: Arc::clone(&path), line: property.line };
            if let Some(earlier) = self.values.assigned(&property.name) {
                let text = format!("set at {} and again at {source}; the last counts", earlier.source);
                self.notices.push(Notice::new(&property.name, text));
            }
            self.take(property.name, property.value, source)?;
        }
        Ok(())
    }

    fn take_kafkas_environment(&mut self, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        for (variable, text) in environment {
            let source = Source::Environment { variable: variable.clone() };
            match kafkas_environment::meaning(variable, text) {
                Meaning::None => {}
                Meaning::OfTheImage(why) => self.notices.push(Notice::new(variable, why)),
                Meaning::Setting(name) if matches!(known(&name), Known::Not) => {
                    self.stranger(variable, &name, source)?;
                }
                Meaning::Setting(name) => self.take(name, text.clone(), source)?,
            }
        }
        if let Some((variable, listeners)) = kafkas_environment::listeners(environment) {
            self.take("listeners".to_owned(), listeners, Source::Environment { variable })?;
        }
        Ok(())
    }

    /// The prefix is not ours alone: what is no slip of the hand may be meant for another program.
    fn stranger(&mut self, variable: &str, name: &str, source: Source) -> Result<(), ConfigError> {
        match closest(name, known_names()).filter(|near| is_slip(name, near)) {
            Some(near) => {
                let (prefix, closest) = (kafkas_environment::PREFIX, kafkas_environment::variable_of(near));
                let given = Given { name: variable.to_owned(), source };
                Err(ConfigError::UnknownVariable { given, prefix, closest: Some(closest) })
            }
            None => {
                let text = format!("not taken: neither Kafka nor Ottla knows a setting {name}");
                self.notices.push(Notice::new(variable, text));
                Ok(())
            }
        }
    }

    fn take_environment(&mut self, environment: BTreeMap<String, String>) -> Result<(), ConfigError> {
        for (variable, text) in environment.into_iter().filter(|(variable, _)| is_ours(variable)) {
            let source = Source::Environment { variable: variable.clone() };
            let Some(name) = known_names().find(|name| variable_of(name) == variable) else {
                let variables: Vec<_> = known_names().map(variable_of).collect();
                let closest = closest_variable(&variable, &variables);
                let given = Given { name: variable, source };
                return Err(ConfigError::UnknownVariable { given, prefix: VARIABLE_PREFIX, closest });
            };
            self.take(name.to_owned(), text, source)?;
        }
        Ok(())
    }

    fn take(&mut self, name: String, text: String, source: Source) -> Result<(), ConfigError> {
        check(&name, &text, &source)?;
        self.values.set.insert(name, Assigned { text, source });
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator's own file, read once before any environment exists"
)]
fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: PathBuf::from(path), source })
}

/// This process's environment. What is not Unicode is carried over with its bad bytes replaced: it is no setting of ours.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |raw: std::ffi::OsString| raw.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(variable, value)| (text(variable), text(value)))
}

fn is_ours(variable: &str) -> bool {
    variable.starts_with(VARIABLE_PREFIX)
        && !variable.starts_with(IGNORED_VARIABLES_PREFIX)
        && !IGNORED_VARIABLES.contains(&variable)
}

/// `log.dirs` ⇒ `OTTLA_LOG_DIRS`.
pub fn variable_of(name: &str) -> String {
    let mut variable = VARIABLE_PREFIX.to_owned();
    variable.extend(name.chars().map(|c| if c == '.' { '_' } else { c.to_ascii_uppercase() }));
    variable
}

fn closest_variable(variable: &str, variables: &[String]) -> Option<String> {
    let lower: Vec<_> = variables.iter().map(|variable| variable.to_ascii_lowercase()).collect();
    closest(variable, lower.iter().map(String::as_str)).map(str::to_ascii_uppercase)
}

/// Every full name that may be set; names below a prefix are not among them.
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    let own = SETTINGS.iter().filter(|setting| !setting.is_kafkas).map(|setting| setting.name);
    let kafkas = kafka_names::SERVER.iter().map(|setting| setting.name);
    let dynamic = kafka_names::DYNAMIC_ONLY.iter().copied().filter(|name| setting(name).is_none());
    own.chain(kafkas).chain(dynamic).chain(OF_PLUGINS)
}

/// Settings of plug-ins that Kafka ships; its own table does not hold them.
const OF_PLUGINS: [&str; 2] = ["super.users", "allow.everyone.if.no.acl.found"];

/// Prefixes behind which Kafka takes any name: they are settings of plug-ins.
const OPEN_PREFIXES: [&str; 3] = ["config.providers.", "rsm.config.", "rlmm.config."];

const LISTENER_PREFIX: &str = "listener.name.";

/// Refuses a name that nobody knows and a value that is not of the name's type or within its bounds.
fn check(name: &str, text: &str, source: &Source) -> Result<(), ConfigError> {
    let given = || Given { name: name.to_owned(), source: source.clone() };
    let (kind, allowed) = match known(name) {
        Known::Ours(ours) => (ours.kind, ours.allowed),
        Known::Kafkas(kafkas) => (kafkas.kind, kafkas.allowed),
        Known::Unchecked => return Ok(()),
        Known::Removed(why) => return Err(ConfigError::Removed { given: given(), why }),
        Known::Not => {
            let closest = closest(name, known_names()).map(str::to_owned);
            return Err(ConfigError::UnknownName { given: given(), closest });
        }
    };
    if kind.accepts(allowed, text) {
        return Ok(());
    }
    let value = if kind == Kind::Password { "[hidden]".to_owned() } else { text.to_owned() };
    Err(BadValue { given: given(), value, allowed: kind.describe(allowed) }.into())
}

pub(super) enum Known {
    Ours(&'static Setting),
    Kafkas(&'static super::kinds::KafkaSetting),
    /// Known by its prefix or to a plug-in; its type is not ours to know.
    Unchecked,
    Removed(&'static str),
    Not,
}

pub(super) fn known(name: &str) -> Known {
    if let Some(ours) = setting(name) {
        return Known::Ours(ours);
    }
    if let Some(kafkas) = find(kafka_names::SERVER, name) {
        return Known::Kafkas(kafkas);
    }
    if let Some(below) = name.strip_prefix(LISTENER_PREFIX) {
        return known_of_listener(below);
    }
    let open = OPEN_PREFIXES.iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix));
    if open || kafka_names::DYNAMIC_ONLY.contains(&name) || OF_PLUGINS.contains(&name) {
        return Known::Unchecked;
    }
    removed(name).map_or(Known::Not, Known::Removed)
}

/// The settings that a listener may have for itself.
pub(super) const OF_LISTENERS: [&str; 2] = ["max.connections", "max.connection.creation.rate"];

fn is_of_listener(name: &str) -> bool {
    of_listener(name).is_some_and(|(_listener, setting)| OF_LISTENERS.contains(&setting))
}

/// The listener and the setting's own name, of a setting for one listener.
pub(super) fn of_listener(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(LISTENER_PREFIX)?.split_once('.')
}

/// `<listener>.<setting>`, or `<listener>.<mechanism>.<setting>` for the settings of a SASL mechanism.
fn known_of_listener(below: &str) -> Known {
    let Some((_listener, name)) = below.split_once('.') else { return Known::Not };
    let of_mechanism =
        name.split_once('.').map(|(_mechanism, name)| name).filter(|name| is_of_mechanism(name));
    match find(kafka_names::SERVER, name).or_else(|| find(kafka_names::SERVER, of_mechanism?)) {
        Some(kafkas) => Known::Kafkas(kafkas),
        None => Known::Not,
    }
}

fn is_of_mechanism(name: &str) -> bool {
    name.starts_with("sasl.") || name == "connections.max.reauth.ms"
}

/// Names that older Kafkas knew, and what became of them; 4.3.1 does not know them any more.
fn removed(name: &str) -> Option<&'static str> {
    const ZOOKEEPER: &str = "Kafka 4 has no ZooKeeper, and Ottla neither; delete the line";
    const FORMAT: &str = "Kafka 4 has removed it: there is one format and one protocol; delete the line";
    match name {
        "log.message.format.version"
        | "inter.broker.protocol.version"
        | "log.message.downconversion.enable" => Some(FORMAT),
        "log.message.timestamp.difference.max.ms" => Some(
            "Kafka 4 has removed it; use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
        ),
        _ if name.starts_with("zookeeper.") => Some(ZOOKEEPER),
        _ => None,
    }
}

/// The type of a broker's setting, where somebody knows it.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    match known(name) {
        Known::Ours(ours) => Some(ours.kind),
        Known::Kafkas(kafkas) => Some(kafkas.kind),
        _ => kafka_names::DYNAMIC_ONLY.contains(&name).then_some(Kind::Long),
    }
}

/// Whether a value must not be shown.
pub fn is_secret(name: &str) -> bool {
    match known(name) {
        Known::Ours(ours) => ours.kind == Kind::Password,
        Known::Kafkas(kafkas) => kafkas.kind == Kind::Password,
        Known::Unchecked => !OF_PLUGINS.contains(&name) && !kafka_names::DYNAMIC_ONLY.contains(&name),
        Known::Removed(_) | Known::Not => true,
    }
}
