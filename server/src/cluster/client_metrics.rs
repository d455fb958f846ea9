//! Subscriptions to clients' metrics: what the metadata has of them, and the decision about one.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;

use super::Image;
use super::configure::{ConfigRefusal, Wanted, changed, difference};
use super::records::{ClientMetricsConfigured, Record};
use crate::config::{ClientMetricsError, ClientSubscription};

/// The settings of each subscription, by its name; none of them is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientSubscriptions(OrdMap<Arc<str>, Arc<BTreeMap<String, String>>>);

impl ClientSubscriptions {
    pub fn get(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.0.get(name).map(|settings| &**settings)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &BTreeMap<String, String>)> {
        self.0.iter().map(|(name, settings)| (name, &**settings))
    }

    /// Whether nothing was changed between the two; cheap.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    /// `apply` is its only caller.
    pub(super) fn configure(&mut self, name: String, changes: BTreeMap<String, Option<String>>) {
        let mut settings = self.get(&name).cloned().unwrap_or_default();
        super::image::change(&mut settings, changes);
        if settings.is_empty() {
            self.0.remove(name.as_str());
        } else {
            self.0.insert(name.into(), Arc::new(settings));
        }
    }
}

/// The record that gives the subscription `name` the settings wanted; none if it has them.
pub fn configure_client_metrics(
    image: &Image,
    name: &str,
    wanted: &Wanted,
) -> Result<Option<Record>, ConfigRefusal> {
    let current = image.client_subscriptions().get(name).cloned().unwrap_or_default();
    let next = match wanted {
        // As in Kafka, no setting of theirs counts as a list that can be added to.
        Wanted::Changes(changes) => changed(&current, changes, |_| None)?,
        Wanted::Exactly(exactly) => exactly.clone(),
    };
    if name.is_empty() {
        return Err(ClientMetricsError::NoName.into());
    }
    ClientSubscription::read(&next)?;
    let changes = difference(&current, &next);
    let record = || ClientMetricsConfigured { subscription: name.to_owned(), changes }.into();
    Ok((current != next).then(record))
}

/// The image with this subscription, too.
#[cfg(test)]
pub(crate) fn subscribe(image: &mut Image, name: &str, settings: &[(&str, &str)]) {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let record = configure_client_metrics(image, name, &Wanted::Exactly(settings)).expect("it is right");
    record.into_iter().for_each(|record| super::apply::apply(image, record));
}

#[cfg(test)]
mod tests {
    use super::super::apply::apply;
    use super::super::configure::Change;
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Wanted {
        let change = |(name, value): &(&str, &str)| ((*name).to_owned(), Change::Set((*value).to_owned()));
        Wanted::Changes(pairs.iter().map(change).collect())
    }

    fn configured(image: &mut Image, name: &str, wanted: &Wanted) -> bool {
        let record = configure_client_metrics(image, name, wanted).expect("it is right");
        let is_some = record.is_some();
        record.into_iter().for_each(|record| apply(image, record));
        is_some
    }

    #[test]
    fn one_without_settings_is_gone() {
        let mut image = Image::default();
        assert!(configured(&mut image, "a", &set(&[("metrics", "*"), ("interval.ms", "100")])));
        let before = image.client_subscriptions().clone();
        assert!(!configured(&mut image, "a", &set(&[("metrics", "*")])), "it has it");
        assert!(image.client_subscriptions().is_same(&before));
        assert!(configured(&mut image, "a", &Wanted::Exactly(BTreeMap::from([("match".into(), "".into())]))));
        assert!(!image.client_subscriptions().is_same(&before));
        assert_eq!(image.client_subscriptions().iter().count(), 1);
        let deleted = Wanted::Changes(BTreeMap::from([("match".to_owned(), Change::Delete)]));
        assert!(configured(&mut image, "a", &deleted));
        assert_eq!(*image.client_subscriptions(), ClientSubscriptions::default());
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let image = Image::default();
        let refused = |name: &str, wanted: &Wanted| configure_client_metrics(&image, name, wanted).is_err();
        assert!(refused("", &set(&[("metrics", "*")])));
        assert!(refused("a", &set(&[("interval.ms", "1")])));
        let append = Change::Append("x".to_owned());
        assert!(refused("a", &Wanted::Changes(BTreeMap::from([("metrics".to_owned(), append)]))));
    }
}
