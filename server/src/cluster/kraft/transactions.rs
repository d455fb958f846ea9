//! The records of Kafka's `__transaction_state`: how far each transaction had come. Pure.

use std::collections::BTreeMap;

/// Kafka's topic of transactions.
pub const TOPIC: &str = "__transaction_state";
const KEY_VERSION: i16 = 0;
/// Of values: their first fields are the same in both.
const VERSION_MAX: i16 = 1;
/// The transaction is decided, and its markers were being written.
const PREPARE_COMMIT: i8 = 2;

/// Who has decided to commit: producers with their epochs, by transactional id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Commits(BTreeMap<Vec<u8>, (i64, i16)>);

impl Commits {
    /// Takes a record in; what is no such record says nothing.
    pub fn replay(&mut self, key: &[u8], value: Option<&[u8]>) {
        let Some((version, id)) = key.split_first_chunk() else { return };
        if i16::from_be_bytes(*version) != KEY_VERSION {
            return;
        }
        match value.and_then(decided) {
            Some((producer, epoch)) => drop(self.0.insert(id.to_vec(), (producer, epoch))),
            None => drop(self.0.remove(id)),
        }
    }

    /// The epoch with which this producer's transaction is to be committed.
    pub fn of(&self, producer: i64) -> Option<i16> {
        self.0.values().find(|(id, _)| *id == producer).map(|(_, epoch)| *epoch)
    }
}

/// The producer and its epoch, if the value says that its transaction will be committed.
fn decided(value: &[u8]) -> Option<(i64, i16)> {
    let (version, rest) = value.split_first_chunk()?;
    let (producer, rest) = rest.split_first_chunk()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let (_timeout, rest) = rest.split_first_chunk::<4>()?;
    let is_decided =
        (0..=VERSION_MAX).contains(&i16::from_be_bytes(*version)) && *rest.first()? == PREPARE_COMMIT as u8;
    is_decided.then(|| (i64::from_be_bytes(*producer), i16::from_be_bytes(*epoch)))
}
