//! What is asked: requests as bytes, each with a name.

use bytes::BytesMut;
use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::{Request, StrBytes};
use protocol_compat::versions::{api_info, codec_version};
use uuid::Uuid;

/// The APIs that Ottla serves, without those of groups.
pub(super) const SERVED: &[i16] =
    &[0, 1, 2, 3, 18, 19, 20, 21, 22, 23, 32, 33, 34, 35, 37, 43, 44, 45, 46, 48, 49, 55, 57, 60, 61, 74, 75];

const CLIENT: &[u8] = b"differential";
/// What an id is made of that no topic has.
pub(super) const UNKNOWN_ID_BYTE: u8 = 0xAB;
const ID_BYTES: usize = 16;

pub(super) struct Case {
    pub name: String,
    pub key: i16,
    pub version: i16,
    /// The whole frame behind its length. Topics' ids stand in it as [`id`] makes them.
    pub frame: Vec<u8>,
    /// It may be asked again until the reply is the expected one.
    pub changes_nothing: bool,
    /// Where the codec's versions end and another error than silence would hide: a probe follows the request.
    pub may_be_silent: bool,
}

#[derive(Default)]
pub(super) struct Script {
    cases: Vec<Case>,
}

impl Script {
    pub(super) fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// A request in each version that can say it.
    pub(super) fn ask<R: Request>(&mut self, what: &str, request: impl Fn(i16) -> R) {
        let api = api_info(R::KEY).expect("an API of Kafka");
        for version in api.min..=api.max {
            self.ask_in(version, what, &request(version));
        }
    }

    /// A request in each version of the list that can say it.
    pub(super) fn ask_of<R: Request>(&mut self, versions: &[i16], what: &str, request: impl Fn(i16) -> R) {
        for version in versions {
            self.ask_in(*version, what, &request(*version));
        }
    }

    fn ask_in<R: Request>(&mut self, version: i16, what: &str, request: &R) {
        let api = api_info(R::KEY).expect("an API of Kafka");
        let mut body = BytesMut::new();
        // What a version has no field for, it cannot ask.
        if request.encode(&mut body, codec_version(R::KEY, version)).is_err() {
            return;
        }
        let frame = [header(R::KEY, version), body.to_vec()].concat();
        self.add(format!("{} {version}: {what}", api.name), R::KEY, version, frame);
    }

    /// Any bytes.
    pub(super) fn add(&mut self, name: String, key: i16, version: i16, frame: Vec<u8>) {
        // Metadata is asked with auto-creation off, so that it only reads; a producer id more or less is nothing.
        let changes_nothing =
            matches!(key, 1..=3 | 18 | 22 | 23 | 32 | 35 | 43 | 45 | 46 | 48 | 55 | 60 | 61 | 74 | 75);
        self.cases.push(Case { name, key, version, frame, changes_nothing, may_be_silent: key == 0 });
    }
}

/// A header as clients write it.
pub(super) fn header(key: i16, version: i16) -> Vec<u8> {
    header_with(key, version, Some(CLIENT))
}

pub(super) fn header_with(key: i16, version: i16, client: Option<&[u8]>) -> Vec<u8> {
    let mut header = [key.to_be_bytes(), version.to_be_bytes()].concat();
    // The peer writes the correlation id.
    header.extend([0; 4]);
    let length = client.map_or(-1, |client| i16::try_from(client.len()).expect("short"));
    header.extend(length.to_be_bytes());
    header.extend(client.unwrap_or_default());
    if api_info(key).is_some_and(|api| api.is_flexible(version)) {
        header.push(0);
    }
    header
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// What stands for the id of a topic, whichever the broker gave it.
pub(super) fn id(topic: &str) -> Uuid {
    let mut bytes = [b'#'; ID_BYTES];
    // The ends of the names differ.
    bytes.iter_mut().zip(topic.bytes().rev()).for_each(|(byte, letter)| *byte = letter);
    Uuid::from_bytes(bytes)
}
