//! The APIs: one file per key, one table.
//!
//! `Api::begin` is the ordered stage: authorise, validate, append. What has to wait comes back as a future. A file here
//! only translates between the wire and the modules below (`cluster`, `partition`), which know no Kafka message; so
//! another listener could call those without this folder.

mod config_broker;
mod config_logger;
mod config_resource;
mod context;
mod dispatch;
mod error;
mod features;
mod groups;
mod owing;
mod reply;
mod telemetry;

pub use context::{Broker, ColdReads, Cx, Identity, Metered, Peer};
pub use dispatch::{Begun, Refused, begin, is_produce, key_of, version_of};
pub use reply::{Answer, Errors, Frame, Records, Unencodable};

use std::future::Future;
use std::pin::Pin;

use protocol_compat::messages::{ApiKey, Decodable};
use storage::AppendError;

use self::reply::Reply;
use crate::cluster::controller::Seen;
use crate::metrics::WaitsFor;

/// A wait whose result is the reply. Whatever it waits for has already begun and ends even if the wait is dropped.
pub type Parked<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// What is known only when something else is done.
pub type Deferred<R> = Box<dyn FnOnce() -> R + Send>;

/// What becomes of a request.
pub enum Then<R> {
    /// The reply is decided.
    Now(R),
    /// The reply comes later; replies of a connection keep their order.
    Later(Parked<R>),
    /// As `Later`, and nothing of this connection begins before it is decided.
    Gate(Parked<Then<R>>),
    /// To be asked for once the appends are written that the connection makes together.
    AfterAppends(Deferred<Then<R>>),
    /// No reply, by protocol (`acks=0`).
    Silent,
    /// As the other says; but some of the request's records have no place in their logs yet, and its bytes stay in memory
    /// until the wait is over. It gives false if records were refused of whose fate no reply tells.
    Placing(Parked<bool>, Box<Then<R>>),
    /// The connection ends: Kafka closes it here too.
    Close,
}

impl<R: Send + 'static> Then<R> {
    pub fn later(wait: impl Future<Output = R> + Send + 'static) -> Self {
        Self::Later(Box::pin(wait))
    }

    /// The reply, once the metadata that it shows is durable. If that cannot be, `failed` says what the client learns.
    fn once_durable(
        seen: &Seen,
        reply: R,
        failed: impl FnOnce(R, AppendError) -> R + Send + 'static,
    ) -> Self {
        if seen.is_durable() {
            return Self::Now(reply);
        }
        let seen = seen.clone();
        Self::later(async move {
            match seen.durable().await {
                Ok(()) => reply,
                Err(error) => failed(reply, error),
            }
        })
    }

    /// The same outcome, held back until the metadata that the request saw is durable. If that cannot be, nobody may
    /// learn what the request found: the connection ends.
    fn behind(self, seen: &Seen) -> Self {
        if seen.is_durable() {
            return self;
        }
        let seen = seen.clone();
        Self::Gate(Box::pin(async move { if seen.durable().await.is_ok() { self } else { Self::Close } }))
    }

    /// The same outcome with its reply translated.
    fn map<S: 'static>(self, f: impl FnOnce(R) -> S + Send + 'static) -> Then<S> {
        match self {
            Self::Now(reply) => Then::Now(f(reply)),
            Self::Later(wait) => Then::Later(Box::pin(async move { f(wait.await) })),
            Self::Gate(wait) => Then::Gate(Box::pin(async move { wait.await.map(f) })),
            Self::AfterAppends(decide) => Then::AfterAppends(Box::new(move || decide().map(f))),
            Self::Silent => Then::Silent,
            Self::Placing(wait, then) => Then::Placing(wait, Box::new(then.map(f))),
            Self::Close => Then::Close,
        }
    }
}

/// One Kafka API.
pub trait Api {
    const KEY: i16;
    /// The versions served. A test holds them against Apache Kafka's own table.
    const VERSIONS: std::ops::RangeInclusive<i16>;
    type Req: Decodable;
    type Resp: Reply + Send + 'static;
    /// Whether it counts the time that it takes against its client's quota by itself.
    const COUNTS_ITS_TIME: bool = false;

    fn begin(cx: &Cx, req: Self::Req, version: i16) -> Then<Self::Resp>;

    /// Every error code that the reply has a place for, 0 where all is well. For the metrics.
    fn codes(reply: &Self::Resp) -> impl Iterator<Item = i16>;
}

/// One served API, as ApiVersions, metrics and the documentation list it.
#[derive(Debug, Clone)]
pub struct Served {
    pub key: i16,
    pub versions: std::ops::RangeInclusive<i16>,
}

/// What a request of this API waits for, if it waits.
pub fn waits_for(key: i16) -> WaitsFor {
    const OTHERS: [i16; 3] = [ApiKey::Fetch as i16, ApiKey::JoinGroup as i16, ApiKey::SyncGroup as i16];
    if OTHERS.contains(&key) { WaitsFor::Others } else { WaitsFor::Durability }
}

macro_rules! apis {
    ($($module:ident :: $api:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every API that is served, in the order of the keys.
        pub const TABLE: &[Served] =
            &[$(Served { key: $module::$api::KEY, versions: $module::$api::VERSIONS }),*];

        /// Finds the API and begins the request.
        fn route(cx: &Cx, request: dispatch::Request) -> Result<Then<Answer>, Refused> {
            match request.key {
                $($module::$api::KEY => dispatch::run::<$module::$api>(cx, request),)*
                key => Err(Refused::NotServed { key, version: request.version }),
            }
        }
    };
}

apis! {
    k00_produce::Produce,
    k01_fetch::Fetch,
    k02_list_offsets::ListOffsets,
    k03_metadata::Metadata,
    k08_offset_commit::OffsetCommit,
    k09_offset_fetch::OffsetFetch,
    k10_find_coordinator::FindCoordinator,
    k11_join_group::JoinGroup,
    k12_heartbeat::Heartbeat,
    k13_leave_group::LeaveGroup,
    k14_sync_group::SyncGroup,
    k15_describe_groups::DescribeGroups,
    k16_list_groups::ListGroups,
    k18_api_versions::ApiVersions,
    k19_create_topics::CreateTopics,
    k20_delete_topics::DeleteTopics,
    k21_delete_records::DeleteRecords,
    k22_init_producer_id::InitProducerId,
    k23_offset_for_leader_epoch::OffsetForLeaderEpoch,
    k32_describe_configs::DescribeConfigs,
    k33_alter_configs::AlterConfigs,
    k34_alter_replica_log_dirs::AlterReplicaLogDirs,
    k35_describe_log_dirs::DescribeLogDirs,
    k37_create_partitions::CreatePartitions,
    k42_delete_groups::DeleteGroups,
    k43_elect_leaders::ElectLeaders,
    k44_incremental_alter_configs::IncrementalAlterConfigs,
    k45_alter_partition_reassignments::AlterPartitionReassignments,
    k46_list_partition_reassignments::ListPartitionReassignments,
    k47_offset_delete::OffsetDelete,
    k48_describe_client_quotas::DescribeClientQuotas,
    k49_alter_client_quotas::AlterClientQuotas,
    k55_describe_quorum::DescribeQuorum,
    k57_update_features::UpdateFeatures,
    k60_describe_cluster::DescribeCluster,
    k61_describe_producers::DescribeProducers,
    k68_consumer_group_heartbeat::ConsumerGroupHeartbeat,
    k69_consumer_group_describe::ConsumerGroupDescribe,
    k71_get_telemetry_subscriptions::GetTelemetrySubscriptions,
    k72_push_telemetry::PushTelemetry,
    k74_list_config_resources::ListConfigResources,
    k75_describe_topic_partitions::DescribeTopicPartitions,
}

#[cfg(test)]
mod tests;
