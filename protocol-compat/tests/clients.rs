//! Real clients against the real broker: each scenario is a test by name.
//!
//! `OTTLA_SUITE_PEER=kafka` plays the same scenarios against Apache Kafka, which proves the suite. What a missing
//! runtime keeps from running is listed as `NOT RUN` with the reason; with `OTTLA_REQUIRE_ALL=1` it fails.

#![expect(
    clippy::disallowed_methods,
    reason = "the suites drive real processes over real files, sockets and time"
)]

mod harness;

#[path = "clients/across.rs"]
mod across;
#[path = "commands/mod.rs"]
mod commands;
#[path = "clients/console.rs"]
mod console;
#[path = "clients/defaults.rs"]
mod defaults;
#[path = "differential/mod.rs"]
mod differential;
#[path = "clients/every.rs"]
mod every;
#[path = "clients/generated.rs"]
mod generated;
#[path = "clients/golden_batches.rs"]
mod golden_batches;
#[path = "clients/groups.rs"]
mod groups;
#[path = "hostile/mod.rs"]
mod hostile;
#[path = "clients/instructions.rs"]
mod instructions;
#[path = "clients/java.rs"]
mod java;
#[path = "clients/kcat.rs"]
mod kcat;
#[path = "clients/kills.rs"]
mod kills;
#[path = "clients/librdkafka.rs"]
mod librdkafka;
#[path = "clients/losses.rs"]
mod losses;
#[path = "members/mod.rs"]
mod members;
#[path = "clients/observed.rs"]
mod observed;
#[path = "observing/mod.rs"]
mod observing;
#[path = "packaging/mod.rs"]
mod packaging;
#[path = "clients/python.rs"]
mod python;
#[path = "clients/restart.rs"]
mod restart;
#[path = "shippers/mod.rs"]
mod shippers;
#[path = "tools/mod.rs"]
mod tools;
#[path = "clients/traces.rs"]
mod traces;

use harness::Scenario;
use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Several scenarios measure waiting times, and two cores are taken by one client and one broker.
    arguments.test_threads.get_or_insert(1);
    let suites = [
        defaults::scenarios(),
        python::scenarios(),
        java::scenarios(),
        librdkafka::scenarios(),
        every::scenarios(),
        across::scenarios(),
        kcat::scenarios(),
        restart::scenarios(),
        losses::scenarios(),
        kills::scenarios(),
        commands::scenarios(),
        console::scenarios(),
        tools::scenarios(),
        observed::scenarios(),
        observing::scenarios(),
        traces::scenarios(),
        instructions::scenarios(),
        generated::scenarios(),
        differential::scenarios(),
        golden_batches::scenarios(),
        groups::scenarios(),
        members::scenarios(),
        hostile::scenarios(),
        shippers::scenarios(),
        packaging::scenarios(),
    ];
    let trials = suites.into_iter().flatten().filter_map(Scenario::into_trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
