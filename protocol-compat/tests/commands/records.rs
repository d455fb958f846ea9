//! `ottla produce` and `ottla consume` beside Kafka's console programs, and how commands end.

use super::{Running, objects, run, run_with, sorted};
use crate::harness::place::Judged;
use crate::harness::{Broker, Spec, Stage};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The suites' records may be of years ago: retention must leave them.
fn broker(stage: &Stage) -> Result<Broker> {
    stage.broker(Spec::default().set("num.partitions", "3").set("log.retention.ms", "-1"))
}

/// Keys go where Java's producer puts them, and each side reads what the other writes.
pub(crate) fn beside_kafkas_console(stage: &Stage) -> Result<()> {
    let broker = broker(stage)?;
    let to = ["--bootstrap-server", broker.bootstrap()];
    run(stage, &broker, &["topic", "create", "ours", "theirs"])?.well()?;
    let mut lines = String::new();
    for n in 0..60 {
        writeln!(lines, "key-{n}:value {n} ü🦦")?;
    }
    let ours = ["produce", "ours", "--key-separator", ":", "--codec", "zstd"];
    let said = run_with(stage, &broker, &ours, &lines)?;
    ensure!(said.err.contains("60 records written to ours"), "{}", said.err);
    said.well()?;
    let reads = ["--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
    stage.tool("ConsoleProducer", &[&to[..], &["--topic", "theirs"], &reads].concat(), &lines)?;
    let all = ["--from-beginning", "--exit-at-end", "--with", "partition,key"];
    let read = |topic: &str| run(stage, &broker, &[&["consume", topic], &all[..]].concat())?.well();
    let (ours, theirs) = (read("ours")?, read("theirs")?);
    ensure!(sorted(&ours).len() == 60 && sorted(&ours) == sorted(&theirs), "{ours}\nKafka's:\n{theirs}");

    // With all that a record has, as Kafka's console prints it.
    let fields = ["timestamp", "partition", "offset", "headers", "key"].map(|it| format!("print.{it}=true"));
    let fields: Vec<&str> = fields.iter().flat_map(|it| ["--formatter-property", it.as_str()]).collect();
    let few = ["--topic", "ours", "--from-beginning", "--max-messages", "60", "--timeout-ms", "30000"];
    let model = stage.tool("consumer.ConsoleConsumer", &[&to[..], &few, &fields].concat(), "")?;
    let with = ["--with", "time,partition,offset,headers,key"];
    let said = [&["consume", "ours", "--from-beginning", "--exit-at-end"], &with[..]].concat();
    let said = run(stage, &broker, &said)?.well()?;
    ensure!(sorted(&said) == sorted(&model), "{said}\nKafka's:\n{model}");
    Ok(())
}

/// Every codec, from Java's producer and from ours, and every field of a record there and back.
pub(crate) fn whole_records(stage: &Stage) -> Result<()> {
    let broker = broker(stage)?;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("java-{codec}");
        crate::console::write_records(stage, &broker, &topic, codec, 200)?;
        let read = objects(stage, &broker, &["consume", &topic, "--from-beginning", "--exit-at-end"])?;
        ensure!(read.len() == 200, "{codec}: {} records", read.len());

        let copy = format!("copy-{codec}");
        let lines: String = read.iter().map(|record| format!("{record}\n")).collect();
        let words = ["produce", &copy, "--from-json", "--codec", codec];
        run_with(stage, &broker, &words, &lines)?.well()?;
        let copied = objects(stage, &broker, &["consume", &copy, "--from-beginning", "--exit-at-end"])?;
        let bare = |records: &[Value]| -> Vec<String> {
            let mut bare: Vec<String> = records
                .iter()
                .map(|record| {
                    let mut record = record.clone();
                    record["topic"] = Value::Null;
                    record.to_string()
                })
                .collect();
            bare.sort();
            bare
        };
        ensure!(bare(&copied) == bare(&read), "{codec}: the copy is another");
    }

    let lines = r#"{"key":null,"value":null,"headers":[{"key":"a","value":"1"},{"key":"a","value":null}],"timestamp":1700000000123,"partition":2}
{"key":{"hex":"00ff"},"value":"","partition":2}
"#;
    run_with(stage, &broker, &["produce", "odd", "--from-json", "--header", "h=x"], lines)?.well()?;
    let read =
        objects(stage, &broker, &["consume", "odd", "--partition", "2", "--from-offset", "0", "-n", "2"])?;
    let first = json!({
        "topic": "odd", "partition": 2, "offset": 0, "timestamp": 1_700_000_000_123_i64, "key": null, "value": null,
        "headers": [{"key": "a", "value": "1"}, {"key": "a", "value": null}, {"key": "h", "value": "x"}],
    });
    ensure!(read[0] == first, "{}", read[0]);
    ensure!(read[1]["key"] == json!({"hex": "00ff"}) && read[1]["value"] == "", "{}", read[1]);

    let said = run_with(stage, &broker, &["produce", "odd", "--from-json"], "{}\n{\"vlaue\":1}\n")?;
    ensure!(said.err.contains("line 2: `vlaue` is not known"), "{}", said.err);
    said.badly()?;
    let said = run_with(stage, &broker, &["produce", "odd", "--partition", "9"], "x\n")?.badly()?;
    ensure!(said.contains("odd-9"), "{said}");
    Ok(())
}

/// Which records are read: by offsets, times, patterns and numbers.
pub(crate) fn ranges(stage: &Stage) -> Result<()> {
    let broker = broker(stage)?;
    run(stage, &broker, &["topic", "create", "lines", "--partitions", "1"])?.well()?;
    let begin = 1_700_000_000_000_i64;
    let lines: String = (0..20)
        .map(|n| format!("{}\n", json!({"key": format!("k{}", n % 4), "value": format!("line {n}"), "timestamp": begin + n * 1_000})))
        .collect();
    run_with(stage, &broker, &["produce", "lines", "--from-json", "--codec", "lz4"], &lines)?.well()?;
    let numbers = |words: &[&str]| -> Result<Vec<i64>> {
        let said = run(stage, &broker, &[&["consume", "lines"], words].concat())?.well()?;
        said.lines().map(|line| Ok(line.strip_prefix("line ").context("a line")?.parse()?)).collect()
    };
    let time = |n: i64| (begin + n * 1_000).to_string();
    let cases: &[(&[&str], Vec<i64>)] = &[
        (&["--from-beginning", "--exit-at-end"], (0..20).collect()),
        (&["--from-offset", "15", "--exit-at-end"], (15..20).collect()),
        (&["--from-offset", "5", "--to-offset", "8"], vec![5, 6, 7]),
        (&["--last", "3", "--exit-at-end"], vec![17, 18, 19]),
        (&["--from-beginning", "-n", "4"], vec![0, 1, 2, 3]),
        (&["--from-time", &time(18), "--exit-at-end"], vec![18, 19]),
        (&["--from-time", "2023-11-14T22:13:30", "--to-time", &time(12)], vec![10, 11]),
        (&["--from-time", &time(50), "--exit-at-end"], vec![]),
        (&["--from-beginning", "--exit-at-end", "--grep", "1[5-9]$"], (15..20).collect()),
        (&["--from-beginning", "--exit-at-end", "--grep-key", "k3"], vec![3, 7, 11, 15, 19]),
        (&["--from-beginning", "--exit-at-end", "--grep", "LINE", "--ignore-case", "-n", "1"], vec![0]),
        (&["--last", "2", "--idle", "1"], vec![18, 19]),
        (&["--exit-at-end"], vec![]),
    ];
    for (words, expected) in cases {
        let found = numbers(words)?;
        ensure!(found == *expected, "{words:?}: {found:?}");
    }
    let said = run(stage, &broker, &["consume", "lines", "--from-offset", "21"])?.badly()?;
    ensure!(said.contains("lies behind its end"), "{said}");
    let said = run(stage, &broker, &["consume", "none"])?.badly()?;
    ensure!(said.contains("no such topic"), "{said}");
    let said = run(stage, &broker, &["consume", "lines", "--grep", "("])?;
    ensure!(said.code == 2, "{}", said.err);

    // Acknowledged by nobody, they come all the same.
    run_with(stage, &broker, &["produce", "lines", "--acks", "0"], "line 20\nline 21\n")?.well()?;
    stage.wait_for("records without acknowledgement", || {
        Ok(numbers(&["--last", "2", "--exit-at-end"])? == [20, 21])
    })
}

/// Ctrl-C ends a reader and a writer well; a reader that is not there is no failure; an address where nobody is, is.
pub(crate) fn endings(stage: &Stage) -> Result<()> {
    let broker = broker(stage)?;
    run(stage, &broker, &["topic", "create", "lines", "--partitions", "1"])?.well()?;
    run_with(stage, &broker, &["produce", "lines"], "one\ntwo\n")?.well()?;

    let reader = Running::start(stage, &broker, &["consume", "lines", "--from-beginning"])?;
    reader.wait_for_line(stage, "two")?;
    reader.interrupt()?;
    let said = reader.end(stage, "")?;
    ensure!(
        (said.code, &*said.out, &*said.err) == (0, "one\ntwo\n", ""),
        "{} {} {}",
        said.code,
        said.out,
        said.err
    );

    let mut writer = Running::start(stage, &broker, &["produce", "lines"])?;
    writer.write("three\n")?;
    stage.wait_for("the line of a writer that goes on", || {
        let said = run(stage, &broker, &["consume", "lines", "--last", "1", "--exit-at-end"])?.well()?;
        Ok(said == "three\n")
    })?;
    writer.interrupt()?;
    // Its input stays open: the signal alone ends it.
    let said = writer.end_by_itself(stage)?;
    ensure!(said.code == 0 && said.err.contains("1 record written to lines"), "{} {}", said.code, said.err);

    if broker.kind() == Judged::Ottla {
        let metrics = Spec { metrics: true, ..Spec::default() };
        let other = stage.broker(metrics)?;
        let page = other.metrics()?.trim_start_matches("http://").split('/').next().context("an address")?;
        let said = run(stage, &other, &["cluster", "--timeout", "2", "--bootstrap-server", page])?;
        ensure!(said.code == 1 && said.err.contains("ottla: "), "{} {}", said.code, said.err);
    }
    Ok(())
}
