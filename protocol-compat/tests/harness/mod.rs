//! What the suites stand on: the broker under test as a real process, real clients set up by themselves, time budgets,
//! and scenarios that are listed as tests by name.
//!
//! The harness knows how to start, stop and kill a broker and a client program; it knows nothing of what they say to
//! each other, beyond the one question that tells whether a broker serves.

pub(crate) mod broker;
mod budget;
mod cache;
pub(crate) mod client;
mod compiled;
pub(crate) mod debian;
pub(crate) mod java;
mod kafka;
pub(crate) mod kcat;
pub(crate) mod losing;
mod machine;
pub(crate) mod node;
pub(crate) mod ottla;
pub(crate) mod place;
pub(crate) mod program;
pub(crate) mod python;
pub(crate) mod random;
pub(crate) mod scenario;
pub(crate) mod wire;

pub(crate) use broker::{Broker, Listen, Spec};
pub(crate) use client::Client;
pub(crate) use scenario::{Need, Scenario, Stage};
