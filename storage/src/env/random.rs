//! Randomness: the kernel's for ids, a seeded one for simulations.

use std::sync::Mutex;

pub trait Random: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);

    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The kernel's generator.
pub struct RealRandom;

impl Random for RealRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the kernel for randomness"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no id is safe to make, and no caller could do anything about it.
        getrandom::fill(bytes).expect("the kernel gives random bytes");
    }
}

/// SplitMix64: small, good enough for simulations, and the same on every machine. Never for ids that count.
pub struct SimRandom {
    state: Mutex<u64>,
}

impl SimRandom {
    pub fn new(seed: u64) -> SimRandom {
        SimRandom { state: Mutex::new(seed) }
    }

    /// A number below `bound`, which must not be zero. The slight bias towards small ones does not matter to a simulation.
    pub fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound
    }
}

impl Random for SimRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    fn next_u64(&self) -> u64 {
        let mut state = self.state.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
