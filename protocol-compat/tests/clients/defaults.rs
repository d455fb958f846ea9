//! The broker with nothing configured but where its files lie, and clients that know nothing but `localhost:9092`.

use crate::harness::{Listen, Need, Scenario, Spec, Stage, wire};
use anyhow::{Context, Result, bail, ensure};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

const PORT: u16 = 9092;
/// Another run on this machine may be in the same scenario.
const PORT_WAIT: Duration = Duration::from_secs(20);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("defaults::python", &[Need::Python], |stage| {
            let broker = stage.broker(default_spec()?)?;
            stage.python("producing.py", "nothing_but_the_address", &[broker.bootstrap(), "suite"]).map(drop)
        }),
        Scenario::new("defaults::java", &[Need::Java], |stage| {
            let broker = stage.broker(default_spec()?)?;
            stage.java("Producing", "nothing_but_the_address", &[broker.bootstrap(), "suite"]).map(drop)
        }),
        // Apache Kafka binds only the first address that the name has.
        Scenario::of_ottla("defaults::both_loopbacks_answer", &[], both_loopbacks),
    ]
}

/// All defaults, once the default port is free.
fn default_spec() -> Result<Spec> {
    let until = Instant::now() + PORT_WAIT;
    while is_taken() {
        if Instant::now() > until {
            bail!(
                "port {PORT} is in use by another process; this scenario needs it: end that process and run again"
            );
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(Spec { listen: Listen::Default, ..Spec::default() })
}

/// Only a listener is in the way; connections of the past are not, since std reuses addresses.
fn is_taken() -> bool {
    let in_use = |host| TcpListener::bind((host, PORT)).is_err_and(|e| e.kind() == ErrorKind::AddrInUse);
    in_use("127.0.0.1") || in_use("::1")
}

fn both_loopbacks(stage: &Stage) -> Result<()> {
    let broker = stage.broker(default_spec()?)?;
    wire::answers(&format!("127.0.0.1:{PORT}")).context("over IPv4")?;
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    if has_ipv6 {
        wire::answers(&format!("[::1]:{PORT}")).context("over IPv6")?;
    }
    let named = broker.listeners().iter().filter(|listener| listener.ends_with(&format!(":{PORT}"))).count();
    let wanted = if has_ipv6 { 2 } else { 1 };
    ensure!(named == wanted, "the ready line names {:?}", broker.listeners());
    Ok(())
}
