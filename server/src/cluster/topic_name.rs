//! Which names a topic may have: Kafka's rules.

/// Longest legal name; a partition's directory name must fit a file system's 255 bytes.
pub const NAME_BYTES_MAX: usize = 249;

/// Why a name is refused, in words for the client.
pub fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the topic name is empty".to_owned());
    }
    if name == "." || name == ".." {
        return Err(format!("the topic name cannot be \"{name}\""));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("the topic name has {} characters, {NAME_BYTES_MAX} are allowed", name.len()));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err(format!(
            "the topic name {name:?} has characters other than ASCII letters, digits, '.', '_' and '-'"
        ));
    }
    Ok(())
}

/// Names that differ only in `.` and `_` would share a name in metrics; Kafka refuses the second of them.
pub fn collision_key(name: &str) -> String {
    name.replace('.', "_")
}

/// The log of the metadata itself: no topic may have this name, whose directory it lives in.
pub const METADATA: &str = "__cluster_metadata";

/// Topics that clients may neither create nor write: they belong to the broker's coordinators.
pub fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_rules() {
        for good in ["a", "A.b_c-9", &"x".repeat(249), "..."] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", "a:b", &"x".repeat(250)] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert_eq!(collision_key("a.b"), collision_key("a_b"));
    }
}
