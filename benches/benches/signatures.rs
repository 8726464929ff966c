//! What a token costs to sign and to verify, in each algorithm: the whole token as the service does it, and its signature alone
//! with each backend that there is.
//!
//! `cargo bench -p portcullis-bench --bench signatures`. docs/performance.md has the figures.

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::{rsa, signature as aws};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use portcullis::app::App;
use portcullis::cli;
use portcullis::clock::Clock;
use portcullis::id::{SessionId, UserId};
use portcullis::tokens::Grant;
use ring::signature as ring_sig;

/// As long as the header and claims of a token are.
const MESSAGE: [u8; 480] = [b'x'; 480];

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn main() {
    let mut criterion = Criterion::default()
        .configure_from_args()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    for (name, backends) in
        [("ES256", es256 as fn(&mut Group, &str)), ("EdDSA", eddsa), ("RS256", rs256), ("HS256", hs256)]
    {
        for what in ["sign", "verify"] {
            let mut group = criterion.benchmark_group(format!("{name} {what}"));
            whole(&mut group, name, what);
            backends(&mut group, what);
            group.finish();
        }
    }
    criterion.final_summary();
}

/// A token, from the grant to the text and back: what a refresh pays, and a request with a token that is new to the service.
fn whole(group: &mut Group, algorithm: &str, what: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = format!("--database-url=sqlite://{}", folder.path().join("bench.db").display());
    let secret = |name: &str| format!("--{name}={}", "for-this-measurement-alone-".repeat(2));
    let algorithm = format!("--jwt-algorithm={algorithm}");
    let flags = ["portcullis", &database, &algorithm, &secret("secret-key"), &secret("jwt-secret")]
        .map(str::to_owned);
    let config = cli::config_from(flags.iter().map(String::as_str), []).expect("sound settings");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let app = runtime.block_on(App::start(config, Clock::system())).expect("the service starts");
    let now = app.clock.now();
    let grant = Grant {
        user: UserId::new(now),
        client_id: "portcullis",
        session: SessionId::new(now),
        generation: 1,
        roles: &[],
        issued_at: now,
        expires_at: now + Duration::from_secs(24 * 60 * 60),
    };
    let token = app.keyring.sign(&grant).expect("it can be signed");
    group.bench_function("whole token", |bench| match what {
        "sign" => bench.iter(|| app.keyring.sign(black_box(&grant)).expect("it can be signed")),
        _ => bench.iter(|| app.keyring.verify(black_box(&token), now).expect("it is good")),
    });
    runtime.block_on(app.db.close());
}

fn es256(group: &mut Group, what: &str) {
    let random = SystemRandom::new();
    let pkcs8 = aws::EcdsaKeyPair::generate_pkcs8(&aws::ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = aws::EcdsaKeyPair::from_pkcs8(&aws::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let public = aws::KeyPair::public_key(&pair).as_ref().to_vec();
    let signature = pair.sign(&random, &MESSAGE).unwrap();

    let ring_random = ring::rand::SystemRandom::new();
    let signing = &ring_sig::ECDSA_P256_SHA256_FIXED_SIGNING;
    let ring_pair = ring_sig::EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &ring_random).unwrap();
    use p256::ecdsa::signature::{Signer, Verifier};
    use p256::pkcs8::DecodePrivateKey;
    let rust_pair = p256::ecdsa::SigningKey::from_pkcs8_der(pkcs8.as_ref()).unwrap();
    let rust_public = *rust_pair.verifying_key();
    let rust_signature = p256::ecdsa::Signature::from_slice(signature.as_ref()).unwrap();
    if what == "sign" {
        group.bench_function("aws-lc-rs", |bench| {
            bench.iter(|| pair.sign(&random, black_box(&MESSAGE)).unwrap())
        });
        group.bench_function("ring", |bench| {
            bench.iter(|| ring_pair.sign(&ring_random, black_box(&MESSAGE)).unwrap())
        });
        group.bench_function("RustCrypto p256", |bench| {
            bench.iter(|| -> p256::ecdsa::Signature { rust_pair.sign(black_box(&MESSAGE)) })
        });
        return;
    }
    aws_verifies(group, &aws::ECDSA_P256_SHA256_FIXED, &public, signature.as_ref());
    let ring_public = ring_sig::UnparsedPublicKey::new(&ring_sig::ECDSA_P256_SHA256_FIXED, &public);
    group.bench_function("ring", |bench| {
        bench.iter(|| ring_public.verify(black_box(&MESSAGE), signature.as_ref()).unwrap())
    });
    group.bench_function("RustCrypto p256", |bench| {
        bench.iter(|| rust_public.verify(black_box(&MESSAGE), &rust_signature).unwrap())
    });
}

fn eddsa(group: &mut Group, what: &str) {
    let pkcs8 = aws::Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let pair = aws::Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let public = aws::KeyPair::public_key(&pair).as_ref().to_vec();
    let signature = pair.sign(&MESSAGE);

    let ring_pair = ring_sig::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.as_ref()).unwrap();
    use ed25519_dalek::pkcs8::DecodePrivateKey;
    use ed25519_dalek::{Signer, Verifier};
    let dalek_pair = ed25519_dalek::SigningKey::from_pkcs8_der(pkcs8.as_ref()).unwrap();
    let dalek_public = dalek_pair.verifying_key();
    let dalek_signature = ed25519_dalek::Signature::from_slice(signature.as_ref()).unwrap();
    if what == "sign" {
        group.bench_function("aws-lc-rs", |bench| bench.iter(|| pair.sign(black_box(&MESSAGE))));
        group.bench_function("ring", |bench| bench.iter(|| ring_pair.sign(black_box(&MESSAGE))));
        group.bench_function("ed25519-dalek", |bench| bench.iter(|| dalek_pair.sign(black_box(&MESSAGE))));
        return;
    }
    aws_verifies(group, &aws::ED25519, &public, signature.as_ref());
    let ring_public = ring_sig::UnparsedPublicKey::new(&ring_sig::ED25519, &public);
    group.bench_function("ring", |bench| {
        bench.iter(|| ring_public.verify(black_box(&MESSAGE), signature.as_ref()).unwrap())
    });
    group.bench_function("ed25519-dalek", |bench| {
        bench.iter(|| dalek_public.verify(black_box(&MESSAGE), &dalek_signature).unwrap())
    });
}

/// Without RustCrypto's, which has an open advisory for its private half.
fn rs256(group: &mut Group, what: &str) {
    use aws_lc_rs::encoding::AsDer;
    let random = SystemRandom::new();
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let public = aws::KeyPair::public_key(&pair).as_ref().to_vec();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&aws::RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature).unwrap();

    let ring_random = ring::rand::SystemRandom::new();
    let ring_pair = ring_sig::RsaKeyPair::from_pkcs8(pair.as_der().unwrap().as_ref()).unwrap();
    if what == "sign" {
        let mut into = signature.clone();
        group.bench_function("aws-lc-rs", |bench| {
            bench.iter(|| pair.sign(&aws::RSA_PKCS1_SHA256, &random, black_box(&MESSAGE), &mut into).unwrap())
        });
        group.bench_function("ring", |bench| {
            bench.iter(|| {
                ring_pair
                    .sign(&ring_sig::RSA_PKCS1_SHA256, &ring_random, black_box(&MESSAGE), &mut into)
                    .unwrap()
            })
        });
        return;
    }
    aws_verifies(group, &aws::RSA_PKCS1_2048_8192_SHA256, &public, &signature);
    let ring_public = ring_sig::UnparsedPublicKey::new(&ring_sig::RSA_PKCS1_2048_8192_SHA256, &public);
    group.bench_function("ring", |bench| {
        bench.iter(|| ring_public.verify(black_box(&MESSAGE), &signature).unwrap())
    });
}

fn hs256(group: &mut Group, what: &str) {
    let aws_key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[7; 32]);
    let ring_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 32]);
    let tag = aws_lc_rs::hmac::sign(&aws_key, &MESSAGE);
    group.bench_function("aws-lc-rs", |bench| match what {
        "sign" => bench.iter(|| aws_lc_rs::hmac::sign(&aws_key, black_box(&MESSAGE))),
        _ => bench.iter(|| aws_lc_rs::hmac::verify(&aws_key, black_box(&MESSAGE), tag.as_ref()).unwrap()),
    });
    group.bench_function("ring", |bench| match what {
        "sign" => bench.iter(|| ring::hmac::sign(&ring_key, black_box(&MESSAGE))),
        _ => bench.iter(|| ring::hmac::verify(&ring_key, black_box(&MESSAGE), tag.as_ref()).unwrap()),
    });
}

/// With the key read for each signature, and with one that was read before.
fn aws_verifies(
    group: &mut Group,
    algorithm: &'static dyn aws::VerificationAlgorithm,
    public: &[u8],
    signature: &[u8],
) {
    let unparsed = aws::UnparsedPublicKey::new(algorithm, public);
    group.bench_function("aws-lc-rs", |bench| {
        bench.iter(|| unparsed.verify(black_box(&MESSAGE), signature).unwrap())
    });
    let parsed = aws::ParsedPublicKey::new(algorithm, public).unwrap();
    group.bench_function("aws-lc-rs, key kept", |bench| {
        bench.iter(|| parsed.verify_sig(black_box(&MESSAGE), signature).unwrap())
    });
}
