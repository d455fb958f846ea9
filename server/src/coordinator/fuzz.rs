//! What holds of any bytes at all that may stand in `__consumer_offsets`: a target for one record and one for a whole log,
//! for whoever makes up bytes, be it a seeded test or a fuzzer.
//!
//! A target panics only if the code under it is wrong: it panics itself, holds much more than the bytes said, forgets
//! what it accepted, or writes what it cannot read. Invariant: the same bytes give the same result; nothing outside
//! memory is touched. This module must not know where bytes come from.
//!
//! Bytes are read as records one behind the other ([`frame`] writes them): the length of the key in two bytes, that of
//! the value in two, -1 for none, key, value. What is cut short ends with the bytes, so that there are no wrong ones.

mod life;

use self::life::Life;
use super::records::Record;

/// A record's key and value.
pub type Bytes<'a> = (&'a [u8], Option<&'a [u8]>);

/// What a record in memory takes to be written again, by what its bytes were: a partition of an assignment of Kafka 4.1
/// gets an epoch, and the name of an old group's layout grows by a few fields for each member.
const GROWTH: usize = 8;

/// Adds a record to the bytes of a log.
pub fn frame(log: &mut Vec<u8>, (key, value): Bytes<'_>) {
    let length = |bytes: &[u8]| i16::try_from(bytes.len()).unwrap_or(i16::MAX);
    let value_length = value.map_or(-1, length);
    log.extend(length(key).to_be_bytes());
    log.extend(value_length.to_be_bytes());
    log.extend(key.iter().take(length(key) as usize));
    log.extend(value.unwrap_or_default().iter().take(value_length.max(0) as usize));
}

/// The records that the bytes stand for.
fn unframed(mut log: &[u8]) -> Vec<Bytes<'_>> {
    let mut records = Vec::new();
    while let Some((lengths, rest)) = log.split_first_chunk::<4>() {
        let [key, value] = [[lengths[0], lengths[1]], [lengths[2], lengths[3]]].map(i16::from_be_bytes);
        let take = |bytes: i16, from| split(from, usize::try_from(bytes).unwrap_or(0));
        let (key, rest) = take(key, rest);
        let (content, rest) = take(value, rest);
        records.push((key, (value >= 0).then_some(content)));
        log = rest;
    }
    records
}

fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at(at.min(bytes.len()))
}

/// Each record by itself: what is understood is the same when it is written and read again, and is not much more than
/// its bytes.
pub fn records(log: &[u8]) {
    for (key, value) in unframed(log) {
        let Ok(record) = Record::decode(key, value) else { continue };
        let again = record.encode();
        assert_eq!(Record::decode(&again.key, again.value.as_deref()), Ok(record), "it is another one");
        let had = key.len() + value.map_or(0, <[u8]>::len);
        assert!(again.bytes() <= GROWTH * (had + 8), "{had} bytes became {}", again.bytes());
    }
}

/// A coordinator with this log starts, with everything that it cannot read passed over, and told of; its groups are asked
/// for whatever groups are asked for, time passes, and whoever starts after it reads all that it wrote.
pub fn lives(log: &[u8]) {
    let records = unframed(log);
    let unread = records.iter().filter(|(key, value)| Record::decode(key, *value).is_err()).count() as u64;
    let mut life = Life::begin(&records);
    assert_eq!(life.passed_over(), unread);
    life.play(u64::from(crc32c::crc32c(log)));
    let before = life.kept();
    let life = life.next();
    assert_eq!(life.passed_over(), unread, "it does not read what it wrote");
    assert_eq!(life.kept(), before, "the next life does not know what this one knew");
    life.end();
}
