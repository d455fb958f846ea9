//! What a member of a classic consumer group was assigned: bytes that consumers understand among themselves and a
//! coordinator hands on as they are.
//!
//! Layout: version 2 bytes, a count of topics, per topic its name and a count of partitions with their numbers, then user
//! data. Counts take 4 bytes, the length of a name 2. Other kinds of groups (Kafka Connect) put other things there:
//! whatever does not fit is no assignment of partitions. Reading takes no memory on the strength of a count.

/// Topics with partitions, as far as these bytes hold some.
pub(super) fn assigned(bytes: &[u8]) -> Option<Vec<(String, Vec<i32>)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mut rest = Rest(bytes);
    let version = rest.i16()?;
    if version < 0 {
        return None;
    }
    let mut topics = Vec::new();
    for _ in 0..rest.count()? {
        let name = rest.text()?;
        let mut partitions = Vec::new();
        for _ in 0..rest.count()? {
            partitions.push(rest.i32()?);
        }
        topics.push((name, partitions));
    }
    Some(topics)
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    /// Every element takes at least a byte.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.i32()?).ok().filter(|count| *count <= self.0.len())
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()?).ok()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(topics: &[(String, Vec<i32>)]) -> Vec<u8> {
        let mut bytes = vec![0, 3];
        bytes.extend((topics.len() as i32).to_be_bytes());
        for (name, partitions) in topics {
            bytes.extend((name.len() as i16).to_be_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend((partitions.len() as i32).to_be_bytes());
            bytes.extend(partitions.iter().flat_map(|partition| partition.to_be_bytes()));
        }
        bytes.extend((-1i32).to_be_bytes());
        bytes
    }

    #[test]
    fn what_is_no_assignment_is_none() {
        assert_eq!(assigned(&[]), Some(Vec::new()), "a member that has none yet");
        assert_eq!(assigned(&[0, 1, 0x7f, 0xff, 0xff, 0xff]), None, "a count beyond the bytes");
        assert_eq!(assigned(&[0x80, 1, 0, 0, 0, 0]), None, "another kind of version");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(topics in prop::collection::vec(("[a-z.]{0,9}", prop::collection::vec(any::<i32>(), 0..6)), 0..5)) {
            prop_assert_eq!(assigned(&written(&topics)), Some(topics));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = assigned(&bytes);
        }

        #[test]
        fn mutated_bytes_are_read_or_refused(at in 0usize..30, with: u8) {
            let mut bytes = written(&[("orders".to_owned(), vec![0, 1, 2])]);
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = assigned(&bytes);
        }
    }
}
