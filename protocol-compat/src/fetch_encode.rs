//! Fetch responses (key 1, versions 4–18) written in pieces, so that record bytes are never copied.
//!
//! The codec behind [`crate::messages`] copies `records` into its buffer. Here the frame becomes a list of pieces: bytes
//! of our own around the caller's payloads, which may be file ranges for sendfile. A payload's bytes are not looked at;
//! only its length goes into the frame.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::header::encode_response_header;
use crate::messages::{ApiKey, StrBytes};

/// A stretch of record bytes that the caller can send.
pub trait Payload {
    fn len(&self) -> usize;
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A frame in the order of its bytes.
#[derive(Debug)]
pub enum Piece<P> {
    Bytes(Bytes),
    Payload(P),
}

/// The answer to one Fetch.
#[derive(Debug)]
pub struct FetchReply<P> {
    pub throttle_ms: i32,
    pub error: i16,
    pub session_id: i32,
    pub topics: Vec<FetchTopicReply<P>>,
    /// From version 16: where the leaders are that partitions name.
    pub endpoints: Vec<Endpoint>,
}

/// A broker and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub node_id: i32,
    pub host: String,
    pub port: i32,
}

/// One topic: its name is written up to version 12, its id from 13.
#[derive(Debug)]
pub struct FetchTopicReply<P> {
    pub name: StrBytes,
    pub id: Uuid,
    pub partitions: Vec<FetchPartitionReply<P>>,
}

/// One partition's part of the answer.
#[derive(Debug)]
pub struct FetchPartitionReply<P> {
    pub index: i32,
    pub error: i16,
    pub high_watermark: i64,
    pub last_stable: i64,
    pub log_start: i64,
    /// (producer id, first offset); `None` when the reader did not ask for committed records only.
    pub aborted: Option<Vec<(i64, i64)>>,
    /// (largest common epoch, its end offset), when the reader's history has left ours.
    pub diverging: Option<(i32, i64)>,
    /// (leader id, leader epoch), from version 16 and for a client that knows another leader.
    pub current_leader: Option<(i32, i32)>,
    pub records: Vec<P>,
}

impl<P> FetchPartitionReply<P> {
    /// An answer that carries an error and nothing else, with Kafka's defaults.
    pub fn failed(index: i32, error: i16) -> Self {
        Self {
            index,
            error,
            high_watermark: -1,
            last_stable: -1,
            log_start: -1,
            aborted: None,
            diverging: None,
            current_leader: None,
            records: Vec::new(),
        }
    }
}

/// No broker is nearer to the reader than the one it asks.
const NO_PREFERRED_REPLICA: i32 = -1;
const FIRST_FLEXIBLE: i16 = 12;
const FIRST_WITH_ENDPOINTS: i16 = 16;
const TAG_DIVERGING_EPOCH: u32 = 0;
const TAG_CURRENT_LEADER: u32 = 1;
const TAG_NODE_ENDPOINTS: u32 = 0;

/// Writes the whole frame: length prefix, response header, body.
pub fn encode<P: Payload>(reply: FetchReply<P>, version: i16, correlation_id: i32) -> Vec<Piece<P>> {
    debug_assert!((4..=18).contains(&version));
    let mut w = Writer { version, out: BytesMut::with_capacity(256), pieces: Vec::new(), payload_bytes: 0 };
    w.out.put_i32(0); // the length, known at the end
    encode_response_header(ApiKey::Fetch as i16, version, correlation_id, &mut w.out);
    w.out.put_i32(reply.throttle_ms);
    if version >= 7 {
        w.out.put_i16(reply.error);
        w.out.put_i32(reply.session_id);
    }
    w.count(reply.topics.len());
    for topic in reply.topics {
        w.topic(topic);
    }
    w.reply_tags(&reply.endpoints);
    w.finish()
}

struct Writer<P> {
    version: i16,
    out: BytesMut,
    pieces: Vec<Piece<P>>,
    payload_bytes: usize,
}

impl<P: Payload> Writer<P> {
    fn flexible(&self) -> bool {
        self.version >= FIRST_FLEXIBLE
    }

    fn no_tags(&mut self) {
        if self.flexible() {
            self.out.put_u8(0);
        }
    }

    /// The length of an array or of bytes that are there: compact lengths are one higher, null being zero.
    fn count(&mut self, n: usize) {
        if self.flexible() {
            put_uvarint(&mut self.out, n as u32 + 1);
        } else {
            self.out.put_i32(n as i32);
        }
    }

    fn topic(&mut self, topic: FetchTopicReply<P>) {
        if self.version >= 13 {
            self.out.put_slice(topic.id.as_bytes());
        } else if self.flexible() {
            put_uvarint(&mut self.out, topic.name.len() as u32 + 1);
            self.out.put_slice(topic.name.as_bytes());
        } else {
            self.out.put_i16(topic.name.len() as i16);
            self.out.put_slice(topic.name.as_bytes());
        }
        self.count(topic.partitions.len());
        for partition in topic.partitions {
            self.partition(partition);
        }
        self.no_tags();
    }

    fn partition(&mut self, p: FetchPartitionReply<P>) {
        self.out.put_i32(p.index);
        self.out.put_i16(p.error);
        self.out.put_i64(p.high_watermark);
        self.out.put_i64(p.last_stable);
        if self.version >= 5 {
            self.out.put_i64(p.log_start);
        }
        self.aborted(p.aborted.as_deref());
        if self.version >= 11 {
            self.out.put_i32(NO_PREFERRED_REPLICA);
        }
        let bytes: usize = p.records.iter().map(Payload::len).sum();
        self.count(bytes);
        self.payloads(p.records, bytes);
        if self.flexible() {
            self.partition_tags(p.diverging, p.current_leader);
        }
    }

    fn reply_tags(&mut self, endpoints: &[Endpoint]) {
        if self.version < FIRST_WITH_ENDPOINTS || endpoints.is_empty() {
            return self.no_tags();
        }
        let mut list = BytesMut::new();
        put_uvarint(&mut list, endpoints.len() as u32 + 1);
        for endpoint in endpoints {
            list.put_i32(endpoint.node_id);
            put_uvarint(&mut list, endpoint.host.len() as u32 + 1);
            list.put_slice(endpoint.host.as_bytes());
            list.put_i32(endpoint.port);
            list.put_u8(0); // no rack
            list.put_u8(0);
        }
        put_uvarint(&mut self.out, 1);
        put_uvarint(&mut self.out, TAG_NODE_ENDPOINTS);
        put_uvarint(&mut self.out, list.len() as u32);
        self.out.put_slice(&list);
    }

    fn aborted(&mut self, aborted: Option<&[(i64, i64)]>) {
        match aborted {
            None if self.flexible() => self.out.put_u8(0),
            None => self.out.put_i32(-1),
            Some(list) => {
                self.count(list.len());
                for (producer_id, first_offset) in list {
                    self.out.put_i64(*producer_id);
                    self.out.put_i64(*first_offset);
                    self.no_tags();
                }
            }
        }
    }

    fn payloads(&mut self, records: Vec<P>, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.payload_bytes += bytes;
        self.cut();
        self.pieces.extend(records.into_iter().filter(|p| !p.is_empty()).map(Piece::Payload));
    }

    fn partition_tags(&mut self, diverging: Option<(i32, i64)>, current_leader: Option<(i32, i32)>) {
        let tags = u8::from(diverging.is_some()) + u8::from(current_leader.is_some());
        self.out.put_u8(tags);
        if let Some((epoch, end_offset)) = diverging {
            put_uvarint(&mut self.out, TAG_DIVERGING_EPOCH);
            put_uvarint(&mut self.out, 4 + 8 + 1);
            self.out.put_i32(epoch);
            self.out.put_i64(end_offset);
            self.out.put_u8(0);
        }
        if let Some((leader, epoch)) = current_leader {
            put_uvarint(&mut self.out, TAG_CURRENT_LEADER);
            put_uvarint(&mut self.out, 4 + 4 + 1);
            self.out.put_i32(leader);
            self.out.put_i32(epoch);
            self.out.put_u8(0);
        }
    }

    /// Ends the current piece of our own bytes.
    fn cut(&mut self) {
        if !self.out.is_empty() {
            let own = self.out.split().freeze();
            self.pieces.push(Piece::Bytes(own));
        }
    }

    fn finish(mut self) -> Vec<Piece<P>> {
        // The prefix lies in the first piece, which may have been frozen: it is written anew, once.
        let own: usize = self.pieces.iter().map(|p| if let Piece::Bytes(b) = p { b.len() } else { 0 }).sum();
        let total = own + self.out.len() + self.payload_bytes - crate::frame::PREFIX_BYTES;
        let prefix = (total as i32).to_be_bytes();
        match self.pieces.first_mut() {
            Some(Piece::Bytes(first)) => {
                let mut head = BytesMut::from(&first[..]);
                head[..4].copy_from_slice(&prefix);
                *first = head.freeze();
            }
            _ => self.out[..4].copy_from_slice(&prefix),
        }
        self.cut();
        self.pieces
    }
}

/// An unsigned varint, as flexible versions write lengths.
pub fn put_uvarint(out: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

#[cfg(test)]
#[path = "fetch_encode_tests.rs"]
mod tests;
