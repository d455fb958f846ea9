//! What the machine must lend for a fault: mounts and tracers. What is borrowed is given back on drop.
#![expect(clippy::disallowed_methods, reason = "a mount on the real machine")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a fault cannot be made without.
#[derive(Copy, Clone)]
pub(crate) enum Need {
    Mounts,
    Strace,
    Prlimit,
}

impl Need {
    /// What is missing, for the line `NOT RUN: needs …`.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let (there, what) = match self {
            Need::Mounts => (Mount::try_new("probe", 1 << 20).is_some(), "root (to mount a tmpfs)"),
            Need::Strace => (runs(&["strace", "-D", "-e", "inject=fsync:delay_enter=1", "true"]), "strace"),
            Need::Prlimit => (runs(&["prlimit", "--nofile=64", "true"]), "prlimit"),
        };
        (!there).then_some(what)
    }
}

fn runs(command: &[&str]) -> bool {
    let quiet = Command::new(command[0]).args(&command[1..]).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

/// A small file system of this test alone.
pub(crate) struct Mount(PathBuf);

impl Mount {
    pub(crate) fn new(name: &str, bytes: u64) -> Self {
        Self::try_new(name, bytes).expect("the need was asked for")
    }

    fn try_new(name: &str, bytes: u64) -> Option<Self> {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mount-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).ok()?;
        let text = path.to_str()?;
        if !runs(&["mount", "-t", "tmpfs", "-o", &format!("size={bytes}"), "ottla-test", text]) {
            let _ = fs::remove_dir(&path);
            return None;
        }
        Some(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn make_read_only(&self) {
        assert!(runs(&["mount", "-o", "remount,ro", self.0.to_str().unwrap()]));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}
