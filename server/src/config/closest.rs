//! The name that someone most likely meant.

/// The candidate with the fewest edits to `name`, if that is few enough to be a slip of the hand and not another word.
pub(super) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    // A typed name can be as long as a command line; past this length nothing is near any setting.
    if name.len() > 128 {
        return None;
    }
    let (distance, best) =
        candidates.into_iter().map(|candidate| (edits(&name, candidate), candidate)).min()?;
    (distance <= 2.max(best.len() / 3)).then_some(best)
}

/// Levenshtein's distance over bytes; the names in question are ASCII.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Whether it is a name that one means to type and misses, and not merely one that is not far from it.
pub(super) fn is_slip(name: &str, of: &str) -> bool {
    edits(&name.to_ascii_lowercase(), of) <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, distance) in
            [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("log.dir", "log.dirs", 1)]
        {
            assert_eq!(edits(a, b), distance, "{a} {b}");
            assert_eq!(edits(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near() {
        let names = ["log.dirs", "listeners", "num.partitions"];
        assert_eq!(closest("log.drs", names), Some("log.dirs"));
        assert_eq!(closest("Listener", names), Some("listeners"));
        assert_eq!(closest("wholly.other.thing", names), None);
        assert_eq!(closest(&"x".repeat(1000), names), None);
    }
}
