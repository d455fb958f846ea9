//! What stands in a data directory's `lock`: the boot under which its last process wrote.
//!
//! If it is still the same boot, the machine did not go down, and the page cache has everything that the process wrote.
//! Invariant: after a failed flush the file is empty, until all that was in doubt is written again and flushed.

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
    /// The machine stopped: what can be read is on the disk.
    Lost,
    /// A flush failed: the kernel may show pages that it will never flush, unless they are written again.
    Doubtful,
}

pub(crate) fn pages(files: &dyn Files, dir: &Path) -> Pages {
    let stored = small_file::read(files, &dir.join(FILE_NAME)).ok().flatten().unwrap_or_default();
    match files.boot_id() {
        Some(boot) if !boot.is_empty() && stored == boot.as_bytes() => Pages::Kept,
        Some(boot) if !boot.is_empty() && !stored.is_empty() => Pages::Lost,
        _ => Pages::Doubtful,
    }
}

pub(crate) fn note_boot(files: &dyn Files, dir: &Path) -> io::Result<()> {
    write(files, dir, files.boot_id().unwrap_or_default().as_bytes())
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
