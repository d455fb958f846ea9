//! Record batches (magic 2, uncompressed) as a producer sends them.
//!
//! Invariants: the checksum covers all from the attributes on; base offset 0 and leader epoch -1, which the broker
//! stamps; offset deltas count up by one. Values are printable noise, so that nothing compresses them by accident.

use super::Writer;

/// Where the length field ends: a batch is this much longer than its length says.
pub(crate) const LENGTH_END: usize = 12;
const CRC_AT: usize = 17;
const CRC_END: usize = 21;

/// One uncompressed batch of these values, all stamped with one time.
pub(crate) fn encode<'a>(values: impl IntoIterator<Item = &'a [u8]>, timestamp_ms: i64) -> Vec<u8> {
    encode_keyed(values.into_iter().map(|value| (None, value)), timestamp_ms)
}

/// The same with keys.
pub(crate) fn encode_keyed<'a>(
    keyed: impl IntoIterator<Item = (Option<u64>, &'a [u8])>,
    timestamp_ms: i64,
) -> Vec<u8> {
    let mut records = Writer::default();
    let mut count = 0i32;
    for (key, value) in keyed {
        let body = record_body(count, key, value);
        records.varint(body.len() as i64);
        records.raw(&body);
        count += 1;
    }
    assert!(count > 0, "an empty batch is none");
    let mut batch = Writer::default();
    batch.i64(0); // base offset
    batch.i32(0); // length, below
    batch.i32(-1); // leader epoch
    batch.i8(2); // magic
    batch.i32(0); // checksum, below
    batch.i16(0); // attributes: no compression, create time
    batch.i32(count - 1);
    batch.i64(timestamp_ms);
    batch.i64(timestamp_ms);
    batch.i64(-1); // producer id
    batch.i16(-1); // producer epoch
    batch.i32(-1); // base sequence
    batch.i32(count);
    batch.raw(&records.into_bytes());
    seal(batch.into_bytes())
}

fn record_body(offset_delta: i32, key: Option<u64>, value: &[u8]) -> Vec<u8> {
    let mut body = Writer::default();
    body.i8(0); // attributes
    body.varint(0); // timestamp delta
    body.varint(i64::from(offset_delta));
    match key {
        None => body.varint(-1),
        Some(key) => {
            body.varint(8);
            body.i64(key as i64);
        }
    }
    body.varint(value.len() as i64);
    body.raw(value);
    body.varint(0); // headers
    body.into_bytes()
}

fn seal(mut batch: Vec<u8>) -> Vec<u8> {
    let len = (batch.len() - LENGTH_END) as i32;
    batch[LENGTH_END - 4..LENGTH_END].copy_from_slice(&len.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_END..]);
    batch[CRC_AT..CRC_END].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// A batch of as many values of `value_bytes` as stay within `batch_bytes_max`, and one at least, as the
/// producer's `batch.size` does it. Returns the batch and its number of records.
pub(crate) fn fill(batch_bytes_max: usize, value_bytes: usize, timestamp_ms: i64) -> (Vec<u8>, u32) {
    let mut noise = Noise::new(value_bytes as u64);
    let header_bytes = encode([&[][..]], 0).len() - sized(0, 0);
    let mut values = Vec::new();
    let mut bytes = header_bytes;
    loop {
        bytes += sized(values.len() as i32, value_bytes);
        if bytes > batch_bytes_max && !values.is_empty() {
            break;
        }
        values.push(noise.bytes(value_bytes));
    }
    let batch = encode(values.iter().map(Vec::as_slice), timestamp_ms);
    (batch, values.len() as u32)
}

/// The bytes of a record in its batch, its own length included.
fn sized(offset_delta: i32, value_bytes: usize) -> usize {
    let mut record = Writer::default();
    let body = record_body(offset_delta, None, &vec![0; value_bytes]);
    record.varint(body.len() as i64);
    record.len() + body.len()
}

/// xorshift: the same bytes in every run, so that every run does the same work.
#[derive(Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| b'!' + (self.next() % 94) as u8).collect()
    }
}
