//! The settings of a subscription to clients' metrics, under Kafka's names: which metrics, how often, of which clients.
//!
//! As Kafka's ClientMetricsConfigs reads them. A subscription without metrics asks nobody for anything; one without `match`
//! is for every client. Pure: the same texts give the same subscription.

use super::describe::{Described, Synonym, ValueSource};
use super::kinds::{Allowed, Kind, items};
use super::pattern::WholePattern;
use std::collections::{BTreeMap, HashSet};

const METRICS: &str = "metrics";
const INTERVAL: &str = "interval.ms";
const MATCH: &str = "match";

/// How often clients push where nobody says it.
pub const INTERVAL_MS_DEFAULT: u32 = 300_000;
const INTERVALS_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;

/// Why a subscription's settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientMetricsError {
    #[error("a subscription needs a name")]
    NoName,
    #[error("subscriptions have no setting `{0}`; there are metrics, interval.ms and match")]
    UnknownName(String),
    #[error("`{0}` is not allowed for interval.ms: it is a number of milliseconds from 100 to 3600000")]
    Interval(String),
    #[error("`{0}` is no number of milliseconds")]
    NoNumber(String),
    #[error("`{name}` has {what}")]
    Items { name: &'static str, what: &'static str },
    #[error("`{0}` is no match: one is `parameter=pattern`, and the parameters are {params}", params = params())]
    Match(String),
}

/// What a client can be told from others by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientParam {
    InstanceId,
    ClientId,
    SoftwareName,
    SoftwareVersion,
    SourceAddress,
    SourcePort,
}

impl ClientParam {
    const ALL: [ClientParam; 6] = [
        Self::InstanceId,
        Self::ClientId,
        Self::SoftwareName,
        Self::SoftwareVersion,
        Self::SourceAddress,
        Self::SourcePort,
    ];

    /// Kafka's name of it.
    fn name(self) -> &'static str {
        match self {
            Self::InstanceId => "client_instance_id",
            Self::ClientId => "client_id",
            Self::SoftwareName => "client_software_name",
            Self::SoftwareVersion => "client_software_version",
            Self::SourceAddress => "client_source_address",
            Self::SourcePort => "client_source_port",
        }
    }
}

fn params() -> String {
    ClientParam::ALL.map(ClientParam::name).join(", ")
}

/// A subscription, read.
#[derive(Clone, Debug)]
pub struct ClientSubscription {
    /// Beginnings of metrics' names, as they were set; `*` is all of them.
    pub metrics: Vec<String>,
    pub interval_ms: u32,
    /// Each of them must be the whole of what the client has.
    matches: BTreeMap<ClientParam, WholePattern>,
}

impl ClientSubscription {
    /// Reads the settings of a subscription.
    pub fn read(settings: &BTreeMap<String, String>) -> Result<Self, ClientMetricsError> {
        if let Some(unknown) =
            settings.keys().find(|name| ![METRICS, INTERVAL, MATCH].contains(&name.as_str()))
        {
            return Err(ClientMetricsError::UnknownName(unknown.clone()));
        }
        let metrics = list(settings, METRICS)?.into_iter().map(str::to_owned).collect();
        let (interval_ms, patterns) = (interval(settings)?, list(settings, MATCH)?);
        let matches = patterns.into_iter().map(client_match).collect::<Result<_, _>>()?;
        Ok(Self { metrics, interval_ms, matches })
    }

    /// Whether it is for a client of which this is known.
    pub fn is_for<'a>(&self, known: impl Fn(ClientParam) -> Option<&'a str>) -> bool {
        self.matches.iter().all(|(param, pattern)| known(*param).is_some_and(|text| pattern.is_match(text)))
    }
}

fn list<'a>(
    settings: &'a BTreeMap<String, String>,
    name: &'static str,
) -> Result<Vec<&'a str>, ClientMetricsError> {
    let items = items(settings.get(name).map_or("", String::as_str));
    let mut seen = HashSet::new();
    let refuse = |what| Err(ClientMetricsError::Items { name, what });
    match () {
        () if items.iter().any(|item| item.is_empty()) => refuse("an empty item"),
        () if !items.iter().all(|item| seen.insert(*item)) => refuse("an item twice"),
        () => Ok(items),
    }
}

fn interval(settings: &BTreeMap<String, String>) -> Result<u32, ClientMetricsError> {
    let Some(text) = settings.get(INTERVAL) else { return Ok(INTERVAL_MS_DEFAULT) };
    let number: i32 = text.trim().parse().map_err(|_| ClientMetricsError::NoNumber(text.clone()))?;
    let allowed = u32::try_from(number).ok().filter(|number| INTERVALS_MS.contains(&i64::from(*number)));
    allowed.ok_or_else(|| ClientMetricsError::Interval(text.clone()))
}

/// One `parameter=pattern`. As in Kafka, a pattern cannot have an `=` in it.
fn client_match(text: &str) -> Result<(ClientParam, WholePattern), ClientMetricsError> {
    let refuse = || ClientMetricsError::Match(text.to_owned());
    let (name, pattern) = text.trim_end_matches('=').split_once('=').ok_or_else(refuse)?;
    let param = ClientParam::ALL.into_iter().find(|param| param.name() == name.trim()).ok_or_else(refuse)?;
    let whole = WholePattern::parse(pattern.trim()).filter(|_| !pattern.contains('=')).ok_or_else(refuse)?;
    Ok((param, whole))
}

/// All settings of a subscription, whether or not there is one of that name.
pub fn describe_client_metrics(own: &BTreeMap<String, String>) -> Vec<Described<'static>> {
    const SETTINGS: [(&str, Kind, &str, &str); 3] = [
        (INTERVAL, Kind::Int, "300000", "How often clients push their metrics, in milliseconds."),
        (
            MATCH,
            Kind::List,
            "",
            "Which clients push: patterns of what is known of them; none is every client.",
        ),
        (
            METRICS,
            Kind::List,
            "",
            "Beginnings of the names of the metrics that clients push; * is all of them.",
        ),
    ];
    let described = |(name, kind, default, doc): (&'static str, Kind, &str, &str)| {
        let text = own.get(name);
        let value = Some(kind.canonical(Allowed::Anything, text.map_or(default, String::as_str)));
        let set = text.map(|_| Synonym { name, value: value.clone(), source: ValueSource::ClientMetrics });
        Described {
            name,
            value,
            source: set.as_ref().map_or(ValueSource::Default, |set| set.source),
            kind: Some(kind),
            is_read_only: false,
            is_secret: false,
            synonyms: set.into_iter().collect(),
            doc: doc.to_owned(),
        }
    };
    SETTINGS.map(described).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn read(pairs: &[(&str, &str)]) -> Result<ClientSubscription, ClientMetricsError> {
        ClientSubscription::read(&settings(pairs))
    }

    #[test]
    fn what_is_not_said_has_kafkas_defaults() {
        let subscription = read(&[]).expect("nothing is wrong");
        assert_eq!((subscription.metrics.len(), subscription.interval_ms), (0, INTERVAL_MS_DEFAULT));
        assert!(subscription.is_for(|_| None));
    }

    #[test]
    fn a_match_is_the_whole_of_what_is_known() {
        let pairs = [("match", " client_id = app-.* ,client_software_name=apache"), ("metrics", "a, b")];
        let subscription = read(&pairs).expect("it is right");
        assert_eq!(subscription.metrics, ["a", "b"]);
        let is_for = |id: Option<&'static str>, name: &'static str| {
            subscription.is_for(|param| match param {
                ClientParam::ClientId => id,
                ClientParam::SoftwareName => Some(name),
                _ => None,
            })
        };
        assert!(is_for(Some("app-1"), "apache"));
        assert!(!is_for(Some("my-app-1"), "apache"), "more before");
        assert!(!is_for(Some("app-1"), "apache-kafka"), "more behind");
        assert!(!is_for(None, "apache"), "nothing is known");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let is_refused = |name: &str, value: &str| read(&[(name, value)]).is_err();
        for wrong in ["", "x", "99", "3600001", "-1", "99999999999"] {
            assert!(is_refused(INTERVAL, wrong), "{wrong}");
        }
        for wrong in [
            "client_id",
            "client_id=",
            "=a",
            "id=a",
            "client_id=a=b",
            "client_id=(",
            "client_id=a)(b",
            "a,,b",
        ] {
            assert!(is_refused(MATCH, wrong), "{wrong}");
        }
        for right in ["100", "3600000", " 500 "] {
            assert!(!is_refused(INTERVAL, right), "{right}");
        }
        assert!(is_refused(METRICS, "a,a"), "twice");
        assert!(is_refused("metric", "a"), "no such setting");
        assert!(!is_refused(METRICS, ""), "none is a list, too");
    }
}
