//! `ottla completions` and `ottla man`: made from the declaration of the command line itself, so that they cannot differ
//! from it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, exit};

/// For which shell.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ottla completions bash > /etc/bash_completion.d/ottla
  ottla completions zsh > \"${fpath[1]}/_ottla\"
  ottla completions fish > ~/.config/fish/completions/ottla.fish")]
pub struct CompletionsArgs {
    pub shell: Shell,
}

/// Of which command.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ottla man | man -l -
  ottla man group reset-offsets | man -l -
  ottla man > /usr/share/man/man1/ottla.1
  ottla man --all-into /usr/share/man/man1")]
pub struct ManArgs {
    /// The command; nothing for the page of `ottla` itself.
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,

    /// Write the pages of all commands as files into this directory.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "command")]
    pub all_into: Option<PathBuf>,
}

pub fn print_completions(args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ottla", &mut script);
    print(&script)
}

pub fn print_man(args: &ManArgs) -> ExitCode {
    let mut root = without_help(Cli::command());
    root.build();
    if let Some(directory) = &args.all_into {
        return match write_pages(&root, directory) {
            Ok(()) => ExitCode::from(exit::STOPPED),
            Err(error) => {
                eprintln!("ottla: cannot write the pages into {}: {error}", directory.display());
                ExitCode::from(exit::FAILED)
            }
        };
    }
    let Some(command) = find(&root, &args.command) else {
        eprintln!("ottla: there is no command `{}`", args.command.join(" "));
        return ExitCode::from(exit::USAGE);
    };
    let mut page = Vec::new();
    match page_of(&command, &args.command).render(&mut page) {
        Ok(()) => print(&page),
        Err(error) => {
            eprintln!("ottla: {error}");
            ExitCode::from(exit::FAILED)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "pages for the operator's own machine; no broker runs")]
fn write_pages(root: &Command, directory: &Path) -> io::Result<()> {
    for path in paths(root) {
        let Some(command) = find(root, &path) else { continue };
        let mut page = Vec::new();
        page_of(&command, &path).render(&mut page)?;
        std::fs::write(directory.join(format!("{}.1", title(&path))), page)?;
    }
    Ok(())
}

/// The way to every command, the root's first.
fn paths(root: &Command) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        let below = find(root, &path).into_iter().flat_map(|command| {
            command.get_subcommands().map(|below| below.get_name().to_owned()).collect::<Vec<_>>()
        });
        found.extend(below.map(|name| [&path[..], &[name]].concat()));
        at += 1;
    }
    found
}

fn find(root: &Command, path: &[String]) -> Option<Command> {
    let found = path.iter().try_fold(root, |command, name| command.find_subcommand(name));
    found.cloned()
}

/// Without the `help` that building gives every command with others below it: `--help` is on each page.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// A page is named after the whole path, as in `ottla-group-lag(1)`.
fn title(path: &[String]) -> String {
    std::iter::once("ottla").chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("-")
}

fn page_of(command: &Command, path: &[String]) -> clap_mangen::Man {
    clap_mangen::Man::new(command.clone()).title(title(path))
}

fn print(text: &[u8]) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(exit::STOPPED),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(exit::STOPPED),
        Err(error) => {
            eprintln!("ottla: {error}");
            ExitCode::from(exit::FAILED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_command_has_a_page() {
        let mut root = Cli::command();
        root.build();
        let mut pages = 0;
        for path in paths(&root) {
            let command = find(&root, &path).unwrap();
            let mut page = Vec::new();
            page_of(&command, &path).render(&mut page).unwrap();
            let page = String::from_utf8(page).unwrap();
            let title = format!(".TH {} 1", title(&path));
            assert!(page.contains(&title), "{title} is not in\n{page}");
            pages += 1;
        }
        assert!(pages > 15, "{pages} pages");
    }

    #[test]
    fn every_shell_completes_the_commands() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "ottla", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("reset-offsets") && script.contains("bootstrap-server"), "{shell}");
        }
    }
}
