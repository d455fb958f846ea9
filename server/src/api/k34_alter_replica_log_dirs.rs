//! AlterReplicaLogDirs (key 34), versions 1–2.
//!
//! - 1: a throttled reply leaves at once. 2: flexible.
//!
//! The reply says that the moves are wanted, which lasts over restarts; DescribeLogDirs says how far they are. As in Kafka
//! 4.3: a partition that is on its way elsewhere turns round, one that is asked to be where it is stays, and its move is
//! given up. A directory that is not the broker's is LOG_DIR_NOT_FOUND, whether there is such a partition or not; one that
//! is offline is KAFKA_STORAGE_ERROR, and so is any move while another is; a name that leaves no room for that of a copy
//! is INVALID_TOPIC_EXCEPTION. A partition that is not there is UNKNOWN_TOPIC_OR_PARTITION, and will be made in that
//! directory if it is made before the broker stops. Of a partition that is named twice, the last directory counts.

use std::collections::BTreeMap;

use protocol_compat::ErrorCode;
use protocol_compat::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use protocol_compat::messages::{
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, ApiKey, StrBytes, TopicName,
};
use storage::COPIED_NAME_BYTES_MAX;

use super::error::ToCode;
use super::{Api, Cx, Then};
use crate::partition::MoveRefusal;
use crate::security::{Operation, Resource};

pub(super) struct AlterReplicaLogDirs;

/// The directory that is asked for, by partition and topic.
type Asked = BTreeMap<TopicName, BTreeMap<i32, StrBytes>>;

impl Api for AlterReplicaLogDirs {
    const KEY: i16 = ApiKey::AlterReplicaLogDirs as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    type Req = AlterReplicaLogDirsRequest;
    type Resp = AlterReplicaLogDirsResponse;

    fn codes(reply: &AlterReplicaLogDirsResponse) -> impl Iterator<Item = i16> {
        reply.results.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code)
    }

    #[expect(clippy::disallowed_methods, reason = "rare: directories are made and flushed, moves are given up")]
    fn begin(cx: &Cx, req: AlterReplicaLogDirsRequest, _version: i16) -> Then<AlterReplicaLogDirsResponse> {
        let asked = asked(req);
        if !cx.allow(Operation::Alter, Resource::Cluster) {
            return Then::Now(reply(asked, |_, _, _| Err(ErrorCode::ClusterAuthorizationFailed)));
        }
        let (broker, image) = (cx.broker.clone(), cx.seen.image.clone());
        Then::later(async move {
            let kept = asked.clone();
            let work = move || {
                reply(asked, |name, partition, path| {
                    if name.len() + "-".len() + partition.to_string().len() > COPIED_NAME_BYTES_MAX {
                        return Err(ErrorCode::InvalidTopicException);
                    }
                    let refused = match image.topic(name).filter(|topic| topic.log_id(partition).is_some()) {
                        Some(topic) => broker.partitions.move_to(topic, partition, path),
                        None => match broker.partitions.choose(name, partition, path) {
                            Ok(()) => return Err(ErrorCode::UnknownTopicOrPartition),
                            refused => refused,
                        },
                    };
                    refused.map_err(|error| {
                        tracing::warn!(topic = name, partition, path, %error, "refused to move a partition");
                        error.code()
                    })
                })
            };
            let worked = tokio::task::spawn_blocking(work).await;
            worked.unwrap_or_else(|_| reply(kept, |_, _, _| Err(ErrorCode::UnknownServerError)))
        })
    }
}

impl ToCode for MoveRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchDirectory => ErrorCode::LogDirNotFound,
            Self::NameTooLong => ErrorCode::InvalidTopicException,
            Self::Storage(_) => ErrorCode::KafkaStorageError,
            Self::Unavailable(error) => error.code(),
        }
    }
}

fn asked(req: AlterReplicaLogDirsRequest) -> Asked {
    let mut asked = Asked::new();
    for dir in req.dirs {
        for topic in dir.topics {
            let partitions = topic.partitions.into_iter().map(|partition| (partition, dir.path.clone()));
            asked.entry(topic.name).or_default().extend(partitions);
        }
    }
    asked
}

fn reply(
    asked: Asked,
    mut answer: impl FnMut(&str, i32, &str) -> Result<(), ErrorCode>,
) -> AlterReplicaLogDirsResponse {
    let mut results = Vec::new();
    for (name, partitions) in asked.into_iter().filter(|(_, partitions)| !partitions.is_empty()) {
        let result = |(partition, path): (i32, StrBytes)| {
            let code = answer(&name, partition, &path).err().map_or(0, ErrorCode::code);
            AlterReplicaLogDirPartitionResult::default().with_partition_index(partition).with_error_code(code)
        };
        let partitions = partitions.into_iter().map(result).collect();
        results.push(AlterReplicaLogDirTopicResult::default().with_topic_name(name).with_partitions(partitions));
    }
    AlterReplicaLogDirsResponse::default().with_results(results)
}
