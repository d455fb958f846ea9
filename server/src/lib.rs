//! Ottla, the broker: connections, APIs, partitions, metadata, metrics.
//!
//! Imports run one way: `node` → `net` → `api` → { `coordinator`, `partition`, `quotas`, `telemetry`, `cluster`, `security` }
//! → `storage`; `config`, `logging`, `metrics` and `traces` stand beside them all and know none of them; `client`, which the
//! command line asks other brokers with, knows no module of this one. A test walks the source and fails otherwise.

pub mod api;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod config;
pub mod coordinator;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod node;
pub mod observer;
pub mod partition;
mod protobuf;
pub mod quotas;
pub mod security;
pub mod telemetry;
pub mod traces;
