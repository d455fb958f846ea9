//! What members of groups said that they read and had committed: who was promised what.

use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

/// Offsets by partition.
pub(crate) type Offsets = BTreeMap<i32, i64>;

/// All offsets by partition whose commits were answered.
pub(crate) type Answered = BTreeMap<i32, BTreeSet<i64>>;

/// Of all groups of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    groups: Mutex<BTreeMap<String, Group>>,
}

#[derive(Debug, Default)]
struct Group {
    /// How often each record of a partition was read, by its offset.
    read: BTreeMap<i32, Vec<u32>>,
    answered: Answered,
    left: BTreeSet<String>,
}

/// What a group made of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// How many records were read at all.
    pub read: usize,
    /// How many readings came after a record's first.
    pub again: usize,
}

impl Ledger {
    /// Takes in a line that a program of members said.
    pub(crate) fn note(&self, line: &str) -> Result<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let [event, group, member, ref more @ ..] = words[..] else { bail!("no event") };
        let numbers = || more.iter().map(|word| word.parse::<i64>()).collect::<Result<Vec<_>, _>>();
        let mut groups = self.groups();
        let group = groups.entry(group.to_owned()).or_default();
        match (event, more.len()) {
            ("read", 3) => {
                let numbers = numbers()?;
                group.read(numbers[0].try_into()?, numbers[1].try_into()?, numbers[2].try_into()?)
            }
            ("committed", 2) => {
                let numbers = numbers()?;
                group.answered.entry(numbers[0].try_into()?).or_default().insert(numbers[1]);
                Ok(())
            }
            ("left", 0) => {
                group.left.insert(member.to_owned());
                Ok(())
            }
            _ => bail!("it says that it failed, or what nobody knows"),
        }
    }

    pub(crate) fn answered(&self, group: &str) -> Answered {
        self.groups().get(group).map(|group| group.answered.clone()).unwrap_or_default()
    }

    /// The greatest offsets of a group whose commits were answered.
    pub(crate) fn committed(&self, group: &str) -> Offsets {
        let answered = self.answered(group);
        answered.into_iter().filter_map(|(partition, offsets)| Some((partition, *offsets.last()?))).collect()
    }

    pub(crate) fn has_left(&self, group: &str, member: &str) -> bool {
        self.groups().get(group).is_some_and(|group| group.left.contains(member))
    }

    pub(crate) fn count(&self, group: &str) -> Count {
        let groups = self.groups();
        let counts = groups.get(group).into_iter().flat_map(|group| group.read.values().flatten());
        counts.fold(Count { read: 0, again: 0 }, |sum, count| Count {
            read: sum.read + usize::from(*count > 0),
            again: sum.again + count.saturating_sub(1) as usize,
        })
    }

    /// The group has read every record of the partitions, which end here.
    pub(crate) fn has_read_all(&self, group: &str, ends: &Offsets) -> Result<()> {
        let groups = self.groups();
        let of_group = groups.get(group).with_context(|| format!("{group} read nothing"))?;
        for (partition, end) in ends {
            let none = Vec::new();
            let read = of_group.read.get(partition).unwrap_or(&none);
            let wanted = usize::try_from(*end)?;
            ensure!(
                read.len() <= wanted,
                "{group} read {} of partition {partition}, which ends at {end}",
                read.len()
            );
            let missing = (0..wanted).find(|offset| read.get(*offset).is_none_or(|count| *count == 0));
            if let Some(offset) = missing {
                bail!("{group} did not read offset {offset} of partition {partition}, which ends at {end}");
            }
        }
        Ok(())
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<String, Group>> {
        self.groups.lock().expect("no holder panics")
    }
}

impl Group {
    fn read(&mut self, partition: i32, from: usize, to: usize) -> Result<()> {
        ensure!(from < to, "it read nothing");
        let counts = self.read.entry(partition).or_default();
        if counts.len() < to {
            counts.resize(to, 0);
        }
        counts[from..to].iter_mut().for_each(|count| *count += 1);
        Ok(())
    }
}
