//! A buffer that a direct write takes: its address is a multiple of [`DIRECT_BLOCK_BYTES`].
//!
//! Invariants: the memory is taken once and never moves; what was never written was never touched, so that a large
//! buffer costs pages only as far as it is used; everything below the length was written by the owner or is zero. It
//! must not know what the bytes mean.

use std::ops::Range;

/// What address, position and length of a direct write are multiples of.
pub const DIRECT_BLOCK_BYTES: usize = 4096;

pub struct AlignedBuf {
    /// Longer than the capacity by what the first bytes may be off the mark.
    memory: Vec<u8>,
    start: usize,
    len: usize,
    capacity: usize,
}

impl AlignedBuf {
    /// Room for `capacity` bytes, rounded up to whole blocks. That is all it ever has.
    pub fn new(capacity: usize) -> AlignedBuf {
        let capacity = capacity.next_multiple_of(DIRECT_BLOCK_BYTES);
        // Zeroed by the allocator, which hands out fresh pages untouched.
        let memory = vec![0; capacity + DIRECT_BLOCK_BYTES - 1];
        let start = memory.as_ptr().align_offset(DIRECT_BLOCK_BYTES);
        AlignedBuf { memory, start, len: 0, capacity }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    /// Bytes that are there already, to be changed in place.
    ///
    /// # Panics
    /// If the range ends beyond the length.
    pub fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(range.end <= self.len, "{range:?} of {} bytes", self.len);
        &mut self.memory[self.start + range.start..self.start + range.end]
    }

    /// # Panics
    /// If there is no room: whoever fills the buffer asks for its capacity first.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.grow(bytes.len()).copy_from_slice(bytes);
    }

    /// Fills up with zeros to the next multiple of `multiple`.
    ///
    /// # Panics
    /// If there is no room, which cannot be when `multiple` divides the capacity.
    pub fn pad_to(&mut self, multiple: usize) {
        let missing = self.len.next_multiple_of(multiple) - self.len;
        // An earlier use may have left its bytes here.
        self.grow(missing).fill(0);
    }

    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    fn grow(&mut self, by: usize) -> &mut [u8] {
        assert!(by <= self.capacity - self.len, "{by} more than {} of {} bytes", self.len, self.capacity);
        let from = self.start + self.len;
        self.len += by;
        &mut self.memory[from..from + by]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_multiple_of_the_block_wherever_the_memory_lies() {
        let bufs: Vec<AlignedBuf> = [1, 4095, 4096, 4097, 100_000, 1 << 20].map(AlignedBuf::new).into();
        for (mut buf, capacity) in bufs.into_iter().zip([4096, 4096, 4096, 8192, 102_400, 1 << 20]) {
            assert_eq!(buf.capacity(), capacity);
            buf.extend_from_slice(&vec![7; capacity]);
            let moved = Box::new(buf);
            assert_eq!(moved.as_slice().as_ptr().addr() % DIRECT_BLOCK_BYTES, 0);
            assert_eq!(moved.as_slice(), vec![7; capacity]);
        }
    }

    #[test]
    fn padding_is_zero_even_where_an_earlier_use_left_bytes() {
        let mut buf = AlignedBuf::new(8192);
        buf.extend_from_slice(&[7; 8000]);
        buf.clear();
        assert!(buf.is_empty());
        buf.pad_to(4096);
        assert_eq!(buf.len(), 0, "nothing needs no padding");
        buf.extend_from_slice(&[1, 2, 3]);
        buf.pad_to(4096);
        assert_eq!(buf.len(), 4096);
        assert_eq!(&buf.as_slice()[..4], &[1, 2, 3, 0]);
        assert!(buf.as_slice()[3..].iter().all(|byte| *byte == 0));
        buf.pad_to(4096);
        assert_eq!(buf.len(), 4096, "what is whole stays as it is");
    }

    #[test]
    fn bytes_change_in_place() {
        let mut buf = AlignedBuf::new(10);
        buf.extend_from_slice(b"abcdef");
        buf.bytes_mut(2..4).copy_from_slice(b"XY");
        assert_eq!(buf.as_slice(), b"abXYef");
    }

    #[test]
    #[should_panic(expected = "3..7 of 6 bytes")]
    fn bytes_that_are_not_there_cannot_change() {
        let mut buf = AlignedBuf::new(10);
        buf.extend_from_slice(b"abcdef");
        buf.bytes_mut(3..7);
    }

    #[test]
    #[should_panic(expected = "1 more than 4096 of 4096 bytes")]
    fn it_never_moves_to_find_room() {
        let mut buf = AlignedBuf::new(4096);
        buf.extend_from_slice(&[0; 4096]);
        buf.extend_from_slice(&[0]);
    }
}
