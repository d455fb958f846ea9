//! A system logger as a private process in the scenario's folder: its socket, its process id, its state and the
//! configuration that the README shows, below the few lines that Debian's own configuration has around it.

use crate::harness::{Stage, debian, program};
use crate::shippers::readme;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

const STOP_LIMIT: Duration = Duration::from_secs(20);
/// What an address of a Unix socket may have, and its end.
const SOCKET_BYTES_MAX: usize = 107;

#[derive(Debug, Clone, Copy)]
pub(crate) enum System {
    Rsyslog,
    SyslogNg,
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Rsyslog => "rsyslog",
            Self::SyslogNg => "syslog-ng",
        }
    }

    fn configuration(self, home: &Path, socket: &Path, broker: &str) -> Result<String> {
        let (home, socket) = (home.display(), socket.display());
        match self {
            Self::Rsyslog => {
                let shown = readme::block("# /etc/rsyslog.d/60-ottla.conf")?;
                let shown = readme::replaced(&shown, "localhost:9092", broker)?;
                let shown = readme::replaced(&shown, "/var/spool/rsyslog", &home.to_string())?;
                Ok(format!(
                    "global(workDirectory=\"{home}\")\n\
                     module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
                     input(type=\"imuxsock\" Socket=\"{socket}\")\n{shown}"
                ))
            }
            Self::SyslogNg => {
                let shown = readme::block("# /etc/syslog-ng/conf.d/ottla.conf")?;
                let shown = readme::replaced(&shown, "localhost:9092", broker)?;
                let shown = readme::replaced(&shown, "/var/lib/syslog-ng", &home.to_string())?;
                Ok(format!("@version: 3.38\nsource s_src {{ unix-dgram(\"{socket}\"); }};\n{shown}"))
            }
        }
    }

    fn command(self, home: &Path, configuration: &Path) -> Result<Command> {
        let kit = debian::kit()?;
        let pid = home.join("pid");
        Ok(match self {
            Self::Rsyslog => {
                let mut command = kit.command("rsyslogd")?;
                command.arg("-n").arg("-f").arg(configuration).arg("-i").arg(pid);
                command.arg("-M").arg(kit.folder_of("omkafka.so")?);
                command
            }
            Self::SyslogNg => {
                let mut command = kit.command("syslog-ng")?;
                command.args(["-F", "-e", "--no-caps", "-f"]).arg(configuration).arg("-p").arg(pid);
                command.arg("-R").arg(home.join("state")).arg("-c").arg(home.join("control"));
                command.arg(format!("--module-path={}", kit.folder_of("libkafka.so")?.display()));
                command
            }
        })
    }
}

/// A running one. Dropping it kills it, by its process id.
#[derive(Debug)]
pub(crate) struct Shipper {
    system: System,
    socket: PathBuf,
    log: PathBuf,
    child: Child,
}

impl Shipper {
    /// Starts it and waits until its socket is there.
    pub(crate) fn start(stage: &Stage, system: System, broker: &str) -> Result<Self> {
        let home = stage.folder().join(system.name());
        fs::create_dir_all(&home)?;
        let (configuration, socket, log) = (home.join("conf"), home.join("log"), home.join("said"));
        ensure!(
            socket.as_os_str().as_bytes().len() <= SOCKET_BYTES_MAX,
            "{} is too long for a socket: choose a shorter target directory",
            socket.display()
        );
        fs::write(&configuration, system.configuration(&home, &socket, broker)?)?;
        let mut command = system.command(&home, &configuration)?;
        command.current_dir(&home).stdin(std::process::Stdio::null());
        command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?);
        let child = command.spawn().with_context(|| format!("starting {}", system.name()))?;
        let mut shipper = Self { system, socket, log, child };
        stage.wait_for("a socket", || {
            if let Some(status) = shipper.child.try_wait()? {
                bail!("{} ended with {status}\n{}", system.name(), shipper.said());
            }
            Ok(shipper.socket.exists())
        })?;
        Ok(shipper)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.system.name()
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// What it said, for a message.
    pub(crate) fn said(&self) -> String {
        let said = fs::read(&self.log).unwrap_or_default();
        format!("--- {}\n{}", self.name(), String::from_utf8_lossy(&said))
    }

    /// SIGTERM, and the wait for its end.
    pub(crate) fn stop(&mut self) -> Result<()> {
        program::terminate(&self.child)?;
        match program::wait(&mut self.child, STOP_LIMIT)? {
            Some(true) => Ok(()),
            ended => bail!("after SIGTERM it ended {ended:?}\n{}", self.said()),
        }
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
