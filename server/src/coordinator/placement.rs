//! Which partition of a coordinator's topic a key belongs to: Kafka's rule, so that its tools and clients agree.
//!
//! The hash is Java's `String.hashCode`, over UTF-16 units; its least value counts as 0. It must never change: a key's
//! records stand where this said.

/// The partition of `key` among `partitions`, which is at least 1.
pub fn partition_of(key: &str, partitions: u32) -> i32 {
    let hash = java_hash(key).checked_abs().unwrap_or(0) as u32;
    (hash % partitions.max(1)) as i32
}

fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Taken from Kafka 4.3.1's `Utils.abs(key.hashCode()) % 50`.
    #[test]
    fn agrees_with_kafka() {
        for (key, hash, partition) in GOLDEN {
            assert_eq!((java_hash(key), partition_of(key, 50)), (*hash, *partition), "{key}");
        }
        assert_eq!(partition_of("anything", 1), 0);
    }

    const GOLDEN: &[(&str, i32, i32)] = &[
        ("", 0, 0),
        ("my-group", -1906497762, 12),
        ("console-consumer-12345", 158455506, 6),
        ("group-ä-日本", 1240428030, 30),
        ("emoji-😀", 1164511306, 6),
        ("polygenelubricants", i32::MIN, 0),
        ("a", 97, 47),
    ];
}
