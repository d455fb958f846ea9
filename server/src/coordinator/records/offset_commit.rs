//! A committed offset: key version 1 (0 is the same and read, too), value versions 0–4.
//!
//! Key: group, topic, partition. Value: offset, leader epoch (3), metadata, commit time, expiry time (1 only), and from 4
//! on, which is flexible, the topic's id as tag 0. Written are 4, and 1 where a client chose how long the offset is kept.

use storage::TopicId;

use super::wire::{Form, Reader, Writer, topic_id};

pub(super) const KEY_VERSION: i16 = 1;
const WITH_EXPIRY: i16 = 1;
const CURRENT: i16 = 4;
const TOPIC_ID_TAG: u32 = 0;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetKey {
    pub group: String,
    pub topic: String,
    pub partition: i32,
}

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    /// -1: the client named none.
    pub leader_epoch: i32,
    pub metadata: Box<str>,
    pub commit_ms: i64,
    /// When it is forgotten, where the client chose that; otherwise the broker's retention counts.
    pub expire_ms: Option<i64>,
    /// The id that the topic had. Zero where it is not known.
    pub topic_id: TopicId,
}

impl OffsetKey {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(KEY_VERSION, Form::Plain);
        out.text(&self.group);
        out.text(&self.topic);
        out.i32(self.partition);
        out.into_bytes()
    }

    pub(super) fn decode(mut rest: Reader<'_>) -> Option<Self> {
        Some(Self { group: rest.text()?.into(), topic: rest.text()?.into(), partition: rest.i32()? })
    }
}

fn form(version: i16) -> Form {
    if version >= 4 { Form::Flexible } else { Form::Plain }
}

impl Committed {
    pub(super) fn encode(&self) -> Vec<u8> {
        let version = if self.expire_ms.is_some() { WITH_EXPIRY } else { CURRENT };
        self.encode_as(version)
    }

    pub(super) fn encode_as(&self, version: i16) -> Vec<u8> {
        let mut out = Writer::new(version, form(version));
        out.i64(self.offset);
        if version >= 3 {
            out.i32(self.leader_epoch);
        }
        out.text(&self.metadata);
        out.i64(self.commit_ms);
        if version == 1 {
            out.i64(self.expire_ms.unwrap_or(-1));
        }
        if self.topic_id.is_zero() {
            out.end(&[]);
        } else {
            out.end(&[(TOPIC_ID_TAG, &self.topic_id.0)]);
        }
        out.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = Reader::new(bytes, form)?;
        if !(0..=CURRENT).contains(&version) {
            return None;
        }
        let offset = rest.i64()?;
        let leader_epoch = if version >= 3 { rest.i32()? } else { -1 };
        let metadata = rest.text()?.into();
        let commit_ms = rest.i64()?;
        let expire_ms = if version == 1 { Some(rest.i64()?).filter(|at| *at != -1) } else { None };
        let mut id = TopicId::default();
        rest.end(|tag, bytes| {
            if tag == TOPIC_ID_TAG {
                id = topic_id(bytes)?;
            }
            Some(())
        })?;
        Some(Self { offset, leader_epoch, metadata, commit_ms, expire_ms, topic_id: id })
    }
}
