//! The client libraries that the suites drive, each by a program of its own that plays parts by name.

use crate::harness::scenario::Need;
use crate::harness::{compiled, java, node, place, python};
use anyhow::{Result, bail};
use std::process::Command;

/// A client library in a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    KafkaPython,
    KafkaPython2_0,
    Aiokafka,
    Librdkafka,
    Java2_8,
    Java3_9,
    /// The one of the Kafka release that runs here.
    Java,
    KafkaJs,
    FranzGo,
    Rskafka,
}

/// All of them.
pub(crate) const ALL: [Client; 10] = [
    Client::Rskafka,
    Client::KafkaPython,
    Client::KafkaPython2_0,
    Client::Aiokafka,
    Client::Librdkafka,
    Client::Java2_8,
    Client::Java3_9,
    Client::Java,
    Client::KafkaJs,
    Client::FranzGo,
];

impl Client {
    /// What it needs of the machine.
    pub(crate) fn need(self) -> Need {
        match self {
            Self::KafkaPython | Self::KafkaPython2_0 | Self::Aiokafka | Self::Librdkafka => Need::Python,
            Self::Java2_8 | Self::Java3_9 | Self::Java => Need::Java,
            Self::KafkaJs => Need::Node,
            Self::FranzGo => Need::Go,
            Self::Rskafka => Need::Rust,
        }
    }

    /// A command that runs its program, which is made ready if it is not.
    pub(crate) fn command(self) -> Result<Command> {
        let older = || python::with(python::Packages::Older, place::source("python/kafka_python.py"));
        match self {
            Self::KafkaPython => python::command("kafka_python.py"),
            Self::KafkaPython2_0 => older(),
            Self::Aiokafka => python::command("aiokafka_client.py"),
            Self::Librdkafka => python::command("librdkafka_client.py"),
            Self::Java2_8 => Ok(java::older(java::Older::V2_8)?.tool("EveryClient")),
            Self::Java3_9 => Ok(java::older(java::Older::V3_9)?.tool("EveryClient")),
            Self::Java => Ok(java::kit()?.tool("EveryClient")),
            Self::KafkaJs => node::command(),
            Self::FranzGo => compiled::go(),
            Self::Rskafka => compiled::rust(),
        }
    }

    /// A command that runs its members of groups, if it has a program for that.
    pub(crate) fn members(self) -> Result<Command> {
        match self {
            Self::KafkaPython => python::command("kafka_python_members.py"),
            Self::Aiokafka => python::command("aiokafka_members.py"),
            Self::Librdkafka => python::command("librdkafka_members.py"),
            Self::Java => Ok(java::kit()?.tool("Members")),
            Self::KafkaJs | Self::FranzGo => self.command(),
            other => bail!("{other:?} has no members of groups"),
        }
    }
}
