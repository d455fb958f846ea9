//! The small files: `meta.properties`, `partition.metadata`, `leader-epoch-checkpoint`.
//!
//! It must not know batches.

use std::path::Path;

use crate::epoch_cache::{self, EpochCache};
use crate::meta::{self, META_FILE_NAME, MetaProblem, MetaProperties, PARTITION_FILE_NAME};
use crate::small_file;

use super::around::Around;
use super::finding::Finding;
use super::verify::{Verifier, name_of};

pub(super) fn check_meta(verifier: &mut Verifier<'_>, dir: &Path) {
    let path = dir.join(META_FILE_NAME);
    let read = small_file::read(&*verifier.env.files, &path);
    let Some(text) = verifier.or_unreadable(&path, false, read) else { return };
    let Some(text) = text else {
        const ADVICE: &str = "restore the file from a copy: without it nothing says whose directory this is";
        return verifier.found(&Finding::damage(&path, "it is missing", ADVICE));
    };
    verifier.summary.files += 1;
    if let Err(MetaProblem::Invalid(what)) = MetaProperties::decode(&text) {
        verifier.found(&Finding::damage(&path, what, "restore the file from a copy"));
    }
}

/// Checks what a log's directory holds beside its segments; gives the epochs if they can be read.
pub(super) fn check_log_files(
    verifier: &mut Verifier<'_>,
    dir: &Path,
    around: &Around,
) -> Option<EpochCache> {
    check_owner(verifier, dir, around);
    let path = dir.join(epoch_cache::FILE_NAME);
    let read = small_file::read(&*verifier.env.files, &path);
    // It is made at the first flush; what it lacks is in the batches.
    let text = verifier.or_unreadable(&path, around.is_live, read)??;
    verifier.summary.files += 1;
    let epochs = EpochCache::decode(&text);
    if epochs.is_none() {
        const ADVICE: &str =
            "nothing is lost: the broker, or `ottla log repair`, makes it anew from the batches";
        verifier.found(&Finding::damage(&path, "it is not whole, or out of order", ADVICE));
    }
    epochs
}

fn check_owner(verifier: &mut Verifier<'_>, dir: &Path, around: &Around) {
    const ADVICE: &str = "`ottla log repair` writes it anew where the checkpoint knows whose log it is";
    let path = dir.join(PARTITION_FILE_NAME);
    let read = small_file::read(&*verifier.env.files, &path);
    let Some(text) = verifier.or_unreadable(&path, around.is_live, read) else { return };
    let Some(text) = text else {
        // A log on its own needs none.
        if around.dir.is_some() && !around.is_live {
            verifier.found(&Finding::damage(&path, "it is missing", ADVICE));
        }
        return;
    };
    verifier.summary.files += 1;
    if text.is_empty() && !around.is_clean() {
        const ADVICE: &str = "nothing to do: the broker puts it right at its next start";
        return verifier.found(&Finding::note(&path, "it is empty, as a crash leaves it", ADVICE));
    }
    let Some(topic) = meta::decode_partition(&text) else {
        return verifier.found(&Finding::damage(&path, "it does not say which topic's the log is", ADVICE));
    };
    if let Some(entry) = around.entry(&name_of(dir)).filter(|entry| entry.id.topic != topic) {
        let what = format!("it says topic {topic}, the checkpoint says {}", entry.id.topic);
        let finding = if around.is_clean() {
            Finding::damage(&path, what, ADVICE)
        } else {
            // The topic was deleted and made again since.
            Finding::note(&path, what, "nothing to do if the topic was made again since the last checkpoint")
        };
        verifier.found(&finding);
    }
}
