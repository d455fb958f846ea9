//! Durable files on the file systems that this machine has: the one of temporary files, and memory.

use std::path::PathBuf;

use super::*;
use crate::env::{AlignedBuf, Files, RealFiles};

/// A directory for one test, gone with it.
struct TestDir(PathBuf);

impl TestDir {
    /// One on each file system.
    fn each(name: &str) -> Vec<TestDir> {
        let bases = [std::env::temp_dir(), PathBuf::from("/dev/shm")];
        let dirs = bases.into_iter().filter(|base| base.is_dir());
        dirs.map(|base| TestDir::below(&base, name)).collect()
    }

    fn below(base: &Path, name: &str) -> TestDir {
        let path = base.join(format!("storage-durable-{name}-{}", std::process::id()));
        RealFiles::default().create_dir_all(&path).unwrap();
        TestDir(path)
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = RealFiles::default().remove_dir_all(&self.0);
    }
}

fn block(fill: u8) -> AlignedBuf {
    let mut buf = AlignedBuf::new(DIRECT_BLOCK_BYTES);
    buf.extend_from_slice(&[fill; DIRECT_BLOCK_BYTES]);
    buf
}

fn write(file: &dyn File, pos: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(&[IoSlice::new(bytes)], pos)
}

#[test]
fn what_was_written_is_read_through_any_buffer_and_any_handle() {
    for dir in TestDir::each("read") {
        for direct in [false, true] {
            let path = dir.0.join(format!("{direct}"));
            let file = RealFiles::default().open_durable(&path, direct).unwrap();
            // Read before, so that an old page lies in the cache.
            write(&*file, 0, block(1).as_slice()).unwrap();
            assert_eq!(file.read_at(&mut [0; 10], 0).unwrap(), 10);
            let (two, three) = (block(2), block(3));
            file.write_all_at(&[IoSlice::new(two.as_slice()), IoSlice::new(three.as_slice())], 0).unwrap();
            let mut read = [0; 20];
            assert_eq!(file.read_at(&mut read[1..], 4090).unwrap(), 19);
            assert_eq!(read, [0, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
            assert_eq!(file.read_at(&mut read, 8190).unwrap(), 2, "less at the end");
            assert_eq!(file.len().unwrap(), 8192);
            file.set_len(5000).unwrap();
            assert_eq!(RealFiles::default().open_durable(&path, direct).unwrap().len().unwrap(), 5000);
        }
    }
}

#[test]
fn more_slices_than_one_call_takes_arrive_in_their_order() {
    let blocks: Vec<AlignedBuf> = (0..SLICES_PER_WRITE_MAX + 3).map(|n| block(n as u8)).collect();
    let slices: Vec<IoSlice<'_>> = blocks.iter().map(|block| IoSlice::new(block.as_slice())).collect();
    for dir in TestDir::each("slices") {
        let file = RealFiles::default().open_durable(&dir.0.join("a"), true).unwrap();
        file.write_all_at(&slices, 4096).unwrap();
        for (n, written) in blocks.iter().enumerate() {
            let mut read = vec![0; DIRECT_BLOCK_BYTES];
            file.read_at(&mut read, (n as u64 + 1) * 4096).unwrap();
            assert_eq!(read, written.as_slice(), "block {n}");
        }
    }
}

#[test]
fn a_write_that_is_not_aligned_is_refused_on_every_file_system_if_it_was_to_be_direct() {
    let (one, mut two) = (block(1), AlignedBuf::new(8192));
    two.extend_from_slice(&[2; 8192]);
    for dir in TestDir::each("aligned") {
        let direct = RealFiles::default().open_durable(&dir.0.join("direct"), true).unwrap();
        let buffered = RealFiles::default().open_durable(&dir.0.join("buffered"), false).unwrap();
        let wrong = [(512, one.as_slice()), (0, &one.as_slice()[..512]), (0, &two.as_slice()[1..4097])];
        for (pos, bytes) in wrong {
            let refused = write(&*direct, pos, bytes).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            write(&*buffered, pos, bytes).unwrap();
        }
        assert_eq!(direct.len().unwrap(), 0);
        direct.write_all_at(&[], 0).unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test needs a file of the kernel's")]
fn a_file_system_that_refuses_late_gets_buffered_writes_from_then_on() {
    let dir = TestDir::below(&std::env::temp_dir(), "late");
    let mut file = DurableFile::open(&dir.0.join("a"), true).unwrap();
    // A file of the kernel's that takes no write with a flush in it.
    let refusing = std::fs::OpenOptions::new().write(true).open("/proc/self/oom_score_adj").unwrap();
    file.direct = Some(Direct { file: refusing, refused: AtomicBool::new(false) });
    for n in 0..3 {
        write(&file, n * 4096, block(n as u8 + 1).as_slice()).unwrap();
        assert!(file.direct.as_ref().unwrap().refused.load(Ordering::Acquire));
    }
    let mut read = vec![0; 3 * 4096];
    assert_eq!(file.read_at(&mut read, 0).unwrap(), read.len());
    assert_eq!((read[0], read[4096], read[8192]), (1, 2, 3));
}

#[test]
fn another_error_is_no_refusal() {
    let dir = TestDir::below(&std::env::temp_dir(), "error");
    let path = dir.0.join("a");
    let mut file = DurableFile::open(&path, true).unwrap();
    // Opened for reading only.
    let read_only = rustix::fs::open(&path, OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    file.direct = Some(Direct { file: read_only.into(), refused: AtomicBool::new(false) });
    let error = write(&file, 0, block(1).as_slice()).unwrap_err();
    assert_eq!(Errno::from_io_error(&error), Some(Errno::BADF));
    assert_eq!(file.len().unwrap(), 0, "nothing was written another way");
}

#[test]
fn a_whole_file_system_is_flushed_through_a_descriptor_that_stays() {
    for dir in TestDir::each("sync") {
        let files = RealFiles::default();
        files.sync_fs(&dir.0).unwrap();
        files.remove_dir_all(&dir.0).unwrap();
        files.sync_fs(&dir.0).unwrap();
        let fresh = RealFiles::default().sync_fs(&dir.0).unwrap_err();
        assert_eq!(fresh.kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn a_boot_has_one_name() {
    let id = RealFiles::default().boot_id();
    assert_eq!(id, RealFiles::default().boot_id());
    assert!(id.is_none_or(|id| id.len() == 36 && id.trim() == id));
}
