//! `ottla topic move` and `ottla cluster --log-dirs`: partitions go to another data directory, and are seen there.

use super::{objects, run};
use crate::harness::{Broker, Spec, Stage};
use anyhow::{Context, Result, ensure};
use std::fs;

pub(crate) fn to_and_fro(stage: &Stage) -> Result<()> {
    let [left, right] = ["left", "right"].map(|name| stage.folder().join(name).display().to_string());
    for dir in [&left, &right] {
        fs::create_dir_all(dir)?;
    }
    let broker = stage.broker(Spec::default().set("log.dirs", &format!("{left},{right}")))?;
    run(stage, &broker, &["topic", "create", "orders", "--partitions", "4"])?.well()?;
    for (dir, partitions) in [(&left, &[][..]), (&right, &["1", "3"])] {
        let mut words = vec!["topic", "move", "orders", "--to-dir", dir.as_str(), "--wait"];
        partitions.iter().for_each(|partition| words.extend(["--partition", partition]));
        let said = run(stage, &broker, &words)?.well()?;
        let count = if partitions.is_empty() { 4 } else { partitions.len() };
        ensure!(said.matches(" is there.").count() == count, "{said}");
    }
    ensure!(placed(stage, &broker, &left)? == [0, 2] && placed(stage, &broker, &right)? == [1, 3]);
    let said = run(stage, &broker, &["cluster", "--log-dirs"])?.well()?;
    ensure!(said.contains(&left) && said.contains(&right) && said.contains("orders"), "{said}");
    for (words, complaint) in [
        (["topic", "move", "orders", "--to-dir", "/nowhere"], "LOG_DIR_NOT_FOUND"),
        (["topic", "move", "nobody", "--to-dir", &left], "nobody"),
        (["topic", "move", "orders", "--partition=9", &format!("--to-dir={left}")], "no partition 9"),
    ] {
        let said = run(stage, &broker, &words)?.badly()?;
        ensure!(said.contains(complaint), "{words:?}: {said}");
    }
    Ok(())
}

/// The partitions in a directory.
fn placed(stage: &Stage, broker: &Broker, dir: &str) -> Result<Vec<i64>> {
    let dirs = objects(stage, broker, &["cluster", "--log-dirs"])?;
    let found = dirs.iter().find(|found| found["path"] == dir).context("the directory is not shown")?;
    ensure!(found["errorCode"] == 0, "{found}");
    let replicas = found["replicas"].as_array().context("a list of replicas")?.iter();
    let mut partitions: Vec<i64> = replicas
        .filter(|replica| replica["topic"] == "orders" && replica["future"] == false)
        .filter_map(|replica| replica["partition"].as_i64())
        .collect();
    partitions.sort_unstable();
    Ok(partitions)
}
