//! What lies in the Debian package: each file with its mode and owner, its fields, and Debian's own rules where a program can
//! check them.

use super::word;
use crate::harness::{Stage, program};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Files that must be there, with their modes as tar shows them.
const FILES: [(&str, &str); 12] = [
    ("./etc/ottla/server.properties", "-rw-r--r--"),
    ("./usr/bin/ottla", "-rwxr-xr-x"),
    ("./usr/lib/systemd/system/ottla.service", "-rw-r--r--"),
    ("./usr/lib/sysusers.d/ottla.conf", "-rw-r--r--"),
    ("./usr/share/bash-completion/completions/ottla", "-rw-r--r--"),
    ("./usr/share/doc/ottla/changelog.gz", "-rw-r--r--"),
    ("./usr/share/doc/ottla/copyright", "-rw-r--r--"),
    ("./usr/share/doc/ottla/third-party.gz", "-rw-r--r--"),
    ("./usr/share/fish/vendor_completions.d/ottla.fish", "-rw-r--r--"),
    ("./usr/share/man/man1/ottla-group-reset-offsets.1.gz", "-rw-r--r--"),
    ("./usr/share/man/man1/ottla.1.gz", "-rw-r--r--"),
    ("./usr/share/zsh/vendor-completions/_ottla", "-rw-r--r--"),
];

pub(super) fn of_the_deb(stage: &Stage, deb: &Path) -> Result<()> {
    let listed =
        stage.program(Command::new("dpkg-deb").args(["--contents", word(deb)?]).env("TZ", "UTC"), "")?;
    let mut modes = BTreeMap::new();
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [mode, owner, _size, date, _time, path] = words[..] else { anyhow::bail!("{line}") };
        ensure!(owner == "root/root" || owner == "0/0", "{line}");
        ensure!(date == "2023-11-14", "the time of the source: {line}");
        ensure!(mode.starts_with('-') || mode == "drwxr-xr-x", "{line}");
        modes.insert(path, mode);
    }
    for (path, mode) in FILES {
        ensure!(modes.get(path) == Some(&mode), "{path} is {:?} in\n{listed}", modes.get(path));
    }
    let is_a_page = |path: &str| path.starts_with("./usr/share/man/man1/ottla") && path.ends_with(".1.gz");
    for path in modes.keys().filter(|path| !path.ends_with('/') && !is_a_page(path)) {
        ensure!(FILES.iter().any(|(known, _)| known == path), "{path} is not expected");
    }
    ensure!(modes.keys().filter(|path| is_a_page(path)).count() > 15, "{listed}");
    fields(stage, deb)
}

fn fields(stage: &Stage, deb: &Path) -> Result<()> {
    let field = |name: &str| stage.program(Command::new("dpkg-deb").args(["--field", word(deb)?, name]), "");
    for (name, wanted) in [("Package", "ottla"), ("Version", env!("CARGO_PKG_VERSION")), ("Section", "net")] {
        ensure!(field(name)?.trim() == wanted, "{name}: {}", field(name)?);
    }
    let machine = stage.program(Command::new("dpkg").arg("--print-architecture"), "")?;
    ensure!(field("Architecture")? == machine, "{machine}");
    let depends = field("Depends")?;
    ensure!(depends.starts_with("libc6 (>= 2.") && depends.contains("libgcc-s1"), "{depends}");
    let maintainer = field("Maintainer")?;
    ensure!(maintainer.contains(" <") && maintainer.trim_end().ends_with('>'), "{maintainer}");
    let description = field("Description")?;
    let (synopsis, extended) = description.trim_end().split_once('\n').context("a longer description")?;
    ensure!(synopsis.len() <= 80 && !synopsis.ends_with('.') && !synopsis.starts_with("A "), "{synopsis}");
    ensure!(extended.lines().all(|line| line.starts_with(' ') && line.len() <= 80), "{extended}");
    Ok(())
}

/// What a program can check of the unpacked tree and of the scripts around it.
pub(super) fn of_the_tree(stage: &Stage, deb: &Path, root: &Path) -> Result<()> {
    let control = stage.folder().join("control");
    stage.program(Command::new("dpkg-deb").args(["--control", word(deb)?, word(&control)?]), "")?;
    stage.program(
        Command::new("sh")
            .args(["-c", "cd \"$1\" && md5sum --check --quiet \"$2\"", "sh"])
            .args([word(root)?, word(&control.join("md5sums"))?]),
        "",
    )?;
    ensure!(fs::read_to_string(control.join("conffiles"))? == "/etc/ottla/server.properties\n");
    for script in ["postinst", "prerm", "postrm"] {
        let path = control.join(script);
        stage.program(Command::new("sh").args(["-n", word(&path)?]), "")?;
        let text = fs::read_to_string(&path)?;
        ensure!(text.starts_with("#!/bin/sh\n") && text.contains("\nset -e\n"), "{script}");
    }
    let installed =
        stage.program(Command::new("dpkg-deb").args(["--field", word(deb)?, "Installed-Size"]), "")?;
    let used = stage.program(Command::new("du").args(["-sk", "--apparent-size", word(root)?]), "")?;
    let kib = |text: &str| text.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok());
    let (installed, used) = (kib(&installed).context("a size")?, kib(&used).context("a size")?);
    ensure!((installed / used - 1.0).abs() < 0.05, "{installed} KiB are said, {used} used");
    texts(stage, root)
}

fn texts(stage: &Stage, root: &Path) -> Result<()> {
    let bash = root.join("usr/share/bash-completion/completions/ottla");
    stage.program(Command::new("bash").args(["-n", word(&bash)?]), "")?;
    let page = root.join("usr/share/man/man1/ottla.1.gz");
    let page = stage.program(Command::new("gzip").args(["-dc", word(&page)?]), "")?;
    ensure!(page.contains(".TH ottla 1") && page.contains("server.properties"), "{page}");
    // A page of which another speaks is there.
    for named in page.split_whitespace().filter_map(|word| word.strip_suffix("(1)")) {
        let name = named.replace("\\-", "-");
        ensure!(root.join(format!("usr/share/man/man1/{name}.1.gz")).exists(), "{name}(1)");
    }
    let change = root.join("usr/share/doc/ottla/changelog.gz");
    let change = stage.program(Command::new("gzip").args(["-dc", word(&change)?]), "")?;
    let begin = format!("ottla ({}) unstable; urgency=medium\n", env!("CARGO_PKG_VERSION"));
    ensure!(change.starts_with(&begin) && change.contains("Tue, 14 Nov 2023 22:13:20 +0000"), "{change}");
    let others = root.join("usr/share/doc/ottla/third-party.gz");
    let others = stage.program(Command::new("gzip").args(["-dc", word(&others)?]), "")?;
    ensure!(others.lines().any(|line| line.starts_with("tokio v") && line.ends_with(": MIT")), "{others}");
    ensure!(others.contains("\n---- tokio ") && others.contains("Tokio Contributors"), "{others}");
    // The first lines are the list.
    let list: Vec<&str> = others.lines().take_while(|line| !line.is_empty()).collect();
    let is_licensed = |line: &&str| line.split_once(": ").is_some_and(|(_, licence)| !licence.is_empty());
    ensure!(list.len() > 50 && list.iter().all(is_licensed), "{list:?}");
    let binary = root.join("usr/bin/ottla");
    let sections =
        program::run_well(Command::new("readelf").args(["-SW", word(&binary)?]), "", stage.time_left()?)?;
    ensure!(
        !sections.stdout.contains(".debug_info") && sections.stdout.contains(".symtab"),
        "stripped of debugging only"
    );
    Ok(())
}
