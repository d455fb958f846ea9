//! Frames that Kafka's own serialisers wrote, through header, guard and codec and back to the same bytes.

mod frames;
mod honest;

use bytes::{Bytes, BytesMut};
use frames::Golden;
use protocol_compat::guard::{Limits, check_body};
use protocol_compat::header::{decode_request_header, encode_response_header, response_header_bytes};
use protocol_compat::messages::{Decodable, Encodable, RequestHeader};
use protocol_compat::versions::{APIS, api_info, codec_version, reply_codec_version};
use std::collections::BTreeSet;

/// The APIs that do most of the work: the codec may lack no version of them, and there are more frames of each.
const MAIN: &[i16] = &[0, 1, 2, 3, 18, 19, 20, 21, 22, 23, 32, 33, 37, 44, 60, 75];

/// Versions of Kafka 4.3.1 that the message codec cannot do, by API, version and direction. Each needs a codec of our
/// own before its API is served. The guard walks the requests among them all the same.
const CODEC_LACKS: &[(&str, i16, &str)] = &[
    // Of a quorum of controllers and of brokers among each other, which one broker does not have.
    ("AddRaftVoter", 1, "request"),
    ("AddRaftVoter", 1, "response"),
    ("BrokerHeartbeat", 2, "request"),
    ("BrokerHeartbeat", 2, "response"),
    // The server writes this reply itself, and a client of Kafka reads it in a test.
    ("DescribeLogDirs", 5, "response"),
    // Topics' ids in groups: the codec stops one version before.
    ("OffsetCommit", 10, "request"),
    ("OffsetFetch", 10, "request"),
    // Share groups, not served yet.
    ("DescribeShareGroupOffsets", 1, "request"),
    ("DescribeShareGroupOffsets", 1, "response"),
    ("ReadShareGroupStateSummary", 1, "request"),
    ("ReadShareGroupStateSummary", 1, "response"),
    ("ShareAcknowledge", 2, "request"),
    ("ShareAcknowledge", 2, "response"),
    ("ShareFetch", 2, "request"),
    ("ShareFetch", 2, "response"),
    ("WriteShareGroupState", 1, "request"),
    ("WriteShareGroupState", 1, "response"),
    // Streams groups, not served yet: the codec does not know them at all.
    ("StreamsGroupDescribe", 0, "request"),
    ("StreamsGroupDescribe", 0, "response"),
    ("StreamsGroupHeartbeat", 0, "request"),
    ("StreamsGroupHeartbeat", 0, "response"),
    // Transactions, not served yet.
    ("WriteTxnMarkers", 2, "request"),
    ("WriteTxnMarkers", 2, "response"),
];

fn at(golden: &Golden) -> String {
    let kind = if golden.is_request { "request" } else { "response" };
    format!("{} {} {kind}", api_info(golden.key).unwrap().name, golden.version)
}

/// What the codec does with the body: `None` if it lacks the version.
fn round_trip(golden: &Golden, body: &Bytes) -> Option<BytesMut> {
    let codec = frames::codec(golden.key)?;
    let version = match golden.is_request {
        true => codec_version(golden.key, golden.version),
        false => reply_codec_version(golden.key, golden.version),
    };
    let round_trip = if golden.is_request { codec.request } else { codec.response };
    match round_trip(body, version) {
        Ok(bytes) => Some(bytes),
        Err(error) if format!("{error:#}").contains("specified version not supported") => None,
        Err(error) => panic!("{}: {error:#}", at(golden)),
    }
}

#[test]
fn every_version_of_every_api_has_varied_frames() {
    let all = frames::all();
    for api in APIS {
        for version in api.min..=api.max {
            for is_request in [true, false] {
                let of_this =
                    |g: &&Golden| (g.key, g.version, g.is_request) == (api.key, version, is_request);
                let least = if MAIN.contains(&api.key) { 6 } else { 4 };
                let found = all.iter().filter(of_this).count();
                assert!(found >= least, "{} {version}: {found} frames", api.name);
            }
        }
    }
    assert!(all.iter().all(|g| api_info(g.key).unwrap().serves(g.version)));
}

#[test]
fn request_headers_are_read_and_written_as_kafka_does() {
    for golden in frames::all().iter().filter(|g| g.is_request) {
        let header = decode_request_header(&golden.bytes).unwrap_or_else(|e| panic!("{}: {e}", at(golden)));
        assert_eq!((header.api_key, header.api_version), (golden.key, golden.version));
        assert_eq!(
            api_info(golden.key).unwrap().request_header_version(golden.version),
            golden.header_version
        );

        let mut rest = golden.bytes.clone();
        let typed = RequestHeader::decode(&mut rest, golden.header_version).unwrap();
        assert_eq!(header.body_offset, golden.bytes.len() - rest.len(), "{}", at(golden));
        assert_eq!(header.correlation_id, typed.correlation_id);
        assert_eq!(header.client_id, typed.client_id.clone().unwrap_or_default());
        let mut again = BytesMut::new();
        typed.encode(&mut again, golden.header_version).unwrap();
        assert_eq!(again, golden.bytes[..header.body_offset]);
    }
}

#[test]
fn request_bodies_pass_the_guard_whole() {
    for golden in frames::all().iter().filter(|g| g.is_request) {
        let header = decode_request_header(&golden.bytes).unwrap();
        let body = &golden.bytes[header.body_offset..];
        let footprint = check_body(golden.key, golden.version, body, &Limits::default())
            .unwrap_or_else(|e| panic!("{}: {e}", at(golden)));
        assert_eq!(footprint.wire_bytes, body.len(), "{}", at(golden));
        // A body cut anywhere is refused: the walk ends where the message ends and not before.
        for cut in 0..body.len() {
            let refused = check_body(golden.key, golden.version, &body[..cut], &Limits::default());
            assert!(refused.is_err(), "{} cut at {cut}", at(golden));
        }
    }
}

#[test]
fn response_headers_are_written_as_kafka_does() {
    for golden in frames::all().iter().filter(|g| !g.is_request) {
        assert_eq!(
            api_info(golden.key).unwrap().response_header_version(golden.version),
            golden.header_version
        );
        let correlation_id = i32::from_be_bytes(*golden.bytes.first_chunk().unwrap());
        let mut header = BytesMut::new();
        encode_response_header(golden.key, golden.version, correlation_id, &mut header);
        assert_eq!(header, golden.bytes[..header.len()], "{}", at(golden));
    }
}

#[test]
fn bodies_come_back_to_the_same_bytes_but_where_the_codec_lacks_the_version() {
    let mut lacking = BTreeSet::new();
    for golden in frames::all() {
        let body_offset = if golden.is_request {
            decode_request_header(&golden.bytes).unwrap().body_offset
        } else {
            response_header_bytes(golden.key, golden.version)
        };
        let body = golden.bytes.slice(body_offset..);
        match round_trip(&golden, &body) {
            Some(again) => assert_eq!(again, body, "{}", at(&golden)),
            None => {
                let kind = if golden.is_request { "request" } else { "response" };
                lacking.insert((golden.key, api_info(golden.key).unwrap().name, golden.version, kind));
            }
        }
    }
    assert!(lacking.iter().all(|(key, ..)| !MAIN.contains(key)), "served and lacking: {lacking:?}");
    let lacking: BTreeSet<_> =
        lacking.into_iter().map(|(_, name, version, kind)| (name, version, kind)).collect();
    assert_eq!(lacking, CODEC_LACKS.iter().copied().collect());
}
