//! Type 16: changes of the settings of a subscription to clients' metrics. Those that it does not name stay as they are.

use std::collections::BTreeMap;

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMetricsConfigured {
    pub subscription: String,
    /// Each with its new value; `None`: it has the default again. One without settings is gone.
    pub changes: BTreeMap<String, Option<String>>,
}

impl Body for ClientMetricsConfigured {
    const TYPE: u16 = 16;

    fn write(&self, w: &mut Writer) {
        w.string(&self.subscription);
        w.changes(&self.changes);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { subscription: r.string()?, changes: r.changes()? })
    }
}
