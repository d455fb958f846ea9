//! What consumers of the classic protocol say to each other, and a coordinator only reads where it stands in for them:
//! their subscription and their assignment.
//!
//! A subscription: version 2 bytes, topics, user data, and from version 1 on what the member has, from 2 the generation
//! in which, from 3 its rack. An assignment: version, topics with partitions, user data. Counts and lengths of bytes take
//! 4 bytes, lengths of texts 2; -1 is null. Later versions begin alike. The bytes are a client's: reading them never
//! panics and takes no memory on the strength of a count.

use std::collections::BTreeSet;

use bytes::Bytes;

/// Topics by name with some of their partitions.
pub(super) type ByName = Vec<(String, Vec<i32>)>;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Subscription {
    pub(super) version: i16,
    pub(super) topics: BTreeSet<String>,
    pub(super) owned: ByName,
    pub(super) rack: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Assigned {
    pub(super) partitions: ByName,
    /// An assignor of the clients' own keeps something here.
    pub(super) has_user_data: bool,
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    /// `Some(None)` is null.
    fn text(&mut self) -> Option<Option<String>> {
        let Ok(length) = usize::try_from(self.i16()?) else { return Some(None) };
        Some(Some(std::str::from_utf8(self.bytes(length)?).ok()?.to_owned()))
    }

    fn user_data(&mut self) -> Option<&'a [u8]> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.bytes(length),
            Err(_) => Some(&[]),
        }
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.i32()?).ok().filter(|count| *count <= self.0.len())
    }

    fn partitions(&mut self) -> Option<ByName> {
        let topic = |rest: &mut Self| {
            let name = rest.text()??;
            let partitions = (0..rest.count()?).map(|_| rest.i32()).collect::<Option<_>>()?;
            Some((name, partitions))
        };
        (0..self.count()?).map(|_| topic(self)).collect()
    }
}

pub(super) fn subscription(bytes: &[u8]) -> Option<Subscription> {
    let mut rest = Rest(bytes);
    let version = rest.i16().filter(|version| *version >= 0)?;
    let mut said = Subscription { version, ..Subscription::default() };
    for _ in 0..rest.count()? {
        said.topics.insert(rest.text()??);
    }
    rest.user_data()?;
    if version >= 1 {
        said.owned = rest.partitions()?;
    }
    if version >= 2 {
        rest.i32()?;
    }
    if version >= 3 {
        said.rack = rest.text()?;
    }
    Some(said)
}

/// No bytes at all are an assignment of nothing: the member has not asked for one yet.
pub(super) fn assignment(bytes: &[u8]) -> Option<Assigned> {
    if bytes.is_empty() {
        return Some(Assigned::default());
    }
    let mut rest = Rest(bytes);
    rest.i16().filter(|version| *version >= 0)?;
    let partitions = rest.partitions()?;
    let has_user_data = !rest.user_data()?.is_empty();
    Some(Assigned { partitions, has_user_data })
}

pub(super) fn encode_assignment(version: i16, topics: &ByName) -> Bytes {
    let mut out = version.to_be_bytes().to_vec();
    out.extend((topics.len() as i32).to_be_bytes());
    for (name, partitions) in topics {
        out.extend((name.len() as i16).to_be_bytes());
        out.extend(name.as_bytes());
        out.extend((partitions.len() as i32).to_be_bytes());
        partitions.iter().for_each(|partition| out.extend(partition.to_be_bytes()));
    }
    out.extend((-1i32).to_be_bytes());
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_clients_write_is_read() {
        let bytes =
            b"\0\x03\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x05\0\0\0\x07\0\x01r";
        let owned = vec![("t".to_owned(), vec![5])];
        let expected =
            Subscription { version: 3, topics: ["t".to_owned()].into(), owned, rack: Some("r".to_owned()) };
        assert_eq!(subscription(bytes), Some(expected));
        let with_user_data = b"\0\0\0\0\0\0\0\0\0\x02ab";
        assert_eq!(
            assignment(with_user_data),
            Some(Assigned { partitions: Vec::new(), has_user_data: true })
        );
        assert_eq!(assignment(b""), Some(Assigned::default()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..60)) {
            if let Some(read) = assignment(&bytes) {
                let again = encode_assignment(0, &read.partitions);
                prop_assert_eq!(assignment(&again).map(|read| read.partitions), Some(read.partitions));
            }
            let _ = subscription(&bytes);
        }

        #[test]
        fn assignments_round_trip(topics in prop::collection::vec(("[a-z]{1,9}", prop::collection::vec(any::<i32>(), 0..4)), 0..4)) {
            let bytes = encode_assignment(2, &topics);
            prop_assert_eq!(assignment(&bytes), Some(Assigned { partitions: topics, has_user_data: false }));
        }
    }
}
