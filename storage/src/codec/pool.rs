//! Contexts and buffers of the codecs, kept by each thread for the next batch.
//!
//! Making a context costs more than decoding a small batch with it. Invariants: a thread keeps at most
//! [`KEPT_PER_THREAD_MAX`] of a kind, and none that has grown beyond what its kind allows; what is taken again holds
//! nothing of its last use that anybody could read.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// A batch needs one of a kind; a batch that is compressed anew needs one of each side.
const KEPT_PER_THREAD_MAX: usize = 2;

pub(super) type Shelf<T> = RefCell<Vec<T>>;

/// What a thread may keep.
pub(super) trait Kept: Sized + 'static {
    fn shelf<R>(with: impl FnOnce(&Shelf<Self>) -> R) -> Option<R>;

    /// Whether it is small enough to be kept.
    fn is_small(&self) -> bool;
}

/// Something that goes back to its thread's shelf.
pub(super) struct Pooled<T: Kept> {
    /// `None` only while it is dropped.
    item: Option<T>,
}

impl<T: Kept> Pooled<T> {
    /// One that suits, or a new one.
    pub(super) fn get<E>(
        suits: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Pooled<T>, E> {
        let kept = T::shelf(|shelf| {
            let mut shelf = shelf.borrow_mut();
            let place = shelf.iter().position(suits)?;
            Some(shelf.swap_remove(place))
        });
        let item = match kept.flatten() {
            Some(kept) => kept,
            None => make()?,
        };
        Ok(Pooled { item: Some(item) })
    }
}

impl<T: Kept> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.item.as_ref().expect("it is taken out by drop alone")
    }
}

impl<T: Kept> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.item.as_mut().expect("it is taken out by drop alone")
    }
}

impl<T: Kept> Drop for Pooled<T> {
    fn drop(&mut self) {
        let Some(mine) = self.item.take().filter(T::is_small) else { return };
        // A thread that ends has no shelf any more.
        let _ = T::shelf(|shelf| {
            let mut shelf = shelf.borrow_mut();
            if shelf.len() == KEPT_PER_THREAD_MAX {
                shelf.remove(0);
            }
            shelf.push(mine);
        });
    }
}

/// Gives a type its shelf.
macro_rules! kept {
    ($type:ty, |$this:ident| $is_small:expr) => {
        impl $crate::codec::pool::Kept for $type {
            fn shelf<R>(with: impl FnOnce(&$crate::codec::pool::Shelf<Self>) -> R) -> Option<R> {
                thread_local! {
                    static SHELF: $crate::codec::pool::Shelf<$type> =
                        const { std::cell::RefCell::new(Vec::new()) };
                }
                SHELF.try_with(with).ok()
            }

            fn is_small(&self) -> bool {
                let $this = self;
                $is_small
            }
        }
    };
}

pub(super) use kept;

/// A buffer that has grown larger is not kept.
const BUFFER_KEPT_BYTES_MAX: usize = 256 << 10;

pub(super) struct Bytes(Vec<u8>);

kept!(Bytes, |this| this.0.capacity() <= BUFFER_KEPT_BYTES_MAX);

/// An empty buffer, with the room that its last user made.
pub(crate) struct Buffer(Pooled<Bytes>);

impl Buffer {
    pub(crate) fn get() -> Buffer {
        let made = || Ok::<_, std::convert::Infallible>(Bytes(Vec::new()));
        let Ok(mut pooled) = Pooled::get(|_| true, made);
        pooled.0.clear();
        Buffer(pooled)
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty_and_large_ones_go() {
        let mut buffer = Buffer::get();
        buffer.resize(1000, 7);
        let place = buffer.as_ptr();
        drop(buffer);
        let again = Buffer::get();
        assert_eq!((again.len(), again.as_ptr()), (0, place));
        let mut large = Buffer::get();
        large.reserve(BUFFER_KEPT_BYTES_MAX + 1);
        drop(large);
        drop(again);
        let kept =
            Bytes::shelf(|shelf| shelf.borrow().iter().map(|kept| kept.0.capacity()).collect::<Vec<_>>());
        assert!(kept.unwrap().iter().all(|bytes| *bytes <= BUFFER_KEPT_BYTES_MAX));
    }

    #[test]
    fn a_thread_keeps_few() {
        let many: Vec<Buffer> = (0..10).map(|_| Buffer::get()).collect();
        drop(many);
        assert_eq!(Bytes::shelf(|shelf| shelf.borrow().len()), Some(KEPT_PER_THREAD_MAX));
    }
}
