//! The verifier: what a service holds and asks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::access_token::{self, Expected};
use crate::api::Api;
use crate::clock::Moment;
use crate::feed::Feed;
use crate::health::Health;
use crate::keys::{Found, Keys, Refusal};
use crate::login::Login;
use crate::revoked::Revoked;
use crate::settings::{Settings, SettingsError};
use crate::{Claims, Error};

/// How long a request may wait for keys that are being fetched.
const KEYS_TIMEOUT: Duration = Duration::from_secs(2);

/// Checks access tokens in memory, and follows Portcullis in the background. Clones are one and the same; when the last
/// one is dropped, the following ends.
#[derive(Clone)]
pub struct Verifier(Arc<Running>);

struct Running {
    known: Arc<Known>,
    task: AbortHandle,
}

/// What the background task learns and requests are checked against.
struct Known {
    url: String,
    expected: Expected,
    keys: Keys,
    revoked: Revoked,
    feed: Health,
    /// Something was learned, or failed.
    progress: watch::Sender<()>,
}

impl Verifier {
    /// Starts to follow Portcullis, in a task of the present tokio runtime. It returns at once; until
    /// [`ready`](Verifier::ready), every token is refused with [`Error::Unavailable`].
    pub fn connect(settings: Settings) -> Result<Verifier, SettingsError> {
        let settings = settings.checked()?;
        let runtime = Handle::try_current().map_err(|_| SettingsError {
            name: "connect",
            what: "must be called within a tokio runtime, such as `#[actix_web::main]` or `#[tokio::main]`"
                .to_owned(),
        })?;
        // Chosen once for the process. Another crate's earlier choice stays, and does as well.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let api = Api::new(&settings)?;
        let login = Login::new(&settings);
        let issuer = settings.issuer.unwrap_or_default();
        let known = Arc::new(Known {
            url: settings.url,
            expected: Expected {
                audience: settings.audience.unwrap_or_else(|| issuer.clone()),
                issuer,
                lifetime: settings.remember,
            },
            keys: Keys::new(settings.keys_every, settings.keys_at_most_every),
            revoked: Revoked::new(settings.max_silence, settings.remember, Moment::now()),
            feed: Health::new("following Portcullis' revocations"),
            progress: watch::Sender::new(()),
        });
        let task = runtime.spawn(follow(known.clone(), api, login, settings.max_silence)).abort_handle();
        Ok(Verifier(Arc::new(Running { known, task })))
    }

    /// The claims of a valid access token that is not revoked. It asks nobody and waits for nothing: a token whose key
    /// is not known yet is [`Unavailable`](Error::Unavailable), and the key is fetched in the background.
    pub fn verify(&self, token: &str) -> Result<Claims, Error> {
        self.0.known.verify(token).map_err(Error::from)
    }

    /// As [`verify`](Verifier::verify), but where the token's key is not known yet it waits for it, 2 seconds at most.
    pub async fn verify_or_wait(&self, token: &str) -> Result<Claims, Error> {
        let known = &self.0.known;
        let mut fetch = known.keys.next_fetch();
        match known.verify(token) {
            Err(Refusal::KeyComing) => {}
            told => return told.map_err(Error::from),
        }
        // Whether in time or not, what is known then decides.
        let _ = timeout(KEYS_TIMEOUT, fetch.changed()).await;
        self.verify(token)
    }

    /// Resolves when tokens can be checked: the keys and all revocations are known. Give it a
    /// [`timeout`](tokio::time::timeout); [`problem`](Verifier::problem) then says what is in the way.
    pub async fn ready(&self) {
        let mut progress = self.0.known.progress.subscribe();
        // The sender lives in what we hold, so that this does not end early.
        let _ = progress.wait_for(|()| self.is_ready()).await;
    }

    /// Whether tokens can be checked now; where not, all are refused. For a health check.
    pub fn is_ready(&self) -> bool {
        let (known, now) = (&self.0.known, Moment::now());
        known.revoked.is_fresh(now) && known.keys.are_fresh(now)
    }

    /// What does not work at the moment, for people. The log has it, too.
    pub fn problem(&self) -> Option<String> {
        let known = &self.0.known;
        known.feed.told().or_else(|| known.keys.health.told())
    }
}

impl Known {
    fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let now = Moment::now();
        let refused = Refusal::Final;
        self.revoked.fresh(now).map_err(refused)?;
        let id = access_token::key_id(token).map_err(refused)?;
        let claims = match self.keys.find(&id, now).map_err(refused)? {
            Found::Key(key) => self.expected.verify(token, &key, now).map_err(refused)?,
            Found::Unknown => {
                self.expected.would_take(token, now).map_err(refused)?;
                return Err(self.keys.ask(id, now));
            }
        };
        self.revoked.check(&claims, now).map_err(refused)?;
        Ok(claims)
    }
}

async fn follow(known: Arc<Known>, api: Api, login: Login, max_silence: Duration) {
    let Known { expected, keys, revoked, feed: health, progress, .. } = &*known;
    let feed = Feed { api: &api, login, expected, revoked, health, max_silence };
    tokio::join!(feed.follow(progress), keys.follow(&api, progress));
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Verifier");
        shown.field("url", &self.0.known.url).field("ready", &self.is_ready()).finish_non_exhaustive()
    }
}
