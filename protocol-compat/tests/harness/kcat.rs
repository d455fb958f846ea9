//! kcat, as Debian packages it.

use crate::harness::debian;
use anyhow::Result;
use std::process::Command;

/// A command that runs it with a broker's address and nothing else.
pub(crate) fn command(bootstrap: &str) -> Result<Command> {
    let mut command = debian::kit()?.command("kcat")?;
    command.args(["-b", bootstrap]);
    Ok(command)
}
