//! TLS: the certificate that the listener shows, and its key.
//!
//! Both are files, which whoever renews the certificate replaces while the service runs: [`Tls::follow`] looks at them every
//! few seconds, by what they hold, so that it makes no difference whether they were written over, renamed or linked anew.
//! A pair that does not do is told once, and the one before stays. Connections that there are go on as they began.

mod pair;

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use crate::config::Config;
use pair::provider;
pub use pair::{Files, Pair};

/// What the listener shows, and where it comes from.
pub struct Tls {
    files: Files,
    shown: Arc<Shown>,
    seen: Mutex<Seen>,
}

/// What the files held when they were looked at: a digest, or why they could not be read.
type Look = Result<[u8; 32], String>;

struct Seen {
    last: Look,
    /// What was made of is not judged again,
    judged: Look,
    /// but for a certificate that was ahead of its time.
    valid_from: Option<DateTime<Utc>>,
    /// Of what is shown.
    good: Look,
    /// Whether the last word was that the files don't do.
    complained: bool,
}

/// What a look at the files led to.
enum News {
    /// Something else is shown from now on, which is valid until then.
    Shown(DateTime<Utc>),
    /// What is there does not do.
    Kept(anyhow::Error),
    /// After that, the files hold again what is shown.
    Mended,
}

#[derive(Debug)]
struct Shown(RwLock<Pair>);

impl Shown {
    fn pair(&self) -> RwLockReadGuard<'_, Pair> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair().key.clone())
    }
}

impl Tls {
    /// Reads the files that the settings name, if they name any; all that can be wrong with them is told.
    pub fn open(config: &Config, now: DateTime<Utc>) -> anyhow::Result<Option<Tls>> {
        let Some(files) = Files::of(config) else { return Ok(None) };
        let held = files.read().context("can't serve HTTPS")?;
        let pair = files.pair(&held, now).context("can't serve HTTPS")?;
        let look = Ok(held.digest());
        Ok(Some(Tls {
            files,
            shown: Arc::new(Shown(RwLock::new(pair))),
            seen: Mutex::new(Seen {
                last: look.clone(),
                judged: look.clone(),
                valid_from: None,
                good: look,
                complained: false,
            }),
        }))
    }

    /// What a listener needs: TLS 1.2 and 1.3, and whatever is shown at the moment of a handshake.
    pub fn server_config(&self) -> ServerConfig {
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has ciphers for both")
            .with_no_client_auth()
            .with_cert_resolver(self.shown.clone())
    }

    /// When the certificate that is shown expires.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.shown.pair().not_after
    }

    /// Looks whether the files hold something else, and shows that from now on, or says once why not.
    pub fn follow(&self, now: DateTime<Utc>) {
        match self.look(now) {
            None => {}
            Some(News::Shown(until)) => {
                let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                tracing::info!("a new certificate is shown to new connections; it is valid until {until}");
            }
            Some(News::Kept(error)) => {
                tracing::warn!("the new certificate is not taken, and the old one stays: {error:#}")
            }
            Some(News::Mended) => {
                tracing::info!(
                    "the files of the certificate and its key are well again, and are those that are shown"
                )
            }
        }
    }

    /// For whoever says that both files are there now: looks twice, so that they are judged without waiting.
    pub fn follow_at_once(&self, now: DateTime<Utc>) {
        self.follow(now);
        self.follow(now);
    }

    /// `None` where there is nothing new. What the files hold has to be the same at two looks: between the certificate's renewal
    /// and the key's they don't fit, and nobody is to be told of that.
    fn look(&self, now: DateTime<Utc>) -> Option<News> {
        let held = self.files.read();
        let look = held.as_ref().map(|held| held.digest()).map_err(|error| format!("{error:#}"));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = seen.last == look;
        seen.last = look.clone();
        let is_due = seen.valid_from.is_some_and(|from| from <= now);
        if !settled || seen.judged == look && !is_due {
            return None;
        }
        seen.judged = look.clone();
        seen.valid_from = None;
        if seen.good == look {
            return std::mem::take(&mut seen.complained).then_some(News::Mended);
        }
        let pair = held.and_then(|held| self.files.fitting(&held)).and_then(|pair| {
            seen.valid_from = Some(pair.not_before).filter(|from| *from > now);
            self.files.demand_valid(&pair, now).map(|()| pair)
        });
        seen.complained = pair.is_err();
        Some(match pair {
            Ok(pair) => {
                let until = pair.not_after;
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
                seen.good = look;
                News::Shown(until)
            }
            Err(error) => News::Kept(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use chrono::TimeDelta;

    use super::*;
    use crate::clock::Clock;

    /// A certificate that is valid from that year on, and its key.
    fn made(year: i32) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wanted = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        wanted.not_before = rcgen::date_time_ymd(year, 1, 1);
        (wanted.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    /// What is followed, and its two files.
    struct Followed {
        tls: Tls,
        certificate: PathBuf,
        key: PathBuf,
        _folder: tempfile::TempDir,
    }

    impl Followed {
        fn of((chain, secret): &(String, String), now: DateTime<Utc>) -> Followed {
            let folder = tempfile::tempdir().unwrap();
            let [certificate, key] = ["tls.crt", "tls.key"].map(|name| folder.path().join(name));
            fs::write(&certificate, chain).unwrap();
            crate::private::write_private(&key, secret.as_bytes()).unwrap();
            let flags =
                [format!("--tls-cert={}", certificate.display()), format!("--tls-key={}", key.display())];
            let config = crate::cli::config_from(["portcullis", &flags[0], &flags[1]], []).unwrap();
            let tls = Tls::open(&config, now).unwrap().unwrap();
            Followed { tls, certificate, key, _folder: folder }
        }

        /// What came of so many looks.
        fn looks(&self, number: usize, now: DateTime<Utc>) -> Vec<&'static str> {
            let look = |_| match self.tls.look(now) {
                None => "-",
                Some(News::Shown(_)) => "shown",
                Some(News::Kept(_)) => "kept",
                Some(News::Mended) => "mended",
            };
            (0..number).map(look).collect()
        }
    }

    #[test]
    fn what_is_the_same_at_two_looks_is_judged_once() {
        let (now, old, new) = (Clock::system().now(), made(2020), made(2020));
        let files = Followed::of(&old, now);
        assert_eq!(files.looks(3, now), ["-", "-", "-"]);
        // Between the certificate and the key of a renewal nothing is said.
        fs::write(&files.certificate, &new.0).unwrap();
        assert_eq!(files.looks(1, now), ["-"]);
        fs::write(&files.key, &new.1).unwrap();
        assert_eq!(files.looks(4, now), ["-", "shown", "-", "-"]);
        // What does not do is told once, and again only where it is something else.
        fs::write(&files.key, &old.1).unwrap();
        assert_eq!(files.looks(5, now), ["-", "kept", "-", "-", "-"]);
        fs::remove_file(&files.key).unwrap();
        assert_eq!(files.looks(5, now), ["-", "kept", "-", "-", "-"]);
        // Who read that also reads, once, that it is over.
        crate::private::write_private(&files.key, new.1.as_bytes()).unwrap();
        assert_eq!(files.looks(4, now), ["-", "mended", "-", "-"]);
        // What nobody was told of is not over either.
        fs::write(&files.key, &old.1).unwrap();
        assert_eq!(files.looks(1, now), ["-"]);
        fs::write(&files.key, &new.1).unwrap();
        assert_eq!(files.looks(3, now), ["-", "-", "-"]);
    }

    #[test]
    fn who_says_that_both_are_there_does_not_wait() {
        let (now, old, new) = (Clock::system().now(), made(2020), made(2020));
        let files = Followed::of(&old, now);
        let shown = || files.tls.shown.0.read().unwrap().key.cert.clone();
        let before = shown();
        fs::write(&files.certificate, &new.0).unwrap();
        fs::write(&files.key, &new.1).unwrap();
        files.tls.follow_at_once(now);
        assert_ne!(shown(), before);
        assert_eq!(files.looks(2, now), ["-", "-"]);
    }

    #[test]
    fn one_that_is_ahead_of_its_time_is_taken_when_that_comes() {
        let (now, old, new) = (Clock::system().now(), made(2020), made(2100));
        let files = Followed::of(&old, now);
        fs::write(&files.certificate, &new.0).unwrap();
        fs::write(&files.key, &new.1).unwrap();
        assert_eq!(files.looks(4, now), ["-", "kept", "-", "-"]);
        let valid_from: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(files.looks(2, valid_from - TimeDelta::seconds(1)), ["-", "-"]);
        assert_eq!(files.looks(3, valid_from), ["shown", "-", "-"]);
    }
}
