//! Hashes from elsewhere: those that the systems' own libraries made (`vectors.json`, by `scripts/hash-vectors`) are
//! verified, and no text does harm.

use portcullis::hasher::{Hasher, Unusable, Verdict};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Vector {
    name: String,
    password: String,
    hash: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

/// Of a cost that no vector has, so that none is renewed for its cost alone.
fn hasher() -> Hasher {
    Hasher::start(6, 0).unwrap()
}

async fn verify(hasher: &Hasher, password: &str, hash: &str) -> Verdict {
    let hash = hasher.adopt(hash).unwrap_or_else(|error| panic!("{hash}: {error}"));
    hasher.verify(password, Some(&hash)).await.unwrap()
}

#[tokio::test]
async fn what_other_systems_made_is_verified() {
    let (hasher, vectors) = (hasher(), vectors());
    assert!(vectors.len() > 100);
    for Vector { name, password, hash } in vectors {
        assert_eq!(verify(&hasher, &password, &hash).await, Verdict::RightButOutdated, "{name}: {hash}");
        // In front: plain bcrypt does not see what follows the 72nd byte.
        for wrong in ["", &format!("x{password}y"), &password.to_uppercase()] {
            assert_eq!(verify(&hasher, wrong, &hash).await, Verdict::Wrong, "{name}: {hash} and {wrong:?}");
        }
    }
}

/// Of a password that bcrypt does not take whole, its other half counts once the hash is ours.
#[tokio::test]
async fn a_password_that_was_cut_is_taken_whole_from_then_on() {
    let hasher = hasher();
    let cut =
        vectors().into_iter().filter(|vector| vector.password.len() > 72 && vector.hash.starts_with("$2"));
    let mut count = 0;
    for Vector { password, hash, .. } in cut {
        let other = format!("{}, or not", &password[..72]);
        assert_eq!(verify(&hasher, &other, &hash).await, Verdict::RightButOutdated);
        let renewed = hasher.hash(&password).await.unwrap();
        assert_eq!(hasher.verify(&password, Some(&renewed)).await.unwrap(), Verdict::Right);
        assert_eq!(hasher.verify(&other, Some(&renewed)).await.unwrap(), Verdict::Wrong);
        count += 1;
    }
    assert_eq!(count, 3);
}

/// Even where the cost is that of a new hash.
#[tokio::test]
async fn every_foreign_hash_is_replaced() {
    for cost in [4, 5] {
        let hasher = Hasher::start(cost, 0).unwrap();
        for Vector { name, password, hash } in vectors() {
            let mark = format!("$2b${cost:02}$");
            let ours = hash.starts_with(&mark) && password.len() < 72
                || name == "passlib bcrypt_sha256 v2" && cost == 4;
            let verdict = if ours { Verdict::Right } else { Verdict::RightButOutdated };
            assert_eq!(verify(&hasher, &password, &hash).await, verdict, "{name}: {hash}");
        }
    }
}

#[test]
fn what_costs_too_much_is_refused() {
    let hasher = hasher();
    let (salt, hash) = ("c2FsdHNhbHRzYWx0", "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g");
    let bcrypt = "MRYNbeIiZq6/25dLPR/sMuM1WEq4qQAP4EgF10omZre9tBUOGp2d6";
    let (bcrypt_salt, bcrypt_hash) = bcrypt.split_at(22);
    let hex = "00".repeat(32);
    let keycloak = |data: &str| serde_json::json!({ "credentialData": data, "secretData": format!(r#"{{"value":"{hash}","salt":"{salt}"}}"#) });
    let keycloak = |algorithm: &str, iterations: u64, memory: u64| {
        let more =
            format!(r#"{{"type":["id"],"version":["1.3"],"memory":["{memory}"],"parallelism":["1"]}}"#);
        let data = format!(
            r#"{{"algorithm":"{algorithm}","hashIterations":{iterations},"additionalParameters":{more}}}"#
        );
        keycloak(&data).to_string()
    };
    let firebase = |n, r, p| format!("$fbscrypt$v=1,n={n},r={r},p={p},ss=,sk={hash}${salt}${hash}");
    // The greatest that are taken, and what is just beyond.
    let taken = [
        format!("$2a$15${bcrypt}"),
        format!("bcrypt$$2b$15${bcrypt}"),
        format!("$bcrypt-sha256$v=2,t=2b,r=15${bcrypt_salt}${bcrypt_hash}"),
        format!("$argon2id$v=19$m=1048576,t=10,p=4${salt}${hash}"),
        format!("argon2$argon2i$v=19$m=1048576,t=10,p=4${salt}${hash}"),
        format!("$scrypt$ln=17,r=8,p=10${salt}${hash}"),
        format!("scrypt$131072${salt}$8$10${hash}"),
        format!("scrypt:131072:8:10${salt}${hex}"),
        firebase(17, 8, 10),
        format!("$pbkdf2-sha256$i=10000000,l=32${salt}${hash}"),
        format!("$pbkdf2-sha512$10000000${salt}${hash}"),
        format!("pbkdf2_sha256$10000000${salt}${hash}"),
        format!("pbkdf2:sha256:10000000${salt}${hex}"),
        keycloak("pbkdf2-sha256", 10_000_000, 0),
        keycloak("argon2", 10, 1_048_576),
    ];
    for text in taken {
        hasher.adopt(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    let beyond = [
        format!("$2a$16${bcrypt}"),
        format!("$2b$16${bcrypt}"),
        format!("$2y$31${bcrypt}"),
        format!("bcrypt$$2b$16${bcrypt}"),
        format!("bcrypt_sha256$$2b$16${bcrypt}"),
        format!("$bcrypt-sha256$2b,16${bcrypt_salt}${bcrypt_hash}"),
        format!("$bcrypt-sha256$v=2,t=2b,r=16${bcrypt_salt}${bcrypt_hash}"),
        format!("$bcrypt-sha256$v=2,t=2b,r=17${bcrypt_salt}${bcrypt_hash}"),
        format!("$argon2id$v=19$m=1048577,t=10,p=4${salt}${hash}"),
        format!("$argon2id$v=19$m=4294967295,t=10,p=4${salt}${hash}"),
        format!("$argon2id$v=19$m=1048576,t=11,p=4${salt}${hash}"),
        format!("$scrypt$ln=18,r=8,p=10${salt}${hash}"),
        format!("$scrypt$ln=300,r=8,p=10${salt}${hash}"),
        format!("$scrypt$ln=17,r=9,p=10${salt}${hash}"),
        format!("$scrypt$ln=17,r=8,p=11${salt}${hash}"),
        format!("scrypt$262144${salt}$8$10${hash}"),
        format!("scrypt:262144:8:10${salt}${hex}"),
        firebase(18, 8, 10),
        firebase(17, 9, 10),
        format!("$pbkdf2-sha256$i=10000001${salt}${hash}"),
        format!("pbkdf2_sha256$10000001${salt}${hash}"),
        format!("pbkdf2:sha256:4294967295${salt}${hex}"),
        // Of SHA-1 it takes two parts to make as much, each with all the iterations.
        format!("pbkdf2:sha1:5000001${salt}${hex}"),
        keycloak("pbkdf2-sha256", 10_000_001, 0),
        keycloak("pbkdf2-sha256", u64::MAX, 0),
        keycloak("argon2", 11, 1024),
        keycloak("argon2", 10, 1_048_577),
    ];
    for text in beyond {
        let refused = hasher.adopt(&text);
        assert!(matches!(refused, Err(Unusable::TooCostly(_))), "{text}: {refused:?}");
    }
}

#[test]
fn what_is_broken_or_unknown_is_refused() {
    let hasher = hasher();
    let (salt, hash) = ("c2FsdHNhbHRzYWx0", "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g");
    let bcrypt = "MRYNbeIiZq6/25dLPR/sMuM1WEq4qQAP4EgF10omZre9tBUOGp2d6";
    for unknown in [
        "",
        "password",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$hash",
        "$5$rounds=5000$salt$hash",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "{CRYPT}x",
        "md5$salt$hash",
        "!",
        "{",
        "$",
        &"$2b$".repeat(1000),
    ] {
        assert_eq!(hasher.adopt(unknown), Err(Unusable::Unknown), "{unknown:?}");
    }
    for malformed in [
        // Its passwords are not told apart.
        format!("$2x$10${bcrypt}"),
        format!("$2c$10${bcrypt}"),
        format!("$2a$3${bcrypt}"),
        format!("$2a$03${bcrypt}"),
        format!("$2a$1${bcrypt}"),
        format!("$2a$010${bcrypt}"),
        format!("$2a$10${}", &bcrypt[1..]),
        format!("$2a$10${bcrypt}a"),
        format!("bcrypt$$2x$10${bcrypt}"),
        "$2a$10$MRYNbeIiZq6/25dLPR/sMéM1WEq4qQAP4EgF10omZre9tBUOGp2d".to_owned(),
        format!("$argon2d$v=19$m=64,t=1,p=1${salt}${hash}"),
        format!("$argon2id$v=18$m=64,t=1,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=64,t=0,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=7,t=1,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=64,t=1,p=9${salt}${hash}"),
        format!("$argon2id$v=19$m=64,t=1,p=0${salt}${hash}"),
        format!("$argon2id$v=19$m=64,t=1,p=1,data=AAAA${salt}${hash}"),
        format!("$argon2id$v=19$m=64,t=1,p=1$c2FsdA${hash}"),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}$"),
        // A hash of a byte or of none would be met by chance.
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}$aGFzaA"),
        format!("$pbkdf2-sha256$1000${salt}$"),
        format!("$pbkdf2-sha256$1000${salt}$AA"),
        format!("$pbkdf2-sha256$0${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1,l=31${salt}${hash}"),
        format!("$pbkdf2-md5$1000${salt}${hash}"),
        format!("pbkdf2_sha256$1000$${hash}"),
        format!("pbkdf2:sha256${salt}${hash}"),
        format!("scrypt:3:8:1${salt}${}", "00".repeat(32)),
        format!("scrypt:1:8:1${salt}${}", "00".repeat(32)),
        format!("scrypt:0:8:1${salt}${}", "00".repeat(32)),
        format!("scrypt:16:0:1${salt}${}", "00".repeat(32)),
        format!("scrypt:16:8:0${salt}${}", "00".repeat(32)),
        format!("$fbscrypt$v=2,n=14,r=8,p=1,ss=,sk={hash}${salt}${hash}"),
        format!("$fbscrypt$v=1,n=14,r=8,p=1,ss=,sk=${salt}${hash}"),
        "{SSHA}".to_owned(),
        // A digest without a salt.
        "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(),
        r#"{"credentialData":"{}","secretData":"{}"}"#.to_owned(),
        r#"{"credentialData":1}"#.to_owned(),
        r#"{"a"#.to_owned(),
        "{\"a\":".repeat(300),
    ] {
        let refused = hasher.adopt(&malformed);
        assert!(matches!(refused, Err(Unusable::Malformed(_))), "{malformed}: {refused:?}");
    }
}

/// A text that is nearly a hash: one of the real ones with a piece replaced.
fn nearly_a_hash() -> impl Strategy<Value = String> {
    let texts: Vec<_> = vectors().into_iter().map(|vector| vector.hash).collect();
    let piece = prop_oneof!["[$,:={}0-9a-zA-Z./+\"\\\\-]{0,6}", "\\PC{0,3}", Just("4294967296".to_owned())];
    (prop::sample::select(texts), any::<prop::sample::Index>(), 0_usize..9, piece).prop_map(
        |(text, at, length, piece)| {
            let characters: Vec<_> = text.chars().collect();
            let at = at.index(characters.len() + 1);
            let end = (at + length).min(characters.len());
            let (before, after) = (&characters[..at], &characters[end..]);
            before.iter().copied().chain(piece.chars()).chain(after.iter().copied()).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_a_panic(text in prop_oneof!["\\PC{0,200}", nearly_a_hash()]) {
        static HASHER: std::sync::LazyLock<Hasher> = std::sync::LazyLock::new(hasher);
        let _ = HASHER.adopt(&text);
    }
}
