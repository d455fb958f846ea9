//! A batch as it was sent, and what is in it.

use bytes::Bytes;
use storage::codec::compress;
use storage::{BatchHeader, Codec, Encoding, ProducerId, records};

/// Bytes of a batch's header, and where in it the attributes and what the checksum covers begin.
const HEADER_BYTES: usize = 61;
const ATTRIBUTES_AT: usize = 21;
/// What a batch's length does not count.
const OVERHEAD_BYTES: usize = 12;

/// A record's key and value.
pub(crate) type Content = (Vec<u8>, Option<Vec<u8>>);

#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) bytes: Bytes,
    pub(crate) header: BatchHeader,
    pub(crate) records: Vec<Content>,
}

impl Batch {
    pub(crate) fn of(bytes: Bytes) -> Batch {
        let header = BatchHeader::parse(&bytes).unwrap();
        let records = contents(&bytes).into_iter().map(|(_, content)| content).collect();
        Batch { bytes, header, records }
    }

    pub(crate) fn count(&self) -> i64 {
        i64::from(self.header.last_offset_delta) + 1
    }

    pub(crate) fn has_producer(&self) -> bool {
        self.header.producer_id != ProducerId::NONE
    }

    /// Whether it commits, if it ends a transaction.
    pub(crate) fn marker(&self) -> Option<bool> {
        self.header.is_control().then(|| commits(&self.records[0].0))
    }

    /// Base offset and epoch were stamped; all else is as it came.
    pub(crate) fn is(&self, found: &[u8]) -> bool {
        let sent = &self.bytes;
        found.len() == sent.len() && found[8..12] == sent[8..12] && found[16..] == sent[16..]
    }
}

/// What the key of a transaction's end says: version, then 0 to abort or 1 to commit.
pub(crate) fn commits(key: &[u8]) -> bool {
    key[..4] == [0, 0, 0, 1]
}

/// The records of a whole batch with their offsets.
pub(crate) fn contents(batch: &[u8]) -> Vec<(i64, Content)> {
    let content = |record: storage::Record<'_>| {
        let key = record.key.expect("every record has a key").into_owned();
        (record.offset.0, (key, record.value.map(|value| value.into_owned())))
    };
    records(batch).unwrap().map(|record| content(record.unwrap())).collect()
}

/// The same batch, its records compressed.
pub(crate) fn compressed(batch: Bytes, codec: Codec) -> Bytes {
    if codec == Codec::None {
        return batch;
    }
    let mut header = BatchHeader::parse(&batch).unwrap();
    let records = compress(Encoding::of(codec), &batch[HEADER_BYTES..]);
    header.length = (HEADER_BYTES - OVERHEAD_BYTES + records.len()) as i32;
    header.attributes |= i16::from(codec.id());
    header.crc = crc32c::crc32c_append(crc32c::crc32c(&header.encode()[ATTRIBUTES_AT..]), &records);
    [&header.encode()[..], &records].concat().into()
}
