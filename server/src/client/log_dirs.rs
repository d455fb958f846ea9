//! Data directories over the wire: what is in them, and moves of partitions between them.

use std::ops::RangeInclusive;

use protocol_compat::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use protocol_compat::messages::describe_log_dirs_response::DescribeLogDirsResult;
use protocol_compat::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};

use super::ClientError;
use super::cluster::{Client, NodeId, text, topic_name};

const DESCRIBE: RangeInclusive<i16> = 1..=4;
const ALTER: RangeInclusive<i16> = 1..=2;

/// A data directory of a broker.
#[derive(Clone, Debug)]
pub struct LogDir {
    pub broker: NodeId,
    pub path: String,
    pub error_code: i16,
    /// Of its volume, where the broker says.
    pub total_bytes: Option<i64>,
    pub usable_bytes: Option<i64>,
    pub replicas: Vec<PlacedReplica>,
}

/// A replica in a data directory.
#[derive(Clone, Debug)]
pub struct PlacedReplica {
    pub topic: String,
    pub partition: i32,
    pub bytes: i64,
    pub lag: i64,
    /// It is a copy that will take the place of one in another directory.
    pub is_future: bool,
}

impl Client {
    /// The data directories of all brokers.
    pub async fn log_dirs(&mut self) -> Result<Vec<LogDir>, ClientError> {
        const WHAT: &str = "describing data directories";
        self.metadata(Some(&[]), false).await?;
        let mut all = Vec::new();
        for node in self.nodes() {
            let asked = self.ask(WHAT, async |client| {
                let request = DescribeLogDirsRequest::default().with_topics(None);
                let reply = client.call(node, DESCRIBE, |_| request).await?;
                ClientError::check(reply.error_code, || WHAT.to_owned(), None)?;
                Ok(reply.results)
            });
            all.extend(asked.await?.into_iter().map(|dir| understood(node, dir)));
        }
        Ok(all)
    }

    /// Asks a broker to move partitions of a topic to a data directory of its own.
    pub async fn move_partitions(
        &mut self,
        broker: NodeId,
        path: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<(), ClientError> {
        let asked = self.order("moving partitions", async |client| {
            let moved = AlterReplicaLogDirTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(partitions.to_vec());
            let dir = AlterReplicaLogDir::default().with_path(text(path)).with_topics(vec![moved]);
            let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]);
            let reply = client.call(broker, ALTER, |_| request).await?;
            for partition in reply.results.iter().flat_map(|topic| &topic.partitions) {
                let what = || format!("moving {topic}-{} to {path}", partition.partition_index);
                ClientError::check(partition.error_code, what, None)?;
            }
            Ok(())
        });
        asked.await
    }
}

fn understood(broker: NodeId, dir: DescribeLogDirsResult) -> LogDir {
    let known = |bytes: i64| (bytes >= 0).then_some(bytes);
    let replicas = dir.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| PlacedReplica {
            topic: topic.name.to_string(),
            partition: partition.partition_index,
            bytes: partition.partition_size,
            lag: partition.offset_lag,
            is_future: partition.is_future_key,
        })
    });
    LogDir {
        broker,
        path: dir.log_dir.to_string(),
        error_code: dir.error_code,
        total_bytes: known(dir.total_bytes),
        usable_bytes: known(dir.usable_bytes),
        replicas: replicas.collect(),
    }
}
