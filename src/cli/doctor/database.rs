//! The database: whether it is there, takes writes, is whole and up to date.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Access, access, statvfs};

use super::report::{Report, cause};
use crate::config::Config;
use crate::error::Error;
use crate::store::look::{self, Damage, Server, Unusable, sqlite_file};
use crate::store::{Db, migrations};

const CHECK: &str = "database";

/// Connections beside the pool that follow changes on Postgres.
const FOLLOWERS: i64 = 2;

/// An answer that takes longer makes each request slow.
const SLOW: Duration = Duration::from_millis(50);

/// Names that are told of many.
const FEW: usize = 3;

const MIB: u64 = 1024 * 1024;

/// Below this SQLite's log alone may fill the disk.
const FULL: u64 = 64 * MIB;

const NEARLY_FULL: u64 = 1024 * MIB;

/// `None` where there is none to look at.
pub async fn open(report: &mut Report, config: &Config) -> Option<Db> {
    let url = config.database_url.expose();
    if let Ok(Some(file)) = sqlite_file(url) {
        let there = file.exists();
        if !look_at_place(report, &file, there) || !there {
            return None;
        }
    }
    match Db::look(url).await {
        Ok(db) => Some(db),
        Err(error) => {
            match error.downcast_ref() {
                Some(Unusable { place, what, todo }) => {
                    report.problem(CHECK, format!("can't use {place} of DATABASE_URL: {what}"), *todo);
                }
                None => report.problem(CHECK, format!("{error:#}"), "check DATABASE_URL"),
            }
            None
        }
    }
}

/// Whether SQLite can have its file here.
fn look_at_place(report: &mut Report, file: &Path, there: bool) -> bool {
    let shown = file.display();
    let folder = file
        .ancestors()
        .skip(1)
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let Some(folder) = folder.into_iter().find(|folder| folder.exists()) else { return there };
    let writable = folder.is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let written = !there || file.is_file() && access(file, Access::READ_OK | Access::WRITE_OK).is_ok();
    if !writable || !written {
        let what = format!(
            "{shown} can't be made or written: {}",
            if writable {
                "it is no file of this user's"
            } else {
                "its folder is none that this user may write to"
            }
        );
        report.problem(
            CHECK,
            what,
            "run this as the service's user; give that user the folder, or set DATABASE_URL",
        );
        return false;
    }
    if let Ok(disk) = statvfs(folder) {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let what = format!("the disk of {} has {} MiB left", folder.display(), free / MIB);
        match free {
            ..FULL => report.problem(CHECK, what, "make room: without it nobody can log in"),
            FULL..NEARLY_FULL => report.warning(CHECK, what, "make room before it is full"),
            _ => report.ok(CHECK, what),
        }
    }
    if !there {
        report.ok(CHECK, format!("{shown} is not there yet; the first start makes it"));
    }
    true
}

/// Returns whether there are tables that this program knows; `None` where the database does not tell.
pub async fn migrations(report: &mut Report, db: &Db) -> Option<bool> {
    const CHECK: &str = "migrations";
    let state = match migrations::state(db).await {
        Ok(state) => state,
        Err(error) => {
            report.problem(CHECK, cause(error), "check that DATABASE_URL names a database of Portcullis");
            return None;
        }
    };
    if let Some(version) = state.newer.last() {
        let what =
            format!("the database was migrated by a newer version of Portcullis: {version} is unknown here");
        match state.is_beyond {
            true => report.problem(CHECK, what, "run that version, or go back to a backup"),
            false => report.warning(
                CHECK,
                what,
                "run that version; this one can for the length of a rolling restart",
            ),
        }
    }
    if !state.broken.is_empty() {
        let what = format!(
            "of {:?}, the database has another text, the half, or nothing although later ones have been run",
            state.broken
        );
        report.problem(CHECK, what, "bring back a backup, or ask where this database came from");
        return Some(false);
    }
    if state.missing > 0 && state.newer.is_empty() && !can_be_made(report, db, state.applied == 0).await {
        return Some(false);
    }
    match (state.applied, state.missing) {
        (0, missing) => report.ok(CHECK, format!("no tables yet; the first start runs all {missing}")),
        (applied, 0) => report.ok(CHECK, format!("all {applied} have been run")),
        (_, missing) => {
            let todo = "the next start runs them; or `portcullis migrate` beforehand";
            report.warning(CHECK, format!("{missing} are missing"), todo);
        }
    }
    Some(state.applied > 0 && state.missing == 0)
}

/// Whether a start can make the migrations that are missing.
async fn can_be_made(report: &mut Report, db: &Db, are_the_first: bool) -> bool {
    const CHECK: &str = "migrations";
    if are_the_first {
        match look::others(db).await {
            Ok(others) if !others.in_the_way.is_empty() => {
                let what = format!(
                    "something else here has names that Portcullis gives its own tables ({})",
                    some(&others.in_the_way)
                );
                report.problem(
                    CHECK,
                    what,
                    "give Portcullis a database, or a schema of Postgres, of its own",
                );
                return false;
            }
            Ok(others) if !others.tables.is_empty() => {
                let tables = some(&others.tables);
                report.ok(CHECK, format!("tables of something else are here, and not in the way ({tables})"));
            }
            Ok(_) => {}
            Err(error) => {
                report.problem(CHECK, cause(error), "check the database's own log");
                return false;
            }
        }
    }
    if let Some(error) = look::unmakeable(db).await {
        report.problem(CHECK, format!("{error:#}"), "the service does not start before that");
        return false;
    }
    true
}

/// A few of these names.
fn some<T: AsRef<str>>(names: &[T]) -> String {
    let few: Vec<_> = names.iter().take(FEW).map(AsRef::as_ref).collect();
    few.join(", ") + if names.len() > FEW { ", …" } else { "" }
}

pub async fn check(report: &mut Report, config: &Config, db: &Db, has_tables: bool) {
    let server = match look::server(db).await {
        Ok(server) => server,
        Err(error) => return report.problem(CHECK, cause(error), "check the database's own log"),
    };
    let latency = match latency(db).await {
        Ok(latency) => latency,
        Err(error) => return report.problem(CHECK, cause(error), "check the database's own log"),
    };
    let place = &config.database_url;
    let Some(server) = server else {
        return look_into_file(report, config, db, has_tables).await;
    };
    report.ok(CHECK, format!("{place}: version {}, answers in {latency:.1?}", server.version));
    if latency > SLOW {
        let what = format!("it takes {latency:.0?} to answer, and each request asks once or more");
        report.warning(CHECK, what, "bring service and database closer together");
    }
    look_at_server(report, config, &server, has_tables);
}

/// The shortest of a few.
async fn latency(db: &Db) -> Result<Duration, Error> {
    let mut shortest = Duration::MAX;
    for _ in 0..4 {
        let asked = Instant::now();
        look::ping(db).await?;
        shortest = shortest.min(asked.elapsed());
    }
    Ok(shortest)
}

fn look_at_server(report: &mut Report, config: &Config, server: &Server, has_tables: bool) {
    if !server.takes_writes {
        let what = "the database takes no writes: it is a standby, or default_transaction_read_only is on";
        report.problem(CHECK, what, "name the primary in DATABASE_URL");
    }
    if !server.takes_tables {
        let what = "this user may make no tables where the search path leads, so migrations fail";
        let todo = "grant create on schema public to the user in DATABASE_URL";
        if has_tables { report.warning(CHECK, what, todo) } else { report.problem(CHECK, what, todo) }
    }
    let wanted = i64::from(config.database_max_connections) + FOLLOWERS;
    // That of this look goes.
    let free = server.connections - server.connections_in_use + 1;
    let what = format!(
        "a replica takes up to {wanted} connections (DATABASE_MAX_CONNECTIONS and {FOLLOWERS}); the server lets in {}, of which {free} \
         are free now",
        server.connections
    );
    if wanted > server.connections {
        report.problem(CHECK, what, "lower DATABASE_MAX_CONNECTIONS, or raise the server's max_connections");
    } else if wanted > free {
        let todo = "all right where this replica runs already; else lower DATABASE_MAX_CONNECTIONS, or raise max_connections";
        report.warning(CHECK, what, todo);
    } else {
        report.ok(CHECK, what);
    }
}

async fn look_into_file(report: &mut Report, config: &Config, db: &Db, has_tables: bool) {
    let place = &config.database_url;
    match look::damage(db).await {
        Ok(Damage::None) => report.ok(CHECK, format!("{place} is whole")),
        Ok(Damage::Some(what)) => {
            report.problem(
                CHECK,
                format!("{place} is damaged: {what}"),
                "stop the service, and bring back a backup",
            );
        }
        Ok(Damage::Unknown) => {
            let todo = format!("for hours when nobody waits: sqlite3 {place} 'pragma integrity_check'");
            report.warning(CHECK, format!("{place} is too big to be looked through in seconds"), todo);
        }
        Err(error) => {
            let what = format!("{place} can't be read: {}", cause(error));
            report.problem(
                CHECK,
                what,
                "check that DATABASE_URL names a database of Portcullis; else bring back a backup",
            );
        }
    }
    if let Ok(Some(file)) = sqlite_file(config.database_url.expose())
        && has_tables
        && !is_in_wal_mode(&file)
    {
        let todo = "the next start sets it again; find out what changed it";
        report.warning(CHECK, format!("{place} is not in WAL mode: readers wait for writers"), todo);
    }
}

/// As its head says (sqlite.org/fileformat2.html section 1.3).
fn is_in_wal_mode(file: &Path) -> bool {
    let mut head = [0; 20];
    File::open(file).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head[18..] == [2, 2]
}
