//! Partitions that Apache Kafka's tools move from one data directory to another: asked for, held up, looked at, verified.

use super::several::{play, well};
use crate::harness::{Spec, Stage};
use anyhow::{Result, ensure};
use std::fs;

const CONFIGS: &str = "kafka.admin.ConfigCommand";
const LOG_DIRS: &str = "LogDirsCommand";
const REASSIGN: &str = "reassign.ReassignPartitionsCommand";
const STARTED: &str = "Successfully started moving log directory to";
const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

fn at(words: &str) -> String {
    format!("--bootstrap-server {{broker}} {words}")
}

pub(crate) fn to_and_fro(stage: &Stage) -> Result<()> {
    let [left, right] = ["left", "right"].map(|name| stage.folder().join(name).display().to_string());
    for (name, dir) in [("left.json", &left), ("right.json", &right)] {
        fs::create_dir_all(dir)?;
        let wanted = serde_json::json!({
            "version": 1,
            "partitions": [{"topic": "suite", "partition": 0, "replicas": [1], "log_dirs": [dir]}],
        });
        fs::write(stage.folder().join(name), wanted.to_string())?;
    }
    let broker = stage.broker(Spec::default().set("log.dirs", &format!("{left},{right}")))?;
    play(stage, &broker, &[well("TopicCommand", &at("--create --topic suite"), &[])])?;
    crate::console::write_records(stage, &broker, "suite", "none", 500)?;
    let execute = |file: &str, words: &str| at(&format!("--execute --reassignment-json-file {file} {words}"));
    let verify = |file: &str| at(&format!("--verify --reassignment-json-file {file}"));
    let describe = at("--describe --broker-list 1 --topic-list suite");
    play(
        stage,
        &broker,
        &[well(REASSIGN, &execute("right.json", ""), &[STARTED, "for replica suite-0 with broker 1"])],
    )?;
    stage.wait_for("the partition to be in the right directory", || {
        let said = play(stage, &broker, &[well(REASSIGN, &verify("right.json"), &["suite-0"])])?;
        Ok(said[0].contains("Reassignment of replica suite-0-1 completed successfully."))
    })?;
    // Nobody could see it on its way back otherwise.
    let held_up = [
        well(
            REASSIGN,
            &execute("left.json", "--replica-alter-log-dirs-throttle 1"),
            &["The replica-alter-dir throttle limit was set to 1 B/s", STARTED],
        ),
        well(
            REASSIGN,
            &at("--verify --preserve-throttles --reassignment-json-file left.json"),
            &["Reassignment of replica suite-0-1 is still in progress."],
        ),
        well(LOG_DIRS, &describe, &["\"isFuture\":true", "\"isFuture\":false", "\"error\":null"]),
        well(CONFIGS, &at("--describe --entity-type brokers --entity-name 1"), &[RATE]),
        well(
            CONFIGS,
            &at(&format!("--alter --entity-type brokers --entity-name 1 --add-config {RATE}=100000000")),
            &["Completed updating config for broker 1."],
        ),
    ];
    play(stage, &broker, &held_up)?;
    stage.wait_for("the partition to be in the left directory", || {
        let said = play(stage, &broker, &[well(REASSIGN, &verify("left.json"), &["suite-0"])])?;
        Ok(said[0].contains("Reassignment of replica suite-0-1 completed successfully."))
    })?;
    let seen = [
        well(CONFIGS, &at("--describe --entity-type brokers --entity-name 1"), &[]),
        well(LOG_DIRS, &describe, &["\"partition\":\"suite-0\""]),
        well("GetOffsetShell", &at("--topic suite"), &["suite:0:500"]),
    ];
    let said = play(stage, &broker, &seen)?;
    ensure!(!said[0].contains(RATE), "the tool takes the limit away behind the move: {}", said[0]);
    ensure!(!said[1].contains("\"isFuture\":true"), "{}", said[1]);
    let read = super::values(stage, &broker, "suite", "0", 500)?;
    ensure!(read.len() == 500, "{} of 500 records are read", read.len());
    Ok(())
}
