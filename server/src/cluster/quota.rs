//! Quotas of clients and addresses: whom one is for, what it bounds, and the decisions about them, as Kafka's
//! ClientQuotaControlManager makes them.
//!
//! A quota is for users, for client ids, for both at once, or for addresses, each named or the default for those without a
//! quota of their own. Which of several counts for a client is not known here. Pure functions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use imbl::OrdMap;

use super::Image;
use super::records::{ClientQuotaAltered, Record};

/// Records that one request may ask for: Kafka's bound for any of an operator's requests.
const RECORDS_MAX: usize = 10_000;

/// Whom one part of an entity stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// All that have no quota of their own.
    Default,
    Exactly(Arc<str>),
}

impl Name {
    /// Kafka's way to say it: null is the default.
    pub fn of(text: Option<&str>) -> Self {
        text.map_or(Self::Default, |text| Self::Exactly(text.into()))
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Exactly(name) => Some(name),
        }
    }
}

/// What a part of an entity is, in the order in which Kafka shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    ClientId,
    User,
    Ip,
}

impl Part {
    pub const ALL: [Part; 3] = [Part::ClientId, Part::User, Part::Ip];

    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ClientId => "client-id",
            Self::Ip => "ip",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// Whom a quota is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity {
    pub user: Option<Name>,
    pub client_id: Option<Name>,
    pub ip: Option<Name>,
}

impl Entity {
    /// The parts that it has.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &Name)> {
        Part::ALL.into_iter().filter_map(|part| Some((part, self.part(part)?)))
    }

    pub fn part(&self, part: Part) -> Option<&Name> {
        match part {
            Part::User => self.user.as_ref(),
            Part::ClientId => self.client_id.as_ref(),
            Part::Ip => self.ip.as_ref(),
        }
    }

    pub fn with(mut self, part: Part, name: Name) -> Self {
        match part {
            Part::User => self.user = Some(name),
            Part::ClientId => self.client_id = Some(name),
            Part::Ip => self.ip = Some(name),
        }
        self
    }
}

/// What a quota bounds, in the order in which Kafka shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Time of the broker's threads, in percent of one thread.
    RequestPercentage,
    /// Bytes of Produce requests in a second.
    ProducerByteRate,
    /// Bytes of Fetch replies in a second.
    ConsumerByteRate,
    /// Partitions created and deleted in a second.
    ControllerMutationRate,
    /// Connections from one address in a second.
    ConnectionCreationRate,
}

impl Key {
    pub const ALL: [Key; 5] = [
        Key::RequestPercentage,
        Key::ProducerByteRate,
        Key::ConsumerByteRate,
        Key::ControllerMutationRate,
        Key::ConnectionCreationRate,
    ];

    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProducerByteRate => "producer_byte_rate",
            Self::ConsumerByteRate => "consumer_byte_rate",
            Self::RequestPercentage => "request_percentage",
            Self::ControllerMutationRate => "controller_mutation_rate",
            Self::ConnectionCreationRate => "connection_creation_rate",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Its id in the records.
    pub(super) fn id(self) -> u8 {
        match self {
            Self::ProducerByteRate => 1,
            Self::ConsumerByteRate => 2,
            Self::RequestPercentage => 3,
            Self::ControllerMutationRate => 4,
            Self::ConnectionCreationRate => 5,
        }
    }

    pub(super) fn of_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.id() == id)
    }

    fn is_for(self, entity: &Entity) -> bool {
        (self == Self::ConnectionCreationRate) == entity.ip.is_some()
    }

    /// The greatest value where it must be a whole number; `None` where it need not be one.
    fn whole_max(self) -> Option<i64> {
        match self {
            Self::ProducerByteRate | Self::ConsumerByteRate => Some(i64::MAX),
            Self::ConnectionCreationRate => Some(i64::from(i32::MAX)),
            Self::RequestPercentage | Self::ControllerMutationRate => None,
        }
    }
}

/// The value of a quota: nothing up to 0. As in Kafka it may be NaN, which slows nobody.
#[derive(Debug, Clone, Copy)]
pub struct Value(f64);

impl Value {
    pub fn new(value: f64) -> Option<Self> {
        (value.is_nan() || value > 0.0).then_some(Self(value))
    }

    pub fn get(self) -> f64 {
        self.0
    }
}

/// By their bits: a NaN is itself, and there is no zero.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Value {}

/// All quotas of one entity; never empty.
pub type Values = BTreeMap<Key, Value>;

/// All quotas of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas {
    by_entity: OrdMap<Entity, Arc<Values>>,
    /// How many entities have a quota of each kind, in the order of [`Key::ALL`]: what nobody bounds costs nobody anything.
    counts: [usize; Key::ALL.len()],
    /// What named addresses may do, by how they are named: several names may stand for one address.
    addresses: OrdMap<(IpAddr, Arc<str>), Value>,
}

impl Quotas {
    /// Whether there is any quota of this kind.
    pub fn bounds(&self, key: Key) -> bool {
        self.counts[key as usize] > 0
    }

    pub fn is_empty(&self) -> bool {
        self.by_entity.is_empty()
    }

    /// The quota of connections from this address. Of several names for it the first counts.
    pub fn connection_rate(&self, address: IpAddr) -> Option<Value> {
        let key = Key::ConnectionCreationRate;
        if !self.bounds(key) {
            return None;
        }
        let named =
            self.addresses.get_next(&(address, "".into())).filter(|((found, _), _)| *found == address);
        let default = || self.get(&Entity::default().with(Part::Ip, Name::Default), key);
        named.map(|(_, value)| *value).or_else(default)
    }

    pub fn get(&self, entity: &Entity, key: Key) -> Option<Value> {
        self.by_entity.get(entity)?.get(&key).copied()
    }

    pub fn values(&self, entity: &Entity) -> Option<&Values> {
        self.by_entity.get(entity).map(|values| &**values)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Entity, &Values)> {
        self.by_entity.iter().map(|(entity, values)| (entity, &**values))
    }

    /// `apply` is its only caller.
    pub(super) fn alter(&mut self, entity: Entity, key: Key, value: Option<Value>) {
        if let (Key::ConnectionCreationRate, Some(Name::Exactly(name))) = (key, &entity.ip) {
            for address in addresses(name) {
                match value {
                    Some(value) => self.addresses.insert((address, name.clone()), value),
                    None => self.addresses.remove(&(address, name.clone())),
                };
            }
        }
        let mut values = self.values(&entity).cloned().unwrap_or_default();
        let had = match value {
            Some(value) => values.insert(key, value).is_some(),
            None => values.remove(&key).is_some(),
        };
        let count = &mut self.counts[key as usize];
        match (had, value) {
            (false, Some(_)) => *count += 1,
            (true, None) => *count -= 1,
            _ => {}
        }
        if values.is_empty() {
            self.by_entity.remove(&entity);
        } else {
            self.by_entity.insert(entity, Arc::new(values));
        }
    }
}

/// Why quotas stay as they are: always the asker's doing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuotaRefusal {
    #[error("a quota needs a user, a client id or an address that it is for")]
    EmptyEntity,
    #[error("there is no entity type '{0}'; there are user, client-id and ip")]
    UnknownType(String),
    #[error("an empty {0} cannot have a quota")]
    EmptyName(&'static str),
    #[error("a quota of an address cannot be for a user or a client id, too")]
    AddressWithOthers,
    #[error("'{0}' is no address; name one, or localhost")]
    NoAddress(String),
    #[error("there is no quota '{0}' for this entity")]
    UnknownKey(String),
    #[error("the quota '{0}' must be greater than 0")]
    NotPositive(&'static str),
    #[error("the quota '{0}' must be a whole number")]
    Fractional(&'static str),
    #[error("the quota '{name}' is at most {max}")]
    TooLarge { name: &'static str, max: i64 },
    #[error("the request names the quota '{0}' more than once for this entity")]
    KeyTwice(String),
    #[error("the request names this entity more than once")]
    EntityTwice,
    #[error("one request may change {RECORDS_MAX} quotas")]
    TooMany,
}

/// An entity as it was named: its types, each once, with their names.
pub type Named = BTreeMap<String, Option<String>>;

/// What somebody wants for one entity: quotas with new values, or with none any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub entity: Named,
    pub changes: Vec<(String, Option<f64>)>,
}

/// What becomes of each entity.
pub type Outcomes = Vec<(Named, Result<(), QuotaRefusal>)>;

/// The records that change what is to change, and what becomes of each entity. One that is named twice is told so once, and
/// has its first changes, as in Kafka.
pub fn alter(image: &Image, wanted: &[Wanted]) -> Result<(Vec<Record>, Outcomes), QuotaRefusal> {
    let mut records = Vec::new();
    let mut outcomes: Outcomes = Vec::new();
    let mut places: BTreeMap<&Named, usize> = BTreeMap::new();
    for Wanted { entity, changes } in wanted {
        if let Some(place) = places.get(entity) {
            outcomes[*place].1 = Err(QuotaRefusal::EntityTwice);
            continue;
        }
        let outcome = alter_one(image, entity, changes).map(|added| records.extend(added));
        if records.len() > RECORDS_MAX {
            return Err(QuotaRefusal::TooMany);
        }
        places.insert(entity, outcomes.len());
        outcomes.push((entity.clone(), outcome));
    }
    Ok((records, outcomes))
}

fn alter_one(
    image: &Image,
    named: &Named,
    changes: &[(String, Option<f64>)],
) -> Result<Vec<Record>, QuotaRefusal> {
    let mut names = BTreeSet::new();
    if let Some((name, _)) = changes.iter().find(|(name, _)| !names.insert(name)) {
        return Err(QuotaRefusal::KeyTwice(name.clone()));
    }
    let entity = entity(named)?;
    let mut records = Vec::new();
    for (name, value) in changes {
        let key = Key::of(name).filter(|key| key.is_for(&entity));
        let value = match (key, value) {
            // What is not there is removed without a word, whatever its name.
            (None, None) => continue,
            (None, Some(_)) => return Err(QuotaRefusal::UnknownKey(name.clone())),
            (Some(_), None) => None,
            (Some(key), Some(value)) => Some(check(key, *value)?),
        };
        let Some(key) = key else { continue };
        if image.quotas().get(&entity, key) != value {
            records.push(ClientQuotaAltered { entity: entity.clone(), key, value }.into());
        }
    }
    Ok(records)
}

/// The entity that these names stand for.
fn entity(named: &Named) -> Result<Entity, QuotaRefusal> {
    if named.is_empty() {
        return Err(QuotaRefusal::EmptyEntity);
    }
    let mut entity = Entity::default();
    for (kind, name) in named {
        let part = Part::of(kind).ok_or_else(|| QuotaRefusal::UnknownType(kind.clone()))?;
        if name.as_deref() == Some("") {
            return Err(QuotaRefusal::EmptyName(part.name()));
        }
        entity = entity.with(part, Name::of(name.as_deref()));
    }
    match &entity.ip {
        Some(_) if entity.user.is_some() || entity.client_id.is_some() => {
            Err(QuotaRefusal::AddressWithOthers)
        }
        Some(Name::Exactly(name)) if addresses(name).is_empty() => {
            Err(QuotaRefusal::NoAddress(name.to_string()))
        }
        _ => Ok(entity),
    }
}

/// What an address is named by. Other names of hosts are nobody's: who may change their records would decide whom a quota
/// is for.
pub fn addresses(name: &str) -> Vec<IpAddr> {
    match name {
        "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        _ => name.parse().into_iter().collect(),
    }
}

fn check(key: Key, value: f64) -> Result<Value, QuotaRefusal> {
    /// So far from a whole number is a fraction, as Kafka sees it.
    const FRACTION: f64 = 1e-6;
    let checked = Value::new(value).ok_or(QuotaRefusal::NotPositive(key.name()))?;
    let Some(max) = key.whole_max() else { return Ok(checked) };
    if value > max as f64 {
        return Err(QuotaRefusal::TooLarge { name: key.name(), max });
    }
    if value % 1.0 > FRACTION {
        return Err(QuotaRefusal::Fractional(key.name()));
    }
    Ok(checked)
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
