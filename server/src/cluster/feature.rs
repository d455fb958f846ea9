//! Levels of features: which count, and the decision about other ones, as Kafka's FeatureControlManager makes it.
//!
//! A feature that nobody has given a level has the highest that is supported. A request changes all that it names, or
//! nothing. Pure functions; which features there are comes in as an argument.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;

use super::Image;
use super::records::{FeatureLevelSet, Record};

/// Kafka's name of the feature that stands for the protocol of consumer groups (KIP-848).
pub const GROUP_VERSION: &str = "group.version";
/// Kafka's name of the feature that stands for the format of the metadata.
pub const METADATA_VERSION: &str = "metadata.version";

/// A feature and the levels that it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supported {
    pub name: &'static str,
    pub min: u32,
    pub max: u32,
}

/// The levels that somebody set, each with the epoch of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features(OrdMap<Arc<str>, (u32, i64)>);

impl Features {
    /// The level that counts: one that was set, if it is still supported, and else the highest.
    pub fn level(&self, feature: &Supported) -> u32 {
        let set = self.0.get(feature.name).map(|(level, _)| *level);
        set.filter(|level| (feature.min..=feature.max).contains(level)).unwrap_or(feature.max)
    }

    /// Whether somebody has turned the feature off.
    pub fn is_off(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|(level, _)| *level == 0)
    }

    /// How many changes there were.
    pub fn epoch(&self) -> i64 {
        self.0.values().map(|(_, epoch)| *epoch).max().unwrap_or(0)
    }

    /// The records that make these out of none.
    pub(super) fn records(&self) -> impl Iterator<Item = FeatureLevelSet> {
        let record = |(feature, (level, epoch)): (&Arc<str>, &(u32, i64))| FeatureLevelSet {
            feature: feature.to_string(),
            level: *level,
            epoch: *epoch,
        };
        self.0.iter().map(record)
    }

    /// `apply` is its only caller.
    pub(super) fn set(&mut self, record: FeatureLevelSet) {
        self.0.insert(record.feature.into(), (record.level, record.epoch));
    }
}

/// In which direction a level may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Up,
    /// Kafka knows one that loses nothing and one that may; here both are the same.
    Down,
    /// The request names one that there is not.
    Unknown,
}

/// What somebody wants of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub level: i16,
    pub direction: Direction,
}

/// Why levels stay as they are; Kafka's code for each is INVALID_UPDATE_VERSION (95).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureRefusal {
    #[error("{0}: there is no such type of update; there are 1 to 3")]
    UnknownDirection(String),
    #[error("{0}: a level is not below 0")]
    Negative(String),
    #[error("{name}: there is no such feature here; there are {known}")]
    UnknownFeature { name: String, known: String },
    #[error("{name}: level {level} is not supported; there are {min} to {max}")]
    Unsupported { name: &'static str, level: u32, min: u32, max: u32 },
    #[error("{name}: it has level {current}, and going back to {level} needs a downgrade")]
    NoDowngrade { name: &'static str, current: u32, level: u32 },
    #[error("{name}: it has level {current}, and {level} would be an upgrade")]
    NoUpgrade { name: &'static str, current: u32, level: u32 },
    #[error(
        "{name}: it stays at level {current}: the metadata has a format of its own, which has no older levels"
    )]
    Fixed { name: &'static str, current: u32 },
}

/// The records that give features the levels wanted. What has its level already needs none.
pub fn update(
    image: &Image,
    supported: &[Supported],
    wanted: &BTreeMap<String, Wanted>,
) -> Result<Vec<Record>, FeatureRefusal> {
    let features = image.features();
    let mut records = Vec::new();
    for (name, wanted) in wanted {
        let Some((feature, level)) = decide(features, supported, name, wanted)? else { continue };
        let epoch = features.epoch() + records.len() as i64 + 1;
        records.push(FeatureLevelSet { feature: feature.name.to_owned(), level, epoch }.into());
    }
    Ok(records)
}

/// The feature and its new level; `None` if that is the one it has.
fn decide<'a>(
    features: &Features,
    supported: &'a [Supported],
    name: &str,
    wanted: &Wanted,
) -> Result<Option<(&'a Supported, u32)>, FeatureRefusal> {
    if wanted.direction == Direction::Unknown {
        return Err(FeatureRefusal::UnknownDirection(name.to_owned()));
    }
    let level = u32::try_from(wanted.level).map_err(|_| FeatureRefusal::Negative(name.to_owned()))?;
    let Some(feature) = supported.iter().find(|feature| feature.name == name) else {
        let known: Vec<&str> = supported.iter().map(|feature| feature.name).collect();
        return Err(FeatureRefusal::UnknownFeature { name: name.to_owned(), known: known.join(", ") });
    };
    let (name, current) = (feature.name, features.level(feature));
    if !(feature.min..=feature.max).contains(&level) {
        return Err(FeatureRefusal::Unsupported { name, level, min: feature.min, max: feature.max });
    }
    match (level.cmp(&current), wanted.direction) {
        (std::cmp::Ordering::Equal, _) => Ok(None),
        (std::cmp::Ordering::Less, Direction::Up) => {
            Err(FeatureRefusal::NoDowngrade { name, current, level })
        }
        (std::cmp::Ordering::Greater, Direction::Down) => {
            Err(FeatureRefusal::NoUpgrade { name, current, level })
        }
        // To say a level that nothing follows would be to lie.
        _ if name == METADATA_VERSION => Err(FeatureRefusal::Fixed { name, current }),
        _ => Ok(Some((feature, level))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::apply::apply;
    use super::*;

    const GROUPS: Supported = Supported { name: GROUP_VERSION, min: 0, max: 1 };
    const ALL: [Supported; 2] = [GROUPS, Supported { name: METADATA_VERSION, min: 7, max: 30 }];

    fn one(name: &str, level: i16, direction: Direction) -> BTreeMap<String, Wanted> {
        BTreeMap::from([(name.to_owned(), Wanted { level, direction })])
    }

    fn updated(
        image: &mut Image,
        name: &str,
        level: i16,
        direction: Direction,
    ) -> Result<usize, FeatureRefusal> {
        let records = update(image, &ALL, &one(name, level, direction))?;
        let count = records.len();
        records.into_iter().for_each(|record| apply(image, record));
        Ok(count)
    }

    #[test]
    fn a_level_goes_down_and_up_and_the_epoch_with_it() {
        let mut image = Image::default();
        let levels = |image: &Image| (image.features().level(&GROUPS), image.features().epoch());
        assert_eq!((levels(&image), image.features().is_off(GROUP_VERSION)), ((1, 0), false));
        assert_eq!(updated(&mut image, GROUP_VERSION, 1, Direction::Up), Ok(0), "it has it");
        assert_eq!(updated(&mut image, GROUP_VERSION, 0, Direction::Down), Ok(1));
        assert_eq!((levels(&image), image.features().is_off(GROUP_VERSION)), ((0, 1), true));
        assert_eq!(updated(&mut image, GROUP_VERSION, 1, Direction::Up), Ok(1));
        assert_eq!((levels(&image), image.features().is_off(GROUP_VERSION)), ((1, 2), false));
        assert_eq!(updated(&mut image, METADATA_VERSION, 30, Direction::Up), Ok(0));
    }

    #[test]
    fn what_is_wrong_is_refused_with_all_that_was_asked_for() {
        let image = Image::default();
        for (name, level, direction) in [
            (GROUP_VERSION, 0, Direction::Up),
            (GROUP_VERSION, 2, Direction::Up),
            (GROUP_VERSION, -1, Direction::Down),
            (GROUP_VERSION, 0, Direction::Unknown),
            ("kraft.version", 1, Direction::Up),
            (METADATA_VERSION, 29, Direction::Down),
            (METADATA_VERSION, 31, Direction::Up),
        ] {
            let mut wanted = one(name, level, direction);
            wanted.entry(GROUP_VERSION.to_owned()).or_insert(Wanted { level: 0, direction: Direction::Down });
            assert!(update(&image, &ALL, &wanted).is_err(), "{name} {level} {direction:?}");
        }
        let mut off = Image::default();
        assert_eq!(updated(&mut off, GROUP_VERSION, 0, Direction::Down), Ok(1));
        assert!(update(&off, &ALL, &one(GROUP_VERSION, 1, Direction::Down)).is_err(), "that is up");
    }
}
