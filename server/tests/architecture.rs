//! The directions of imports, held by walking the source: a wall here is cheaper than a wall found later.
#![expect(clippy::disallowed_methods, reason = "this test reads the project's own source tree")]

use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of this crate each module may name. `config` and `metrics` stand beside them all.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("config", &["cli"]),
    // `ottla log dump` shows what the records of an image say.
    ("cli", &["client", "cluster", "config"]),
    ("client", &[]),
    ("logging", &[]),
    ("metrics", &[]),
    // Of the binary alone.
    ("notify", &[]),
    ("security", &[]),
    ("traces", &["config", "metrics", "protobuf"]),
    ("cluster", &["config"]),
    ("partition", &["config", "metrics", "cluster"]),
    ("quotas", &["config", "metrics", "cluster"]),
    ("telemetry", &["config", "metrics", "cluster", "protobuf"]),
    ("protobuf", &[]),
    ("coordinator", &["config", "cluster", "partition"]),
    ("observer", &["metrics", "cluster", "partition", "coordinator"]),
    (
        "api",
        &[
            "config",
            "logging",
            "metrics",
            "security",
            "cluster",
            "partition",
            "coordinator",
            "quotas",
            "telemetry",
            "traces",
        ],
    ),
    ("net", &["config", "metrics", "security", "quotas", "api", "traces"]),
    (
        "node",
        &[
            "config",
            "metrics",
            "security",
            "cluster",
            "partition",
            "coordinator",
            "quotas",
            "telemetry",
            "api",
            "net",
            "observer",
            "traces",
        ],
    ),
    ("main", &["cli", "config", "logging", "node"]),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            rust_files(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
}

fn files_of(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    rust_files(&workspace().join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} has no source");
    found
}

/// The module of this crate that a source file belongs to.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(workspace().join("server/src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Every module named behind `crate::` or `server::` in a line that is no comment.
fn named_modules(source: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (number, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for prefix in ["crate::", "server::"] {
            for (at, _) in code.match_indices(prefix) {
                let rest = &code[at + prefix.len()..];
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                named.push((number + 1, rest[..end].to_owned()));
            }
        }
    }
    named
}

#[test]
fn imports_inside_the_server_run_one_way() {
    let modules: Vec<&str> = MAY_SEE.iter().map(|(module, _)| *module).collect();
    let mut wrong = Vec::new();
    for file in files_of("server/src") {
        let module = module_of(&file);
        // A module's tests may hold it against others.
        let is_test = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        if module == "lib" || is_test {
            continue;
        }
        let allowed = MAY_SEE
            .iter()
            .find(|(m, _)| *m == module)
            .unwrap_or_else(|| panic!("{module} is not in the table"))
            .1;
        for (line, target) in named_modules(&fs::read_to_string(&file).unwrap()) {
            let known = modules.contains(&target.as_str());
            if known && target != module && !allowed.contains(&target.as_str()) {
                wrong.push(format!("{}:{line}: {module} must not see {target}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_leaves_do_not_see_each_other_and_the_codec_has_one_door() {
    let mut wrong = Vec::new();
    let bans: &[(&str, &[&str])] = &[
        ("storage", &["protocol_compat", "kafka_protocol", "server::", "tokio"]),
        ("protocol-compat/src", &["storage::", "server::", "tokio"]),
        ("server", &["kafka_protocol"]),
        ("benches", &["kafka_protocol"]),
    ];
    for (folder, banned) in bans {
        for file in files_of(folder) {
            if file.ends_with("server/tests/architecture.rs") {
                continue;
            }
            for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                wrong.extend(
                    banned.iter().filter(|word| code.contains(*word)).map(|word| {
                        format!("{}:{}: {folder} must not see {word}", file.display(), number + 1)
                    }),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_api_asks_whether_it_may() {
    // ApiVersions is answered to anyone: a client must be able to ask before it is anybody. A client's own metrics are
    // asked of whoever may connect, in Kafka, too.
    const OF_ANYBODY: [&str; 3] =
        ["k18_api_versions.rs", "k71_get_telemetry_subscriptions.rs", "k72_push_telemetry.rs"];
    let mut silent = Vec::new();
    for file in files_of("server/src/api") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let is_api = name.starts_with('k') && name[1..3].bytes().all(|b| b.is_ascii_digit());
        if is_api
            && !OF_ANYBODY.contains(&name.as_str())
            && !fs::read_to_string(&file).unwrap().contains("cx.allow(")
        {
            silent.push(name);
        }
    }
    assert!(silent.is_empty(), "these APIs never call cx.allow: {silent:?}");
}

#[test]
fn unsafe_code_has_one_home() {
    for folder in ["storage/src", "protocol-compat/src", "server/src", "benches/src"] {
        for file in files_of(folder) {
            let home = file.ends_with("storage/src/env/files.rs");
            let source = fs::read_to_string(&file).unwrap();
            let uses = source.lines().any(|l| l.split("//").next().unwrap_or_default().contains("unsafe {"));
            assert!(home || !uses, "{} has an unsafe block", file.display());
        }
    }
}
