//! One connection to one broker: requests out, replies in, in order, in versions that both sides know.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol_compat::ErrorCode;
use protocol_compat::frame::{PREFIX_BYTES, Split, growth, split};
use protocol_compat::messages::{
    ApiVersionsRequest, ApiVersionsResponse, Decodable, Request, StrBytes, encode_body,
};
use protocol_compat::versions::{API_VERSIONS_KEY, api_info, codec_version, reply_codec_version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ClientError;

/// The largest reply that is taken: twice what brokers give by default in one fetch.
const REPLY_BYTES_MAX: usize = 128 << 20;
const READ_BYTES: usize = 64 << 10;
const CLIENT_ID: &str = "ottla";
/// The newest version of ApiVersions that is asked; 0 is what every broker answers.
const API_VERSIONS_VERSION: i16 = 3;

pub(super) struct Connection {
    stream: TcpStream,
    address: String,
    buffer: BytesMut,
    sent: i32,
    received: i32,
    versions: BTreeMap<i16, RangeInclusive<i16>>,
    patience: Duration,
}

impl Connection {
    /// Connects and learns what the broker serves.
    pub(super) async fn open(address: &str, patience: Duration) -> Result<Self, ClientError> {
        let unreachable = |reason: String| ClientError::Unreachable { address: address.to_owned(), reason };
        let stream = match timeout(patience, TcpStream::connect(address)).await {
            Err(_) => return Err(unreachable(format!("no connection within {} s", patience.as_secs()))),
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Ok(Ok(stream)) => stream,
        };
        // Small requests that wait for a reply must not wait for company.
        let _ = stream.set_nodelay(true);
        let mut connection = Self {
            stream,
            address: address.to_owned(),
            buffer: BytesMut::new(),
            sent: 0,
            received: 0,
            versions: BTreeMap::new(),
            patience,
        };
        connection.negotiate().await?;
        Ok(connection)
    }

    async fn negotiate(&mut self) -> Result<(), ClientError> {
        let mut reply = self.api_versions(API_VERSIONS_VERSION).await?;
        if reply.error_code == ErrorCode::UnsupportedVersion.code() {
            reply = self.api_versions(0).await?;
        }
        ClientError::check(reply.error_code, || format!("asking {} what it serves", self.address), None)?;
        self.versions =
            reply.api_keys.iter().map(|api| (api.api_key, api.min_version..=api.max_version)).collect();
        Ok(())
    }

    async fn api_versions(&mut self, version: i16) -> Result<ApiVersionsResponse, ClientError> {
        let request = match version {
            0 => ApiVersionsRequest::default(),
            _ => ApiVersionsRequest::default()
                .with_client_software_name(StrBytes::from_static_str("ottla"))
                .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION"))),
        };
        self.send(version, &request).await?;
        let mut body = self.reply_body(API_VERSIONS_KEY, version).await?;
        // Who does not know the version answers in the first one.
        let is_refusal =
            body.first_chunk().copied().map(i16::from_be_bytes) == Some(ErrorCode::UnsupportedVersion.code());
        let version = if is_refusal { 0 } else { version };
        ApiVersionsResponse::decode(&mut body, version).map_err(|error| self.not_kafka(error.to_string()))
    }

    /// The newest version of an API that both sides know.
    pub(super) fn version<R: Request>(&self, wanted: &RangeInclusive<i16>) -> Result<i16, ClientError> {
        let both = self
            .versions
            .get(&R::KEY)
            .map(|served| (*served.start().max(wanted.start()), *served.end().min(wanted.end())));
        match both {
            Some((least, most)) if least <= most => Ok(most),
            _ => Err(ClientError::Unsupported {
                address: self.address.clone(),
                api: api_info(R::KEY).map_or("an API", |api| api.name),
                wanted: wanted.clone(),
            }),
        }
    }

    /// What the broker serves, by key.
    pub(super) fn served(&self) -> &BTreeMap<i16, RangeInclusive<i16>> {
        &self.versions
    }

    /// Sends a request; its reply is [`Self::receive`]d later, in the order of the requests.
    pub(super) async fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<(), ClientError> {
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        frame.put_i16(R::KEY);
        frame.put_i16(version);
        frame.put_i32(self.sent);
        frame.put_i16(CLIENT_ID.len() as i16);
        frame.put_slice(CLIENT_ID.as_bytes());
        if api_info(R::KEY).is_some_and(|api| api.is_flexible(version)) {
            frame.put_u8(0);
        }
        encode_body(request, codec_version(R::KEY, version), &mut frame).map_err(ClientError::Encode)?;
        let length = i32::try_from(frame.len() - PREFIX_BYTES)
            .map_err(|_| ClientError::Encode("it is larger than 2 GiB".to_owned()))?;
        frame[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
        self.sent = self.sent.wrapping_add(1);
        match timeout(self.patience, self.stream.write_all(&frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(error)),
            Err(_) => Err(self.lost(io::ErrorKind::TimedOut.into())),
        }
    }

    /// The request that was sent last is one that no broker answers.
    pub(super) fn expect_no_reply(&mut self) {
        self.received = self.received.wrapping_add(1);
    }

    /// The reply to the oldest request without one.
    pub(super) async fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response, ClientError> {
        let mut body = self.reply_body(R::KEY, version).await?;
        R::Response::decode(&mut body, reply_codec_version(R::KEY, version))
            .map_err(|error| self.not_kafka(format!("a reply cannot be read: {error}")))
    }

    /// One request and its reply.
    pub(super) async fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        self.send(version, request).await?;
        self.receive::<R>(version).await
    }

    async fn reply_body(&mut self, key: i16, version: i16) -> Result<Bytes, ClientError> {
        let mut frame = match timeout(self.patience, self.frame()).await {
            Ok(frame) => frame?,
            Err(_) => return Err(self.lost(io::ErrorKind::TimedOut.into())),
        };
        let due = self.received;
        self.received = self.received.wrapping_add(1);
        let number = frame.try_get_i32().ok();
        if number != Some(due) {
            return Err(self.not_kafka("a reply that nobody asked for".to_owned()));
        }
        let is_tagged = api_info(key).is_some_and(|api| api.response_header_version(version) == 1);
        if is_tagged && skip_tags(&mut frame).is_none() {
            return Err(self.not_kafka("the header of a reply is cut short".to_owned()));
        }
        Ok(frame)
    }

    async fn frame(&mut self) -> Result<Bytes, ClientError> {
        loop {
            let missing = match split(&mut self.buffer, REPLY_BYTES_MAX) {
                Ok(Split::Frame(frame)) => return Ok(frame),
                Ok(Split::Missing(bytes)) => bytes,
                Err(error) => return Err(self.not_kafka(error.to_string())),
            };
            self.buffer.reserve(growth(self.buffer.len(), missing, READ_BYTES));
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) => return Err(self.lost(error)),
            }
        }
    }

    fn lost(&self, error: io::Error) -> ClientError {
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the broker closed it".to_owned(),
            io::ErrorKind::TimedOut => format!("no answer within {} s", self.patience.as_secs()),
            _ => error.to_string(),
        };
        ClientError::Lost { address: self.address.clone(), reason }
    }

    fn not_kafka(&self, reason: String) -> ClientError {
        ClientError::NotKafka { address: self.address.clone(), reason }
    }
}

/// Passes over the tagged fields of a reply's header.
fn skip_tags(frame: &mut Bytes) -> Option<()> {
    for _ in 0..varint(frame)? {
        varint(frame)?;
        let bytes = varint(frame)? as usize;
        if bytes > frame.len() {
            return None;
        }
        frame.advance(bytes);
    }
    Some(())
}

fn varint(frame: &mut Bytes) -> Option<u32> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = frame.try_get_u8().ok()?;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_passed_over() {
        let mut frame = Bytes::from_static(&[2, 0, 1, 9, 200, 1, 0, 7]);
        assert_eq!((skip_tags(&mut frame), &frame[..]), (Some(()), &[7][..]));
        assert_eq!(skip_tags(&mut Bytes::from_static(&[1, 0, 5, 1])), None, "it ends within a tag");
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let length = bytes.len();
            let mut frame = Bytes::from(bytes);
            let _ = skip_tags(&mut frame);
            prop_assert!(frame.len() <= length);
        }
    }
}
