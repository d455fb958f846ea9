//! Type 10: one quota of an entity has a value, or has none any more.

use super::{Body, Reader, Writer};
use crate::cluster::quota::{Entity, Key, Name, Part, Value};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientQuotaAltered {
    pub entity: Entity,
    pub key: Key,
    /// `None`: removed.
    pub value: Option<Value>,
}

const ABSENT: u8 = 0;
const DEFAULT: u8 = 1;
const NAMED: u8 = 2;
const REMOVED: u8 = 0;
const SET: u8 = 1;

impl Body for ClientQuotaAltered {
    const TYPE: u16 = 10;

    fn write(&self, w: &mut Writer) {
        for part in Part::ALL {
            match self.entity.part(part) {
                None => w.u8(ABSENT),
                Some(Name::Default) => w.u8(DEFAULT),
                Some(Name::Exactly(name)) => {
                    w.u8(NAMED);
                    w.string(name);
                }
            }
        }
        w.u8(self.key.id());
        match self.value {
            None => w.u8(REMOVED),
            Some(value) => {
                w.u8(SET);
                w.f64(value.get());
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let mut entity = Entity::default();
        for part in Part::ALL {
            entity = match r.u8()? {
                ABSENT => entity,
                DEFAULT => entity.with(part, Name::Default),
                NAMED => entity.with(part, Name::Exactly(r.string()?.into())),
                _ => return None,
            };
        }
        let key = Key::of_id(r.u8()?)?;
        let value = match r.u8()? {
            REMOVED => None,
            SET => Some(Value::new(r.f64()?)?),
            _ => return None,
        };
        Some(Self { entity, key, value })
    }
}
