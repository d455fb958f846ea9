//! `ottla log repair`.

use std::io::{self, IsTerminal, Write};

use storage::Env;
use storage::at_rest::{AtRestError, Opened, Repaired, RepairedLog, repair, repair_dry_run};

use super::print::{self, Format, Object};
use super::progress::{Printer, Progress};
use super::{RepairArgs, absolute, complain, exit};

pub(super) fn run(env: &Env, args: &RepairArgs, out: &mut dyn Write) -> u8 {
    let (dir, name) = (absolute(&args.dir), args.dir.display().to_string());
    let format = Format::new(args.json);
    let is_terminal = io::stderr().is_terminal();
    let (err, later_err) = (&mut io::stderr(), &mut io::stderr());
    let mut before = Printer::new(Progress::new(&*env.clock, err, is_terminal), out, format);
    if args.dry_run {
        let found = repair_dry_run(env, &dir, &mut before);
        return match found {
            Ok(summary) => {
                before.print(|format, out| print::summary(&name, &summary, format, out));
                let code = if summary.damages > 0 { exit::FAILED } else { exit::STOPPED };
                printed(before.failed, code)
            }
            Err(error) => {
                before.progress.clear();
                complain(&error)
            }
        };
    }
    // What is left is printed behind what was done.
    let mut left = Vec::new();
    let mut after = Printer::new(Progress::new(&*env.clock, later_err, is_terminal), &mut left, format);
    let repaired = repair(env, &dir, &mut before, &mut after);
    after.progress.clear();
    before.progress.clear();
    let repaired = match repaired {
        Ok(repaired) => repaired,
        Err(error) => return complain(&error),
    };
    before.print(|format, out| {
        print::summary(&format!("{name}, before"), &repaired.before, format, out)?;
        said(&repaired, format, out)?;
        out.write_all(&left)?;
        verdict(&name, &repaired, format, out)
    });
    printed(before.failed, if repaired.is_whole() { exit::STOPPED } else { exit::FAILED })
}

fn printed(failed: Option<io::Error>, code: u8) -> u8 {
    failed.map_or(code, |error| code.max(complain(&AtRestError::Output(error))))
}

/// What was done, log by log.
fn said(repaired: &Repaired, format: Format, out: &mut dyn Write) -> io::Result<()> {
    for log in &repaired.logs {
        match format {
            Format::Text => writeln!(out, "{}: {}", log.dir_name, log_text(log))?,
            Format::Json => log_object(log).put(out)?,
        }
    }
    for path in &repaired.unknown {
        let what = "nothing says which topic's log it is; it was left alone. Restore its partition.metadata from a copy";
        match format {
            Format::Text => writeln!(out, "{}: {what}", path.display())?,
            Format::Json => {
                Object::new("unknown")
                    .text("path", &path.display().to_string())
                    .text("what", what)
                    .put(out)?;
            }
        }
    }
    Ok(())
}

fn log_text(log: &RepairedLog) -> String {
    let opened = match &log.outcome {
        Ok(opened) => opened,
        Err(error) => return format!("not repaired: {error}"),
    };
    let Opened { start, end, segments, quarantined_bytes, cut_bytes } = opened;
    let mut text = format!("offsets {start} to below {end} in {segments} segments");
    if *quarantined_bytes > 0 {
        text += &format!("; {quarantined_bytes} damaged bytes were set aside");
    }
    if *cut_bytes > 0 {
        text += &format!("; a torn tail of {cut_bytes} bytes was cut");
    }
    text + if log.was_damaged { "; indexes were made anew" } else { "; in order" }
}

fn log_object(log: &RepairedLog) -> Object {
    let object = Object::new("log").text("dir", &log.dir_name).with("damaged", log.was_damaged);
    match &log.outcome {
        Ok(opened) => object
            .with("start", opened.start)
            .with("end", opened.end)
            .with("segments", opened.segments)
            .with("quarantinedBytes", opened.quarantined_bytes)
            .with("cutBytes", opened.cut_bytes),
        Err(error) => object.text("error", &error.to_string()),
    }
}

fn verdict(name: &str, repaired: &Repaired, format: Format, out: &mut dyn Write) -> io::Result<()> {
    let whole = repaired.is_whole();
    match format {
        Format::Text if whole => writeln!(out, "{name}: all is right now"),
        Format::Text => writeln!(out, "{name}: what the lines above say is left; the rest is right now"),
        Format::Json => Object::new("repaired").text("path", name).with("whole", whole).put(out),
    }
}
