//! `portcullis serve`.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::stop::{self, Signals};
use super::{DOTENV, doctor, told};
use crate::accounts;
use crate::app::App;
use crate::background;
use crate::clock::Clock;
use crate::config::{Config, Danger, Problem, Weight, strangers};
use crate::error::Error;
use crate::http::{self, Routes, ServerHandle};

/// The settings, unless one of them is so unsafe in production that nothing is to be begun with it.
pub(super) fn judge(config: Config) -> Result<Config, Vec<Problem>> {
    let refused = config.dangers().into_iter().filter(|danger| danger.weight == Weight::Refused);
    let problem = |danger: Danger| {
        // Its name stands before it.
        let what = danger.what.trim_start_matches(danger.setting).trim_start();
        Problem { name: danger.setting.to_owned(), what: format!("{what}; {}", danger.todo) }
    };
    let problems: Vec<_> = refused.map(problem).collect();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

pub(super) async fn run(
    config: Config,
    own_routes: impl Fn(&mut Routes) + Clone + Send + 'static,
) -> anyhow::Result<()> {
    // From the start: process 1 of a container ignores signals that it does not handle.
    let signals = Signals::catch()?;
    for danger in config.dangers() {
        tracing::warn!("{}; {}", danger.what, danger.todo);
    }
    for what in strangers(Path::new(DOTENV)) {
        tracing::warn!("{what}");
    }
    if let Some((what, todo)) = doctor::secret_refusal(&config) {
        bail!("{what}; {todo}");
    }
    let address = SocketAddr::new(config.host, config.port);
    // Taken first, so that a second service on the same port leaves the database alone.
    let listener = TcpListener::bind(address)
        .map_err(|error| cant_listen(error, &address.to_string(), "PORT or HOST"))?;
    let address = listener.local_addr()?;
    let door = listener.try_clone()?;
    let metrics = config.metrics_bind.map(|address| {
        TcpListener::bind(address)
            .map_err(|error| cant_listen(error, &format!("{address} for metrics"), "METRICS_BIND"))
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
    let scheme = if app.tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}; {scheme}://{address}/docs is a page to try it from");

    let handle = server.handle();
    let stopping = app.clone();
    tokio::spawn(async move {
        stop::when_told(signals, &stopping, &door).await;
        handle.pause().await;
        let all_answered = stop::answered(&stopping, door).await;
        handle.stop(all_answered).await;
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

/// `settings` are those to change.
fn cant_listen(error: io::Error, place: &str, settings: &str) -> anyhow::Error {
    let todo = match error.kind() {
        ErrorKind::AddrInUse => "stop what does, or",
        ErrorKind::PermissionDenied => {
            "ports below 1024 take a right that this user has not (docs/tls.md); grant it, or"
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address;",
        _ => "",
    };
    let todo = format!("{todo} choose another {settings}");
    anyhow::Error::new(error).context(format!("can't listen on {place}; {}", todo.trim_start()))
}
