//! gzip members (RFC 1952), read as Java reads them and written with the shortest header.
//!
//! Layout: magic 2, method 1, flags 1, time 4, extra flags 1, system 1, then as flagged an extra field, a name, a
//! comment and a checksum of the header; deflated data; CRC-32 of the plain bytes 4, their length 4, little-endian.
//! Members may follow each other; what follows and is none, or is too short to be one, is not looked at.

use std::io;

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::pool::{Pooled, kept};
use super::{CompressError, bad, take};

/// The level that lets the library choose.
pub(super) const LEVEL_DEFAULT: i32 = -1;
const LEVEL_MIN: i32 = 1;
const LEVEL_MAX: i32 = 9;

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const TRAILER_BYTES: usize = 8;
/// Java looks for another member behind one only where more than a header and a trailer remain.
const MEMBER_BYTES_MIN: usize = HEADER.len() + TRAILER_BYTES;

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
/// Room made in one go for what the encoder gives.
const OUT_BYTES: usize = 8 << 10;

struct Inflate(Decompress);

kept!(Inflate, |_this| true);

pub(super) struct Reader<'a> {
    rest: &'a [u8],
    inflate: Pooled<Inflate>,
    crc: Crc,
    is_ended: bool,
}

/// Takes a member's header from `rest`.
fn header(rest: &mut &[u8]) -> io::Result<()> {
    let from = *rest;
    let fixed = take(rest, HEADER.len())?;
    if fixed[..3] != HEADER[..3] {
        return Err(bad("it is no gzip stream"));
    }
    let flags = fixed[3];
    if flags & EXTRA != 0 {
        let len = take(rest, 2)?;
        take(rest, usize::from(u16::from_le_bytes(len.try_into().expect("two bytes"))))?;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0).ok_or_else(|| bad("a gzip header is cut"))?;
            take(rest, end + 1)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        let mut crc = Crc::new();
        crc.update(&from[..from.len() - rest.len()]);
        if take(rest, 2)? != (crc.sum() as u16).to_le_bytes() {
            return Err(bad("the checksum of a gzip header is wrong"));
        }
    }
    Ok(())
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> io::Result<Reader<'a>> {
        let mut rest = input;
        header(&mut rest)?;
        let made = || Ok::<_, io::Error>(Inflate(Decompress::new(false)));
        let mut inflate = Pooled::get(|_| true, made)?;
        inflate.0.reset(false);
        Ok(Reader { rest, inflate, crc: Crc::new(), is_ended: false })
    }

    /// Checks what stands behind a member's data, and begins the next.
    fn end_member(&mut self) -> io::Result<()> {
        let trailer = take(&mut self.rest, TRAILER_BYTES)?;
        let of_member = [self.crc.sum().to_le_bytes(), self.crc.amount().to_le_bytes()].concat();
        if trailer != of_member {
            return Err(bad("the checksum of a gzip stream is wrong"));
        }
        let mut next = self.rest;
        self.is_ended = self.rest.len() <= MEMBER_BYTES_MIN || header(&mut next).is_err();
        if !self.is_ended {
            self.rest = next;
            self.inflate.0.reset(false);
            self.crc.reset();
        }
        Ok(())
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.is_ended && !buf.is_empty() {
            let inflate = &mut self.inflate.0;
            let (taken, given) = (inflate.total_in(), inflate.total_out());
            let status = inflate
                .decompress(self.rest, buf, FlushDecompress::None)
                .map_err(|_| bad("a gzip stream does not decode"))?;
            let taken = (inflate.total_in() - taken) as usize;
            let given = (inflate.total_out() - given) as usize;
            self.rest = &self.rest[taken..];
            self.crc.update(&buf[..given]);
            if status == Status::StreamEnd {
                self.end_member()?;
            } else if taken == 0 && given == 0 {
                return Err(bad("a gzip stream is cut short"));
            }
            if given > 0 {
                return Ok(given);
            }
        }
        Ok(0)
    }
}

struct Deflate {
    level: Compression,
    state: Compress,
}

kept!(Deflate, |_this| true);

pub(super) struct Writer {
    deflate: Pooled<Deflate>,
    crc: Crc,
}

impl Writer {
    pub(super) fn new(level: i32, out: &mut Vec<u8>) -> Writer {
        out.extend(HEADER);
        let level = match level {
            LEVEL_MIN..=LEVEL_MAX => Compression::new(level as u32),
            _ => Compression::default(),
        };
        let made =
            || Ok::<_, std::convert::Infallible>(Deflate { level, state: Compress::new(level, false) });
        let Ok(mut deflate) = Pooled::get(|kept: &Deflate| kept.level == level, made);
        deflate.state.reset();
        Writer { deflate, crc: Crc::new() }
    }

    fn deflate(
        &mut self,
        mut plain: &[u8],
        out: &mut Vec<u8>,
        flush: FlushCompress,
    ) -> Result<(), CompressError> {
        loop {
            out.reserve(OUT_BYTES);
            let taken = self.deflate.state.total_in();
            let status = self.deflate.state.compress_vec(plain, out, flush);
            let status = status.map_err(|error| CompressError::Codec(error.to_string()))?;
            plain = &plain[(self.deflate.state.total_in() - taken) as usize..];
            let is_done = match flush {
                FlushCompress::Finish => status == Status::StreamEnd,
                _ => plain.is_empty(),
            };
            if is_done {
                return Ok(());
            }
        }
    }

    pub(super) fn block(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        self.crc.update(plain);
        self.deflate(plain, out, FlushCompress::None)
    }

    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), CompressError> {
        self.deflate(&[], out, FlushCompress::Finish)?;
        out.extend(self.crc.sum().to_le_bytes());
        out.extend(self.crc.amount().to_le_bytes());
        Ok(())
    }
}
