//! OffsetCommit and OffsetFetch as Kafka 4.3 knows them: version 10, which names topics by their ids, is beyond what the
//! codec reads. The older versions are the codec's; of the replies it knows all.
//!
//! As every decoder it runs behind the guard, which has walked the bytes by Kafka's own schema; it refuses what does not
//! fit all the same.

use bytes::Bytes;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, OffsetFetchRequest};
use kafka_protocol::protocol::buf::ByteBuf;
use kafka_protocol::protocol::{Decodable, StrBytes};
use uuid::Uuid;

use crate::guard::cursor::Cursor;
use crate::guard::{GuardError, Violation};

/// The version that names topics by their ids.
pub const BY_ID: i16 = 10;

/// An OffsetCommit request of any version.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetCommit(pub OffsetCommitRequest);

/// An OffsetFetch request of any version.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetch(pub OffsetFetchRequest);

impl Decodable for OffsetCommit {
    fn decode<B: ByteBuf>(buf: &mut B, version: i16) -> anyhow::Result<Self> {
        if version < BY_ID {
            return OffsetCommitRequest::decode(buf, version).map(Self);
        }
        let frame = buf.get_bytes(buf.remaining());
        Ok(Self(Body::new(&frame).offset_commit()?))
    }
}

impl Decodable for OffsetFetch {
    fn decode<B: ByteBuf>(buf: &mut B, version: i16) -> anyhow::Result<Self> {
        if version < BY_ID {
            return OffsetFetchRequest::decode(buf, version).map(Self);
        }
        let frame = buf.get_bytes(buf.remaining());
        Ok(Self(Body::new(&frame).offset_fetch()?))
    }
}

/// A flexible body; texts share the frame's bytes.
struct Body<'a> {
    frame: &'a Bytes,
    cursor: Cursor<'a>,
}

impl<'a> Body<'a> {
    fn new(frame: &'a Bytes) -> Self {
        Self { frame, cursor: Cursor::new(frame) }
    }

    fn offset_commit(&mut self) -> Result<OffsetCommitRequest, GuardError> {
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(self.text()?))
            .with_generation_id_or_member_epoch(self.cursor.i32()?)
            .with_member_id(self.text()?)
            .with_group_instance_id(self.text_or_null()?)
            .with_topics(self.many(Self::commit_topic)?.unwrap_or_default());
        self.end()?;
        Ok(request)
    }

    fn commit_topic(&mut self) -> Result<OffsetCommitRequestTopic, GuardError> {
        let topic = OffsetCommitRequestTopic::default()
            .with_topic_id(self.uuid()?)
            .with_partitions(self.many(Self::commit_partition)?.unwrap_or_default());
        self.end()?;
        Ok(topic)
    }

    fn commit_partition(&mut self) -> Result<OffsetCommitRequestPartition, GuardError> {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(self.cursor.i32()?)
            .with_committed_offset(self.cursor.take_array().map(i64::from_be_bytes)?)
            .with_committed_leader_epoch(self.cursor.i32()?)
            .with_committed_metadata(self.text_or_null()?);
        self.end()?;
        Ok(partition)
    }

    fn offset_fetch(&mut self) -> Result<OffsetFetchRequest, GuardError> {
        let groups = self.many(Self::fetch_group)?.unwrap_or_default();
        let [require_stable] = self.cursor.take_array()?;
        self.end()?;
        Ok(OffsetFetchRequest::default().with_groups(groups).with_require_stable(require_stable != 0))
    }

    fn fetch_group(&mut self) -> Result<OffsetFetchRequestGroup, GuardError> {
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(self.text()?))
            .with_member_id(self.text_or_null()?)
            .with_member_epoch(self.cursor.i32()?)
            .with_topics(self.many(Self::fetch_topic)?);
        self.end()?;
        Ok(group)
    }

    fn fetch_topic(&mut self) -> Result<OffsetFetchRequestTopics, GuardError> {
        let topic = OffsetFetchRequestTopics::default().with_topic_id(self.uuid()?);
        let partitions = self.many(|body| body.cursor.i32())?.unwrap_or_default();
        self.end()?;
        Ok(topic.with_partition_indexes(partitions))
    }

    fn uuid(&mut self) -> Result<Uuid, GuardError> {
        self.cursor.take_array().map(Uuid::from_bytes)
    }

    fn text(&mut self) -> Result<StrBytes, GuardError> {
        self.text_or_null()?.ok_or_else(|| self.cursor.violation(Violation::UnexpectedNull))
    }

    fn text_or_null(&mut self) -> Result<Option<StrBytes>, GuardError> {
        let Some(bytes) = self.cursor.varint()?.checked_sub(1) else { return Ok(None) };
        let from = self.cursor.at();
        let slice = self.frame.slice(from..from + self.cursor.take(bytes as usize)?.len());
        StrBytes::from_utf8(slice).map(Some).map_err(|_| self.cursor.violation(Violation::NotUtf8))
    }

    /// An array, read as far as its bytes go: no memory is taken for a count.
    fn many<T>(
        &mut self,
        one: impl Fn(&mut Self) -> Result<T, GuardError>,
    ) -> Result<Option<Vec<T>>, GuardError> {
        let Some(count) = self.cursor.varint()?.checked_sub(1) else { return Ok(None) };
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(one(self)?);
        }
        Ok(Some(all))
    }

    fn end(&mut self) -> Result<(), GuardError> {
        for _ in 0..self.cursor.varint()? {
            self.cursor.skip_tag()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::protocol::Encodable;
    use proptest::prelude::*;

    /// Version 9's bytes with every topic's name, here of sixteen characters, turned into an id: one length byte less.
    fn by_id(bytes: &[u8]) -> Bytes {
        let mut out = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == 17 && bytes.get(at + 1..at + 3) == Some(b"ID") {
                out.extend_from_slice(&bytes[at + 1..at + 17]);
                at += 17;
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        out.into()
    }

    fn id(n: u8) -> (StrBytes, Uuid) {
        let text = format!("ID{n:014}");
        (StrBytes::from_string(text.clone()), Uuid::from_bytes(text.as_bytes().try_into().unwrap()))
    }

    #[test]
    fn a_commit_by_id() {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(3)
            .with_committed_offset(42)
            .with_committed_leader_epoch(5)
            .with_committed_metadata(Some(StrBytes::from_static_str("meta")));
        let topic = |n| {
            OffsetCommitRequestTopic::default()
                .with_name(id(n).0.into())
                .with_partitions(vec![partition.clone()])
        };
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str("g")))
            .with_generation_id_or_member_epoch(7)
            .with_member_id(StrBytes::from_static_str("m"))
            .with_topics(vec![topic(1), topic(2)]);
        let mut bytes = bytes::BytesMut::new();
        request.encode(&mut bytes, 9).unwrap();
        let expected = {
            let mut expected = request.clone();
            for (n, topic) in (1..).zip(&mut expected.topics) {
                topic.name = Default::default();
                topic.topic_id = id(n).1;
            }
            expected
        };
        assert_eq!(OffsetCommit::decode(&mut by_id(&bytes), 10).unwrap().0, expected);
        assert_eq!(OffsetCommit::decode(&mut bytes.freeze(), 9).unwrap().0, request);
    }

    #[test]
    fn a_fetch_by_id() {
        let topics = vec![
            OffsetFetchRequestTopics::default().with_name(id(1).0.into()).with_partition_indexes(vec![1, 2]),
        ];
        let group = |topics| {
            OffsetFetchRequestGroup::default()
                .with_group_id(GroupId(StrBytes::from_static_str("g")))
                .with_member_id(Some(StrBytes::from_static_str("m")))
                .with_member_epoch(4)
                .with_topics(topics)
        };
        let request = OffsetFetchRequest::default()
            .with_groups(vec![group(Some(topics)), group(None)])
            .with_require_stable(true);
        let mut bytes = bytes::BytesMut::new();
        request.encode(&mut bytes, 9).unwrap();
        let decoded = OffsetFetch::decode(&mut by_id(&bytes), 10).unwrap().0;
        assert!(decoded.require_stable);
        assert_eq!(decoded.groups[1], request.groups[1]);
        let topic = &decoded.groups[0].topics.as_ref().unwrap()[0];
        assert_eq!((topic.topic_id, &topic.partition_indexes[..]), (id(1).1, &[1, 2][..]));
        assert_eq!((decoded.groups[0].member_epoch, &*topic.name.0), (4, ""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let frame = Bytes::from(bytes);
            let _ = OffsetCommit::decode(&mut frame.clone(), 10);
            let _ = OffsetFetch::decode(&mut frame.clone(), 10);
        }
    }
}
