//! Rules that concern more than one setting: aliases, fall-backs, what belongs together and what is not served yet.
//!
//! Each setting has passed its own bounds before it comes here. Where Kafka has a rule, this is Kafka's rule; where Kafka's
//! rule speaks of a quorum or of controllers, which do not exist here, the setting is dropped with a notice.

use super::error::Given;
use super::kinds::items;
use super::listeners::{self, Advertised, Host, Listener, NAMED_ALLOWED, Named, SecurityProtocol};
use super::sources::NO_EFFECT;
use super::topic::TopicConfig;
use super::{Config, ConfigError, Notice};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// Bytes of requests in memory where `queued.max.request.bytes` says "no limit": there is always one.
const REQUEST_MEMORY_BYTES_MAX_DEFAULT: usize = 128 << 20;

impl Config {
    pub(super) fn resolve(mut self) -> Result<Config, ConfigError> {
        self.resolve_identity()?;
        self.resolve_log_dirs();
        self.resolve_listeners()?;
        self.resolve_advertised()?;
        self.check_inter_broker()?;
        self.resolve_connection_limits()?;
        self.resolve_request_memory()?;
        self.check_what_is_not_served()?;
        self.check_topic_defaults()?;
        self.check_groups()?;
        self.check_policies()?;
        Ok(self)
    }

    fn notice(&mut self, setting: &str, text: impl Into<String>) {
        self.notices.push(Notice::new(setting, text));
    }

    fn not_served(&self, name: &str, value: &str, instead: &str) -> ConfigError {
        let given = Given { name: name.to_owned(), source: self.values.source(name) };
        ConfigError::NotServed { given, value: value.to_owned(), instead: instead.to_owned() }
    }

    fn is_set(&self, name: &str) -> bool {
        self.values.assigned(name).is_some()
    }

    fn resolve_identity(&mut self) -> Result<(), ConfigError> {
        match self.broker_id {
            None | Some(-1) => {}
            Some(id) if id < 0 => return Err(self.values.refuse("broker.id", "a whole number, at least 0")),
            Some(id) if self.is_set("node.id") && id != self.node_id => {
                return Err(self
                    .values
                    .refuse("broker.id", format!("the same as node.id, which is {}", self.node_id)));
            }
            Some(id) => self.node_id = id,
        }
        match &self.process_roles {
            Some(roles) if !roles.iter().any(|role| role == "broker") => Err(self
                .values
                .refuse("process.roles", "a list that holds broker: Ottla is broker and controller in one")),
            _ => Ok(()),
        }
    }

    fn resolve_log_dirs(&mut self) {
        let dirs = match &self.log_dir_set {
            Some(dirs) if !self.is_set("log.dirs") => dirs,
            _ => &self.log_dirs_set,
        };
        self.log_dirs = dirs.iter().map(PathBuf::from).collect();
    }

    fn is_controllers(&self, listener: &str) -> bool {
        let names = self.controller_listener_names.iter().flatten();
        names.into_iter().any(|name| name.eq_ignore_ascii_case(listener))
    }

    /// The parts of a list of listeners, without those of controllers.
    fn named(&mut self, setting: &str, entries: &[String]) -> Result<Vec<Named>, ConfigError> {
        let mut all: Vec<Named> = Vec::new();
        for entry in entries {
            let named = Named::parse(entry).ok_or_else(|| self.values.refuse(setting, NAMED_ALLOWED))?;
            if self.is_controllers(&named.name) {
                let text = format!(
                    "{entry} is dropped: it is in controller.listener.names, and Ottla needs no such listener"
                );
                self.notice(setting, text);
            } else if all.iter().any(|earlier| earlier.name == named.name) {
                return Err(self
                    .values
                    .refuse(setting, format!("each name once; {} is there twice", named.name)));
            } else {
                all.push(named);
            }
        }
        Ok(all)
    }

    fn resolve_listeners(&mut self) -> Result<(), ConfigError> {
        const MAP: &str = "listener.security.protocol.map";
        let map = listeners::protocol_map(&self.listener_security_protocol_map);
        let map = map.map_err(|allowed| self.values.refuse(MAP, allowed))?;
        for Named { name, at } in self.named("listeners", &self.listeners_set.clone())? {
            let Some((_, protocol)) = map.iter().find(|(mapped, _)| *mapped == name) else {
                return Err(self.values.refuse(MAP, format!("a map that holds the listener {name}")));
            };
            if *protocol != SecurityProtocol::Plaintext {
                let value = format!("{name}://{at} with {}", protocol.name());
                return Err(self.not_served("listeners", &value, "only PLAINTEXT listeners are"));
            }
            let of_listener =
                |setting: &str| format!("listener.name.{}.{setting}", name.to_ascii_lowercase());
            let (most, rate) = (of_listener("max.connections"), of_listener("max.connection.creation.rate"));
            self.listeners.push(Listener {
                connections_max: self.values.number(&most)?.unwrap_or(self.max_connections),
                creation_rate_max: self.values.number(&rate)?.unwrap_or(self.max_connection_creation_rate),
                name,
                protocol: *protocol,
                host: at.host,
                port: at.port,
            });
        }
        if self.listeners.is_empty() {
            return Err(self
                .values
                .refuse("listeners", "at least one listener that is not in controller.listener.names"));
        }
        let belongs = |name: &str, to: &Listener| {
            name.starts_with(&format!("listener.name.{}.", to.name.to_ascii_lowercase()))
        };
        let strangers =
            self.values.of_listeners().filter(|name| !self.listeners.iter().any(|l| belongs(name, l)));
        for stranger in strangers.cloned().collect::<Vec<_>>() {
            self.notice(&stranger, NO_EFFECT);
        }
        self.check_ports()
    }

    /// A port may be listened on twice only as IPv4 and IPv6.
    fn check_ports(&self) -> Result<(), ConfigError> {
        for (at, one) in self.listeners.iter().enumerate() {
            for other in &self.listeners[at + 1..] {
                if one.port == other.port && one.port != 0 && !are_two_families(&one.host, &other.host) {
                    let allowed = format!(
                        "a port of its own for each listener; {} and {} share one",
                        one.name, other.name
                    );
                    return Err(self.values.refuse("listeners", allowed));
                }
            }
        }
        Ok(())
    }

    fn resolve_advertised(&mut self) -> Result<(), ConfigError> {
        const NAME: &str = "advertised.listeners";
        for Named { name, at } in
            self.named(NAME, &self.advertised_listeners_set.clone().unwrap_or_default())?
        {
            if at.host == Host::All {
                return Err(self
                    .values
                    .refuse(NAME, "hosts that clients can connect to, not all interfaces"));
            }
            if !self.listeners.iter().any(|listener| listener.name == name) {
                return Err(self.values.refuse(NAME, format!("names that listeners has; it has no {name}")));
            }
            self.advertised.push(Advertised { name, host: bare(&at.host), port: at.port });
        }
        for Listener { name, host, port, .. } in self.listeners.clone() {
            if self.advertised.iter().any(|advertised| advertised.name == name) {
                continue;
            }
            let host = if host == Host::All { self.machine_name(&name) } else { bare(&host) };
            self.advertised.push(Advertised { name, host, port });
        }
        Ok(())
    }

    /// What clients of a listener on all interfaces are told, as in Kafka, if nobody said it.
    fn machine_name(&mut self, listener: &str) -> String {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let text =
            format!("not set for {listener}, which listens on all interfaces: clients are told {name}");
        self.notice("advertised.listeners", text);
        name
    }

    fn check_inter_broker(&mut self) -> Result<(), ConfigError> {
        const PROTOCOL: &str = "security.inter.broker.protocol";
        const LISTENER: &str = "inter.broker.listener.name";
        if self.security_inter_broker_protocol != SecurityProtocol::Plaintext.name() {
            let instead = "only PLAINTEXT listeners are";
            return Err(self.not_served(PROTOCOL, &self.security_inter_broker_protocol, instead));
        }
        let of_protocol = self.security_inter_broker_protocol.clone();
        self.inter_broker_listener =
            self.inter_broker_listener_name.clone().unwrap_or(of_protocol).to_ascii_uppercase();
        let Some(name) = &self.inter_broker_listener_name else { return Ok(()) };
        if self.is_set(PROTOCOL) {
            return Err(self.values.refuse(LISTENER, format!("it or {PROTOCOL}, not both")));
        }
        let names: Vec<_> = self.advertised.iter().map(|advertised| advertised.name.as_str()).collect();
        if names.iter().any(|advertised| advertised.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(self.values.refuse(LISTENER, format!("a listener that clients are told: {}", names.join(", "))))
    }

    fn resolve_connection_limits(&mut self) -> Result<(), ConfigError> {
        const OVERRIDES: &str = "max.connections.per.ip.overrides";
        let text = self.max_connections_per_ip_overrides_set.clone();
        for entry in items(&text) {
            let parsed = entry.rsplit_once(':').and_then(|(address, count)| {
                let address = address.trim().trim_start_matches('[').trim_end_matches(']');
                Some((address.parse::<IpAddr>().ok()?, count.trim().parse::<usize>().ok()?))
            });
            let allowed = "address:count between commas, where an address is IPv4 or IPv6 and not a name";
            self.max_connections_per_ip_overrides
                .push(parsed.ok_or_else(|| self.values.refuse(OVERRIDES, allowed))?);
        }
        if self.max_connections_per_ip == 0 && self.max_connections_per_ip_overrides.is_empty() {
            return Err(self
                .values
                .refuse("max.connections.per.ip", format!("0 only together with {OVERRIDES}")));
        }
        Ok(())
    }

    fn resolve_request_memory(&mut self) -> Result<(), ConfigError> {
        const NAME: &str = "queued.max.request.bytes";
        let one_request = self.socket_request_max_bytes;
        self.request_memory_bytes_max = match usize::try_from(self.queued_max_request_bytes) {
            // One request of the greatest size must always fit, or it would wait for ever.
            Err(_) | Ok(0) => REQUEST_MEMORY_BYTES_MAX_DEFAULT.max(one_request),
            Ok(bytes) if bytes >= one_request => bytes,
            Ok(_) => {
                return Err(self
                    .values
                    .refuse(NAME, format!("-1, or at least socket.request.max.bytes, {one_request}")));
            }
        };
        Ok(())
    }

    /// Settings that would leave a door open if they were merely accepted.
    fn check_what_is_not_served(&self) -> Result<(), ConfigError> {
        const AUTHORIZER: &str = "authorizer.class.name";
        let authorizer = self.values.text(AUTHORIZER).unwrap_or_default().trim();
        if authorizer.is_empty() {
            return Ok(());
        }
        Err(self.not_served(
            AUTHORIZER,
            authorizer,
            "without it everyone may do everything; delete the line to accept that",
        ))
    }

    /// The settings of groups must lie within the bounds that there are for them.
    fn check_groups(&self) -> Result<(), ConfigError> {
        const ASSIGNORS: &str = "group.consumer.assignors";
        super::group::check_broker(self).map_err(|(name, allowed)| self.values.refuse(name, allowed))?;
        let asked = &self.group_consumer_assignors;
        if asked.iter().all(|asked| super::group::assignor_name(asked).is_some()) {
            return Ok(());
        }
        let names = super::group::ASSIGNORS.map(|[name, _]| name).join(", ");
        Err(self.values.refuse(ASSIGNORS, format!("a list of {names}")))
    }

    fn check_policies(&self) -> Result<(), ConfigError> {
        let unknown = |name: &&String| super::topic::topic_setting(name).is_none();
        match self.alter_config_policy_fixed.iter().find(unknown) {
            Some(unknown) => Err(self.values.refuse(
                "alter.config.policy.fixed",
                format!("names of topics' settings, between commas; `{unknown}` is none"),
            )),
            None => Ok(()),
        }
    }

    /// The broker's own log settings must make a topic without settings of its own.
    fn check_topic_defaults(&self) -> Result<(), ConfigError> {
        if !(1..=i32::from(i16::MAX)).contains(&self.default_replication_factor) {
            return Err(self.values.refuse("default.replication.factor", "a whole number, from 1 to 32767"));
        }
        let of_broker = |name: &str| TopicConfig::broker_setting(name, self);
        let topic = TopicConfig::from_overrides(&BTreeMap::new(), self)
            .map_err(|bad| self.values.refuse(of_broker(&bad.name), bad.allowed))?;
        // A topic may be told to keep nothing, a broker not: it would empty every topic.
        if topic.retention_ms == 0 {
            return Err(self
                .values
                .refuse(of_broker("retention.ms"), "a whole number, at least 1, or -1 for no limit"));
        }
        Ok(())
    }
}

fn are_two_families(one: &Host, other: &Host) -> bool {
    matches!((one, other), (Host::Address(one), Host::Address(other)) if one.is_ipv4() != other.is_ipv4())
}

/// A host as Metadata answers carry it: an IPv6 address has no brackets there.
fn bare(host: &Host) -> String {
    match host {
        Host::Address(address) => address.to_string(),
        other => other.to_string(),
    }
}
