//! The brokers of one cluster: found through the ones that the user names, and asked by the part that they play.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::time::Duration;

use protocol_compat::ErrorCode;
use protocol_compat::messages::find_coordinator_response::FindCoordinatorResponse;
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::{
    FindCoordinatorRequest, MetadataRequest, MetadataResponse, Request, StrBytes, TopicName, Uuid,
};

use super::ClientError;
use super::attempts::Attempts;
use super::connection::Connection;
use super::offsets::TopicPartition;

/// A broker's number in its cluster.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub i32);

impl NodeId {
    /// Stands for whichever of the named brokers answers.
    pub(super) const ANY: NodeId = NodeId(i32::MIN);
}

const METADATA: RangeInclusive<i16> = 1..=13;
/// From this version on several groups are asked for at once.
const FIND_MANY: i16 = 4;
const GROUP_KEY: i8 = 0;

/// How to reach a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port` of some of its brokers.
    pub bootstrap: Vec<String>,
    /// How long one question may take, with all its repetitions.
    pub patience: Duration,
}

/// Where a broker says that it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub node: NodeId,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

impl Endpoint {
    fn address(&self) -> String {
        match self.host.contains(':') && !self.host.starts_with('[') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Partition {
    pub index: i32,
    pub error_code: i16,
    pub leader: Option<NodeId>,
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
    pub offline: Vec<i32>,
}

#[derive(Clone, Debug)]
pub struct Topic {
    pub name: String,
    pub id: Uuid,
    pub error_code: i16,
    pub is_internal: bool,
    /// By rising index.
    pub partitions: Vec<Partition>,
}

/// What a broker knows of its cluster.
#[derive(Clone, Debug)]
pub struct Metadata {
    pub cluster_id: Option<String>,
    pub controller: Option<NodeId>,
    pub brokers: BTreeMap<NodeId, Endpoint>,
    /// By name.
    pub topics: BTreeMap<String, Topic>,
}

/// See the module.
pub struct Client {
    options: Options,
    connections: HashMap<NodeId, Connection>,
    brokers: BTreeMap<NodeId, Endpoint>,
    controller: Option<NodeId>,
    /// Who led partitions when that was asked last.
    pub(super) leaders: HashMap<TopicPartition, NodeId>,
}

impl Client {
    /// A client that has asked nobody yet.
    pub fn new(options: Options) -> Client {
        Client {
            options,
            connections: HashMap::new(),
            brokers: BTreeMap::new(),
            controller: None,
            leaders: HashMap::new(),
        }
    }

    pub(super) fn patience(&self) -> Duration {
        self.options.patience
    }

    /// Does what changes nothing, again and again if need be.
    pub(super) async fn ask<T>(
        &mut self,
        what: &str,
        once: impl AsyncFnMut(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.repeat(what, ClientError::may_pass, once).await
    }

    /// Does what changes something: again only if nothing can have come of it.
    pub(super) async fn order<T>(
        &mut self,
        what: &str,
        once: impl AsyncFnMut(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.repeat(what, ClientError::left_no_trace, once).await
    }

    async fn repeat<T>(
        &mut self,
        what: &str,
        is_worth_it: impl Fn(&ClientError) -> bool,
        mut once: impl AsyncFnMut(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut attempts = Attempts::within(self.options.patience);
        loop {
            match self.in_time(what, &attempts, &mut once).await {
                Err(error) if is_worth_it(&error) => attempts.again(what, error).await?,
                done => return done,
            }
        }
    }

    async fn in_time<T>(
        &mut self,
        what: &str,
        attempts: &Attempts,
        once: &mut impl AsyncFnMut(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let slow = tokio::select! {
            done = once(self) => return done,
            () = attempts.over() => what,
        };
        self.drop_all_connections();
        let reason = format!("no answer within {} s", self.options.patience.as_secs());
        Err(ClientError::Lost {
            address: self.options.bootstrap.join(","),
            reason: format!("{reason} ({slow})"),
        })
    }

    /// Where a node is, if a reply said so.
    pub fn endpoint(&self, node: NodeId) -> Option<&Endpoint> {
        self.brokers.get(&node)
    }

    /// All nodes that the last metadata named.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.brokers.keys().copied().collect()
    }

    async fn connect(&mut self, node: NodeId) -> Result<(), ClientError> {
        if self.connections.contains_key(&node) {
            return Ok(());
        }
        let addresses = match self.brokers.get(&node) {
            Some(endpoint) => vec![endpoint.address()],
            None => self.options.bootstrap.clone(),
        };
        let mut failed = None;
        for address in addresses {
            match Connection::open(&address, self.options.patience).await {
                Ok(connection) => {
                    self.connections.insert(node, connection);
                    return Ok(());
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| ClientError::Unreachable {
            address: "the cluster".to_owned(),
            reason: "no address is given".to_owned(),
        }))
    }

    /// The connection to a node, made if there is none.
    pub(super) async fn connection(&mut self, node: NodeId) -> Result<&mut Connection, ClientError> {
        self.connect(node).await?;
        self.connections.get_mut(&node).ok_or_else(|| ClientError::Unreachable {
            address: node.0.to_string(),
            reason: "it is not connected".to_owned(),
        })
    }

    /// Forgets a connection whose replies cannot be told apart any more.
    pub(super) fn drop_connection(&mut self, node: NodeId) {
        self.connections.remove(&node);
    }

    /// Forgets all connections: replies that are still to come belong to nobody.
    pub(super) fn drop_all_connections(&mut self) {
        self.connections.clear();
    }

    /// Asks one node once, in the newest version that both know.
    pub(super) async fn call<R: Request>(
        &mut self,
        node: NodeId,
        versions: RangeInclusive<i16>,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, ClientError> {
        let connection = self.connection(node).await?;
        let version = connection.version::<R>(&versions)?;
        let reply = connection.call(version, &make(version)).await;
        if reply.is_err() {
            self.drop_connection(node);
        }
        reply
    }

    /// Asks whichever broker answers.
    pub(super) async fn call_any<R: Request>(
        &mut self,
        versions: RangeInclusive<i16>,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, ClientError> {
        self.call(NodeId::ANY, versions, make).await
    }

    /// The node that changes of the cluster are asked of. Who has answered that it is not the one is asked for the right one.
    pub(super) async fn controller(&mut self) -> Result<NodeId, ClientError> {
        if self.controller.is_none() {
            self.metadata_once(Some(&[]), false).await?;
        }
        Ok(self.controller.unwrap_or(NodeId::ANY))
    }

    pub(super) fn forget_controller(&mut self) {
        self.controller = None;
    }

    /// What the brokers serve: of each, versions by API key. What cannot be reached has the reason.
    pub async fn served(
        &mut self,
    ) -> Result<Vec<(Endpoint, Result<BTreeMap<i16, RangeInclusive<i16>>, ClientError>)>, ClientError> {
        self.metadata(Some(&[]), false).await?;
        let mut all = Vec::new();
        for endpoint in self.brokers.clone().into_values() {
            let served = self.connection(endpoint.node).await.map(|connection| connection.served().clone());
            all.push((endpoint, served));
        }
        Ok(all)
    }

    /// The cluster, with these topics or with all. A topic that is not there has its error.
    pub async fn metadata(
        &mut self,
        topics: Option<&[String]>,
        create: bool,
    ) -> Result<Metadata, ClientError> {
        self.ask("reading the cluster's metadata", async |client| client.metadata_once(topics, create).await)
            .await
    }

    pub(super) async fn metadata_once(
        &mut self,
        topics: Option<&[String]>,
        create: bool,
    ) -> Result<Metadata, ClientError> {
        let wanted = topics.map(|names| {
            names
                .iter()
                .map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))))
                .collect()
        });
        let request = |version| {
            MetadataRequest::default()
                .with_topics(wanted)
                // Older ones always create.
                .with_allow_auto_topic_creation(create || version < 4)
        };
        let reply = self.call_any(METADATA, request).await?;
        ClientError::check(reply.error_code, || "reading the cluster's metadata".to_owned(), None)?;
        let metadata = understood(reply);
        self.brokers.clone_from(&metadata.brokers);
        self.controller = metadata.controller;
        Ok(metadata)
    }

    /// The coordinators of groups, by group.
    pub(super) async fn coordinators(
        &mut self,
        groups: &[String],
    ) -> Result<BTreeMap<String, NodeId>, ClientError> {
        self.ask("finding the coordinator", async |client| client.coordinators_once(groups).await).await
    }

    async fn coordinators_once(
        &mut self,
        groups: &[String],
    ) -> Result<BTreeMap<String, NodeId>, ClientError> {
        let version = self.connection(NodeId::ANY).await?.version::<FindCoordinatorRequest>(&(0..=6))?;
        let mut found = BTreeMap::new();
        if version >= FIND_MANY {
            let keys = groups.iter().map(|group| text(group)).collect();
            let request =
                FindCoordinatorRequest::default().with_key_type(GROUP_KEY).with_coordinator_keys(keys);
            let reply = self.call_any(version..=version, |_| request).await?;
            for one in &reply.coordinators {
                let message = one.error_message.as_deref();
                ClientError::check(one.error_code, || format!("group '{}'", one.key), message)?;
                let at = self.learn(one.node_id.0, &one.host, one.port);
                found.insert(one.key.to_string(), at);
            }
            return Ok(found);
        }
        for group in groups {
            let request = FindCoordinatorRequest::default().with_key(text(group));
            let reply: FindCoordinatorResponse = self.call_any(version..=version, |_| request).await?;
            let message = reply.error_message.as_deref();
            ClientError::check(reply.error_code, || format!("group '{group}'"), message)?;
            let at = self.learn(reply.node_id.0, &reply.host, reply.port);
            found.insert(group.clone(), at);
        }
        Ok(found)
    }

    fn learn(&mut self, node: i32, host: &str, port: i32) -> NodeId {
        let node = NodeId(node);
        self.brokers.entry(node).or_insert_with(|| Endpoint {
            node,
            host: host.to_owned(),
            port,
            rack: None,
        });
        node
    }
}

fn understood(reply: MetadataResponse) -> Metadata {
    let brokers = reply.brokers.into_iter().map(|broker| {
        let node = NodeId(broker.node_id.0);
        let rack = broker.rack.map(|rack| rack.to_string());
        (node, Endpoint { node, host: broker.host.to_string(), port: broker.port, rack })
    });
    let topics = reply.topics.into_iter().map(|topic| {
        let name = topic.name.map(|name| name.to_string()).unwrap_or_default();
        let mut partitions: Vec<Partition> = topic
            .partitions
            .into_iter()
            .map(|partition| Partition {
                index: partition.partition_index,
                error_code: partition.error_code,
                leader: (partition.leader_id.0 >= 0).then_some(NodeId(partition.leader_id.0)),
                leader_epoch: partition.leader_epoch,
                replicas: partition.replica_nodes.iter().map(|node| node.0).collect(),
                in_sync: partition.isr_nodes.iter().map(|node| node.0).collect(),
                offline: partition.offline_replicas.iter().map(|node| node.0).collect(),
            })
            .collect();
        partitions.sort_by_key(|partition| partition.index);
        let topic = Topic {
            name: name.clone(),
            id: topic.topic_id,
            error_code: topic.error_code,
            is_internal: topic.is_internal,
            partitions,
        };
        (name, topic)
    });
    Metadata {
        cluster_id: reply.cluster_id.map(|id| id.to_string()),
        controller: (reply.controller_id.0 >= 0).then_some(NodeId(reply.controller_id.0)),
        brokers: brokers.collect(),
        topics: topics.collect(),
    }
}

impl Topic {
    /// The refusal to tell of this topic, if there is one.
    pub fn check(&self) -> Result<(), ClientError> {
        let is_missing = self.error_code == ErrorCode::UnknownTopicOrPartition.code();
        let message = is_missing.then_some("there is no such topic");
        ClientError::check(self.error_code, || format!("topic '{}'", self.name), message)
    }
}

/// A text of the wire.
pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}
