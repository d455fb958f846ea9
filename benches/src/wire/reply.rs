//! Replies, read as far as the harness needs them.
//!
//! Invariant: an error code other than zero anywhere in a reply is an error here, so that no row counts a refusal as
//! work done. Counts from the wire are never used to reserve memory.

use anyhow::{Context, Result, bail, ensure};

use super::Api;

/// A cursor over a reply with Kafka's primitive types.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            bail!("the reply ends early: {len} bytes wanted, {} left", self.rest.len());
        };
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    pub(crate) fn i8(&mut self) -> Result<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(crate) fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn uvarint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.array::<1>()?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("a varint of more than ten bytes")
    }

    /// The length of a compact array, string or bytes; null counts as empty.
    pub(crate) fn compact_len(&mut self) -> Result<usize> {
        Ok((self.uvarint()? as usize).saturating_sub(1))
    }

    pub(crate) fn compact_string(&mut self) -> Result<String> {
        let len = self.compact_len()?;
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    fn skip_compact(&mut self) -> Result<()> {
        let len = self.compact_len()?;
        self.take(len).map(drop)
    }

    pub(crate) fn tags(&mut self) -> Result<()> {
        for _ in 0..self.uvarint()? {
            self.uvarint()?;
            let len = self.uvarint()? as usize;
            self.take(len)?;
        }
        Ok(())
    }

    /// The reply's header, whose correlation id must be the request's.
    fn header(&mut self, correlation_id: i32, with_tags: bool) -> Result<()> {
        let got = self.i32()?;
        ensure!(got == correlation_id, "reply to request {got} where {correlation_id} was next");
        if with_tags {
            self.tags()?;
        }
        Ok(())
    }
}

fn no_error(what: &str, code: i16) -> Result<()> {
    ensure!(code == 0, "{what} was answered with error code {code}");
    Ok(())
}

/// The APIs that a broker serves, as (key, lowest version, highest version).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served(Vec<(i16, i16, i16)>);

impl Served {
    pub(crate) fn serves(&self, api: Api) -> bool {
        self.0.iter().any(|&(key, low, high)| key == api.key && (low..=high).contains(&api.version))
    }
}

pub(crate) fn api_versions(reply: &[u8], correlation_id: i32) -> Result<Served> {
    let mut r = Reader::new(reply);
    r.header(correlation_id, false)?;
    no_error("ApiVersions", r.i16()?)?;
    let mut served = Vec::new();
    for _ in 0..r.i32()? {
        served.push((r.i16()?, r.i16()?, r.i16()?));
    }
    Ok(Served(served))
}

/// CreateTopics of one topic: its error code, with the broker's words.
pub(crate) fn create_topic(reply: &[u8], correlation_id: i32) -> Result<(i16, String)> {
    let mut r = Reader::new(reply);
    r.header(correlation_id, true)?;
    r.i32()?; // throttle time
    ensure!(r.compact_len()? == 1, "CreateTopics answered for another number of topics than one");
    r.skip_compact()?; // name
    Ok((r.i16()?, r.compact_string()?))
}

pub(crate) fn alter_topic(reply: &[u8], correlation_id: i32) -> Result<i16> {
    let mut r = Reader::new(reply);
    r.header(correlation_id, true)?;
    r.i32()?; // throttle time
    ensure!(r.compact_len()? == 1, "IncrementalAlterConfigs answered for another number of topics than one");
    r.i16()
}

/// What Metadata told of the brokers and of the one topic asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub brokers: usize,
    /// Partitions that have a leader.
    pub led_partitions: usize,
}

pub(crate) fn metadata(reply: &[u8], correlation_id: i32) -> Result<Metadata> {
    let mut r = Reader::new(reply);
    r.header(correlation_id, true)?;
    r.i32()?; // throttle time
    let brokers = r.compact_len()?;
    for _ in 0..brokers {
        r.i32()?; // node id
        r.skip_compact()?; // host
        r.i32()?; // port
        r.skip_compact()?; // rack
        r.tags()?;
    }
    r.skip_compact()?; // cluster id
    r.i32()?; // controller
    let mut led_partitions = 0;
    for _ in 0..r.compact_len()? {
        r.i16()?; // the error of a topic that is still being made
        r.skip_compact()?; // name
        r.i8()?; // internal
        for _ in 0..r.compact_len()? {
            led_partitions += usize::from(partition_is_led(&mut r)?);
        }
        r.i32()?; // operations on the topic
        r.tags()?;
    }
    Ok(Metadata { brokers, led_partitions })
}

fn partition_is_led(r: &mut Reader<'_>) -> Result<bool> {
    let error = r.i16()?;
    r.i32()?; // index
    let leader = r.i32()?;
    r.i32()?; // leader epoch
    for _replica_list in 0..3 {
        for _ in 0..r.compact_len()? {
            r.i32()?;
        }
    }
    r.tags()?;
    Ok(error == 0 && leader >= 0)
}

/// Produce to one partition: its base offset.
pub(crate) fn produce(reply: &[u8], correlation_id: i32) -> Result<i64> {
    let mut r = Reader::new(reply);
    r.header(correlation_id, true)?;
    ensure!(r.compact_len()? == 1, "Produce answered for another number of topics than one");
    r.skip_compact()?; // name
    ensure!(r.compact_len()? == 1, "Produce answered for another number of partitions than one");
    r.i32()?; // index
    no_error("Produce", r.i16()?)?;
    r.i64()
}

/// The part of a Fetch reply of one partition that stands before its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FetchHead {
    pub high_watermark: i64,
    /// Bytes of this head itself, up to the first byte of the records.
    pub head_bytes: usize,
    pub records_bytes: usize,
}

/// The longest head that the harness's own topics can bring: one topic with a short name, no aborted transactions.
pub(crate) const FETCH_HEAD_BYTES_MAX: usize = 256;

pub(crate) fn fetch_head(reply: &[u8], correlation_id: i32) -> Result<FetchHead> {
    let mut r = Reader::new(reply);
    ensure!(r.fetched(correlation_id)? == 1, "Fetch answered for another number of partitions than one");
    let (high_watermark, records_bytes) = r.fetched_partition()?;
    Ok(FetchHead { high_watermark, head_bytes: reply.len() - r.remaining(), records_bytes })
}

/// Fetch of so many partitions of one topic, none of which may have failed.
pub(crate) fn fetch_all(reply: &[u8], correlation_id: i32, partitions: usize) -> Result<()> {
    let mut r = Reader::new(reply);
    let answered = r.fetched(correlation_id)?;
    ensure!(answered == partitions, "Fetch answered for {answered} partitions, not for {partitions}");
    for _ in 0..partitions {
        let (_, records_bytes) = r.fetched_partition()?;
        r.take(records_bytes)?;
        r.tags()?;
    }
    Ok(())
}

impl Reader<'_> {
    /// A reply to Fetch of one topic, up to its partitions: how many they are.
    fn fetched(&mut self, correlation_id: i32) -> Result<usize> {
        self.header(correlation_id, true)?;
        self.i32()?; // throttle time
        no_error("Fetch", self.i16()?)?;
        self.i32()?; // session id
        ensure!(self.compact_len()? == 1, "Fetch answered for another number of topics than one");
        self.skip_compact()?; // name
        self.compact_len()
    }

    /// A partition's part up to its records: the high watermark, and how many bytes of records follow.
    fn fetched_partition(&mut self) -> Result<(i64, usize)> {
        self.i32()?; // index
        no_error("Fetch of the partition", self.i16()?)?;
        let high_watermark = self.i64()?;
        self.i64()?; // last stable offset
        self.i64()?; // log start offset
        ensure!(self.compact_len()? == 0, "aborted transactions in a topic without transactions");
        self.i32()?; // preferred read replica
        Ok((high_watermark, self.compact_len()?))
    }
}

/// FindCoordinator of one group: its error code.
pub(crate) fn find_coordinator(reply: &[u8], correlation_id: i32) -> Result<i16> {
    let mut r = Reader::new(reply);
    r.header(correlation_id, true)?;
    r.i32()?; // throttle time
    ensure!(r.compact_len()? == 1, "FindCoordinator answered for another number of groups than one");
    r.skip_compact()?; // key
    r.i32()?; // node id
    r.skip_compact()?; // host
    r.i32()?; // port
    r.i16()
}

/// Partitions by topics' ids, in the broker's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub topics: Vec<([u8; 16], Vec<i32>)>,
}

impl Assigned {
    pub(crate) fn first_partition(&self) -> Option<i32> {
        self.topics.iter().find_map(|(_, partitions)| partitions.first().copied())
    }
}

/// What a member of a group is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupHeartbeat {
    pub epoch: i32,
    /// Where the broker says it.
    pub assigned: Option<Assigned>,
}

/// The coordinator is not there yet: it loads, or its partition was made a moment ago.
const LATER: [i16; 3] = [14, 15, 16];

pub(crate) fn group_heartbeat(reply: &[u8], correlation_id: i32) -> Result<GroupHeartbeat> {
    group_heartbeat_or_later(reply, correlation_id)?.context("a coordinator that has served is gone")
}

/// None from a coordinator that is not there yet.
pub(crate) fn group_heartbeat_or_later(reply: &[u8], correlation_id: i32) -> Result<Option<GroupHeartbeat>> {
    let mut r = Reader::new(reply);
    r.header(correlation_id, true)?;
    r.i32()?; // throttle time
    let code = r.i16()?;
    let words = r.compact_string()?;
    if LATER.contains(&code) {
        return Ok(None);
    }
    ensure!(code == 0, "ConsumerGroupHeartbeat was answered with error code {code}: {words}");
    r.skip_compact()?; // member
    let epoch = r.i32()?;
    r.i32()?; // heartbeat interval
    if r.i8()? < 0 {
        return Ok(Some(GroupHeartbeat { epoch, assigned: None }));
    }
    let mut assigned = Assigned::default();
    for _ in 0..r.compact_len()? {
        let id = r.array()?;
        let mut partitions = Vec::new();
        for _ in 0..r.compact_len()? {
            partitions.push(r.i32()?);
        }
        r.tags()?;
        partitions.sort_unstable();
        assigned.topics.push((id, partitions));
    }
    Ok(Some(GroupHeartbeat { epoch, assigned: Some(assigned) }))
}

/// OffsetCommit of one partition.
pub(crate) fn offset_commit(reply: &[u8], correlation_id: i32) -> Result<()> {
    let mut r = Reader::new(reply);
    r.header(correlation_id, true)?;
    r.i32()?; // throttle time
    ensure!(r.compact_len()? == 1, "OffsetCommit answered for another number of topics than one");
    r.skip_compact()?; // name
    ensure!(r.compact_len()? == 1, "OffsetCommit answered for another number of partitions than one");
    r.i32()?; // index
    no_error("OffsetCommit", r.i16()?)
}
