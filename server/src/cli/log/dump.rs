//! `ottla log dump`.

use std::io::{BufWriter, Write};

use storage::at_rest::{AtRestError, DumpOptions, dump};
use storage::{Env, Offset};

use super::print::{self, Format};
use super::{DumpArgs, absolute, complain, exit};

pub(super) fn run(env: &Env, args: &DumpArgs, out: &mut dyn Write) -> u8 {
    let options = DumpOptions { records: args.records, from: args.from.map(Offset), count: args.count };
    let (format, mut out) = (Format::new(args.json), BufWriter::new(out));
    let dumped = dump(env, &absolute(&args.file), &options, &mut |item| print::item(&item, format, &mut out));
    let dumped = dumped.and_then(|whole| out.flush().map(|()| whole).map_err(AtRestError::Output));
    match dumped {
        Ok(true) => exit::STOPPED,
        Ok(false) => exit::FAILED,
        Err(error) => complain(&error),
    }
}
