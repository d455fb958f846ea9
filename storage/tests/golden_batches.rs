//! Batches as the real client libraries write them, each in each codec: read whole, and taken as a producer's.
//!
//! `golden/batches/<client>-<release>-<codec>.batch` holds what stands in a log after the client wrote sixty records.
//! `protocol-compat/tests/clients/golden_batches.rs` writes them, from the clients that the suites pin there.

#![expect(clippy::disallowed_methods, reason = "the committed files are on the real machine")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use storage::batch::verify_crc;
use storage::{BatchHeader, Codec, Encoding, Record, RecordValidation, Rules, TimestampType, check, records};

const CODECS: [(&str, Codec); 5] = [
    ("none", Codec::None),
    ("gzip", Codec::Gzip),
    ("snappy", Codec::Snappy),
    ("lz4", Codec::Lz4),
    ("zstd", Codec::Zstd),
];
const CLIENTS: [&str; 3] = ["kafka-clients", "kafka-python", "librdkafka"];
const RECORDS: i64 = 60;
const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;

struct Golden {
    name: String,
    codec: Codec,
    batches: Vec<Bytes>,
}

fn all() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/batches");
    let mut found: Vec<Golden> =
        fs::read_dir(folder).unwrap().map(|entry| golden(&entry.unwrap().path())).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn golden(path: &Path) -> Golden {
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let word = name.rsplit('-').next().unwrap();
    let (_, codec) = *CODECS.iter().find(|(of, _)| *of == word).unwrap();
    let mut rest = Bytes::from(fs::read(path).unwrap());
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let header = BatchHeader::parse(&rest).unwrap();
        batches.push(rest.split_to(header.total_bytes()));
    }
    Golden { name, codec, batches }
}

/// The suites' record at this offset: nulls, empties, and more than ASCII.
fn is_the_suites(record: &Record<'_>) {
    let i = record.offset.0;
    let filling = "x".repeat((i * 37 % 400) as usize);
    let value = match i % 7 {
        3 => None,
        4 => Some(String::new()),
        _ => Some(format!("τιμή 🦦 {i} {filling}")),
    };
    let key = match i % 5 {
        0 if value.is_some() => None,
        1 => Some(String::new()),
        _ => Some(format!("κλειδί-{i}")),
    };
    assert_eq!(record.key.as_deref(), key.as_ref().map(String::as_bytes), "key {i}");
    assert_eq!(record.value.as_deref(), value.as_ref().map(String::as_bytes), "value {i}");
    assert_eq!(record.timestamp, FIRST_TIMESTAMP + 1000 * i);
    let expected = if i % 3 == 0 { vec![] } else { vec![format!("значение-{i}"), String::new()] };
    assert_eq!(record.headers.len(), expected.len());
    for (header, value) in record.headers.iter().zip(&expected) {
        assert_eq!(&header.key[..], "заголовок".as_bytes());
        assert_eq!(header.value.as_deref(), Some(value.as_bytes()));
    }
}

#[test]
fn every_client_wrote_in_every_codec() {
    let found = all();
    let names: Vec<&str> = found.iter().map(|golden| golden.name.as_str()).collect();
    for client in CLIENTS {
        for (codec, _) in CODECS {
            let one = |name: &&&str| name.starts_with(client) && name.ends_with(&format!("-{codec}"));
            assert_eq!(names.iter().filter(one).count(), 1, "{client} {codec} in {names:?}");
        }
    }
    assert_eq!(found.len(), CLIENTS.len() * CODECS.len());
}

#[test]
fn every_record_is_read() {
    for golden in all() {
        let (mut next, mut packed) = (0, 0);
        for batch in &golden.batches {
            let header = BatchHeader::parse(batch).unwrap();
            verify_crc(&header, batch).unwrap();
            assert_eq!(header.base_offset.0, next, "{}", golden.name);
            // librdkafka sends as it is what no codec makes smaller.
            let is_plain = golden.name.starts_with("librdkafka") && header.codec() == Ok(Codec::None);
            assert!(is_plain || header.codec() == Ok(golden.codec), "{}", golden.name);
            packed += usize::from(header.codec() == Ok(golden.codec));
            for record in records(batch).unwrap() {
                let record = record.unwrap();
                assert_eq!(record.offset.0, next, "{}", golden.name);
                is_the_suites(&record);
                next += 1;
            }
        }
        assert_eq!(next, RECORDS, "{}", golden.name);
        assert!(packed > 0, "{}", golden.name);
    }
}

fn rules(compression: Option<Encoding>) -> Rules {
    Rules {
        message_bytes_max: 1 << 20,
        segment_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        now_ms: FIRST_TIMESTAMP,
        compacted: false,
        walk: RecordValidation::Full,
        compression,
        zstd_allowed: true,
    }
}

/// Taken as it came, and written anew in every other codec.
#[test]
fn every_batch_is_taken() {
    for (golden, wanted) in all().iter().flat_map(|golden| CODECS.map(|(_, codec)| (golden, codec))) {
        for batch in &golden.batches {
            let before = BatchHeader::parse(batch).unwrap();
            // Producers count from 0; the log has stamped where that is.
            let sent = [&[0; 8], &batch[8..]].concat();
            let same = check(sent.clone().into(), &rules(None)).unwrap();
            let header = same.headers().next().unwrap();
            assert_eq!((header.crc, header.record_count), (before.crc, before.record_count));
            let anew = check(sent.into(), &rules(Some(Encoding::of(wanted)))).unwrap();
            let header = anew.headers().next().unwrap();
            assert_eq!(header.codec(), Ok(wanted), "{}", golden.name);
            assert_eq!(header.max_timestamp, before.max_timestamp);
            assert_eq!(header.base_timestamp, before.base_timestamp);
        }
    }
}
