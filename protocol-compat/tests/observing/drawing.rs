//! Every dashboard as a picture, drawn in a browser from what Prometheus answers to its queries while clients are at work.
//!
//! `OTTLA_WRITE=1` looks on for longer and keeps the pictures in `grafana/renderings`. What is in them is for a person to
//! judge; what is held here is that each panel shows something, that its text fits, and that the picture is not blank.

use crate::harness::{Spec, Stage, debian, node, place};
use crate::observing::grafana;
use crate::observing::prometheus::Prometheus;
use crate::observing::queries::VARIABLES;
use crate::observing::scene::{SETTINGS, Scene};
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LOOK: Duration = Duration::from_secs(20);
const LOOK_FOR_KEEPS: Duration = Duration::from_secs(80);
/// The scrapes are a second apart here.
const RATE_INTERVAL: &str = "10s";
const PICTURE_BYTES_MAX: u64 = 250_000;
const COLOURS_MIN: u64 = 100;
const WIDTH_MIN: u64 = 1_200;
const HEIGHT_MIN: u64 = 600;

pub(super) fn every_dashboard_is_drawn(stage: &Stage) -> Result<()> {
    let is_kept = std::env::var_os("OTTLA_WRITE").is_some();
    let look = if is_kept { LOOK_FOR_KEEPS } else { LOOK };
    let spec = Spec { metrics: true, ..Spec::default() };
    let broker = stage.broker(SETTINGS.iter().fold(spec, |spec, (name, value)| spec.set(name, value)))?;
    let prometheus = Prometheus::start(stage, broker.metrics()?)?;
    let mut scene = Scene::begin(stage, broker.bootstrap())?;
    super::a_checkpoint_is_seen(stage, &prometheus)?;
    scene.play(look)?;

    let pictures = stage.folder().join("pictures");
    fs::create_dir_all(&pictures)?;
    let dashboards = dashboards()?;
    let task = task(&prometheus, look, &pictures, &dashboards)?;
    let ran = stage.run_well(node::drawing()?.arg(task.to_string()))?;
    drop(scene);
    let drawn: Vec<Value> = ran.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(drawn.len() == dashboards.len(), "{} of {}", drawn.len(), dashboards.len());
    for (path, drawn) in dashboards.iter().zip(&drawn) {
        println!("{drawn}");
        let text = fs::read_to_string(path)?;
        judge(&serde_json::from_str(&text)?, drawn).with_context(|| drawn.to_string())?;
    }
    if is_kept {
        keep(&pictures)?;
    }
    Ok(())
}

fn dashboards() -> Result<Vec<String>> {
    let listed = fs::read_dir(grafana("dashboards"))?;
    let mut paths =
        listed.map(|entry| Ok(entry?.path().display().to_string())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    ensure!(paths.len() >= 6, "{paths:?}");
    Ok(paths)
}

/// What the renderer is told: its header says what each part means.
fn task(prometheus: &Prometheus, look: Duration, out: &Path, dashboards: &[String]) -> Result<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let variable = |name: &&str| (name.trim_start_matches('$').to_owned(), Value::from(".*"));
    let browser = debian::browser()?;
    Ok(json!({
        "prometheus": prometheus.address(),
        "from": now - look.as_secs(),
        "to": now,
        "step_seconds": 1,
        "rate_interval": RATE_INTERVAL,
        "variables": VARIABLES.iter().map(variable).collect::<Map<_, _>>(),
        "browser": browser.folder_of("headless_lib_data.pak")?.join("chromium-headless-shell"),
        "browser_libraries": browser.libraries().to_str().context("paths in UTF-8")?,
        "dashboards": dashboards,
        "out": out,
    }))
}

fn judge(dashboard: &Value, drawn: &Value) -> Result<()> {
    let panels = dashboard["panels"].as_array().context("panels")?;
    let expected = panels.iter().filter(|panel| panel["type"] != "row").count();
    ensure!(drawn["panels"] == expected, "it has {expected} panels");
    for trouble in ["empty", "tight", "complaints"] {
        ensure!(drawn[trouble].as_array().is_some_and(Vec::is_empty), "{trouble}: {}", drawn[trouble]);
    }
    let number = |name: &str| drawn[name].as_u64().with_context(|| name.to_owned());
    ensure!(number("bytes")? <= PICTURE_BYTES_MAX, "the picture is too large for a repository");
    ensure!(number("width")? >= WIDTH_MIN && number("height")? >= HEIGHT_MIN, "the picture is small");
    ensure!(number("colours")? >= COLOURS_MIN, "the picture has few colours");
    Ok(())
}

fn keep(pictures: &Path) -> Result<()> {
    let kept = place::place().workspace.join("grafana/renderings");
    fs::create_dir_all(&kept)?;
    for entry in fs::read_dir(pictures)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "png") {
            fs::copy(&path, kept.join(path.file_name().context("a name")?))?;
        }
    }
    Ok(())
}
