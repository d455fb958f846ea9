//! Typed messages: the one door to `kafka_protocol`.
//!
//! A body is decoded only after [`crate::guard::check_body`] has passed it; the crate behind trusts array counts.

use bytes::{Bytes, BytesMut};
pub use kafka_protocol::messages::*;
pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
pub use uuid::Uuid;

/// A body that passed the guard and still did not decode.
#[derive(Debug, thiserror::Error)]
#[error("body of API {key} version {version} does not decode: {reason}")]
pub struct DecodeError {
    pub key: i16,
    pub version: i16,
    pub reason: String,
}

/// Decodes a guarded request body. `codec_version` is the version whose bytes the codec knows
/// (see [`crate::versions`]: a few versions differ in meaning only).
pub fn decode_body<M: Decodable>(key: i16, codec_version: i16, body: &Bytes) -> Result<M, DecodeError> {
    let mut rest = body.clone();
    M::decode(&mut rest, codec_version).map_err(|e| DecodeError {
        key,
        version: codec_version,
        reason: e.to_string(),
    })
}

/// A copy of a name that does not keep the frame it came in: for what outlives the request's turn.
pub fn detached(name: &StrBytes) -> StrBytes {
    StrBytes::from_string(name.to_string())
}

/// Encodes a response body behind what `out` already holds.
///
/// An error here is a bug of ours: a field was set that this version cannot carry.
pub fn encode_body<M: Encodable>(message: &M, codec_version: i16, out: &mut BytesMut) -> Result<(), String> {
    let size = message.compute_size(codec_version).map_err(|e| e.to_string())?;
    out.reserve(size);
    message.encode(out, codec_version).map_err(|e| e.to_string())
}
