//! Sealing what is stored: AES-256-GCM-SIV (RFC 8452) under keys with ids, and keyed fingerprints of what is looked up.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// The form of a sealed value: this byte, the key id's length, the key id, the nonce, the ciphertext with its tag.
const FORM: u8 = 1;

/// The keys of an installation: the first seals, any opens.
pub struct Keyring {
    keys: Vec<Key>,
    /// Made of the oldest key; used until a store gives the one it keeps.
    derived: Zeroizing<[u8; KEY_BYTES]>,
    kept: OnceLock<Zeroizing<[u8; KEY_BYTES]>>,
}

struct Key {
    id: String,
    key: LessSafeKey,
}

/// Why a keyring could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Nothing to seal with.
    #[error("no key to seal stored data with")]
    None,
    /// Two keys have one id.
    #[error("two keys are called `{0}`")]
    Duplicate(String),
    /// An id that a row cannot carry.
    #[error("a key id has 1 to 64 characters")]
    Id,
}

/// A sealed value that cannot be opened: another key, another row, or changed bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotOpen {
    /// No key of this id is configured.
    #[error("stored data is sealed with the key `{0}`, which crypto.keys does not list")]
    UnknownKey(String),
    /// The bytes do not belong here.
    #[error("stored data cannot be opened: it was changed, moved, or sealed with another key of the same id")]
    Mismatch,
}

/// Where a sealed value lives: table, column and row. A value moved elsewhere does not open.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row.
    pub row: &'a str,
}

impl Keyring {
    /// A keyring of these ids and keys; the first one seals.
    pub fn new(
        keys: impl IntoIterator<Item = (String, Zeroizing<[u8; KEY_BYTES]>)>,
    ) -> Result<Self, InvalidKeys> {
        let keys: Vec<_> = keys.into_iter().collect();
        // The oldest key names fingerprints, so that a new one before it does not change what is looked up.
        let (_, oldest) = keys.last().ok_or(InvalidKeys::None)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&oldest[..]).expect("HMAC takes a key of any length");
        mac.update(b"casebridge fingerprints 1");
        let derived = Zeroizing::new(mac.finalize().into_bytes().into());
        let mut ring: Vec<Key> = Vec::with_capacity(keys.len());
        for (id, secret) in &keys {
            if id.is_empty() || id.len() > 64 {
                return Err(InvalidKeys::Id);
            }
            if ring.iter().any(|key| key.id == *id) {
                return Err(InvalidKeys::Duplicate(id.clone()));
            }
            let key = UnboundKey::new(&AES_256_GCM_SIV, &secret[..]).expect("32 bytes are an AES-256 key");
            ring.push(Key { id: id.clone(), key: LessSafeKey::new(key) });
        }
        Ok(Self { keys: ring, derived, kept: OnceLock::new() })
    }

    /// The id of the key that seals.
    pub fn active(&self) -> &str {
        &self.keys[0].id
    }

    /// The ids of all keys, the active one first.
    pub fn ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.id.clone()).collect()
    }

    /// What every value begins with that the active key seals, and no other.
    pub fn beginning(&self) -> Vec<u8> {
        beginning(self.active())
    }

    /// The same of every key, with its id.
    pub fn beginnings(&self) -> Vec<(String, Vec<u8>)> {
        self.keys.iter().map(|key| (key.id.clone(), beginning(&key.id))).collect()
    }

    /// What fingerprints are keyed by. A store keeps it, sealed, so that it outlives the key it was made from.
    pub(crate) fn fingerprint_key(&self) -> &Zeroizing<[u8; KEY_BYTES]> {
        self.kept.get().unwrap_or(&self.derived)
    }

    /// Keys fingerprints by what the store keeps; the first store of a keyring decides.
    pub(crate) fn adopt_fingerprint_key(&self, key: Zeroizing<[u8; KEY_BYTES]>) {
        let _ = self.kept.set(key);
    }

    /// Seals a value for one place.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let Key { id, key } = &self.keys[0];
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).expect("the system gives random bytes");
        let mut sealed =
            Vec::with_capacity(2 + id.len() + NONCE_LEN + plain.len() + AES_256_GCM_SIV.tag_len());
        sealed.extend(beginning(id));
        sealed.extend(nonce);
        let start = sealed.len();
        sealed.extend(plain);
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.aad(id)),
                &mut sealed[start..],
            )
            .expect("a value shorter than 64 GiB");
        sealed.extend(tag.as_ref());
        sealed
    }

    /// Opens a value that was sealed for this place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let (head, rest) = sealed.split_at_checked(2).ok_or(CannotOpen::Mismatch)?;
        if head[0] != FORM {
            return Err(CannotOpen::Mismatch);
        }
        let (id, rest) = rest.split_at_checked(usize::from(head[1])).ok_or(CannotOpen::Mismatch)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(CannotOpen::Mismatch)?;
        let id = std::str::from_utf8(id).map_err(|_| CannotOpen::Mismatch)?;
        let key = self.keys.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| CannotOpen::UnknownKey(id.to_owned()))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CannotOpen::Mismatch)?;
        let mut buffer = sealed.to_vec();
        let opened = key.key.open_in_place(nonce, Aad::from(place.aad(id)), &mut buffer);
        let length = opened.map_err(|_| CannotOpen::Mismatch)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// A keyed hash, for looking a value up without storing it. `purpose` keeps uses apart.
    pub fn fingerprint(&self, purpose: &'static str, value: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.fingerprint_key()[..])
            .expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(value);
        mac.finalize().into_bytes().into()
    }
}

fn beginning(id: &str) -> Vec<u8> {
    let mut bytes = vec![FORM, u8::try_from(id.len()).expect("a key id is short")];
    bytes.extend(id.as_bytes());
    bytes
}

impl Place<'_> {
    fn aad(&self, key_id: &str) -> Vec<u8> {
        [self.table, self.row, self.column, key_id].join("\0").into_bytes()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

/// A fresh random key.
pub fn random_key() -> Zeroizing<[u8; KEY_BYTES]> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(&mut key[..]).expect("the system gives random bytes");
    key
}

/// A number from 0 to 1, for jitter.
pub fn random_fraction() -> f64 {
    let mut bytes = [0; 4];
    rand::fill(&mut bytes).expect("the system gives random bytes");
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[(&str, u8)]) -> Keyring {
        Keyring::new(ids.iter().map(|(id, byte)| ((*id).to_owned(), Zeroizing::new([*byte; 32])))).unwrap()
    }

    const PLACE: Place<'_> = Place { table: "payload", column: "body", row: "1" };

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let ring = ring(&[("k1", 1)]);
        let sealed = ring.seal(PLACE, b"Ada");
        assert_eq!(ring.open(PLACE, &sealed).unwrap(), b"Ada");
        assert_eq!(ring.open(Place { row: "2", ..PLACE }, &sealed), Err(CannotOpen::Mismatch));
        assert!(!sealed.windows(3).any(|window| window == b"Ada"));
        assert_ne!(sealed, ring.seal(PLACE, b"Ada"), "two seals of one value differ");
    }

    #[test]
    fn a_new_key_in_front_still_opens_what_the_old_one_sealed() {
        let (old, both) = (ring(&[("k1", 1)]), ring(&[("k2", 2), ("k1", 1)]));
        let sealed = old.seal(PLACE, b"Ada");
        assert_eq!(both.open(PLACE, &sealed).unwrap(), b"Ada");
        assert_eq!(old.open(PLACE, &both.seal(PLACE, b"x")), Err(CannotOpen::UnknownKey("k2".into())));
        assert_eq!(old.fingerprint("phone", b"1"), both.fingerprint("phone", b"1"));
        assert_ne!(old.fingerprint("phone", b"1"), old.fingerprint("email", b"1"));
    }

    #[test]
    fn rubbish_does_not_open() {
        let ring = ring(&[("k1", 1)]);
        for bytes in [&b""[..], &[1], &[1, 200, 3], &[9; 60], &ring.seal(PLACE, b"x")[..20]] {
            assert!(ring.open(PLACE, bytes).is_err());
        }
    }

    #[test]
    fn a_keyring_needs_distinct_keys() {
        assert_eq!(Keyring::new([]).map(|_| ()), Err(InvalidKeys::None));
        let twice = [("a".to_owned(), random_key()), ("a".to_owned(), random_key())];
        assert_eq!(Keyring::new(twice).map(|_| ()), Err(InvalidKeys::Duplicate("a".into())));
    }
}
