//! The broker over a real socket: every API in every version that is served, and the rules of a connection.

mod apis;
mod broker_configs;
mod broker_loggers;
mod cold;
mod configs;
mod connections;
mod consumer_groups;
mod deletion;
mod disk;
mod durability;
mod epochs;
mod features;
mod group_configs;
mod groups;
mod harness;
mod idle;
mod listeners;
mod moves;
mod partitions;
mod policies;
mod polling;
#[path = "../kill/process.rs"]
mod process;
mod producers;
mod quotas;
mod reloading;
#[path = "../kill/requests.rs"]
mod requests;
mod restart;
mod sessions;
mod telemetry;
mod topics;
mod truncation;
