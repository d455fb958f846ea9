//! A group's settings: what somebody set for it, over what the broker's settings say.
//!
//! Every group setting that Kafka 4.3.1 knows is checked and kept; those of consumer groups have an effect. A value must
//! lie within the broker's bounds when it is set. Should the bounds be other ones after a restart, the nearest value that
//! they allow counts. Pure: the same overrides and the same broker settings give the same result.

use super::Config;
use super::kafka_names::SERVER;
use super::kinds::{Allowed, Kind};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// Why a group's settings are refused; Kafka's code for it is INVALID_CONFIG (40).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("group setting `{name}`: `{value}` is not allowed; allowed: {allowed}")]
pub struct GroupConfigError {
    pub name: String,
    pub value: String,
    pub allowed: String,
}

/// One group setting as it is declared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupSetting {
    pub name: &'static str,
    pub kind: Kind,
    /// The default where no broker setting stands behind it.
    pub default: Option<&'static str>,
    pub allowed: Allowed,
    /// The broker settings that a value must not be below and above.
    bounds: [Option<&'static str>; 2],
    /// What it does, in a sentence.
    pub doc: &'static str,
}

impl GroupSetting {
    /// The broker setting that gives it its default: Kafka's has the same name with `group.` before it.
    pub fn broker_setting(&self) -> Option<&'static str> {
        let kafkas = SERVER.iter().find(|kafkas| kafkas.name.strip_prefix("group.") == Some(self.name));
        kafkas.map(|kafkas| kafkas.name)
    }

    /// The value for a group that has none of its own.
    pub(super) fn broker_text<'a>(&self, broker: &'a Config) -> Option<&'a str> {
        self.broker_setting().and_then(|name| broker.values.text(name)).or(self.default)
    }

    fn accepts(&self, text: &str) -> bool {
        self.kind.accepts(self.allowed, text) && (self.name != AUTO_OFFSET_RESET || is_offset_reset(text))
    }

    fn describe(&self) -> String {
        match self.name {
            AUTO_OFFSET_RESET => "latest, earliest, or by_duration: with a duration such as PT1H".to_owned(),
            _ => self.kind.describe(self.allowed),
        }
    }
}

const fn int(
    name: &'static str,
    allowed: Allowed,
    bounds: [Option<&'static str>; 2],
    doc: &'static str,
) -> GroupSetting {
    GroupSetting { name, kind: Kind::Int, default: None, allowed, bounds, doc }
}

const fn from(least: &'static [(i64, i64)]) -> Allowed {
    Allowed::Whole(least)
}

const FROM_0: Allowed = from(&[(0, i32::MAX as i64)]);
const FROM_1: Allowed = from(&[(1, i32::MAX as i64)]);
const NO_BOUNDS: [Option<&str>; 2] = [None, None];

const AUTO_OFFSET_RESET: &str = "share.auto.offset.reset";
const SESSION_TIMEOUT: &str = "consumer.session.timeout.ms";
const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";
const ASSIGNMENT_INTERVAL: &str = "consumer.assignment.interval.ms";

macro_rules! bounds {
    ($kind:literal, $name:literal) => {
        [Some(concat!("group.", $kind, ".min.", $name)), Some(concat!("group.", $kind, ".max.", $name))]
    };
}

/// Sorted by name.
static SETTINGS: &[GroupSetting] = &[
    int(
        ASSIGNMENT_INTERVAL,
        FROM_0,
        bounds!("consumer", "assignment.interval.ms"),
        "The shortest time between two assignments of a consumer group.",
    ),
    int(
        HEARTBEAT_INTERVAL,
        FROM_1,
        bounds!("consumer", "heartbeat.interval.ms"),
        "How often a member of a consumer group is to send heartbeats.",
    ),
    int(
        SESSION_TIMEOUT,
        FROM_1,
        bounds!("consumer", "session.timeout.ms"),
        "How long nothing may be heard of a member of a consumer group.",
    ),
    int(
        "share.assignment.interval.ms",
        FROM_0,
        bounds!("share", "assignment.interval.ms"),
        "The shortest time between two assignments of a share group.",
    ),
    GroupSetting {
        name: AUTO_OFFSET_RESET,
        kind: Kind::Text,
        default: Some("latest"),
        allowed: Allowed::Anything,
        bounds: NO_BOUNDS,
        doc: "Where a share group begins to read a partition: latest, earliest, or by_duration:<duration> ago.",
    },
    int(
        "share.delivery.count.limit",
        from(&[(2, i32::MAX as i64)]),
        bounds!("share", "delivery.count.limit"),
        "How often a share group is given a record before that is archived.",
    ),
    int(
        "share.heartbeat.interval.ms",
        FROM_1,
        bounds!("share", "heartbeat.interval.ms"),
        "How often a member of a share group is to send heartbeats.",
    ),
    GroupSetting {
        name: "share.isolation.level",
        kind: Kind::Text,
        default: Some("read_uncommitted"),
        allowed: Allowed::OneOf(&["read_committed", "read_uncommitted"]),
        bounds: NO_BOUNDS,
        doc: "Whether a share group is given records of transactions that were not committed.",
    },
    int(
        "share.partition.max.record.locks",
        from(&[(100, i32::MAX as i64)]),
        bounds!("share", "partition.max.record.locks"),
        "Records of a partition that members of a share group may hold at once.",
    ),
    int(
        "share.record.lock.duration.ms",
        from(&[(1_000, i32::MAX as i64)]),
        bounds!("share", "record.lock.duration.ms"),
        "How long a member of a share group may hold a record.",
    ),
    GroupSetting {
        name: "share.renew.acknowledge.enable",
        kind: Kind::Boolean,
        default: Some("true"),
        allowed: Allowed::Anything,
        bounds: NO_BOUNDS,
        doc: "Whether a member of a share group may hold a record for longer.",
    },
    int(
        "share.session.timeout.ms",
        FROM_1,
        bounds!("share", "session.timeout.ms"),
        "How long nothing may be heard of a member of a share group.",
    ),
    int(
        "streams.assignment.interval.ms",
        FROM_0,
        bounds!("streams", "assignment.interval.ms"),
        "The shortest time between two assignments of a streams group.",
    ),
    int(
        "streams.heartbeat.interval.ms",
        FROM_1,
        bounds!("streams", "heartbeat.interval.ms"),
        "How often a member of a streams group is to send heartbeats.",
    ),
    int(
        "streams.initial.rebalance.delay.ms",
        FROM_0,
        NO_BOUNDS,
        "How long the first rebalance of an empty streams group waits for more members.",
    ),
    int(
        "streams.num.standby.replicas",
        FROM_0,
        [None, Some("group.streams.max.standby.replicas")],
        "Standby replicas of each task of a streams group.",
    ),
    int(
        "streams.session.timeout.ms",
        FROM_1,
        bounds!("streams", "session.timeout.ms"),
        "How long nothing may be heard of a member of a streams group.",
    ),
];

/// What must be longer, and than what.
const LONGER: [[&str; 2]; 3] = [
    [SESSION_TIMEOUT, HEARTBEAT_INTERVAL],
    ["share.session.timeout.ms", "share.heartbeat.interval.ms"],
    ["streams.session.timeout.ms", "streams.heartbeat.interval.ms"],
];

/// The assignors that there are: each name, and the class that Kafka has for it.
pub(super) const ASSIGNORS: [[&str; 2]; 2] = [
    ["uniform", "org.apache.kafka.coordinator.group.assignor.UniformAssignor"],
    ["range", "org.apache.kafka.coordinator.group.assignor.RangeAssignor"],
];

/// The name of the assignor that a broker's settings name, perhaps by its class.
pub fn assignor_name(text: &str) -> Option<&'static str> {
    ASSIGNORS.iter().find(|names| names.contains(&text)).map(|[name, _]| *name)
}

/// Every group setting, in the order of the names.
pub(super) fn group_settings() -> impl Iterator<Item = &'static GroupSetting> {
    SETTINGS.iter()
}

/// The group setting of this name.
pub fn group_setting(name: &str) -> Option<&'static GroupSetting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Refuses names that are no group settings, values that are not of their type or beyond the broker's bounds, and values
/// that contradict each other.
pub fn check_group(overrides: &BTreeMap<String, String>, broker: &Config) -> Result<(), GroupConfigError> {
    for (name, value) in overrides {
        let refuse = |allowed| GroupConfigError { name: name.clone(), value: value.clone(), allowed };
        let Some(setting) = group_setting(name) else {
            let hint = super::closest::closest(name, group_settings().map(|setting| setting.name));
            let hint = hint.map(|closest| format!("; did you mean {closest}?"));
            return Err(refuse(format!("the names of Kafka's group settings{}", hint.unwrap_or_default())));
        };
        if !setting.accepts(value) {
            return Err(refuse(setting.describe()));
        }
        let whole = |text: Option<&str>| text.and_then(|text| text.trim().parse::<i64>().ok());
        let [least, most] = setting.bounds.map(|bound| Some((bound?, whole(broker.values.text(bound?))?)));
        let asked = whole(Some(value));
        if let Some((bound, least)) = least.filter(|(_, least)| asked.is_some_and(|asked| asked < *least)) {
            return Err(refuse(format!("at least {bound}, which is {least}")));
        }
        if let Some((bound, most)) = most.filter(|(_, most)| asked.is_some_and(|asked| asked > *most)) {
            return Err(refuse(format!("at most {bound}, which is {most}")));
        }
    }
    check_together(overrides, broker)
}

fn check_together(overrides: &BTreeMap<String, String>, broker: &Config) -> Result<(), GroupConfigError> {
    for [longer, shorter] in LONGER {
        if !overrides.contains_key(longer) && !overrides.contains_key(shorter) {
            continue;
        }
        let counts = |name: &str| {
            let of_broker = || group_setting(name).and_then(|setting| setting.broker_text(broker));
            overrides.get(name).map(String::as_str).or_else(of_broker).unwrap_or_default().trim().to_owned()
        };
        let (long, short) = (counts(longer), counts(shorter));
        if long.parse::<i64>().ok() <= short.parse::<i64>().ok() {
            let allowed = format!("more than {shorter}, which is {short}");
            return Err(GroupConfigError { name: longer.to_owned(), value: long, allowed });
        }
    }
    Ok(())
}

/// The broker's own values and bounds that contradict each other, by the name of the one to mend, with what is allowed.
pub(super) fn check_broker(broker: &Config) -> Result<(), (&'static str, String)> {
    let whole = |name: &str| broker.values.text(name).and_then(|text| text.trim().parse::<i64>().ok());
    let ordered = |less: Option<&'static str>, more: Option<&'static str>, blamed: Option<&'static str>| {
        let (Some(less), Some(more), Some(blamed)) = (less, more, blamed) else { return Ok(()) };
        match (whole(less), whole(more)) {
            (Some(l), Some(m)) if l > m && blamed == less => Err((less, format!("at most {more}, {m}"))),
            (Some(l), Some(m)) if l > m => Err((more, format!("at least {less}, {l}"))),
            _ => Ok(()),
        }
    };
    for setting in SETTINGS {
        let (value, [least, most]) = (setting.broker_setting(), setting.bounds);
        ordered(least, most, most)?;
        ordered(least, value, value)?;
        ordered(value, most, value)?;
    }
    for [longer, shorter] in LONGER.map(|pair| pair.map(|name| group_setting(name)?.broker_setting())) {
        if let (Some(longer), Some(shorter)) = (longer, shorter)
            && let (Some(long), Some(short)) = (whole(longer), whole(shorter))
            && long <= short
        {
            return Err((longer, format!("more than {shorter}, {short}")));
        }
    }
    Ok(())
}

/// A time that a group may have for itself, within what the broker allows.
#[derive(Clone, Debug)]
pub struct Bounded {
    /// Of groups that have none of their own; it may change at any time.
    value: Arc<AtomicI32>,
    pub min: i32,
    pub max: i32,
}

impl Bounded {
    pub fn new(value: i32, min: i32, max: i32) -> Self {
        Self { value: Arc::new(value.into()), min, max }
    }

    /// Any value that a group may say.
    pub fn free(value: i32) -> Self {
        Self::new(value, 0, i32::MAX)
    }

    /// The value of groups that have none of their own, from now on.
    pub fn set(&self, value: i32) {
        self.value.store(value, Ordering::Relaxed);
    }

    fn of(&self, overrides: Option<&BTreeMap<String, String>>, name: &str) -> i32 {
        let text = overrides.and_then(|overrides| overrides.get(name));
        match text.and_then(|text| text.trim().parse::<i32>().ok()) {
            Some(own) => own.max(self.min).min(self.max),
            None => self.value.load(Ordering::Relaxed),
        }
    }
}

/// The times of consumer groups.
#[derive(Clone, Debug)]
pub struct ConsumerTimes {
    pub session_timeout_ms: Bounded,
    pub heartbeat_interval_ms: Bounded,
    pub assignment_interval_ms: Bounded,
}

impl ConsumerTimes {
    pub fn session_timeout_ms(&self, overrides: Option<&BTreeMap<String, String>>) -> i32 {
        self.session_timeout_ms.of(overrides, SESSION_TIMEOUT)
    }

    pub fn heartbeat_interval_ms(&self, overrides: Option<&BTreeMap<String, String>>) -> i32 {
        self.heartbeat_interval_ms.of(overrides, HEARTBEAT_INTERVAL)
    }

    pub fn assignment_interval_ms(&self, overrides: Option<&BTreeMap<String, String>>) -> i32 {
        self.assignment_interval_ms.of(overrides, ASSIGNMENT_INTERVAL)
    }
}

/// A place to begin, as Kafka's share groups say it.
fn is_offset_reset(text: &str) -> bool {
    let text = text.trim();
    let by_duration = text.get(..12).filter(|start| start.eq_ignore_ascii_case("by_duration:"));
    match by_duration {
        Some(_) => is_duration(&text[12..]),
        None => text == "latest" || text == "earliest",
    }
}

/// A duration that is not negative, as Java reads it: `P1DT2H3M4.5S`, where at least one part is there.
fn is_duration(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let Some(parts) = upper.strip_prefix('P') else { return false };
    let (days, times) = match parts.split_once('T') {
        Some((_, "")) => return false,
        Some((days, times)) => (days, times),
        None => (parts, ""),
    };
    let mut rest = days;
    let has_days = takes(&mut rest, "D");
    if !rest.is_empty() {
        return false;
    }
    let mut rest = times;
    let has_times = ["H", "M", "S"].map(|unit| takes(&mut rest, unit)).contains(&true);
    rest.is_empty() && (has_days || has_times)
}

/// Takes a number with this unit from the front, if there is one. Of seconds there may be parts.
fn takes(rest: &mut &str, unit: &str) -> bool {
    let Some((number, behind)) = rest.split_once(unit) else { return false };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.strip_prefix('+').unwrap_or(number);
    let is_number = match number.split_once('.') {
        Some((whole, part)) => {
            unit == "S" && is_digits(whole) && part.len() <= 9 && (part.is_empty() || is_digits(part))
        }
        None => is_digits(number) && number.len() <= 18,
    };
    if is_number {
        *rest = behind;
    }
    is_number
}
