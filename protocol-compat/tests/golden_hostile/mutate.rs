//! Makes hostile frames from honest ones, reproducibly.

use crate::frames::Golden;
use bytes::Bytes;

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}

/// Counts and lengths that break trusting readers: huge, negative, off by one.
const COUNTS: [u32; 8] =
    [0x7fff_ffff, 0xffff_ffff, 0xffff_fffe, 0x8000_0000, 0x00ff_ffff, 0x0001_0000, 0x0000_ffff, 3];

pub(crate) fn mutated(golden: &[Golden], random: &mut Random) -> Bytes {
    let mut frame = golden[random.below(golden.len())].bytes.to_vec();
    for _ in 0..=random.below(3) {
        mutate(&mut frame, golden, random);
    }
    Bytes::from(frame)
}

fn mutate(frame: &mut Vec<u8>, golden: &[Golden], random: &mut Random) {
    let at = random.below(frame.len());
    match random.below(10) {
        0 => frame.truncate(at),
        1 | 2 => flip(frame, at, random),
        3 => overwrite(frame, at, &COUNTS[random.below(COUNTS.len())].to_be_bytes()),
        4 => overwrite(frame, at, &[0xff, 0xff, 0xff, 0xff, [0x07, 0x0f, 0xff][random.below(3)]]),
        5 => overwrite(frame, at, &[random.byte(), random.byte()]),
        6 => repeat(frame, at, random),
        7 => splice(frame, at, &golden[random.below(golden.len())].bytes),
        // The same body read as another version of the API.
        8 => overwrite(frame, 3, &[random.below(14) as u8]),
        _ => {
            let from = at.max(8).min(frame.len());
            frame[from..].fill_with(|| random.byte());
        }
    }
}

fn overwrite(frame: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in frame.iter_mut().skip(at).zip(with) {
        *byte = *new;
    }
}

fn flip(frame: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

/// Many copies of a short stretch: long runs of elements, tags or text.
fn repeat(frame: &mut Vec<u8>, at: usize, random: &mut Random) {
    let end = (at + 1 + random.below(12)).min(frame.len());
    let stretch = frame[at..end].to_vec();
    let copies = stretch.repeat(1 + random.below(40));
    frame.splice(at..at, copies);
}

fn splice(frame: &mut Vec<u8>, at: usize, other: &[u8]) {
    frame.truncate(at);
    frame.extend_from_slice(&other[at.min(other.len())..]);
}
