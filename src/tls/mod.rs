//! TLS: the certificate that the listener shows, and its key.
//!
//! Both are files, which whoever renews the certificate replaces while the service runs: [`Tls::follow`] looks at them every
//! few seconds, by what they hold, so that it makes no difference whether they were written over, renamed or linked anew.
//! A pair that does not do is told once, and the one before stays. Connections that there are go on as they began.

mod pair;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

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
    /// What was made of is not judged again.
    judged: Look,
    /// Of what is shown.
    good: Look,
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
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
            shown: Arc::new(Shown(RwLock::new(pair.key))),
            seen: Mutex::new(Seen { last: look.clone(), judged: look.clone(), good: look }),
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

    /// Looks whether the files hold something else, and shows that from now on, or says once why not.
    pub fn follow(&self, now: DateTime<Utc>) {
        match self.look(now) {
            None => {}
            Some(Ok(until)) => {
                let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                tracing::info!("a new certificate is shown to new connections; it is valid until {until}");
            }
            Some(Err(error)) => {
                tracing::warn!("the new certificate is not taken, and the old one stays: {error:#}")
            }
        }
    }

    /// Until when what is shown from now on is valid, or why it is not shown; `None` where there is nothing new. What the files
    /// hold has to be the same at two looks: between the certificate's renewal and the key's they don't fit, and nobody is to
    /// be told of that.
    fn look(&self, now: DateTime<Utc>) -> Option<anyhow::Result<DateTime<Utc>>> {
        let held = self.files.read();
        let look = held.as_ref().map(|held| held.digest()).map_err(|error| format!("{error:#}"));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = seen.last == look;
        seen.last = look.clone();
        if !settled || seen.judged == look {
            return None;
        }
        seen.judged = look.clone();
        if seen.good == look {
            return None;
        }
        let pair = held.and_then(|held| self.files.pair(&held, now));
        Some(pair.map(|pair| {
            *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = pair.key;
            seen.good = look;
            pair.not_after
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::clock::Clock;

    /// A certificate and its key.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn what_is_the_same_at_two_looks_is_judged_once() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| folder.path().join(name));
        let flags = [format!("--tls-cert={}", certificate.display()), format!("--tls-key={}", key.display())];
        let config = crate::cli::config_from(["portcullis", &flags[0], &flags[1]], []).unwrap();
        let (old, new) = (made(), made());
        fs::write(&certificate, &old.0).unwrap();
        crate::private::write_private(&key, old.1.as_bytes()).unwrap();
        let now = Clock::system().now();
        let tls = Tls::open(&config, now).unwrap().unwrap();
        // What came of so many looks: nothing, shown, or kept.
        let looks = |number| {
            let look = |_| tls.look(now).map_or("-", |came| if came.is_ok() { "shown" } else { "kept" });
            (0..number).map(look).collect::<Vec<_>>()
        };
        assert_eq!(looks(3), ["-", "-", "-"]);
        // Between the certificate and the key of a renewal nothing is said.
        fs::write(&certificate, &new.0).unwrap();
        assert_eq!(looks(1), ["-"]);
        fs::write(&key, &new.1).unwrap();
        assert_eq!(looks(4), ["-", "shown", "-", "-"]);
        // What does not do is told once, and again only where it is something else.
        fs::write(&key, &old.1).unwrap();
        assert_eq!(looks(5), ["-", "kept", "-", "-", "-"]);
        fs::remove_file(&key).unwrap();
        assert_eq!(looks(5), ["-", "kept", "-", "-", "-"]);
        // What is shown already is nothing new.
        crate::private::write_private(&key, new.1.as_bytes()).unwrap();
        assert_eq!(looks(4), ["-", "-", "-", "-"]);
    }
}
