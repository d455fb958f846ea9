//! What every client does, with its defaults: the same list for each library in each release, one program a client.

use crate::harness::{Client, Scenario, Spec, Stage, wire};
use anyhow::Result;

const CREATE_PARTITIONS: i16 = 37;

/// The programs of most clients have these.
const USUAL: &[&str] = &[
    "nothing_but_the_address",
    "acknowledgements",
    "idempotent",
    "positions",
    "empty_topic",
    "large_records",
    "deleted_topic",
    "admin",
];

/// What other suites do not play with a client that they drive anyway.
const REST: &[&str] = &["idempotent", "five_megabytes", "deleted_topic"];

const OLDER_JAVA: &[&str] = &[
    "nothing_but_the_address",
    "acknowledgements",
    "idempotent",
    "corners",
    "large_records",
    "too_large_for_the_broker",
    "five_megabytes",
    "positions",
    "empty_topic",
    "small_fetches",
    "read_committed",
    "deleted_topic",
    "topics",
    "configs",
    "deletion",
];

/// The parts of a client's program; behind a part's name stand the words that it takes after address and topic.
fn parts(client: Client) -> &'static [&'static str] {
    match client {
        Client::KafkaPython | Client::Java => REST,
        // Idempotence came later.
        Client::KafkaPython2_0 => &[
            "nothing_but_the_address",
            "acknowledgements",
            "positions",
            "empty_topic",
            "large_records",
            "too_large_for_the_broker",
            "five_megabytes",
            "deleted_topic",
            "admin_2_0",
        ],
        Client::Aiokafka | Client::FranzGo => USUAL,
        Client::Librdkafka => &USUAL[1..],
        Client::Java2_8 | Client::Java3_9 => OLDER_JAVA,
        // It consumes by group only.
        Client::KafkaJs => &[
            "nothing_but_the_address",
            "acknowledgements",
            "idempotent",
            "large_records",
            "deleted_topic",
            "admin",
        ],
        // It has one kind of acknowledgement.
        Client::Rskafka => &[
            "positions",
            "empty_topic",
            "large_records 900000",
            "too_large_for_the_broker",
            "deleted_topic",
            "admin",
        ],
    }
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = Vec::new();
    let mut add = |name: &str, client: Client, play: fn(&Stage) -> Result<()>| {
        all.push(Scenario::with_clients(&format!("every::{name}"), &[client], play));
    };
    add("kafka_python", Client::KafkaPython, |stage| plays(stage, Client::KafkaPython));
    add("kafka_python_2_0", Client::KafkaPython2_0, |stage| plays(stage, Client::KafkaPython2_0));
    add("aiokafka", Client::Aiokafka, |stage| plays(stage, Client::Aiokafka));
    add("librdkafka", Client::Librdkafka, |stage| plays(stage, Client::Librdkafka));
    add("java_2_8", Client::Java2_8, |stage| plays(stage, Client::Java2_8));
    add("java_3_9", Client::Java3_9, |stage| plays(stage, Client::Java3_9));
    add("java", Client::Java, |stage| plays(stage, Client::Java));
    add("kafkajs", Client::KafkaJs, |stage| plays(stage, Client::KafkaJs));
    add("franz_go", Client::FranzGo, |stage| plays(stage, Client::FranzGo));
    add("rskafka", Client::Rskafka, |stage| plays(stage, Client::Rskafka));
    // It cannot make a topic with a limit of its own.
    add("rskafka_with_5_mb", Client::Rskafka, |stage| {
        let broker = stage.broker(Spec::default().set("message.max.bytes", "6000000"))?;
        let large = vec!["large_records", broker.bootstrap(), "large", "5000000"];
        stage.parts(Client::Rskafka, &[large]).map(drop)
    });
    all
}

/// All parts in one program against one broker, each on a topic that is called as the part.
fn plays(stage: &Stage, client: Client) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let mut played = parts(client).to_vec();
    if client != Client::Rskafka && wire::serves(broker.bootstrap(), CREATE_PARTITIONS)? {
        played.push("more_partitions");
    }
    let parts = played.iter().map(|part| {
        let mut words = part.split(' ');
        let name = words.next().unwrap_or_default();
        [name, broker.bootstrap(), name].into_iter().chain(words).collect()
    });
    stage.parts(client, &parts.collect::<Vec<_>>()).map(drop)
}
