//! The one place where errors by blame become Kafka's codes.

use protocol_compat::ErrorCode;
use protocol_compat::messages::StrBytes;
use storage::{AppendError, DeleteRecordsError, ReadError, Reject};

use crate::cluster::command::Refusal;
use crate::cluster::configure::ConfigRefusal;
use crate::cluster::controller::CommandError;
use crate::cluster::feature::FeatureRefusal;
use crate::cluster::quota::QuotaRefusal;
use crate::config::ClientMetricsError;
use crate::coordinator::group::GroupError;
use crate::coordinator::shard::ShardError;
use crate::partition::fetch::{FetchError, SessionError};
use crate::partition::{EpochCheck, ProduceRefusal, Unavailable};
use crate::telemetry::TelemetryError;

/// What Apache Kafka answers for this error.
pub(super) trait ToCode {
    fn code(&self) -> ErrorCode;
}

impl ToCode for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidName(_) | Self::Collides { .. } => ErrorCode::InvalidTopicException,
            Self::Exists(_) | Self::BeingDeleted(_) => ErrorCode::TopicAlreadyExists,
            Self::InvalidPartitions { .. } | Self::NotMorePartitions { .. } => ErrorCode::InvalidPartitions,
            Self::TooManyPartitions { .. } | Self::AgainstPolicy(_) => ErrorCode::PolicyViolation,
            Self::InvalidReplicationFactor(_) => ErrorCode::InvalidReplicationFactor,
            Self::InvalidAssignment(_) => ErrorCode::InvalidReplicaAssignment,
            Self::InvalidRequest(_) | Self::Reserved(_) => ErrorCode::InvalidRequest,
            Self::UnknownName(_) | Self::UnknownPartition { .. } => ErrorCode::UnknownTopicOrPartition,
            Self::UnknownId(_) => ErrorCode::UnknownTopicId,
            Self::QuotaUsedUp => ErrorCode::ThrottlingQuotaExceeded,
        }
    }
}

impl ToCode for ConfigRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoList { .. } | Self::Value(_) | Self::GroupValue(_) => ErrorCode::InvalidConfig,
            Self::ClientMetrics(error) => error.code(),
            Self::NoName | Self::Broker(_) | Self::OfTopic { .. } => ErrorCode::InvalidRequest,
            Self::Topic(refusal) => refusal.code(),
        }
    }
}

impl ToCode for ClientMetricsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoName | Self::UnknownName(_) | Self::Interval(_) => ErrorCode::InvalidRequest,
            Self::NoNumber(_) | Self::Items { .. } | Self::Match(_) => ErrorCode::InvalidConfig,
        }
    }
}

impl ToCode for TelemetryError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooEarly => ErrorCode::ThrottlingQuotaExceeded,
            Self::Over => ErrorCode::InvalidRequest,
            Self::OtherSubscription => ErrorCode::UnknownSubscriptionId,
            Self::UnknownCodec => ErrorCode::UnsupportedCompressionType,
            Self::TooLarge => ErrorCode::TelemetryTooLarge,
            Self::Unreadable => ErrorCode::InvalidRecord,
        }
    }
}

impl ToCode for FeatureRefusal {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidUpdateVersion
    }
}

impl ToCode for QuotaRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooMany => ErrorCode::PolicyViolation,
            _ => ErrorCode::InvalidRequest,
        }
    }
}

impl<E: ToCode> ToCode for CommandError<E> {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Storage(error) => error.code(),
        }
    }
}

impl ToCode for ShardError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Loading => ErrorCode::CoordinatorLoadInProgress,
            Self::Gone => ErrorCode::NotCoordinator,
            Self::TimedOut => ErrorCode::CoordinatorNotAvailable,
        }
    }
}

impl ToCode for GroupError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidGroupId => ErrorCode::InvalidGroupId,
            Self::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
            Self::UnknownMember => ErrorCode::UnknownMemberId,
            Self::MemberIdRequired => ErrorCode::MemberIdRequired,
            Self::FencedInstance => ErrorCode::FencedInstanceId,
            Self::IllegalGeneration => ErrorCode::IllegalGeneration,
            Self::InconsistentProtocol => ErrorCode::InconsistentGroupProtocol,
            Self::RebalanceInProgress => ErrorCode::RebalanceInProgress,
            Self::GroupFull => ErrorCode::GroupMaxSizeReached,
            Self::GroupNotFound => ErrorCode::GroupIdNotFound,
            Self::GroupNotEmpty => ErrorCode::NonEmptyGroup,
            Self::SubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
            Self::MetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
            Self::CommitTooLarge => ErrorCode::InvalidCommitOffsetSize,
            // It passes: the client asks again.
            Self::TooManyGroups | Self::TooManyPending => ErrorCode::CoordinatorNotAvailable,
            Self::Unexpected => ErrorCode::UnknownServerError,
            Self::FencedMemberEpoch => ErrorCode::FencedMemberEpoch,
            Self::StaleMemberEpoch => ErrorCode::StaleMemberEpoch,
            Self::UnreleasedInstance => ErrorCode::UnreleasedInstanceId,
            Self::UnsupportedAssignor => ErrorCode::UnsupportedAssignor,
            Self::InvalidPattern => ErrorCode::InvalidRegularExpression,
            Self::UnsupportedVersion => ErrorCode::UnsupportedVersion,
        }
    }
}

impl ToCode for AppendError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Deleted => ErrorCode::UnknownTopicOrPartition,
            Self::Closed => ErrorCode::NotLeaderOrFollower,
            Self::ControlBatch | Self::BadMarker | Self::Empty => ErrorCode::InvalidRecord,
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::NotInTransaction { .. } => ErrorCode::InvalidTxnState,
            Self::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
            Self::NoSpace | Self::TooManyFiles | Self::Offline { .. } | Self::OutOfOrder { .. } => {
                ErrorCode::KafkaStorageError
            }
        }
    }
}

impl ToCode for ReadError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Deleted => ErrorCode::UnknownTopicOrPartition,
            Self::Corrupt { .. } => ErrorCode::CorruptMessage,
            Self::Io { .. } => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToCode for DeleteRecordsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotByPolicy => ErrorCode::PolicyViolation,
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Deleted => ErrorCode::UnknownTopicOrPartition,
        }
    }
}

impl ToCode for Unavailable {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchPartition => ErrorCode::UnknownTopicOrPartition,
            Self::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToCode for FetchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownId => ErrorCode::UnknownTopicId,
            Self::UnknownPartition | Self::Deleted => ErrorCode::UnknownTopicOrPartition,
            Self::NotAllowed => ErrorCode::TopicAuthorizationFailed,
            Self::OtherTopic => ErrorCode::InconsistentTopicId,
            Self::NoFollower => ErrorCode::NotLeaderOrFollower,
            Self::UnknownFollower | Self::UnknownEpoch => ErrorCode::UnknownLeaderEpoch,
            Self::Fenced => ErrorCode::FencedLeaderEpoch,
            Self::OutOfRange => ErrorCode::OffsetOutOfRange,
            Self::NegativeSize => ErrorCode::UnknownServerError,
            Self::Storage => ErrorCode::KafkaStorageError,
            Self::Corrupt => ErrorCode::CorruptMessage,
        }
    }
}

impl ToCode for SessionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown => ErrorCode::FetchSessionIdNotFound,
            Self::Epoch => ErrorCode::InvalidFetchSessionEpoch,
            Self::TopicIds => ErrorCode::FetchSessionTopicIdError,
        }
    }
}

impl ToCode for ProduceRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Batch(reject) => reject.code(),
            Self::Transactional => ErrorCode::InvalidTxnState,
        }
    }
}

impl ToCode for Reject {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Corrupt { .. } => ErrorCode::CorruptMessage,
            Self::Invalid { .. } | Self::NotOneBatch { .. } | Self::UnsupportedMagic { .. } => {
                ErrorCode::InvalidRecord
            }
            Self::TooLarge { .. } | Self::GrownTooLarge { .. } => ErrorCode::MessageTooLarge,
            // Nobody is told that a batch is much work: it is done.
            Self::NotCompressed { .. } | Self::Heavy => ErrorCode::UnknownServerError,
            Self::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::Timestamp { .. } => ErrorCode::InvalidTimestamp,
            Self::UnsupportedCodec { .. } => ErrorCode::UnsupportedCompressionType,
        }
    }
}

/// Longest text that a reply carries: clients refuse strings of more than 32,767 bytes, and much of a text may be theirs.
const TEXT_BYTES_MAX: usize = 1024;

/// An error's text for a reply, cut where it grows too long.
pub(super) fn text(error: impl ToString) -> Option<StrBytes> {
    let mut text = error.to_string();
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    Some(StrBytes::from_string(text))
}

/// `None` when the client's epoch is the leader's.
pub(super) fn epoch_error(check: EpochCheck) -> Option<ErrorCode> {
    match check {
        EpochCheck::Current => None,
        EpochCheck::Fenced => Some(ErrorCode::FencedLeaderEpoch),
        EpochCheck::Unknown => Some(ErrorCode::UnknownLeaderEpoch),
    }
}
