//! Batches that the log wants compressed otherwise than their producers sent them.

use super::tests::{NOW, builder, resealed, rules, written};
use super::*;
use crate::codec::testing::{CODECS, compress};
use crate::records::{BatchBuilder, records};
use proptest::prelude::*;

fn wanting(codec: Codec) -> Rules {
    Rules { compression: Some(Encoding::of(codec)), ..rules() }
}

fn packed(builder: BatchBuilder, codec: Codec) -> Bytes {
    builder.finish(codec, |plain| compress(codec, &plain))
}

/// Everything of the records that a reader gets.
fn content(batch: &[u8]) -> Vec<String> {
    records(batch).unwrap().map(|record| format!("{:?}", record.unwrap())).collect()
}

#[test]
fn every_codec_becomes_every_other_with_the_same_records() {
    for (from, to) in CODECS.iter().flat_map(|from| CODECS.map(|to| (*from, to))) {
        let sent = packed(builder().producer(ProducerId(9), 3, 77).transactional(), from);
        let checked = check(sent.clone(), &wanting(to)).unwrap();
        let bytes = written(&checked);
        let (before, after) = (BatchHeader::parse(&sent).unwrap(), BatchHeader::parse(&bytes).unwrap());
        verify_crc(&after, &bytes).unwrap();
        assert_eq!(content(&bytes), content(&sent), "{from:?} to {to:?}");
        assert_eq!(after.codec(), Ok(to));
        let same =
            BatchHeader { length: before.length, crc: before.crc, attributes: before.attributes, ..after };
        assert_eq!(same, before);
        assert_eq!(checked.bytes_len(), bytes.len());
        if from == to {
            assert_eq!(bytes, sent, "and what has the codec stays untouched");
        }
        if to == Codec::None {
            assert_eq!(bytes, builder().producer(ProducerId(9), 3, 77).transactional().build());
        }
    }
}

#[test]
fn the_log_stamps_what_it_compresses() {
    let stamping = Rules { timestamp_type: TimestampType::LogAppendTime, ..wanting(Codec::Lz4) };
    let checked = check(builder().build(), &stamping).unwrap();
    let bytes = written(&checked);
    let header = BatchHeader::parse(&bytes).unwrap();
    verify_crc(&header, &bytes).unwrap();
    assert_eq!((checked.append_time, header.max_timestamp, header.base_timestamp), (NOW, NOW, NOW));
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    assert!(records(&bytes).unwrap().all(|record| record.unwrap().timestamp == NOW));
}

#[test]
fn base_and_greatest_time_are_those_of_the_records() {
    let sent = resealed(
        &BatchBuilder::new(NOW - 50)
            .push_at(NOW - 20, None, Some(b"late"), &[])
            .push_at(NOW - 40, None, Some(b"early"), &[])
            .build(),
        |header| header.max_timestamp = 7,
    );
    let bytes = written(&check(sent.clone(), &wanting(Codec::Zstd)).unwrap());
    let header = BatchHeader::parse(&bytes).unwrap();
    assert_eq!((header.base_timestamp, header.max_timestamp), (NOW - 20, NOW - 20));
    assert_eq!(content(&bytes), content(&sent));
    // And of a batch that claims the log's time every record has the batch's.
    let claims = resealed(&sent, |header| (header.attributes, header.max_timestamp) = (0x08, NOW - 7));
    let bytes = written(&check(claims, &wanting(Codec::Gzip)).unwrap());
    let header = BatchHeader::parse(&bytes).unwrap();
    assert_eq!((header.base_timestamp, header.max_timestamp), (NOW - 7, NOW - 7));
    assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
    assert!(records(&bytes).unwrap().all(|record| record.unwrap().timestamp == NOW - 7));
}

#[test]
fn offsets_inside_are_given_anew() {
    for codec in CODECS {
        let batch = builder().finish(codec, |mut plain| {
            let second = 1 + (plain[0] / 2) as usize;
            assert_eq!(plain[second + 3], 2, "delta 1, zigzag");
            plain[second + 3] = 90;
            compress(codec, &plain)
        });
        let other = if codec == Codec::Snappy { Codec::Lz4 } else { Codec::Snappy };
        let bytes = written(&check(batch, &wanting(other)).unwrap());
        let offsets = records(&bytes).unwrap().map(|record| record.unwrap().offset.0);
        assert_eq!(offsets.collect::<Vec<_>>(), [0, 1]);
    }
}

#[test]
fn sizes_count_before_and_after() {
    let large = || BatchBuilder::new(NOW).push(None, Some(&[b'x'; 4000]), &[]);
    let (plain, small) = (large().build(), packed(large(), Codec::Zstd));
    let limited = |codec| Rules { message_bytes_max: 1000, ..wanting(codec) };
    assert!(matches!(check(plain.clone(), &limited(Codec::Zstd)), Err(Reject::TooLarge { .. })));
    let grown = check(small.clone(), &limited(Codec::None));
    assert_eq!(grown.unwrap_err(), Reject::GrownTooLarge { bytes_max: 1000 });
    let exact = Rules { message_bytes_max: plain.len(), ..wanting(Codec::None) };
    assert_eq!(written(&check(small.clone(), &exact).unwrap()), plain);
    let below = Rules { message_bytes_max: plain.len() - 1, ..wanting(Codec::None) };
    assert_eq!(check(small, &below).unwrap_err(), Reject::GrownTooLarge { bytes_max: plain.len() - 1 });
    // The segment is asked for what is written, not for what came.
    let segment = Rules { segment_bytes: 1000, ..wanting(Codec::Zstd) };
    assert!(check(plain, &segment).is_ok());
}

#[test]
fn bad_records_come_before_a_size_that_is_too_large() {
    let batch =
        BatchBuilder::new(NOW).push(None, Some(&[0; 200_000]), &[]).push_at(NOW + 3_600_001, None, None, &[]);
    let rules = Rules { message_bytes_max: 100_000, ..wanting(Codec::None) };
    assert!(matches!(check(packed(batch, Codec::Gzip), &rules), Err(Reject::Timestamp { .. })));
}

#[test]
fn what_is_wrong_is_refused_as_ever() {
    for (from, to) in [(Codec::None, Codec::Gzip), (Codec::Lz4, Codec::Zstd), (Codec::Snappy, Codec::None)] {
        let batch = packed(builder(), from);
        let compacted = Rules { compacted: true, ..wanting(to) };
        assert!(check(batch.clone(), &compacted).is_ok());
        let keyless = BatchBuilder::new(NOW).push(Some(b"k"), None, &[]).push(None, None, &[]);
        let refused = check(packed(keyless, from), &compacted).unwrap_err();
        assert_eq!(refused.record_errors().iter().map(|e| e.index).collect::<Vec<_>>(), [1]);
        let changes: [fn(&mut Vec<u8>); 3] =
            [|plain| plain[0] += 2, |plain| plain[0] -= 2, |plain| plain.push(0)];
        for change in changes {
            let bad = builder().finish(from, |mut plain| {
                change(&mut plain);
                compress(from, &plain)
            });
            // Trusted or not, records that are written anew are looked at.
            let trusting = Rules { walk: RecordValidation::Header, ..wanting(to) };
            assert!(matches!(check(bad, &trusting), Err(Reject::Invalid { .. })));
        }
        let negative = packed(BatchBuilder::new(-5).push(None, None, &[]), from);
        assert!(check(negative.clone(), &rules()).is_ok());
        assert!(matches!(check(negative, &wanting(to)), Err(Reject::Invalid { .. })));
        assert!(check(packed(BatchBuilder::new(-1).push(None, None, &[]), from), &wanting(to)).is_ok());
    }
}

proptest! {
    /// Any change of a batch's records is survived; what is written anew holds what the one that came holds.
    #[test]
    fn mutated_batches_never_panic(
        from in 0usize..5,
        to in 0usize..5,
        changes in proptest::collection::vec((21usize..400, any::<u8>()), 0..4),
    ) {
        let mut bytes = packed(builder(), CODECS[from]).to_vec();
        for (at, with) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
        }
        let batch = resealed(&bytes, |_| {});
        if let Ok(checked) = check(batch.clone(), &wanting(CODECS[to])) {
            let bytes = written(&checked);
            let header = BatchHeader::parse(&bytes).unwrap();
            prop_assert!(verify_crc(&header, &bytes).is_ok());
            let values = |batch: &[u8]| -> Vec<_> {
                let all = records(batch).unwrap().map(|record| record.unwrap());
                all.map(|record| format!("{} {:?} {:?} {:?}", record.timestamp, record.key, record.value, record.headers)).collect()
            };
            prop_assert_eq!(values(&bytes), values(&batch));
        }
    }

    #[test]
    fn any_records_keep_their_content(
        some in proptest::collection::vec(
            (proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
             proptest::option::of(proptest::collection::vec(0u8..5, 0..3000)),
             -2_000_000i64..2_000_000),
            1..60,
        ),
        from in 0usize..5,
        to in 0usize..5,
    ) {
        let mut batch = BatchBuilder::new(NOW);
        for (key, value, delta) in &some {
            batch = batch.push_at(NOW + delta, key.as_deref(), value.as_deref(), &[("h", key.as_deref())]);
        }
        let sent = packed(batch, CODECS[from]);
        let bytes = written(&check(sent.clone(), &wanting(CODECS[to])).unwrap());
        prop_assert_eq!(content(&bytes), content(&sent));
    }
}
