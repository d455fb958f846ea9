//! `ottla config`: the settings as the table declares them and as this start would see them.

use super::settings_file::write_settings_file;
use super::{Cli, ConfigArgs, exit};
use crate::config::{
    Config, ConfigError, KAFKA_SETTINGS, SETTINGS, Setting, environment, is_secret, setting,
};
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs `ottla config` over this process's environment and standard output.
pub fn show_config(cli: &Cli, args: &ConfigArgs) -> ExitCode {
    let cli = &cli.with(args);
    match write_config(cli, args, environment(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::from(exit::STOPPED),
        // Whoever reads the list has seen enough of it: `ottla config | head`.
        Err(ShowError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(exit::STOPPED)
        }
        Err(error) => {
            eprintln!("ottla: {error}");
            ExitCode::from(match error {
                ShowError::Config(_) => exit::USAGE,
                ShowError::Output(_) => exit::FAILED,
            })
        }
    }
}

/// Why the settings could not be shown.
#[derive(Debug, thiserror::Error)]
enum ShowError {
    /// The settings themselves are wrong: the operator's to mend.
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot write the settings: {0}")]
    Output(#[from] io::Error),
}

/// Writes what `ottla config` shows.
fn write_config(
    cli: &Cli,
    args: &ConfigArgs,
    environment: impl IntoIterator<Item = (String, String)>,
    out: &mut dyn Write,
) -> Result<(), ShowError> {
    let config = Config::load(cli, environment)?;
    if args.check {
        return Ok(check(&config, out)?);
    }
    if args.as_file {
        return Ok(write_settings_file(&config, out)?);
    }
    for setting in SETTINGS.iter() {
        declared(&config, setting, out)?;
    }
    if args.all {
        without_effect(&config, out)?;
    }
    Ok(())
}

fn check(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    for notice in &config.notices {
        writeln!(out, "{notice}")?;
    }
    writeln!(out, "The settings are in order.")
}

fn declared(config: &Config, setting: &Setting, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}={}", setting.name, shown(config, setting.name))?;
    if let Some(assigned) = config.values.assigned(setting.name) {
        writeln!(out, "    set by   {}", assigned.source)?;
    }
    writeln!(out, "    default  {}", setting.default.unwrap_or("(unset)"))?;
    writeln!(
        out,
        "    allowed  {}{}",
        setting.bounds(),
        setting.unit().map(|unit| format!(" ({unit})")).unwrap_or_default()
    )?;
    writeln!(out, "    {}\n", setting.doc())
}

fn without_effect(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Settings of Kafka that are known and checked, and have no effect:\n")?;
    for kafkas in KAFKA_SETTINGS.iter().filter(|kafkas| setting(kafkas.name).is_none()) {
        writeln!(out, "{}={}", kafkas.name, shown(config, kafkas.name))?;
        writeln!(out, "    allowed  {}\n", kafkas.kind.describe(kafkas.allowed))?;
    }
    Ok(())
}

fn shown<'a>(config: &'a Config, name: &str) -> &'a str {
    if is_secret(name) { "[hidden]" } else { config.values.text(name).unwrap_or_default() }
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
