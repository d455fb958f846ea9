//! What of the pushes is shown: for each instance that there is room for, until it is silent for long or says goodbye.
//!
//! Who is shown stays; others wait until one of them is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::otlp::Pushed;
use super::{ClientInfo, InstanceId};
use crate::metrics::PushedInstance;

/// Characters of a client's id in the label.
const CLIENT_ID_CHARS_MAX: usize = 128;
/// What clients say of themselves that tells more than their ids: Kafka's names.
const ATTRIBUTES: [&str; 3] = ["client_rack", "group_id", "transactional_id"];

#[derive(Debug)]
pub(super) struct Shown {
    instances_max: usize,
    by_id: HashMap<InstanceId, (Arc<PushedInstance>, Duration)>,
}

impl Shown {
    pub(super) fn new(instances_max: usize) -> Self {
        Self { instances_max, by_id: HashMap::new() }
    }

    /// Shows what an instance pushed; false if there is no room.
    pub(super) fn show(
        &mut self,
        id: InstanceId,
        client: &ClientInfo,
        pushed: Pushed,
        series_max: usize,
        until: Duration,
        now: Duration,
    ) -> bool {
        if !self.by_id.contains_key(&id) && self.by_id.len() >= self.instances_max {
            self.forget_silent(now);
            if self.by_id.len() >= self.instances_max {
                return false;
            }
        }
        let before = self.by_id.remove(&id).map(|(before, _)| before).unwrap_or_default();
        let next = before.next(labels(id, client, pushed.attributes), pushed.points, series_max);
        self.by_id.insert(id, (Arc::new(next), until));
        true
    }

    pub(super) fn forget(&mut self, id: InstanceId) {
        self.by_id.remove(&id);
    }

    fn forget_silent(&mut self, now: Duration) {
        self.by_id.retain(|_, (_, until)| *until > now);
    }

    /// All that are shown now, in the order of their ids.
    pub(super) fn all(&mut self, now: Duration) -> Vec<Arc<PushedInstance>> {
        self.forget_silent(now);
        let mut all: Vec<_> = self.by_id.iter().map(|(id, (shown, _))| (*id, shown.clone())).collect();
        all.sort_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, shown)| shown).collect()
    }
}

/// What tells an instance's series from others.
fn labels(id: InstanceId, client: &ClientInfo, attributes: Vec<(String, String)>) -> Vec<(String, String)> {
    let own = |name: &str, value: String| (name.to_owned(), value);
    let client_id = client.client_id.chars().take(CLIENT_ID_CHARS_MAX).collect();
    let (software, version) = client.software.clone().unwrap_or_default();
    let mut labels = vec![
        own("client_id", client_id),
        own("client_instance_id", id.to_string()),
        own("client_software_name", software),
        own("client_software_version", version),
    ];
    labels.extend(attributes.into_iter().filter(|(name, _)| ATTRIBUTES.contains(&name.as_str())));
    labels
}
