//! [`App`]: what every request shares, assembled once from the settings.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use anyhow::{Context, bail};

use crate::clock::Clock;
use crate::config::Config;
use crate::hasher::Hasher;
use crate::private::{SECRET_FILE, read_or_make_secret};
use crate::secret::{Purpose, SecretKey};
use crate::store::{Db, secret_fingerprint};
use crate::tokens::{Keyring, RefreshTokens};

/// What every request shares. The rooms take it by reference.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    pub hasher: Hasher,
    pub keyring: Keyring,
    pub refresh_tokens: RefreshTokens,
    shutting_down: AtomicBool,
}

impl App {
    /// Opens the database, brings its schema up to date, and loads the keys: all that can fail, fails here.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<App> {
        let secret = match &config.secret_key {
            Some(secret) => secret.clone(),
            None => read_or_make_secret(Path::new(SECRET_FILE)).with_context(|| {
                format!("can't read or make {SECRET_FILE}; set SECRET_KEY, or mend the folder")
            })?,
        };
        let db = Db::open(config.database_url.expose(), config.database_max_connections).await?;
        check_secret(&db, &secret, &clock).await?;
        Ok(App {
            keyring: Keyring::open(&config, &secret, &db, &clock).await?,
            hasher: Hasher::start(config.bcrypt_cost),
            refresh_tokens: RefreshTokens::new(&secret),
            shutting_down: AtomicBool::new(false),
            config,
            clock,
            db,
        })
    }

    /// From now on the service says that it is not ready, so that no new requests are sent to it.
    pub fn begin_shutdown(&self) {
        self.shutting_down.store(true, SeqCst);
    }

    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(SeqCst)
    }
}

/// Keys made under another secret could not be read, and refresh tokens made under it would all be refused: better
/// not to start than to log everyone out.
async fn check_secret(db: &Db, secret: &SecretKey, clock: &Clock) -> anyhow::Result<()> {
    let ours = secret.mac(Purpose::Fingerprint).sign(b"");
    let first = secret_fingerprint::of_first_secret(db, &ours, clock.now()).await?;
    if first != ours {
        bail!(
            "the keys in this database were made under another SECRET_KEY. Start with that one: set SECRET_KEY, or \
             bring back {SECRET_FILE}, as it was when the database was made. Replicas must share one. If it is lost, \
             start with a new database"
        );
    }
    Ok(())
}
