//! Applies a record to an image: the one way in which metadata changes, at runtime and at start-up.

use super::image::{Image, Topic};
use super::records::Record;

pub(super) fn apply(image: &mut Image, record: Record) {
    match record {
        Record::BrokerStarted(_) => image.count_start(),
        Record::TopicCreated(r) => {
            image.insert_topic(Topic {
                id: r.id,
                name: r.name.into(),
                partitions: r.partitions,
                configs: r.configs,
            });
        }
        Record::TopicDeleted(r) => image.delete_topic(r.id),
        Record::TopicPurged(r) => image.purge_topic(r.id),
        Record::TopicConfigured(r) => image.configure_topic(r.id, r.changes),
        Record::GroupConfigured(r) => image.configure_group(r.group, r.changes),
        Record::ClientMetricsConfigured(r) => image.configure_client_metrics(r.subscription, r.changes),
        Record::FeatureLevelSet(r) => image.set_feature(r),
        Record::BrokerConfigured(r) => image.configure_broker(r.node_id, r.changes),
        Record::ClientQuotaAltered(r) => image.alter_quota(r.entity, r.key, r.value),
        Record::TopicGrown(r) => image.grow_topic(r.id, r.partitions),
        Record::BrokerStarts(r) => image.set_starts(r.count),
        Record::ProducerIdsReserved(r) => image.reserve_producer_ids(r.next),
    }
}
