//! Data directories of earlier versions, which every later version opens.
//!
//! `golden/format-1` is of the first builds, before there was a journal; `golden/format-1-journal` has a journal, a
//! checkpoint of version 2, a checksum in `meta.properties` and the boot in `lock`. `ottla.format` is 1 in both: whoever
//! reads the second reads the first, and builds without a journal refuse the second for the version of its checkpoint.
//!
//! The newest, `golden/format-1-full`, is told of in `full.rs`.
//!
//! `clean` was closed in order. `killed` is what lay under an open log, with half a batch behind the last of one log, as
//! a kill in mid-write leaves it. `cut` is what is left of that by a power cut that takes everything unflushed: half of
//! the records are in the journal alone, one log has no directory yet, one was deleted, one became durable on its way,
//! and the journal's last commit is torn. `batches` lists what was appended: log, base offset, greatest timestamp, the
//! batch's bytes in hex.
//!
//! What is committed is never written again for a change of code: a new format gets a directory of its own.
//! `OTTLA_REGENERATE_GOLDEN=format-1-journal` writes that of the present one, as long as no build was published with it.

#![expect(clippy::disallowed_methods, reason = "the committed files are on the real machine")]

#[path = "../../src/codec/testing.rs"]
mod compression;
mod full;
mod generate;
mod set;

use std::fs;

use storage::at_rest::{Finding, Report, Severity, verify};
use storage::{BatchHeader, Codec, Durability, Env, LeaderEpoch, OpenError};

use compression::CODECS;
use set::{
    BATCHES, DURABLE, DURABLE_12, FIRST, JOINED, JOURNAL, Named, RELAXED, Set, append, batch, check_log,
    copy, listed, open_dir, open_log, read_from, scratch, tree,
};

/// The names of the logs that have directories, in order.
fn names(logs: &[Named]) -> Vec<&str> {
    let mut names: Vec<&str> = logs.iter().map(|log| log.0).collect();
    names.sort_unstable();
    names
}

/// Opens a copy, finds everything, appends, and finds that too in the next life.
fn opens_and_goes_on(set: &Set, name: &str) {
    let path = set.copy_of(name, name);
    let listing = set.listing();
    assert_eq!(listing.len(), set.logs.len());
    let dir = open_dir(&path).unwrap();
    let mut on_disk: Vec<String> = dir.logs_on_disk().into_iter().map(|(name, _)| name).collect();
    on_disk.sort();
    assert_eq!(on_disk, names(set.logs), "every log's directory is known as one");
    let mut ends = Vec::new();
    for &wanted in set.logs {
        let log = open_log(&dir, wanted);
        // A power cut takes what a relaxed log did not flush.
        let is_lost = name == "cut" && wanted.3 == Durability::Relaxed;
        let listed = &listing[wanted.0];
        let kept = if is_lost { &listed[..BATCHES / 2] } else { &listed[..] };
        check_log(&log, kept);
        assert!(log.leader_epoch() > LeaderEpoch(3), "a new life is a new leadership");
        assert!(log.segment_count() > 1, "the golden log has several segments");
        let end = log.end_offset().0;
        let bases: Vec<i64> = (0..BATCHES).map(|n| append(&log, batch("appended later", n))).collect();
        assert_eq!(bases[0], end, "offsets go on where they were");
        ends.push((end, bases));
    }
    dir.close();
    drop(dir);

    let dir = open_dir(&path).unwrap();
    for (&wanted, (end, bases)) in set.logs.iter().zip(ends) {
        let log = open_log(&dir, wanted);
        let found = read_from(&log, end);
        assert_eq!(found.iter().map(|(base, _)| *base).collect::<Vec<_>>(), bases);
        for (number, (_, bytes)) in found.iter().enumerate() {
            assert_eq!(bytes[16..], batch("appended later", number)[16..], "behind offset and epoch");
        }
        let kept = read_from(&log, 0);
        for ((base, bytes), listed) in
            kept.iter().zip(&listing[wanted.0]).filter(|((base, _), _)| *base < end)
        {
            assert_eq!(bytes[..], listed.bytes[..], "{}: the batch at {base}", wanted.0);
        }
    }
    dir.close();
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_directory_of_the_first_builds_that_was_closed_opens() {
    opens_and_goes_on(&FIRST, "clean");
}

#[test]
fn a_directory_of_the_first_builds_that_was_killed_opens() {
    opens_and_goes_on(&FIRST, "killed");
}

#[test]
fn a_directory_that_was_closed_opens() {
    opens_and_goes_on(&JOURNAL, "clean");
}

#[test]
fn a_directory_that_was_killed_opens() {
    opens_and_goes_on(&JOURNAL, "killed");
}

#[test]
fn a_directory_whose_power_was_cut_opens() {
    opens_and_goes_on(&JOURNAL, "cut");
}

/// What the test above finds is from the journal: nothing else has it.
#[test]
fn without_its_journal_a_directory_whose_power_was_cut_lacks_half() {
    let path = JOURNAL.copy_of("cut", "no-journal");
    assert!(!path.join(DURABLE_12.0).exists(), "the journal makes the directory");
    fs::remove_dir_all(path.join("journal")).unwrap();
    let (dir, listing) = (open_dir(&path).unwrap(), JOURNAL.listing());
    for (wanted, batches) in
        [(DURABLE, BATCHES / 2), (RELAXED, BATCHES / 2), (JOINED, BATCHES / 2), (DURABLE_12, 0)]
    {
        check_log(&open_log(&dir, wanted), &listing[wanted.0][..batches]);
    }
    dir.close();
    fs::remove_dir_all(path).unwrap();
}

/// What is damaged, in words.
#[derive(Default)]
struct Damages(Vec<String>);

impl Report for Damages {
    fn expect(&mut self, _: u64) {}

    fn done(&mut self, _: u64) {}

    fn found(&mut self, finding: &Finding) {
        if finding.severity == Severity::Damage {
            self.0.push(finding.to_string());
        }
    }
}

#[test]
fn nothing_in_the_golden_directories_is_called_damaged() {
    for set in [FIRST, JOURNAL] {
        for name in set.dirs {
            let mut damages = Damages::default();
            let summary = verify(&Env::real(), &set.path().join(name), &mut damages).unwrap();
            assert_eq!(damages.0, Vec::<String>::new(), "{}/{name}", set.folder);
            assert!(summary.batches > 0);
        }
    }
}

#[test]
fn a_newer_format_is_refused_untouched() {
    for set in [FIRST, JOURNAL] {
        let path = set.copy_of("clean", "newer");
        let meta = path.join("meta.properties");
        let text = fs::read_to_string(&meta).unwrap();
        assert!(text.contains("\nottla.format=1\n"), "{text}");
        fs::write(&meta, text.replace("ottla.format=1", "ottla.format=2")).unwrap();
        let before = tree(&path);
        let Err(error) = open_dir(&path) else { panic!("a format that nobody knows yet was opened") };
        assert!(matches!(error, OpenError::NewerFormat { found: 2, known: 1, .. }), "{error}");
        let line = error.to_string();
        assert!(line.contains(&path.display().to_string()) && line.contains("use a newer one"), "{line}");
        assert_eq!(tree(&path), before, "nothing was touched");
        fs::remove_dir_all(path).unwrap();
    }
}

/// The codecs that the golden logs are there to keep readable are really in them.
#[test]
fn every_codec_is_listed() {
    for (log, listed) in FIRST.listing().into_iter().chain(JOURNAL.listing()) {
        for codec in CODECS {
            let has = |l: &&set::Listed| BatchHeader::parse(&l.bytes).unwrap().codec().unwrap() == codec;
            let listed = listed.iter().find(has).unwrap_or_else(|| panic!("{log} has no {codec:?}"));
            let records = storage::records(&listed.bytes).unwrap();
            assert_eq!(records.count(), 3, "{log}, {codec:?}");
        }
    }
}

/// Writes the golden directories of the present format when it is asked to.
#[test]
fn the_generator_writes_what_the_listing_says() {
    let scratch = scratch("new");
    let generated = generate::generate();
    generated.write(&scratch);
    let asked = std::env::var_os("OTTLA_REGENERATE_GOLDEN");
    if let Some(name) = &asked {
        let known = name == JOURNAL.folder || name == full::FULL.folder;
        assert!(known, "only these can be written: the others are of earlier builds");
    }
    if asked.is_some_and(|name| name == JOURNAL.folder) {
        let _ = fs::remove_dir_all(JOURNAL.path());
        copy(&scratch, &JOURNAL.path());
    }
    assert_eq!(generated.dirs.len(), JOURNAL.dirs.len());
    assert!(JOURNAL.dirs.iter().all(|name| scratch.join(name).join("checkpoint").exists()));
    // Compressors may change their output; what the records say, and where they are, may not.
    let old = JOURNAL.listing();
    let new = listed(&generated.batches);
    assert_eq!(new.keys().collect::<Vec<_>>(), old.keys().collect::<Vec<_>>());
    for (log, new) in new {
        let facts = |listed: &[set::Listed]| -> Vec<_> {
            listed.iter().map(|listed| (listed.base, listed.max_timestamp)).collect()
        };
        assert_eq!(facts(&new), facts(&old[&log]), "{log}");
    }
    fs::remove_dir_all(scratch).unwrap();
}

#[test]
fn the_generator_writes_the_same_bytes_each_time() {
    let [once, again] = ["once", "again"].map(scratch);
    generate::generate().write(&once);
    generate::generate().write(&again);
    assert_eq!(tree(&once), tree(&again));
    for path in [once, again] {
        fs::remove_dir_all(path).unwrap();
    }
}
