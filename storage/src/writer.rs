//! Appending: offsets and epoch are stamped, segments rolled, bytes written.
//!
//! A batch's bytes are never copied: the stamped prefix is a small buffer of ours, the rest the caller's slice, and all
//! batches of an append are one vectored write. Invariant: whatever fails leaves the log as it was, or the directory
//! offline. The lock around [`Writer`] is the seam where a combining queue will let one thread write for many.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::batch::HEADER_BYTES;
use crate::config::{Durability, LogConfig, UNFLUSHED_BYTES_MAX};
use crate::env::{File, OpenMode};
use crate::error::is_no_space;
use crate::ids::Offset;
use crate::log::Log;
use crate::meta;
use crate::plan::{Origin, TxnToken};
use crate::segment::{Mark, Segment};
use crate::ticket::{AppendError, Appended, Ticket};
use crate::validate::{Checked, CheckedBatch};

pub(crate) struct Writer {
    pub(crate) config: LogConfig,
    /// The mode in force; the one in `config` is wanted, and taken over by a flush.
    pub(crate) durability: Durability,
    end: Mark,
    active: Option<Arc<Segment>>,
    /// The first segment that may hold bytes that are not flushed.
    pub(crate) first_unflushed: Offset,
    pub(crate) unflushed_bytes: u64,
    /// Names were made in the log's directory since it was last flushed.
    pub(crate) new_names: bool,
    /// The log's directory itself is new.
    pub(crate) new_dir: bool,
    /// `partition.metadata`, until it is flushed.
    pub(crate) new_metadata: Option<Arc<dyn File>>,
}

impl Writer {
    pub(crate) fn new(config: LogConfig, end: Mark, active: Option<&Arc<Segment>>) -> Writer {
        Writer {
            durability: config.durability,
            config,
            end,
            active: active.cloned(),
            first_unflushed: end.segment,
            unflushed_bytes: 0,
            new_names: false,
            new_dir: false,
            new_metadata: None,
        }
    }

    pub(crate) fn end(&self) -> Offset {
        self.end.offset
    }

    pub(crate) fn end_mark(&self) -> Mark {
        self.end
    }
}

impl Log {
    /// Appends batches and answers with a ticket that resolves when the log's durability is kept. Never waits for a
    /// flush. The transaction's token is carried for the producer state that will check it.
    pub fn append(&self, mut batches: Checked, origin: Origin, token: Option<TxnToken>) -> Ticket {
        // No log keeps producer state yet, so there is nothing to verify a token against.
        let _ = token;
        let (appended, durability, flush) = {
            let mut writer = self.writer.lock().unwrap();
            match self.append_locked(&mut writer, &mut batches, origin) {
                Ok((appended, rolled)) => {
                    let flush = rolled || writer.unflushed_bytes >= UNFLUSHED_BYTES_MAX;
                    (appended, writer.durability, flush)
                }
                Err(error) => return Ticket::failed(error),
            }
        };
        match durability {
            Durability::Durable => {
                let position = self.shared.mark_dirty(&self.me());
                Ticket::pending(Arc::clone(&self.shared.progress), position, appended)
            }
            Durability::Relaxed => {
                self.watch.raise(appended.last.0 + 1);
                if flush {
                    self.shared.mark_dirty(&self.me());
                }
                Ticket::ready(appended)
            }
        }
    }

    /// A ticket for the same append that resolves when it is on the disk, whatever the log's durability.
    pub fn flushed(&self, ticket: Ticket) -> Ticket {
        let Some(appended) = ticket.placed() else { return ticket };
        let position = self.shared.mark_dirty(&self.me());
        Ticket::pending(Arc::clone(&self.shared.progress), position, appended)
    }

    fn append_locked(
        &self,
        writer: &mut Writer,
        checked: &mut Checked,
        origin: Origin,
    ) -> Result<(Appended, bool), AppendError> {
        if self.deleted.load(Ordering::SeqCst) {
            return Err(AppendError::Deleted);
        }
        if let Some(refusal) = self.shared.refusal() {
            return Err(refusal);
        }
        if origin == Origin::Client && self.shared.is_low_on_space() {
            return Err(AppendError::NoSpace);
        }
        let base = writer.end.offset;
        let end = self.stamp(base, &mut checked.batches, origin)?;
        let bytes = checked.bytes_len() as u64;
        let (segment, rolled) =
            self.segment_for(writer, bytes, end).map_err(|e| self.failed("making a segment", &e))?;
        self.write(&segment, &checked.batches)?;
        let headers = checked.batches.iter().map(|batch| &batch.header);
        let indexed = segment.appended(headers, writer.config.index_interval_bytes);
        indexed.map_err(|error| self.failed("writing an index", &error))?;
        self.see_epochs(&checked.batches);
        writer.unflushed_bytes += bytes;
        writer.end = Mark { offset: end, segment: segment.base, position: segment.size_bytes() };
        let mut marks = self.marks.lock().unwrap();
        marks.end = writer.end;
        if writer.durability == Durability::Relaxed {
            marks.high = writer.end;
        }
        let last = Offset(end.0 - 1);
        Ok((Appended { base, last, append_time: checked.append_time }, rolled))
    }

    /// Gives the batches their offsets and epoch; returns the log's new end.
    fn stamp(
        &self,
        base: Offset,
        batches: &mut [CheckedBatch],
        origin: Origin,
    ) -> Result<Offset, AppendError> {
        let epoch = self.leader_epoch();
        let mut next = base;
        for CheckedBatch { header, .. } in batches.iter_mut() {
            if header.is_control() && origin == Origin::Client {
                return Err(AppendError::ControlBatch);
            }
            if origin == Origin::Replica {
                if header.base_offset != next {
                    return Err(AppendError::OutOfOrder { found: header.base_offset, expected: next });
                }
            } else {
                header.base_offset = next;
                header.leader_epoch = epoch;
            }
            next = header.next_offset();
        }
        if next == base { Err(AppendError::Empty) } else { Ok(next) }
    }

    fn see_epochs(&self, batches: &[CheckedBatch]) {
        let mut epochs = self.epochs.lock().unwrap();
        for batch in batches {
            epochs.cache.see(&batch.header);
        }
    }

    /// The segment that takes `bytes` more, up to the offset `end`; true if it is a new one behind another.
    fn segment_for(&self, writer: &mut Writer, bytes: u64, end: Offset) -> io::Result<(Arc<Segment>, bool)> {
        if let Some(active) = &writer.active {
            let size = active.size_bytes();
            let too_large = size > 0 && size + bytes > u64::from(writer.config.segment_bytes);
            let too_far = active.relative(Offset(end.0 - 1)).is_none();
            if !too_large && !too_far && !active.is_index_full(writer.config.segment_index_bytes) {
                return Ok((Arc::clone(active), false));
            }
        } else {
            self.make_dir(writer)?;
        }
        let rolled = writer.active.is_some();
        let base = writer.end.offset;
        let segment = Segment::create(Arc::clone(&self.shared.env.files), Arc::clone(&self.path), base)?;
        let segment = Arc::new(segment);
        writer.new_names = true;
        if !rolled {
            writer.first_unflushed = base;
        }
        self.segments.write().unwrap().push(Arc::clone(&segment));
        writer.active = Some(Arc::clone(&segment));
        writer.end = Mark { offset: base, segment: base, position: 0 };
        Ok((segment, rolled))
    }

    /// The first append makes the log's directory, and says in it whose it is before anything else is there.
    fn make_dir(&self, writer: &mut Writer) -> io::Result<()> {
        let files = &self.shared.env.files;
        match files.create_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        writer.new_dir = true;
        writer.new_names = true;
        let metadata = files.open(&self.path.join(meta::PARTITION_FILE_NAME), OpenMode::Create)?;
        let text = meta::encode_partition(self.id().topic);
        metadata.set_len(0)?;
        metadata.write_all_at(&[IoSlice::new(text.as_bytes())], 0)?;
        writer.new_metadata = Some(metadata);
        Ok(())
    }

    /// Writes the batches behind the segment's last. What a failed write left is cut off again.
    fn write(&self, segment: &Segment, batches: &[CheckedBatch]) -> Result<(), AppendError> {
        let at = segment.size_bytes();
        let file = segment.file().map_err(|error| self.failed("opening a segment", &error))?;
        let prefixes: Vec<[u8; HEADER_BYTES]> = batches.iter().map(|batch| batch.header.encode()).collect();
        let mut slices = Vec::with_capacity(batches.len() * 2);
        for (batch, prefix) in batches.iter().zip(&prefixes) {
            let bytes = batch.prefix_bytes();
            slices.push(IoSlice::new(&prefix[..bytes]));
            slices.push(IoSlice::new(&batch.bytes[bytes..]));
        }
        let Err(error) = file.write_all_at(&slices, at) else { return Ok(()) };
        if let Err(error) = file.set_len(at) {
            self.shared.go_offline("cutting back a failed write", &error);
        }
        Err(self.failed("writing", &error))
    }

    /// Tells a full disk, which passes, from a broken one, which takes the directory offline.
    fn failed(&self, what: &str, error: &io::Error) -> AppendError {
        if is_no_space(error) && !self.shared.is_offline() {
            return AppendError::NoSpace;
        }
        self.shared.go_offline(&format!("{what} of {}", self.dir_name()), error);
        self.shared.refusal().expect("it went offline just now")
    }
}
