//! `ottla log verify`.

use std::io::{self, IsTerminal, Write};

use storage::Env;
use storage::at_rest::{AtRestError, verify};

use super::print::{self, Format};
use super::progress::{Printer, Progress};
use super::{VerifyArgs, absolute, complain, exit};

pub(super) fn run(env: &Env, args: &VerifyArgs, out: &mut dyn Write) -> u8 {
    let err = &mut io::stderr();
    let is_terminal = err.is_terminal();
    let progress = Progress::new(&*env.clock, err, is_terminal);
    let mut printer = Printer::new(progress, out, Format::new(args.json));
    let (mut damaged, mut code) = (false, exit::STOPPED);
    for path in &args.paths {
        let checked = verify(env, &absolute(path), &mut printer);
        printer.progress.clear();
        match checked {
            Ok(summary) => {
                damaged |= summary.damages > 0;
                let name = path.display().to_string();
                printer.print(|format, out| print::summary(&name, &summary, format, out));
            }
            Err(error) => code = code.max(complain(&error)),
        }
    }
    if let Some(error) = printer.failed {
        code = code.max(complain(&AtRestError::Output(error)));
    }
    // What was found counts more than what could not be looked at.
    if damaged { exit::FAILED } else { code }
}
