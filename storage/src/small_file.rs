//! Small files that are replaced as a whole: written beside, flushed, renamed, the name flushed.
//!
//! Invariant: after a crash the file holds what it held before or what it was to hold, never a mixture.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::{File, Files, OpenMode};

/// Larger than any small file of ours; whatever is longer is none.
const READ_BYTES_MAX: u64 = 1 << 30;
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";

pub fn replace(files: &dyn Files, path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, file) = write_beside(files, path, content)?;
    file.sync_data()?;
    drop(file);
    files.rename(&temporary, path)?;
    files.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Without a flush of its own: the caller flushes the whole file system before anything relies on it. Until then the
/// file may also be found empty.
pub(crate) fn replace_unflushed(files: &dyn Files, path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, _) = write_beside(files, path, content)?;
    files.rename(&temporary, path)
}

/// As [`replace`], and what the file held before is kept under another name.
pub(crate) fn replace_keeping(files: &dyn Files, path: &Path, kept: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, file) = write_beside(files, path, content)?;
    file.sync_data()?;
    drop(file);
    if files.exists(path) {
        files.rename(path, kept)?;
    }
    files.rename(&temporary, path)?;
    files.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

fn write_beside(files: &dyn Files, path: &Path, content: &[u8]) -> io::Result<(PathBuf, Arc<dyn File>)> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY_SUFFIX);
    let temporary = PathBuf::from(temporary);
    let file = files.open(&temporary, OpenMode::Create)?;
    if let Err(error) = file.set_len(0).and_then(|()| file.write_all_at(&[IoSlice::new(content)], 0)) {
        // Room for others; where it cannot be removed, the next start does.
        let _ = files.remove_file(&temporary);
        return Err(error);
    }
    Ok((temporary, file))
}

/// The whole file; `None` if there is none.
pub fn read(files: &dyn Files, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match files.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = file.len()?;
    if len > READ_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{len} bytes are too many for this file"),
        ));
    }
    let mut content = vec![0; len as usize];
    let n = file.read_at(&mut content, 0)?;
    content.truncate(n);
    Ok(Some(content))
}
