//! The keys that sign and verify access tokens.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm as Jws, DecodingKey, EncodingKey, Header};
use serde_json::{Value, json};

use super::access_token::TYPE;
use crate::clock::Clock;
use crate::config::{Algorithm, Config};
use crate::secret::{self, Purpose, SealingKey, SecretKey};
use crate::store::Db;
use crate::store::signing_keys::{self, SigningKey};

/// All keys at hand, and what every token says alike.
pub struct Keyring {
    pub(super) issuer: String,
    pub(super) audience: String,
    keys: HashMap<String, Key>,
    signing_kid: String,
    jwks: Value,
}

/// One key. Its algorithm is the only one that a token naming it may be signed with.
pub(super) struct Key {
    kid: String,
    pub(super) algorithm: Jws,
    pub(super) decoding: DecodingKey,
    signer: Signer,
    /// The header of every token that it signs, as it is written: base64url of its JSON.
    pub(super) header: String,
}

/// The private half, ready for use. jsonwebtoken would read and check it anew for every token, which costs as much as most
/// of the signing.
enum Signer {
    Es256(EcdsaKeyPair),
    Hs256(Box<hmac::Key>),
}

impl Keyring {
    /// Loads the keys; makes the first one where there is none. Replicas that do so at once agree on one.
    pub async fn open(
        config: &Config,
        secret: &SecretKey,
        db: &Db,
        clock: &Clock,
    ) -> anyhow::Result<Keyring> {
        // Chosen once for the process; a second choice of the same is refused, which changes nothing.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let (key, public) = match (config.jwt_algorithm, &config.jwt_secret) {
            (Algorithm::Hs256, Some(jwt_secret)) => (Key::from_secret(jwt_secret)?, None),
            (Algorithm::Hs256, None) => return Err(anyhow!("JWT_ALGORITHM=HS256 needs JWT_SECRET")),
            (Algorithm::Es256, _) => {
                let sealing = secret.sealing(Purpose::SigningKey);
                let stored = active_es256(db, &sealing, clock).await?;
                (Key::from_stored(&stored, &sealing)?, Some(stored.jwk))
            }
        };
        Ok(Keyring {
            issuer: config.public_url.clone(),
            audience: config.audience().to_owned(),
            signing_kid: key.kid.clone(),
            keys: HashMap::from([(key.kid.clone(), key)]),
            jwks: json!({ "keys": Vec::from_iter(public) }),
        })
    }

    /// The public keys as a JWK set (RFC 7517 section 5); empty for HS256, whose key is no one else's to know.
    pub fn jwks(&self) -> &Value {
        &self.jwks
    }

    pub(super) fn signing_key(&self) -> &Key {
        &self.keys[&self.signing_kid]
    }

    pub(super) fn key(&self, kid: &str) -> Option<&Key> {
        self.keys.get(kid)
    }
}

/// The stored ES256 key that signs.
async fn active_es256(db: &Db, sealing: &SealingKey, clock: &Clock) -> anyhow::Result<SigningKey> {
    let is_active = |key: &SigningKey| key.algorithm == "ES256" && key.state == "active";
    if let Some(key) = signing_keys::all(db).await?.into_iter().find(is_active) {
        return Ok(key);
    }
    signing_keys::insert(db, &new_es256(sealing, clock)?).await?;
    // Another replica's, if that was faster.
    signing_keys::all(db).await?.into_iter().find(is_active).context("no signing key is active")
}

fn new_es256(sealing: &SealingKey, clock: &Clock) -> anyhow::Result<SigningKey> {
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let pair = pair.map_err(|_| anyhow!("the system's random generator failed"))?;
    let mut jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(pair.as_ref()), Jws::ES256)?;
    let kid = jwk.thumbprint(ThumbprintHash::SHA256)?;
    jwk.common.key_id = Some(kid.clone());
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_algorithm = Some(KeyAlgorithm::ES256);
    Ok(SigningKey {
        algorithm: "ES256".to_owned(),
        state: "active".to_owned(),
        jwk: serde_json::to_value(&jwk)?,
        private_key: sealing.seal(pair.as_ref(), kid.as_bytes()),
        created_at: clock.now(),
        kid,
    })
}

impl Key {
    fn from_stored(stored: &SigningKey, sealing: &SealingKey) -> anyhow::Result<Key> {
        let private = sealing.open(&stored.private_key, stored.kid.as_bytes());
        let private =
            private.with_context(|| format!("the signing key {} can't be decrypted", stored.kid))?;
        let jwk: Jwk = serde_json::from_value(stored.jwk.clone())?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private);
        let pair = pair.map_err(|error| anyhow!("the signing key {} is not one: {error}", stored.kid))?;
        Key::new(stored.kid.clone(), Jws::ES256, DecodingKey::from_jwk(&jwk)?, Signer::Es256(pair))
    }

    /// The key id is derived, so that replicas agree and another secret has another one; it tells no more of the
    /// secret than a token's signature does.
    fn from_secret(secret: &SecretKey) -> anyhow::Result<Key> {
        let id = secret.mac(Purpose::KeyId).sign(b"");
        let signer = Signer::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.expose())));
        Key::new(secret::base64url(&id[..16]), Jws::HS256, DecodingKey::from_secret(secret.expose()), signer)
    }

    fn new(kid: String, algorithm: Jws, decoding: DecodingKey, signer: Signer) -> anyhow::Result<Key> {
        let mut header = Header::new(algorithm);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid.clone());
        let header = secret::base64url(&serde_json::to_vec(&header)?);
        Ok(Key { kid, algorithm, decoding, signer, header })
    }

    /// The signature of `message` (RFC 7518 sections 3.2 and 3.4).
    pub(super) fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        match &self.signer {
            Signer::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                Ok(signature.map_err(|_| anyhow!("signing failed"))?.as_ref().to_vec())
            }
            Signer::Hs256(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}
