//! What stands in a data directory's `lock`: the boot under which its last process wrote.
//!
//! If it is still the same boot, the machine did not go down, and the page cache has everything that the process wrote.
//! Invariant: after a failed flush that is no longer taken for granted.

use std::io::{self, IoSlice};
use std::path::Path;

use crate::env::{Files, OpenMode};
use crate::small_file;

pub(crate) const FILE_NAME: &str = "lock";

/// Whether the boot is the one under which the directory was last written to.
pub(crate) fn is_same_boot(files: &dyn Files, dir: &Path) -> bool {
    let stored = small_file::read(files, &dir.join(FILE_NAME)).ok().flatten().unwrap_or_default();
    files.boot_id().is_some_and(|boot| !boot.is_empty() && stored == boot.as_bytes())
}

pub(crate) fn note_boot(files: &dyn Files, dir: &Path) -> io::Result<()> {
    write(files, dir, files.boot_id().unwrap_or_default().as_bytes())
}

/// A flush failed: the kernel may call pages clean that are not on the disk, so that a restart has to replay.
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

    fn same_boot_of(content: &[u8]) -> bool {
        let (files, dir) = (SimFiles::new(1), Path::new("/"));
        write(&files, dir, content).unwrap();
        is_same_boot(&files, dir)
    }

    #[test]
    fn a_boot_is_known_again_until_it_is_distrusted() {
        let (files, dir) = (SimFiles::new(1), Path::new("/"));
        assert!(!is_same_boot(&files, dir), "nobody wrote yet");
        note_boot(&files, dir).unwrap();
        assert!(is_same_boot(&files, dir));
        files.crash();
        assert!(!is_same_boot(&files, dir), "the machine went down");
        note_boot(&files, dir).unwrap();
        distrust(&files, dir);
        assert!(!is_same_boot(&files, dir));
    }

    proptest! {
        #[test]
        fn any_damage_is_noticed(at: prop::sample::Index, bit in 0u8..8, cut: prop::sample::Index) {
            let whole = SimFiles::new(1).boot_id().unwrap().into_bytes();
            prop_assert!(same_boot_of(&whole));
            let mut flipped = whole.clone();
            flipped[at.index(whole.len())] ^= 1 << bit;
            prop_assert!(!same_boot_of(&flipped));
            prop_assert!(!same_boot_of(&whole[..cut.index(whole.len())]));
        }
    }
}
