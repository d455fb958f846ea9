//! Snapshots as files: every image comes back, no damage is believed, and no crash costs more than the newest of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use storage::env::SimFiles;
use storage::{Files, TopicId};

use std::io::IoSlice;
use std::path::Path;

use storage::env::OpenMode;

use super::super::quota::{Entity, Name};
use super::super::records::{
    BrokerStarted, FeatureLevelSet, GroupConfigured, TopicConfigured, TopicGrown, TopicPurged,
};
use super::*;

const DIR: &str = "/data/__cluster_metadata-0";

/// A few topics that are created, configured, deleted and purged in any order.
fn record() -> impl Strategy<Value = Record> {
    let id = (0u8..6).prop_map(|n| TopicId([n; 16]));
    let configs = prop::collection::btree_map("[a-c]", "[x-z]{0,3}", 0..3);
    prop_oneof![
        Just(BrokerStarted { node_id: 1 }.into()),
        (id.clone(), 1u32..9, configs).prop_map(|(id, partitions, configs)| {
            // A name of its own: `command` gives no name twice.
            TopicCreated { id, name: format!("topic.{}", id.0[0]), partitions, configs }.into()
        }),
        (id.clone(), prop::collection::btree_map("[a-c]", any::<Option<u8>>(), 0..3)).prop_map(
            |(id, changes)| {
                let text = |(name, value): (String, Option<u8>)| (name, value.map(|v| v.to_string()));
                TopicConfigured { id, changes: changes.into_iter().map(text).collect() }.into()
            }
        ),
        ("[gh]", prop::collection::btree_map("[a-c]", any::<Option<u8>>(), 0..3)).prop_map(
            |(group, changes)| {
                let text = |(name, value): (String, Option<u8>)| (name, value.map(|v| v.to_string()));
                GroupConfigured { group, changes: changes.into_iter().map(text).collect() }.into()
            }
        ),
        ("[st]", prop::collection::btree_map("[a-c]", any::<Option<u8>>(), 0..3)).prop_map(
            |(subscription, changes)| {
                let text = |(name, value): (String, Option<u8>)| (name, value.map(|v| v.to_string()));
                let changes = changes.into_iter().map(text).collect();
                ClientMetricsConfigured { subscription, changes }.into()
            }
        ),
        ("[ef]", 0u32..3, 0i64..9).prop_map(|(feature, level, epoch)| FeatureLevelSet {
            feature,
            level,
            epoch
        }
        .into()),
        (prop::option::of(1i32..3), prop::collection::btree_map("[a-c]", any::<Option<u8>>(), 0..3))
            .prop_map(|(node_id, changes)| {
                let text = |(name, value): (String, Option<u8>)| (name, value.map(|v| v.to_string()));
                BrokerConfigured { node_id, changes: changes.into_iter().map(text).collect() }.into()
            }),
        ("[uv]", 0usize..Key::ALL.len(), 0u8..3).prop_map(|(user, key, value)| {
            let entity = Entity { user: Some(Name::of(Some(&user))), ..Entity::default() };
            ClientQuotaAltered { entity, key: Key::ALL[key], value: Value::new(f64::from(value)) }.into()
        }),
        (id.clone(), 1u32..20).prop_map(|(id, partitions)| TopicGrown { id, partitions }.into()),
        id.clone().prop_map(|id| TopicDeleted { id }.into()),
        id.prop_map(|id| TopicPurged { id }.into()),
        (0i64..1 << 40).prop_map(|next| ProducerIdsReserved { next }.into()),
    ]
}

/// Creation of a topic that is there, or still being deleted, is a command that nobody gets through.
fn image(records: Vec<Record>) -> Image {
    let mut image = Image::default();
    for record in records {
        let is_there = |id| image.topic_by_id(id).is_some() || image.deleting().any(|topic| topic.id == id);
        if !matches!(&record, Record::TopicCreated(created) if is_there(created.id)) {
            apply(&mut image, record);
        }
    }
    image
}

proptest! {
    #[test]
    fn an_image_is_what_its_snapshot_makes(records in prop::collection::vec(record(), 0..60), next in 0i64..1 << 50) {
        let image = image(records);
        let bytes = file::encode(Offset(next), &records_of(&image));
        let (read, records) = file::decode(&bytes).expect("whole");
        prop_assert_eq!((read, image_of(records)), (Offset(next), image));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = file::decode(&bytes);
        // The same with a magic in front and a checksum that is right, so that what they guard is reached.
        let mut sealed = [&b"OTTLAIMG\x00\x01"[..], &bytes].concat();
        sealed.extend(crc32c::crc32c(&sealed).to_be_bytes());
        let _ = file::decode(&sealed);
    }

    #[test]
    fn a_file_cut_short_is_refused(records in prop::collection::vec(record(), 0..20), cut in 1usize..60) {
        let bytes = file::encode(Offset(1), &records_of(&image(records)));
        let kept = bytes.len().saturating_sub(cut);
        prop_assert_eq!(file::decode(&bytes[..kept]), Err(Damage::Broken));
    }
}

fn small_image() -> Image {
    let configs = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    image(vec![
        BrokerStarted { node_id: 1 }.into(),
        TopicCreated { id: TopicId([7; 16]), name: "ab".to_owned(), partitions: 3, configs }.into(),
    ])
}

/// The bytes that later versions have to read.
#[test]
fn golden() {
    let bytes = file::encode(Offset(258), &records_of(&small_image()));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = [
        "4f54544c41494d47", // OTTLAIMG
        "0001",
        "0000000000000102",
        "00000003",
        "00000007 00070000000001",
        "0000000b 000500 0000000000000000",
        "0000002b 000200",
        &"07".repeat(16),
        "00000002 6162 00000003 00000001 00000001 6b 00000001 76",
        "789f7757",
    ];
    assert_eq!(hex, expected.concat().replace(' ', ""));
    assert_eq!(file::name_of(Offset(258)), "00000000000000000258.image");
    assert_eq!(file::offset_in("00000000000000000258.image"), Some(Offset(258)));
    for other in
        ["258.image", "00000000000000000258.log", "+0000000000000000258.image", "99999999999999999999.image"]
    {
        assert_eq!(file::offset_in(other), None, "{other}");
    }
}

#[test]
fn every_wrong_bit_is_seen() {
    let bytes = file::encode(Offset(258), &records_of(&small_image()));
    for at in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[at / 8] ^= 1 << (at % 8);
        assert_eq!(file::decode(&wrong), Err(Damage::Broken), "bit {at}");
    }
}

#[test]
fn what_is_newer_is_refused_and_not_guessed_at() {
    let mut bytes = file::encode(Offset(1), &[]);
    bytes[9] = 2;
    let body = bytes.len() - 4;
    let crc = crc32c::crc32c(&bytes[..body]).to_be_bytes();
    bytes[body..].copy_from_slice(&crc);
    assert_eq!(file::decode(&bytes), Err(Damage::Newer(2)));
    let (env, files) = world(1);
    let path = Path::new(DIR).join(file::name_of(Offset(1)));
    let newer = files.open(&path, OpenMode::Create).unwrap();
    newer.write_all_at(&[IoSlice::new(&bytes)], 0).unwrap();
    let refused = load(&env, 0, 9).err().map(|error| error.to_string());
    assert!(refused.unwrap().contains("newer Ottla, start that version"));
}

fn world(seed: u64) -> (Env, SimFiles) {
    let (env, files, _clock) = Env::simulated(seed);
    files.create_dir_all(Path::new(DIR)).unwrap();
    files.sync_dir(Path::new("/data")).unwrap();
    files.sync_dir(Path::new("/")).unwrap();
    (env, files)
}

fn load(env: &Env, start: i64, end: i64) -> Result<(Snapshots, Loaded), SnapshotError> {
    Snapshots::load(env.clone(), PathBuf::from(DIR), Offset(start), Offset(end))
}

/// An image that tells by itself how far it goes.
fn image_at(next: i64) -> Image {
    image(vec![ProducerIdsReserved { next }.into()])
}

fn expect(loaded: &Loaded, next: i64) {
    assert_eq!(*loaded, Loaded { image: image_at(next), next: Offset(next) });
}

#[test]
fn the_last_two_are_kept_and_the_newest_counts() {
    let (env, files) = world(1);
    let (snapshots, loaded) = load(&env, 0, 0).unwrap();
    assert_eq!(loaded, Loaded { image: Image::default(), next: Offset(0) });
    for next in [10, 20, 30] {
        snapshots.write(&image_at(next), Offset(next), 0).unwrap();
    }
    assert_eq!(snapshots.covered(), Some(Offset(20)));
    let names: Vec<_> = files.list(Path::new(DIR)).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["00000000000000000020.image", "00000000000000000030.image"]);
    let (snapshots, loaded) = load(&env, 0, 30).unwrap();
    expect(&loaded, 30);
    assert_eq!(snapshots.covered(), Some(Offset(20)));
}

#[test]
fn damage_costs_the_snapshot_that_has_it() {
    let (env, files) = world(2);
    let (snapshots, _) = load(&env, 0, 0).unwrap();
    for next in [10, 20] {
        snapshots.write(&image_at(next), Offset(next), 0).unwrap();
    }
    let path = |next| Path::new(DIR).join(file::name_of(Offset(next)));
    files.flip_bit(&path(20), 25, 3).unwrap();
    let (snapshots, loaded) = load(&env, 10, 30).unwrap();
    expect(&loaded, 10);
    assert!(snapshots.is_due(1), "the next one is written at once");
    assert_eq!(snapshots.covered(), None, "the log is needed from the first one on");
    snapshots.write(&image_at(30), Offset(30), 1).unwrap();
    assert!(!files.exists(&path(20)), "what is damaged goes");
    expect(&load(&env, 10, 30).unwrap().1, 30);
    for next in [10, 30] {
        files.flip_bit(&path(next), 25, 3).unwrap();
    }
    assert_eq!(load(&env, 0, 30).unwrap().1.next, Offset(0), "the log has all");
    let refused = load(&env, 10, 30).err().map(|error| error.to_string());
    assert!(refused.unwrap().contains("begins at offset 10"), "the log has not all");
}

#[test]
fn a_snapshot_knows_what_the_log_lost() {
    let (env, files) = world(3);
    let (snapshots, _) = load(&env, 0, 0).unwrap();
    snapshots.write(&image_at(10), Offset(10), 0).unwrap();
    snapshots.write(&image_at(20), Offset(20), 0).unwrap();
    let (snapshots, loaded) = load(&env, 0, 15).unwrap();
    assert_eq!(loaded, Loaded { image: image_at(20), next: Offset(15) });
    assert!(!files.exists(&Path::new(DIR).join(file::name_of(Offset(20)))));
    drop(snapshots);
    assert_eq!(load(&env, 0, 16).unwrap().1, loaded, "what comes now stands behind it");
}

#[test]
fn one_is_due_when_the_log_has_grown() {
    let (env, files) = world(4);
    let (snapshots, _) = load(&env, 0, 0).unwrap();
    assert!(!snapshots.is_due(GROWTH_BYTES_MIN - 1));
    assert!(snapshots.is_due(GROWTH_BYTES_MIN));
    snapshots.write(&image_at(1), Offset(1), GROWTH_BYTES_MIN).unwrap();
    assert!(!snapshots.is_due(2 * GROWTH_BYTES_MIN - 1));
    assert!(snapshots.is_due(2 * GROWTH_BYTES_MIN));
    files.fail_writes(true);
    assert!(snapshots.write(&image_at(2), Offset(2), 2 * GROWTH_BYTES_MIN).is_err());
    assert!(!snapshots.is_due(2 * GROWTH_BYTES_MIN), "a full disk is not asked all the time");
    files.fail_writes(false);
    let topics = (0..100_000u32).map(|n| {
        let id = TopicId(u128::from(n).to_be_bytes());
        TopicCreated { id, name: format!("topic-{n}"), partitions: 1, configs: BTreeMap::new() }.into()
    });
    let large = image_of(topics.collect());
    snapshots.write(&large, Offset(3), 3 * GROWTH_BYTES_MIN).unwrap();
    assert!(!snapshots.is_due(4 * GROWTH_BYTES_MIN), "a large image is not written for little");
}

#[test]
fn the_power_may_go_at_any_moment() {
    for operations in 0.. {
        let (env, files) = world(operations);
        let (snapshots, _) = load(&env, 0, 0).unwrap();
        for next in [10, 20] {
            snapshots.write(&image_at(next), Offset(next), 0).unwrap();
        }
        files.cut_power_after(operations);
        let written = snapshots.write(&image_at(30), Offset(30), 0).is_ok();
        let is_over = !files.power_is_out();
        files.crash();
        let (snapshots, loaded) = load(&env, 0, 30).unwrap();
        let newest = loaded.next.0;
        assert!(newest == 30 || !written && newest == 20, "{newest} after {operations} operations");
        expect(&loaded, newest);
        // The next life goes on from whatever is there.
        snapshots.write(&image_at(40), Offset(40), 0).unwrap();
        assert_eq!(snapshots.covered(), Some(Offset(newest)));
        if is_over {
            assert!(written && operations > 4, "the whole of it was played");
            return;
        }
    }
}
