//! The broker.
pub mod config;
pub mod metrics;
