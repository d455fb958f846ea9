//! The order in which Java's hash tables give strings back, on which Kafka's ids of subscriptions stand.
//!
//! A table has a power of two of places, which doubles when it is three quarters full; strings of one place stay in the
//! order in which they came.

use std::collections::BTreeMap;

const PLACES_MIN: usize = 16;

/// Java's `String.hashCode`, over UTF-16 units.
fn hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// The strings, each once, in the order of a `HashSet` of this many places or as many more as it needs.
fn ordered<'a>(texts: impl IntoIterator<Item = &'a str>, places_min: usize) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    let texts: Vec<&str> = texts.into_iter().filter(|text| seen.insert(*text)).collect();
    let mut places = places_min;
    while texts.len() > places / 4 * 3 {
        places *= 2;
    }
    let mut by_place: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for text in texts {
        let hash = hash(text);
        by_place.entry((hash ^ hash >> 16) as usize & (places - 1)).or_default().push(text);
    }
    by_place.into_values().flatten().collect()
}

/// As a set, or a map by these names, gives them back that they were put into one by one.
pub(super) fn grown<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    ordered(texts, PLACES_MIN)
}

/// As a set gives them back that was made of a list of them.
pub(super) fn of_list(texts: &[String]) -> Vec<&str> {
    let wanted = (texts.len() as f64 / 0.75) as usize + 1;
    ordered(texts.iter().map(String::as_str), wanted.max(PLACES_MIN).next_power_of_two())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Taken from Java's own sets.
    #[test]
    fn the_order_is_javas() {
        let letters = ["org.apache.kafka.producer.", "b", "a", "org.apache.kafka.consumer.", "Q", "aQ"];
        assert_eq!(
            grown(letters),
            ["org.apache.kafka.producer.", "aQ", "a", "Q", "b", "org.apache.kafka.consumer."]
        );
        let names: Vec<String> = (0..14).map(|number| format!("metric.{number}")).collect();
        let expected =
            [9, 8, 7, 6, 5, 4, 3, 13, 2, 1, 0, 11, 12, 10].map(|number| format!("metric.{number}"));
        assert_eq!(of_list(&names), expected);
        assert_eq!(grown(of_list(&names)), expected);
    }
}
