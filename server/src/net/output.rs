//! What is decided and not yet sent: pieces of replies in order, written with as few calls as they allow.
//!
//! Neighbouring bytes leave in one vectored write; ranges of segments leave by sendfile, from the page cache to the
//! socket without passing through this process. What is not in the page cache is read into it first, on a thread that may
//! wait for the disk: this one serves others.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use protocol_compat::fetch_encode::Piece;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use storage::{File, Part};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::api::{ColdReads, Frame, Records};

/// Slices in one vectored write.
const SLICES_MAX: usize = 64;
/// Bytes in one sendfile, so that one reader does not keep the worker for long.
const SENDFILE_BYTES_MAX: usize = 1 << 20;

/// Bytes read at a time into the page cache.
const READ_AHEAD_STEP_BYTES: usize = 128 << 10;

#[derive(Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece<Records>>,
    bytes: usize,
    /// Up to where the file in front was seen in the page cache.
    cached_to: u64,
    /// A range of the file in front is being read into the page cache.
    reading: Option<Pin<Box<dyn Future<Output = io::Result<u64>> + Send>>>,
    /// Of these, the bytes that are in this process's memory.
    own_bytes: usize,
}

impl Output {
    /// Queues a reply. A file without a descriptor is read now; should that fail, the connection cannot go on.
    pub(super) fn push(&mut self, frame: Frame) -> io::Result<()> {
        for piece in frame {
            let piece = match piece {
                Piece::Payload(Records(Part::File { file, pos, len })) if file.as_fd().is_none() => {
                    Piece::Bytes(read_range(&*file, pos, len)?)
                }
                Piece::Payload(Records(Part::Bytes(bytes))) => Piece::Bytes(bytes),
                other => other,
            };
            self.bytes += piece_bytes(&piece);
            if let Piece::Bytes(bytes) = &piece {
                self.own_bytes += bytes.len();
            }
            self.pieces.push_back(piece);
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is in this process's memory and not only in a file.
    pub(super) fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// Writes what the socket takes. Ready: something was sent (the count), or there was nothing to send (0).
    pub(super) fn poll_write(
        &mut self,
        stream: &TcpStream,
        cold: &ColdReads,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut sent_bytes = 0;
        while !self.pieces.is_empty() {
            match self.poll_cached(cold, cx) {
                Poll::Ready(cached) => cached?,
                Poll::Pending if sent_bytes > 0 => return Poll::Ready(Ok(sent_bytes)),
                Poll::Pending => return Poll::Pending,
            }
            if sent_bytes > 0 {
                // The rest waits for its own turn once the socket is full; what is sent is sent.
                match stream.poll_write_ready(cx) {
                    Poll::Ready(ready) => ready?,
                    Poll::Pending => return Poll::Ready(Ok(sent_bytes)),
                }
            } else {
                ready!(stream.poll_write_ready(cx))?;
            }
            match stream.try_io(Interest::WRITABLE, || self.send_some(stream)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => sent_bytes += n,
                // Readiness was stale; the next look at it registers this task.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        Poll::Ready(Ok(sent_bytes))
    }

    /// Ready when what is to be sent next waits for no disk.
    fn poll_cached(&mut self, cold: &ColdReads, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Piece::Payload(Records(Part::File { file, pos, len }))) = self.pieces.front() else {
            return Poll::Ready(Ok(()));
        };
        if *pos < self.cached_to {
            return Poll::Ready(Ok(()));
        }
        if self.reading.is_none() {
            let bytes = (*len).min(SENDFILE_BYTES_MAX);
            if file.is_cached(*pos, bytes) {
                self.cached_to = *pos + bytes as u64;
                return Poll::Ready(Ok(()));
            }
            let (file, pos) = (file.clone(), *pos);
            let read = cold.run(move || read_ahead(&file, pos, bytes));
            self.reading = Some(Box::pin(async move { read.await.unwrap_or_else(|| Err(ending())) }));
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(Ok(())) };
        let read = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        self.cached_to = read?;
        Poll::Ready(Ok(()))
    }

    fn send_some(&mut self, stream: &TcpStream) -> io::Result<usize> {
        if let Some(Piece::Payload(Records(Part::File { file, pos, len }))) = self.pieces.front_mut() {
            let most = usize::try_from(self.cached_to.saturating_sub(*pos)).unwrap_or(usize::MAX);
            let sent = send_file(stream, &**file, *pos, (*len).min(most.max(1)))?;
            *pos += sent as u64;
            *len -= sent;
            let done = *len == 0;
            self.bytes -= sent;
            if done {
                self.pieces.pop_front();
                self.cached_to = 0;
            }
            return Ok(sent);
        }
        let sent = self.send_bytes(stream)?;
        self.consume_bytes(sent);
        Ok(sent)
    }

    fn send_bytes(&self, stream: &TcpStream) -> io::Result<usize> {
        let own = |piece: &Piece<Records>| matches!(piece, Piece::Bytes(_));
        let run = self.pieces.iter().take_while(|p| own(p)).take(SLICES_MAX);
        let slices: Vec<IoSlice<'_>> = run
            .filter_map(|piece| match piece {
                Piece::Bytes(bytes) => Some(IoSlice::new(bytes)),
                Piece::Payload(_) => None,
            })
            .collect();
        // A header that a file follows waits for it, or the two would be two packets.
        let more = if slices.len() < self.pieces.len() { SendFlags::MORE } else { SendFlags::empty() };
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT | more;
        Ok(rustix::net::sendmsg(stream.as_fd(), &slices, &mut SendAncillaryBuffer::default(), flags)?)
    }

    fn consume_bytes(&mut self, mut sent: usize) {
        self.bytes -= sent;
        self.own_bytes -= sent;
        while let Some(Piece::Bytes(front)) = self.pieces.front_mut() {
            if sent < front.len() {
                front.advance(sent);
                return;
            }
            sent -= front.len();
            self.pieces.pop_front();
        }
    }
}

fn piece_bytes(piece: &Piece<Records>) -> usize {
    match piece {
        Piece::Bytes(bytes) => bytes.len(),
        Piece::Payload(Records(part)) => part.len(),
    }
}

/// Reads a range so that the page cache has it; up to where it has.
fn read_ahead(file: &Arc<dyn File>, pos: u64, len: usize) -> io::Result<u64> {
    let mut buffer = vec![0; READ_AHEAD_STEP_BYTES.min(len)];
    let end = pos + len as u64;
    let mut at = pos;
    while at < end {
        let wanted = buffer.len().min((end - at) as usize);
        match file.read_at(&mut buffer[..wanted], at)? {
            0 => return Err(shorter_than_planned()),
            n => at += n as u64,
        }
    }
    Ok(end)
}

/// The threads for reading have ended.
fn ending() -> io::Error {
    io::Error::other("the broker stops")
}

fn read_range(file: &dyn File, pos: u64, len: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(len);
    let mut filled = 0;
    while filled < len {
        match file.read_at(&mut buffer[filled..], pos + filled as u64)? {
            0 => return Err(shorter_than_planned()),
            n => filled += n,
        }
    }
    Ok(buffer.freeze())
}

fn send_file(stream: &TcpStream, file: &dyn File, pos: u64, len: usize) -> io::Result<usize> {
    let Some(fd) = file.as_fd() else { return Err(shorter_than_planned()) };
    let mut at = pos;
    match rustix::fs::sendfile(stream.as_fd(), fd, Some(&mut at), len.min(SENDFILE_BYTES_MAX))? {
        0 => Err(shorter_than_planned()),
        sent => Ok(sent),
    }
}

/// The plan was made from what the log knew to be there.
fn shorter_than_planned() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a segment is shorter than its log says; check the disk")
}
