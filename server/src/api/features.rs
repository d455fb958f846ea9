//! The features that this broker has, of all that its release of Kafka knows.
//!
//! Clients switch behaviour on them, so that only what is served is named.

use protocol_compat::versions;

use crate::cluster::feature::{GROUP_VERSION, METADATA_VERSION, Supported};

const NAMES: [&str; 2] = [GROUP_VERSION, METADATA_VERSION];

/// Each with its levels, in the order of their names.
pub(super) fn supported() -> Vec<Supported> {
    let levels = |name: &str| versions::feature(name);
    let whole = |level: i16| u32::try_from(level).unwrap_or(0);
    let all = NAMES.iter().filter_map(|name| levels(name));
    all.map(|feature| Supported { name: feature.name, min: whole(feature.min), max: whole(feature.max) })
        .collect()
}
