//! Mutated and random frames through header, guard and codec.
//!
//! What passes the guard decodes, to the byte, without a panic, and allocates no more than the footprint; the guard
//! allocates nothing, the header a counter. The seed is fixed; `OTTLA_EFFORT=long` runs ten times more.

#![expect(unsafe_code, reason = "a counting allocator is the one way to see what the codec takes")]

#[path = "../golden/frames.rs"]
mod frames;
mod mutate;

use bytes::Bytes;
use frames::Golden;
use mutate::{Random, mutated};
use protocol_compat::guard::{Limits, check_body};
use protocol_compat::header::decode_request_header;
use protocol_compat::versions::codec_version;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// All bytes that this thread ever allocated.
    static ALLOCATED_BYTES: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed to the system's allocator unchanged; the counter has no destructor and no lazy start.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED_BYTES.with(|bytes| bytes.set(bytes.get() + layout.size()));
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise about `pointer` and `layout` is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocated_by<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED_BYTES.with(Cell::get);
    let result = work();
    (result, ALLOCATED_BYTES.with(Cell::get) - before)
}

/// How far a frame came.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    HeaderRefused,
    GuardRefused,
    CodecLacks,
    Decoded,
}

fn serve(frame: &Bytes) -> Fate {
    let (header, header_allocated) = allocated_by(|| decode_request_header(frame));
    // Slicing the client id makes the frame's shared counter.
    assert!(header_allocated <= 64, "the header took {header_allocated} bytes");
    let Ok(header) = header else { return Fate::HeaderRefused };
    let body = frame.slice(header.body_offset..);
    let (key, version) = (header.api_key, header.api_version);
    let (checked, guard_allocated) = allocated_by(|| check_body(key, version, &body, &Limits::default()));
    assert_eq!(guard_allocated, 0, "the guard took memory");
    let Ok(footprint) = checked else { return Fate::GuardRefused };
    assert!(footprint.wire_bytes <= body.len());
    assert!(footprint.decoded_bytes_max <= Limits::default().footprint_bytes(body.len()));

    let Some(codec) = frames::codec(key) else { return Fate::CodecLacks };
    let (left, allocated) = allocated_by(|| (codec.decode_request)(&body, codec_version(key, version)));
    match left {
        Ok(left) => {
            assert_eq!(body.len() - left, footprint.wire_bytes, "guard and codec end apart: {key} {version}");
            let bound = footprint.decoded_bytes_max;
            assert!(allocated <= bound, "{key} {version} took {allocated} of {bound} bytes");
            Fate::Decoded
        }
        Err(error) if format!("{error:#}").contains("specified version not supported") => Fate::CodecLacks,
        Err(error) => panic!("{key} {version} passed the guard and does not decode: {error:#}"),
    }
}

fn runs() -> usize {
    match std::env::var("OTTLA_EFFORT").as_deref() {
        Ok("long") => 10_000_000,
        _ => 1_000_000,
    }
}

fn requests() -> Vec<Golden> {
    frames::all().into_iter().filter(|golden| golden.is_request).collect()
}

#[test]
fn golden_frames_stay_within_their_footprint() {
    let decoded = requests().iter().filter(|golden| serve(&golden.bytes) == Fate::Decoded).count();
    assert!(decoded > 700, "{decoded} frames");
}

#[test]
fn mutated_frames_are_refused_or_decode_within_their_footprint() {
    let golden = requests();
    let mut random = Random(0x0771_a000);
    let (mut refused, mut decoded) = (0, 0);
    for run in 0..runs() {
        let frame = mutated(&golden, &mut random);
        let fate = std::panic::catch_unwind(|| serve(&frame));
        match fate.unwrap_or_else(|_| panic!("run {run}: {frame:02x?}")) {
            Fate::HeaderRefused | Fate::GuardRefused => refused += 1,
            Fate::Decoded => decoded += 1,
            Fate::CodecLacks => {}
        }
    }
    // Both ways are really taken.
    assert!(refused > runs() / 4 && decoded > runs() / 20, "{refused} refused, {decoded} decoded");
}
