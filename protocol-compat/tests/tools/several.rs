//! Several of Apache Kafka's tools in one Java process, each with what it must say and how it must end.

use crate::harness::{Broker, Stage, java, program};
use anyhow::{Context, Result, bail, ensure};

/// One run of a tool. `{broker}` in its words is the broker's address.
pub(super) struct Step {
    class: &'static str,
    words: String,
    status: i32,
    says: &'static [&'static str],
}

/// A tool that must succeed and say all of this, by the name of its class behind `org.apache.kafka.tools`.
pub(super) fn well(class: &'static str, words: &str, says: &'static [&'static str]) -> Step {
    Step { class, words: words.to_owned(), status: 0, says }
}

/// A tool that must fail and say all of this.
pub(super) fn badly(class: &'static str, words: &str, says: &'static [&'static str]) -> Step {
    Step { status: 1, ..well(class, words, says) }
}

/// Runs the steps in their order; what each said.
pub(super) fn play(stage: &Stage, broker: &Broker, steps: &[Step]) -> Result<Vec<String>> {
    let mut command = java::kit()?.tool("Tools");
    for (at, step) in steps.iter().enumerate() {
        command.args((at > 0).then_some("---"));
        // Some are not moved yet and are named in full.
        let of_tools = format!("org.apache.kafka.tools.{}", step.class);
        command.arg(if step.class.starts_with("kafka.") { step.class } else { &of_tools });
        command.args(step.words.replace("{broker}", broker.bootstrap()).split_whitespace());
    }
    command.current_dir(stage.folder());
    let ran = program::run_well(&mut command, "", stage.time_left()?)?;
    let mut rest = ran.stdout.as_str();
    let mut all = Vec::new();
    for step in steps {
        let said = judged(step, &mut rest).with_context(|| format!("{} {}", step.class, step.words))?;
        all.push(said);
    }
    ensure!(rest.trim() == "PASS tools", "{rest}");
    Ok(all)
}

fn judged(step: &Step, rest: &mut &str) -> Result<String> {
    let (said, behind) = rest.split_once("ENDED ").with_context(|| (*rest).to_owned())?;
    let (ended, behind) = behind.split_once('\n').context("a line")?;
    *rest = behind;
    let status = ended.split(' ').next().and_then(|status| status.parse::<i32>().ok());
    ensure!(status == Some(step.status), "it ended with {ended}\n{said}");
    // Padding is for people.
    let narrow = said.split('\n').map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let narrow = narrow.collect::<Vec<_>>().join("\n");
    if let Some(missing) = step.says.iter().find(|wanted| !narrow.contains(**wanted)) {
        bail!("it does not say {missing:?} but\n{said}");
    }
    Ok(narrow.trim().to_owned())
}
