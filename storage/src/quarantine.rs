//! The file `<base>.quarantine` beside a segment: bytes that were taken out of it because they are no batches, so that
//! nothing is lost for good that a person might read yet.
//!
//! Layout: pieces, each of magic 8, position u64 (in the segment as it was), length u64, the offset that was due i64,
//! the offset that follows i64, CRC-32C u32 of all that, then the bytes. Big endian. Invariants: a piece is on the disk
//! before its bytes leave the segment; a gap in the segment's offsets is one that a piece names. A last piece that is
//! not whole is what a crash left: its bytes still stand in the segment.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf, BufMut};

use crate::env::{File, Files, OpenMode};
use crate::ids::Offset;

pub(crate) const QUARANTINE_SUFFIX: &str = "quarantine";
const MAGIC: &[u8; 8] = b"OTTLAQRN";
pub(crate) const HEAD_BYTES: usize = 44;
const COPY_BYTES: usize = 256 << 10;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) position: u64,
    pub(crate) bytes: u64,
    /// The offset that was due where the piece stood, and the one that the log goes on with.
    pub(crate) due: Offset,
    pub(crate) next: Offset,
}

impl Piece {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES);
        out.put_slice(MAGIC);
        out.put_u64(self.position);
        out.put_u64(self.bytes);
        out.put_i64(self.due.0);
        out.put_i64(self.next.0);
        out.put_u32(crc32c::crc32c(&out));
        out
    }

    pub(crate) fn decode(head: &[u8; HEAD_BYTES]) -> Option<Piece> {
        let (body, crc) = head.split_last_chunk::<4>()?;
        let mut rest = body.strip_prefix(MAGIC)?;
        let piece = Piece {
            position: rest.get_u64(),
            bytes: rest.get_u64(),
            due: Offset(rest.get_i64()),
            next: Offset(rest.get_i64()),
        };
        (crc32c::crc32c(body) == u32::from_be_bytes(*crc)).then_some(piece)
    }
}

/// The pieces of a segment, as far as they can be read, and where they end in the file.
#[derive(Default)]
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) end: u64,
}

impl Pieces {
    pub(crate) fn read(files: &dyn Files, path: &Path) -> io::Result<Pieces> {
        let file = match files.open(path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pieces::default()),
            Err(error) => return Err(error),
        };
        let (len, mut found) = (file.len()?, Pieces::default());
        let mut head = [0; HEAD_BYTES];
        while file.read_at(&mut head, found.end)? == HEAD_BYTES {
            let Some(piece) = Piece::decode(&head) else { break };
            let end = piece.bytes.checked_add(found.end + HEAD_BYTES as u64);
            let Some(end) = end.filter(|end| *end <= len) else { break };
            found.pieces.push(piece);
            found.end = end;
        }
        Ok(found)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter()
    }

    /// Where the log goes on at `due`, if something was taken out there.
    pub(crate) fn next_of(&self, due: Offset) -> Option<Offset> {
        self.pieces
            .iter()
            .rev()
            .map(|piece| (piece.due, piece.next))
            .find(|(d, n)| *d == due && n > d)
            .map(|(_, n)| n)
    }
}

/// Keeps a copy of a piece of `from`; it is on the disk, but for its name, when this returns. Doing it twice, as after
/// a crash, keeps one.
pub(crate) fn keep(files: &dyn Files, path: &Path, piece: &Piece, from: &Arc<dyn File>) -> io::Result<()> {
    let known = Pieces::read(files, path)?;
    let file = files.open(path, OpenMode::Create)?;
    if !known.pieces.contains(piece) {
        file.set_len(known.end)?;
        file.write_all_at(&[IoSlice::new(&piece.encode())], known.end)?;
        copy(from, piece.position, piece.bytes, &file, known.end + HEAD_BYTES as u64)?;
    }
    file.sync_data()
}

/// Copies a range of a file with a bounded buffer.
pub(crate) fn copy(
    from: &Arc<dyn File>,
    mut at: u64,
    bytes: u64,
    to: &Arc<dyn File>,
    mut to_at: u64,
) -> io::Result<()> {
    let end = at + bytes;
    let mut buffer = vec![0; COPY_BYTES.min(bytes as usize)];
    while at < end {
        let wanted = buffer.len().min((end - at) as usize);
        let n = from.read_at(&mut buffer[..wanted], at)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(&[IoSlice::new(&buffer[..n])], to_at)?;
        (at, to_at) = (at + n as u64, to_at + n as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SimFiles;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(position: u64, bytes: u64, due: i64, next: i64, bit in 0..HEAD_BYTES * 8) {
            let piece = Piece { position, bytes, due: Offset(due), next: Offset(next) };
            let mut head: [u8; HEAD_BYTES] = piece.encode().try_into().unwrap();
            prop_assert_eq!(Piece::decode(&head), Some(piece));
            head[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Piece::decode(&head), None);
        }
    }

    #[test]
    fn a_piece_is_kept_once_and_a_torn_one_replaced() {
        let (files, path) = (SimFiles::new(1), Path::new("/0.quarantine"));
        let from = files.open(Path::new("/0.log"), OpenMode::Create).unwrap();
        from.write_all_at(&[IoSlice::new(&[7; 300])], 0).unwrap();
        let piece = |position, bytes| Piece { position, bytes, due: Offset(3), next: Offset(5) };
        keep(&files, path, &piece(10, 100), &from).unwrap();
        keep(&files, path, &piece(10, 100), &from).unwrap();
        assert_eq!(files.content(path).unwrap().len(), HEAD_BYTES + 100);
        let torn = files.open(path, OpenMode::Write).unwrap();
        torn.write_all_at(&[IoSlice::new(&piece(110, 90).encode())], HEAD_BYTES as u64 + 100).unwrap();
        keep(&files, path, &piece(200, 50), &from).unwrap();
        let found = Pieces::read(&files, path).unwrap();
        assert_eq!(found.pieces, [piece(10, 100), piece(200, 50)]);
        assert_eq!(files.content(path).unwrap().len() as u64, found.end);
        assert_eq!((found.next_of(Offset(3)), found.next_of(Offset(4))), (Some(Offset(5)), None));
    }
}
