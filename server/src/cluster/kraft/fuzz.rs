//! What holds of any bytes at all that may stand in Kafka's metadata, for whoever makes up bytes, be it a seeded test or a
//! fuzzer. A target panics only if the code under it is wrong. Invariant: the same bytes give the same result.

use super::records::KraftRecord;
use super::state::State;
use super::transactions::Commits;

pub type Target = fn(&[u8]);

/// Each takes any bytes.
pub const TARGETS: [(&str, Target); 3] =
    [("record", record), ("records", records), ("transactions", transactions)];

/// One record: what is understood is no larger than a small multiple of its bytes.
pub fn record(bytes: &[u8]) {
    let Ok(record) = KraftRecord::decode(bytes) else { return };
    let held = match &record {
        KraftRecord::Partition { placed, .. } => {
            let nodes = placed.replicas.len() + placed.in_sync.len() + placed.eligible.len();
            4 * nodes + 16 * placed.directories.len()
        }
        KraftRecord::Quota { entity, .. } => entity.iter().map(|(kind, _)| kind.len() + 1).sum(),
        KraftRecord::Topic { name, .. } | KraftRecord::ClearEligible(Some(name)) => name.len(),
        _ => 0,
    };
    assert!(held <= bytes.len(), "{} bytes became {held}", bytes.len());
    assert_eq!(
        KraftRecord::decode(bytes).as_ref().map(|again| format!("{again:?}")),
        Ok(format!("{record:?}"))
    );
}

/// Records one behind the other, the length of each in a byte before it, taken in by one state.
pub fn records(mut bytes: &[u8]) {
    let mut state = State::default();
    let (mut taken, all) = (0, bytes.len());
    while let Some((length, rest)) = bytes.split_first() {
        let (value, behind) = rest.split_at(rest.len().min(usize::from(*length)));
        if let Ok(record) = KraftRecord::decode(value) {
            state.replay(record);
            taken += 1;
        }
        bytes = behind;
    }
    let held = state.topics.values().map(|topic| 1 + topic.partitions.len()).sum::<usize>()
        + state.configs.values().map(|configs| configs.len()).sum::<usize>()
        + state.quotas.values().map(|values| values.len()).sum::<usize>();
    assert!(held <= taken && taken <= all, "{taken} records became {held}");
}

/// A record of `__transaction_state`: the length of the key in a byte, key, value.
pub fn transactions(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (key, value) = rest.split_at(rest.len().min(usize::from(*length)));
    let mut commits = Commits::default();
    commits.replay(key, Some(value));
    commits.replay(key, None);
    assert_eq!(commits, Commits::default(), "what is taken back is gone");
}
