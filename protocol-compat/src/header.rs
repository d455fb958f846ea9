//! Headers of requests and responses.
//!
//! A request's header is read from a peer's bytes: it never panics and allocates nothing. Its own version follows from
//! the API's version, so an unknown key leaves only the first eight bytes readable. What to answer to an error is the
//! server's choice: Kafka answers ApiVersions of any unknown version with a version-0 body and closes on all else.

#[cfg(test)]
mod tests;

use crate::guard::cursor::Cursor;
use crate::guard::{GuardError, Violation};
use crate::versions::api_info;
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

/// The header of a request of a version that Kafka 4.3.1 serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    /// A null client id reads as "", as in Kafka. It is a slice of the frame and keeps it alive.
    pub client_id: StrBytes,
    /// Where the body begins in the frame.
    pub body_offset: usize,
}

/// Why a header is refused. Key, version and correlation id have the same place in every version, so that an error
/// still names them wherever the frame reaches that far.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("a frame of {frame_bytes} bytes holds no header")]
    TooShort { frame_bytes: usize },
    #[error("unknown API key {api_key}")]
    UnknownKey { api_key: i16, api_version: i16, correlation_id: i32 },
    /// The header itself is whole: ApiVersions is answered from it.
    #[error("API {api_key} has no version {api_version}")]
    UnsupportedVersion { api_key: i16, api_version: i16, correlation_id: i32, client_id: StrBytes },
    #[error("header of API {api_key} version {api_version}: {error}")]
    Malformed { api_key: i16, api_version: i16, correlation_id: i32, error: GuardError },
}

/// Reads the header of a frame (without its length prefix).
pub fn decode_request_header(frame: &Bytes) -> Result<RequestHeader, HeaderError> {
    let mut cursor = Cursor::new(frame);
    let (api_key, api_version, correlation_id) =
        decode_start(&mut cursor).map_err(|_| HeaderError::TooShort { frame_bytes: frame.len() })?;
    let api = api_info(api_key).ok_or(HeaderError::UnknownKey { api_key, api_version, correlation_id })?;
    let client_id = decode_rest(api.request_header_version(api_version), frame, &mut cursor)
        .map_err(|error| HeaderError::Malformed { api_key, api_version, correlation_id, error })?;
    if !api.serves(api_version) {
        return Err(HeaderError::UnsupportedVersion { api_key, api_version, correlation_id, client_id });
    }
    Ok(RequestHeader { api_key, api_version, correlation_id, client_id, body_offset: cursor.at() })
}

/// What stands at the same place in every version.
fn decode_start(cursor: &mut Cursor<'_>) -> Result<(i16, i16, i32), GuardError> {
    Ok((cursor.i16()?, cursor.i16()?, cursor.i32()?))
}

/// The client id, and tags to skip. The client id kept its old form when headers became flexible, so that a broker can
/// read it before it knows more; every negative length is null, as Kafka reads it.
fn decode_rest(version: i16, frame: &Bytes, cursor: &mut Cursor<'_>) -> Result<StrBytes, GuardError> {
    let client_id = match usize::try_from(cursor.i16()?) {
        Ok(0) | Err(_) => StrBytes::new(),
        Ok(bytes) => {
            let from = cursor.at();
            let slice = frame.slice(from..from + cursor.take(bytes)?.len());
            StrBytes::from_utf8(slice).map_err(|_| cursor.violation(Violation::NotUtf8))?
        }
    };
    if version >= 2 {
        for _ in 0..cursor.varint()? {
            cursor.skip_tag()?;
        }
    }
    Ok(client_id)
}

/// How long the header of a response is.
pub fn response_header_bytes(key: i16, version: i16) -> usize {
    4 + usize::from(response_is_tagged(key, version))
}

/// Writes the header of a response: the correlation id, and an empty set of tags where the version is flexible
/// (never for ApiVersions).
pub fn encode_response_header(key: i16, version: i16, correlation_id: i32, out: &mut BytesMut) {
    out.put_i32(correlation_id);
    if response_is_tagged(key, version) {
        out.put_u8(0);
    }
}

fn response_is_tagged(key: i16, version: i16) -> bool {
    api_info(key).is_some_and(|api| api.response_header_version(version) == 1)
}
