//! What consumers of the classic protocol write for each other: the topics they read and what they have, and what their
//! leader gives them. Here there is one topic.

use bytes::Bytes;

use super::member::TOPIC;

/// Version 1: topics, no user data, what the member has.
pub(crate) fn subscription(owned: &[u8]) -> Bytes {
    let mut out = vec![0, 1, 0, 0, 0, 1];
    text(&mut out);
    out.extend((-1i32).to_be_bytes());
    partitions(&mut out, owned);
    out.into()
}

pub(crate) fn assignment(given: &[u8]) -> Bytes {
    let mut out = vec![0, 1];
    partitions(&mut out, given);
    out.extend((-1i32).to_be_bytes());
    out.into()
}

/// The partitions of an assignment; none of one that gives nothing.
pub(crate) fn given(assignment: &[u8]) -> Vec<u8> {
    let topic = 2 + 4 + 2 + TOPIC.len();
    let Some(rest) = assignment.get(topic + 4..) else { return Vec::new() };
    let count = assignment[topic + 3];
    rest.chunks_exact(4).take(count.into()).map(|partition| partition[3]).collect()
}

fn text(out: &mut Vec<u8>) {
    out.extend((TOPIC.len() as i16).to_be_bytes());
    out.extend(TOPIC.as_bytes());
}

fn partitions(out: &mut Vec<u8>, partitions: &[u8]) {
    if partitions.is_empty() {
        return out.extend(0i32.to_be_bytes());
    }
    out.extend(1i32.to_be_bytes());
    text(out);
    out.extend((partitions.len() as i32).to_be_bytes());
    partitions.iter().for_each(|partition| out.extend(i32::from(*partition).to_be_bytes()));
}
