//! Settings whose value is one of a few words, and how a setting's text becomes a value.
//!
//! Bounds are checked before a text comes here; what is refused here could not be said as a bound.

use super::collector::CollectorUrl;
use super::kinds;
use super::listeners::Endpoint;
use super::pattern::WholePattern;
use storage::{Durability, RecordValidation, TimestampType};

/// The compression in which a topic's batches are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As the producer sent them.
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// How the lines of the broker's log on stderr are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// One JSON object a line.
    Json,
}

/// A type whose values have words.
pub trait Words: Copy + Sized + 'static {
    const WORDS: &'static [&'static str];

    fn word(self) -> &'static str;
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        impl Words for $type {
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn word(self) -> &'static str {
                match self { $( $type::$variant => $word, )+ }
            }
        }

        impl FromSetting for $type {
            fn from_setting(text: Option<&str>) -> Result<Self, String> {
                match text.map(str::trim) {
                    $( Some($word) => Ok($type::$variant), )+
                    _ => Err(format!("one of {}", Self::WORDS.join(", "))),
                }
            }
        }
    };
}

words!(Durability { Durable = "durable", Relaxed = "relaxed" });
words!(LogFormat { Text = "text", Json = "json" });
words!(RecordValidation { Full = "full", Header = "header" });
words!(TimestampType { CreateTime = "CreateTime", LogAppendTime = "LogAppendTime" });
words!(Compression {
    Producer = "producer", Uncompressed = "uncompressed", Gzip = "gzip", Snappy = "snappy", Lz4 = "lz4", Zstd = "zstd"
});

/// A value made from a setting's text; `None` is a setting that nobody set and that has no default. The error says what is allowed.
pub(super) trait FromSetting: Sized {
    fn from_setting(text: Option<&str>) -> Result<Self, String>;
}

macro_rules! numbers {
    ($($type:ty),+) => { $(
        impl FromSetting for $type {
            fn from_setting(text: Option<&str>) -> Result<Self, String> {
                let number = text.and_then(|text| text.trim().parse().ok());
                number.ok_or_else(|| format!("a number from {} to {}", <$type>::MIN, <$type>::MAX))
            }
        }
    )+ };
}

numbers!(i32, i64, u32, u64, usize, f64);

impl FromSetting for bool {
    fn from_setting(text: Option<&str>) -> Result<Self, String> {
        text.and_then(kinds::boolean).ok_or_else(|| "true or false".to_owned())
    }
}

impl FromSetting for String {
    fn from_setting(text: Option<&str>) -> Result<Self, String> {
        text.map(|text| text.trim().to_owned()).ok_or_else(|| "a text".to_owned())
    }
}

impl FromSetting for Vec<String> {
    fn from_setting(text: Option<&str>) -> Result<Self, String> {
        let text = text.ok_or_else(|| "a list".to_owned())?;
        Ok(kinds::without_repeats(&kinds::items(text)).into_iter().map(str::to_owned).collect())
    }
}

impl<T: Optional> FromSetting for Option<T> {
    fn from_setting(text: Option<&str>) -> Result<Self, String> {
        text.map(|text| T::from_setting(Some(text))).transpose()
    }
}

/// Values that may be unset. `Endpoint` is not among them: its absence has a word, `off`.
pub(super) trait Optional: FromSetting {}

impl Optional for i32 {}
impl Optional for u32 {}
impl Optional for i64 {}
impl Optional for usize {}
impl Optional for String {}
impl Optional for Vec<String> {}

impl FromSetting for Option<Endpoint> {
    fn from_setting(text: Option<&str>) -> Result<Self, String> {
        match text.map(str::trim) {
            None | Some("off") => Ok(None),
            Some(text) => Endpoint::parse(text).map(Some).ok_or_else(|| "host:port, or off".to_owned()),
        }
    }
}

impl Optional for WholePattern {}

impl FromSetting for WholePattern {
    fn from_setting(text: Option<&str>) -> Result<Self, String> {
        let pattern = text.and_then(|text| WholePattern::parse(text.trim()));
        pattern.ok_or_else(|| {
            "a regular expression, without references back and without looking around".to_owned()
        })
    }
}

impl FromSetting for Option<CollectorUrl> {
    fn from_setting(text: Option<&str>) -> Result<Self, String> {
        match text.map(str::trim) {
            None | Some("" | "off") => Ok(None),
            Some(text) => {
                let allowed = || "http://host:port, or off; TLS is not spoken here".to_owned();
                CollectorUrl::parse(text).map(Some).ok_or_else(allowed)
            }
        }
    }
}
