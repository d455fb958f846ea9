//! A number that only rises, and those who wait for it: the high watermark as fetches and coordinators see it.
//!
//! Invariants: a waiter registered before a raise is woken by it; a dropped [`Waiter`] leaves nothing behind. It must
//! not know what the number means, nor which executor waits.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// Clones watch the same number.
#[derive(Clone)]
pub struct Watch {
    shared: Arc<Shared>,
}

struct Shared {
    value: AtomicI64,
    /// Set when the number will not rise any more: all waits end.
    closed: AtomicBool,
    wakers: Mutex<Wakers>,
}

#[derive(Default)]
struct Wakers {
    owned: HashMap<u64, Waker>,
    /// Of those who polled without a [`Waiter`]; one entry a task.
    unowned: Vec<Waker>,
    next_id: u64,
}

impl Watch {
    pub(crate) fn new(value: i64) -> Watch {
        let (value, closed) = (AtomicI64::new(value), AtomicBool::new(false));
        Watch { shared: Arc::new(Shared { value, closed, wakers: Mutex::default() }) }
    }

    pub fn value(&self) -> i64 {
        self.shared.value.load(Ordering::SeqCst)
    }

    /// True once the log is deleted or closed; a poll is then always ready.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::SeqCst)
    }

    /// Ready when the number is above `value` (or will never be); otherwise the waker is kept until the next raise, or
    /// until [`Watch::forget`]. Whoever may give up waiting takes a [`Waiter`] instead, which cleans up after itself.
    pub fn poll_above(&self, cx: &mut Context<'_>, value: i64) -> Poll<()> {
        if self.is_above(value) {
            return Poll::Ready(());
        }
        {
            let mut wakers = self.shared.wakers.lock().unwrap();
            if !wakers.unowned.iter().any(|waker| waker.will_wake(cx.waker())) {
                wakers.unowned.push(cx.waker().clone());
            }
        }
        self.poll_again(value)
    }

    /// Takes back what `poll_above` registered for this task.
    pub fn forget(&self, waker: &Waker) {
        self.shared.wakers.lock().unwrap().unowned.retain(|kept| !kept.will_wake(waker));
    }

    /// A place to wait in, which is given up by dropping it.
    pub fn waiter(&self) -> Waiter {
        Waiter { watch: self.clone(), id: None }
    }

    /// Resolves when the number is above `value`, or will never be.
    pub fn above(&self, value: i64) -> Above {
        Above { waiter: self.waiter(), value }
    }

    pub(crate) fn raise(&self, value: i64) {
        if self.shared.value.fetch_max(value, Ordering::SeqCst) < value {
            self.wake_all();
        }
    }

    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    fn wake_all(&self) {
        let (owned, unowned) = {
            let mut wakers = self.shared.wakers.lock().unwrap();
            (std::mem::take(&mut wakers.owned), std::mem::take(&mut wakers.unowned))
        };
        owned.into_values().chain(unowned).for_each(Waker::wake);
    }

    fn is_above(&self, value: i64) -> bool {
        self.value() > value || self.is_closed()
    }

    /// The second look, after registering: a raise in between found nobody to wake.
    fn poll_again(&self, value: i64) -> Poll<()> {
        if self.is_above(value) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// One waiting place at a [`Watch`].
pub struct Waiter {
    watch: Watch,
    id: Option<u64>,
}

impl Waiter {
    /// As [`Watch::poll_above`], the waker belonging to this waiter.
    pub fn poll_above(&mut self, cx: &mut Context<'_>, value: i64) -> Poll<()> {
        if self.watch.is_above(value) {
            return Poll::Ready(());
        }
        {
            let mut wakers = self.watch.shared.wakers.lock().unwrap();
            let id = *self.id.get_or_insert_with(|| {
                wakers.next_id += 1;
                wakers.next_id
            });
            wakers.owned.insert(id, cx.waker().clone());
        }
        self.watch.poll_again(value)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.watch.shared.wakers.lock().unwrap().owned.remove(&id);
        }
    }
}

/// See [`Watch::above`].
pub struct Above {
    waiter: Waiter,
    value: i64,
}

impl Future for Above {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let value = self.value;
        self.waiter.poll_above(cx, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn entries(watch: &Watch) -> usize {
        let wakers = watch.shared.wakers.lock().unwrap();
        wakers.owned.len() + wakers.unowned.len()
    }

    #[test]
    fn wakes_once_per_raise_and_never_falls() {
        let (watch, count) = (Watch::new(5), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        assert!(watch.poll_above(&mut cx, 4).is_ready());
        assert_eq!(entries(&watch), 0, "who need not wait is not registered");
        assert!(watch.poll_above(&mut cx, 5).is_pending());
        assert!(watch.poll_above(&mut cx, 5).is_pending());
        assert_eq!(entries(&watch), 1);
        watch.raise(5);
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        watch.raise(7);
        watch.raise(6);
        assert_eq!((watch.value(), count.0.load(Ordering::SeqCst)), (7, 1));
    }

    #[test]
    fn a_dropped_waiter_leaves_nothing() {
        let watch = Watch::new(0);
        let mut cx = Context::from_waker(Waker::noop());
        let (mut one, mut two) = (watch.above(0), watch.above(0));
        assert!(Pin::new(&mut one).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut two).poll(&mut cx).is_pending());
        assert_eq!(entries(&watch), 2);
        drop(one);
        assert_eq!(entries(&watch), 1);
        drop(two);
        assert_eq!(entries(&watch), 0);
        assert!(watch.poll_above(&mut cx, 0).is_pending());
        watch.forget(cx.waker());
        assert_eq!(entries(&watch), 0);
    }

    #[test]
    fn closing_ends_every_wait() {
        let watch = Watch::new(0);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(watch.poll_above(&mut cx, 0).is_pending());
        watch.close();
        assert!(watch.poll_above(&mut cx, i64::MAX).is_ready());
    }
}
