//! HTTPS: real handshakes with the real program, while its files are renewed, and what it refuses to start on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, crypto::aws_lc_rs,
};

use crate::metrics::{get, metrics_url};
use crate::program::{Place, Server};

/// What no answer takes, however busy the machine is.
const TOO_LONG: Duration = Duration::from_secs(60);

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A certificate for localhost, and its key.
struct Made {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn made() -> Made {
    made_with(|_| {})
}

fn made_with(change: impl FnOnce(&mut CertificateParams)) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut params);
    let made = params.self_signed(&key).unwrap();
    Made { certificate: made.pem(), key: key.serialize_pem(), der: made.der().clone() }
}

/// Writes a file that its owner alone may read, and gives it its name only then.
fn put(file: &Path, text: &str) {
    let draft = file.with_extension("draft");
    fs::write(&draft, text).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(draft, file).unwrap();
}

impl Made {
    fn put(&self, place: &Place) {
        put(&place.path("tls.crt"), &self.certificate);
        put(&place.path("tls.key"), &self.key);
    }
}

fn place() -> Place {
    Place::quick()
        .with("TLS_CERT", "tls.crt")
        .with("TLS_KEY", "tls.key")
        .with("PUBLIC_URL", "https://localhost")
}

/// A connection, of which the handshake is done.
struct Line(TlsStream<TcpStream>);

impl Line {
    /// To who shows this certificate, and no other.
    async fn to(server: &Server, trusted: &Made) -> std::io::Result<Line> {
        Line::with(server, trusted, &[&TLS13, &TLS12]).await
    }

    async fn with(
        server: &Server,
        trusted: &Made,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<Line> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.der.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(server.address()).await?;
        let name = ServerName::try_from("localhost").unwrap();
        Ok(Line(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }

    /// Asks whether the service lives, and returns the head of its answer.
    async fn ask(&mut self) -> String {
        self.0.write_all(LIVE).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let read = tokio::time::timeout(TOO_LONG, self.0.read_buf(&mut answer)).await.unwrap().unwrap();
            assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        answer
    }
}

/// What the service says to these bytes until it hangs up.
async fn said_to(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    // Hung up on with what it sent unread, or in good order.
    let _ =
        tokio::time::timeout(TOO_LONG, stream.read_to_end(&mut said)).await.expect("it is not hung up on");
    said
}

#[tokio::test]
async fn it_speaks_tls_1_2_and_1_3_and_nothing_older() {
    let (place, made) = (place(), made());
    made.put(&place);
    let server = place.serve(&[]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    for (version, spoken) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut line = Line::with(&server, &made, &[version]).await.unwrap();
        let session = line.0.get_ref().1;
        assert_eq!(session.protocol_version(), Some(spoken));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        line.ask().await;
    }

    // A client of TLS 1.1 (RFC 4346 section 7.4.1.2): version, random, no session, one cipher suite, no compression; and signature
    // algorithms, so that nothing but the version is wrong.
    let hello = [&[3, 2][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x09], &[1, 0], &[0, 8, 0, 13, 0, 4, 0, 2, 4, 3]]
        .concat();
    let handshake = [&[1, 0, 0, hello.len() as u8][..], &hello].concat();
    let record = [&[22, 3, 1, 0, handshake.len() as u8][..], &handshake].concat();
    // An alert, fatal: protocol_version.
    let said = said_to(&server, &record).await;
    assert_eq!((said[0], &said[5..]), (21, &[2, 70][..]), "{said:?}");
    server.stop().expect(0);
}

/// As Kubernetes does it: the files are links into a folder, which is itself a link that is replaced.
#[tokio::test]
async fn a_renewed_pair_is_shown_and_connections_go_on() {
    let (place, old, new) = (place(), made(), made());
    for (folder, made) in [("old", &old), ("new", &new)] {
        fs::create_dir(place.path(folder)).unwrap();
        put(&place.path(folder).join("tls.crt"), &made.certificate);
        put(&place.path(folder).join("tls.key"), &made.key);
    }
    symlink("old", place.path("..data")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{file}"), place.path(file)).unwrap();
    }
    let mut server = place.serve(&[]);
    let mut before = Line::to(&server, &old).await.unwrap();
    before.ask().await;

    symlink("new", place.path("..next")).unwrap();
    fs::rename(place.path("..next"), place.path("..data")).unwrap();
    let line = server.running.line_with("a new certificate is shown");
    assert!(line.contains("valid until 4096-01-01"), "{line}");
    Line::to(&server, &new).await.unwrap().ask().await;
    assert!(Line::to(&server, &old).await.is_err(), "the old certificate is still shown");
    before.ask().await;
    // Who does not want to wait for the next looks asks for one.
    let newest = made();
    fs::create_dir(place.path("newest")).unwrap();
    put(&place.path("newest").join("tls.crt"), &newest.certificate);
    put(&place.path("newest").join("tls.key"), &newest.key);
    symlink("newest", place.path("..next")).unwrap();
    fs::rename(place.path("..next"), place.path("..data")).unwrap();
    server.running.signal(Signal::HUP);
    server.running.line_with("SIGHUP: looked at the files");
    Line::to(&server, &newest).await.unwrap().ask().await;
    before.ask().await;
    server.stop().expect(0);
}

#[tokio::test]
async fn a_pair_that_does_not_do_keeps_the_old_one_and_is_told_once() {
    let (place, old, new) = (place(), made(), made());
    old.put(&place);
    let mut server = place.serve(&[]);

    // The certificate alone, with what it will never fit; then half of the key; then nothing.
    put(&place.path("tls.crt"), &new.certificate);
    let line = server.running.line_with("the old one stays");
    assert!(line.contains("WARN") && line.contains("is not the key of the first certificate"), "{line}");
    Line::to(&server, &old).await.unwrap().ask().await;
    put(&place.path("tls.key"), &new.key[..new.key.len() / 2]);
    assert!(server.running.line_with("the old one stays").contains("not all of it is there"));
    fs::remove_file(place.path("tls.key")).unwrap();
    assert!(server.running.line_with("the old one stays").contains("can't be read"));
    put(&place.path("tls.key"), &new.key);
    server.running.line_with("a new certificate is shown");
    Line::to(&server, &new).await.unwrap().ask().await;
    let done = server.stop().expect(0);
    assert_eq!(done.stderr.matches("the old one stays").count(), 3, "{}", done.stderr);
}

#[tokio::test]
async fn when_the_certificate_that_is_shown_expires_is_measured() {
    const NAME: &str = "portcullis_tls_certificate_not_after_timestamp_seconds";
    let told = async |server: &Server| {
        let page = get(&metrics_url(&server.running)).await.text().await.unwrap();
        assert!(page.contains(&format!("# TYPE {NAME} gauge\n")), "{page}");
        let sample = page.lines().find_map(|line| line.strip_prefix(&format!("{NAME} ")));
        sample.map(|seconds| seconds.parse::<i64>().unwrap())
    };
    let until = |year| rcgen::date_time_ymd(year, 2, 3);
    let made = |year| made_with(|params| params.not_after = until(year));
    let place = place().with("METRICS_BIND", "127.0.0.1:0");
    made(3000).put(&place);
    let mut server = place.serve(&[]);
    assert_eq!(told(&server).await, Some(until(3000).unix_timestamp()));
    made(2001).put(&place);
    server.running.line_with("the old one stays");
    assert_eq!(told(&server).await, Some(until(3000).unix_timestamp()));
    made(2999).put(&place);
    server.running.line_with("a new certificate is shown");
    assert_eq!(told(&server).await, Some(until(2999).unix_timestamp()));
    server.stop().expect(0);

    let plain = Place::quick().with("METRICS_BIND", "127.0.0.1:0");
    assert_eq!(told(&plain.serve(&[])).await, None);
}

#[tokio::test]
async fn who_does_not_finish_the_handshake_or_speaks_http_is_hung_up_on() {
    let (place, made) = (place(), made());
    made.put(&place);
    let server = place.serve(&[]);
    let (silent, stalled, plain) =
        tokio::join!(said_to(&server, b""), said_to(&server, &[22, 3, 1, 2, 0, 1]), said_to(&server, LIVE));
    assert_eq!((silent, stalled), (vec![], vec![]));
    assert!(!plain.starts_with(b"HTTP"), "{plain:?}");
    Line::to(&server, &made).await.unwrap().ask().await;
    server.stop().expect(0);
}

#[tokio::test]
async fn browsers_are_told_to_come_by_https_alone_where_the_public_url_is() {
    let hsts = "\r\nstrict-transport-security: max-age=31536000\r\n";
    let made = made();
    for (public_url, is_told) in [("https://localhost", true), ("http://localhost:8080", false)] {
        let place = place().with("PUBLIC_URL", public_url);
        made.put(&place);
        let server = place.serve(&[]);
        let answer = Line::to(&server, &made).await.unwrap().ask().await;
        assert_eq!(answer.contains(hsts), is_told, "{answer}");
        // Whose links would lead nowhere is told.
        let done = server.stop().expect(0);
        assert_eq!(done.stderr.contains("PUBLIC_URL is http://localhost:8080"), !is_told, "{}", done.stderr);
    }
}

#[test]
fn what_does_not_do_is_refused_before_anything_is_made() {
    let (good, other) = (made(), made());
    let expired = made_with(|params| params.not_after = rcgen::date_time_ymd(2001, 2, 3));
    let early = made_with(|params| params.not_before = rcgen::date_time_ymd(4000, 1, 1));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let damaged = good.certificate.replace("MII", "AAA");
    for (certificate, key, said) in [
        (&*good.certificate, &*other.key, &["TLS_KEY, tls.key", "is not the key of"][..]),
        (&good.key, &good.certificate, &["TLS_CERT, tls.crt", "swapped"]),
        (&good.certificate, &good.certificate, &["TLS_KEY, tls.key", "swapped"]),
        (&good.certificate, encrypted, &["TLS_KEY, tls.key", "encrypted", "openssl pkey"]),
        (&good.certificate, "", &["TLS_KEY, tls.key", "no private key in PEM"]),
        ("hello", &good.key, &["TLS_CERT, tls.crt", "no certificate in PEM"]),
        (&good.certificate[..99], &good.key, &["TLS_CERT, tls.crt", "not all of it is there"]),
        (&damaged, &good.key, &["TLS_CERT, tls.crt", "damaged"]),
        (&good.certificate, &good.key[..99], &["TLS_KEY, tls.key", "not all of it is there"]),
        (&expired.certificate, &expired.key, &["TLS_CERT, tls.crt", "expired at 2001-02-03", "Renew"]),
        (&early.certificate, &early.key, &["TLS_CERT, tls.crt", "valid from 4000-01-01", "clock"]),
    ] {
        let place = place();
        put(&place.path("tls.crt"), certificate);
        put(&place.path("tls.key"), key);
        let done = place.run(&[]).expect(1).says(said);
        // Lines of PEM from the second on are the key itself.
        for line in good.key.lines().skip(1).take(1) {
            assert!(!done.stderr.contains(line), "{}", done.stderr);
        }
        assert_eq!(place.files(), ["tls.crt", "tls.key"]);
    }

    let place = place();
    place.run(&[]).expect(1).says(&["TLS_CERT, tls.crt", "can't be read"]);
    good.put(&place);
    fs::set_permissions(place.path("tls.key"), fs::Permissions::from_mode(0o604)).unwrap();
    place.run(&[]).expect(1).says(&["TLS_KEY, tls.key", "every user", "chmod"]);
    fs::set_permissions(place.path("tls.key"), fs::Permissions::from_mode(0o640)).unwrap();
    place.serve(&[]).stop().expect(0);
    // One without the other is a wrong setting.
    Place::quick().with("TLS_CERT", "tls.crt").run(&[]).expect(2).says(&["TLS_KEY", "TLS_CERT needs it"]);
}
