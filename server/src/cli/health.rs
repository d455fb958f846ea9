//! `ottla health`: whether a broker on this machine serves, for whoever can only run a program: the health check of a
//! container, a script. It asks `/readyz` of the broker's metrics listener.

use super::top::ask;
use super::{Cli, exit};
use crate::config::{Config, Endpoint, Host, environment};
use clap::Args;
use std::process::ExitCode;

/// Whom to ask what.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ottla health
  ottla health broker.example.com:9464
  ottla --config /etc/ottla/server.properties health --alive

Exit codes:
  0  it serves
  1  it does not, or does not answer
  2  the command line or a setting is wrong, or there is no metrics listener to ask")]
pub struct HealthArgs {
    /// The broker's metrics address, HOST:PORT; without it, the one that the settings say.
    pub address: Option<String>,

    /// Be content with a broker that starts or stops: exit code 1 only if it is gone or has to be started again.
    #[arg(long)]
    pub alive: bool,
}

/// Runs `ottla health` over this process's environment.
pub fn run_health(cli: &Cli, args: &HealthArgs) -> ExitCode {
    let address = match &args.address {
        Some(address) => address.clone(),
        None => match of_settings(cli) {
            Ok(address) => address,
            Err(why) => {
                eprintln!("ottla: {why}");
                return ExitCode::from(exit::USAGE);
            }
        },
    };
    match ask(&address, if args.alive { "/healthz" } else { "/readyz" }) {
        Ok((status, word)) => {
            println!("{}", word.trim_end());
            ExitCode::from(if status == 200 { exit::STOPPED } else { exit::FAILED })
        }
        Err(error) => {
            eprintln!("ottla: nothing answers at {address}: {error}");
            ExitCode::from(exit::FAILED)
        }
    }
}

/// Where a broker with these settings is asked.
fn of_settings(cli: &Cli) -> Result<String, String> {
    let config = Config::load(cli, environment()).map_err(|error| error.to_string())?;
    let listener = config.metrics_listener.as_ref();
    listener.map(reachable).ok_or_else(|| "metrics.listener is off: there is nothing to ask".to_owned())
}

/// A broker that listens on all interfaces is asked on the machine's own.
fn reachable(listener: &Endpoint) -> String {
    match &listener.host {
        Host::All | Host::Localhost => format!("127.0.0.1:{}", listener.port),
        _ => listener.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(listener: &str) -> Result<String, String> {
        let set = vec![format!("metrics.listener={listener}").parse().expect("an assignment")];
        of_settings(&Cli { set, ..Cli::default() })
    }

    #[test]
    fn a_broker_is_asked_where_its_settings_say() {
        assert_eq!(of("127.0.0.1:9464").as_deref(), Ok("127.0.0.1:9464"));
        assert_eq!(of("0.0.0.0:1").as_deref(), Ok("127.0.0.1:1"));
        assert_eq!(of("localhost:3").as_deref(), Ok("127.0.0.1:3"));
        assert_eq!(of("[::1]:2").as_deref(), Ok("[::1]:2"));
        assert!(of("off").is_err());
        assert!(of("9464").is_err());
    }
}
