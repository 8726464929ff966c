//! A certificate and its key: read from their files, and judged.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::{parse_x509_certificate, x509::X509Version};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::private::is_open_to_everyone;
use crate::secret::sha256;

/// What a file may have at most: far more than any chain of certificates.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where the pair is.
#[derive(Clone, Debug)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What both files held at one moment.
pub struct Held {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    key_is_open: bool,
}

impl Held {
    /// Tells apart what is judged differently.
    pub(super) fn digest(&self) -> [u8; 32] {
        let parts = [&sha256(&self.certificate)[..], &sha256(&self.key), &[self.key_is_open.into()]];
        sha256(&parts.concat())
    }
}

/// A certificate with what leads to its authority, and its key; fit to be shown.
#[derive(Debug)]
pub struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
}

impl Pair {
    /// Whether it is a certificate for this host.
    pub fn is_for(&self, host: &str) -> bool {
        let certificate = self.key.end_entity_cert().and_then(ParsedCertificate::try_from);
        match (certificate, ServerName::try_from(host)) {
            (Ok(certificate), Ok(name)) => verify_server_name(&certificate, &name).is_ok(),
            _ => false,
        }
    }
}

/// The one cryptography of this program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Files {
    /// `None` where the settings name none.
    pub fn of(config: &Config) -> Option<Files> {
        let (certificate, key) = (config.tls_cert.clone()?, config.tls_key.clone()?);
        Some(Files { certificate, key })
    }

    pub fn read(&self) -> anyhow::Result<Held> {
        let certificate =
            read(&self.certificate).with_context(|| format!("TLS_CERT, {}", self.certificate.display()))?;
        let of_key = || format!("TLS_KEY, {}", self.key.display());
        Ok(Held {
            certificate,
            key: Zeroizing::new(read(&self.key).with_context(of_key)?),
            key_is_open: is_open_to_everyone(&self.key).with_context(of_key)?,
        })
    }

    /// The pair that the files held, if it does at this time. What is wrong never quotes them.
    pub fn pair(&self, held: &Held, now: DateTime<Utc>) -> anyhow::Result<Pair> {
        let pair = self.fitting(held)?;
        self.demand_valid(&pair, now)?;
        Ok(pair)
    }

    /// The same at any time: when it is valid is not looked at.
    pub(super) fn fitting(&self, held: &Held) -> anyhow::Result<Pair> {
        let (certificate_file, key_file) = (self.certificate.display(), self.key.display());
        let of_certificate = || format!("TLS_CERT, {certificate_file}");
        let of_key = || format!("TLS_KEY, {key_file}");
        ensure!(
            !held.key_is_open,
            "TLS_KEY, {key_file}: every user of this machine can read it. Take that away: chmod o-rwx {key_file}"
        );
        let chain = chain(&held.certificate).with_context(of_certificate)?;
        let (not_before, not_after) = validity(&chain[0]).with_context(of_certificate)?;
        ensure!(
            !is_version_1(&chain[0]),
            "TLS_CERT, {certificate_file}: it is X.509 version 1; make it with extensions (-addext subjectAltName=…)"
        );
        let key = private_key(&held.key).with_context(of_key)?;
        let key = match CertifiedKey::from_der(chain, key, &provider()) {
            Ok(key) => key,
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => bail!(
                "TLS_KEY, {key_file}, is not the key of the first certificate in TLS_CERT, {certificate_file}. Name the two files \
                 that were made together; the service's own certificate comes first in its file"
            ),
            Err(Error::InvalidCertificate(error)) => {
                bail!(
                    "TLS_CERT, {certificate_file}: TLS does not take this certificate ({error:?}); have it made anew"
                )
            }
            Err(_) => bail!(
                "TLS_KEY, {key_file}: it is damaged, or of a kind that TLS does not take. Use ECDSA (P-256 or P-384), Ed25519, \
                 or RSA of 2048 bits or more"
            ),
        };
        Ok(Pair { key: Arc::new(key), not_before, not_after })
    }

    pub(super) fn demand_valid(&self, pair: &Pair, now: DateTime<Utc>) -> anyhow::Result<()> {
        let (certificate_file, Pair { not_before, not_after, .. }) = (self.certificate.display(), pair);
        let day = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        ensure!(
            now < *not_after,
            "TLS_CERT, {certificate_file}: it expired at {}. Renew it, or unset TLS_CERT and TLS_KEY",
            day(*not_after)
        );
        ensure!(
            *not_before <= now,
            "TLS_CERT, {certificate_file}: it is valid from {} on, and here it is {}. Check this machine's clock",
            day(*not_before),
            day(now)
        );
        Ok(())
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    const CANT: &str = "it can't be read; check the name, and that the user of this service may read it and enter its folders";
    // Before it is opened: to open a pipe would wait for who writes to it.
    ensure!(fs::metadata(file).context(CANT)?.is_file(), "it is not a file");
    let mut bytes = Vec::new();
    File::open(file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).context(CANT)?;
    ensure!(bytes.len() as u64 <= MAX_BYTES, "it has more than 1 MiB, as no certificate and no key has");
    Ok(bytes)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// At least one certificate.
fn chain(bytes: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let chain = chain.map_err(|_| anyhow::anyhow!("it is damaged, or not all of it is there"))?;
    if chain.is_empty() {
        let hint = if holds(bytes, "PRIVATE KEY") {
            ", but a private key: are TLS_CERT and TLS_KEY swapped?"
        } else {
            ""
        };
        bail!("it has no certificate in PEM (-----BEGIN CERTIFICATE-----){hint}");
    }
    Ok(chain)
}

fn private_key(bytes: &[u8]) -> anyhow::Result<PrivateKeyDer<'static>> {
    ensure!(
        !holds(bytes, "ENCRYPTED"),
        "it is encrypted, and nobody is there to be asked for the password. Decrypt it into a file that only this service \
         may read: openssl pkey -in KEY -out PLAIN"
    );
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => {
            let swapped = holds(bytes, "BEGIN CERTIFICATE");
            let hint = if swapped { ", but a certificate: are TLS_CERT and TLS_KEY swapped?" } else { "" };
            bail!("it has no private key in PEM (-----BEGIN PRIVATE KEY-----){hint}");
        }
        Err(_) => bail!("it is damaged, or not all of it is there"),
    }
}

/// From when until when it is valid.
fn validity(certificate: &[u8]) -> anyhow::Result<(DateTime<Utc>, DateTime<Utc>)> {
    let parsed =
        parse_x509_certificate(certificate).ok().map(|(_, certificate)| certificate.validity().clone());
    let times = parsed.and_then(|times| {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        at(times.not_before.timestamp()).zip(at(times.not_after.timestamp()))
    });
    times.context("its first certificate is damaged")
}

/// As `openssl x509 -req` makes it without extensions; TLS takes version 3 alone.
fn is_version_1(certificate: &[u8]) -> bool {
    parse_x509_certificate(certificate).is_ok_and(|(_, certificate)| certificate.version() == X509Version::V1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without extensions.
    const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBJTCBywIUXkQqbbeLGn1+mtMQ8vpsdHmWAHAwCgYIKoZIzj0EAwIwFDESMBAG\n\
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE0NTgwN1oYDzI1NzQwNjIyMTQ1ODA3\n\
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n\
AATeFYDuda8IHPiW/T6A5DgxsyoEuE9eMHzsUHW6GFJiNDD3mpeV5PLx/xACtZB9\n\
CXx+VmaoVcH3RxtyQinXFs2FMAoGCCqGSM49BAMCA0kAMEYCIQC0bNiFSbfQcglJ\n\
ZYs38pZtrEBS2ZHj8KYU04LtPA0DfQIhAPOoIKcYHAJ+RDAZuPRAP0EWmOwuEgWR\n\
rJVJEsqqtKCf\n\
-----END CERTIFICATE-----\n";

    #[test]
    fn of_one_without_extensions_it_is_said_how_to_make_another() {
        let files = Files { certificate: "tls.crt".into(), key: "tls.key".into() };
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem().into_bytes();
        let held = Held { certificate: VERSION_1.into(), key: Zeroizing::new(key), key_is_open: false };
        let error = files.fitting(&held).unwrap_err().to_string();
        for text in ["TLS_CERT, tls.crt", "X.509 version 1", "-addext subjectAltName"] {
            assert!(error.contains(text), "{error}");
        }
    }
}
