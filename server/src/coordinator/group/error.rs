//! What a group refuses, by what the asker got wrong. The API maps each to Kafka's code, in one place.

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    #[error("the group id is not valid")]
    InvalidGroupId,
    #[error("the session timeout is not within what the broker allows")]
    InvalidSessionTimeout,
    #[error("the group has no such member")]
    UnknownMember,
    #[error("the member has to join again with the id that it is given")]
    MemberIdRequired,
    #[error("another member has taken over this instance id")]
    FencedInstance,
    #[error("the member is of another generation")]
    IllegalGeneration,
    #[error("the member's protocols do not fit those of the group")]
    InconsistentProtocol,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    #[error("the group is full")]
    GroupFull,
    #[error("there is no such group")]
    GroupNotFound,
    #[error("the group has members")]
    GroupNotEmpty,
    #[error("the group consumes this topic")]
    SubscribedToTopic,
    #[error("the metadata of an offset is too long")]
    MetadataTooLarge,
    #[error("the commit is too large for one batch")]
    CommitTooLarge,
    #[error("there are too many groups")]
    TooManyGroups,
    #[error("too many member ids wait to be joined with")]
    TooManyPending,
    #[error("a request that no client sends")]
    Unexpected,
    #[error("the member is of another epoch: it gives up all it has and joins again")]
    FencedMemberEpoch,
    #[error("the member's epoch is not the group's any more")]
    StaleMemberEpoch,
    #[error("another member has this instance id")]
    UnreleasedInstance,
    #[error("there is no such assignor")]
    UnsupportedAssignor,
    #[error("this is not a pattern")]
    InvalidPattern,
    #[error("a member of this kind needs a later version of the request")]
    UnsupportedVersion,
}
