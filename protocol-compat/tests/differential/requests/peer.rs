//! One broker: a request out, a comparable reply in.

use super::admin::Made;
use super::reply;
use super::script::{Case, Script, id, topic};
use crate::harness::wire::{Connection, Heard, api_versions_v0};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::Decodable;
use protocol_compat::header::response_header_bytes;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(8);
/// Behind a request that may get no answer.
const PROBE: i32 = -77;
const METADATA_VERSION: i16 = 12;

/// What a broker makes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Closed,
    /// No reply, and the connection goes on.
    Silent,
    /// No reply, and none to anything behind it: the request was lost inside the broker.
    Lost,
    /// The reply, one field a line.
    Reply(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("(closes the connection)"),
            Self::Lost => f.write_str("(never answers)"),
            Self::Silent => f.write_str("(says nothing)"),
            Self::Reply(reply) => f.write_str(reply),
        }
    }
}

pub(super) struct Peer {
    address: String,
    connection: Connection,
    correlation: i32,
    /// Topics' ids: what stands for each in a case, and what it is here.
    ids: Vec<(Uuid, Uuid)>,
}

impl Peer {
    pub(super) fn connect(address: &str) -> Result<Self> {
        let connection = Connection::open(address, PATIENCE)?;
        Ok(Self { address: address.to_owned(), connection, correlation: 0, ids: Vec::new() })
    }

    pub(super) fn ask(&mut self, case: &Case) -> Result<Outcome> {
        self.correlation += 1;
        let heard = self.heard(case).with_context(|| case.name.clone())?;
        if matches!(heard, Heard::Closed | Heard::Nothing) {
            self.connection = Connection::open(&self.address, PATIENCE)?;
        }
        Ok(match heard {
            Heard::Closed => Outcome::Closed,
            Heard::Nothing => Outcome::Lost,
            Heard::Reply(frame) if case.may_be_silent && frame.starts_with(&PROBE.to_be_bytes()) => {
                Outcome::Silent
            }
            Heard::Reply(frame) => {
                let read = self.read(case, frame);
                Outcome::Reply(read.with_context(|| format!("{}: the reply to it", case.name))?)
            }
        })
    }

    /// The reply, or the probe's if the request got none.
    fn heard(&mut self, case: &Case) -> Result<Heard> {
        let mut frame = self.with_ids(&case.frame, false);
        if let Some(correlation) = frame.get_mut(4..8) {
            correlation.copy_from_slice(&self.correlation.to_be_bytes());
        }
        let mut sent = u32::try_from(frame.len())?.to_be_bytes().to_vec();
        sent.append(&mut frame);
        if case.may_be_silent {
            sent.extend(api_versions_v0(PROBE));
        }
        if !self.connection.send_raw(&sent) {
            return Ok(Heard::Closed);
        }
        let heard = self.connection.receive()?;
        let is_reply = matches!(&heard, Heard::Reply(reply) if !reply.starts_with(&PROBE.to_be_bytes()));
        if case.may_be_silent && is_reply {
            // The answer to the probe; the connection may have ended behind the first reply.
            self.connection.receive()?;
        }
        Ok(heard)
    }

    fn read(&self, case: &Case, frame: Vec<u8>) -> Result<String> {
        ensure!(frame.starts_with(&self.correlation.to_be_bytes()), "the reply to another request");
        let frame = self.with_ids(&frame, true);
        // A version that ApiVersions does not know is answered in version 0.
        let version = if case.key == 18 && !(0..=4).contains(&case.version) { 0 } else { case.version };
        let header = response_header_bytes(case.key, version);
        ensure!(frame.len() >= header, "a reply of {} bytes", frame.len());
        ensure!(frame[4..header].iter().all(|byte| *byte == 0), "tags in the reply's header");
        reply::comparable(case.key, version, &Bytes::from(frame).slice(header..))
    }

    /// The same bytes with the ids that count here, or (`back`) with those that stand for them.
    fn with_ids(&self, bytes: &[u8], back: bool) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for (symbol, real) in &self.ids {
            let (from, to) = if back { (real, symbol) } else { (symbol, real) };
            let found: Vec<usize> = bytes
                .windows(16)
                .enumerate()
                .filter(|(_, w)| w == from.as_bytes())
                .map(|(at, _)| at)
                .collect();
            for at in found {
                bytes[at..at + 16].copy_from_slice(to.as_bytes());
            }
        }
        bytes
    }

    /// Learns the ids of these topics; false if one is not there yet.
    pub(super) fn learn_ids(&mut self, topics: &[Made<'_>]) -> Result<bool> {
        let asked =
            topics.iter().map(|(name, ..)| MetadataRequestTopic::default().with_name(Some(topic(name))));
        let request = MetadataRequest::default().with_topics(Some(asked.collect()));
        let mut script = Script::default();
        script.ask_of(&[METADATA_VERSION], "ids", |_| request.clone());
        self.correlation += 1;
        let Heard::Reply(frame) = self.heard(&script.cases()[0])? else { bail!("Metadata is not answered") };
        let header = response_header_bytes(3, METADATA_VERSION);
        let reply = MetadataResponse::decode(&mut Bytes::from(frame).slice(header..), METADATA_VERSION)?;
        let ids = reply.topics.iter().filter(|t| t.error_code == 0).filter_map(|t| {
            let name = t.name.as_ref()?;
            Some((id(name), t.topic_id))
        });
        self.ids = ids.collect();
        Ok(self.ids.len() == topics.len())
    }
}
