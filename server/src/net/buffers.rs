//! Receive buffers: one per worker thread, borrowed for a turn, so that an idle connection owns none.

use std::cell::RefCell;

use bytes::BytesMut;

/// Bytes read from a socket at a time. Larger steps leave the L2 cache and cost twice.
pub(super) const READ_STEP_BYTES: usize = 256 << 10;
/// A partial frame smaller than this is copied out, and the large buffer stays with its thread.
pub(super) const COPY_OUT_BELOW_BYTES: usize = 16 << 10;
/// A buffer that grew beyond this for one large frame is given back to the allocator.
const KEEP_BYTES_MAX: usize = 2 << 20;

thread_local! {
    static SPARE: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// Makes `received` ready for a read. A connection without a buffer takes its thread's.
pub(super) fn borrow(received: &mut BytesMut, room: usize) {
    if received.capacity() - received.len() < room && received.len() < COPY_OUT_BELOW_BYTES {
        let mut spare = SPARE.with_borrow_mut(std::mem::take);
        // Reclaims the whole allocation when the frames cut from it are gone, which is nearly always.
        // One size for all, or each longer partial frame would ask for a new allocation.
        spare.reserve(room.max(READ_STEP_BYTES) + COPY_OUT_BELOW_BYTES);
        spare.extend_from_slice(received);
        *received = spare;
    }
    received.reserve(room);
}

/// Gives the buffer back at the end of a turn, keeping only the bytes of a partial frame.
pub(super) fn give_back(received: &mut BytesMut) {
    if received.len() >= COPY_OUT_BELOW_BYTES || received.capacity() == 0 {
        return;
    }
    let partial = if received.is_empty() { BytesMut::new() } else { BytesMut::from(&received[..]) };
    let mut spare = std::mem::replace(received, partial);
    spare.clear();
    if spare.capacity() <= KEEP_BYTES_MAX {
        SPARE.with_borrow_mut(|kept| {
            if kept.capacity() < spare.capacity() {
                *kept = spare;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_owns_no_buffer_and_a_partial_frame_survives() {
        let mut received = BytesMut::new();
        borrow(&mut received, READ_STEP_BYTES);
        assert!(received.capacity() >= READ_STEP_BYTES);
        give_back(&mut received);
        assert_eq!(received.capacity(), 0);

        borrow(&mut received, READ_STEP_BYTES);
        received.extend_from_slice(b"part");
        give_back(&mut received);
        assert_eq!(&received[..], b"part");
        assert!(received.capacity() < 1024);
        borrow(&mut received, READ_STEP_BYTES);
        assert_eq!(&received[..], b"part");
    }

    #[test]
    fn a_large_partial_frame_stays_where_it_is() {
        let mut received = BytesMut::new();
        borrow(&mut received, READ_STEP_BYTES);
        received.extend_from_slice(&[7; COPY_OUT_BELOW_BYTES]);
        let at = received.as_ptr();
        give_back(&mut received);
        assert_eq!((received.as_ptr(), received.len()), (at, COPY_OUT_BELOW_BYTES));
    }
}
