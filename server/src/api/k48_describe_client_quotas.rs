//! DescribeClientQuotas (key 48), versions 0–1.
//!
//! - 1: flexible.
//!
//! Shows the quotas of the entities that a filter lets through: those with a part of a type that has this name, that is the
//! default, or any. A strict filter lets none through that has further parts; an empty one that is not strict, all.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_client_quotas_request::ComponentData;
use protocol_compat::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use protocol_compat::messages::{
    ApiKey, DescribeClientQuotasRequest, DescribeClientQuotasResponse, StrBytes,
};

use super::error::text;
use super::{Api, Cx, Then};
use crate::cluster::quota::{Entity, Key, Name, Part, Value, Values};
use crate::security::{Operation, Resource};

pub(super) struct DescribeClientQuotas;

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

impl Api for DescribeClientQuotas {
    const KEY: i16 = ApiKey::DescribeClientQuotas as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    type Req = DescribeClientQuotasRequest;
    type Resp = DescribeClientQuotasResponse;

    fn codes(reply: &DescribeClientQuotasResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(
        cx: &Cx,
        req: DescribeClientQuotasRequest,
        _version: i16,
    ) -> Then<DescribeClientQuotasResponse> {
        if !cx.allow(Operation::DescribeConfigs, Resource::Cluster) {
            let why = "looking at quotas is not allowed";
            return Then::Now(failed(ErrorCode::ClusterAuthorizationFailed, why));
        }
        let filter = match Filter::of(&req) {
            Ok(filter) => filter,
            Err((code, why)) => return Then::Now(failed(code, &why)),
        };
        let shown = cx.seen.image.quotas().iter().filter(|(entity, _)| filter.lets_through(entity));
        let entries = shown.map(|(entity, values)| entry(entity, values)).collect();
        // Kafka's words where nothing is wrong are empty and not absent.
        Then::Now(DescribeClientQuotasResponse::default().with_entries(Some(entries)))
    }
}

/// The entities that somebody asks for.
struct Filter {
    /// Each part that they must have; `None`: whatever its name.
    parts: Vec<(Part, Option<Name>)>,
    is_strict: bool,
}

impl Filter {
    fn of(req: &DescribeClientQuotasRequest) -> Result<Self, (ErrorCode, String)> {
        let mut filter = Self { parts: Vec::new(), is_strict: req.strict };
        for component in &req.components {
            let part = filter.component(component)?;
            filter.parts.push(part);
        }
        let has = |part| filter.parts.iter().any(|(known, _)| *known == part);
        if has(Part::Ip) && filter.parts.len() > 1 {
            let why = "a filter for addresses cannot be for users or client ids, too".to_owned();
            return Err((ErrorCode::InvalidRequest, why));
        }
        Ok(filter)
    }

    fn component(&self, component: &ComponentData) -> Result<(Part, Option<Name>), (ErrorCode, String)> {
        let kind = &*component.entity_type;
        let wrong = |why: &str| Err((ErrorCode::InvalidRequest, why.to_owned()));
        if kind.is_empty() {
            return wrong("the entity type is empty");
        }
        if self.parts.iter().any(|(part, _)| part.name() == kind) {
            return wrong("the filter names an entity type more than once");
        }
        let Some(part) = Part::of(kind) else {
            let why = format!("there is no entity type '{kind}'; there are user, client-id and ip");
            return Err((ErrorCode::UnsupportedVersion, why));
        };
        match (component.match_type, component._match.as_deref()) {
            (EXACT, Some(name)) => Ok((part, Some(Name::of(Some(name))))),
            (EXACT, None) => wrong("an exact match needs a name"),
            (DEFAULT, None) => Ok((part, Some(Name::Default))),
            (SPECIFIED, None) => Ok((part, None)),
            (DEFAULT | SPECIFIED, Some(_)) => wrong("only an exact match has a name"),
            _ => wrong("this match type does not exist; there are 0 to 2"),
        }
    }

    fn lets_through(&self, entity: &Entity) -> bool {
        if self.is_strict && entity.parts().count() != self.parts.len() {
            return false;
        }
        self.parts.iter().all(|(part, wanted)| match (entity.part(*part), wanted) {
            (Some(name), Some(wanted)) => name == wanted,
            (name, None) => name.is_some(),
            (None, Some(_)) => false,
        })
    }
}

fn entry(entity: &Entity, values: &Values) -> EntryData {
    let part = |(part, name): (Part, &Name)| {
        EntityData::default()
            .with_entity_type(StrBytes::from_static_str(part.name()))
            .with_entity_name(name.text().map(|name| StrBytes::from_string(name.to_owned())))
    };
    let value = |(key, value): (&Key, &Value)| {
        ValueData::default().with_key(StrBytes::from_static_str(key.name())).with_value(value.get())
    };
    EntryData::default()
        .with_entity(entity.parts().map(part).collect())
        .with_values(values.iter().map(value).collect())
}

fn failed(code: ErrorCode, why: &str) -> DescribeClientQuotasResponse {
    DescribeClientQuotasResponse::default()
        .with_error_code(code.code())
        .with_error_message(text(why))
        .with_entries(None)
}
