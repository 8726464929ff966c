//! The public keys of a JWK set (RFC 7517), each with the one algorithm that it is for.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// A key, and the only algorithm that a token naming it may be signed with.
pub(crate) struct Key {
    pub algorithm: Algorithm,
    pub decoding: DecodingKey,
}

/// All keys by their id.
pub(crate) struct Keyring(HashMap<String, Arc<Key>>);

impl Keyring {
    /// The keys of a set that can verify signatures; others are passed over, as RFC 7517 section 5 wants. Of several
    /// with one id, the first counts.
    pub fn from_jwks(keys: Vec<Value>) -> Keyring {
        let mut ring = HashMap::new();
        for (id, key) in keys.into_iter().filter_map(key) {
            ring.entry(id).or_insert_with(|| Arc::new(key));
        }
        Keyring(ring)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, id: &str) -> Option<Arc<Key>> {
        self.0.get(id).cloned()
    }
}

fn key(jwk: Value) -> Option<(String, Key)> {
    let jwk: Jwk = serde_json::from_value(jwk).ok()?;
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|ops| ops.contains(&KeyOperations::Verify));
    if !signs || !verifies {
        return None;
    }
    let algorithm = algorithm(&jwk.algorithm, common.key_algorithm)?;
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    Some((jwk.common.key_id?, Key { algorithm, decoding }))
}

/// What a key of this kind is for, if it says so or says nothing. A symmetric key is never public, so it is none.
fn algorithm(kind: &AlgorithmParameters, stated: Option<KeyAlgorithm>) -> Option<Algorithm> {
    let allowed: &[Algorithm] = match kind {
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::RSA(_) => &[
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        _ => &[],
    };
    let fits = |algorithm: &Algorithm| stated.is_none_or(|stated| stated == KeyAlgorithm::from(*algorithm));
    allowed.iter().copied().find(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn algorithm_of(mut jwk: Value) -> Option<Algorithm> {
        jwk["kid"] = json!("k");
        Keyring::from_jwks(vec![jwk]).get("k").map(|key| key.algorithm)
    }

    #[test]
    fn a_key_is_for_what_its_kind_and_alg_say() {
        let ec = |crv: &str, alg: Value| json!({ "kty": "EC", "crv": crv, "x": X, "y": X, "alg": alg });
        assert_eq!(algorithm_of(ec("P-256", json!("ES256"))), Some(Algorithm::ES256));
        assert_eq!(algorithm_of(ec("P-256", Value::Null)), Some(Algorithm::ES256));
        assert_eq!(algorithm_of(ec("P-384", json!("ES384"))), Some(Algorithm::ES384));
        let rsa = |alg: Value| json!({ "kty": "RSA", "n": X, "e": "AQAB", "alg": alg });
        assert_eq!(algorithm_of(rsa(json!("RS256"))), Some(Algorithm::RS256));
        assert_eq!(algorithm_of(rsa(json!("PS512"))), Some(Algorithm::PS512));
        assert_eq!(algorithm_of(rsa(Value::Null)), Some(Algorithm::RS256));
        let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": X, "alg": "EdDSA" });
        assert_eq!(algorithm_of(ed), Some(Algorithm::EdDSA));
    }

    #[test]
    fn what_can_not_verify_is_passed_over() {
        let good = json!({ "kty": "EC", "crv": "P-256", "x": X, "y": X, "alg": "ES256" });
        let with = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk[name] = value;
            jwk
        };
        for bad in [
            json!({ "kty": "oct", "k": X, "alg": "HS256" }),
            json!({ "kty": "oct", "k": X }),
            json!({ "kty": "RSA", "n": X, "e": "AQAB", "alg": "HS256" }),
            json!({ "kty": "RSA", "n": X, "e": "AQAB", "alg": "RSA-OAEP" }),
            json!({ "kty": "OKP", "crv": "P-256", "x": X }),
            json!({ "kty": "new", "alg": "ES256" }),
            with("alg", json!("HS256")),
            with("alg", json!("ES384")),
            with("alg", json!("none")),
            with("crv", json!("P-521")),
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("x", json!("not base64!")),
            with("x", Value::Null),
        ] {
            assert_eq!(algorithm_of(bad.clone()), None, "{bad}");
        }
        let ring = Keyring::from_jwks(vec![json!(1), json!({}), good]);
        assert!(ring.is_empty(), "a key without an id can't be named by a token");
    }
}
