//! [`App`]: what every request shares, assembled once from the settings.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::{Context, bail};
use tokio::sync::watch;

use crate::audit::Audit;
use crate::breaches::Breaches;
use crate::clock::Clock;
use crate::config::Config;
use crate::counts::Counts;
use crate::hasher::Hasher;
use crate::limits::{Addresses, Guessing};
use crate::mail::Mail;
use crate::private::{SECRET_FILE, make_secret, read_secret};
use crate::secret::{Purpose, SecretKey};
use crate::store::{Db, secret_fingerprint};
use crate::tls::Tls;
use crate::tokens::{Changes, EndLinks, Keyring, RefreshTokens, Unnoted};
use crate::traces::Traces;
use crate::usage::Usage;

/// What every request shares. The rooms take it by reference.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    pub audit: Audit,
    pub mail: Mail,
    pub hasher: Hasher,
    pub breaches: Breaches,
    pub keyring: Keyring,
    pub refresh_tokens: RefreshTokens,
    pub end_links: EndLinks,
    pub changes: Changes,
    pub unnoted: Unnoted,
    pub guessing: Guessing,
    pub addresses: Addresses,
    pub usage: Usage,
    pub counts: Counts,
    /// `None` where there is nobody to send them to.
    pub traces: Option<Traces>,
    /// Shared by each request that is being answered.
    in_flight: Arc<()>,
    draining: AtomicBool,
    /// What the listener shows, where it speaks TLS.
    pub tls: Option<Tls>,
    shutting_down: watch::Sender<bool>,
}

impl App {
    /// [Opens](Self::open) it all, and makes sure that there is a key to sign with: all that can fail, fails here.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<App> {
        // First: what is wrong with the files is told before the database is touched.
        let tls = Tls::open(&config, clock.now())?;
        let app = App { tls, ..App::open(config, clock).await? };
        app.keyring.provide(&app.db, &app.changes, &app.config, app.clock.now()).await?;
        Ok(app)
    }

    /// Opens the database, brings its schema up to date, and loads the keys, as they are. For a command beside the service,
    /// which must not make another key because its settings are not the service's.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<App> {
        let db = Db::open(config.database_url.expose(), config.database_max_connections).await?;
        let secret = secret(&config, &db, &clock).await?;
        let previous = config.secret_key_previous.as_ref();
        let audit = Audit::open(&db, &secret, previous).await?;
        let keyring = Keyring::new(&config, &secret, previous, audit.clone());
        if previous.is_some() {
            keyring.reseal(&db).await?;
            secret_fingerprint::set(&db, &fingerprint(&secret), clock.now()).await?;
        }
        keyring.load(&db).await?;
        Ok(App {
            keyring,
            audit,
            mail: Mail::open(&config, &secret, previous)?,
            hasher: Hasher::start(config.bcrypt_cost, config.hashing_niceness)
                .context("can't start the hashing threads")?,
            breaches: Breaches::new(config.breach_check_url.as_deref())?,
            refresh_tokens: RefreshTokens::new(&secret, previous),
            end_links: EndLinks::new(&secret, previous),
            changes: Changes::new(config.session_cache_size),
            unnoted: Unnoted::default(),
            guessing: Guessing::new(&secret, config.rate_limit),
            addresses: Addresses::new(config.rate_limit),
            usage: Usage::default(),
            traces: Traces::open(&config)?,
            counts: Counts::new(config.metrics_bind.is_some()),
            in_flight: Arc::default(),
            draining: AtomicBool::new(false),
            tls: None,
            shutting_down: watch::Sender::new(false),
            config,
            clock,
            db,
        })
    }

    /// A request is in flight until what this returns is dropped.
    pub fn begin_request(&self) -> Arc<()> {
        self.in_flight.clone()
    }

    /// How many are.
    pub fn requests_in_flight(&self) -> usize {
        Arc::strong_count(&self.in_flight) - 1
    }

    /// From now on the service says that it is not ready, so that no new requests are sent to it, and closes each
    /// connection after its next answer, so that none is closed under a request.
    pub fn begin_drain(&self) {
        self.draining.store(true, Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// It drains, if it did not; and requests that are held until something happens are answered.
    pub fn begin_shutdown(&self) {
        self.begin_drain();
        self.shutting_down.send_replace(true);
    }

    pub fn is_shutting_down(&self) -> bool {
        *self.shutting_down.borrow()
    }

    /// Waits until shutdown begins.
    pub async fn shutdown(&self) {
        let _ = self.shutting_down.subscribe().wait_for(|begun| *begun).await;
    }
}

/// The secret that is set, or the service's own, which is made for a database that has met none. Keys made under
/// another could not be read, and refresh tokens made under it would all be refused: better not to start than to log
/// everyone out.
async fn secret(config: &Config, db: &Db, clock: &Clock) -> anyhow::Result<SecretKey> {
    let file = Path::new(SECRET_FILE);
    let cant = || format!("can't read or make {SECRET_FILE}; set SECRET_KEY, or mend the folder");
    // Asked before the file is looked for: who starts at the same moment makes the file first, and tells the database
    // then, so that a database which knows a secret always has had its file.
    let known = secret_fingerprint::present(db).await?;
    let secret = match &config.secret_key {
        Some(set) => set.clone(),
        None => match read_secret(file).with_context(cant)? {
            Some(own) => own,
            None if known.is_some() => bail!(
                "this database has a secret, but SECRET_KEY is not set and {SECRET_FILE} is not in {}. {BRING_IT_BACK}",
                std::env::current_dir().unwrap_or_default().display()
            ),
            None => {
                let made = make_secret(file).with_context(cant)?;
                tracing::info!(
                    "{SECRET_FILE} was made: the database is worth nothing without it, so keep a copy"
                );
                made
            }
        },
    };
    secret_fingerprint::insert(db, &fingerprint(&secret), clock.now()).await?;
    let known = secret_fingerprint::present(db).await?.unwrap_or_default();
    let is_known = |secret: &SecretKey| fingerprint(secret).as_slice() == known;
    if !is_known(&secret) && !config.secret_key_previous.as_ref().is_some_and(is_known) {
        bail!("the keys in this database were made under another SECRET_KEY. {BRING_IT_BACK}");
    }
    Ok(secret)
}

/// Tells secrets apart, and nothing of them.
pub(crate) fn fingerprint(secret: &SecretKey) -> [u8; 32] {
    secret.mac(Purpose::Fingerprint).sign(b"")
}

pub(crate) const BRING_IT_BACK: &str = "Start with the one that the database was made with: set SECRET_KEY, or bring back \
                             data/secret.key. To change it, set the one before as SECRET_KEY_PREVIOUS. Replicas must \
                             share one. If it is lost, start with a new database, and take the users along: \
                             `portcullis user export --with-hashes` here, `portcullis user import` there";
