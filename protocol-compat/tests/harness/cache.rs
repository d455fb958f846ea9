//! Downloads and compiled programs, made once and kept.
//!
//! An entry's folder carries a fingerprint of everything it was made from, so that a changed pin makes a new one; a
//! marker written last tells a whole entry from one whose making was cut off. Test runs that share a cache wait for
//! each other at a file lock.

use crate::harness::place;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The folder of `name` as made from `ingredients`; `make` fills the empty folder if no run before has.
pub(crate) fn once(
    name: &str,
    ingredients: &[&str],
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let cache = place::cache();
    fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock().context("waiting for another run that fills the cache")?;

    let folder = cache.join(format!("{name}-{:016x}", fingerprint(ingredients)));
    let whole = folder.join(".whole");
    if whole.exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    eprintln!("setting up {name} in {} (once)", folder.display());
    make(&folder).with_context(|| format!("setting up {name}"))?;
    fs::write(whole, "")?;
    Ok(folder)
}

/// FNV-1a with a separator between the parts: good enough to tell one pin from another.
fn fingerprint(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
