//! The differences that are meant: the closed list of this comparison, each with its reason.

use super::peer::Outcome;
use super::script::Case;
use std::collections::BTreeSet;

/// Cases by their names, how they differ, and why they may.
struct Meant {
    /// Part of the names of the cases.
    cases: &'static [&'static str],
    differs: fn(&str, &str) -> bool,
    why: &'static str,
}

/// The code, and perhaps words to it.
fn by_code(theirs: &str, ours: &str, kafkas: &str, ottlas: &str) -> bool {
    explains(&theirs.replace(kafkas, ottlas), ours)
}

const CLOSES: &str = "(closes the connection)";

const MEANT: &[Meant] = &[
    Meant {
        cases: &[" is 0x80", " is 0xff", "header, client id that is no text"],
        differs: |theirs, ours| {
            ours == CLOSES && (theirs.contains('\u{FFFD}') || theirs.starts_with("ApiVersions"))
        },
        why: "Kafka puts U+FFFD where text is no UTF-8, and so takes one name for another; Ottla closes, as for any \
              other body that cannot be read",
    },
    Meant {
        cases: &[
            "Metadata 1: byte 0",
            "Metadata 2: byte 0",
            "Metadata 3: byte 0",
            "Metadata 4: byte 0",
            "Metadata 5: byte 0",
            "Metadata 6: byte 0",
            "Metadata 7: byte 0",
            "Metadata 8: byte 0",
        ],
        differs: |_, ours| ours == CLOSES,
        why: "a count below -1: to Kafka it is null like -1, to Ottla a body that cannot be read; no client writes it",
    },
    Meant {
        cases: &["timeout 0, validated"],
        differs: |theirs, ours| theirs.contains("error_code: 7,") && ours.contains("error_code: 0,"),
        why: "Kafka's controller gives up before it looks when it has no time at all; Ottla decides in none",
    },
    Meant {
        cases: &["to 2147483647, validated", "to 10004, validated"],
        differs: |theirs, ours| by_code(theirs, ours, "error_code: -1,", "error_code: 44,"),
        why: "more partitions at once than a request may ask for: Kafka trips over its own bound, and CreateTopics \
              answers POLICY_VIOLATION for the same",
    },
    Meant {
        cases: &["neither name nor id", "neither, beside a name"],
        differs: |theirs, ours| theirs.contains("error_code: -1,") && ours.contains("error_code: 100,"),
        why: "Kafka trips over the null name; Ottla answers that there is no topic of the id zero",
    },
    Meant {
        cases: &["DescribeTopicPartitions 0: empty name"],
        differs: |theirs, ours| theirs.contains("error_code: -1,") && ours.contains("error_code: 17,"),
        why: "Kafka trips over the empty name and answers nothing about the others",
    },
    Meant {
        cases: &["an address with parts left out, validated"],
        differs: |theirs, ours| by_code(theirs, ours, "error_code: 0,", "error_code: 42,"),
        why: "Kafka resolves what is no address as Java does; Ottla takes whole addresses and localhost",
    },
];

/// What two outcomes have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Alike,
    /// They differ as they may, and why they may.
    Meant(&'static str),
    Different,
}

/// Whether Ottla may answer so where Kafka answers so.
pub(super) fn judge(case: &Case, theirs: &Outcome, ours: &Outcome) -> Judgement {
    // Where Kafka loses a request, there is nothing to compare but that Ottla does not.
    if theirs == ours || *theirs == Outcome::Lost {
        return if *ours == Outcome::Lost { Judgement::Different } else { Judgement::Alike };
    }
    let (theirs, ours) = (theirs.to_string(), ours.to_string());
    if explains(&theirs, &ours) {
        return Judgement::Alike;
    }
    let mut of_case = MEANT.iter().filter(|meant| meant.cases.iter().any(|part| case.name.contains(part)));
    let found = of_case.find(|meant| (meant.differs)(&theirs, &ours));
    found.map_or(Judgement::Different, |meant| Judgement::Meant(meant.why))
}

/// The differences of the list that no case shows any more.
pub(super) fn unseen(seen: &BTreeSet<&'static str>) -> Vec<&'static str> {
    MEANT.iter().map(|meant| meant.why).filter(|why| !seen.contains(why)).collect()
}

/// Ottla may say why where Kafka says nothing.
fn explains(theirs: &str, ours: &str) -> bool {
    let is_explained = |theirs: &str, ours: &str| {
        ours.trim() == "error_message: Some(\"(words)\"),"
            && matches!(theirs.trim(), "error_message: None," | "error_message: Some(\"\"),")
    };
    theirs.lines().count() == ours.lines().count()
        && theirs.lines().zip(ours.lines()).all(|(theirs, ours)| theirs == ours || is_explained(theirs, ours))
}
