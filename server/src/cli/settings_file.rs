//! `ottla config --as-file`: the settings as a file that `--config` reads, every one with its meaning, so that whoever edits it
//! needs nothing beside it.

use crate::config::{Config, SETTINGS, Setting, is_secret, parse_properties, setting, write_property};
use std::io::{self, Write};

const COLUMNS: usize = 100;

/// Writes what is set as it is, and all else commented out at its default.
pub(super) fn write_settings_file(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    // No release is named: a file that a package has made would differ from the one before for no other reason.
    comment(
        out,
        "Settings of Ottla. A line that begins with # is a comment; a setting that is commented out has the value that \
         stands there. `ottla config --check --config FILE` says whether a changed file is in order.",
    )?;
    for declared in SETTINGS.iter() {
        writeln!(out)?;
        one(config, declared, out)?;
    }
    let others = config.values.iter().filter(|(name, _)| setting(name).is_none());
    for (at, (name, assigned)) in others.enumerate() {
        if at == 0 {
            writeln!(out, "\n# Without an effect in Ottla.")?;
        }
        match is_secret(name) {
            true => writeln!(out, "#{name}=[hidden]")?,
            false => line(out, "", name, &assigned.text)?,
        }
    }
    Ok(())
}

fn one(config: &Config, declared: &Setting, out: &mut dyn Write) -> io::Result<()> {
    comment(out, &declared.doc())?;
    let unit = declared.unit().map(|unit| format!(" ({unit})")).unwrap_or_default();
    comment(out, &format!("Allowed: {}{unit}.", declared.bounds()))?;
    match config.values.assigned(declared.name) {
        Some(assigned) => line(out, "", declared.name, &assigned.text),
        None => line(out, "#", declared.name, declared.default.unwrap_or_default()),
    }
}

fn line(out: &mut dyn Write, mark: &str, name: &str, value: &str) -> io::Result<()> {
    // Most values need no escapes, and are easier to read without.
    let plain = format!("{name}={value}");
    let is_read_back = parse_properties(&plain)
        .is_ok_and(|read| matches!(&read[..], [one] if one.name == name && one.value == value));
    match is_read_back {
        true => writeln!(out, "{mark}{plain}"),
        false => writeln!(out, "{mark}{}", write_property(name, value).trim_end()),
    }
}

/// A text over as many lines as it takes.
fn comment(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.len() > 1 && line.len() + 1 + word.len() > COLUMNS {
            writeln!(out, "{line}")?;
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use std::collections::BTreeMap;

    fn written(set: &[&str]) -> String {
        let set = set.iter().map(|set| set.parse().expect("an assignment")).collect();
        let config = Config::load(&Cli { set, ..Cli::default() }, []).expect("fine");
        let mut out = Vec::new();
        write_settings_file(&config, &mut out).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    fn read(text: &str) -> BTreeMap<String, String> {
        let all = parse_properties(text).expect("a file of settings").into_iter();
        all.map(|property| (property.name, property.value)).collect()
    }

    #[test]
    fn what_is_set_is_set_in_the_file_and_nothing_else() {
        assert_eq!(read(&written(&[])), BTreeMap::new());
        assert!(written(&["listeners=PLAINTEXT://:9092"]).contains("\nlisteners=PLAINTEXT://:9092\n"));
        let file = written(&["log.dirs=/a b\\c,/d", "num.io.threads=5", "ssl.key.password=geheim"]);
        let set = [("log.dirs", "/a b\\c,/d"), ("num.io.threads", "5")];
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(&file), BTreeMap::from(set));
        assert!(!file.contains("geheim"));
    }

    #[test]
    fn what_is_commented_out_is_what_counts_without_it() {
        let uncommented = written(&[]).replace("\n#", "\n").replace("\n ", "\n# ");
        let named = read(&uncommented);
        assert_eq!(named.len(), SETTINGS.len(), "{named:?}");
        for declared in SETTINGS.iter() {
            assert_eq!(named[declared.name], declared.default.unwrap_or_default(), "{}", declared.name);
        }
    }

    #[test]
    fn no_line_of_words_is_too_long() {
        assert!(written(&[]).lines().filter(|line| line.starts_with("# ")).all(|line| line.len() <= COLUMNS));
    }
}
