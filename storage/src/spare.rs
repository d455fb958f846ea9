//! Descriptors held back, so that a flush and a checkpoint find some when logs and clients have taken all others.
//!
//! Without a checkpoint the journal fills up, and then the logs that are open stand as well. Invariant: while the
//! reserve is not whole, no file is made for a log, so that what was lent comes back. It must not know what is opened
//! in its place.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::env::{File, Files, OpenMode};
use crate::error::is_out_of_files;

/// A checkpoint opens its files one by one; some more are for other threads that come in between.
const HELD: usize = 4;

pub(crate) struct Spare {
    files: Arc<dyn Files>,
    /// Any file that is there.
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Vec<Arc<dyn File>>,
    is_lent: bool,
}

impl Spare {
    pub(crate) fn new(files: Arc<dyn Files>, path: PathBuf) -> Spare {
        Spare { files, path, state: Mutex::default() }
    }

    /// Makes the reserve whole. An error says that descriptors are too few for anything new.
    pub(crate) fn keep(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.is_lent {
            return Err(rustix::io::Errno::MFILE.into());
        }
        while state.held.len() < HELD {
            state.held.push(self.files.open(&self.path, OpenMode::Read)?);
        }
        Ok(())
    }

    /// Does `work`, with the reserve where there is no other descriptor for it.
    pub(crate) fn lend_if_short<T>(&self, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match work() {
            Err(error) if is_out_of_files(&error) => self.lend(work),
            done => done,
        }
    }

    /// Gives the reserve to `work`.
    fn lend<T>(&self, work: impl FnOnce() -> T) -> T {
        let lend = |is_lent| {
            let mut state = self.state.lock().unwrap();
            state.is_lent = is_lent;
            state.held.clear();
        };
        lend(true);
        let done = work();
        lend(false);
        // If others were quicker, whoever needs a new file tries again.
        let _ = self.keep();
        done
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::env::SimFiles;

    #[test]
    fn nothing_new_is_made_while_it_is_lent() {
        let (files, path) = (SimFiles::new(1), Path::new("/lock"));
        files.open(path, OpenMode::Create).unwrap();
        let spare = Spare::new(Arc::new(files.clone()), path.to_owned());
        spare.keep().unwrap();
        assert_eq!(spare.state.lock().unwrap().held.len(), HELD);
        spare.lend(|| {
            assert!(spare.state.lock().unwrap().held.is_empty());
            assert!(is_out_of_files(&spare.keep().unwrap_err()));
        });
        assert_eq!(spare.state.lock().unwrap().held.len(), HELD, "it is taken back");
        files.kill();
        files.remove_file(path).unwrap();
        spare.lend(|| ());
        assert!(spare.keep().is_err(), "not whole, and said so");
    }
}
