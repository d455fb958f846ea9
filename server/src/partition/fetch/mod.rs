//! Fetching: what is asked of partitions, what sessions remember of that (KIP-227), one pass of reading, and the wait
//! for more.
//!
//! A session is soft state: lost at a restart, made again by its client. Must not know wire messages; which topic stands
//! behind a name or an id, and who may read it, the caller resolves.

mod cache;
mod read;
mod session;

pub use cache::{Added, FetchSessions, SessionError};
pub use read::{Found, Limits, Pass, read};
pub use session::{Forgotten, Session, Shown, Told};

use std::collections::HashMap;
use std::sync::Arc;

use storage::{ReadError, TopicId};

use super::{Partition, Unavailable};

/// A topic as clients name it: by name up to Fetch 12, by id from 13. The two never mix in one request or session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopicKey {
    Name(Arc<str>),
    Id(TopicId),
}

/// What is asked of one partition. An epoch below zero is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub leader_epoch: i32,
    pub last_epoch: i32,
    pub offset: i64,
    pub bytes_max: i32,
}

/// One partition and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub topic: TopicKey,
    pub index: i32,
    pub asked: Asked,
}

/// Why a partition is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("no topic has this id")]
    UnknownId,
    #[error("there is no such partition")]
    UnknownPartition,
    #[error("the topic may not be read")]
    NotAllowed,
    #[error("the topic's name belongs to another topic now")]
    OtherTopic,
    #[error("the partition is being deleted")]
    Deleted,
    #[error("no replica follows this broker")]
    NoFollower,
    #[error("no follower is known under this leader epoch")]
    UnknownFollower,
    #[error("the leader's epoch is newer")]
    Fenced,
    #[error("the leader's epoch is older")]
    UnknownEpoch,
    #[error("the offset is out of range")]
    OutOfRange,
    #[error("fewer than no bytes are asked for")]
    NegativeSize,
    #[error("the log cannot be read")]
    Storage,
    #[error("the records are damaged")]
    Corrupt,
}

impl FetchError {
    /// Known from the metadata alone. Kafka does not read such partitions, and does not answer the others earlier for
    /// their sake: a consumer with a deleted topic among its own would never wait again.
    pub fn is_known_before(self) -> bool {
        matches!(self, Self::UnknownId | Self::UnknownPartition | Self::NotAllowed)
    }
}

impl From<Unavailable> for FetchError {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::NoSuchPartition => Self::UnknownPartition,
            Unavailable::Storage(_) => Self::Storage,
        }
    }
}

impl From<ReadError> for FetchError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { .. } => Self::OutOfRange,
            ReadError::Deleted => Self::Deleted,
            ReadError::Corrupt { .. } => Self::Corrupt,
            ReadError::Io { .. } => Self::Storage,
        }
    }
}

/// A partition of a fetch, with what stands behind it.
pub struct Entry {
    pub topic: TopicKey,
    /// Under which the topic was found, if it was.
    pub name: Option<Arc<str>>,
    pub index: i32,
    pub asked: Asked,
    /// Its place in the session, if it is of one.
    pub place: u64,
    pub target: Result<Arc<Partition>, FetchError>,
}

/// Finds what stands behind what clients ask for, in one image of the metadata.
pub trait Resolve {
    /// The name of the topic that has this id now.
    fn name_of(&mut self, id: TopicId) -> Option<Arc<str>>;
    /// Whether the client may read the topic.
    fn may_read(&mut self, name: &Arc<str>) -> bool;
    /// A partition of the topic with this name; its id has to be the one given, if one is.
    fn partition(
        &mut self,
        name: &str,
        id: Option<TopicId>,
        index: i32,
    ) -> Result<Arc<Partition>, FetchError>;
}

/// Resolves partitions that no session remembers.
pub fn entries(wanted: Vec<Wanted>, resolver: &mut dyn Resolve) -> Vec<Entry> {
    let wanted = each_once(wanted);
    let entry = |Wanted { topic, index, asked }: Wanted| {
        let name = named(&topic, None, resolver);
        let id = if let TopicKey::Id(id) = &topic { Some(*id) } else { None };
        let target = name.clone().and_then(|name| resolver.partition(&name, id, index));
        Entry { topic, name: name.ok(), index, asked, place: 0, target }
    };
    wanted.into_iter().map(entry).collect()
}

/// The name of a topic that may be read.
fn named(
    topic: &TopicKey,
    known: Option<&Arc<str>>,
    resolver: &mut dyn Resolve,
) -> Result<Arc<str>, FetchError> {
    let name = match (known, topic) {
        (Some(name), _) => name.clone(),
        (None, TopicKey::Name(name)) => name.clone(),
        (None, TopicKey::Id(id)) => resolver.name_of(*id).ok_or(FetchError::UnknownId)?,
    };
    if resolver.may_read(&name) { Ok(name) } else { Err(FetchError::NotAllowed) }
}

/// A partition that is asked for twice is read once, where it stood first, as it was asked for last.
fn each_once(wanted: Vec<Wanted>) -> Vec<Wanted> {
    let mut places: HashMap<(TopicKey, i32), usize> = HashMap::new();
    if wanted.len() <= 1 {
        return wanted;
    }
    let mut once: Vec<Wanted> = Vec::with_capacity(wanted.len());
    for one in wanted {
        let next = once.len();
        let place = *places.entry((one.topic.clone(), one.index)).or_insert(next);
        if place == next { once.push(one) } else { once[place].asked = one.asked }
    }
    once
}

#[cfg(test)]
mod tests;
