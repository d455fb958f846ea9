//! Record batches (magic 2) as a producer sends them.
//!
//! Invariants: the checksum covers all from the attributes on; base offset 0 and leader epoch -1, which the broker
//! stamps; offset deltas count up by one. Values are printable noise, so that nothing compresses them by accident.

use anyhow::{Context, Result};

use super::Writer;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Lz4,
    Zstd,
}

impl Codec {
    /// Its number in a batch's attributes.
    fn number(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    fn compress(self, records: Vec<u8>) -> Result<Vec<u8>> {
        match self {
            Self::None => Ok(records),
            Self::Lz4 => Ok(lz4_frame(&records)),
            Self::Zstd => zstd::bulk::compress(&records, ZSTD_LEVEL).context("compressing by zstd"),
        }
    }
}

/// What Kafka's producer takes by default.
const ZSTD_LEVEL: i32 = 3;
/// The head of an lz4 frame of independent blocks of up to 64 KiB, without checksums but for the head's own.
const LZ4_HEAD: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const LZ4_BLOCK_BYTES: usize = 64 << 10;
/// The bit that marks a block which compression would make longer.
const LZ4_PLAIN: u32 = 1 << 31;

fn lz4_frame(records: &[u8]) -> Vec<u8> {
    let mut frame = LZ4_HEAD.to_vec();
    for block in records.chunks(LZ4_BLOCK_BYTES) {
        let packed = lz4_flex::block::compress(block);
        let (len, bytes) = match packed.len() < block.len() {
            true => (packed.len() as u32, packed.as_slice()),
            false => (block.len() as u32 | LZ4_PLAIN, block),
        };
        frame.extend_from_slice(&len.to_le_bytes());
        frame.extend_from_slice(bytes);
    }
    frame.extend_from_slice(&0u32.to_le_bytes());
    frame
}

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
    let (count, records) = encode_records(keyed);
    around(count, Codec::None, &records, timestamp_ms)
}

/// How many they are, and their bytes before compression.
fn encode_records<'a>(keyed: impl IntoIterator<Item = (Option<u64>, &'a [u8])>) -> (i32, Vec<u8>) {
    let mut records = Writer::default();
    let mut count = 0i32;
    for (key, value) in keyed {
        let body = record_body(count, key, value);
        records.varint(body.len() as i64);
        records.raw(&body);
        count += 1;
    }
    assert!(count > 0, "an empty batch is none");
    (count, records.into_bytes())
}

/// The batch around records that are compressed as it says.
fn around(count: i32, codec: Codec, records: &[u8], timestamp_ms: i64) -> Vec<u8> {
    let mut batch = Writer::default();
    batch.i64(0); // base offset
    batch.i32(0); // length, below
    batch.i32(-1); // leader epoch
    batch.i8(2); // magic
    batch.i32(0); // checksum, below
    batch.i16(codec.number()); // attributes: and create time
    batch.i32(count - 1);
    batch.i64(timestamp_ms);
    batch.i64(timestamp_ms);
    batch.i64(-1); // producer id
    batch.i16(-1); // producer epoch
    batch.i32(-1); // base sequence
    batch.i32(count);
    batch.raw(records);
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
    let values = values_within(batch_bytes_max, value_bytes, || noise.bytes(value_bytes));
    let batch = encode(values.iter().map(Vec::as_slice), timestamp_ms);
    (batch, values.len() as u32)
}

/// The same of values that compress as lines of a log do, where the batch is compressed to about `batch_bytes`.
pub(crate) fn fill_compressed(
    codec: Codec,
    batch_bytes: usize,
    value_bytes: usize,
    timestamp_ms: i64,
) -> Result<(Vec<u8>, u32)> {
    let packed = |plain_bytes: usize| {
        let mut noise = Noise::new(value_bytes as u64);
        let values = values_within(plain_bytes, value_bytes, || noise.line(value_bytes));
        let (count, plain) = encode_records(values.iter().map(|value| (None, value.as_slice())));
        Ok::<_, anyhow::Error>((count, around(count, codec, &codec.compress(plain)?, timestamp_ms)))
    };
    // The producer, too, goes by what compression gained before.
    let (_, first) = packed(batch_bytes)?;
    let (count, batch) = packed(batch_bytes * batch_bytes / first.len())?;
    Ok((batch, count as u32))
}

/// As many values as stay within so many bytes of a batch, and one at least.
fn values_within(bytes_max: usize, value_bytes: usize, mut value: impl FnMut() -> Vec<u8>) -> Vec<Vec<u8>> {
    let header_bytes = encode([&[][..]], 0).len() - sized(0, 0);
    let (mut values, mut bytes) = (Vec::new(), header_bytes);
    loop {
        bytes += sized(values.len() as i32, value_bytes);
        if bytes > bytes_max && !values.is_empty() {
            return values;
        }
        values.push(value());
    }
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

    /// What is the same in most lines of a log, and what is not.
    fn line(&mut self, len: usize) -> Vec<u8> {
        let mut line = Vec::with_capacity(len + 32);
        while line.len() < len {
            line.extend_from_slice(b"{\"level\":\"info\",\"took_ms\":");
            line.extend_from_slice(
                format!("{:<5},\"id\":\"{:016x}\"}}", self.next() % 10_000, self.next()).as_bytes(),
            );
        }
        line.truncate(len);
        line
    }
}
