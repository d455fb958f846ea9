//! Frames and batches against the bytes that Apache Kafka's own classes write, and the readers against hostile input.

use super::batch::{self, Codec};
use super::reply::{self, Reader};
use super::request;
use super::walk::BatchWalk;
use super::*;

/// Two records without keys, as `MemoryRecords.withRecords` of Kafka 4.3.1 lays them out.
const GOLDEN_BATCH: &str = "000000000000000000000045ffffffff02ad0b36ae0000000000010000018bcfe568000000018bcfe56800\
    ffffffffffffffffffffffffffff000000021200000001066162630012000002010678797a00";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn varint_of(value: i64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.varint(value);
    writer.into_bytes()
}

fn uvarint_of(value: u64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.uvarint(value);
    writer.into_bytes()
}

#[test]
fn checksum_is_crc32c() {
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn varints_are_zigzag() {
    assert_eq!(varint_of(0), [0]);
    assert_eq!(varint_of(-1), [1]);
    assert_eq!(varint_of(1), [2]);
    assert_eq!(varint_of(63), [126]);
    assert_eq!(varint_of(64), [0x80, 0x01]);
    assert_eq!(varint_of(-65), [0x81, 0x01]);
    assert_eq!(varint_of(i64::MIN).len(), 10);
}

#[test]
fn unsigned_varints_return() {
    for value in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
        let bytes = uvarint_of(value);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.uvarint().unwrap(), value);
        assert_eq!(reader.remaining(), 0);
    }
    assert!(Reader::new(&[0xff; 11]).uvarint().is_err(), "an endless varint must be refused");
}

#[test]
fn batch_is_the_one_kafka_writes() {
    let values: [&[u8]; 2] = [b"abc", b"xyz"];
    assert_eq!(hex(&batch::encode(values, 1_700_000_000_000)), GOLDEN_BATCH);
}

#[test]
fn filled_batches_stay_within_their_size() {
    for value_bytes in [100, 1024] {
        let (bytes, count) = batch::fill(16_384, value_bytes, 0);
        assert!(bytes.len() <= 16_384, "{} bytes", bytes.len());
        assert!(bytes.len() + value_bytes + 9 > 16_384, "another record would have fitted");
        assert_eq!(bytes.len(), LENGTH_OF_HEAD + records_bytes(&bytes, count));
    }
    let (lone, count) = batch::fill(10, 100, 0);
    assert_eq!(count, 1, "a record larger than the batch travels alone");
    assert!(lone.len() > 100);
}

const LENGTH_OF_HEAD: usize = 61;

/// Walks the records by their own lengths and counts their bytes, independently of the encoder.
fn records_bytes(batch: &[u8], count: u32) -> usize {
    let mut reader = Reader::new(&batch[LENGTH_OF_HEAD..]);
    for _ in 0..count {
        let len = reader.uvarint().unwrap() / 2;
        reader.take(len as usize).unwrap();
    }
    assert_eq!(reader.remaining(), 0);
    batch.len() - LENGTH_OF_HEAD
}

#[test]
fn compressed_batches_hold_the_same_records() {
    for codec in [Codec::Lz4, Codec::Zstd] {
        let (batch, count) = batch::fill_compressed(codec, 16_384, 100, 0).unwrap();
        assert!((12_000..20_000).contains(&batch.len()), "{codec:?}: {} bytes", batch.len());
        let plain_bytes = count as usize * 100;
        assert!(plain_bytes > 2 * batch.len(), "{codec:?}: {count} records in {} bytes", batch.len());
        let records = &batch[61..];
        let plain = match codec {
            // A frame's head, then blocks, each behind its length; 0 ends them.
            Codec::Lz4 => {
                let (mut at, mut plain) = (7, Vec::new());
                loop {
                    let len = u32::from_le_bytes(records[at..at + 4].try_into().unwrap()) as usize;
                    if len == 0 {
                        break plain;
                    }
                    let block = &records[at + 4..at + 4 + len];
                    plain.extend(lz4_flex::block::decompress(block, 1 << 16).unwrap());
                    at += 4 + len;
                }
            }
            _ => zstd::bulk::decompress(records, 1 << 20).unwrap(),
        };
        assert!(
            plain.len() > plain_bytes
                && plain.windows(7).filter(|at| at == b"took_ms").count() >= count as usize
        );
    }
}

#[test]
fn requests_are_the_ones_kafka_writes() {
    let golden = |header: &str, body: &str| {
        let len = (header.len() + body.len()) / 2;
        format!("{len:08x}{header}{body}")
    };
    let batch = batch::encode([&b"v"[..]], 0);
    let produce = request::produce(
        7,
        request::Produce { topic: "t", partition: 3, acks: 1, timeout_ms: 30_000, batch: &batch },
    );
    assert_eq!(
        hex(&produce),
        golden(
            "0000000900000007000b6f74746c612d62656e636800",
            &format!("00000100007530020274020000000346{}000000", hex(&batch))
        )
    );
    let fetch = request::fetch(
        8,
        request::Fetch { topic: "t", partition: 3, offset: 77, bytes_max: 65_536, wait_ms_max: 500 },
    );
    assert_eq!(
        hex(&fetch),
        golden(
            "0001000c00000008000b6f74746c612d62656e636800",
            "ffffffff000001f400000001000100000000000000ffffffff0202740200000003ffffffff000000000000004d\
             ffffffffffffffffffffffff000100000000010100"
        )
    );
    assert_eq!(
        hex(&request::metadata(9, Some("t"))),
        golden("0003000900000009000b6f74746c612d62656e636800", "0202740000000000")
    );
    assert_eq!(
        hex(&request::create_topic(10, "t", 4, &[], 30_000)),
        golden("001300050000000a000b6f74746c612d62656e636800", "020274000000040001010100000075300000")
    );
    assert_eq!(hex(&request::api_versions(11)), golden("001200000000000b000b6f74746c612d62656e6368", ""));
}

#[test]
fn correlation_id_stands_where_it_is_patched() {
    let frame = request::metadata(0x0102_0304, None);
    assert_eq!(frame[request::CORRELATION_AT..request::CORRELATION_AT + 4], [1, 2, 3, 4]);
}

fn produce_reply(correlation_id: i32, error: i16, base_offset: i64) -> Vec<u8> {
    let mut w = Writer::default();
    w.i32(correlation_id);
    w.no_tags();
    w.compact_len(1);
    w.compact_string("t");
    w.compact_len(1);
    w.i32(0);
    w.i16(error);
    w.i64(base_offset);
    w.into_bytes()
}

#[test]
fn produce_replies_fail_on_errors_and_strangers() {
    assert_eq!(reply::produce(&produce_reply(4, 0, 99), 4).unwrap(), 99);
    assert!(reply::produce(&produce_reply(4, 6, -1), 4).unwrap_err().to_string().contains("error code 6"));
    assert!(reply::produce(&produce_reply(5, 0, 99), 4).is_err());
    let whole = produce_reply(4, 0, 99);
    for len in 0..whole.len() {
        assert!(reply::produce(&whole[..len], 4).is_err(), "cut to {len} bytes");
    }
}

fn fetch_reply(correlation_id: i32, partitions: &[(i16, usize)]) -> Vec<u8> {
    let mut w = Writer::default();
    w.i32(correlation_id);
    w.no_tags();
    w.i32(0);
    w.i16(0);
    w.i32(0);
    w.compact_len(1);
    w.compact_string("t");
    w.compact_len(partitions.len());
    for (index, (error, records_bytes)) in partitions.iter().enumerate() {
        w.i32(index as i32);
        w.i16(*error);
        w.i64(500); // high watermark
        w.i64(500);
        w.i64(0);
        w.compact_null();
        w.i32(-1);
        w.compact_len(*records_bytes);
        w.raw(&vec![0; *records_bytes]);
        w.no_tags();
    }
    w.into_bytes()
}

#[test]
fn fetch_head_ends_at_the_records() {
    let reply = fetch_reply(8, &[(0, 1_000)]);
    let parsed = reply::fetch_head(&reply, 8).unwrap();
    let head_bytes = reply.len() - 1_001;
    assert_eq!(parsed, reply::FetchHead { high_watermark: 500, head_bytes, records_bytes: 1_000 });
    assert!(head_bytes <= reply::FETCH_HEAD_BYTES_MAX);
}

#[test]
fn all_partitions_must_be_fetched_without_an_error() {
    let whole = fetch_reply(8, &[(0, 0), (0, 100), (0, 7)]);
    reply::fetch_all(&whole, 8, 3).unwrap();
    assert!(reply::fetch_all(&whole, 8, 2).is_err());
    let failed = reply::fetch_all(&fetch_reply(8, &[(0, 3), (6, 0)]), 8, 2).unwrap_err();
    assert!(failed.to_string().contains("error code 6"));
    for len in 0..whole.len() {
        assert!(reply::fetch_all(&whole[..len], 8, 3).is_err(), "cut to {len} bytes");
    }
}

#[test]
fn walk_finds_the_next_offset_however_the_bytes_arrive() {
    let mut stream = Vec::new();
    for base in [0i64, 2, 4] {
        let values: [&[u8]; 2] = [b"abc", b"xyz"];
        let mut batch = batch::encode(values, 0);
        batch[..8].copy_from_slice(&(base + (7 << 32)).to_be_bytes());
        stream.extend_from_slice(&batch);
    }
    let batch_bytes = stream.len() / 3;
    stream.extend_from_slice(&batch::encode([&b"cut"[..]], 0)[..40]);
    for step in [1, 7, 27, 64, stream.len()] {
        let mut walk = BatchWalk::new();
        for piece in stream.chunks(step) {
            walk.feed(piece).unwrap();
        }
        assert_eq!(walk.next_offset, Some((7 << 32) + 6), "in steps of {step}");
        assert_eq!(walk.whole_bytes, 3 * batch_bytes as u64);
    }
}

#[test]
fn walk_refuses_lengths_that_no_batch_has() {
    for len in [-1i32, 0, 14, 15] {
        let mut head = [0u8; 27];
        head[8..12].copy_from_slice(&len.to_be_bytes());
        assert!(BatchWalk::new().feed(&head).is_err(), "length {len}");
    }
}
