//! Time budgets: `.ci/budgets` is the one table, `name seconds` a line, the longest matching name counts and a name
//! may end in `*`. A scenario that needs longer fails, so that the suite cannot grow slow unnoticed.

use crate::harness::place;
use std::sync::OnceLock;
use std::time::Duration;

/// What a long effort may take, whatever the table says: it is for nights, and for once before a release.
const LONG: Duration = Duration::from_secs(3600);

/// The budget of the test `name`.
pub(crate) fn of(name: &str) -> Duration {
    if place::long_effort() {
        return LONG;
    }
    table()
        .iter()
        .filter(|(pattern, _)| matches(pattern, name))
        .max_by_key(|(pattern, _)| pattern.len())
        .map(|(_, seconds)| Duration::from_secs(*seconds))
        .unwrap_or_else(|| panic!(".ci/budgets has no line for {name}"))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

fn table() -> &'static [(String, u64)] {
    static TABLE: OnceLock<Vec<(String, u64)>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let path = place::place().workspace.join(".ci/budgets");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        text.lines().filter_map(line).collect()
    })
}

fn line(line: &str) -> Option<(String, u64)> {
    let said = line.split('#').next()?.trim();
    if said.is_empty() {
        return None;
    }
    let parsed = said.split_once(char::is_whitespace).and_then(|(name, seconds)| {
        let seconds = seconds.trim().parse().ok()?;
        Some((name.to_owned(), seconds))
    });
    Some(parsed.unwrap_or_else(|| panic!(".ci/budgets: {line:?} is not `name seconds`")))
}
