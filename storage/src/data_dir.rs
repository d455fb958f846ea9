//! skeleton, being filled
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::io;
use crate::*;
/// Who flushes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Flushing { Thread, Manual }
#[derive(Clone, Debug)]
pub struct DataDirOptions { pub cluster_id: Option<String>, pub node_id: i32, pub flushing: Flushing, pub checkpoint_interval: Duration }
impl Default for DataDirOptions { fn default() -> Self { DataDirOptions { cluster_id: None, node_id: 1, flushing: Flushing::Thread, checkpoint_interval: Duration::from_secs(60) } } }
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties { pub cluster_id: String, pub node_id: i32, pub directory_id: TopicId }
pub struct DataDir;
#[allow(unused_variables)]
impl DataDir {
    pub fn open(env: Env, path: PathBuf, options: DataDirOptions) -> Result<Arc<DataDir>, OpenError> { todo!() }
    pub fn path(&self) -> &Path { todo!() }
    pub fn meta(&self) -> &MetaProperties { todo!() }
    pub fn logs_on_disk(&self) -> Vec<(String, Option<LogId>)> { todo!() }
    pub fn open_log(&self, id: LogId, dir_name: &str, config: LogConfig, epoch: LeaderEpoch) -> Result<Arc<Log>, OpenError> { todo!() }
    pub fn delete_log(&self, log: &Log) -> io::Result<()> { todo!() }
    pub fn stray(&self, dir_name: &str) -> io::Result<()> { todo!() }
    pub fn close(&self) { todo!() }
    pub fn is_offline(&self) -> bool { todo!() }
    pub fn free_bytes(&self) -> io::Result<u64> { todo!() }
}
