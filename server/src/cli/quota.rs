//! `ottla quota`: what clients and addresses may take of any Kafka server, as kafka-configs shows it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Assignment;
use super::remote::{EXIT_CODES, OnSignal, Printer, RemoteArgs, Stop, run};
use super::table::{MISSING, Table};
use crate::client::{Client, QuotaEntity, Quotas};

const EXAMPLES: &str = "\
Examples:
  ottla quota list
  ottla quota set --client-id reports consumer_byte_rate=1048576
  ottla quota set --user alice --client-id-default producer_byte_rate=524288 request_percentage=25
  ottla quota set --ip 10.0.0.7 connection_creation_rate=5
  ottla quota describe --user alice --client-id-default
  ottla quota delete --client-id reports

Quotas of users and client ids:
  producer_byte_rate        bytes written in a second
  consumer_byte_rate        bytes read in a second
  request_percentage        time of the broker's threads, in percent of one thread
  controller_mutation_rate  partitions created and deleted in a second
Quotas of addresses:
  connection_creation_rate  connections made in a second

Of several quotas for a client the most specific counts: of its user before that of its client id, by name before the
default. Each command has a --help of its own, with the exit codes.";

const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";
/// How the default is shown in tables.
const DEFAULT: &str = "<default>";

/// What to do with which quotas.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct QuotaArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    #[command(subcommand)]
    pub command: QuotaCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub enum QuotaCommand {
    /// Show all quotas, or those that are for a user, a client id or an address.
    #[command(after_help = EXIT_CODES)]
    List(Whom),
    /// Show the quotas of one entity.
    #[command(after_help = EXIT_CODES)]
    Describe(Whom),
    /// Give an entity quotas; others that it has stay.
    #[command(after_help = EXIT_CODES)]
    Set(SetArgs),
    /// Take quotas away from an entity: those named, or all.
    #[command(after_help = EXIT_CODES)]
    Delete(DeleteArgs),
}

/// Whom quotas are for.
#[derive(Clone, Debug, Default, Args)]
#[group(multiple = true)]
pub struct Whom {
    /// This user.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["user_default", "ip", "ip_default"])]
    pub user: Option<String>,

    /// Users without a quota of their own.
    #[arg(long, conflicts_with_all = ["ip", "ip_default"])]
    pub user_default: bool,

    /// Clients that call themselves so.
    #[arg(long, value_name = "ID", conflicts_with_all = ["client_id_default", "ip", "ip_default"])]
    pub client_id: Option<String>,

    /// Client ids without a quota of their own.
    #[arg(long, conflicts_with_all = ["ip", "ip_default"])]
    pub client_id_default: bool,

    /// This address.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "ip_default")]
    pub ip: Option<String>,

    /// Addresses without a quota of their own.
    #[arg(long)]
    pub ip_default: bool,
}

#[derive(Clone, Debug, Args)]
pub struct SetArgs {
    #[command(flatten)]
    pub whom: Whom,

    /// The quotas.
    #[arg(required = true, value_name = "QUOTA=VALUE")]
    pub quotas: Vec<Assignment>,

    /// Only check whether it could be done.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub whom: Whom,

    /// The quotas; all that it has if none is named.
    #[arg(value_name = "QUOTA")]
    pub quotas: Vec<String>,
}

impl Whom {
    /// Each type that is named, with the name; none is the default.
    fn parts(&self) -> QuotaEntity {
        let all = [
            (USER, &self.user, self.user_default),
            (CLIENT_ID, &self.client_id, self.client_id_default),
            (IP, &self.ip, self.ip_default),
        ];
        let named = all.into_iter().filter(|(_, name, is_default)| name.is_some() || *is_default);
        named.map(|(kind, name, _)| (kind.to_owned(), name.clone())).collect()
    }

    fn entity(&self) -> Result<QuotaEntity, Stop> {
        let entity = self.parts();
        if entity.is_empty() {
            let why = "say whom: --user, --client-id or --ip, or one of them with -default behind it";
            return Err(Stop::Usage(why.to_owned()));
        }
        Ok(entity)
    }
}

/// Runs `ottla quota`.
pub fn run_quota(args: &QuotaArgs) -> ExitCode {
    run(&args.remote, OnSignal::Leave, async |client, printer| match &args.command {
        QuotaCommand::List(whom) => show(&client.describe_quotas(&whom.parts(), false).await?, printer),
        QuotaCommand::Describe(whom) => describe(client, whom, printer).await,
        QuotaCommand::Set(args) => set(client, args, printer).await,
        QuotaCommand::Delete(args) => delete(client, args, printer).await,
    })
}

async fn describe(client: &mut Client, whom: &Whom, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let entity = whom.entity()?;
    let found = client.describe_quotas(&entity, true).await?;
    if found.is_empty() {
        return Err(Stop::Failed(format!("{} has no quota", told(&entity))));
    }
    show(&found, printer)
}

fn show(found: &[Quotas], printer: &mut Printer<'_>) -> Result<(), Stop> {
    if printer.is_json() {
        for one in found {
            printer.object(&json!({"entity": one.entity, "quotas": one.values}))?;
        }
        return Ok(());
    }
    if found.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[("USER", 0), ("CLIENT-ID", 0), ("IP", 0), ("QUOTA", 0), ("VALUE", 0)]);
    for one in found {
        let part = |kind: &str| match one.entity.get(kind) {
            None => MISSING.to_owned(),
            Some(None) => DEFAULT.to_owned(),
            Some(Some(name)) => name.clone(),
        };
        for (quota, value) in &one.values {
            table.row(vec![part(USER), part(CLIENT_ID), part(IP), quota.clone(), value.to_string()]);
        }
    }
    printer.text(&table.lines())?;
    Ok(())
}

async fn set(client: &mut Client, args: &SetArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let entity = args.whom.entity()?;
    let mut changes = Vec::new();
    for Assignment { name, value } in &args.quotas {
        let number: f64 = value
            .trim()
            .parse()
            .map_err(|_| Stop::Usage(format!("the value of {name} must be a number, not `{value}`")))?;
        changes.push((name.clone(), Some(number)));
    }
    client.alter_quotas(&entity, &changes, args.dry_run).await?;
    let done = if args.dry_run { "Quotas can be set for" } else { "Set quotas for" };
    done_for(printer, &entity, done, "set", !args.dry_run)
}

async fn delete(client: &mut Client, args: &DeleteArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let entity = args.whom.entity()?;
    let mut names = args.quotas.clone();
    if names.is_empty() {
        let found = client.describe_quotas(&entity, true).await?;
        names = found.iter().flat_map(|one| one.values.keys().cloned()).collect();
    }
    if !names.is_empty() {
        let changes: Vec<(String, Option<f64>)> = names.into_iter().map(|name| (name, None)).collect();
        client.alter_quotas(&entity, &changes, false).await?;
    }
    done_for(printer, &entity, "Deleted quotas of", "deleted", true)
}

fn done_for(
    printer: &mut Printer<'_>,
    entity: &QuotaEntity,
    text: &str,
    key: &str,
    is_done: bool,
) -> Result<(), Stop> {
    let object = || {
        let mut object = json!({"entity": entity});
        object[key] = Value::Bool(is_done);
        object
    };
    printer.say(|| format!("{text} {}.", told(entity)), object)?;
    Ok(())
}

/// An entity in words.
fn told(entity: &QuotaEntity) -> String {
    let part = |(kind, name): (&String, &Option<String>)| match name {
        Some(name) => format!("{kind} '{name}'"),
        None => format!("the default {kind}"),
    };
    entity.iter().rev().map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn whom(words: &[&str]) -> Result<Whom, clap::Error> {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            whom: Whom,
        }
        Line::try_parse_from(std::iter::once("line").chain(words.iter().copied())).map(|line| line.whom)
    }

    #[test]
    fn entities_are_named_by_their_parts() {
        let both = whom(&["--user", "alice", "--client-id-default"]).unwrap().entity().unwrap();
        assert_eq!(told(&both), "user 'alice', the default client-id");
        let address = whom(&["--ip", "10.0.0.1"]).unwrap();
        assert_eq!(address.parts(), [(IP.to_owned(), Some("10.0.0.1".to_owned()))].into());
        assert!(matches!(whom(&[]).unwrap().entity(), Err(Stop::Usage(_))));
        for wrong in [
            &["--user", "a", "--user-default"][..],
            &["--client-id", "a", "--client-id-default"],
            &["--ip", "a", "--ip-default"],
            &["--ip", "a", "--user", "b"],
            &["--ip-default", "--client-id-default"],
        ] {
            assert!(whom(wrong).is_err(), "{wrong:?}");
        }
    }

    fn printed(found: &[Quotas], is_json: bool) -> String {
        let mut out = Vec::new();
        show(found, &mut Printer::new(&mut out, is_json)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotas_are_a_line_each_or_an_object_an_entity() {
        let entity = [(USER.to_owned(), Some("alice".to_owned())), (CLIENT_ID.to_owned(), None)];
        let values = [("producer_byte_rate".to_owned(), 1024.0), ("request_percentage".to_owned(), 12.5)];
        let found = [Quotas { entity: entity.into(), values: values.into() }];
        let table = "\
USER  CLIENT-ID IP QUOTA              VALUE
alice <default> -  producer_byte_rate 1024
alice <default> -  request_percentage 12.5
";
        assert_eq!(printed(&found, false), table);
        let object: Value = serde_json::from_str(&printed(&found, true)).unwrap();
        let expected = json!({
            "entity": {"user": "alice", "client-id": null},
            "quotas": {"producer_byte_rate": 1024.0, "request_percentage": 12.5},
        });
        assert_eq!(object, expected);
        assert_eq!(printed(&[], false) + &printed(&[], true), "");
    }
}
