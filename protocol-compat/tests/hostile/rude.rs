//! The hostile clients. Each act is drawn from a seeded generator; what the broker does with it is counted, not judged:
//! a reply, a close and silence are all legal. Only whole, honest frames that come one byte at a time must be answered.

use crate::harness::random::Random;
use crate::harness::wire::{Connection, Heard};
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How long a hostile client listens before it turns away: long enough for a reply, too short to be kind.
const LISTEN: Duration = Duration::from_millis(10);
/// An honest frame that comes slowly is answered within this.
const LISTEN_LONG: Duration = Duration::from_secs(20);
/// Connections that each attacker leaves half open, with a piece of a frame in them.
const HALF_OPEN_MAX: usize = 64;
/// Counts and lengths that lie, as four bytes on the wire.
const LIES: [i32; 8] = [1_000_000_000, i32::MAX, i32::MIN, -1, -2, 0x0100_0000, 65_536, 0];
/// The same as an unsigned varint: 10⁹ and the longest that five bytes can say.
const VARINT_LIES: [[u8; 5]; 2] = [[0x80, 0x94, 0xeb, 0xdc, 0x03], [0xff, 0xff, 0xff, 0xff, 0x0f]];

/// What came of the acts.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    answered: usize,
    closed: usize,
    silent: usize,
    left_open: usize,
    pub(crate) whole_sent: usize,
    pub(crate) whole_answered: usize,
}

impl Tally {
    pub(crate) fn sent(&self) -> usize {
        self.answered + self.closed + self.silent + self.left_open + self.whole_sent
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.closed += other.closed;
        self.silent += other.silent;
        self.left_open += other.left_open;
        self.whole_sent += other.whole_sent;
        self.whole_answered += other.whole_answered;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, closed, silent, left_open, whole_sent, whole_answered } = self;
        write!(
            f,
            "{} frames: {answered} answered, {closed} closed, {silent} met with silence, ",
            self.sent()
        )?;
        write!(f, "{left_open} left half open; {whole_answered} of {whole_sent} honest ones answered")
    }
}

/// One attacker.
struct Attacker<'a> {
    address: &'a str,
    random: Random,
    samples: Vec<Vec<u8>>,
    connection: Option<Connection>,
    half_open: VecDeque<Connection>,
    tally: Tally,
}

/// Commits `count` acts.
pub(crate) fn attack(address: &str, seed: u64, count: usize, samples: Vec<Vec<u8>>) -> Result<Tally> {
    let random = Random::seeded(seed);
    let mut attacker = Attacker {
        address,
        random,
        samples,
        connection: None,
        half_open: VecDeque::new(),
        tally: Tally::default(),
    };
    for act in 0..count {
        attacker.act().with_context(|| format!("hostile act {act}"))?;
    }
    Ok(attacker.tally)
}

impl Attacker<'_> {
    fn act(&mut self) -> Result<()> {
        let sample = self.random.pick(&self.samples).clone();
        let frame = match self.random.below(100) {
            0..12 => self.noise(),
            12..27 => self.shortened(sample),
            27..52 => self.flipped(sample),
            52..72 => self.lying(sample),
            72..80 => self.false_length(&sample),
            80..86 => self.wrong_version(sample),
            86..90 => self.lengthened(sample),
            90..97 => return self.leave_half_open(&sample),
            _ => return self.byte_by_byte(),
        };
        self.send(&frame)
    }

    /// Sends on the connection at hand, or a new one when that is gone.
    fn send(&mut self, frame: &[u8]) -> Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address, LISTEN)?,
        };
        let heard = if connection.send_raw(frame) { connection.receive() } else { Ok(Heard::Closed) };
        match heard {
            Ok(Heard::Reply(_)) => {
                self.tally.answered += 1;
                self.connection = Some(connection);
            }
            Ok(Heard::Nothing) => self.tally.silent += 1,
            // A reply that breaks off is a close.
            Ok(Heard::Closed) | Err(_) => self.tally.closed += 1,
        }
        Ok(())
    }

    fn leave_half_open(&mut self, sample: &[u8]) -> Result<()> {
        let mut connection = Connection::open(self.address, LISTEN)?;
        let cut = self.random.below(sample.len());
        // Whether the broker takes it does not matter.
        let _taken = connection.send_raw(&sample[..cut]);
        self.half_open.push_back(connection);
        if self.half_open.len() > HALF_OPEN_MAX {
            self.half_open.pop_front();
        }
        self.tally.left_open += 1;
        Ok(())
    }

    /// An honest question, but slowly.
    fn byte_by_byte(&mut self) -> Result<()> {
        let mut connection = Connection::open(self.address, LISTEN_LONG)?;
        for byte in crate::harness::wire::api_versions_v0(9) {
            connection.send_raw(&[byte]);
        }
        self.tally.whole_sent += 1;
        if let Heard::Reply(_) = connection.receive()? {
            self.tally.whole_answered += 1;
        }
        Ok(())
    }

    /// Random bytes in a frame of the right length, every other time behind a header that makes sense.
    fn noise(&mut self) -> Vec<u8> {
        let size = self.random.below(400);
        let mut body = Vec::new();
        if self.random.below(2) == 0 {
            let sample = self.random.pick(&self.samples);
            body.extend_from_slice(&sample[4..sample.len().min(19)]);
        }
        body.extend(self.random.bytes(size));
        framed(&body)
    }

    fn shortened(&mut self, sample: Vec<u8>) -> Vec<u8> {
        let kept = self.random.below(sample.len() - 4);
        framed(&sample[4..4 + kept])
    }

    fn lengthened(&mut self, mut sample: Vec<u8>) -> Vec<u8> {
        let size = 1 + self.random.below(2_000);
        sample.extend(self.random.bytes(size));
        framed(&sample[4..])
    }

    fn flipped(&mut self, mut sample: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.random.below(6) {
            let at = 4 + self.random.below(sample.len() - 4);
            sample[at] ^= 1 << self.random.below(8);
        }
        sample
    }

    /// Something behind the header that might be a count or a length says something else.
    fn lying(&mut self, mut sample: Vec<u8>) -> Vec<u8> {
        let at = 12 + self.random.below(sample.len() - 12);
        if self.random.below(2) == 0 {
            let lie = self.random.pick(&LIES).to_be_bytes();
            let end = sample.len().min(at + 4);
            sample[at..end].copy_from_slice(&lie[..end - at]);
        } else {
            let lie = *self.random.pick(&VARINT_LIES);
            sample.splice(at..=at, lie);
        }
        framed(&sample[4..])
    }

    /// A frame whose length has nothing to do with it.
    fn false_length(&mut self, sample: &[u8]) -> Vec<u8> {
        let lengths = [i32::MAX, 1 << 30, 104_857_601, 104_857_600, -1, i32::MIN, 0, 1, 3, 7];
        let mut frame = self.random.pick(&lengths).to_be_bytes().to_vec();
        frame.extend_from_slice(&sample[4..]);
        frame
    }

    fn wrong_version(&mut self, mut sample: Vec<u8>) -> Vec<u8> {
        let at = 4 + 2 * self.random.below(2);
        let lie = self.random.next().to_le_bytes();
        let small = [0, lie[0] % 128];
        let any = [lie[0], lie[1]];
        let chosen = if self.random.below(4) == 0 { any } else { small };
        sample[at..at + 2].copy_from_slice(&chosen);
        sample
    }
}

/// With its right length before it.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len()).expect("a frame of the tests is small");
    [&length.to_be_bytes()[..], body].concat()
}
