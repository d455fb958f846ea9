//! Which topics a consumer says it reads: the beginning of the metadata that consumers put into their joins.
//!
//! Layout, the same at the front of every version: version 2 bytes, count of topics 4, and of each its length 2 and its
//! name. The bytes are a client's: reading them never panics and takes no memory beyond what they hold.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The topics; `None` if this is no subscription.
pub(super) fn topics(metadata: &[u8]) -> Option<BTreeSet<Arc<str>>> {
    let (_version, rest) = metadata.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let mut topics = BTreeSet::new();
    for _ in 0..count {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let (name, behind) = behind.split_at_checked(length)?;
        topics.insert(std::str::from_utf8(name).ok()?.into());
        rest = behind;
    }
    Some(topics)
}

#[cfg(test)]
pub(super) fn encode(names: &[&str]) -> Vec<u8> {
    let mut out = vec![0, 1];
    out.extend((names.len() as i32).to_be_bytes());
    for name in names {
        out.extend((name.len() as i16).to_be_bytes());
        out.extend(name.as_bytes());
    }
    out.extend([0xff; 4]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn topics_are_read_and_the_rest_is_passed_over() {
        let read = topics(&encode(&["b", "a", "b"])).unwrap();
        assert_eq!(read.iter().map(|t| &**t).collect::<Vec<_>>(), ["a", "b"]);
        for broken in
            [&b""[..], b"\0", b"\0\0", b"\0\0\0\0\0\x01", b"\0\0\0\0\0\x01\0\x05ab", b"\0\0\xff\xff\xff\xff"]
        {
            assert_eq!(topics(broken), None, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(topics) = topics(&bytes) {
                prop_assert!(topics.len() * 2 <= bytes.len());
            }
        }

        #[test]
        fn what_clients_write_is_read(names in prop::collection::btree_set("[a-z.]{1,20}", 0..5)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let read = topics(&encode(&names)).unwrap();
            prop_assert_eq!(read.iter().map(|t| &**t).collect::<Vec<_>>(), names);
        }
    }
}
