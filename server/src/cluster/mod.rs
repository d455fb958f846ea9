//! The cluster's metadata: a state machine over the log `__cluster_metadata`.
//!
//! `command` decides (image, command) → records and reply; `controller` appends the records and applies them at once;
//! `apply` is the only thing that changes an [`image::Image`], at runtime and at start-up alike. A reply leaves only
//! when the log is durable up to the image that it saw.
//!
//! Must not know: connections, wire messages, partitions' data.

pub mod apply;
pub mod client_metrics;
pub mod command;
pub mod configure;
pub mod controller;
pub mod feature;
pub mod image;
pub mod kraft;
pub mod policy;
pub mod quota;
pub mod records;
pub mod snapshot;
pub mod topic_name;

pub use controller::Controller;
pub use image::{Image, Topic};
