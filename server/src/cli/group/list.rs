//! `ottla group list`.

use serde_json::json;

use super::ListArgs;
use crate::cli::remote::{Printer, Stop};
use crate::cli::table::Table;
use crate::client::{Client, GroupListing};

/// The states that groups of consumers may have, as brokers name them.
const STATES: &[&str] =
    &["PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling"];
const KINDS: &[&str] = &["Classic", "Consumer"];
/// The width that Kafka's tool gives to names, and what it adds to the longest.
const NAME_WIDTH: usize = 15;
const NAME_ROOM: usize = 10;

pub(super) async fn list(
    client: &mut Client,
    args: &ListArgs,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let states = known("state", args.state.as_deref(), STATES)?;
    let kinds = known("type", args.kind.as_deref(), KINDS)?;
    let groups: Vec<GroupListing> =
        client.groups(&states, &kinds).await?.into_iter().filter(GroupListing::is_of_consumers).collect();
    if printer.is_json() {
        for group in &groups {
            let object = json!({
                "group": group.id,
                "protocolType": group.protocol_type,
                "type": group.kind,
                "state": group.state,
            });
            printer.object(&object)?;
        }
        return Ok(());
    }
    if args.state.is_none() && args.kind.is_none() {
        for group in &groups {
            printer.text(&format!("{}\n", group.id))?;
        }
        return Ok(());
    }
    let name_width = groups.iter().map(|group| group.id.chars().count()).max().unwrap_or(0).max(NAME_WIDTH);
    let mut columns = vec![("GROUP", name_width + NAME_ROOM)];
    columns.extend(args.kind.is_some().then_some(("TYPE", 20)));
    columns.extend(args.state.is_some().then_some(("STATE", 20)));
    let mut table = Table::new(&columns);
    for group in groups {
        let mut row = vec![group.id];
        row.extend(args.kind.is_some().then_some(group.kind));
        row.extend(args.state.is_some().then_some(group.state));
        table.row(row);
    }
    Ok(printer.text(&table.lines())?)
}

/// Names as brokers write them, whatever the case; nothing where none are given.
fn known(what: &str, given: Option<&[String]>, all: &[&str]) -> Result<Vec<String>, Stop> {
    let given = given.unwrap_or_default().iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    given
        .map(|name| {
            let found = all.iter().find(|one| one.eq_ignore_ascii_case(name));
            found.map(|one| (*one).to_owned()).ok_or_else(|| {
                Stop::Usage(format!("there is no {what} `{name}`; there are: {}", all.join(", ")))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        let given = ["stable".to_owned(), " EMPTY".to_owned()];
        assert_eq!(known("state", Some(&given), STATES).unwrap(), ["Stable", "Empty"]);
        assert!(known("state", Some(&[String::new()]), STATES).unwrap().is_empty());
        assert!(matches!(known("type", Some(&["share".to_owned()]), KINDS), Err(Stop::Usage(_))));
    }
}
