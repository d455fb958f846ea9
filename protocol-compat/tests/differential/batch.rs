//! Record batches as bytes, built so that every part can be wrong on its own, and read back without mercy.
//!
//! This is on purpose none of the broker's code: what both sides misread alike would stay unseen.

use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};

pub(crate) const HEADER_BYTES: usize = 61;
/// Bytes before the part that the length counts.
const OVERHEAD_BYTES: usize = 12;
const CRC_FROM: usize = 21;
const XERIAL_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];

pub(crate) const LOG_APPEND_TIME: i16 = 0x08;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
pub(crate) const CONTROL: i16 = 0x20;
pub(crate) const DELETE_HORIZON: i16 = 0x40;

/// How the records of a batch are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Gzip,
    RawSnappy,
    XerialSnappy,
    Lz4,
    Zstd,
}

impl Form {
    pub(crate) const ALL: [Self; 6] =
        [Self::Plain, Self::Gzip, Self::RawSnappy, Self::XerialSnappy, Self::Lz4, Self::Zstd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::RawSnappy => "raw-snappy",
            Self::XerialSnappy => "xerial-snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    pub(crate) fn is_compressed(self) -> bool {
        self != Self::Plain
    }

    /// The number in the batch's attributes.
    fn codec(self) -> i16 {
        match self {
            Self::Plain => 0,
            Self::Gzip => 1,
            Self::RawSnappy | Self::XerialSnappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    pub(crate) fn pack(self, plain: &[u8]) -> Vec<u8> {
        let packed = || -> Result<Vec<u8>> {
            Ok(match self {
                Self::Plain => plain.to_vec(),
                Self::Gzip => {
                    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                    out.write_all(plain)?;
                    out.finish()?
                }
                Self::RawSnappy => snap::raw::Encoder::new().compress_vec(plain)?,
                Self::XerialSnappy => {
                    let block = snap::raw::Encoder::new().compress_vec(plain)?;
                    let length = u32::try_from(block.len())?.to_be_bytes();
                    [&XERIAL_HEADER[..], &length, &block].concat()
                }
                Self::Lz4 => {
                    let info =
                        lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
                    let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                    out.write_all(plain)?;
                    out.finish()?
                }
                Self::Zstd => zstd::stream::encode_all(plain, 0)?,
            })
        };
        packed().expect("memory takes every byte")
    }
}

fn unpack(codec: i16, packed: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    match codec {
        0 => plain.extend_from_slice(packed),
        1 => drop(flate2::read::GzDecoder::new(packed).read_to_end(&mut plain)?),
        2 => match packed.strip_prefix(&XERIAL_HEADER[..8]) {
            None => plain = snap::raw::Decoder::new().decompress_vec(packed)?,
            Some(stream) => {
                let mut rest = stream.get(8..).context("a xerial header that is cut")?;
                while let Some((length, behind)) = rest.split_first_chunk::<4>() {
                    let (block, behind) = behind
                        .split_at_checked(u32::from_be_bytes(*length) as usize)
                        .context("a xerial block that is cut")?;
                    plain.extend(snap::raw::Decoder::new().decompress_vec(block)?);
                    rest = behind;
                }
            }
        },
        3 => drop(lz4_flex::frame::FrameDecoder::new(packed).read_to_end(&mut plain)?),
        4 => plain = zstd::stream::decode_all(packed)?,
        other => anyhow::bail!("codec {other}"),
    }
    Ok(plain)
}

/// One record, with whatever numbers it is to claim.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub attributes: u8,
    pub time: i64,
    pub offset: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, Option<Vec<u8>>)>,
}

impl Record {
    pub(crate) fn new(offset: i32, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        Self { attributes: 0, time: i64::from(offset), offset, key, value, headers: Vec::new() }
    }

    /// Everything behind the record's length.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut out = vec![self.attributes];
        varint(&mut out, self.time);
        varint(&mut out, i64::from(self.offset));
        field(&mut out, self.key.as_deref());
        field(&mut out, self.value.as_deref());
        varint(&mut out, self.headers.len() as i64);
        for (name, value) in &self.headers {
            field(&mut out, Some(name.as_bytes()));
            field(&mut out, value.as_deref());
        }
        out
    }
}

fn field(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Kafka's zigzag variable-length number.
pub(crate) fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Records one behind the other.
pub(crate) fn sequence(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for body in bodies {
        varint(&mut out, body.len() as i64);
        out.extend_from_slice(body);
    }
    out
}

/// A batch before it is bytes.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub magic: i8,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_time: i64,
    pub max_time: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub sequence: i32,
    pub count: i32,
    /// The records as they are packed.
    pub body: Vec<u8>,
    /// What the length says instead of the truth.
    pub length: Option<i32>,
    /// What the checksum is instead of the right one.
    pub crc: Option<u32>,
}

impl Batch {
    /// A batch in which everything is right.
    pub(crate) fn of(form: Form, base_time: i64, records: &[Record]) -> Self {
        let bodies: Vec<_> = records.iter().map(Record::body).collect();
        let times = records.iter().map(|record| base_time.saturating_add(record.time));
        Self {
            max_time: times.max().unwrap_or(base_time),
            ..Self::with_plain(form, base_time, records.len(), &sequence(&bodies))
        }
    }

    /// A batch that says it has `count` records and holds these bytes.
    pub(crate) fn with_plain(form: Form, base_time: i64, count: usize, plain: &[u8]) -> Self {
        let count = i32::try_from(count).expect("the suite's batches are small");
        Self {
            base_offset: 0,
            leader_epoch: -1,
            magic: 2,
            attributes: form.codec(),
            last_offset_delta: count - 1,
            base_time,
            max_time: base_time,
            producer_id: -1,
            producer_epoch: -1,
            sequence: -1,
            count,
            body: form.pack(plain),
            length: None,
            crc: None,
        }
    }

    pub(crate) fn produced_by(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        (self.producer_id, self.producer_epoch, self.sequence) = (id, epoch, sequence);
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let length = (HEADER_BYTES - OVERHEAD_BYTES + self.body.len()) as i32;
        let mut out = Vec::with_capacity(HEADER_BYTES + self.body.len());
        out.extend(self.base_offset.to_be_bytes());
        out.extend(self.length.unwrap_or(length).to_be_bytes());
        out.extend(self.leader_epoch.to_be_bytes());
        out.extend(self.magic.to_be_bytes());
        out.extend([0; 4]);
        out.extend(self.attributes.to_be_bytes());
        out.extend(self.last_offset_delta.to_be_bytes());
        out.extend(self.base_time.to_be_bytes());
        out.extend(self.max_time.to_be_bytes());
        out.extend(self.producer_id.to_be_bytes());
        out.extend(self.producer_epoch.to_be_bytes());
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.count.to_be_bytes());
        out.extend_from_slice(&self.body);
        let crc = self.crc.unwrap_or_else(|| crc32c::crc32c(&out[CRC_FROM..]));
        out[17..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        out
    }
}

/// A batch as a consumer gets it, but for what may differ: the leader epoch, and how the same records are packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub base_offset: i64,
    pub last_offset_delta: i32,
    pub attributes: i16,
    pub base_time: i64,
    pub max_time: i64,
    pub producer: (i64, i16, i32),
    pub count: i32,
    pub plain: Vec<u8>,
}

/// The whole batches of a Fetch reply, each with a right checksum.
pub(crate) fn read_all(mut rest: &[u8]) -> Result<Vec<Served>> {
    let mut found = Vec::new();
    while rest.len() >= HEADER_BYTES {
        let length = usize::try_from(i32::from_be_bytes(part(rest, 8)))? + OVERHEAD_BYTES;
        if length > rest.len() {
            break;
        }
        let (batch, behind) = rest.split_at(length);
        found.push(read(batch)?);
        rest = behind;
    }
    Ok(found)
}

fn read(batch: &[u8]) -> Result<Served> {
    let crc = u32::from_be_bytes(part(batch, 17));
    ensure!(crc == crc32c::crc32c(&batch[CRC_FROM..]), "a batch with a wrong checksum is served");
    let attributes = i16::from_be_bytes(part(batch, 21));
    Ok(Served {
        base_offset: i64::from_be_bytes(part(batch, 0)),
        last_offset_delta: i32::from_be_bytes(part(batch, 23)),
        attributes,
        base_time: i64::from_be_bytes(part(batch, 27)),
        max_time: i64::from_be_bytes(part(batch, 35)),
        producer: (
            i64::from_be_bytes(part(batch, 43)),
            i16::from_be_bytes(part(batch, 51)),
            i32::from_be_bytes(part(batch, 53)),
        ),
        count: i32::from_be_bytes(part(batch, 57)),
        plain: unpack(attributes & 7, &batch[HEADER_BYTES..])?,
    })
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("as long as asked")
}
