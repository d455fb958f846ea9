//! Kafka's error codes: number, name, and whether a client that sees one tries again.
//!
//! Generated from Kafka's jar. This is the wire's list only; which internal error maps to which code is decided where
//! the errors are.

macro_rules! error_codes {
    ($($variant:ident = $code:literal, $name:literal, $retriable:literal;)*) => {
        /// An error code of the protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        pub enum ErrorCode {
            $($variant = $code,)*
        }

        impl ErrorCode {
            /// All of them, by rising code.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)*];

            /// The name that Kafka's documentation and clients use.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ErrorCode::$variant => $name,)*
                }
            }

            /// Whether Kafka's clients take it as passing and try again.
            pub const fn is_retriable(self) -> bool {
                match self {
                    $(ErrorCode::$variant => $retriable,)*
                }
            }

            /// The error with this number, if this release has it.
            pub const fn from_code(code: i16) -> Option<ErrorCode> {
                match code {
                    $($code => Some(ErrorCode::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

include!("generated/errors.rs");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_agree_with_the_protocol() {
        for (error, code, name, retriable) in [
            (ErrorCode::UnknownServerError, -1, "UNKNOWN_SERVER_ERROR", false),
            (ErrorCode::None, 0, "NONE", false),
            (ErrorCode::UnknownTopicOrPartition, 3, "UNKNOWN_TOPIC_OR_PARTITION", true),
            (ErrorCode::UnsupportedVersion, 35, "UNSUPPORTED_VERSION", false),
            (ErrorCode::KafkaStorageError, 56, "KAFKA_STORAGE_ERROR", true),
            (ErrorCode::InvalidRecord, 87, "INVALID_RECORD", false),
            (ErrorCode::UnknownTopicId, 100, "UNKNOWN_TOPIC_ID", true),
        ] {
            assert_eq!((error.code(), error.name(), error.is_retriable()), (code, name, retriable));
        }
    }

    #[test]
    fn every_code_is_found_again() {
        assert!(ErrorCode::ALL.len() > 130);
        assert!(ErrorCode::ALL.is_sorted());
        for &error in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_code(error.code()), Some(error));
        }
        assert_eq!(ErrorCode::from_code(i16::MAX), None);
        assert_eq!(ErrorCode::from_code(-2), None);
    }
}
