//! What is found of the certificate.

use std::fs;
use std::time::Duration;

use super::{Found, HTTPS, chmod, place};

#[test]
fn a_certificate_that_does_not_do_or_soon_will_not_is_told() {
    let place = place().with("TLS_CERT", "tls.crt").with("TLS_KEY", "tls.key").with(HTTPS.0, HTTPS.1);
    Found::of(&place).has("tls", "problem", &["TLS_CERT, tls.crt", "can't be read"]);
    let put = |names: &[&str], days: i64| {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        let end = std::time::UNIX_EPOCH.elapsed().unwrap() + Duration::from_secs(days as u64 * 86400);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + end;
        fs::write(place.path("tls.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(place.path("tls.key"), key.serialize_pem()).unwrap();
        chmod(place.path("tls.key"), 0o600);
    };
    put(&["auth.example.com"], 90);
    let found = Found::of(&place);
    assert!(
        found
            .rows
            .iter()
            .any(|(check, verdict, what)| check == "tls" && verdict == "ok" && what.contains("89 more days"))
    );
    put(&["auth.example.com"], 10);
    Found::of(&place).has("tls", "warning", &["expires in 9 days"]);
    put(&["localhost"], 90);
    Found::of(&place).has("tls", "warning", &["not for auth.example.com"]);
    chmod(place.path("tls.key"), 0o644);
    Found::of(&place).has("tls", "problem", &["TLS_KEY, tls.key", "every user"]);
}
