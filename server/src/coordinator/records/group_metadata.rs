//! A classic group between two rebalances: key version 2, value versions 0–4.
//!
//! Key: group. Value: protocol type, generation, protocol, leader, time of the last change (2), members; of each its id,
//! instance id (3), client id and host, rebalance timeout (1), session timeout, subscription and assignment. 4 is
//! flexible. Written is 3, as Kafka 4.3 does.

use bytes::Bytes;

use super::wire::{Form, Reader, Writer};

pub(super) const KEY_VERSION: i16 = 2;
const CURRENT: i16 = 3;
const LAST_READ: i16 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// Empty where the group has none yet.
    pub protocol_type: String,
    pub generation: i32,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    /// -1: not known.
    pub changed_ms: i64,
    pub members: Vec<GroupMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub id: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    /// -1: as the session's.
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

pub(super) fn encode_key(group: &str) -> Vec<u8> {
    let mut out = Writer::new(KEY_VERSION, Form::Plain);
    out.text(group);
    out.into_bytes()
}

fn form(version: i16) -> Form {
    if version >= 4 { Form::Flexible } else { Form::Plain }
}

impl GroupMetadata {
    pub(super) fn encode(&self) -> Vec<u8> {
        self.encode_as(CURRENT)
    }

    pub(super) fn encode_as(&self, version: i16) -> Vec<u8> {
        let mut out = Writer::new(version, form(version));
        out.text(&self.protocol_type);
        out.i32(self.generation);
        out.text_or_null(self.protocol.as_deref());
        out.text_or_null(self.leader.as_deref());
        if version >= 2 {
            out.i64(self.changed_ms);
        }
        out.count(self.members.len());
        self.members.iter().for_each(|member| member.encode(version, &mut out));
        out.end(&[]);
        out.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = Reader::new(bytes, form)?;
        if !(0..=LAST_READ).contains(&version) {
            return None;
        }
        let mut value = Self {
            protocol_type: rest.text()?.into(),
            generation: rest.i32()?,
            protocol: rest.text_or_null()?.map(Into::into),
            leader: rest.text_or_null()?.map(Into::into),
            changed_ms: if version >= 2 { rest.i64()? } else { -1 },
            members: Vec::new(),
        };
        for _ in 0..rest.count()? {
            value.members.push(GroupMember::decode(version, &mut rest)?);
        }
        rest.end(|_, _| Some(()))?;
        Some(value)
    }
}

impl GroupMember {
    fn encode(&self, version: i16, out: &mut Writer) {
        out.text(&self.id);
        if version >= 3 {
            out.text_or_null(self.instance.as_deref());
        }
        out.text(&self.client_id);
        out.text(&self.client_host);
        if version >= 1 {
            out.i32(self.rebalance_timeout_ms);
        }
        out.i32(self.session_timeout_ms);
        out.bytes(&self.subscription);
        out.bytes(&self.assignment);
        out.end(&[]);
    }

    fn decode(version: i16, rest: &mut Reader<'_>) -> Option<Self> {
        let member = Self {
            id: rest.text()?.into(),
            instance: if version >= 3 { rest.text_or_null()?.map(Into::into) } else { None },
            client_id: rest.text()?.into(),
            client_host: rest.text()?.into(),
            rebalance_timeout_ms: if version >= 1 { rest.i32()? } else { -1 },
            session_timeout_ms: rest.i32()?,
            subscription: Bytes::copy_from_slice(rest.bytes()?),
            assignment: Bytes::copy_from_slice(rest.bytes()?),
        };
        rest.end(|_, _| Some(()))?;
        Some(member)
    }
}
