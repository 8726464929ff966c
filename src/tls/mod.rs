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

    /// Looks whether the files hold something else, and shows that from now on. What they hold has to be the same at two looks:
    /// between the certificate's renewal and the key's they don't fit, and nobody is to be told of that.
    pub fn follow(&self, now: DateTime<Utc>) {
        let held = self.files.read();
        let look = held.as_ref().map(|held| held.digest()).map_err(|error| format!("{error:#}"));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = seen.last == look;
        seen.last = look.clone();
        if !settled || seen.judged == look {
            return;
        }
        seen.judged = look.clone();
        if seen.good == look {
            return;
        }
        match held.and_then(|held| self.files.pair(&held, now)) {
            Ok(pair) => {
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = pair.key;
                seen.good = look;
                let until = pair.not_after.to_rfc3339_opts(SecondsFormat::Secs, true);
                tracing::info!("a new certificate is shown to new connections; it is valid until {until}");
            }
            Err(error) => {
                tracing::warn!("the new certificate is not taken, and the old one stays: {error:#}")
            }
        }
    }
}
