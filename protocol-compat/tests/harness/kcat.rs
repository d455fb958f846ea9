//! kcat, which comes with the system.

use std::process::Command;

/// What is missing for it, in words for a person.
pub(crate) fn missing() -> Option<String> {
    Command::new("kcat").arg("-V").output().is_err().then(|| "kcat".to_owned())
}

/// A command that runs it with a broker's address and nothing else.
pub(crate) fn command(bootstrap: &str) -> Command {
    let mut command = Command::new("kcat");
    command.args(["-b", bootstrap]);
    command
}
