//! Kafka's rules one by one, and bytes that nobody would send.

use super::inspect::RECORD_ERRORS_MAX;
use super::*;
use crate::codec::testing::{CODECS, compress, compress_xerial};
use crate::records::{BatchBuilder, records};
use proptest::prelude::*;

pub(super) const NOW: i64 = 10_000_000;

pub(super) fn rules() -> Rules {
    Rules {
        message_bytes_max: 1 << 20,
        segment_bytes: 1 << 30,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        now_ms: NOW,
        compacted: false,
        walk: RecordValidation::Full,
        compression: None,
        zstd_allowed: true,
    }
}

pub(super) fn builder() -> BatchBuilder {
    BatchBuilder::new(NOW).push(Some(b"k"), Some(b"one"), &[("h", None)]).push_at(
        NOW + 5,
        Some(b"k"),
        None,
        &[],
    )
}

/// A batch with its header changed, and the checksum made right again.
fn altered(change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    resealed(&builder().build(), change)
}

pub(super) fn resealed(batch: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut header = BatchHeader::parse(batch).unwrap();
    change(&mut header);
    header.crc = crc_of(&header, &batch[HEADER_BYTES..]);
    [&header.encode()[..], &batch[HEADER_BYTES..]].concat().into()
}

/// The batch's bytes with some of its records' overwritten, checksum right.
fn with_records(change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let batch = builder().build();
    let mut body = batch[HEADER_BYTES..].to_vec();
    change(&mut body);
    let mut header = BatchHeader::parse(&batch).unwrap();
    header.length = (body.len() + HEADER_BYTES - OVERHEAD_BYTES) as i32;
    header.crc = crc_of(&header, &body);
    [&header.encode()[..], &body].concat().into()
}

pub(super) fn written(checked: &Checked) -> Vec<u8> {
    let batch = &checked.batches[0];
    let prefix = batch.prefix_bytes();
    [&batch.header.encode()[..prefix], &batch.bytes[prefix..]].concat()
}

macro_rules! assert_rejects {
    ($batch:expr, $rules:expr, $pattern:pat) => {
        let found = check($batch, $rules);
        assert!(matches!(found, Err($pattern)), "{found:?}");
    };
}

/// With little effort a batch is judged as with all, or not at all.
#[test]
fn much_work_is_for_those_that_have_the_time() {
    let value = vec![7; 20 << 20];
    for codec in CODECS.into_iter().filter(|codec| *codec != Codec::None) {
        for compression in [None, Some(Encoding::of(Codec::None)), Some(Encoding::of(codec))] {
            let rules = Rules { message_bytes_max: 64 << 20, compression, ..rules() };
            let large = BatchBuilder::new(NOW).push(Some(b"k"), Some(&value), &[]);
            let large = large.finish(codec, |plain| compress(codec, &plain));
            assert_eq!(
                check_at(Effort::Light, large.clone(), &rules).unwrap_err(),
                Reject::Heavy,
                "{codec:?}"
            );
            assert_eq!(check(large, &rules).unwrap().record_count(), 1);
            let small = builder().finish(codec, |plain| compress(codec, &plain));
            assert_eq!(check_at(Effort::Light, small, &rules).unwrap().record_count(), 2);
        }
    }
}

#[test]
fn a_good_batch_passes_untouched_in_every_codec() {
    for codec in CODECS {
        let batch = builder().finish(codec, |plain| compress(codec, &plain));
        let checked = check(batch.clone(), &rules()).unwrap();
        assert_eq!(written(&checked), batch);
        assert_eq!((checked.record_count(), checked.max_timestamp()), (2, NOW + 5));
        assert_eq!(checked.bytes_len(), batch.len());
        assert_eq!(checked.append_time, NO_TIMESTAMP);
    }
    let xerial = builder().finish(Codec::Snappy, |plain| compress_xerial(&plain));
    assert!(check(xerial, &rules()).is_ok());
}

#[test]
fn damage_is_told_from_bad_building() {
    let good = builder().build();
    let mut flipped = good.to_vec();
    flipped[70] ^= 1;
    assert_rejects!(flipped.into(), &rules(), Reject::Corrupt { .. });
    for (magic, old) in [(0u8, true), (1, true), (3, false), (255, false)] {
        let mut bytes = good.to_vec();
        bytes[16] = magic;
        let found = check(bytes.into(), &rules()).unwrap_err();
        assert_eq!(matches!(found, Reject::UnsupportedMagic { .. }), old, "magic {magic}: {found:?}");
        assert!(old || matches!(found, Reject::Corrupt { .. }));
    }
    for length in [-1, 0, 13, 14, 48] {
        let mut bytes = good.to_vec();
        bytes[8..12].copy_from_slice(&i32::to_be_bytes(length));
        assert_rejects!(bytes.into(), &rules(), Reject::Corrupt { .. });
    }
    for cut in [0, 5, 16, 17, 60, good.len() - 1] {
        assert_rejects!(good.slice(..cut), &rules(), Reject::NotOneBatch { .. });
    }
}

#[test]
fn exactly_one_batch_and_a_tail_that_is_none() {
    let good = builder().build();
    let twice = [&good[..], &good].concat();
    assert_rejects!(twice.into(), &rules(), Reject::NotOneBatch { .. });
    let tail = Bytes::from([&good[..], &[7]].concat());
    assert_eq!(written(&check(tail, &rules()).unwrap()), good);
}

#[test]
fn headers_that_contradict_themselves() {
    let cases: [fn(&mut BatchHeader); 9] = [
        |h| h.base_offset = Offset(1),
        |h| h.record_count = 3,
        |h| h.record_count = 0,
        |h| h.record_count = -1,
        |h| h.last_offset_delta = 0,
        |h| (h.record_count, h.last_offset_delta) = (1, 0),
        |h| (h.record_count, h.last_offset_delta) = (i32::MAX, i32::MAX - 1),
        |h| h.attributes |= 0x20,
        |h| (h.producer_id, h.base_sequence) = (ProducerId(5), -1),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        let found = check(altered(change), &rules());
        assert!(matches!(found, Err(Reject::Invalid { .. })), "case {number}: {found:?}");
    }
    for codec in 5..8 {
        assert_rejects!(altered(|h| h.attributes |= codec), &rules(), Reject::Invalid { .. });
    }
    assert!(check(altered(|h| (h.producer_id, h.base_sequence) = (ProducerId(5), 0)), &rules()).is_ok());
    assert!(
        check(altered(|h| h.attributes |= 0x10), &rules()).is_ok(),
        "transactional is somebody else's question"
    );
}

#[test]
fn records_that_do_not_fill_their_lengths() {
    let cases: [fn(&mut Vec<u8>); 6] = [
        |body| body[0] += 2,
        |body| body[0] -= 2,
        |body| body[0] = 1,
        |body| body.push(0),
        |body| body.truncate(body.len() - 1),
        |body| body.clear(),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        let found = check(with_records(change), &rules());
        assert!(matches!(found, Err(Reject::Invalid { .. })), "case {number}: {found:?}");
    }
    let trusting = Rules { walk: RecordValidation::Header, ..rules() };
    assert!(check(with_records(|body| body.push(0)), &trusting).is_ok());
    assert_rejects!(
        with_records(|body| body.push(0)),
        &Rules { compacted: true, ..trusting },
        Reject::Invalid { .. }
    );
}

#[test]
fn inner_offsets_count_in_compressed_batches_only() {
    // The second record's offset delta stands behind its length, attributes and time delta.
    let plain = &builder().build()[HEADER_BYTES..];
    let second = 1 + (plain[0] / 2) as usize;
    let mut wrong = plain.to_vec();
    assert_eq!(wrong[second + 3], 2, "delta 1, zigzag");
    wrong[second + 3] = 8;
    let body = wrong.clone();
    assert!(check(with_records(move |records| *records = body), &rules()).is_ok());
    for codec in &CODECS[1..] {
        let batch = builder().finish(*codec, |_| compress(*codec, &wrong));
        assert_rejects!(batch, &rules(), Reject::Invalid { .. });
    }
}

#[test]
fn compressed_rubbish_is_the_producers_fault() {
    for codec in &CODECS[1..] {
        let batch = builder().finish(*codec, |_| vec![0xff; 40]);
        assert_rejects!(batch, &rules(), Reject::Invalid { .. });
    }
}

#[test]
fn sizes() {
    let batch = builder().build();
    let (bytes, len) = (batch.clone(), batch.len());
    assert_rejects!(bytes, &Rules { message_bytes_max: len - 1, ..rules() }, Reject::TooLarge { .. });
    let small = Rules { segment_bytes: len as u32 - 1, ..rules() };
    assert_rejects!(batch.clone(), &small, Reject::LargerThanSegment { .. });
    assert!(check(batch, &Rules { message_bytes_max: len, segment_bytes: len as u32, ..rules() }).is_ok());
}

#[test]
fn old_requests_know_no_zstd() {
    let batch = builder().finish(Codec::Zstd, |plain| compress(Codec::Zstd, &plain));
    let old = Rules { zstd_allowed: false, ..rules() };
    assert_rejects!(batch, &old, Reject::UnsupportedCodec { codec: Codec::Zstd });
}

#[test]
fn times_out_of_bounds_name_their_records() {
    let batch =
        || BatchBuilder::new(NOW).push(None, None, &[]).push_at(NOW + 3_600_001, None, None, &[]).build();
    let refused = check(batch(), &rules()).unwrap_err();
    assert!(matches!(refused, Reject::Timestamp { .. }));
    assert_eq!(refused.record_errors().iter().map(|e| e.index).collect::<Vec<_>>(), [1]);
    let before = Rules { before_max_ms: 10, after_max_ms: i64::MAX, now_ms: NOW + 11, ..rules() };
    assert_eq!(check(batch(), &before).unwrap_err().record_errors()[0].index, 0);
    let stamping = Rules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    assert!(check(batch(), &stamping).is_ok(), "who stamps does not care");
    for none in [-1, -5] {
        assert!(check(BatchBuilder::new(none).push(None, None, &[]).build(), &rules()).is_ok());
    }
    let trusting = Rules { walk: RecordValidation::Header, ..rules() };
    assert_rejects!(batch(), &trusting, Reject::Timestamp { .. });
}

#[test]
fn the_extremes_of_time_wrap_as_in_kafka() {
    let at = |timestamp| check(BatchBuilder::new(timestamp).push(None, None, &[]).build(), &rules());
    assert!(at(i64::MIN).is_err(), "so far back that it comes round to the future");
    assert!(at(i64::MAX).is_err());
    assert!(at(i64::MIN + 2 * NOW).is_ok(), "as far back as there is no limit");
}

#[test]
fn only_a_log_that_stamps_minds_who_claims_to_have_stamped() {
    let claims = |header: &mut BatchHeader| header.attributes |= 0x08;
    let stamping = Rules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    for walk in [RecordValidation::Full, RecordValidation::Header] {
        assert!(check(altered(claims), &Rules { walk, ..rules() }).is_ok());
        let refused = check(altered(claims), &Rules { walk, ..stamping.clone() }).unwrap_err();
        assert!(matches!(refused, Reject::Timestamp { .. }), "{refused:?}");
        // All records have the batch's time then, and none of them has one.
        let timeless = altered(|header| {
            claims(header);
            header.max_timestamp = NO_TIMESTAMP;
        });
        assert_rejects!(timeless, &Rules { walk, ..rules() }, Reject::Timestamp { .. });
    }
}

/// Kafka looks at all records before it minds the offsets inside compressed data.
#[test]
fn bad_records_come_before_wrong_inner_offsets() {
    let batch = BatchBuilder::new(NOW + 3_600_001).push(None, None, &[]).finish(Codec::Gzip, |mut plain| {
        assert_eq!(plain[..4], [12, 0, 0, 0], "length, attributes, both deltas");
        plain[3] = 8;
        compress(Codec::Gzip, &plain)
    });
    assert_rejects!(batch.clone(), &rules(), Reject::Timestamp { .. });
    let patient = Rules { after_max_ms: i64::MAX, ..rules() };
    assert_rejects!(batch, &patient, Reject::Invalid { .. });
}

/// A record without a key is blamed for that alone; if another has a wrong time, the batch is refused for time.
#[test]
fn a_wrong_time_decides_the_error_of_the_batch() {
    let batch = BatchBuilder::new(NOW)
        .push(None, None, &[])
        .push_at(NOW + 3_600_001, None, None, &[])
        .push_at(NOW + 3_600_001, Some(b"k"), None, &[])
        .build();
    let refused = check(batch.clone(), &Rules { compacted: true, ..rules() }).unwrap_err();
    assert!(matches!(refused, Reject::Timestamp { .. }));
    assert_eq!(refused.record_errors().iter().map(|e| e.index).collect::<Vec<_>>(), [0, 1, 2]);
    let patient = Rules { compacted: true, after_max_ms: i64::MAX, ..rules() };
    let refused = check(batch, &patient).unwrap_err();
    assert!(matches!(refused, Reject::Invalid { .. }));
    assert_eq!(refused.record_errors().len(), 2);
}

#[test]
fn compacted_topics_need_keys() {
    let batch = BatchBuilder::new(NOW).push(Some(b"k"), None, &[]).push(None, None, &[]).build();
    let refused = check(batch.clone(), &Rules { compacted: true, ..rules() }).unwrap_err();
    assert!(matches!(refused, Reject::Invalid { .. }));
    assert_eq!(refused.record_errors()[0].index, 1);
    assert!(check(batch, &rules()).is_ok());
}

#[test]
fn many_bad_records_are_reported_in_bounds() {
    let mut batch = BatchBuilder::new(NOW);
    for _ in 0..1_000 {
        batch = batch.push(None, None, &[]);
    }
    let refused = check(batch.build(), &Rules { compacted: true, ..rules() }).unwrap_err();
    assert_eq!(refused.record_errors().len(), RECORD_ERRORS_MAX);
}

#[test]
fn a_wrong_max_timestamp_is_corrected() {
    let checked = check(altered(|h| h.max_timestamp = 3), &rules()).unwrap();
    let bytes = written(&checked);
    let header = BatchHeader::parse(&bytes).unwrap();
    assert_eq!(header.max_timestamp, NOW + 5);
    verify_crc(&header, &bytes).unwrap();
    assert_eq!(bytes, builder().build(), "and nothing else is changed");
}

#[test]
fn log_append_time_is_stamped_into_the_header_alone() {
    let stamping = Rules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    let checked = check(builder().build(), &stamping).unwrap();
    assert_eq!((checked.append_time, checked.max_timestamp()), (NOW, NOW));
    let bytes = written(&checked);
    verify_crc(&BatchHeader::parse(&bytes).unwrap(), &bytes).unwrap();
    assert_eq!(bytes[HEADER_BYTES..], builder().build()[HEADER_BYTES..]);
    assert!(records(&bytes).unwrap().all(|record| record.unwrap().timestamp == NOW));
    // And a producer that claims it where the topic does not stamp loses the claim.
    let claimed = check(altered(|h| h.attributes |= 0x08), &rules()).unwrap();
    let header = &claimed.batches[0].header;
    assert_eq!((header.timestamp_type(), header.max_timestamp), (TimestampType::CreateTime, NOW + 5));
}

#[test]
fn our_own_batches_come_in_rows_and_may_be_control() {
    let row = [builder().build(), builder().control().build()].concat();
    let checked = check_internal(row.clone().into()).unwrap();
    assert_eq!((checked.record_count(), checked.headers().count()), (4, 2));
    assert!(check_internal(Bytes::new()).is_err());
    assert!(check_internal(Bytes::from(row).slice(..160)).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        prop_assert!(check(bytes.clone(), &rules()).is_err());
        prop_assert!(check_internal(bytes).is_err());
    }

    /// Any change of a sealed batch's bytes is survived, and if it passes, the log gets a batch that reads back.
    #[test]
    fn mutated_batches_never_panic(
        codec in 0usize..5,
        changes in proptest::collection::vec((21usize..400, any::<u8>()), 1..6),
        compacted: bool,
    ) {
        let codec = CODECS[codec];
        let mut bytes = builder().finish(codec, |plain| compress(codec, &plain)).to_vec();
        for (at, with) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
        }
        let batch = resealed(&bytes, |_| {});
        if let Ok(checked) = check(batch, &Rules { compacted, ..rules() }) {
            let bytes = written(&checked);
            let header = BatchHeader::parse(&bytes).unwrap();
            prop_assert!(verify_crc(&header, &bytes).is_ok());
            let read: Vec<_> = records(&bytes).unwrap().collect();
            prop_assert_eq!(read.len() as i64, checked.record_count());
            prop_assert!(read.iter().all(Result::is_ok));
        }
    }
}
