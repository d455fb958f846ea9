//! The names of things in a log: offsets, epochs, producer ids, positions in files, topic ids.
//!
//! Each is a type of its own, so that an offset is never added to a file position. `TopicId` prints and parses as
//! Kafka does, because it stands in `partition.metadata`. Topic *names* are unknown here.

use std::fmt;
use std::str::FromStr;

use crate::env::Random;

/// Milliseconds since the Unix epoch, as Kafka's records carry them; -1 is "none".
pub type TimestampMs = i64;

/// Kafka's mark for a record or an answer without a timestamp.
pub const NO_TIMESTAMP: TimestampMs = -1;

/// The place of a record in its log.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

/// The count of a log's leaderships; every batch carries the one it was appended under.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderEpoch(pub i32);

impl LeaderEpoch {
    /// Kafka's mark for "no epoch known".
    pub const NONE: LeaderEpoch = LeaderEpoch(-1);
}

/// The identity of an idempotent or transactional producer; -1 is "none".
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

impl ProducerId {
    pub const NONE: ProducerId = ProducerId(-1);
}

/// A byte position inside a segment's file.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePosition(pub u64);

macro_rules! show_as_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
show_as_number!(Offset, LeaderEpoch, ProducerId, FilePosition);

/// A topic's identity, which outlives its name: a topic deleted and made again has another one.
#[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TOPIC_ID_CHARS: usize = 22;

impl TopicId {
    pub const ZERO: TopicId = TopicId([0; 16]);

    pub fn is_zero(&self) -> bool {
        self.0 == [0; 16]
    }

    /// Kafka keeps 0 and 1 for itself (no id, and the metadata topic's).
    fn is_reserved(&self) -> bool {
        self.0[..15] == [0; 15] && self.0[15] <= 1
    }

    /// A new id in the form of a random (version 4) UUID. One that would print with a leading `-` is drawn again,
    /// since command lines take such a word for an option.
    pub fn random(random: &dyn Random) -> TopicId {
        loop {
            let mut bytes = [0; 16];
            random.fill(&mut bytes);
            bytes[6] = (bytes[6] & 0x0f) | 0x40;
            bytes[8] = (bytes[8] & 0x3f) | 0x80;
            let id = TopicId(bytes);
            if !id.is_reserved() && bytes[0] >> 2 != 62 {
                return id;
            }
        }
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 128 bits are 21 groups of six and one of two, which base64 fills up with zeros on its right.
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0u8; TOPIC_ID_CHARS];
        for (i, c) in text.iter_mut().enumerate() {
            let group = if i < 21 { bits >> (122 - 6 * i) } else { bits << 4 };
            *c = BASE64_URL[(group & 0x3f) as usize];
        }
        f.pad(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a topic id: {0:?} (22 characters of url-safe base64 are expected)")]
pub struct BadTopicId(pub String);

impl FromStr for TopicId {
    type Err = BadTopicId;

    fn from_str(text: &str) -> Result<TopicId, BadTopicId> {
        let bad = || BadTopicId(text.chars().take(64).collect());
        // Kafka's parser takes padding, although its printer writes none.
        let chars = text.strip_suffix("==").unwrap_or(text).as_bytes();
        if chars.len() != TOPIC_ID_CHARS {
            return Err(bad());
        }
        let mut bits = 0u128;
        for (i, c) in chars.iter().enumerate() {
            let group = BASE64_URL.iter().position(|b| b == c).ok_or_else(bad)? as u128;
            bits = if i < 21 { (bits << 6) | group } else { (bits << 2) | (group >> 4) };
        }
        Ok(TopicId(bits.to_be_bytes()))
    }
}

/// A log's identity: inside, a partition is never known by its topic's name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    pub topic: TopicId,
    pub partition: i32,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SimRandom;
    use proptest::prelude::*;

    #[test]
    fn prints_as_kafka_does() {
        // The ids of Kafka's own documentation: all zero, and Uuid.ONE_UUID.
        assert_eq!(TopicId::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        let mut one = [0; 16];
        one[15] = 1;
        assert_eq!(TopicId(one).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(TopicId([0xff; 16]).to_string(), "_____________________w");
    }

    #[test]
    fn refuses_what_is_no_id() {
        for text in
            ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAAA", "ääääääääääääääääääääää"]
        {
            assert!(text.parse::<TopicId>().is_err(), "{text}");
        }
    }

    #[test]
    fn random_ids_are_usable() {
        let random = SimRandom::new(7);
        for _ in 0..5_000 {
            let id = TopicId::random(&random);
            assert!(!id.is_zero() && !id.is_reserved());
            assert!(!id.to_string().starts_with('-'));
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(bytes: [u8; 16]) {
            prop_assert_eq!(TopicId(bytes).to_string().parse::<TopicId>(), Ok(TopicId(bytes)));
        }
    }
}
