//! What a setting's text may be: types and bounds, in the form that Kafka declares them.
//!
//! Checking is pure and total: any text gives either "fine" or a sentence that says what is allowed. This module knows no
//! setting by name and gives no value a meaning.

use std::fmt;

/// The type of a setting's text, by Kafka's names for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Short,
    Int,
    Long,
    Double,
    Text,
    /// Items between commas.
    List,
    /// The name of a Java class; nothing here can load one.
    Class,
    /// Never shown again, in no message and no answer.
    Password,
}

/// The bounds of a setting within its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    Anything,
    NotEmpty,
    /// Whole numbers within one of these inclusive ranges.
    Whole(&'static [(i64, i64)]),
    Real {
        min: f64,
        max: f64,
    },
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
    /// A list of these words (of any words, where `of` is empty); `none_too` allows the empty list.
    Items {
        of: &'static [&'static str],
        none_too: bool,
    },
    /// Kafka's `partition:broker` pairs, or `*`.
    ThrottledReplicas,
}

/// How Kafka lets a setting change while the broker runs; DescribeConfigs shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    ReadOnly,
    PerBroker,
    ClusterWide,
}

/// One line of the generated table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KafkaSetting {
    pub name: &'static str,
    pub kind: Kind,
    /// `None` is Java's null, or a setting that Kafka demands.
    pub default: Option<&'static str>,
    pub allowed: Allowed,
    pub update: Update,
}

/// Keeps a line of the generated table on one line.
pub(super) const fn kafka(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    allowed: Allowed,
    update: Update,
) -> KafkaSetting {
    KafkaSetting { name, kind, default, allowed, update }
}

/// Looks a setting up in a generated table, which is sorted by name.
pub(super) fn find(table: &'static [KafkaSetting], name: &str) -> Option<&'static KafkaSetting> {
    table.binary_search_by(|setting| setting.name.cmp(name)).ok().map(|at| &table[at])
}

/// The items of a list as Kafka splits it: commas, with the space around them dropped; an empty text has no items.
pub(super) fn items(text: &str) -> Vec<&str> {
    let text = text.trim();
    if text.is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() }
}

/// The items with those left out that occurred before, as Kafka does with lists of words.
pub(super) fn without_repeats<'a>(items: &[&'a str]) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    items.iter().copied().filter(|item| seen.insert(*item)).collect()
}

/// A boolean as Kafka reads it.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    match () {
        () if text.eq_ignore_ascii_case("true") => Some(true),
        () if text.eq_ignore_ascii_case("false") => Some(false),
        () => None,
    }
}

impl Kind {
    /// Whether `text` is of this type and within `allowed`.
    pub fn accepts(self, allowed: Allowed, text: &str) -> bool {
        match self {
            Kind::Boolean => boolean(text).is_some(),
            Kind::Short | Kind::Int | Kind::Long => {
                self.whole(text).is_some_and(|number| allowed.has_whole(number))
            }
            Kind::Double => text.trim().parse::<f64>().is_ok_and(|number| allowed.has_real(number)),
            Kind::List => allowed.has_items(&items(text)),
            Kind::Text | Kind::Class | Kind::Password => allowed.has_text(text.trim()),
        }
    }

    /// An accepted text as Kafka shows it: without the space around it, numbers without leading zeros, no item twice. A text
    /// that is not accepted stays as it is.
    pub fn canonical(self, allowed: Allowed, text: &str) -> String {
        let canonical = match self {
            Kind::Boolean => boolean(text).map(|value| value.to_string()),
            Kind::Short | Kind::Int | Kind::Long => self.whole(text).map(|number| number.to_string()),
            Kind::Double => text.trim().parse().ok().map(java_double),
            Kind::List if matches!(allowed, Allowed::Items { .. }) => {
                Some(without_repeats(&items(text)).join(","))
            }
            Kind::List => Some(items(text).join(",")),
            Kind::Text | Kind::Class | Kind::Password => Some(text.trim().to_owned()),
        };
        canonical.unwrap_or_else(|| text.to_owned())
    }

    fn whole(self, text: &str) -> Option<i64> {
        let number: i64 = text.trim().parse().ok()?;
        let (min, max) = self.range();
        (min..=max).contains(&number).then_some(number)
    }

    fn range(self) -> (i64, i64) {
        match self {
            Kind::Short => (i16::MIN.into(), i16::MAX.into()),
            Kind::Int => (i32::MIN.into(), i32::MAX.into()),
            _ => (i64::MIN, i64::MAX),
        }
    }

    /// What is allowed, for an operator: `a whole number of at least 1`.
    pub fn describe(self, allowed: Allowed) -> String {
        match (self, allowed) {
            (Kind::Boolean, _) => "true or false".to_owned(),
            (Kind::Short | Kind::Int | Kind::Long, Allowed::Whole(ranges)) => {
                let ranges: Vec<_> = ranges.iter().map(|range| self.describe_range(*range)).collect();
                format!("a whole number, {}", ranges.join(" or "))
            }
            (Kind::Short | Kind::Int | Kind::Long, _) => {
                let (min, max) = self.range();
                format!("a whole number, from {min} to {max}")
            }
            (Kind::Double, Allowed::Real { min, max }) => format!("a number from {min} to {max}"),
            (Kind::Double, _) => "a number".to_owned(),
            (_, Allowed::OneOf(words)) => format!("one of {}", words.join(", ")),
            (_, Allowed::OneOfAnyCase(words)) => format!("one of {} in any case", words.join(", ")),
            (_, Allowed::Items { of: [], none_too }) => {
                format!("{} between commas", list_word(none_too))
            }
            (_, Allowed::Items { of, none_too }) => format!("{} of {}", list_word(none_too), of.join(", ")),
            (_, Allowed::ThrottledReplicas) => "pairs of partition:broker between commas, or *".to_owned(),
            (Kind::List, _) => "items between commas".to_owned(),
            (_, Allowed::NotEmpty) => "a text that is not empty".to_owned(),
            (Kind::Class, _) => "a class name".to_owned(),
            _ => "any text".to_owned(),
        }
    }

    fn describe_range(self, (min, max): (i64, i64)) -> String {
        if min == max {
            return min.to_string();
        }
        if max == self.range().1 { format!("at least {min}") } else { format!("from {min} to {max}") }
    }
}

fn list_word(none_too: bool) -> &'static str {
    if none_too { "a list" } else { "a list of at least one item" }
}

impl Allowed {
    fn has_whole(self, number: i64) -> bool {
        match self {
            Allowed::Whole(ranges) => ranges.iter().any(|(min, max)| (*min..=*max).contains(&number)),
            _ => true,
        }
    }

    fn has_real(self, number: f64) -> bool {
        match self {
            Allowed::Real { min, max } => (min..=max).contains(&number),
            _ => !number.is_nan(),
        }
    }

    fn has_text(self, text: &str) -> bool {
        match self {
            Allowed::OneOf(words) => words.contains(&text),
            Allowed::OneOfAnyCase(words) => words.iter().any(|word| word.eq_ignore_ascii_case(text)),
            Allowed::NotEmpty => !text.is_empty(),
            _ => true,
        }
    }

    fn has_items(self, items: &[&str]) -> bool {
        // Kafka's hand-written checks of lists (quorum addresses) concern a quorum that does not exist here.
        match self {
            Allowed::Items { of, none_too } => {
                (none_too || !items.is_empty())
                    && items.iter().all(|item| !item.is_empty())
                    && (of.is_empty() || items.iter().all(|i| of.contains(i)))
            }
            Allowed::ThrottledReplicas => {
                items == ["*"] || items.iter().all(|item| is_throttled_replica(item))
            }
            _ => true,
        }
    }
}

/// A number as Java's `Double.toString` writes it.
fn java_double(number: f64) -> String {
    if number == 0.0 || (1e-3..1e7).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let scientific = format!("{number:E}");
    match scientific.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => scientific,
    }
}

fn is_throttled_replica(item: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    item.split_once(':').is_some_and(|(partition, broker)| digits(partition) && digits(broker))
}

impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Update::ReadOnly => "read-only",
            Update::PerBroker => "per-broker",
            Update::ClusterWide => "cluster-wide",
        })
    }
}
