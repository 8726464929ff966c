//! Keys made for a test, and tokens signed with them, right or wrong in any way.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

pub struct Signer {
    pub kid: String,
    pub algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    pub fn es256(kid: &str) -> Signer {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Signer::new(kid, Algorithm::ES256, EncodingKey::from_ec_der(pair.unwrap().as_ref()))
    }

    pub fn eddsa(kid: &str) -> Signer {
        let pair = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        Signer::new(kid, Algorithm::EdDSA, EncodingKey::from_ed_der(pair.as_ref()))
    }

    pub fn rs256(kid: &str) -> Signer {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // The library wants PKCS#1, which is what follows the 26 bytes of this PKCS#8's head.
        Signer::new(kid, Algorithm::RS256, EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..]))
    }

    pub fn hs256(kid: &str, secret: &[u8]) -> Signer {
        Signer::new(kid, Algorithm::HS256, EncodingKey::from_secret(secret))
    }

    fn new(kid: &str, algorithm: Algorithm, key: EncodingKey) -> Signer {
        // Chosen once for the process.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        Signer { kid: kid.to_owned(), algorithm, key }
    }

    /// The same key, used for what it is not meant for.
    pub fn misused(&self, algorithm: Algorithm) -> Signer {
        Signer { kid: self.kid.clone(), algorithm, key: self.key.clone() }
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.kid.clone());
        serde_json::to_value(&jwk).unwrap()
    }

    pub fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": self.algorithm, "kid": self.kid })
    }

    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// Signs any texts, whether or not they are JSON.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}
