//! What stands in a data directory's `lock`: the boot under which its last process wrote.
//!
//! If it is still the same boot, the machine did not go down, and the page cache has everything that the process wrote.
//! Invariants: after a failed flush the file is empty, until all that was in doubt is written again and flushed. After a
//! power cut a mark stands behind the boot, until every log was judged once.

use std::io::{self, IoSlice};
use std::path::Path;

use crate::env::{Files, OpenMode};
use crate::small_file;

pub(crate) const FILE_NAME: &str = "lock";

/// What became of the pages that the last process wrote and did not flush.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Only the process ended, the kernel runs on: everything written is there, and will be flushed.
    Kept,
    /// As [`Pages::Kept`], but the machine stopped earlier, and not every log was judged since.
    Unjudged,
    /// The machine stopped: what can be read is on the disk.
    Lost,
    /// A flush failed: the kernel may show pages that it will never flush, unless they are written again.
    Doubtful,
}

/// Stands behind the boot while logs may have what a power cut left of them.
const UNJUDGED: &str = "~";

pub(crate) fn pages(files: &dyn Files, dir: &Path) -> Pages {
    let stored = small_file::read(files, &dir.join(FILE_NAME)).ok().flatten().unwrap_or_default();
    match files.boot_id() {
        Some(boot) if !boot.is_empty() && stored == boot.as_bytes() => Pages::Kept,
        Some(boot) if !boot.is_empty() && stored == unjudged(&boot).as_bytes() => Pages::Unjudged,
        Some(boot) if !boot.is_empty() && !stored.is_empty() => Pages::Lost,
        _ => Pages::Doubtful,
    }
}

/// The journal is replayed: what the logs hold beside it is still to be judged.
pub(crate) fn note_replayed(files: &dyn Files, dir: &Path) -> io::Result<()> {
    let boot = files.boot_id().unwrap_or_default();
    let content = if boot.is_empty() { boot } else { unjudged(&boot) };
    write(files, dir, content.as_bytes())
}

/// Whatever is in the logs was judged, or is this process's.
pub(crate) fn note_boot(files: &dyn Files, dir: &Path) -> io::Result<()> {
    write(files, dir, files.boot_id().unwrap_or_default().as_bytes())
}

fn unjudged(boot: &str) -> String {
    format!("{boot}{UNJUDGED}")
}

/// A flush failed: a restart has to write everything again that is not known to be on the disk.
pub(crate) fn distrust(files: &dyn Files, dir: &Path) {
    if let Err(error) = write(files, dir, b"") {
        tracing::warn!(path = %dir.display(), %error, "restart the machine, and not only the broker: its cache is not to be trusted");
    }
}

fn write(files: &dyn Files, dir: &Path, content: &[u8]) -> io::Result<()> {
    let file = files.open(&dir.join(FILE_NAME), OpenMode::Create)?;
    file.set_len(0)?;
    if content.is_empty() { Ok(()) } else { file.write_all_at(&[IoSlice::new(content)], 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SimFiles;
    use proptest::prelude::*;

    fn pages_of(content: &[u8]) -> Pages {
        let (files, dir) = (SimFiles::new(1), Path::new("/"));
        write(&files, dir, content).unwrap();
        pages(&files, dir)
    }

    #[test]
    fn a_boot_is_known_again_until_it_is_distrusted() {
        let (files, dir) = (SimFiles::new(1), Path::new("/"));
        assert_eq!(pages(&files, dir), Pages::Doubtful, "nobody wrote yet");
        note_boot(&files, dir).unwrap();
        assert_eq!(pages(&files, dir), Pages::Kept);
        note_replayed(&files, dir).unwrap();
        assert_eq!(pages(&files, dir), Pages::Unjudged);
        distrust(&files, dir);
        assert_eq!(pages(&files, dir), Pages::Doubtful);
        note_boot(&files, dir).unwrap();
        files.open(&dir.join(FILE_NAME), OpenMode::Write).unwrap().sync_data().unwrap();
        files.sync_dir(dir).unwrap();
        files.crash();
        assert_eq!(pages(&files, dir), Pages::Lost, "the machine went down");
    }

    proptest! {
        #[test]
        fn any_damage_is_noticed(at: prop::sample::Index, bit in 0u8..8, cut: prop::sample::Index) {
            let whole = SimFiles::new(1).boot_id().unwrap().into_bytes();
            prop_assert_eq!(pages_of(&whole), Pages::Kept);
            let mut flipped = whole.clone();
            flipped[at.index(whole.len())] ^= 1 << bit;
            prop_assert_ne!(pages_of(&flipped), Pages::Kept);
            prop_assert_ne!(pages_of(&whole[..cut.index(whole.len())]), Pages::Kept);
        }
    }
}
