//! `ottla log dump`.

use std::io::{BufWriter, Write};

use storage::at_rest::{AtRestError, DumpOptions, Field, Item, dump};
use storage::{Env, Offset};

use crate::cluster::records::Record;

use super::print::{self, Format};
use super::{DumpArgs, absolute, complain, exit};

pub(super) fn run(env: &Env, args: &DumpArgs, out: &mut dyn Write) -> u8 {
    let options = DumpOptions { records: args.records, from: args.from.map(Offset), count: args.count };
    let (format, mut out) = (Format::new(args.json), BufWriter::new(out));
    let dumped = dump(env, &absolute(&args.file), &options, &mut |item| {
        print::item(&with_state(item), format, &mut out)
    });
    let dumped = dumped.and_then(|whole| out.flush().map(|()| whole).map_err(AtRestError::Output));
    match dumped {
        Ok(true) => exit::STOPPED,
        Ok(false) => exit::FAILED,
        Err(error) => complain(&error),
    }
}

/// Says what stands in a record of the metadata's image: the log's files are of a crate that knows no metadata.
fn with_state(mut item: Item) -> Item {
    if item.kind != Item::STATE {
        return item;
    }
    let said = item.fields.iter().find_map(|(_, field)| match field {
        Field::Bytes(Some(bytes)) => Some(Record::decode(bytes)),
        _ => None,
    });
    match said {
        // As it is, where it is of a newer version.
        Some(Err(error)) => item.fields.push(("unknown", Field::Text(error.to_string()))),
        Some(Ok(record)) => item.fields = vec![("says", Field::Text(format!("{record:?}")))],
        None => {}
    }
    item
}
