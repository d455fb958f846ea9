//! A batch by itself, taken through the compaction: for whoever makes up bytes.

use crate::batch::{BatchHeader, verify_crc};
use crate::env::Random;
use crate::ids::Offset;
use crate::records::records;

use super::filter::{Builder, Filter, Rules, Verdict};
use super::key_table::KeyTable;
use super::producers::Producers;

/// What stands at the front of `bytes`, if its checksum is right, is compacted as if it were all of a log.
///
/// # Panics
/// If what comes out is no batch of the same offsets, or has records that did not go in.
pub(crate) fn compact_alone(bytes: &[u8], random: &dyn Random) {
    let Ok(header) = BatchHeader::parse(bytes) else { return };
    let Some(batch) = bytes.get(..header.total_bytes()).filter(|batch| verify_crc(&header, batch).is_ok())
    else {
        return;
    };
    let producers = Producers::default();
    for is_last in [false, true] {
        let table = KeyTable::new(1 << 12, 0.9, 100, random).expect("there is memory");
        let mut builder = Builder::new(table, &producers, header.base_offset);
        if builder.add(&header, batch).is_err() {
            return;
        }
        let mut filter = Filter::new(Rules {
            table: &builder.table,
            table_end: builder.end.max(Offset(0)),
            producers: &producers,
            now: header.max_timestamp,
            delete_retention_ms: 1,
            batch_bytes_max: 0,
        });
        let Ok(verdict) = filter.judge(&header, batch, is_last) else { continue };
        assert!(!is_last || verdict != Verdict::Goes);
        let Verdict::Becomes(new, rest) = verdict else { continue };
        let bytes = [&new.encode()[..], &rest].concat();
        verify_crc(&new, &bytes).expect("its checksum is right");
        assert_eq!((new.base_offset, new.last_offset_delta), (header.base_offset, header.last_offset_delta));
        // What is wrong behind a record's key and value is kept as it was.
        let old: Result<Vec<_>, _> = records(batch).expect("it was read").collect();
        let Ok(old) = old else { continue };
        for record in records(&bytes).expect("it is a batch") {
            assert!(old.contains(&record.expect("its records are whole")));
        }
    }
}
