//! Apache Kafka's tools for whoever looks after a cluster: topics, settings, quotas, and what one broker has to say to those for
//! many. A tool more is a line more.

use super::several::{Step, badly, play, well};
use crate::harness::{Broker, Spec, Stage, java};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const TOPICS: &str = "TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const REASSIGN: &str = "reassign.ReassignPartitionsCommand";
const QUORUM: &str = "MetadataQuorumCommand";
const REFUSED: &str = "Error while executing topic command";

fn at(words: &str) -> String {
    format!("--bootstrap-server {{broker}} {words}")
}

/// Apache Kafka answers some changes before every listing shows them, so that each is looked for by a later process.
pub(crate) fn topics(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let made = [
        well(
            TOPICS,
            &at("--create --topic suite --partitions 3 --config retention.ms=1000000"),
            &["Created topic suite."],
        ),
        badly(TOPICS, &at("--create --topic suite"), &["suite", "already exists"]),
        well(TOPICS, &at("--create --topic suite --if-not-exists"), &[]),
        badly(TOPICS, &at("--create --topic other --replication-factor 3"), &[REFUSED]),
        badly(TOPICS, &at("--create --topic a/b"), &[REFUSED]),
    ];
    play(stage, &broker, &made)?;
    let altered = [
        well(
            TOPICS,
            &at("--describe --topic suite"),
            &[
                "PartitionCount: 3 ReplicationFactor: 1",
                "retention.ms=1000000",
                "Partition: 2 Leader: 1 Replicas: 1 Isr: 1",
            ],
        ),
        well(TOPICS, &at("--alter --topic suite --partitions 5"), &[]),
        badly(TOPICS, &at("--alter --topic suite --partitions 2"), &[REFUSED]),
        badly(TOPICS, &at("--describe --topic nobody"), &["nobody"]),
        badly(TOPICS, &at("--delete --topic nobody"), &["'nobody' does not exist as expected"]),
    ];
    play(stage, &broker, &altered)?;
    let looked = [
        well(TOPICS, &at("--list"), &["suite"]),
        well(TOPICS, &at("--describe --topic suite"), &["PartitionCount: 5"]),
        well(TOPICS, &at("--describe --unavailable-partitions"), &[]),
        well(TOPICS, &at("--describe --under-replicated-partitions"), &[]),
        well(TOPICS, &at("--delete --topic suite"), &[]),
    ];
    let said = play(stage, &broker, &looked)?;
    ensure!(said[2].is_empty() && said[3].is_empty(), "one broker lacks nothing: {said:?}");
    let gone = play(stage, &broker, &[well(TOPICS, &at("--list --exclude-internal"), &[])])?;
    ensure!(gone[0].is_empty(), "{gone:?}");
    Ok(())
}

/// Settings of topics and groups; each kind of thing that has settings is a line of its own.
pub(crate) fn configs(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let of = |entity: &str, words: &str| at(&format!("{words} --entity-type {entity}"));
    let set = [
        well(TOPICS, &at("--create --topic suite"), &[]),
        well(
            CONFIGS,
            &of(
                "topics",
                "--alter --entity-name suite --add-config retention.ms=500000,cleanup.policy=[compact,delete]",
            ),
            &["Completed updating config for topic suite."],
        ),
        badly(
            CONFIGS,
            &of("topics", "--alter --entity-name suite --add-config retention.ms=soon"),
            &["InvalidConfigurationException"],
        ),
        well(
            CONFIGS,
            &of("groups", "--alter --entity-name readers --add-config consumer.session.timeout.ms=50000"),
            &["Completed updating config for group readers."],
        ),
    ];
    play(stage, &broker, &set)?;
    let seen = [
        well(
            CONFIGS,
            &of("topics", "--describe --entity-name suite"),
            &[
                "Dynamic configs for topic suite are:",
                "retention.ms=500000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=500000",
                "cleanup.policy=compact,delete",
            ],
        ),
        well(CONFIGS, &of("topics", "--describe --entity-name suite --all"), &["compression.type=producer"]),
        well(CONFIGS, &of("topics", "--describe"), &["Dynamic configs for topic suite are:"]),
        well(
            CONFIGS,
            &of("groups", "--describe --entity-name readers"),
            &["Dynamic configs for group readers are:", "consumer.session.timeout.ms=50000"],
        ),
        well(CONFIGS, &of("groups", "--describe"), &["Dynamic configs for group readers are:"]),
        well(CONFIGS, &of("brokers", "--describe --entity-name 1 --all"), &["num.partitions=1"]),
        well(CONFIGS, &of("topics", "--alter --entity-name suite --delete-config retention.ms"), &[]),
        well(
            CONFIGS,
            &of("groups", "--alter --entity-name readers --delete-config consumer.session.timeout.ms"),
            &[],
        ),
    ];
    play(stage, &broker, &seen)?;
    let back = [
        well(CONFIGS, &of("topics", "--describe --entity-name suite"), &["cleanup.policy"]),
        well(CONFIGS, &of("groups", "--describe --entity-name readers"), &[]),
    ];
    let said = play(stage, &broker, &back)?;
    ensure!(!said[0].contains("retention.ms") && !said[1].contains("session"), "{said:?}");
    Ok(())
}

/// Quotas of users, clients and addresses, which the same tool sets.
pub(crate) fn quotas(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let both = "--entity-type users --entity-name reader --entity-type clients --entity-name reports";
    let address = "--entity-type ips --entity-name 127.0.0.1";
    let alter = |words: &str| at(&format!("--alter {words}"));
    let describe = |words: &str| at(&format!("--describe {words}"));
    let set = [
        well(
            CONFIGS,
            &alter(&format!("--add-config producer_byte_rate=1024,request_percentage=50 {both}")),
            &["Completed updating"],
        ),
        well(
            CONFIGS,
            &alter("--add-config consumer_byte_rate=2048 --entity-type clients --entity-default"),
            &["Completed updating"],
        ),
        well(
            CONFIGS,
            &alter(&format!("--add-config connection_creation_rate=100 {address}")),
            &["Completed updating"],
        ),
        badly(CONFIGS, &alter(&format!("--add-config no_such_rate=1 {both}")), &["no_such_rate"]),
    ];
    play(stage, &broker, &set)?;
    let seen = [
        well(
            CONFIGS,
            &describe(both),
            &[
                "user-principal 'reader', client-id 'reports' are",
                "producer_byte_rate=1024.0",
                "request_percentage=50.0",
            ],
        ),
        well(
            CONFIGS,
            &describe("--entity-type clients"),
            &["the default client-id are consumer_byte_rate=2048.0"],
        ),
        well(CONFIGS, &describe(address), &["ip '127.0.0.1' are connection_creation_rate=100.0"]),
        well(CONFIGS, &alter(&format!("--delete-config producer_byte_rate,request_percentage {both}")), &[]),
        well(CONFIGS, &alter(&format!("--delete-config connection_creation_rate {address}")), &[]),
    ];
    play(stage, &broker, &seen)?;
    let said =
        play(stage, &broker, &[well(CONFIGS, &describe(both), &[]), well(CONFIGS, &describe(address), &[])])?;
    ensure!(!said.concat().contains("rate="), "{said:?}");
    Ok(())
}

/// What the broker is, holds and can.
pub(crate) fn cluster(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    play(stage, &broker, &[well(TOPICS, &at("--create --topic suite --partitions 2"), &[])])?;
    let said = play(
        stage,
        &broker,
        &[
            well("ClusterTool", "cluster-id --bootstrap-server {broker}", &["Cluster ID: "]),
            well("ClusterTool", "list-endpoints --bootstrap-server {broker}", &["unfenced broker"]),
            well(
                QUORUM,
                &at("describe --status"),
                &["LeaderId: 1", "MaxFollowerLag: 0", "CurrentObservers: []"],
            ),
            well(QUORUM, &at("describe --replication"), &["NodeId DirectoryId LogEndOffset Lag", "Leader"]),
            well("FeatureCommand", &at("describe"), &["Feature: metadata.version", "Feature: group.version"]),
            well(
                "LogDirsCommand",
                &at("--describe --topic-list suite"),
                &["\"partition\":\"suite-1\"", "\"error\":null"],
            ),
            well(
                "BrokerApiVersionsCommand",
                &at(""),
                &["(id: 1 rack: null", "ApiVersions(18): 0 to 4 [usable: 4]"],
            ),
            well("GetOffsetShell", &at("--topic suite"), &["suite:0:0\nsuite:1:0"]),
            well("GroupsCommand", &at("--list"), &["GROUP TYPE PROTOCOL"]),
        ],
    )?;
    let id = said[0].trim_start_matches("Cluster ID: ");
    ensure!(said[2].contains(&format!("ClusterId: {id}")), "{said:?}");
    Ok(())
}

/// Tools for many brokers, which find that one has nothing to move and nobody to elect.
pub(crate) fn one_of_one(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    for (name, json) in [
        ("topics.json", r#"{"version":1,"topics":[{"topic":"suite"}]}"#),
        ("here.json", r#"{"version":1,"partitions":[{"topic":"suite","partition":0,"replicas":[1]}]}"#),
        ("away.json", r#"{"version":1,"partitions":[{"topic":"suite","partition":0,"replicas":[2]}]}"#),
        ("one.json", r#"{"partitions":[{"topic":"suite","partition":0}]}"#),
        ("records.json", r#"{"version":1,"partitions":[{"topic":"suite","partition":0,"offset":0}]}"#),
    ] {
        fs::write(stage.folder().join(name), json)?;
    }
    play(stage, &broker, &[well(TOPICS, &at("--create --topic suite"), &[])])?;
    let steps: [Step; 8] = [
        well("LeaderElectionCommand", &at("--election-type preferred --all-topic-partitions"), &[]),
        well(
            "LeaderElectionCommand",
            &at("--election-type preferred --path-to-json-file one.json"),
            &["Valid replica already elected for partitions suite-0"],
        ),
        well(
            REASSIGN,
            &at("--generate --broker-list 1 --topics-to-move-json-file topics.json"),
            &["Proposed partition reassignment configuration", r#""partition":0,"replicas":[1]"#],
        ),
        well(
            REASSIGN,
            &at("--execute --reassignment-json-file here.json"),
            &["Successfully started partition reassignment for suite-0"],
        ),
        badly(REASSIGN, &at("--execute --reassignment-json-file away.json"), &["Unknown broker id 2"]),
        well(
            REASSIGN,
            &at("--verify --preserve-throttles --reassignment-json-file here.json"),
            &["Reassignment of partition suite-0 is completed."],
        ),
        well(REASSIGN, &at("--list"), &["No partition reassignments found."]),
        well("DeleteRecordsCommand", &at("--offset-json-file records.json"), &["low_watermark: 0"]),
    ];
    play(stage, &broker, &steps)?;
    replicas_agree(stage, &broker)
}

/// This tool reports for as long as it runs.
fn replicas_agree(stage: &Stage, broker: &Broker) -> Result<()> {
    crate::console::write_records(stage, broker, "suite", "none", 1)?;
    let mut command = java::kit()?.tool("org.apache.kafka.tools.ReplicaVerificationTool");
    command.args([
        "--broker-list",
        broker.bootstrap(),
        "--topics-include",
        "suite",
        "--report-interval-ms",
        "200",
    ]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
    let report = lines.map_while(Result::ok).find(|line| line.contains("max lag is"));
    // It may have ended already.
    let _ended = child.kill();
    child.wait()?;
    let report = report.context("nothing is reported")?;
    ensure!(report.contains("max lag is 0 for partition suite-0 at offset 1 among 1 partitions"), "{report}");
    Ok(())
}
