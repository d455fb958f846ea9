use super::super::Assignment;
use super::*;

fn cli(set: &[(&str, &str)]) -> Cli {
    let set =
        set.iter().map(|(name, value)| Assignment { name: (*name).to_owned(), value: (*value).to_owned() });
    Cli { set: set.collect(), ..Cli::default() }
}

fn shown(set: &[(&str, &str)], check: bool, all: bool) -> String {
    let mut out = Vec::new();
    let environment = [("OTTLA_NUM_PARTITIONS".to_owned(), "3".to_owned())];
    write_config(&cli(set), &ConfigArgs { check, all, ..ConfigArgs::default() }, environment, &mut out)
        .expect("in order");
    String::from_utf8(out).expect("text")
}

#[test]
fn every_declared_setting_is_listed_with_its_default_and_doc() {
    let text = shown(&[("log.dirs", "/data")], false, false);
    for setting in SETTINGS.iter() {
        assert!(
            text.contains(&format!("\n{}=", setting.name)) || text.starts_with(setting.name),
            "{}",
            setting.name
        );
        assert!(text.contains(&setting.doc()), "{}", setting.name);
    }
    assert!(text.contains("log.dirs=/data\n    set by   --set\n    default  ottla-data\n"), "{text}");
    assert!(text.contains("num.partitions=3\n    set by   OTTLA_NUM_PARTITIONS\n    default  1\n"), "{text}");
    assert!(text.contains("    allowed  a whole number, at least 1 (bytes)\n"), "{text}");
}

#[test]
fn kafkas_other_settings_are_listed_on_demand_and_passwords_never() {
    let set = [("ssl.keystore.password", "geheim"), ("num.io.threads", "5")];
    assert!(!shown(&set, false, false).contains("num.io.threads"));
    let all = shown(&set, false, true);
    assert!(all.contains("\nnum.io.threads=5\n"), "{all}");
    assert!(all.contains("\nssl.keystore.password=[hidden]\n") && !all.contains("geheim"));
    assert!(!shown(&set, true, false).contains("geheim"));
}

#[test]
fn check_tells_the_notices_and_the_verdict() {
    let text = shown(&[("num.io.threads", "5")], true, false);
    assert_eq!(text, "num.io.threads: accepted; it has no effect in Ottla\nThe settings are in order.\n");
}

#[test]
fn wrong_settings_are_an_error_and_nothing_is_listed() {
    let mut out = Vec::new();
    let wrong = cli(&[("num.partitions", "0")]);
    let error =
        write_config(&wrong, &ConfigArgs { check: false, all: false, ..ConfigArgs::default() }, [], &mut out)
            .expect_err("refused");
    assert!(matches!(error, ShowError::Config(_)), "{error}");
    assert!(out.is_empty());
}
