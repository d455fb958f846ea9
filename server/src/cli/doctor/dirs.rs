//! The data directories: whose they are, what they lie on, whether there is room, how fast they are.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use storage::data_dir::{self, Standing};

use super::disk::{self, Measured};
use super::{Finding, Patient, amount};

/// Slower than this, a client that waits for each record sees.
const DURABLE_SLOW: Duration = Duration::from_millis(10);
/// What a measurement may take at its worst.
const TIME_MIN: Duration = Duration::from_millis(800);
/// Besides the reserve: the journal, and some room to live.
const ROOM_BYTES: u64 = 1 << 30;

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    patient.config.log_dirs.iter().flat_map(|dir| check_one(patient, dir)).collect()
}

fn check_one(patient: &Patient<'_>, dir: &Path) -> Vec<Finding> {
    let shown = dir.display();
    let mut found = Vec::new();
    match standing(patient, dir) {
        Ok(standing) => found.push(Finding::ok("directory", format!("{shown} {standing}"))),
        Err(finding) => return vec![finding],
    }
    let Some(there) = there(patient, dir) else {
        found.push(Finding::fail("directory", format!("no directory above {shown} is there"), "make it"));
        return found;
    };
    found.push(file_system(&there));
    found.extend(room(patient, &there));
    found.push(speed(patient, dir, &there));
    found
}

/// Whose it is.
fn standing(patient: &Patient<'_>, dir: &Path) -> Result<String, Finding> {
    let fail = |what: String, advice: &str| Err(Finding::fail("directory", what, advice));
    let shown = dir.display();
    match data_dir::standing(patient.env, dir) {
        Ok(Standing::Absent) => Ok("is not there yet, and will be made".to_owned()),
        Ok(Standing::New) => Ok("is there, and nobody's yet".to_owned()),
        Ok(Standing::InUse) => fail(
            format!("{shown} is locked: a broker runs on it"),
            "stop that one, or give this one a directory of its own",
        ),
        Ok(Standing::Ours(meta)) => {
            let config = patient.config;
            if config.cluster_id.as_ref().is_some_and(|expected| *expected != meta.cluster_id) {
                return fail(
                    format!("{shown} belongs to cluster {}", meta.cluster_id),
                    "set cluster.id to that, or name another directory",
                );
            }
            if config.node_id != meta.node_id {
                return fail(
                    format!("{shown} belongs to node {}", meta.node_id),
                    "set node.id to that, or name another directory",
                );
            }
            Ok(format!("belongs to this node of cluster {}", meta.cluster_id))
        }
        Err(error) => fail(error.to_string(), ""),
    }
}

/// The directory, or the lowest above it that is there.
fn there(patient: &Patient<'_>, dir: &Path) -> Option<PathBuf> {
    let full = std::path::absolute(dir).ok()?;
    full.ancestors().find(|path| patient.env.files.exists(path)).map(Path::to_owned)
}

fn file_system(there: &Path) -> Finding {
    const NAME: &str = "filesystem";
    const KINDS: &[(u64, &str)] = &[
        (0xef53, "ext4"),
        (0x5846_5342, "xfs"),
        (0x9123_683e, "btrfs"),
        (0x2fc1_2fc1, "zfs"),
        (0xf2f5_2010, "f2fs"),
        (0x0102_1994, "tmpfs"),
        (0x794c_7630, "overlayfs"),
        (0x6969, "nfs"),
        (0xff53_4d42, "smb"),
        (0xfe53_4d42, "smb"),
        (0x6573_5546, "fuse"),
    ];
    let shown = there.display();
    let number = match rustix::fs::statfs(there) {
        Ok(stat) => stat.f_type as u64 & 0xffff_ffff,
        Err(error) => return Finding::ok(NAME, format!("{shown} does not say what it lies on: {error}")),
    };
    let kind = KINDS.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind);
    let found =
        format!("{shown} lies on {}", kind.map_or_else(|| format!("kind {number:#x}"), str::to_owned));
    match kind {
        Some("tmpfs") => Finding::warn(
            NAME,
            format!("{found}, in memory"),
            "it loses everything with the machine: use a disk",
        ),
        Some("overlayfs") => Finding::warn(
            NAME,
            format!("{found}, a container's own layer"),
            "it goes with the container: mount a volume",
        ),
        Some("nfs" | "smb" | "fuse") => {
            Finding::warn(NAME, found, "locks and flushes may not be what they say there: use a local disk")
        }
        _ => Finding::ok(NAME, found),
    }
}

fn room(patient: &Patient<'_>, there: &Path) -> Option<Finding> {
    const NAME: &str = "disk";
    let free = match patient.env.files.free_bytes(there) {
        Ok(free) => free,
        Err(error) => {
            return Some(Finding::warn(NAME, format!("its room is not known: {error}"), "look at it"));
        }
    };
    let reserve = patient.config.log_dir_min_free_bytes;
    let found = format!("{} are free at {}", amount(free), there.display());
    Some(if free < reserve {
        Finding::fail(
            NAME,
            format!("{found}, less than log.dir.min.free.bytes={reserve}: no record would be taken"),
            "make room",
        )
    } else if free < reserve.saturating_add(ROOM_BYTES) {
        Finding::warn(
            NAME,
            format!("{found}, hardly more than log.dir.min.free.bytes={reserve}"),
            "make room",
        )
    } else {
        Finding::ok(NAME, found)
    })
}

/// What it takes to make a write last.
fn speed(patient: &Patient<'_>, dir: &Path, there: &Path) -> Finding {
    const NAME: &str = "durability";
    if patient.time_left() < TIME_MIN {
        return Finding::ok(NAME, format!("{} is not measured: the others took the time", dir.display()));
    }
    match disk::measure(patient, there) {
        Ok(measured) => judge(&measured),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            Finding::fail(NAME, format!("{} is full", there.display()), "make room")
        }
        Err(error) => Finding::fail(
            "directory",
            format!("{} cannot be written to: {error}", there.display()),
            "let the broker's user write there",
        ),
    }
}

pub(super) fn judge(measured: &Measured) -> Finding {
    const NAME: &str = "durability";
    let Measured { durable, flushed } = measured;
    let a_second = (1.0 / durable.median.as_secs_f64().max(1e-6)).round();
    let found = format!(
        "a write that lasts takes {} (append and flush {}): who waits for each record has some {a_second} a second, \
         many clients together share them",
        durable.text(),
        flushed.text()
    );
    if durable.median > DURABLE_SLOW {
        let advice = "use a faster disk, or log.durability=relaxed if a power cut may cost records";
        return Finding::warn(NAME, found, advice);
    }
    Finding::ok(NAME, found)
}
