//! The instances that are remembered, by their ids: as many as Kafka remembers, and those that asked last.
//!
//! When subscriptions change, an instance begins anew with its next request. One whose connection ends, or that is silent
//! for long, is forgotten: should it come back with its id, it is subscribed to the same under the same number.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::instance::{Instance, Subscribed};
use super::{ClientInfo, InstanceId};
use crate::cluster::client_metrics::ClientSubscriptions;
use crate::config::ClientSubscription;

/// Kafka's bound.
const INSTANCES_MAX: usize = 16_384;
/// How often it is looked for those that are silent.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Instances {
    by_id: HashMap<InstanceId, Instance>,
    by_use: BTreeMap<u64, InstanceId>,
    by_connection: HashMap<u64, InstanceId>,
    uses: u64,
    looked_at: Duration,
    subscriptions: ClientSubscriptions,
    /// The same, read.
    read: BTreeMap<String, ClientSubscription>,
}

impl Instances {
    pub(super) fn knows(&self, id: InstanceId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// The instance of this id as the subscriptions are now.
    pub(super) fn get(
        &mut self,
        id: InstanceId,
        subscriptions: &ClientSubscriptions,
        client: ClientInfo,
        now: Duration,
    ) -> &mut Instance {
        self.subscribe(subscriptions);
        self.forget_silent(now);
        let connection = client.connection_id;
        let known = self.by_id.remove(&id).inspect(|known| {
            self.by_use.remove(&known.used);
        });
        let mut instance = match known {
            Some(known) if known.is_current => known,
            known => {
                let client = known.map_or(client, |known| known.client);
                let subscribed = Subscribed::of(id, &client, &self.read);
                self.by_connection.insert(connection, id);
                Instance::new(client, subscribed)
            }
        };
        self.uses += 1;
        instance.used = self.uses;
        instance.until = now + instance.subscribed.remembered();
        self.by_use.insert(self.uses, id);
        self.make_room();
        self.by_id.entry(id).or_insert(instance)
    }

    fn subscribe(&mut self, subscriptions: &ClientSubscriptions) {
        if self.subscriptions.is_same(subscriptions) {
            return;
        }
        self.subscriptions = subscriptions.clone();
        // What an older version took and this one cannot read asks for nothing.
        let read = |(name, settings): (&std::sync::Arc<str>, &BTreeMap<String, String>)| {
            Some((name.to_string(), ClientSubscription::read(settings).ok()?))
        };
        self.read = subscriptions.iter().filter_map(read).collect();
        self.by_id.values_mut().for_each(|instance| instance.is_current = false);
    }

    /// One more is about to come.
    fn make_room(&mut self) {
        while self.by_id.len() >= INSTANCES_MAX {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            self.by_id.remove(&oldest);
        }
    }

    fn forget_silent(&mut self, now: Duration) {
        if now.saturating_sub(self.looked_at) < LOOK_INTERVAL {
            return;
        }
        self.looked_at = now;
        let by_use = &mut self.by_use;
        self.by_id.retain(|_, instance| {
            let stays = instance.until > now;
            if !stays {
                by_use.remove(&instance.used);
            }
            stays
        });
        self.by_connection.retain(|_, id| self.by_id.contains_key(id));
    }

    pub(super) fn disconnected(&mut self, connection_id: u64) {
        let Some(id) = self.by_connection.remove(&connection_id) else { return };
        if let Some(gone) = self.by_id.remove(&id) {
            self.by_use.remove(&gone.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(connection_id: u64) -> ClientInfo {
        let address = "127.0.0.1:9".parse().expect("an address");
        ClientInfo { client_id: "c".to_owned(), software: None, address, connection_id }
    }

    fn id(number: u128) -> InstanceId {
        InstanceId::new((number + 1000).to_be_bytes()).expect("not reserved")
    }

    #[test]
    fn there_are_no_more_than_there_may_be_and_the_silent_go_first() {
        let (mut instances, none) = (Instances::default(), ClientSubscriptions::default());
        for number in 0..INSTANCES_MAX as u128 + 5 {
            instances.get(id(number), &none, client(number as u64), Duration::ZERO);
            instances.get(id(0), &none, client(0), Duration::ZERO);
        }
        let lengths = |of: &Instances| [of.by_id.len(), of.by_use.len()];
        assert_eq!(lengths(&instances), [INSTANCES_MAX; 2]);
        assert!(instances.knows(id(0)) && !instances.knows(id(1)), "the one that came last stays");
        instances.get(id(9), &none, client(9), Duration::from_secs(3600));
        assert_eq!(lengths(&instances), [1; 2]);
        assert_eq!(instances.by_connection.len(), 1);
        instances.disconnected(9);
        assert_eq!(lengths(&instances), [0; 2]);
    }
}
