//! A supervisor is told when the broker serves and when it stops; whoever can only run a program asks `ottla health`.

use super::{Served, folder, ottla};
use crate::harness::{Stage, ottla as built, program, wire};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

fn broker(stage: &Stage, name: &str) -> Result<Command> {
    let mut command = ottla(built::binary()?);
    let data = folder(stage, name)?.join("data");
    for set in [&format!("log.dirs={}", data.display()), "listeners=PLAINTEXT://127.0.0.1:0"] {
        command.args(["--set", set]);
    }
    Ok(command)
}

pub(super) fn is_told(stage: &Stage) -> Result<()> {
    // The kernel's bound of such a path is short, and a stage's folder may lie deep.
    let path = std::env::temp_dir().join(format!("ottla-notify-{}", std::process::id()));
    let _from_before = fs::remove_file(&path);
    let abstract_name = format!("ottla-suite-{}", std::process::id());
    let sockets = [
        ("file", path.display().to_string(), UnixDatagram::bind(&path)?),
        (
            "abstract",
            format!("@{abstract_name}"),
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstract_name)?)?,
        ),
    ];
    for (name, address, socket) in sockets {
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut command = broker(stage, name)?;
        command.args(["--set", "metrics.listener=off"]).env("NOTIFY_SOCKET", &address);
        let served = Served::start(command, &stage.folder().join(name))?;
        let ready = received(&socket)?;
        ensure!(ready.lines().next() == Some("READY=1"), "{ready}");
        ensure!(
            ready.contains(&format!("STATUS=serves PLAINTEXT://{}", served.listener("PLAINTEXT")?)),
            "{ready}"
        );
        wire::answers(served.listener("PLAINTEXT")?)?;
        socket.set_nonblocking(true)?;
        ensure!(socket.recv(&mut [0; 16]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock), "told twice");
        socket.set_nonblocking(false)?;
        served.stop()?;
        let stopping = received(&socket)?;
        ensure!(stopping.lines().next() == Some("STOPPING=1"), "{stopping}");
    }
    fs::remove_file(&path)?;
    // A supervisor that is away holds up nothing.
    let mut command = broker(stage, "alone")?;
    command.args(["--set", "metrics.listener=off"]).env("NOTIFY_SOCKET", "/nonexistent/notify");
    Served::start(command, &stage.folder().join("alone"))?.stop()
}

fn received(socket: &UnixDatagram) -> Result<String> {
    let mut datagram = [0; 4096];
    let length = socket.recv(&mut datagram).context("nothing is told")?;
    Ok(String::from_utf8_lossy(&datagram[..length]).into_owned())
}

pub(super) fn health(stage: &Stage) -> Result<()> {
    let mut command = broker(stage, "broker")?;
    command.args(["--set", "metrics.listener=127.0.0.1:0"]);
    let served = Served::start(command, &stage.folder().join("broker"))?;
    let metrics = served.metrics()?.to_owned();
    let ask = |words: &[&str]| -> Result<(bool, String)> {
        let ran = program::run(ottla(built::binary()?).args(words), "", stage.time_left()?)?;
        Ok((ran.success, format!("{}{}", ran.stdout, ran.stderr).trim_end().to_owned()))
    };
    let set = format!("metrics.listener={metrics}");
    for words in [&["health", &metrics][..], &["health", "--alive", &metrics], &["--set", &set, "health"]] {
        ensure!(ask(words)? == (true, "ready".to_owned()), "{words:?}: {:?}", ask(words)?);
    }
    served.stop()?;
    let (is_well, said) = ask(&["health", &metrics])?;
    ensure!(!is_well && said.contains("nothing answers"), "{said}");
    let (is_well, said) = ask(&["--set", "metrics.listener=off", "health"])?;
    ensure!(!is_well && said.contains("metrics.listener is off"), "{said}");
    Ok(())
}
