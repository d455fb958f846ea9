//! `ottla topic`, `ottla config` and `ottla cluster` beside Kafka's tools.

use super::{objects, run, sorted};
use crate::harness::{Broker, Spec, Stage};
use anyhow::{Context, Result, ensure};
use serde_json::json;

fn kafkas_topics(stage: &Stage, broker: &Broker, words: &[&str]) -> Result<String> {
    let to = ["--bootstrap-server", broker.bootstrap()];
    stage.tool("TopicCommand", &[&to, words].concat(), "")
}

/// A description with the settings of each topic in one order.
fn in_order(text: &str) -> Vec<String> {
    let ordered = text.lines().map(|line| match line.split_once("Configs: ") {
        Some((head, configs)) => {
            let mut configs: Vec<&str> = configs.trim().split(',').collect();
            configs.sort_unstable();
            format!("{head}Configs: {}", configs.join(","))
        }
        None => line.to_owned(),
    });
    sorted(&ordered.collect::<Vec<_>>().join("\n"))
}

pub(crate) fn topics(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let make = ["topic", "create", "orders", "--partitions", "3", "--config", "retention.ms=86400000"];
    let said = run(stage, &broker, &[&make[..], &["--config", "cleanup.policy=compact"]].concat())?.well()?;
    ensure!(said == "Created topic orders.\n", "{said}");
    run(stage, &broker, &["topic", "create", "one.two", "plain"])?.well()?;
    let said = run(stage, &broker, &make)?.badly()?;
    ensure!(said.contains("TOPIC_ALREADY_EXISTS"), "{said}");
    run(stage, &broker, &[&make[..], &["--if-not-exists"]].concat())?.well()?;
    let said =
        run(stage, &broker, &["topic", "create", "fresh", "--config", "retention.ms=never"])?.badly()?;
    ensure!(said.contains("INVALID_CONFIG"), "{said}");
    run(stage, &broker, &["topic", "create", "fresh", "--dry-run"])?.well()?;

    let listed = run(stage, &broker, &["topic", "list"])?.well()?;
    ensure!(listed == "one.two\norders\nplain\n", "{listed}");
    ensure!(kafkas_topics(stage, &broker, &["--list"])? == listed, "Kafka's tool lists others");
    let compare = || -> Result<()> {
        let said = run(stage, &broker, &["topic", "describe"])?.well()?;
        let model = kafkas_topics(stage, &broker, &["--describe"])?;
        ensure!(in_order(&said) == in_order(&model), "{said}\nKafka's tool:\n{model}");
        Ok(())
    };
    compare()?;

    let alter = ["topic", "alter", "orders", "--partitions", "5", "--delete-config", "cleanup.policy"];
    run(stage, &broker, &[&alter[..], &["--config", "segment.ms=600000"]].concat())?.well()?;
    compare()?;
    let found = objects(stage, &broker, &["topic", "describe", "orders"])?;
    let first = found.first().context("an object")?;
    ensure!(first["configs"]["segment.ms"] == "600000" && first["partitionCount"] == 5, "{first}");
    ensure!(first["configs"].get("cleanup.policy").is_none(), "{first}");
    ensure!(first["partitions"][4]["isr"] == first["partitions"][4]["replicas"], "{first}");
    let said = run(stage, &broker, &["topic", "alter", "orders", "--partitions", "2"])?.badly()?;
    ensure!(said.contains("INVALID_PARTITIONS"), "{said}");
    let said = run(stage, &broker, &["topic", "describe", "--unavailable-partitions"])?.well()?;
    ensure!(said.is_empty(), "{said}");

    let said = run(stage, &broker, &["topic", "delete", "orders", "nothing"])?;
    ensure!(said.out == "Deleted topic orders.\n", "{}", said.out);
    ensure!(said.badly()?.contains("'nothing'"), "what failed is named");
    run(stage, &broker, &["topic", "delete", "orders", "--if-exists"])?.well()?;
    stage.wait_for("the end of the topic", || {
        let listed = run(stage, &broker, &["topic", "list"])?.well()?;
        Ok(listed == "one.two\nplain\n")
    })?;
    let said = run(stage, &broker, &["topic", "describe", "orders"])?.badly()?;
    ensure!(said.contains("there is no such topic"), "{said}");
    Ok(())
}

/// The lines of settings, in order.
fn settings_of(told: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = told.lines().filter(|line| line.contains("sensitive=")).collect();
    lines.sort_unstable();
    lines
}

pub(crate) fn configs(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    run(stage, &broker, &["topic", "create", "orders"])?.well()?;
    let alter = ["config", "alter", "--topic", "orders"];
    let sets = ["--set", "retention.ms=86400000", "--append", "cleanup.policy=compact"];
    run(stage, &broker, &[&alter[..], &sets].concat())?.well()?;
    let said = run(stage, &broker, &["config", "describe", "--topic", "orders"])?.well()?;
    let to = ["--bootstrap-server", broker.bootstrap(), "--describe"];
    let topic = ["--entity-type", "topics", "--entity-name", "orders"];
    let model = stage.tool("kafka.admin.ConfigCommand", &[&to[..], &topic].concat(), "")?;
    ensure!(sorted(&said) == sorted(&model), "{said}\nKafka's tool:\n{model}");
    ensure!(
        said.contains("retention.ms=86400000") && said.contains("cleanup.policy=delete,compact"),
        "{said}"
    );

    // A wrong one among right ones: none is altered.
    let wrong = ["--set", "segment.ms=600000", "--set", "retention.bytes=many"];
    let said = run(stage, &broker, &[&alter[..], &wrong].concat())?.badly()?;
    ensure!(said.contains("INVALID_CONFIG"), "{said}");
    run(stage, &broker, &[&alter[..], &["--set", "segment.ms=600000", "--dry-run"]].concat())?.well()?;
    run(stage, &broker, &[&alter[..], &["--delete", "retention.ms"]].concat())?.well()?;
    let found = objects(stage, &broker, &["config", "describe", "--topic", "orders"])?;
    ensure!(found.len() == 1 && found[0]["name"] == "cleanup.policy", "{found:?}");

    let all = objects(stage, &broker, &["config", "describe", "--topic", "orders", "--all", "--doc"])?;
    let one = all.iter().find(|one| one["name"] == "retention.ms").context("retention.ms")?;
    ensure!(
        one["source"] == "DEFAULT_CONFIG" && one["doc"].as_str().is_some_and(|doc| doc.len() > 40),
        "{one}"
    );
    let id = objects(stage, &broker, &["cluster"])?[0]["id"].to_string();
    let all = objects(stage, &broker, &["config", "describe", "--broker", &id, "--all"])?;
    ensure!(all.iter().any(|one| one["name"] == "log.retention.ms"), "{} settings", all.len());
    for (whose, kafkas) in
        [(vec!["--broker", &*id], vec!["--entity-name", &*id]), (vec!["--brokers"], vec!["--entity-default"])]
    {
        let set = ["--set", "log.retention.ms=86400000", "--set", "max.connections.per.ip=1000"];
        run(stage, &broker, &[&["config", "alter"][..], &whose, &set].concat())?.well()?;
        let said = run(stage, &broker, &[&["config", "describe"][..], &whose].concat())?.well()?;
        let model = [&to[..], &["--entity-type", "brokers"], &kafkas].concat();
        let model = stage.tool("kafka.admin.ConfigCommand", &model, "")?;
        ensure!(settings_of(&said) == settings_of(&model), "{said}\nKafka's tool:\n{model}");
        ensure!(said.contains("log.retention.ms=86400000"), "{said}");
    }
    let wrong = ["config", "alter", "--brokers", "--set", "node.id=9"];
    let said = run(stage, &broker, &wrong)?.badly()?;
    ensure!(said.contains("INVALID_REQUEST"), "{said}");
    let logger = ["--broker-logger", &*id];
    run(stage, &broker, &[&["config", "alter"][..], &logger, &["--set", "root=WARN"]].concat())?.well()?;
    let all = objects(stage, &broker, &[&["config", "describe"][..], &logger].concat())?;
    let root = all.iter().find(|one| one["name"] == "root").context("root")?;
    ensure!(root["value"] == "WARN" && root["source"] == "DYNAMIC_BROKER_LOGGER_CONFIG", "{root}");
    let subscription = ["--client-metrics", "suite"];
    let set = ["--set", "metrics=org.apache.kafka.producer.", "--set", "interval.ms=10000"];
    run(stage, &broker, &[&["config", "alter"][..], &subscription, &set].concat())?.well()?;
    let said = run(stage, &broker, &[&["config", "describe"][..], &subscription].concat())?.well()?;
    let model = [&to[..], &["--entity-type", "client-metrics", "--entity-name", "suite"]].concat();
    let model = stage.tool("kafka.admin.ConfigCommand", &model, "")?;
    ensure!(sorted(&said) == sorted(&model), "{said}\nKafka's tool:\n{model}");
    ensure!(said.contains("interval.ms=10000"), "{said}");
    let said = run(stage, &broker, &["config", "describe", "--broker", "77"])?.badly()?;
    ensure!(said.contains("no broker 77"), "{said}");
    let said = run(stage, &broker, &["config", "describe", "--topic", "none"])?.badly()?;
    ensure!(said.contains("'none'"), "{said}");
    Ok(())
}

pub(crate) fn cluster(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let found = objects(stage, &broker, &["cluster"])?;
    ensure!(found.len() == 1, "{found:?}");
    let (host, port) = broker.bootstrap().rsplit_once(':').context("host and port")?;
    ensure!(found[0]["host"] == host && found[0]["port"] == port.parse::<u16>()?, "{found:?}");
    ensure!(found[0]["controller"] == true, "{found:?}");
    let said = run(stage, &broker, &["cluster"])?.well()?;
    let model = ["cluster-id", "--bootstrap-server", broker.bootstrap()];
    let model = stage.tool("ClusterTool", &model, "")?;
    ensure!(said.starts_with(&model), "{said}\nKafka's tool:\n{model}");
    let served = objects(stage, &broker, &["cluster", "--api-versions"])?;
    let expected = json!({"id": found[0]["id"], "key": 18, "api": "ApiVersions", "min": 0, "max": 4});
    ensure!(served.contains(&expected), "{served:?}");
    Ok(())
}
