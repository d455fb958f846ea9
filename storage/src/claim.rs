//! Whose a data directory is: it is made if need be, and its `meta.properties` read or written.
//!
//! Invariants: a directory that is not ours is refused before anything is put into it; one that looks used but says
//! nothing of its owner is nobody's to take. It must not know logs.

use std::io;
use std::path::Path;

use crate::data_dir::DataDirOptions;
use crate::env::Env;
use crate::error::OpenError;
use crate::ids::TopicId;
use crate::meta::{self, META_FILE_NAME, MetaProblem, MetaProperties};
use crate::{checkpoint, journal, small_file};

/// Makes the directory, and those above it, so that a power cut does not take them away again. A start that was killed
/// may have made some of them: only `meta.properties`, which comes later, tells that they are on the disk.
pub(crate) fn make_dir(env: &Env, path: &Path) -> Result<(), OpenError> {
    env.files.create_dir_all(path).map_err(OpenError::io("making", path))?;
    if read_meta(env, path)?.is_some() {
        return Ok(());
    }
    for above in path.ancestors().skip(1) {
        let dir = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match env.files.sync_dir(dir) {
            Err(error) if is_not_ours(&error) => {}
            other => other.map_err(OpenError::io("flushing", dir))?,
        }
    }
    Ok(())
}

/// A directory that may not be written to was there before.
fn is_not_ours(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | InvalidInput)
}

pub(crate) fn read_meta(env: &Env, path: &Path) -> Result<Option<MetaProperties>, OpenError> {
    let file = path.join(META_FILE_NAME);
    let Some(text) = small_file::read(&*env.files, &file).map_err(OpenError::io("reading", &file))? else {
        return Ok(None);
    };
    MetaProperties::decode(&text).map(Some).map_err(|problem| match problem {
        MetaProblem::Kafka => OpenError::KafkaDirectory { path: path.to_owned() },
        MetaProblem::Newer(found) => {
            OpenError::NewerFormat { path: path.to_owned(), found, known: meta::FORMAT }
        }
        MetaProblem::Invalid(what) => OpenError::MetaInvalid { path: file, what },
    })
}

/// Whose directory this is; a new one becomes ours.
pub(crate) fn take_meta(
    env: &Env,
    path: &Path,
    options: &DataDirOptions,
) -> Result<MetaProperties, OpenError> {
    let path_owned = || path.to_owned();
    if let Some(meta) = read_meta(env, path)? {
        if let Some(expected) = options.cluster_id.clone().filter(|expected| *expected != meta.cluster_id) {
            return Err(OpenError::OtherCluster { path: path_owned(), found: meta.cluster_id, expected });
        }
        if meta.node_id != options.node_id {
            let (found, expected) = (meta.node_id, options.node_id);
            return Err(OpenError::OtherNode { path: path_owned(), found, expected });
        }
        return Ok(meta);
    }
    is_free(env, path)?;
    let cluster_id = options.cluster_id.clone().unwrap_or_else(|| TopicId::random(&*env.random).to_string());
    let directory_id = TopicId::random(&*env.random);
    let meta = MetaProperties { cluster_id, node_id: options.node_id, directory_id };
    let file = path.join(META_FILE_NAME);
    small_file::replace(&*env.files, &file, meta.encode().as_bytes())
        .map_err(OpenError::io("writing", &file))?;
    Ok(meta)
}

/// Whether a directory that does not say whose it is can become ours.
pub(crate) fn is_free(env: &Env, path: &Path) -> Result<(), OpenError> {
    let entries = env.files.list(path).map_err(OpenError::io("listing", path))?;
    let used = |name: &str| {
        [checkpoint::FILE_NAME, journal::DIR_NAME].contains(&name) || meta::partition_of(name).is_some()
    };
    if entries.iter().any(|entry| used(&entry.name)) {
        return Err(OpenError::MetaMissing { path: path.to_owned() });
    }
    Ok(())
}
