//! Targets that take bytes as a producer sends them: one batch, or the compressed records of one.

use std::io::Read;

use bytes::Bytes;

use crate::batch::{BatchHeader, HEADER_BYTES, TimestampType, verify_crc};
use crate::codec::{Codec, Encoding, compress, decompress};
use crate::records::records;
use crate::validate::{Checked, RecordValidation, Rules, check};

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const PLAIN_BYTES_MAX: u64 = 1 << 20;

fn plain(codec: Codec, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = decompress(codec, bytes, PLAIN_BYTES_MAX).and_then(|mut reader| reader.read_to_end(&mut out));
    assert!(out.len() as u64 <= PLAIN_BYTES_MAX, "more came out than was allowed");
    read.is_ok().then_some(out)
}

/// What stands behind a batch's header, as a stream of every codec. What decodes comes back from its own encoder.
pub fn compressed(bytes: &[u8]) {
    let records = bytes.get(HEADER_BYTES..).unwrap_or(bytes);
    for codec in CODECS {
        let Some(found) = plain(codec, records) else { continue };
        assert_eq!(plain(codec, &compress(Encoding::of(codec), &found)), Some(found));
    }
}

fn rules(walk: RecordValidation, compression: Option<Encoding>) -> Rules {
    Rules {
        message_bytes_max: 1 << 20,
        segment_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
        now_ms: 0,
        compacted: false,
        walk,
        compression,
        zstd_allowed: true,
    }
}

/// What a log would write.
fn written(checked: &Checked) -> Vec<u8> {
    let batch = &checked.batches[0];
    let prefix = batch.prefix_bytes();
    [&batch.header.encode()[..prefix], &batch.bytes[prefix..]].concat()
}

/// A reader's view of a record, but for its offset.
fn content(batch: &[u8]) -> Vec<String> {
    let all = records(batch).expect("it was accepted").map(|record| record.expect("it was accepted"));
    all.map(|record| format!("{} {:?} {:?} {:?}", record.timestamp, record.key, record.value, record.headers))
        .collect()
}

/// The first batch: if it is taken, a reader finds as many records as it says, and the same ones in every codec.
pub fn sent_batch(bytes: &[u8]) {
    let end = BatchHeader::parse(bytes).map_or(bytes.len(), |header| header.total_bytes().min(bytes.len()));
    let mut sent = bytes[..end].to_vec();
    // Producers count from 0, and a log's batches are good to begin with.
    sent.iter_mut().take(8).for_each(|byte| *byte = 0);
    let sent = Bytes::from(sent);
    if let Ok(trusted) = check(sent.clone(), &rules(RecordValidation::Header, None)) {
        let bytes = written(&trusted);
        let header = BatchHeader::parse(&bytes).expect("it was accepted");
        assert_eq!(verify_crc(&header, &bytes), Ok(()));
    }
    let Ok(checked) = check(sent.clone(), &rules(RecordValidation::Full, None)) else { return };
    let bytes = written(&checked);
    let found = content(&bytes);
    assert_eq!(found.len() as i64, checked.record_count());
    // Of a batch that claims the log's own time, records keep theirs where only the header changes, and get the batch's
    // where they are written anew: so it is in Kafka.
    let claims_append_time =
        BatchHeader::parse(&sent).is_ok_and(|header| header.timestamp_type() == TimestampType::LogAppendTime);
    for codec in CODECS {
        let Ok(anew) = check(sent.clone(), &rules(RecordValidation::Full, Some(Encoding::of(codec)))) else {
            // Larger than allowed, or with times that are taken only as they come.
            continue;
        };
        let anew = written(&anew);
        let header = BatchHeader::parse(&anew).expect("it is our own");
        assert_eq!((header.codec(), verify_crc(&header, &anew)), (Ok(codec), Ok(())));
        assert!(claims_append_time || content(&anew) == found, "{:?} is not {found:?}", content(&anew));
    }
}
