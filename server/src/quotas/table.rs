//! Which of many quotas counts for a client, in Kafka's order: the most specific one that names its user, then its client id.
//!
//! Clients that share a quota's name share what it allows: with a quota for a user, all client ids of that user together,
//! with one for a client id, all users of it; the default ones allow the same to each by itself.

use std::sync::Arc;

use crate::cluster::quota::{Entity, Key, Name, Quotas};

/// Clients whose names differ only behind so many bytes are measured together.
const NAME_BYTES_MAX: usize = 256;

/// Who asks, as quotas know clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Client {
    pub user: Arc<str>,
    /// Empty: it has none, and no quota for client ids is its.
    pub id: Arc<str>,
}

/// Who is measured together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Together {
    pub(super) user: Option<Arc<str>>,
    pub(super) client_id: Option<Arc<str>>,
}

/// The quota that counts for a client, and who is measured together with it.
pub(super) fn counts_for(quotas: &Quotas, key: Key, client: &Client) -> Option<(Together, f64)> {
    let user = || Some(Name::Exactly(client.user.clone()));
    let any = || Some(Name::Default);
    let id = || Some(Name::Exactly(client.id.clone()));
    let levels = [
        (user(), id()),
        (user(), any()),
        (user(), None),
        (any(), id()),
        (any(), any()),
        (any(), None),
        (None, id()),
        (None, any()),
    ];
    let has_id = !client.id.is_empty();
    levels.into_iter().filter(|(_, id)| has_id || id.is_none()).find_map(|(user, client_id)| {
        let (has_user, has_client_id) = (user.is_some(), client_id.is_some());
        let value = quotas.get(&Entity { user, client_id, ip: None }, key)?;
        let together = Together {
            user: has_user.then(|| kept(&client.user)),
            client_id: has_client_id.then(|| kept(&client.id)),
        };
        Some((together, value.get()))
    })
}

/// What is kept of a name, which a client chooses.
fn kept(name: &Arc<str>) -> Arc<str> {
    match name.floor_char_boundary(NAME_BYTES_MAX) {
        whole if whole == name.len() => name.clone(),
        cut => name[..cut].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::image::of_quotas;
    use crate::cluster::quota::Wanted;

    fn client(user: &str, id: &str) -> Client {
        Client { user: user.into(), id: id.into() }
    }

    /// Kafka's order: `<default>` is the default.
    const LEVELS: [(&str, &str); 8] = [
        ("u", "c"),
        ("u", "<default>"),
        ("u", ""),
        ("<default>", "c"),
        ("<default>", "<default>"),
        ("<default>", ""),
        ("", "c"),
        ("", "<default>"),
    ];

    fn quotas(levels: &[usize]) -> Quotas {
        let wanted: Vec<Wanted> = levels
            .iter()
            .map(|level| {
                let (user, id) = LEVELS[*level];
                let named =
                    [("user", user), ("client-id", id)].into_iter().filter(|(_, name)| !name.is_empty());
                let name = |name: &str| (name != "<default>").then(|| name.to_owned());
                let entity = named.map(|(kind, text)| (kind.to_owned(), name(text))).collect();
                let value = Some((level + 1) as f64);
                Wanted { entity, changes: vec![("producer_byte_rate".to_owned(), value)] }
            })
            .collect();
        of_quotas(&wanted).quotas().clone()
    }

    fn level_of(quotas: &Quotas, user: &str, id: &str) -> Option<usize> {
        let (_, value) = counts_for(quotas, Key::ProducerByteRate, &client(user, id))?;
        Some(value as usize - 1)
    }

    #[test]
    fn the_most_specific_quota_counts() {
        for first in 0..LEVELS.len() {
            let all_behind: Vec<usize> = (first..LEVELS.len()).collect();
            let quotas = quotas(&all_behind);
            assert_eq!(level_of(&quotas, "u", "c"), Some(first));
            assert!(counts_for(&quotas, Key::ConsumerByteRate, &client("u", "c")).is_none());
        }
        let all = quotas(&[0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(level_of(&all, "u", "other"), Some(1));
        assert_eq!(level_of(&all, "u", ""), Some(2), "without a client id there is none to match");
        assert_eq!(level_of(&all, "other", "c"), Some(3));
        assert_eq!(level_of(&all, "other", "other"), Some(4));
        assert_eq!(level_of(&all, "other", ""), Some(5));
        assert_eq!(level_of(&quotas(&[6, 7]), "u", ""), None);
        assert_eq!(level_of(&quotas(&[0, 2]), "other", "c"), None);
    }

    #[test]
    fn who_shares_a_name_shares_a_quota() {
        let together = |level: usize, user: &str, id: &str| {
            let (together, _) =
                counts_for(&quotas(&[level]), Key::ProducerByteRate, &client(user, id)).unwrap();
            (together.user.is_some(), together.client_id.is_some())
        };
        for both in [0, 1, 3, 4] {
            assert_eq!(together(both, "u", "c"), (true, true), "{both}");
        }
        for user in [2, 5] {
            assert_eq!(together(user, "u", "c"), (true, false), "{user}");
        }
        for id in [6, 7] {
            assert_eq!(together(id, "u", "c"), (false, true), "{id}");
        }
    }
}
