//! `portcullis doctor`: what it finds, that it changes nothing, and that the service refuses what it must. A file for each
//! subject, as in `src/cli/doctor`.

mod admins;
mod clock;
mod database;
mod files;
mod keys;
mod mail;
mod ready;
mod settings;
mod tls;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use portcullis::store::{Db, Executor};
use serde_json::Value;

use crate::program::{Done, PASSWORD, Place};

/// What is said when nothing is frozen.
const SECONDS: Duration = Duration::from_secs(20);

const HTTPS: (&str, &str) = ("PUBLIC_URL", "https://auth.example.com");

/// A secret as a generator makes it.
const RANDOM: &str = "6f1d0c5be2a94a7f8c3b9e17d2604fa85c7be0931f4d6a28";

/// With the default settings, which are the safe ones, and any free port.
fn place() -> Place {
    Place::new().with("PORT", "0")
}

/// Where the service has run once, and has an admin.
fn used_place() -> Place {
    let place = place();
    place.serve(&[]).stop().expect(0);
    let admin = ["user", "create", "--username=root", "--role=admin", "--bcrypt-cost=4"];
    place.run_with_input(&admin, PASSWORD).expect(0);
    place
}

/// What it found: check, verdict, and what that is and what to do.
struct Found {
    rows: Vec<(String, String, String)>,
    done: Done,
}

impl Found {
    fn with(place: &Place, arguments: &[&str]) -> Found {
        let done = place.run(&[&["doctor", "--json"], arguments].concat());
        let report: Value =
            serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
        let row = |row: &Value| {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            let (check, verdict) = (text("check"), text("verdict"));
            assert!(verdict == "ok" || text("todo").len() > 5, "nothing to do about {row}");
            (check, verdict, text("what") + " -> " + &text("todo"))
        };
        let rows: Vec<_> = report["checks"].as_array().unwrap().iter().map(row).collect();
        let count = |wanted: &str| rows.iter().filter(|(_, verdict, _)| verdict == wanted).count();
        assert_eq!(report["problems"], count("problem"));
        assert_eq!(report["warnings"], count("warning"));
        assert!(done.took < SECONDS, "{:?}", done.took);
        Found { rows, done }
    }

    fn of(place: &Place) -> Found {
        Found::with(place, &[])
    }

    /// Demands one that says all of this, and the exit code of its kind.
    #[track_caller]
    fn has(self, check: &str, verdict: &str, says: &[&str]) -> Found {
        let fits = |(c, v, what): &&(String, String, String)| {
            c == check && v == verdict && says.iter().all(|text| what.contains(text))
        };
        assert!(
            self.rows.iter().any(|row| fits(&row)),
            "no {verdict} of {check} says {says:?}: {:#?}",
            self.rows
        );
        let problems = self.rows.iter().any(|(_, verdict, _)| verdict == "problem");
        assert_eq!(self.done.code, Some(i32::from(problems)), "{:?}", self.done);
        self
    }

    #[track_caller]
    fn well(self) -> Found {
        assert!(self.rows.iter().all(|(_, verdict, _)| verdict == "ok"), "{:#?}", self.rows);
        assert_eq!(self.done.code, Some(0));
        self
    }
}

/// The names and bytes of all that lies in a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default())
    };
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect();
    all.sort();
    all
}

fn chmod(file: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

async fn sql(place: &Place, sql: &'static str) {
    let url = format!("sqlite://{}", place.path("data/portcullis.db").display());
    let db = Db::open(&url, 1).await.unwrap();
    assert!(db.query(sql).execute().await.unwrap() > 0, "{sql}");
    db.close().await;
}

#[test]
fn all_is_well_and_nothing_is_changed() {
    let place = place();
    Found::of(&place).well();
    assert!(place.files().is_empty(), "{:?}", place.files());

    let place = used_place();
    let before = contents(&place.path("data"));
    let found = Found::of(&place).well();
    for check in ["settings", "files", "tls", "database", "migrations", "keys", "admins", "clock", "mail"] {
        assert!(found.rows.iter().any(|(known, ..)| known == check), "no {check} in {:?}", found.rows);
    }
    assert!(contents(&place.path("data")) == before, "it changed data/");

    // Beside the running service, too; and as text.
    let server = place.serve(&[]);
    Found::of(&place).well();
    let told = place.run(&["doctor"]).expect(0).stdout;
    assert!(told.contains("ok       migrations") && told.contains("0 problems, 0 warnings"), "{told}");
    server.stop().expect(0);
}
