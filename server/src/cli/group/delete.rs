//! `ottla group delete`.

use protocol_compat::ErrorCode;
use serde_json::json;

use super::DeleteArgs;
use crate::cli::remote::{Printer, Stop};
use crate::client::{Client, ClientError};

pub(super) async fn delete(
    client: &mut Client,
    args: &DeleteArgs,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let names = args.groups.names(client).await?;
    let mut deleted = Vec::new();
    for (name, done) in client.delete_groups(&names).await? {
        match done {
            Ok(()) => deleted.push(name),
            Err(error) => printer.complain(why(&name, &error))?,
        }
    }
    if printer.is_json() {
        for name in &deleted {
            printer.object(&json!({"group": name, "deleted": true}))?;
        }
    } else if !deleted.is_empty() {
        let names: Vec<String> = deleted.iter().map(|name| format!("'{name}'")).collect();
        printer.text(&format!(
            "Deletion of requested consumer groups ({}) was successful.\n",
            names.join(", ")
        ))?;
    }
    Ok(())
}

fn why(name: &str, error: &ClientError) -> String {
    if error.is(ErrorCode::GroupIdNotFound) {
        format!("Consumer group '{name}' does not exist.")
    } else if error.is(ErrorCode::NonEmptyGroup) {
        format!("Consumer group '{name}' has members; stop them first.")
    } else {
        error.to_string()
    }
}
