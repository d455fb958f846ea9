//! Appending: offsets and epoch are stamped, segments rolled, bytes written and queued for the journal.
//!
//! Appends that wait come here together (`turns.rs`): one vectored write and one journal record for as many as fit. A
//! batch's bytes are never copied on their way to the segment. Invariant: whatever fails leaves the log as it was, or the
//! directory offline.

mod together;
mod turns;

pub use together::Together;
pub(crate) use turns::Jobs;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::config::{Durability, LogConfig, UNFLUSHED_BYTES_MAX, UNFLUSHED_BYTES_MIN};
use crate::env::{File, OpenMode};
use crate::error::{is_out_of_files, is_passing};
use crate::ids::{NO_TIMESTAMP, Offset, TimestampMs};
use crate::journal::RaiseSlot;
use crate::journal::record::Op;
use crate::log::Log;
use crate::meta;
use crate::plan::Origin;
use crate::producer_state::draft::{Draft, Original, Verdict, has_producer};
use crate::retention::Starts;
use crate::rolling::Age;
use crate::segment::{Mark, Segment};
use crate::slot::Slot;
use crate::small_file;
use crate::ticket::{AppendError, Appended, Ticket};
use crate::validate::{Checked, CheckedBatch};

pub(crate) struct Writer {
    pub(crate) config: LogConfig,
    /// The mode in force; the one in `config` is wanted, and taken over by a flush.
    pub(crate) durability: Durability,
    /// Appends go into the journal: the mode is durable, or about to be.
    pub(crate) journaled: bool,
    /// How often that began.
    pub(crate) joins: u64,
    /// The journal knows the log's directory.
    is_named: bool,
    end: Mark,
    active: Option<Arc<Segment>>,
    /// The active segment's, once it was appended to in this life.
    age: Option<Age>,
    raise_slot: RaiseSlot,
    /// The last record of the log in the journal.
    pub(crate) last_lsn: u64,
    /// The log counts as durable once the journal is durable up to here: what was written while it was not has to be.
    pub(crate) durable_at: u64,
    /// How much of where the log starts is durable.
    pub(crate) starts: Starts,
    /// The first segment that may hold bytes that are not flushed.
    pub(crate) first_unflushed: Offset,
    pub(crate) unflushed: Unflushed,
    /// Names were made in the log's directory since it was last flushed.
    pub(crate) new_names: bool,
    /// The log's directory itself is new, and so is what says in it whose it is.
    pub(crate) new_dir: bool,
}

/// What a relaxed log has taken since its last flush.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Unflushed {
    pub(crate) bytes: u64,
    records: u64,
}

/// One append on its way.
pub(crate) struct Job {
    checked: Checked,
    origin: Origin,
    /// Where it goes, once it is stamped.
    appended: Option<Appended>,
    /// It is in the log already.
    repeats: Option<Original>,
    ticket: Option<Ticket>,
    slot: Option<Arc<Slot>>,
}

impl Job {
    fn refuse(&mut self, error: &AppendError) {
        (self.appended, self.repeats) = (None, None);
        self.ticket = Some(Ticket::failed(error.clone()));
    }
}

impl Writer {
    pub(crate) fn new(config: LogConfig, end: Mark, active: Option<&Arc<Segment>>) -> Writer {
        Writer {
            durability: config.durability,
            journaled: config.durability == Durability::Durable,
            joins: 0,
            is_named: false,
            config,
            end,
            active: active.cloned(),
            age: None,
            raise_slot: RaiseSlot::default(),
            last_lsn: 0,
            durable_at: 0,
            starts: Starts::default(),
            first_unflushed: end.segment,
            unflushed: Unflushed::default(),
            new_names: false,
            new_dir: false,
        }
    }

    pub(crate) fn end(&self) -> Offset {
        self.end.offset
    }

    pub(crate) fn end_mark(&self) -> Mark {
        self.end
    }

    /// What the active segment still takes.
    fn room_bytes(&self) -> u64 {
        let used = self.active.as_ref().map_or(0, |active| active.size_bytes());
        u64::from(self.config.segment_bytes).saturating_sub(used)
    }
}

impl Log {
    /// A ticket for the same append that resolves when it is on the disk, whatever the log's durability.
    pub fn flushed(&self, ticket: Ticket) -> Ticket {
        if let Some(next) = self.moved.get() {
            return next.flushed(ticket);
        }
        let Some(appended) = ticket.placed() else { return ticket };
        let position = self.shared.mark_dirty(&self.me());
        Ticket::pending(Arc::clone(&self.shared.flushed), position, appended)
    }

    fn place(&self, jobs: &mut [Job]) {
        let mut writer = self.writer.lock().unwrap();
        let mut rest = jobs;
        while !rest.is_empty() {
            self.know_age(&mut writer);
            let (run, later) = rest.split_at_mut(self.fitting(&writer, rest));
            self.place_run(&mut writer, run);
            rest = later;
        }
        let high = self.marks.lock().unwrap().high.offset;
        let relaxed = writer.durability == Durability::Relaxed;
        drop(writer);
        if relaxed {
            self.watch.raise(high.0);
        }
    }

    /// How many of the jobs fit together into the active segment; one always does, if need be into a new one. The first
    /// of a segment is alone: the others' times are held against its.
    fn fitting(&self, writer: &Writer, jobs: &[Job]) -> usize {
        if writer.active.as_ref().is_none_or(|active| active.size_bytes() == 0) {
            return 1;
        }
        let (room, mut bytes) = (writer.room_bytes(), 0);
        let fits = |job: &&Job| {
            bytes += job.checked.bytes_len() as u64;
            bytes <= room && !self.is_too_old(writer, job.checked.max_timestamp())
        };
        jobs.iter().take_while(fits).count().max(1)
    }

    fn place_run(&self, writer: &mut Writer, jobs: &mut [Job]) {
        let (base, mut end) = (writer.end.offset, writer.end.offset);
        let mut draft = Draft::default();
        for job in jobs.iter_mut() {
            let stamped = self.refusal_of(job.origin).map_or_else(|| self.stamp(end, job), Err);
            match stamped.and_then(|next| self.check_producers(&mut draft, job).map(|is_new| (next, is_new)))
            {
                Ok((next, true)) => end = next,
                Ok((_, false)) => {}
                Err(error) => job.refuse(&error),
            }
        }
        let written = if end == base { Ok(None) } else { self.write_run(writer, jobs, end, &mut draft) };
        let is_durable = writer.durability == Durability::Durable;
        for job in jobs.iter_mut() {
            let (appended, lsn) = match (job.appended, job.repeats, &written) {
                (_, Some(Original { appended, lsn: Some(lsn) }), _) => (appended, is_durable.then_some(lsn)),
                (Some(appended), _, Ok(lsn)) | (None, Some(Original { appended, .. }), Ok(lsn)) => {
                    (appended, *lsn)
                }
                (None, None, _) => continue,
                (_, _, Err(error)) => {
                    job.refuse(error);
                    continue;
                }
            };
            job.ticket = Some(match lsn {
                Some(lsn) => Ticket::pending(Arc::clone(&self.shared.progress), lsn, appended),
                None => Ticket::ready(appended),
            });
        }
    }

    /// Whether the producers of a stamped append may send it, and it is not in the log yet.
    fn check_producers(&self, draft: &mut Draft, job: &mut Job) -> Result<bool, AppendError> {
        if !job.checked.headers().any(has_producer) {
            return Ok(true);
        }
        let verdict = draft.check(&self.producers.lock().unwrap(), &job.checked, job.origin)?;
        if let Verdict::Repeats(original) = verdict {
            (job.appended, job.repeats) = (None, Some(original));
        }
        Ok(job.repeats.is_none())
    }

    fn refusal_of(&self, origin: Origin) -> Option<AppendError> {
        if self.deleted.load(Ordering::SeqCst) {
            return Some(AppendError::Deleted);
        }
        let full =
            || (origin == Origin::Client && self.shared.is_low_on_space()).then_some(AppendError::NoSpace);
        self.shared.refusal().or_else(full)
    }

    /// Writes stamped batches, which end at the offset `end`. The LSN that makes them durable is given if the log's mode
    /// waits for it.
    fn write_run(
        &self,
        writer: &mut Writer,
        jobs: &[Job],
        end: Offset,
        draft: &mut Draft,
    ) -> Result<Option<u64>, AppendError> {
        let batches =
            || jobs.iter().filter(|job| job.appended.is_some()).flat_map(|job| &job.checked.batches);
        let bytes: u64 = batches().map(|batch| batch.bytes.len() as u64).sum();
        let newest =
            jobs.iter().filter(|job| job.appended.is_some()).map(|job| job.checked.max_timestamp()).max();
        let newest = newest.unwrap_or(NO_TIMESTAMP);
        let (segment, rolled) =
            self.segment_for(writer, bytes, end, newest).map_err(|e| self.failed("making a segment", &e))?;
        let prefixes: Vec<[u8; HEADER_BYTES]> = batches().map(|batch| batch.header.encode()).collect();
        let mut slices = Vec::with_capacity(prefixes.len() * 2);
        for (batch, prefix) in batches().zip(&prefixes) {
            let bytes = batch.prefix_bytes();
            slices.push(IoSlice::new(&prefix[..bytes]));
            slices.push(IoSlice::new(&batch.bytes[bytes..]));
        }
        let position = segment.size_bytes();
        self.write(&segment, &slices, position)?;
        if let (0, Some(age)) = (position, &mut writer.age) {
            age.begins_with(newest);
        }
        let indexed = segment.appended(batches().map(|b| &b.header), writer.config.index_interval_bytes);
        indexed.map_err(|error| self.failed("writing an index", &error))?;
        self.see_epochs(batches().map(|batch| &batch.header));
        let records = (end.0 - writer.end.offset.0) as u64;
        writer.end = Mark { offset: end, segment: segment.base, position: segment.size_bytes() };
        if !draft.is_empty() {
            // Before readers see the batches: a transaction is open before its first record can be read.
            let high = self.high_watermark();
            self.producers.lock().unwrap().commit(draft, segment.base, high);
        }
        {
            let mut marks = self.marks.lock().unwrap();
            marks.end = writer.end;
            if writer.durability == Durability::Relaxed {
                marks.high = writer.end;
            }
        }
        let lsn = writer.journaled.then(|| {
            self.note_dir(writer);
            let op = Op::Write { segment: segment.base, position };
            self.shared.journal().queue(&self.me(), &mut writer.raise_slot, op, &slices, Some(writer.end))
        });
        writer.last_lsn = lsn.unwrap_or(writer.last_lsn);
        if !draft.is_empty() {
            self.producers.lock().unwrap().settle(draft, lsn.unwrap_or(0));
        }
        if writer.durability == Durability::Durable {
            return Ok(lsn);
        }
        self.flush_in_time(writer, bytes, records, rolled);
        Ok(None)
    }

    /// Asks for the background flush of a relaxed log when it is due.
    fn flush_in_time(&self, writer: &mut Writer, bytes: u64, records: u64, rolled: bool) {
        let unflushed = &mut writer.unflushed;
        let is_first = unflushed.bytes == 0;
        (unflushed.bytes, unflushed.records) = (unflushed.bytes + bytes, unflushed.records + records);
        let all = self.shared.counts.unflushed_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let is_much = unflushed.bytes >= UNFLUSHED_BYTES_MIN && all >= UNFLUSHED_BYTES_MAX;
        let due = is_much || unflushed.records >= writer.config.flush_messages;
        if rolled || due {
            self.shared.mark_dirty(&self.me());
        } else if let (true, Some(after)) = (is_first, writer.config.flush_after) {
            self.shared.flush_later(&self.me(), after);
        }
    }

    /// Takes what is unflushed out of the directory's count: a flush has it now, or the log is deleted.
    pub(crate) fn take_unflushed(&self, writer: &mut Writer) -> u64 {
        let bytes = std::mem::take(&mut writer.unflushed).bytes;
        self.shared.counts.unflushed_bytes.fetch_sub(bytes, Ordering::Relaxed);
        bytes
    }

    /// Gives the batches their offsets and epoch; returns the log's new end.
    fn stamp(&self, base: Offset, job: &mut Job) -> Result<Offset, AppendError> {
        let epoch = self.leader_epoch();
        let mut next = base;
        for CheckedBatch { header, .. } in job.checked.batches.iter_mut() {
            if header.is_control() && job.origin == Origin::Client {
                return Err(AppendError::ControlBatch);
            }
            if job.origin == Origin::Replica {
                if header.base_offset != next {
                    return Err(AppendError::OutOfOrder { found: header.base_offset, expected: next });
                }
            } else {
                header.base_offset = next;
                header.leader_epoch = epoch;
            }
            next = header.next_offset();
        }
        if next == base {
            return Err(AppendError::Empty);
        }
        let (last, append_time) = (Offset(next.0 - 1), job.checked.append_time);
        job.appended = Some(Appended { base, last, append_time });
        Ok(next)
    }

    fn see_epochs<'h>(&self, headers: impl Iterator<Item = &'h BatchHeader>) {
        let mut epochs = self.epochs.lock().unwrap();
        headers.for_each(|header| {
            epochs.cache.see(header);
        });
    }

    /// The segment that takes `bytes` more, up to the offset `end` and of the greatest time `newest`; true if it is a new
    /// one behind another.
    fn segment_for(
        &self,
        writer: &mut Writer,
        bytes: u64,
        end: Offset,
        newest: TimestampMs,
    ) -> io::Result<(Arc<Segment>, bool)> {
        if let Some(active) = &writer.active {
            let size = active.size_bytes();
            let too_large = size > 0 && size + bytes > u64::from(writer.config.segment_bytes);
            let too_far = active.relative(Offset(end.0 - 1)).is_none();
            let is_full = too_large || too_far || active.is_index_full(writer.config.segment_index_bytes);
            if !is_full && !self.is_too_old(writer, newest) {
                return Ok((Arc::clone(active), false));
            }
        }
        let rolled = writer.active.is_some();
        Ok((self.roll(writer)?, rolled))
    }

    /// Whether what is of the time `newest` goes into another segment than the active one for its age.
    fn is_too_old(&self, writer: &Writer, newest: TimestampMs) -> bool {
        let has_records = writer.active.as_ref().is_some_and(|active| active.size_bytes() > 0);
        has_records && writer.age.is_some_and(|age| age.is_over(newest, &self.shared.env, &writer.config))
    }

    /// Finds out how old the active segment of an earlier process is. Should its first batch be damaged, its age counts
    /// from here.
    fn know_age(&self, writer: &mut Writer) {
        let (None, Some(active)) = (writer.age, &writer.active) else { return };
        let first = active.walk_at(0, active.size_bytes()).ok().and_then(|walk| walk.peek());
        let first = first.map(|header| header.max_timestamp);
        writer.age = Some(Age::new(&self.shared.env, &writer.config, first));
    }

    /// Begins a new segment, and the log's directory if it is the first.
    pub(crate) fn roll(&self, writer: &mut Writer) -> io::Result<Arc<Segment>> {
        self.shared.spare.keep()?;
        if writer.active.is_none() {
            self.make_dir(writer)?;
        }
        let rolled = writer.active.is_some();
        if let Some(active) = &writer.active {
            active.sealed_lsn.store(writer.last_lsn, Ordering::Release);
        }
        let base = writer.end.offset;
        let segment = Segment::create(Arc::clone(&self.shared.env.files), Arc::clone(&self.path), base)?;
        let segment = Arc::new(segment);
        writer.new_names = true;
        if !rolled {
            writer.first_unflushed = base;
        }
        self.segments.write().unwrap().push(Arc::clone(&segment));
        writer.active = Some(Arc::clone(&segment));
        writer.age = Some(Age::new(&self.shared.env, &writer.config, None));
        writer.end = Mark { offset: base, segment: base, position: 0 };
        if rolled {
            self.producers.lock().unwrap().take_snapshot(writer.end);
        }
        Ok(segment)
    }

    /// The first append makes the log's directory, and says in it whose it is before anything else is there. One that is
    /// there already, of a log whose records are all gone, says so itself: to write that again in its place could lose it.
    fn make_dir(&self, writer: &mut Writer) -> io::Result<()> {
        let files = &*self.shared.env.files;
        match files.create_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        writer.new_dir = true;
        writer.new_names = true;
        let path = self.path.join(meta::PARTITION_FILE_NAME);
        let found = small_file::read(files, &path)?.unwrap_or_default();
        if meta::decode_partition(&found) == Some(self.id().topic) {
            return Ok(());
        }
        let metadata = files.open(&path, OpenMode::Create)?;
        metadata.set_len(0)?;
        metadata.write_all_at(&[IoSlice::new(meta::encode_partition(self.id().topic).as_bytes())], 0)
    }

    /// Before anything else of the log, the journal learns where it lives: until a checkpoint knows, nothing else may.
    fn note_dir(&self, writer: &mut Writer) {
        if std::mem::replace(&mut writer.is_named, true) {
            return;
        }
        let name = IoSlice::new(self.dir_name().as_bytes());
        self.shared.journal().queue_ahead(&self.me(), &mut writer.raise_slot, Op::Create, &[name]);
    }

    /// Writes bytes behind the segment's last. What a failed write left is cut off again, for good: it could come back
    /// after a power cut, and pass for what was written in its place since.
    fn write(&self, segment: &Segment, slices: &[IoSlice<'_>], at: u64) -> Result<(), AppendError> {
        let file = segment.file().map_err(|error| self.failed("opening a segment", &error))?;
        let Err(error) = file.write_all_at(slices, at) else { return Ok(()) };
        if let Err(error) = cut_off(&*file, at) {
            self.shared.go_offline("cutting back a failed write", &error);
        }
        Err(self.failed("writing", &error))
    }

    /// The log is journaled from here on, and may have written before.
    pub(crate) fn join_journal(&self, writer: &mut Writer) {
        writer.joins += 1;
        if writer.active.is_some() && !self.is_gone() {
            self.note_dir(writer);
            let op = Op::Join { segment: writer.end.segment, position: writer.end.position };
            writer.last_lsn = self.shared.journal().queue(&self.me(), &mut writer.raise_slot, op, &[], None);
        }
    }

    /// The log starts at `offset` from here on, and its directory is as it is. Returns the LSN with which that is durable.
    pub(crate) fn note_start(&self, writer: &mut Writer, offset: Offset) -> u64 {
        self.note_dir(writer);
        self.shared.journal().queue(&self.me(), &mut writer.raise_slot, Op::Start { offset }, &[], None)
    }

    /// The log is deleted: a replay is to leave it alone.
    pub(crate) fn note_drop(&self, writer: &mut Writer) {
        self.shared.journal().queue(&self.me(), &mut writer.raise_slot, Op::Drop, &[], None);
    }

    /// The log is deleted: its files are closed, so that their room is free, whoever holds the log itself.
    pub(crate) fn let_go(&self, writer: &mut Writer) {
        writer.active = None;
        self.segments.write().unwrap().clear();
    }

    /// Tells what passes, a full disk or too many open files, from a broken disk, which takes the directory offline.
    fn failed(&self, what: &str, error: &io::Error) -> AppendError {
        if is_passing(error) && !self.shared.is_offline() {
            self.shared.say_no_room("no room for an append: it is refused");
            return if is_out_of_files(error) { AppendError::TooManyFiles } else { AppendError::NoSpace };
        }
        self.shared.go_offline(&format!("{what} of {}", self.dir_name()), error);
        self.shared.refusal().expect("it went offline just now")
    }
}

/// The journal is no help here: a cut that is replayed would take what a relaxed log wrote and flushed behind it.
fn cut_off(file: &dyn File, at: u64) -> io::Result<()> {
    if file.len()? <= at {
        return Ok(());
    }
    file.set_len(at)?;
    file.sync_data()
}
