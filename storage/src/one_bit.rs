//! One wrong bit, found through the checksum that it broke.
//!
//! A power cut leaves whole sectors unwritten: a message whose checksum is off by exactly one bit's worth was whole
//! once, and a disk or a memory harmed it since. Checksums are linear, so the difference between the one stored and the
//! one computed tells the bit. This module must not know whose bytes these are.

/// Where the wrong bit is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum WrongBit {
    /// In the checksum itself: the message is right.
    Checksum,
    /// This many bits before the message's last, in the order in which a checksum takes them.
    Message(u64),
}

/// CRC-32C's polynomial, lowest power in the highest bit.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Which one bit of a message of `bytes` bytes makes two checksums differ by `difference`: the flipped bit was pushed
/// through the register as often as bits follow it.
pub(crate) fn find(difference: u32, bytes: u64) -> Option<WrongBit> {
    if difference.count_ones() == 1 {
        return Some(WrongBit::Checksum);
    }
    let mut register = 1u32;
    let step = |_: &u64| {
        register = (register >> 1) ^ (if register & 1 == 1 { POLYNOMIAL } else { 0 });
        register == difference
    };
    (0..bytes * 8).find(step).map(WrongBit::Message)
}

/// Turns the one wrong bit of a message back, if that is all that is wrong with it.
pub(crate) fn mend(message: &mut [u8], stored: u32, computed: u32) -> bool {
    match find(stored ^ computed, message.len() as u64) {
        Some(WrongBit::Message(behind)) => {
            let byte = message.len() - 1 - (behind / 8) as usize;
            message[byte] ^= 0x80 >> (behind % 8);
            true
        }
        Some(WrongBit::Checksum) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn one_wrong_bit_is_told_from_more_and_mended(
            bytes in proptest::collection::vec(any::<u8>(), 1..300),
            at: prop::sample::Index,
            other: prop::sample::Index,
        ) {
            let whole = crc32c::crc32c(&bytes);
            let (one, two) = (at.index(bytes.len() * 8), other.index(bytes.len() * 8));
            let mut harmed = bytes.clone();
            harmed[one / 8] ^= 1 << (one % 8);
            let mut mended = harmed.clone();
            prop_assert!(mend(&mut mended, whole, crc32c::crc32c(&harmed)));
            prop_assert_eq!(&mended, &bytes);
            prop_assert!(mend(&mut mended, whole ^ (1 << (one % 32)), whole), "the checksum's own bit");
            prop_assert_eq!(&mended, &bytes);
            harmed[two / 8] ^= 1 << (two % 8);
            prop_assert_eq!(find(whole ^ crc32c::crc32c(&harmed), bytes.len() as u64), None);
        }
    }
}
