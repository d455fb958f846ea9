//! From a frame to a begun request: header, guard, decode, route.

use std::sync::Arc;

use bytes::Bytes;
use protocol_compat::ErrorCode;
use protocol_compat::guard::{self, GuardError};
use protocol_compat::header::{HeaderError, decode_request_header};
use protocol_compat::messages::{ApiKey, DecodeError, decode_body};
use protocol_compat::versions;
use storage::Together;

use super::owing::Owing;
use super::reply::{Errors, Reply};
use super::{Answer, Api, Broker, Cx, Peer, Then, k18_api_versions, route};
use crate::quotas::{Client, Throttle};

/// A request that ends its connection; Kafka closes it too.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the request header is malformed: {0}")]
    Header(#[from] HeaderError),
    #[error("API {key} version {version} is not served; ApiVersions lists what is")]
    NotServed { key: i16, version: i16 },
    #[error("the body of API {key} version {version} is malformed: {error}")]
    Guard { key: i16, version: i16, error: GuardError },
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// A request with its header read and its body still bytes.
pub(super) struct Request {
    pub key: i16,
    pub version: i16,
    correlation_id: i32,
    body: Bytes,
}

/// A request that has begun.
pub struct Begun {
    pub key: i16,
    pub then: Then<Answer>,
    /// How long the connection is to rest whatever becomes of the request.
    pub throttled: Option<Throttle>,
    /// Whom the time counts for that is spent on the connection.
    pub timed: Option<Arc<Client>>,
}

/// Is this frame a Produce request? Only consecutive ones of a connection may overlap.
pub fn is_produce(frame: &[u8]) -> bool {
    key_of(frame) == ApiKey::Produce as i16
}

/// The key of the API that this frame asks for; -1 for what is too short to say.
pub fn key_of(frame: &[u8]) -> i16 {
    frame.first_chunk::<2>().map_or(-1, |key| i16::from_be_bytes(*key))
}

/// The version in which this frame asks; -1 for what is too short to say.
pub fn version_of(frame: &[u8]) -> i16 {
    frame.get(2..).and_then(<[u8]>::first_chunk).map_or(-1, |version| i16::from_be_bytes(*version))
}

/// Begins the request in `frame`. If there are others behind it, what it appends may be written with theirs: the outcome
/// is [`Then::AfterAppends`] then.
pub fn begin(
    broker: &Arc<Broker>,
    peer: &Arc<Peer>,
    frame: Bytes,
    together: Option<&Arc<Together>>,
) -> Result<Begun, Refused> {
    let header = match decode_request_header(&frame) {
        Ok(header) => header,
        Err(error) => return unsupported_api_versions(error),
    };
    let (key, version) = (header.api_key, header.api_version);
    let request = Request {
        key,
        version,
        correlation_id: header.correlation_id,
        body: frame.slice(header.body_offset..),
    };
    peer.note_client_id(&header.client_id);
    let cx = Cx::new(broker, peer, header.client_id, frame.len(), together);
    let then = route(&cx, request)?;
    Ok(Begun { key, then, throttled: cx.throttled(), timed: cx.timed() })
}

/// A client that asks for ApiVersions in a version of the future is told, in version 0, which versions there are.
fn unsupported_api_versions(error: HeaderError) -> Result<Begun, Refused> {
    let key = ApiKey::ApiVersions as i16;
    match error {
        HeaderError::UnsupportedVersion { api_key, correlation_id, .. } if api_key == key => {
            let reply = k18_api_versions::unsupported_version();
            Ok(Begun {
                key,
                then: Then::Now(Answer {
                    frame: reply.frame(key, 0, correlation_id),
                    errors: Errors::of([ErrorCode::UnsupportedVersion.code()]),
                    throttled: None,
                }),
                throttled: None,
                timed: None,
            })
        }
        HeaderError::UnsupportedVersion { api_key, api_version, .. }
        | HeaderError::UnknownKey { api_key, api_version, .. } => {
            Err(Refused::NotServed { key: api_key, version: api_version })
        }
        other => Err(other.into()),
    }
}

/// Guards, decodes and begins a request of the API `A`.
pub(super) fn run<A: Api>(cx: &Cx, request: Request) -> Result<Then<Answer>, Refused> {
    let Request { key, version, correlation_id, body } = request;
    if !A::VERSIONS.contains(&version) {
        return Err(Refused::NotServed { key, version });
    }
    guard::check_body(key, version, &body, &cx.broker.guard_limits).map_err(|error| Refused::Guard {
        key,
        version,
        error,
    })?;
    let message = decode_body::<A::Req>(key, versions::codec_version(key, version), &body)?;
    // No API can show metadata that a crash may take back, whether or not it thinks of it.
    let then = A::begin(cx, message, version).behind(&cx.seen);
    let owing = Owing::of::<A>(cx);
    Ok(then.map(move |mut reply| {
        let throttled = owing.and_then(|owing| owing.settle(&mut reply));
        let errors = Errors::of(A::codes(&reply));
        Answer { frame: reply.frame(key, version, correlation_id), errors, throttled }
    }))
}
