//! One key that signs access tokens: made, sealed for the database, opened again.

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    VerificationAlgorithm,
};
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::Verifier as _;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm as Jws, Header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::access_token::TYPE;
use crate::config::Algorithm;
use crate::secret::{Purpose, SealingKey, SecretKey, base64url};
use crate::store::signing_keys::SigningKey;

/// A key, ready for use. Its algorithm is the only one that a token naming it may be signed with.
pub(super) struct Key {
    pub kid: String,
    pub number: i64,
    pub algorithm: Algorithm,
    pub created_at: DateTime<Utc>,
    pub signs_from: DateTime<Utc>,
    /// The longest lifetime of its tokens.
    pub longest_ttl: TimeDelta,
    /// The public half; of HS256 what is no secret.
    pub jwk: Value,
    /// The header of every token that it signs, as it is written: base64url of its JSON.
    pub header: String,
    signer: Signer,
    verifier: Verifier,
}

/// The private half, ready for use. jsonwebtoken would read and check it anew for every token, which costs as much as most
/// of the signing, and with RSA more than all of it.
enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
    Hmac(Box<hmac::Key>),
}

/// The public half, ready for use; the secret itself, of HS256. Of Ed25519 in the backend that was measured to be the quickest.
enum Verifier {
    Asymmetric(ParsedPublicKey),
    Ed25519(ed25519_dalek::VerifyingKey),
    Hmac(Box<hmac::Key>),
}

/// What encrypts private halves; and what did so before.
pub(super) struct Seals {
    pub present: SealingKey,
    pub previous: Option<SealingKey>,
}

impl Seals {
    fn open(&self, stored: &SigningKey) -> Option<Zeroizing<Vec<u8>>> {
        let with = |seal: &SealingKey| seal.open(&stored.private_key, stored.kid.as_bytes());
        with(&self.present).or_else(|| self.previous.as_ref().and_then(with))
    }

    /// The private half under the present secret, where it is under the one before.
    pub fn renewed(&self, stored: &SigningKey) -> Option<Vec<u8>> {
        let context = stored.kid.as_bytes();
        if self.present.open(&stored.private_key, context).is_some() {
            return None;
        }
        Some(self.present.seal(&self.open(stored)?, context))
    }
}

/// A key that is in no database yet.
pub(super) struct NewKey {
    pub kid: String,
    algorithm: Algorithm,
    /// PKCS #8; of HS256 the secret itself.
    private: Zeroizing<Vec<u8>>,
}

impl NewKey {
    /// A new key pair. RS256 takes up to a second of processor time.
    pub fn new(algorithm: Algorithm) -> anyhow::Result<NewKey> {
        let failed = |_| anyhow!("the system's random generator failed");
        let random = SystemRandom::new();
        let private = match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                pair.map_err(failed)?.as_ref().to_vec()
            }
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random).map_err(failed)?.as_ref().to_vec(),
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                pair.as_der().map_err(failed)?.as_ref().to_vec()
            }
            Algorithm::Hs256 => return Err(anyhow!("the secret of HS256 is JWT_SECRET, which nobody makes")),
        };
        let private = Zeroizing::new(private);
        let jwk = Signer::open(algorithm, &private)?.public();
        let kid = serde_json::from_value::<Jwk>(jwk)?.thumbprint(ThumbprintHash::SHA256)?;
        Ok(NewKey { kid, algorithm, private })
    }

    /// The key of HS256. Its id is derived, so that replicas agree and another secret has another one; it tells no more of
    /// the secret than a token's signature does.
    pub fn from_secret(secret: &SecretKey) -> NewKey {
        let id = secret.mac(Purpose::KeyId).sign(b"");
        let kid = base64url(&id[..16]);
        NewKey { kid, algorithm: Algorithm::Hs256, private: Zeroizing::new(secret.expose().to_vec()) }
    }

    /// As the database keeps it.
    pub fn sealed(
        self,
        seals: &Seals,
        number: i64,
        created_at: DateTime<Utc>,
        signs_from: DateTime<Utc>,
        longest_ttl: TimeDelta,
    ) -> SigningKey {
        SigningKey {
            number,
            algorithm: self.algorithm.name().to_owned(),
            private_key: seals.present.seal(&self.private, self.kid.as_bytes()),
            created_at,
            signs_from,
            longest_ttl: longest_ttl.num_seconds(),
            kid: self.kid,
        }
    }
}

impl Key {
    /// A key of the database.
    pub fn open(stored: &SigningKey, seals: &Seals) -> anyhow::Result<Key> {
        let kid = &stored.kid;
        let algorithm = Algorithm::named(&stored.algorithm).with_context(|| {
            format!("the signing key {kid} is one of {}, which this version does not know", stored.algorithm)
        })?;
        let private = seals.open(stored).with_context(|| {
            format!(
                "the signing key {kid} can't be decrypted: it was made under another SECRET_KEY. If the secret was changed, \
                 set the one before as SECRET_KEY_PREVIOUS"
            )
        })?;
        let signer = Signer::open(algorithm, &private).with_context(|| format!("the signing key {kid}"))?;
        // Of the private half, which is sealed: who could write to the database must not choose what is published.
        let mut jwk = signer.public();
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(algorithm.name());
        jwk["use"] = json!("sig");
        let mut header = Header::new(jws(algorithm));
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid.clone());
        Ok(Key {
            kid: kid.clone(),
            number: stored.number,
            algorithm,
            created_at: stored.created_at,
            signs_from: stored.signs_from,
            longest_ttl: TimeDelta::seconds(stored.longest_ttl),
            jwk,
            header: base64url(&serde_json::to_vec(&header)?),
            verifier: signer.verifier()?,
            signer,
        })
    }

    /// The signature of `message` (RFC 7518 section 3, RFC 8037 section 3.1).
    pub fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let failed = |_| anyhow!("signing failed");
        Ok(match &self.signer {
            Signer::Ecdsa(pair) => {
                pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec()
            }
            Signer::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(failed)?;
                signature
            }
            Signer::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
        })
    }

    /// Whether this is the signature of `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.verifier {
            Verifier::Asymmetric(key) => key.verify_sig(message, signature).is_ok(),
            // The strict check is for keys of others, which may be weak on purpose; this one is our own.
            Verifier::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Verifier::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

impl Signer {
    fn open(algorithm: Algorithm, private: &[u8]) -> anyhow::Result<Signer> {
        Ok(match algorithm {
            Algorithm::Es256 => {
                Signer::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private)?)
            }
            Algorithm::EdDsa => Signer::Ed25519(Ed25519KeyPair::from_pkcs8(private)?),
            Algorithm::Rs256 => Signer::Rsa(Box::new(RsaKeyPair::from_pkcs8(private)?)),
            Algorithm::Hs256 => Signer::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, private))),
        })
    }

    fn verifier(&self) -> anyhow::Result<Verifier> {
        let (algorithm, public): (&'static dyn VerificationAlgorithm, &[u8]) = match self {
            Signer::Ecdsa(pair) => (&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()),
            Signer::Rsa(pair) => (&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref()),
            Signer::Ed25519(pair) => {
                let key = ed25519_dalek::VerifyingKey::try_from(pair.public_key().as_ref())?;
                return Ok(Verifier::Ed25519(key));
            }
            Signer::Hmac(key) => return Ok(Verifier::Hmac(key.clone())),
        };
        Ok(Verifier::Asymmetric(ParsedPublicKey::new(algorithm, public)?))
    }

    /// What of the public half makes the key (RFC 7518 section 6, RFC 8037 section 2).
    fn public(&self) -> Value {
        match self {
            Signer::Ecdsa(pair) => {
                // An uncompressed point: 4, x, y.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) })
            }
            Signer::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref()) })
            }
            Signer::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": base64url(&public.n), "e": base64url(&public.e) })
            }
            Signer::Hmac(_) => json!({ "kty": "oct" }),
        }
    }
}

/// What the library calls it.
fn jws(algorithm: Algorithm) -> Jws {
    match algorithm {
        Algorithm::Es256 => Jws::ES256,
        Algorithm::EdDsa => Jws::EdDSA,
        Algorithm::Rs256 => Jws::RS256,
        Algorithm::Hs256 => Jws::HS256,
    }
}
