//! What becomes of single batches.

use super::*;
use crate::batch::verify_crc;
use crate::codec::Codec;
use crate::codec::testing::{CODECS, compress as encode};
use crate::compact::transactions::Marker;
use crate::env::SimRandom;
use crate::records::{BatchBuilder, records};
use proptest::prelude::*;

const NOW: TimestampMs = 1_000_000;
const RETENTION: i64 = 500;

fn table(keys: &[(&str, i64)]) -> KeyTable {
    let mut table = KeyTable::new(1 << 16, 0.9, 1_000, &SimRandom::new(1)).unwrap();
    keys.iter().for_each(|(key, offset)| table.put(key.as_bytes(), Offset(*offset)).unwrap());
    table
}

fn rules<'r>(table: &'r KeyTable, producers: &'r Producers, now: TimestampMs) -> Rules<'r> {
    Rules {
        table,
        table_end: Offset(100),
        producers,
        now,
        delete_retention_ms: RETENTION,
        batch_bytes_max: 1 << 20,
    }
}

fn judge_at(table: &KeyTable, batch: &[u8], now: TimestampMs, is_last: bool) -> Verdict {
    let producers = Producers::default();
    let header = BatchHeader::parse(batch).unwrap();
    Filter::new(rules(table, &producers, now)).judge(&header, batch, is_last).unwrap()
}

fn judge(table: &KeyTable, batch: &[u8], is_last: bool) -> Verdict {
    judge_at(table, batch, NOW, is_last)
}

/// The batch that comes out, checked.
fn bytes_of(verdict: Verdict) -> Vec<u8> {
    let Verdict::Becomes(header, records) = verdict else { panic!("{verdict:?}") };
    let bytes = [&header.encode()[..], &records].concat();
    assert_eq!(header.total_bytes(), bytes.len());
    verify_crc(&header, &bytes).unwrap();
    bytes
}

type Plain = Vec<(i64, TimestampMs, Option<Vec<u8>>, Option<Vec<u8>>)>;

fn plain(batch: &[u8]) -> Plain {
    let owned = |bytes: Option<std::borrow::Cow<'_, [u8]>>| bytes.map(|bytes| bytes.into_owned());
    let all = records(batch).unwrap().map(Result::unwrap);
    all.map(|record| (record.offset.0, record.timestamp, owned(record.key), owned(record.value))).collect()
}

fn sample() -> BatchBuilder {
    BatchBuilder::new(NOW - 50)
        .producer(ProducerId(9), 3, 17)
        .push(Some(b"a"), Some(b"1"), &[("header", Some(b"kept"))])
        .push_at(NOW - 10, Some(b"b"), Some(b"2"), &[])
        .push_at(NOW - 70, Some(b"a"), Some(b"3"), &[])
}

#[test]
fn a_batch_keeps_all_but_the_records_that_go() {
    let table = table(&[("a", 2), ("b", 50)]);
    for codec in CODECS {
        let batch = sample().finish(codec, |plain| encode(codec, &plain));
        let old = BatchHeader::parse(&batch).unwrap();
        let bytes = bytes_of(judge(&table, &batch, false));
        assert_eq!(plain(&bytes), [(2, NOW - 70, Some(b"a".to_vec()), Some(b"3".to_vec()))]);
        let new = BatchHeader::parse(&bytes).unwrap();
        assert_eq!((new.record_count, new.max_timestamp), (1, NOW - 70));
        let expected =
            BatchHeader { length: new.length, crc: new.crc, record_count: 1, max_timestamp: NOW - 70, ..old };
        assert_eq!(new, expected, "{codec:?}");
    }
}

#[test]
fn what_need_not_change_does_not() {
    let batch = sample().finish(Codec::Zstd, |plain| encode(Codec::Zstd, &plain));
    assert_eq!(judge(&table(&[("a", 0), ("b", 1)]), &batch, false), Verdict::Stays);
    assert_eq!(judge(&table(&[]), &batch, false), Verdict::Stays, "keys that nobody wrote since");
}

#[test]
fn a_batch_of_nothing_goes_unless_it_ends_its_segment() {
    let table = table(&[("a", 50), ("b", 50)]);
    let batch = sample().finish(Codec::Gzip, |plain| encode(Codec::Gzip, &plain));
    assert_eq!(judge(&table, &batch, false), Verdict::Goes);
    let bytes = bytes_of(judge(&table, &batch, true));
    assert_eq!(bytes.len(), HEADER_BYTES);
    let (old, new) = (BatchHeader::parse(&batch).unwrap(), BatchHeader::parse(&bytes).unwrap());
    let expected = BatchHeader {
        length: new.length,
        crc: new.crc,
        attributes: 0,
        base_timestamp: -1,
        record_count: 0,
        ..old
    };
    assert_eq!(new, expected, "sequence, offsets and time are its producer's");
    assert_eq!(judge(&table, &bytes, true), Verdict::Stays);
    assert_eq!(judge(&table, &bytes, false), Verdict::Goes);
}

#[test]
fn records_without_a_key_go_where_the_table_reaches() {
    let batch = BatchBuilder::new(NOW).push(None, Some(b"1"), &[]).build();
    assert_eq!(judge(&table(&[]), &batch, false), Verdict::Goes);
    let mut behind = batch.to_vec();
    behind[..8].copy_from_slice(&100i64.to_be_bytes());
    assert_eq!(judge(&table(&[]), &behind, false), Verdict::Stays);
}

#[test]
fn a_tombstone_goes_when_its_horizon_has_come() {
    let table = table(&[("a", 0)]);
    for codec in CODECS {
        let batch = BatchBuilder::new(NOW - 50).push(Some(b"a"), None, &[]).push_at(
            NOW - 9,
            Some(b"b"),
            Some(b"2"),
            &[("h", None)],
        );
        let batch = batch.finish(codec, |plain| encode(codec, &plain));
        let first = bytes_of(judge(&table, &batch, false));
        let header = BatchHeader::parse(&first).unwrap();
        assert_eq!(header.delete_horizon(), Some(NOW + RETENTION));
        assert_eq!((header.codec().unwrap(), header.max_timestamp), (codec, NOW - 9));
        assert_eq!(plain(&first), plain(&batch), "times and all");
        assert_eq!(judge_at(&table, &first, NOW + RETENTION - 1, false), Verdict::Stays);
        let second = bytes_of(judge_at(&table, &first, NOW + RETENTION, false));
        assert_eq!(plain(&second), plain(&batch)[1..]);
        let header = BatchHeader::parse(&second).unwrap();
        assert_eq!(header.delete_horizon(), Some(NOW + RETENTION), "it is not moved");
        assert_eq!(judge_at(&table, &second, NOW + 9 * RETENTION, false), Verdict::Stays);
    }
}

#[test]
fn log_append_time_stays_the_batchs_own() {
    let batch = sample().build();
    let mut header = BatchHeader::parse(&batch).unwrap();
    header.set_time(TimestampType::LogAppendTime, NOW);
    header.crc = crc_of(&header, &batch[HEADER_BYTES..]);
    let batch = [&header.encode()[..], &batch[HEADER_BYTES..]].concat();
    let bytes = bytes_of(judge(&table(&[("a", 2)]), &batch, false));
    assert!(plain(&bytes).iter().all(|record| record.1 == NOW));
}

#[test]
fn a_batch_never_grows_beyond_what_is_allowed() {
    // Snappy cannot make random bytes smaller; this batch says that something else had.
    let noise: Vec<u8> = (0..4_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let long = vec![0; 8_000];
    let batch = BatchBuilder::new(NOW)
        .push(Some(b"a"), Some(&long), &[])
        .push(Some(b"b"), Some(&noise), &[])
        .finish(Codec::Zstd, |plain| zstd::encode_all(&plain[..], 19).unwrap());
    let (table, producers) = (table(&[("a", 50)]), Producers::default());
    let header = BatchHeader::parse(&batch).unwrap();
    let of = |batch_bytes_max| {
        let rules = Rules { batch_bytes_max, ..rules(&table, &producers, NOW) };
        Filter::new(rules).judge(&header, &batch, false).unwrap()
    };
    match of(0) {
        Verdict::Stays => {}
        other => assert!(bytes_of(other).len() <= batch.len()),
    }
}

#[test]
fn the_table_ends_where_it_is_full() {
    let random = SimRandom::new(1);
    let producers = Producers::default();
    let batch = sample().build();
    let header = BatchHeader::parse(&batch).unwrap();
    let end_of = |keys| {
        let table = KeyTable::new(1 << 16, 0.9, keys, &random).unwrap();
        let mut builder = Builder::new(table, &producers, Offset(0));
        (builder.add(&header, &batch).unwrap(), builder.end)
    };
    assert_eq!(end_of(1), (false, Offset(1)));
    assert_eq!(end_of(2), (true, Offset(3)));
    let table = KeyTable::new(1 << 16, 0.9, 9, &random).unwrap();
    let mut builder = Builder::new(table, &producers, Offset(2));
    assert!(builder.add(&header, &batch).unwrap());
    assert_eq!((builder.table.get(b"a"), builder.table.get(b"b")), (Some(Offset(2)), None));
}

#[test]
fn a_marker_goes_after_its_transaction_and_its_horizon() {
    let marker = BatchBuilder::new(NOW).producer(ProducerId(9), 0, -1).transactional().control();
    let marker = marker.push(Some(&[0, 0, 0, 1]), Some(&[0, 0, 0, 0, 0, 0]), &[]).build();
    let header = BatchHeader::parse(&marker).unwrap();
    assert_eq!(marker_of(&header, &marker).unwrap(), Marker::Commit);
    let table = table(&[]);
    let first = bytes_of(judge(&table, &marker, false));
    assert_eq!(plain(&first), plain(&marker));
    assert_eq!(judge_at(&table, &first, NOW + RETENTION - 1, false), Verdict::Stays);
    assert_eq!(judge_at(&table, &first, NOW + RETENTION, false), Verdict::Goes);
    let empty = bytes_of(judge_at(&table, &first, NOW + RETENTION, true));
    let header = BatchHeader::parse(&empty).unwrap();
    assert!(header.is_control() && header.is_transactional() && !header.has_delete_horizon());
    assert_eq!(marker_of(&header, &empty).unwrap(), Marker::Empty);
}

proptest! {
    #[test]
    fn any_bytes_of_records_are_kept_or_refused(
        at in HEADER_BYTES - 20..120,
        with: u8,
        codec in 0usize..5,
        is_last: bool,
    ) {
        let codec = CODECS[codec];
        let mut batch = sample().finish(codec, |plain| encode(codec, &plain)).to_vec();
        if let Some(byte) = batch.get_mut(at) {
            *byte = with;
        }
        let table = table(&[("a", 2)]);
        let Ok(mut header) = BatchHeader::parse(&batch) else { return Ok(()) };
        header.record_count = header.record_count.clamp(0, 100);
        let producers = Producers::default();
        if let Ok(Verdict::Becomes(header, records)) =
            Filter::new(rules(&table, &producers, NOW)).judge(&header, &batch, is_last)
        {
            let bytes = [&header.encode()[..], &records].concat();
            verify_crc(&header, &bytes).unwrap();
        }
        let table = KeyTable::new(1 << 10, 0.9, 10, &SimRandom::new(1)).unwrap();
        let _ = Builder::new(table, &producers, Offset(0)).add(&header, &batch);
    }
}
