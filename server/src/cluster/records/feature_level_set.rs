//! Type 17: a feature has another level from here on.

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureLevelSet {
    pub feature: String,
    /// 0: it is off.
    pub level: u32,
    /// How many changes of features there were with this one: clients tell newer answers from older ones by it.
    pub epoch: i64,
}

impl Body for FeatureLevelSet {
    const TYPE: u16 = 17;

    fn write(&self, w: &mut Writer) {
        w.string(&self.feature);
        w.u32(self.level);
        w.i64(self.epoch);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { feature: r.string()?, level: r.u32()?, epoch: r.i64()? })
    }
}
