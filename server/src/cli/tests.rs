use super::*;
use clap::CommandFactory;

fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("ottla").chain(args.iter().copied()))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn no_argument_means_serve_with_defaults() {
    let cli = parse(&[]).expect("fine");
    assert!(cli.command.is_none() && cli.config.is_none() && cli.set.is_empty());
}

#[test]
fn set_may_be_repeated_and_holds_any_value() {
    let cli =
        parse(&["--set", "a=1", "--set=listeners=PLAINTEXT://:0,B://h:1", "--config", "f"]).expect("fine");
    let set = |name: &str, value: &str| Assignment { name: name.to_owned(), value: value.to_owned() };
    assert_eq!(cli.set, [set("a", "1"), set("listeners", "PLAINTEXT://:0,B://h:1")]);
    assert_eq!(cli.config, Some("f".into()));
}

#[test]
fn options_count_on_either_side_of_a_command() {
    for args in [["--set", "a=1", "config", "--check"], ["config", "--check", "--set", "a=1"]] {
        let cli = parse(&args).expect("fine");
        let Some(Command::Config(config)) = &cli.command else { panic!("{args:?}") };
        assert!(config.check && !config.all, "{args:?}");
        assert_eq!(cli.with(config).set.len(), 1, "{args:?}");
    }
}

#[test]
fn settings_of_a_broker_are_refused_where_they_mean_nothing() {
    for (args, is_idle) in [
        (&["--set", "a=1"][..], false),
        (&["--set", "a=1", "config"], false),
        (&["--set", "a=1", "group", "list"], true),
        (&["--config", "f", "config", "describe", "--topic", "t"], true),
        (&["group", "list"], false),
    ] {
        assert_eq!(parse(args).expect("fine").has_idle_settings(), is_idle, "{args:?}");
    }
}

#[test]
fn wrong_command_lines_exit_with_the_code_for_usage() {
    for args in [
        &["--set", "novalue"][..],
        &["--set", "=1"],
        &["serve"],
        &["--port", "1"],
        &["config", "--all", "--check"],
    ] {
        let error = parse(args).expect_err("refused");
        assert_eq!(error.exit_code(), i32::from(exit::USAGE), "{args:?}");
    }
}

#[test]
fn help_and_version_are_no_failure() {
    for args in ["--help", "-h", "--version"] {
        assert_eq!(parse(&[args]).expect_err("shown").exit_code(), i32::from(exit::STOPPED), "{args}");
    }
}

/// Who has only the help must be able to run it: what it says of defaults is what the settings' table says.
#[test]
fn the_help_tells_the_defaults_of_the_table() {
    let help = Cli::command().render_long_help().to_string();
    let default =
        |name: &str| crate::config::setting(name).and_then(|setting| setting.default).expect("has a default");
    let listener = default("listeners").trim_start_matches("PLAINTEXT://");
    for told in [
        listener,
        default("log.dirs"),
        default("metrics.listener"),
        "OTTLA_LOG_DIRS",
        "--config",
        "--set",
        "RUST_LOG",
    ] {
        assert!(help.contains(told), "{told} is not in\n{help}");
    }
    for (code, meaning) in
        [(exit::STOPPED, "stopped"), (exit::FAILED, "could not start"), (exit::USAGE, "is wrong")]
    {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{code}  ")));
        assert!(line.is_some_and(|line| line.contains(meaning)), "exit code {code}: {line:?}");
    }
    for word in help.split_whitespace().filter_map(|word| word.split_once('=')).map(|(name, _)| name) {
        let is_setting = crate::config::setting(word).is_some();
        assert!(is_setting || word == "NAME" || word == "<NAME", "the help sets {word}, which is no setting");
    }
}
