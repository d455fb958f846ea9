//! One client instance: what it is subscribed to, and when it may ask and push again.
//!
//! As Kafka's ClientMetricsInstance counts the times: a push is welcome once an interval, and at once behind a question.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ClientInfo, InstanceId, java_set};
use crate::config::{ClientParam, ClientSubscription, INTERVAL_MS_DEFAULT};

/// How long an instance is remembered at least, and for how many intervals.
const REMEMBERED_MIN: Duration = Duration::from_secs(60);
const REMEMBERED_INTERVALS: u32 = 3;

/// `*` in a subscription's metrics.
const ALL: &str = "*";

/// What an instance is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// In the order of Java's sets, of which the id is made.
    pub metrics: Vec<String>,
    pub interval_ms: u32,
    pub id: i32,
}

impl Subscribed {
    /// What all subscriptions that are for this client ask of it.
    pub(super) fn of(
        instance: InstanceId,
        client: &ClientInfo,
        subscriptions: &BTreeMap<String, ClientSubscription>,
    ) -> Self {
        let known = client.known(instance);
        let is_for = |one: &ClientSubscription| one.is_for(|param| known.get(param));
        // Kafka asks a map for them.
        let names = java_set::grown(subscriptions.keys().map(String::as_str));
        let its: Vec<_> =
            names.iter().filter_map(|name| subscriptions.get(*name)).filter(|one| is_for(one)).collect();
        let interval_ms = its.iter().map(|one| one.interval_ms).fold(INTERVAL_MS_DEFAULT, u32::min);
        let metrics = java_set::grown(its.iter().flat_map(|one| java_set::of_list(&one.metrics)));
        let metrics = if metrics.contains(&ALL) { vec![ALL] } else { metrics };
        let text = format!("[{}]{interval_ms}", metrics.join(", "));
        let id = crc32c::crc32c(text.as_bytes()) as i32 ^ instance.java_hash();
        Self { metrics: metrics.into_iter().map(str::to_owned).collect(), interval_ms, id }
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.into())
    }

    /// How long what it pushed, and that it is there, is remembered.
    pub(super) fn remembered(&self) -> Duration {
        REMEMBERED_MIN.max(self.interval() * REMEMBERED_INTERVALS)
    }

    /// How long its metrics are shown behind its last push.
    pub(super) fn shown(&self) -> Duration {
        self.interval() * REMEMBERED_INTERVALS
    }
}

/// What is known of a client, each under the name that subscriptions have for it.
pub(super) struct Known<'a> {
    pub(super) client: &'a ClientInfo,
    pub(super) instance: String,
    pub(super) address: String,
    pub(super) port: String,
}

impl Known<'_> {
    fn get(&self, param: ClientParam) -> Option<&str> {
        let software = self.client.software.as_ref();
        match param {
            ClientParam::InstanceId => Some(&self.instance),
            ClientParam::ClientId => Some(&self.client.client_id),
            ClientParam::SoftwareName => software.map(|(name, _)| name.as_str()),
            ClientParam::SoftwareVersion => software.map(|(_, version)| version.as_str()),
            ClientParam::SourceAddress => Some(&self.address),
            ClientParam::SourcePort => Some(&self.port),
        }
    }
}

/// What came of an instance's last request, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Nothing,
    /// It was told to ask again.
    AskAgain,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) client: ClientInfo,
    pub(super) subscribed: Subscribed,
    pub(super) last: Last,
    /// It said that its last push was its last one.
    pub(super) is_over: bool,
    /// Nothing has changed about what it is subscribed to.
    pub(super) is_current: bool,
    /// When it is forgotten.
    pub(super) until: Duration,
    /// Rises with each of all instances' requests.
    pub(super) used: u64,
    asked_at: Option<Duration>,
    pushed_at: Option<Duration>,
}

impl Instance {
    pub(super) fn new(client: ClientInfo, subscribed: Subscribed) -> Self {
        let (last, until, is_current) = (Last::Nothing, Duration::ZERO, true);
        let (asked_at, pushed_at) = (None, None);
        Self { client, subscribed, last, is_over: false, is_current, until, used: 0, asked_at, pushed_at }
    }

    /// Whether it may ask what it is subscribed to.
    pub(super) fn may_ask(&mut self, now: Duration) -> bool {
        let is_time = self.is_time_since(self.asked_at.max(self.pushed_at), now);
        if is_time {
            self.asked_at = Some(now);
        }
        is_time || self.last == Last::AskAgain
    }

    /// Whether it may push. Its first push behind a question is never too early: clients spread them out.
    pub(super) fn may_push(&mut self, now: Duration) -> bool {
        let may = self.asked_at > self.pushed_at || self.is_time_since(self.pushed_at, now);
        if may {
            self.pushed_at = Some(now);
        }
        may
    }

    fn is_time_since(&self, last: Option<Duration>, now: Duration) -> bool {
        last.is_none_or(|last| now.saturating_sub(last) >= self.subscribed.interval())
    }
}
