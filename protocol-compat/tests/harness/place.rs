//! Where things are: the workspace, the target directory of this very test run, the cache of downloads, scratch
//! data; and what the environment asks of the run. Everything is derived from the test binary's own path, so that the
//! broker under test comes from the same profile and target directory. It starts no process.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The build that this test binary came from.
#[derive(Debug)]
pub(crate) struct Place {
    /// The root of the workspace.
    pub workspace: PathBuf,
    /// Cargo's target directory, without the triple.
    pub target: PathBuf,
    /// The `--target` of the run, if it had one.
    pub triple: Option<String>,
    /// The profile by the name that `cargo build --profile` knows.
    pub profile: String,
}

/// The one place of this run.
pub(crate) fn place() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let exe = std::env::current_exe().expect("the test binary knows its own path");
        find(&exe).unwrap_or_else(|| panic!("{} does not lie in a cargo target directory", exe.display()))
    })
}

/// Reads `target[/triple]/profile/deps/test-binary`. A triple begins with the architecture that this was built for.
fn find(exe: &Path) -> Option<Place> {
    let profile_dir = exe.parent()?.parent()?;
    let above = profile_dir.parent()?;
    let name = above.file_name()?.to_str()?;
    let (target, triple) = match name.starts_with(&format!("{}-", std::env::consts::ARCH)) {
        true => (above.parent()?, Some(name.to_owned())),
        false => (above, None),
    };
    let profile = match profile_dir.file_name()?.to_str()? {
        "debug" => "dev",
        other => other,
    };
    Some(Place {
        workspace: Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.to_owned(),
        target: target.to_owned(),
        triple,
        profile: profile.to_owned(),
    })
}

/// A file or folder beside the suites' sources.
pub(crate) fn source(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(relative)
}

/// Where downloads are kept between runs. A relative setting counts from the workspace, because cargo starts test
/// binaries in the package's folder and nobody who sets it expects that.
pub(crate) fn cache() -> PathBuf {
    match std::env::var_os("OTTLA_TEST_CACHE") {
        Some(set) => place().workspace.join(set),
        None => place().target.join("test-deps"),
    }
}

/// Where scenarios keep their brokers' data; a failed one leaves its own behind to be looked at.
pub(crate) fn scratch() -> PathBuf {
    place().target.join("test-data")
}

/// Whether a suite that cannot run fails the run instead of being listed as not run.
pub(crate) fn everything_required() -> bool {
    is_set("OTTLA_REQUIRE_ALL")
}

/// Whether the long versions of tests were asked for.
pub(crate) fn long_effort() -> bool {
    std::env::var("OTTLA_EFFORT").is_ok_and(|effort| effort == "long")
}

/// Which broker the suites drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The project's own binary.
    Ottla,
    /// Apache Kafka itself: the same suite against the model proves the suite (`OTTLA_SUITE_PEER=kafka`).
    Kafka,
}

/// The broker that the environment chose.
pub(crate) fn judged() -> Judged {
    match std::env::var("OTTLA_SUITE_PEER").ok().as_deref() {
        None | Some("" | "ottla") => Judged::Ottla,
        Some("kafka") => Judged::Kafka,
        Some(other) => panic!("OTTLA_SUITE_PEER is {other:?}; it may be ottla or kafka"),
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}
