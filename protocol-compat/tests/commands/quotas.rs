//! `ottla quota` beside kafka-configs.

use super::{objects, run, sorted};
use crate::harness::{Broker, Spec, Stage};
use anyhow::{Result, ensure};
use serde_json::json;

pub(crate) fn quotas(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    ensure!(run(stage, &broker, &["quota", "list"])?.well()?.is_empty(), "there are quotas");
    let both = ["--user", "alice", "--client-id-default"];
    let set = |whom: &[&'static str], quotas: &[&'static str]| {
        run(stage, &broker, &[&["quota", "set"], whom, quotas].concat())?.well()
    };
    set(&["--user", "alice", "--dry-run"], &["producer_byte_rate=1024"])?;
    ensure!(run(stage, &broker, &["quota", "list"])?.well()?.is_empty(), "it was only to be checked");
    set(&["--user", "alice"], &["producer_byte_rate=1024", "request_percentage=12.5"])?;
    set(&both, &["consumer_byte_rate=2048"])?;
    set(&["--client-id", "reports"], &["consumer_byte_rate=4096"])?;
    set(&["--ip-default"], &["connection_creation_rate=1000000"])?;
    shown_as_set(stage, &broker)?;
    as_kafkas_tool(stage, &broker)?;
    refused(stage, &broker)?;

    run(stage, &broker, &["quota", "delete", "--user", "alice", "request_percentage"])?.well()?;
    run(stage, &broker, &["quota", "delete", "--ip-default"])?.well()?;
    stage.wait_for("what is left", || {
        let table = run(stage, &broker, &["quota", "list"])?.well()?;
        Ok(sorted(&table).len() == 4 && table.contains("producer_byte_rate 1024"))
    })
}

/// Apache Kafka shows what it has done some milliseconds later.
fn shown_as_set(stage: &Stage, broker: &Broker) -> Result<()> {
    let expected = "\
USER  CLIENT-ID IP        QUOTA                    VALUE
alice <default> -         consumer_byte_rate       2048
-     reports   -         consumer_byte_rate       4096
-     -         <default> connection_creation_rate 1000000
alice -         -         producer_byte_rate       1024
alice -         -         request_percentage       12.5
";
    stage.wait_for("the quotas", || Ok(run(stage, broker, &["quota", "list"])?.well()? == expected))?;
    let described = objects(stage, broker, &["quota", "describe", "--user", "alice"])?;
    let quotas = json!({"producer_byte_rate": 1024.0, "request_percentage": 12.5});
    ensure!(described == [json!({"entity": {"user": "alice"}, "quotas": quotas})], "{described:?}");
    let of_alice = objects(stage, broker, &["quota", "list", "--user", "alice"])?;
    ensure!(of_alice.len() == 2, "{of_alice:?}");
    Ok(())
}

/// Of users it asks for passwords, too, which are not served yet.
fn as_kafkas_tool(stage: &Stage, broker: &Broker) -> Result<()> {
    let to = ["--bootstrap-server", broker.bootstrap(), "--describe"];
    let whom = ["--entity-type", "clients", "--entity-name", "reports"];
    let model = stage.tool("kafka.admin.ConfigCommand", &[&to[..], &whom].concat(), "")?;
    ensure!(model.contains("consumer_byte_rate=4096.0"), "Kafka's tool: {model}");
    Ok(())
}

fn refused(stage: &Stage, broker: &Broker) -> Result<()> {
    let unknown = ["quota", "set", "--user", "alice", "bytes=1"];
    let said = run(stage, broker, &unknown)?.badly()?;
    ensure!(said.contains("INVALID_REQUEST"), "{said}");
    let said = run(stage, broker, &["quota", "describe", "--user", "bob"])?.badly()?;
    ensure!(said.contains("user 'bob' has no quota"), "{said}");
    for wrong in [&["quota", "set", "producer_byte_rate=1"][..], &["quota", "set", "--user", "a", "b=c"]] {
        let said = run(stage, broker, wrong)?;
        ensure!(said.code == 2, "{wrong:?}: exit code {}\n{}", said.code, said.err);
    }
    Ok(())
}
