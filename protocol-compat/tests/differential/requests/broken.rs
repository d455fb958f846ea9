//! Frames that are wrong as frames: cut short, with bytes behind them, of versions and keys that are not there, with
//! single bytes changed.

use super::script::{SERVED, Script, header, header_with};
use protocol_compat::versions::{API_VERSIONS_KEY, api_info};
use std::collections::BTreeMap;

/// Changed bytes of each version of each API that only reads.
const CHANGES: usize = 4;

pub(super) fn all(script: &mut Script) {
    let seeds = seeds(script);
    for ((key, version), frame) in &seeds {
        let name = |what: String| format!("{} {version}: {what}", api_info(*key).expect("served").name);
        let body = header(*key, *version).len();
        for cut in [body, body + (frame.len() - body) / 2, frame.len() - 1] {
            if (body..frame.len()).contains(&cut) {
                script.add(
                    name(format!("cut at {} of {}", cut - body, frame.len() - body)),
                    *key,
                    *version,
                    frame[..cut].to_vec(),
                );
            }
        }
        script.add(name("a byte behind it".to_owned()), *key, *version, [&frame[..], &[0]].concat());
        script.add(name("bytes behind it".to_owned()), *key, *version, [&frame[..], &[0xFF; 9]].concat());
        if matches!(key, 2 | 3 | 18 | 23 | 60 | 75) {
            changed(script, &name, *key, *version, frame, body);
        }
    }
    for key in SERVED {
        let api = api_info(*key).expect("served");
        for version in [api.min - 1, api.max + 1, 99, -1, i16::MIN, i16::MAX] {
            script.add(
                format!("{} {version}: no such version", api.name),
                *key,
                version,
                header(*key, version),
            );
        }
    }
    for key in [-1, 4, 5, 6, 7, 93, 94, 999, i16::MIN, i16::MAX] {
        script.add(format!("key {key}"), key, 0, header(key, 0));
    }
    headers(script);
}

/// The first request of each version.
fn seeds(script: &Script) -> BTreeMap<(i16, i16), Vec<u8>> {
    let mut seeds = BTreeMap::new();
    for case in script.cases() {
        seeds.entry((case.key, case.version)).or_insert_with(|| case.frame.clone());
    }
    seeds
}

fn changed(
    script: &mut Script,
    name: &dyn Fn(String) -> String,
    key: i16,
    version: i16,
    frame: &[u8],
    body: usize,
) {
    let length = frame.len() - body;
    for number in 0..CHANGES.min(length) {
        let at = body + number * length / CHANGES.min(length);
        for value in [0x00, 0x7F, 0x80, 0xFF] {
            let mut frame = frame.to_vec();
            if frame[at] != value {
                frame[at] = value;
                script.add(name(format!("byte {} is {value:#x}", at - body)), key, version, frame);
            }
        }
    }
}

fn headers(script: &mut Script) {
    let key = API_VERSIONS_KEY;
    let mut add = |what: &str, version: i16, frame: Vec<u8>| {
        script.add(format!("header, {what}"), key, version, frame);
    };
    add("null client id", 0, header_with(key, 0, None));
    add("empty client id", 0, header_with(key, 0, Some(b"")));
    add("long client id", 0, header_with(key, 0, Some(&[b'c'; 3_000])));
    add("client id that is no text", 0, header_with(key, 0, Some(&[0xFF, 0xFE])));
    add("nothing", 0, Vec::new());
    for length in 1..12 {
        add(&format!("{length} bytes"), 0, header_with(key, 0, None)[..length.min(10)].to_vec());
    }
    let mut overlong = header_with(key, 0, None);
    let at = overlong.len() - 2;
    overlong[at..].copy_from_slice(&500i16.to_be_bytes());
    add("a client id that is not there", 0, overlong.clone());
    overlong[at..].copy_from_slice(&(-7i16).to_be_bytes());
    add("a client id of negative length", 0, overlong);
    let tags: [(&str, &[u8]); 4] = [
        ("a tag", &[1, 50, 2, 9, 9]),
        ("a tag twice", &[2, 50, 1, 9, 50, 1, 9]),
        ("a tag cut short", &[1, 50, 200, 1]),
        ("many tags", &[0xFF, 0xFF, 0xFF, 0xFF, 0x07]),
    ];
    for (what, tags) in tags {
        // Metadata of a flexible version, all topics; the tags stand where the header has none otherwise.
        let mut frame = header_with(3, 12, Some(b"tags"));
        frame.pop();
        frame.extend(tags);
        frame.extend([0, 0, 0, 0]);
        script.add(format!("header, {what}"), 3, 12, frame);
    }
}
