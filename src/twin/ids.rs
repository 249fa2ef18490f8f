//! Random-looking, reproducible identifiers: the same seed gives the same ids in the same order.

use std::collections::HashMap;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A seeded source of ids, one a vendor.
#[derive(Debug)]
pub(super) struct Ids {
    state: u64,
    counters: HashMap<&'static str, u64>,
}

impl Ids {
    /// A source whose ids depend on the seed and on what they are for, so that two vendors never share an id.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let mut state = seed;
        for byte in purpose.bytes() {
            state = state.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte);
        }
        Self { state, counters: HashMap::new() }
    }

    /// The next number of the splitmix64 sequence (Steele, Lea, Flood 2014).
    pub(super) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 20 letters and digits, as HighLevel names contacts, locations, tasks and notes.
    pub(super) fn record(&mut self) -> String {
        self.letters(20)
    }

    /// As many letters and digits as asked for.
    pub(super) fn letters(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(LETTERS[(self.number() % 62) as usize])).collect()
    }

    /// The form of a UUID (version 4), as HighLevel names stages, webhooks and traces.
    pub(super) fn uuid(&mut self) -> String {
        let (high, low) = (self.number(), self.number());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    /// The next of `L-1`, `L-2`, …, as the CASEpeer side names its records.
    pub(super) fn counted(&mut self, prefix: &'static str) -> String {
        let count = self.counters.entry(prefix).or_default();
        *count += 1;
        format!("{prefix}{count}")
    }

    /// 32 bytes, for a signing key.
    pub(super) fn key(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for part in bytes.chunks_exact_mut(8) {
            part.copy_from_slice(&self.number().to_le_bytes());
        }
        bytes
    }
}
