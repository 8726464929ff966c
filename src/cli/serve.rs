//! `portcullis serve`.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use super::told;
use crate::accounts;
use crate::app::App;
use crate::background;
use crate::clock::Clock;
use crate::config::{Config, SmtpUrl};
use crate::error::Error;
use crate::http::{self, Routes, ServerHandle};

/// Below this a stolen hash is cheap to guess at.
const ADVISED_BCRYPT_COST: u32 = 10;

pub(super) async fn run(
    config: Config,
    own_routes: impl Fn(&mut Routes) + Clone + Send + 'static,
) -> anyhow::Result<()> {
    // From the start: process 1 of a container ignores signals that it does not handle.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    if config.bcrypt_cost < ADVISED_BCRYPT_COST {
        tracing::warn!(
            cost = config.bcrypt_cost,
            "BCRYPT_COST is below {ADVISED_BCRYPT_COST}: fit for tests only"
        );
    }
    if !config.rate_limit {
        tracing::warn!(
            "RATE_LIMIT=false: anyone may guess at passwords as fast as they can; for load tests only"
        );
    }
    if config.smtp_url.as_ref().is_some_and(SmtpUrl::tells_its_password) {
        tracing::warn!(
            "SMTP_URL has a password, which goes to the mail server in the clear: use smtps://, or ?tls=required"
        );
    }
    let address = SocketAddr::new(config.host, config.port);
    // Taken first, so that a second service on the same port leaves the database alone.
    let listener = TcpListener::bind(address).with_context(|| {
        format!("can't listen on {address}; stop what does, or choose another PORT or HOST")
    })?;
    let address = listener.local_addr()?;
    let metrics = config.metrics_bind.map(|address| {
        TcpListener::bind(address).with_context(|| {
            format!("can't listen on {address} for metrics; stop what does, or choose another METRICS_BIND")
        })
    });
    let metrics = metrics.transpose()?;
    let app = Arc::new(App::start(config, Clock::system()).await?);
    provide_admin(&app).await?;
    let server = http::serve(app.clone(), listener, own_routes)?;
    let metrics = match metrics {
        Some(listener) => Some(start_metrics(&app, listener)?),
        None => None,
    };
    tracing::info!("the database is {}", app.config.database_url);
    match &app.config.smtp_url {
        Some(server) => tracing::info!("mails go to {server}, from {}", app.config.mail_from().0),
        None => {
            tracing::info!("mails become files in {}; SMTP_URL sends them", app.config.mail_folder.display())
        }
    }
    tracing::info!("listening on http://{address}; http://{address}/docs is a page to try it from");

    let handle = server.handle();
    let stopping = app.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new requests, and those in flight may end");
        stopping.begin_shutdown();
        handle.stop(true).await;
    });
    server.await?;
    background::finish(&app).await;
    if let Some(metrics) = metrics {
        metrics.stop(false).await;
    }
    // A frozen database must not keep the process.
    let _ = tokio::time::timeout(Duration::from_secs(2), app.db.close()).await;
    tracing::info!("stopped");
    Ok(())
}

/// Tells what is measured until the very end: how the service stops is a thing to see, too.
fn start_metrics(app: &Arc<App>, listener: TcpListener) -> anyhow::Result<ServerHandle> {
    let address = listener.local_addr()?;
    let server = http::serve_metrics(app.clone(), listener)?;
    let handle = server.handle();
    tokio::spawn(server);
    tracing::info!("metrics are on http://{address}/metrics");
    Ok(handle)
}

async fn provide_admin(app: &App) -> anyhow::Result<()> {
    let taken = |setting: &str| {
        anyhow!(
            "can't make the first admin: {setting} is the name of a user who is no admin, and is not made one, since whoever \
             registered it knows its password. Choose another name, or give that user the role yourself: \
             portcullis user grant NAME admin"
        )
    };
    match accounts::provide_admin(app).await {
        Ok(Some(user)) => tracing::info!("made the first admin, {}, since there was none", user.id),
        Ok(None) => {}
        Err(Error::UsernameTaken) => return Err(taken("ADMIN_USERNAME")),
        Err(Error::EmailTaken) => return Err(taken("ADMIN_EMAIL")),
        Err(error) => return Err(told(error)).context("can't make the first admin"),
    }
    Ok(())
}
