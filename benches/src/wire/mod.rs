//! The few Kafka frames the harness speaks, encoded by hand at one fixed version each.
//!
//! Invariants: requests carry their length prefix and are ready for the socket; replies are read without trusting
//! their counts. The versions are ones that both brokers serve (`client` checks it before a row begins).
//! It must not know the code under test: a judge that shares the wire code of the judged repeats its mistakes.

pub(crate) mod batch;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod walk;

#[cfg(test)]
mod tests;

/// An API at the one version that the harness speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Api {
    pub name: &'static str,
    pub key: i16,
    pub version: i16,
    /// Flexible versions carry tagged fields in header and body.
    pub flexible: bool,
}

pub(crate) const PRODUCE: Api = Api { name: "Produce", key: 0, version: 9, flexible: true };
pub(crate) const FETCH: Api = Api { name: "Fetch", key: 1, version: 12, flexible: true };
pub(crate) const METADATA: Api = Api { name: "Metadata", key: 3, version: 9, flexible: true };
pub(crate) const API_VERSIONS: Api = Api { name: "ApiVersions", key: 18, version: 0, flexible: false };
pub(crate) const CREATE_TOPICS: Api = Api { name: "CreateTopics", key: 19, version: 5, flexible: true };

pub(crate) const OFFSET_COMMIT: Api = Api { name: "OffsetCommit", key: 8, version: 9, flexible: true };
pub(crate) const FIND_COORDINATOR: Api = Api { name: "FindCoordinator", key: 10, version: 4, flexible: true };
pub(crate) const GROUP_HEARTBEAT: Api =
    Api { name: "ConsumerGroupHeartbeat", key: 68, version: 1, flexible: true };

/// Sent by the compaction bench alone.
pub(crate) const ALTER_CONFIGS: Api =
    Api { name: "IncrementalAlterConfigs", key: 44, version: 1, flexible: true };

/// Everything the harness will send; a broker must serve all of it.
pub(crate) const SPOKEN: [Api; 8] =
    [PRODUCE, FETCH, METADATA, OFFSET_COMMIT, FIND_COORDINATOR, API_VERSIONS, CREATE_TOPICS, GROUP_HEARTBEAT];

/// The name under which the harness appears in a broker's logs.
pub(crate) const CLIENT_ID: &str = "ottla-bench";

/// A growing buffer with Kafka's primitive types.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.i8(i8::from(value));
    }

    pub(crate) fn uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A signed varint in zigzag form, as records use it.
    pub(crate) fn varint(&mut self, value: i64) {
        self.uvarint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// The length of a compact string, bytes or array: one more than it is, for zero means null.
    pub(crate) fn compact_len(&mut self, len: usize) {
        self.uvarint(len as u64 + 1);
    }

    pub(crate) fn compact_null(&mut self) {
        self.uvarint(0);
    }

    pub(crate) fn compact_string(&mut self, text: &str) {
        self.compact_len(text.len());
        self.raw(text.as_bytes());
    }

    /// The string form of the request header, which never became compact.
    pub(crate) fn short_string(&mut self, text: &str) {
        self.i16(text.len() as i16);
        self.raw(text.as_bytes());
    }

    /// An empty section of tagged fields.
    pub(crate) fn no_tags(&mut self) {
        self.uvarint(0);
    }
}
