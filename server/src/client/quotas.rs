//! Quotas over the wire: described and altered.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use protocol_compat::ErrorCode;
use protocol_compat::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol_compat::messages::describe_client_quotas_request::ComponentData;
use protocol_compat::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest};

use super::cluster::{Client, text};
use super::error::ClientError;

const DESCRIBE: RangeInclusive<i16> = 0..=1;
const ALTER: RangeInclusive<i16> = 0..=1;
// How a name is matched.
const EXACTLY: i8 = 0;
const THE_DEFAULT: i8 = 1;

/// Whom a quota is for: each type of name with the name, or none for the default.
pub type QuotaEntity = BTreeMap<String, Option<String>>;

/// An entity with its quotas.
#[derive(Clone, Debug, PartialEq)]
pub struct Quotas {
    pub entity: QuotaEntity,
    pub values: BTreeMap<String, f64>,
}

impl Client {
    /// The quotas of the entities that have these names and, if it is strict, no others; in the order of their names.
    pub async fn describe_quotas(
        &mut self,
        wanted: &QuotaEntity,
        is_strict: bool,
    ) -> Result<Vec<Quotas>, ClientError> {
        let asked = self.ask("describing quotas", async |client| {
            let component = |(kind, name): (&String, &Option<String>)| {
                let how = if name.is_some() { EXACTLY } else { THE_DEFAULT };
                let name = name.as_deref().map(text);
                ComponentData::default().with_entity_type(text(kind)).with_match_type(how).with_match(name)
            };
            let request = DescribeClientQuotasRequest::default()
                .with_components(wanted.iter().map(component).collect())
                .with_strict(is_strict);
            let reply = client.call_any(DESCRIBE, |_| request).await?;
            let told = || "describing quotas".to_owned();
            ClientError::check(reply.error_code, told, reply.error_message.as_deref())?;
            Ok(reply.entries.unwrap_or_default())
        });
        let mut found: Vec<Quotas> = asked
            .await?
            .into_iter()
            .map(|entry| {
                let part = |part: protocol_compat::messages::describe_client_quotas_response::EntityData| {
                    (part.entity_type.to_string(), part.entity_name.map(|name| name.to_string()))
                };
                Quotas {
                    entity: entry.entity.into_iter().map(part).collect(),
                    values: entry.values.iter().map(|value| (value.key.to_string(), value.value)).collect(),
                }
            })
            .collect();
        found.sort_by(|a, b| a.entity.cmp(&b.entity));
        Ok(found)
    }

    /// Gives an entity quotas, or takes those away that have no value.
    pub async fn alter_quotas(
        &mut self,
        entity: &QuotaEntity,
        changes: &[(String, Option<f64>)],
        only_check: bool,
    ) -> Result<(), ClientError> {
        let part = |(kind, name): (&String, &Option<String>)| {
            EntityData::default().with_entity_type(text(kind)).with_entity_name(name.as_deref().map(text))
        };
        let change = |(key, value): &(String, Option<f64>)| {
            let op = OpData::default().with_key(text(key)).with_remove(value.is_none());
            op.with_value(value.unwrap_or_default())
        };
        let entry = EntryData::default()
            .with_entity(entity.iter().map(part).collect())
            .with_ops(changes.iter().map(change).collect());
        let request =
            AlterClientQuotasRequest::default().with_entries(vec![entry]).with_validate_only(only_check);
        self.order("altering quotas", async |client| {
            let controller = client.controller().await?;
            let request = request.clone();
            let reply = client.call(controller, ALTER, |_| request).await?;
            for entry in &reply.entries {
                if entry.error_code == ErrorCode::NotController.code() {
                    client.forget_controller();
                }
                let told = || "altering quotas".to_owned();
                ClientError::check(entry.error_code, told, entry.error_message.as_deref())?;
            }
            Ok(())
        })
        .await
    }
}
