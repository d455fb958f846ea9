//! Why a question to a Kafka server has no good answer, by who can do something about it.

use std::ops::RangeInclusive;

use protocol_compat::ErrorCode;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing was sent.
    #[error("cannot reach {address}: {reason}")]
    Unreachable { address: String, reason: String },
    /// The broker may or may not have done what it was asked.
    #[error("the connection to {address} was lost: {reason}")]
    Lost { address: String, reason: String },
    #[error("what answers at {address} does not speak the Kafka protocol: {reason}")]
    NotKafka { address: String, reason: String },
    #[error(
        "the broker at {address} does not serve {api} in a version known here ({}–{})",
        wanted.start(),
        wanted.end()
    )]
    Unsupported { address: String, api: &'static str, wanted: RangeInclusive<i16> },
    /// The broker's own word.
    #[error("{what}: {}{}", name_of(*code), detail(message))]
    Refused { what: String, code: i16, message: Option<String> },
    #[error("{what}: not done within {seconds} s; at last: {last}")]
    TimedOut { what: String, seconds: u64, last: Box<ClientError> },
    #[error("the cluster has no broker {0}")]
    NoSuchBroker(i32),
    /// A batch that cannot be read.
    #[error("partition {partition}, offset {offset}: {reason}")]
    BadBatch { partition: String, offset: i64, reason: String },
    /// A bug of ours: a field that the version cannot carry.
    #[error("a request cannot be written: {0}")]
    Encode(String),
}

impl ClientError {
    /// The broker's refusal, if `code` is one.
    pub(super) fn check(code: i16, what: impl FnOnce() -> String, message: Option<&str>) -> Result<(), Self> {
        if code == 0 {
            return Ok(());
        }
        // Some brokers repeat nothing but the name of the error, some say nothing.
        let message = message.filter(|text| !text.is_empty()).map(str::to_owned);
        Err(Self::Refused { what: what(), code, message })
    }

    /// The code that the broker answered with.
    pub fn code(&self) -> Option<i16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::TimedOut { last, .. } => last.code(),
            _ => None,
        }
    }

    /// Whether the broker refused with this error.
    pub fn is(&self, error: ErrorCode) -> bool {
        self.code() == Some(error.code())
    }

    /// Whether it is worth asking again, if nothing can be done twice by that.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Lost { .. }) || self.left_no_trace()
    }

    /// Whether it is worth asking again, and the broker has done nothing yet.
    pub(super) fn left_no_trace(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => match ErrorCode::from_code(*code) {
                // It may still be done.
                Some(ErrorCode::RequestTimedOut) => false,
                // What is not there seldom comes by itself: who has just made it says so and waits.
                Some(ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId) => false,
                error => error.is_some_and(ErrorCode::is_retriable),
            },
            _ => false,
        }
    }
}

/// The name that Kafka's documentation has for a code.
pub fn name_of(code: i16) -> String {
    ErrorCode::from_code(code).map_or_else(|| format!("error {code}"), |error| error.name().to_owned())
}

fn detail(message: &Option<String>) -> String {
    message.as_ref().map(|text| format!(": {text}")).unwrap_or_default()
}
