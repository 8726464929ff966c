//! Random bytes, keyed MACs, encryption at rest, constant-time equality.
//!
//! Everything secret in the service derives from one [`SecretKey`]. Each use takes a key of its own, derived for
//! its [`Purpose`], so that what one use reveals says nothing about another. The primitives are aws-lc-rs's.

mod guessable;

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hkdf, hmac, rand};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use zeroize::Zeroizing;

/// Bytes that a secret must have at least: 256 bits.
pub const MIN_SECRET_BYTES: usize = 32;

/// What a derived key is for; the text is HKDF's `info` (RFC 5869) and must never change.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// MACs of refresh tokens.
    RefreshToken,
    /// Encryption of private signing keys at rest.
    SigningKey,
    /// Telling whether a database belongs to this secret.
    Fingerprint,
    /// The key id of an HS256 secret.
    KeyId,
    /// What wrong passwords are counted under.
    Guessing,
    /// MACs of links that end a session.
    EndLink,
    /// Encryption of the audit log's own key at rest.
    AuditKey,
    /// MACs of the audit log's rows before they are sealed.
    AuditRow,
    /// The audit log's chain.
    AuditChain,
    /// MACs of where that chain begins and ends.
    AuditHead,
    /// Encryption of mails on their way out.
    Mail,
}

impl Purpose {
    fn info(self) -> &'static [u8] {
        match self {
            Purpose::RefreshToken => b"portcullis/v1/refresh-token",
            Purpose::SigningKey => b"portcullis/v1/signing-key",
            Purpose::Fingerprint => b"portcullis/v1/fingerprint",
            Purpose::KeyId => b"portcullis/v1/key-id",
            Purpose::Guessing => b"portcullis/v1/guessing",
            Purpose::EndLink => b"portcullis/v1/end-link",
            Purpose::AuditKey => b"portcullis/v1/audit-key",
            Purpose::AuditRow => b"portcullis/v1/audit-row",
            Purpose::AuditChain => b"portcullis/v1/audit-chain",
            Purpose::AuditHead => b"portcullis/v1/audit-head",
            Purpose::Mail => b"portcullis/v1/mail",
        }
    }
}

/// A root secret, from which keys are derived. Its bytes never leave it.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

impl SecretKey {
    /// Takes the bytes of `text` as they are; `None` where they are fewer than [`MIN_SECRET_BYTES`].
    pub fn from_text(text: &str) -> Option<SecretKey> {
        (text.len() >= MIN_SECRET_BYTES).then(|| SecretKey(Zeroizing::new(text.as_bytes().to_vec())))
    }

    /// Whether it can be guessed: it is known as an example, a pattern, or made of usual words. A random one never is.
    pub fn is_guessable(&self) -> bool {
        guessable::is_guessable(&self.0)
    }

    /// The raw bytes, for a library that takes an HMAC secret.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    fn derive(&self, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"portcullis")
            .extract(&self.0)
            .expand(&[purpose.info()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut()))
            .expect("32 bytes are within HKDF-SHA256's bound");
        key
    }

    /// A MAC key for `purpose`.
    pub fn mac(&self, purpose: Purpose) -> MacKey {
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, self.derive(purpose).as_ref()))
    }

    /// An encryption key for `purpose`.
    pub fn sealing(&self, purpose: Purpose) -> SealingKey {
        let key = RandomizedNonceKey::new(&AES_256_GCM, self.derive(purpose).as_ref());
        SealingKey(key.expect("AES-256 takes 32 bytes"))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// HMAC-SHA-256 (RFC 2104) under a derived key.
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The MAC of `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        mac
    }

    /// Whether `mac` is `message`'s, in constant time.
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, message, mac).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// AES-256-GCM with a random nonce in front of each ciphertext.
pub struct SealingKey(RandomizedNonceKey);

impl SealingKey {
    /// Encrypts `plain`; it opens only with the same `context`.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Vec<u8> {
        let mut sealed = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(context), &mut sealed);
        let nonce = nonce.expect("a buffer in memory is far below AES-GCM's bound");
        [nonce.as_ref().as_slice(), &sealed].concat()
    }

    /// Decrypts what [`seal`](Self::seal) made; `None` for another key, another context, or anything altered.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(context), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

/// Random bytes from the system's generator.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system's random generator works");
    bytes
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// [`sha256`] of what comes in parts.
pub struct Sha256(digest::Context);

impl Sha256 {
    pub fn begin() -> Sha256 {
        Sha256(digest::Context::new(&digest::SHA256))
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn end(self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref());
        hash
    }
}

/// Whether two byte strings are equal, in time that depends on their lengths alone.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    verify_slices_are_equal(a, b).is_ok()
}

/// base64url without padding (RFC 4648 section 5).
pub fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads [`base64url`]; `None` for anything it would not have written.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SecretKey {
        SecretKey::from_text(text).unwrap()
    }

    #[test]
    fn sealed_text_opens_only_with_its_key_and_context() {
        let (ours, other) = (key(&"a".repeat(32)), key(&"b".repeat(32)));
        let sealed = ours.sealing(Purpose::SigningKey).seal(b"private", b"kid");
        let open = |key: &SecretKey, purpose, context: &[u8], sealed: &[u8]| {
            key.sealing(purpose).open(sealed, context).map(|plain| plain.to_vec())
        };
        assert_eq!(open(&ours, Purpose::SigningKey, b"kid", &sealed).as_deref(), Some(b"private".as_slice()));
        assert_eq!(open(&other, Purpose::SigningKey, b"kid", &sealed), None);
        assert_eq!(open(&ours, Purpose::Fingerprint, b"kid", &sealed), None);
        assert_eq!(open(&ours, Purpose::SigningKey, b"other", &sealed), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(open(&ours, Purpose::SigningKey, b"kid", &altered), None, "byte {at}");
            assert_eq!(open(&ours, Purpose::SigningKey, b"kid", &sealed[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_secret_is_32_bytes_or_more_and_never_shown() {
        assert!(SecretKey::from_text(&"x".repeat(31)).is_none());
        let secret = key(&"x".repeat(32));
        assert_eq!(format!("{secret:?} {:?}", secret.mac(Purpose::KeyId)), "[REDACTED] [REDACTED]");
    }
}
