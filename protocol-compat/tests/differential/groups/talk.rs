//! The same talk with both brokers: requests out, comparable replies in, on as many connections as members wait on.
//!
//! Members' ids are made by the broker, and differ: in a request and in what is compared a symbol stands for each.

use super::replies::Settle;
use super::report::Report;
use crate::differential::requests::flat;
use crate::harness::wire::{Connection, Heard};
use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::{Decodable, Request, StrBytes};
use protocol_compat::header::response_header_bytes;
use protocol_compat::versions::{api_info, codec_version, reply_codec_version};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::thread;
use std::time::Duration;
use uuid::Uuid;

/// A rebalance may take a moment on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// A join of another connection is under way for a moment.
const TRIES: usize = 500;
const PAUSE: Duration = Duration::from_millis(10);
const CLIENT: &str = "differential";
/// The last version of OffsetCommit and OffsetFetch that the codec writes; the next names topics by their ids.
const BY_NAME_TO: i16 = 9;
const UUID_CHARS: usize = 36;

/// What the symbols stand for at one broker.
#[derive(Default)]
pub(super) struct Names {
    members: BTreeMap<String, String>,
    topics: BTreeMap<String, Uuid>,
}

impl Names {
    /// A member's id; a symbol that stands for nothing is taken as it is.
    pub(super) fn member(&self, symbol: &str) -> StrBytes {
        StrBytes::from_string(self.members.get(symbol).cloned().unwrap_or_else(|| symbol.to_owned()))
    }

    pub(super) fn topic(&self, name: &str) -> Uuid {
        self.topics.get(name).copied().unwrap_or(Uuid::from_bytes([0xAB; 16]))
    }

    /// The symbol of a member's id, or the id.
    pub(super) fn symbol(&self, id: &str) -> String {
        let found = self.members.iter().find(|(_, member)| member.as_str() == id);
        found.map_or_else(|| id.to_owned(), |(symbol, _)| format!("<{symbol}>"))
    }

    pub(super) fn topic_name(&self, id: Uuid) -> Option<String> {
        self.topics.iter().find(|(_, known)| **known == id).map(|(name, _)| name.clone())
    }

    pub(super) fn learn_topic(&mut self, name: &str, id: Uuid) {
        self.topics.insert(name.to_owned(), id);
    }

    /// A symbol for each id that is known, and one for all others that a broker made.
    fn in_symbols(&self, told: &str) -> String {
        let mut told = told.to_owned();
        for (symbol, id) in &self.members {
            told = told.replace(&format!("\"{id}\""), &format!("\"<{symbol}>\""));
        }
        for (name, id) in &self.topics {
            told = told.replace(&id.to_string(), &format!("<id of {name}>"));
        }
        without_uuids(&told)
    }
}

/// What looks like the id of a member that nobody knows, or of a topic, is one word.
fn without_uuids(told: &str) -> String {
    let mut out = String::with_capacity(told.len());
    let mut rest = told;
    while let Some(first) = rest.chars().next() {
        let is_uuid = rest.get(..UUID_CHARS).is_some_and(|text| Uuid::parse_str(text).is_ok());
        let length = if is_uuid { UUID_CHARS } else { first.len_utf8() };
        out.push_str(if is_uuid { "<some id>" } else { &rest[..length] });
        rest = &rest[length..];
    }
    out
}

struct Side {
    address: String,
    lanes: BTreeMap<usize, Connection>,
    names: Names,
}

impl Side {
    fn new(address: &str) -> Self {
        Self { address: address.to_owned(), lanes: BTreeMap::new(), names: Names::default() }
    }

    fn lane(&mut self, lane: usize) -> Result<&mut Connection> {
        if !self.lanes.contains_key(&lane) {
            self.lanes.insert(lane, Connection::open(&self.address, PATIENCE)?);
        }
        Ok(self.lanes.get_mut(&lane).expect("just made"))
    }

    fn send<R: Request>(&mut self, lane: usize, version: i16, correlation: i32, request: &R) -> Result<()> {
        let frame = frame(version, correlation, request, &self.names)?;
        ensure!(self.lane(lane)?.send_raw(&frame), "the connection takes no more bytes");
        Ok(())
    }

    fn hear<R: Request>(
        &mut self,
        lane: usize,
        version: i16,
        correlation: i32,
    ) -> Result<Option<R::Response>> {
        let frame = match self.lane(lane)?.receive()? {
            Heard::Reply(frame) => frame,
            Heard::Closed | Heard::Nothing => {
                self.lanes.remove(&lane);
                return Ok(None);
            }
        };
        ensure!(frame.starts_with(&correlation.to_be_bytes()), "the reply to another request");
        let header = response_header_bytes(R::KEY, version);
        let mut body = Bytes::from(frame).slice(header..);
        let reply = R::Response::decode(&mut body, reply_codec_version(R::KEY, version))
            .context("does not decode")?;
        ensure!(body.is_empty(), "{} bytes are left", body.len());
        Ok(Some(reply))
    }
}

fn frame<R: Request>(version: i16, correlation: i32, request: &R, names: &Names) -> Result<Vec<u8>> {
    let api = api_info(R::KEY).context("an API of Kafka")?;
    let mut body = BytesMut::new();
    let codec = codec_version(R::KEY, version);
    let by_id = matches!(R::KEY, 8 | 9) && version > BY_NAME_TO;
    request.encode(&mut body, if by_id { BY_NAME_TO } else { codec })?;
    let body = if by_id { in_ids(&body, names) } else { body.to_vec() };
    let mut frame = vec![0; 4];
    frame.extend(R::KEY.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation.to_be_bytes());
    frame.extend(i16::try_from(CLIENT.len())?.to_be_bytes());
    frame.extend(CLIENT.as_bytes());
    if api.is_flexible(version) {
        frame.push(0);
    }
    frame.extend(body);
    let length = u32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// The name that a topic has in a request by ids, until the frame is written.
pub(super) fn marked(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(format!("#{topic:-<15}")))
}

/// The topics' marked names turned into their ids.
fn in_ids(body: &[u8], names: &Names) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        // A text of sixteen bytes that begins with the mark.
        let is_marked = body[at] == 17 && body.get(at + 1) == Some(&b'#') && at + 17 <= body.len();
        if is_marked {
            let name = String::from_utf8_lossy(&body[at + 2..at + 17]).trim_end_matches('-').to_owned();
            let id = if name == "zero" { Uuid::nil() } else { names.topic(&name) };
            out.extend(id.as_bytes());
            at += 17;
        } else {
            out.push(body[at]);
            at += 1;
        }
    }
    out
}

/// A request whose reply nobody has read yet.
#[must_use]
pub(super) struct Posted {
    lane: usize,
    version: i16,
    correlation: i32,
    name: String,
}

pub(super) struct Talk {
    kafka: Side,
    ottla: Side,
    correlation: i32,
    pub(super) report: Report,
}

impl Talk {
    pub(super) fn new(kafka: &str, ottla: &str) -> Self {
        Self { kafka: Side::new(kafka), ottla: Side::new(ottla), correlation: 0, report: Report::default() }
    }

    /// Asks both, on the first connection.
    pub(super) fn ask<R: Request>(
        &mut self,
        version: i16,
        what: &str,
        request: impl Fn(&Names) -> R,
    ) -> Result<()>
    where
        R::Response: Settle + Debug,
    {
        // What a version has no field for, it cannot ask.
        let codec =
            codec_version(R::KEY, version).min(if matches!(R::KEY, 8 | 9) { BY_NAME_TO } else { i16::MAX });
        if request(&self.kafka.names).encode(&mut BytesMut::new(), codec).is_err() {
            return Ok(());
        }
        let posted = self.post(0, version, what, request)?;
        self.hear::<R>(posted, None)
    }

    /// As [`Talk::ask`], in each of the versions.
    pub(super) fn ask_in<R: Request>(
        &mut self,
        versions: impl IntoIterator<Item = i16>,
        what: &str,
        request: impl Fn(i16, &Names) -> R,
    ) -> Result<()>
    where
        R::Response: Settle + Debug,
    {
        versions.into_iter().try_for_each(|version| self.ask(version, what, |names| request(version, names)))
    }

    /// Asks both; `symbol` stands for the member that the reply names from here on.
    pub(super) fn ask_for<R: Request>(
        &mut self,
        symbol: &str,
        version: i16,
        what: &str,
        request: impl Fn(&Names) -> R,
    ) -> Result<()>
    where
        R::Response: Settle + Debug,
    {
        let posted = self.post(0, version, what, request)?;
        self.hear::<R>(posted, Some(symbol))
    }

    /// Asks both without waiting for a reply.
    pub(super) fn post<R: Request>(
        &mut self,
        lane: usize,
        version: i16,
        what: &str,
        request: impl Fn(&Names) -> R,
    ) -> Result<Posted> {
        self.correlation += 1;
        let name = format!("{} {version}: {what}", api_info(R::KEY).context("an API of Kafka")?.name);
        for side in [&mut self.kafka, &mut self.ottla] {
            let request = request(&side.names);
            side.send(lane, version, self.correlation, &request).with_context(|| name.clone())?;
        }
        Ok(Posted { lane, version, correlation: self.correlation, name })
    }

    /// Reads both replies, and compares them.
    pub(super) fn hear<R: Request>(&mut self, posted: Posted, symbol: Option<&str>) -> Result<()>
    where
        R::Response: Settle + Debug,
    {
        let Posted { lane, version, correlation, name } = posted;
        let mut told = Vec::new();
        for (who, side) in [("Kafka", &mut self.kafka), ("Ottla", &mut self.ottla)] {
            let heard = side.hear::<R>(lane, version, correlation);
            let Some(mut reply) = heard.with_context(|| format!("{name}: the reply of {who}"))? else {
                told.push("(no reply)".to_owned());
                continue;
            };
            if let (Some(symbol), Some(member)) = (symbol, reply.member()) {
                side.names.members.insert(symbol.to_owned(), member);
            }
            reply.settle(&side.names);
            told.push(side.names.in_symbols(&flat(&format!("{reply:#?}"))));
        }
        self.report.note(R::KEY, version, &name, &told[0], &told[1]);
        Ok(())
    }

    /// Asks both until each answers as it should; nothing is compared.
    pub(super) fn until<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        mut is_ready: impl FnMut(&R::Response, &mut Names) -> bool,
    ) -> Result<bool> {
        self.correlation += 1;
        let mut ready = true;
        for side in [&mut self.kafka, &mut self.ottla] {
            side.send(0, version, self.correlation, request)?;
            let reply = side.hear::<R>(0, version, self.correlation)?.context("no reply")?;
            ready &= is_ready(&reply, &mut side.names);
        }
        Ok(ready)
    }

    /// Asks each until it answers as it should.
    pub(super) fn until_in_names<R: Request>(
        &mut self,
        version: i16,
        request: impl Fn(&Names) -> R,
        is_ready: impl Fn(&R::Response) -> bool,
    ) -> Result<()> {
        for side in [&mut self.kafka, &mut self.ottla] {
            let mut is_over = false;
            for _ in 0..TRIES {
                self.correlation += 1;
                let request = request(&side.names);
                side.send(0, version, self.correlation, &request)?;
                let reply = side.hear::<R>(0, version, self.correlation)?.context("no reply")?;
                is_over = is_ready(&reply);
                if is_over {
                    break;
                }
                thread::sleep(PAUSE);
            }
            ensure!(is_over, "{} does not come to that", side.address);
        }
        Ok(())
    }
}
