//! zstd frames, one behind the other.
//!
//! Invariants: a frame's window is at most [`READ_WINDOW_LOG_MAX`], which is what decoders accept by default; a context
//! that a large window has grown is not kept.

use std::io;

use ::zstd::zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name,
};

use super::pool::{Pooled, kept};
use super::{CompressError, bad};

/// zstd's own default limit of what a decoder accepts (128 MiB, of which only touched pages are real): level 22 uses it.
const READ_WINDOW_LOG_MAX: u32 = 27;
/// The largest window of a batch that is little work.
const LIGHT_WINDOW_LOG_MAX: u32 = 23;
/// Windows that we write are at most 8 MiB, which is level 19's: larger ones cost memory, and no batch is so large.
const WRITTEN_WINDOW_LOG_MAX: u32 = 23;
/// The window that our encoder wants at least.
const WRITTEN_WINDOW_LOG_MIN: u32 = 10;
const KEPT_CONTEXT_BYTES_MAX: usize = 8 << 20;
/// Room made in one go for what the encoder gives.
const OUT_BYTES: usize = 8 << 10;

/// The library's words; its codes are not public.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

struct Decoder(DCtx<'static>);

kept!(Decoder, |this| this.0.sizeof() <= KEPT_CONTEXT_BYTES_MAX);

pub(super) struct Reader<'a> {
    input: InBuffer<'a>,
    bytes: usize,
    decoder: Pooled<Decoder>,
    is_in_frame: bool,
    takes_small_windows_only: bool,
}

fn no_memory<T>(_: T) -> io::Error {
    io::Error::from(io::ErrorKind::OutOfMemory)
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> io::Result<Reader<'a>> {
        let mut decoder =
            Pooled::get(|_| true, || DCtx::try_create().map(Decoder).ok_or(())).map_err(no_memory)?;
        decoder.0.reset(ResetDirective::SessionOnly).map_err(no_memory)?;
        let window = DParameter::WindowLogMax(READ_WINDOW_LOG_MAX);
        decoder.0.set_parameter(window).map_err(no_memory)?;
        // No bytes at all are no frame: the first has to come.
        Ok(Reader {
            input: InBuffer::around(input),
            bytes: input.len(),
            decoder,
            is_in_frame: true,
            takes_small_windows_only: false,
        })
    }

    /// From here on a larger window is an error of the kind [`io::ErrorKind::QuotaExceeded`].
    pub(super) fn take_small_windows_only(&mut self) -> io::Result<()> {
        self.takes_small_windows_only = true;
        let window = DParameter::WindowLogMax(LIGHT_WINDOW_LOG_MAX);
        self.decoder.0.set_parameter(window).map(drop).map_err(no_memory)
    }

    fn error(&self, code: usize) -> io::Error {
        let why = get_error_name(code);
        if self.takes_small_windows_only && why == WINDOW_TOO_LARGE {
            return io::ErrorKind::QuotaExceeded.into();
        }
        io::Error::new(io::ErrorKind::InvalidData, format!("zstd: {why}"))
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !buf.is_empty() {
            let had = self.input.pos();
            if had == self.bytes && !self.is_in_frame {
                return Ok(0);
            }
            let mut out = OutBuffer::around(buf);
            let left = self.decoder.0.decompress_stream(&mut out, &mut self.input);
            let given = out.pos();
            let left = left.map_err(|code| self.error(code))?;
            self.is_in_frame = left > 0;
            if given > 0 {
                return Ok(given);
            }
            if left > 0 && self.input.pos() == had {
                return Err(bad("a zstd frame is cut short"));
            }
        }
        Ok(0)
    }
}

struct Encoder(CCtx<'static>);

kept!(Encoder, |this| this.0.sizeof() <= KEPT_CONTEXT_BYTES_MAX);

pub(super) struct Writer {
    encoder: Pooled<Encoder>,
}

fn failed(code: usize) -> CompressError {
    CompressError::Codec(format!("zstd: {}", get_error_name(code)))
}

impl Writer {
    /// `about_bytes` are to come, as far as that is known; more or less are no mistake.
    pub(super) fn new(level: i32, about_bytes: Option<usize>) -> Result<Writer, CompressError> {
        let made = || {
            let context = CCtx::try_create().map(Encoder);
            context.ok_or_else(|| CompressError::Codec("zstd: no memory for a context".to_owned()))
        };
        let mut encoder = Pooled::get(|_| true, made)?;
        encoder.0.reset(ResetDirective::SessionAndParameters).map_err(failed)?;
        encoder.0.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        if let Some(log) = window_log(level, about_bytes) {
            encoder.0.set_parameter(CParameter::WindowLog(log)).map_err(failed)?;
        }
        Ok(Writer { encoder })
    }

    pub(super) fn block(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        let mut input = InBuffer::around(plain);
        while input.pos() < plain.len() {
            out.reserve(OUT_BYTES);
            let at = out.len();
            let mut output = OutBuffer::around_pos(out, at);
            self.encoder.0.compress_stream(&mut output, &mut input).map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), CompressError> {
        loop {
            out.reserve(OUT_BYTES);
            let at = out.len();
            let mut output = OutBuffer::around_pos(out, at);
            if self.encoder.0.end_stream(&mut output).map_err(failed)? == 0 {
                return Ok(());
            }
        }
    }
}

/// The window to write with, where it is not the level's own. Small batches need no large one, nor its tables.
fn window_log(level: i32, about_bytes: Option<usize>) -> Option<u32> {
    /// Up to here no level's window is larger than what we allow.
    const LEVEL_OF_WRITTEN_WINDOW: i32 = 19;
    let needed = about_bytes.map(|bytes| usize::BITS - bytes.leading_zeros());
    // The library's levels have windows of 512 KiB and more: a smaller one saves, a larger one would only cost.
    const SMALLEST_OF_LEVELS: u32 = 19;
    match needed {
        Some(log) if log < SMALLEST_OF_LEVELS => Some(log.max(WRITTEN_WINDOW_LOG_MIN)),
        _ if level > LEVEL_OF_WRITTEN_WINDOW => Some(WRITTEN_WINDOW_LOG_MAX),
        _ => None,
    }
}
