//! The broker with nothing configured but where its files lie, and clients that know nothing but `localhost:9092`.

use crate::harness::{Listen, Need, Scenario, Spec, Stage, java, place, python, wire};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
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
        Scenario::new("defaults::python_of_the_readme", &[Need::Python], |stage| {
            let _broker = stage.broker(default_spec()?)?;
            let program = stage.folder().join("readme.py");
            fs::write(&program, snippet("python")?)?;
            let said = stage.program(&mut python::with(python::Packages::Current, &program)?, "")?;
            ensure!(said.trim() == "b'hello'", "{said}");
            Ok(())
        }),
        Scenario::new("defaults::java_of_the_readme", &[Need::Java], |stage| {
            let _broker = stage.broker(default_spec()?)?;
            let program = stage.folder().join("Readme.java");
            fs::write(&program, JAVA_AROUND.replace("SNIPPET", &snippet("java")?))?;
            // `java` compiles and runs one source file that it is given in the place of a class.
            let program = program.to_str().context("a path in UTF-8")?;
            let said = stage.program(&mut java::kit()?.tool(program), "")?;
            ensure!(said.trim() == "hello", "{said}");
            Ok(())
        }),
        // Apache Kafka binds only the first address that the name has.
        Scenario::of_ottla("defaults::both_loopbacks_answer", &[], both_loopbacks),
    ]
}

/// What a Java program has around the lines that the README shows.
const JAVA_AROUND: &str = "
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

final class Readme {
    public static void main(String[] words) throws Exception {
SNIPPET
    }
}
";

/// The program that the README shows in this language, as it stands there.
fn snippet(language: &str) -> Result<String> {
    let readme = fs::read_to_string(place::source("../../README.md"))?;
    let fence = format!("```{language}\n");
    let (_, behind) = readme.split_once(&fence).with_context(|| format!("the README has no {language}"))?;
    let (program, _) = behind.split_once("```").context("a program without an end")?;
    Ok(program.to_owned())
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
