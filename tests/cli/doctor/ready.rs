//! `portcullis doctor --ready`.

use std::fs;
use std::net::TcpListener;

use super::chmod;
use crate::program::Place;

#[test]
fn a_health_check_asks_the_service_that_runs_here() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut place = Place::quick().with("PORT", &port);
    place.run(&["doctor", "--ready"]).expect(1).says(&["no service answers", &port]);
    let server = place.serve(&[]);
    assert_eq!(place.run(&["doctor", "--ready"]).expect(0).stdout, "ready\n");
    server.stop().expect(0);

    let made = rcgen::generate_simple_self_signed(["auth.example.com".to_owned()]).unwrap();
    fs::write(place.path("tls.crt"), made.cert.pem()).unwrap();
    fs::write(place.path("tls.key"), made.signing_key.serialize_pem()).unwrap();
    chmod(place.path("tls.key"), 0o600);
    place.set("TLS_CERT", "tls.crt");
    place.set("TLS_KEY", "tls.key");
    let server = place.serve(&[]);
    place.run(&["doctor", "--ready"]).expect(0);
    server.stop().expect(0);
    place.set("PORT", "x");
    place.run(&["doctor", "--ready"]).expect(2).says(&["PORT"]);
}
