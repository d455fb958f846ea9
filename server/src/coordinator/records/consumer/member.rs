//! What a member says of itself.
//!
//! Value: instance, rack, client id and host, topics, pattern, rebalance timeout, assignor; and as tag 0, where the
//! member follows the classic protocol, its session timeout and its protocols with their metadata. A member that does
//! not has a null there; where the tag is missing Kafka reads a classic member that says nothing, and so do we.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::coordinator::records::wire::{Reader, Writer};

const CLASSIC_TAG: u32 = 0;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerMember {
    pub instance: Option<String>,
    pub rack: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub topics: BTreeSet<String>,
    pub pattern: Option<String>,
    /// -1: not said yet.
    pub rebalance_timeout_ms: i32,
    pub assignor: Option<String>,
    pub classic: Option<ClassicMember>,
}

/// A member that follows the classic protocol in a group of the new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicMember {
    pub session_timeout_ms: i32,
    /// By name, in the order in which it prefers them.
    pub protocols: Vec<(String, Bytes)>,
}

impl ConsumerMember {
    pub(super) fn encode(&self, out: &mut Writer) {
        out.text_or_null(self.instance.as_deref());
        out.text_or_null(self.rack.as_deref());
        out.text(&self.client_id);
        out.text(&self.client_host);
        out.count(self.topics.len());
        self.topics.iter().for_each(|topic| out.text(topic));
        out.text_or_null(self.pattern.as_deref());
        out.i32(self.rebalance_timeout_ms);
        out.text_or_null(self.assignor.as_deref());
        let classic = Writer::part(|out| match &self.classic {
            None => out.i8(0),
            Some(classic) => classic.encode(out),
        });
        out.end(&[(CLASSIC_TAG, &classic)]);
    }

    pub(super) fn decode(rest: &mut Reader<'_>) -> Option<Self> {
        let owned = |text: &str| text.to_owned();
        let mut value = Self {
            instance: rest.text_or_null()?.map(owned),
            rack: rest.text_or_null()?.map(owned),
            client_id: rest.text()?.to_owned(),
            client_host: rest.text()?.to_owned(),
            ..Self::default()
        };
        for _ in 0..rest.count()? {
            value.topics.insert(rest.text()?.to_owned());
        }
        value.pattern = rest.text_or_null()?.map(owned);
        value.rebalance_timeout_ms = rest.i32()?;
        value.assignor = rest.text_or_null()?.map(owned);
        value.classic = Some(ClassicMember::default());
        rest.end(|tag, bytes| {
            if tag == CLASSIC_TAG {
                value.classic = ClassicMember::decode(&mut Reader::part(bytes))?;
            }
            Some(())
        })?;
        Some(value)
    }
}

impl ClassicMember {
    /// A structure that may be null begins with a byte that says whether it is.
    fn encode(&self, out: &mut Writer) {
        out.i8(1);
        out.i32(self.session_timeout_ms);
        out.count(self.protocols.len());
        for (name, metadata) in &self.protocols {
            out.text(name);
            out.bytes(metadata);
            out.end(&[]);
        }
        out.end(&[]);
    }

    fn decode(rest: &mut Reader<'_>) -> Option<Option<Self>> {
        if rest.i8()? <= 0 {
            return Some(None);
        }
        let session_timeout_ms = rest.i32()?;
        let mut protocols = Vec::new();
        for _ in 0..rest.count()? {
            protocols.push((rest.text()?.to_owned(), Bytes::copy_from_slice(rest.bytes()?)));
            rest.end(|_, _| Some(()))?;
        }
        rest.end(|_, _| Some(()))?;
        Some(Some(Self { session_timeout_ms, protocols }))
    }
}
