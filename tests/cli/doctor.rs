//! `portcullis doctor`: what it finds, that it changes nothing, and that the service refuses what it must.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use portcullis::store::{Db, Executor};
use serde_json::Value;

use crate::post::SmtpServer;
use crate::post::smtp::Encryption;
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

#[test]
fn wrong_settings_are_its_first_finding() {
    let place = place().with("PORT", "x").with("JWT_ALGORITHM", "HS256").with("SECRET_KEY", "hunter2");
    let done = place.run(&["doctor"]).expect(2);
    for text in ["PORT:", "JWT_SECRET:", "SECRET_KEY:", "3 problems"] {
        assert!(done.stdout.contains(text), "no {text} in {}", done.stdout);
    }
    assert!(!done.stdout.contains("hunter2"));
    assert_eq!(place.run(&["doctor", "--json"]).expect(2).stdout.matches("\"problem\"").count(), 3);
}

#[test]
fn what_is_not_fit_for_production_is_a_problem_behind_https_and_else_a_warning() {
    let weak = ["--compat-routes=true", "--password-check-common=false"];
    let mail = ["--smtp-url=smtp://ada:hunter2@192.0.2.1", "--mail-from=a@example.com", "--host=127.0.0.1"];
    let guessed = format!("--secret-key={}", "changeme".repeat(4));
    for (flags, says) in [
        (&["--rate-limit=false"][..], "RATE_LIMIT=false"),
        (&["--bcrypt-cost=9"], "BCRYPT_COST=9"),
        (&weak, "PASSWORD_CHECK_COMMON=false"),
        (&mail, "SMTP_URL has a password"),
        (&[&guessed], "SECRET_KEY can be guessed"),
        (
            &["--jwt-algorithm=HS256", "--jwt-secret=0123456789abcdef0123456789abcdef"],
            "JWT_SECRET can be guessed",
        ),
    ] {
        // The mail server is not there, which is another problem.
        let other = if flags.len() == 3 { "problem" } else { "warning" };
        let found = Found::with(&place(), flags).has("settings", "warning", &[says]);
        assert_eq!(found.rows.iter().any(|(_, verdict, _)| verdict == "problem"), other == "problem");
        let found = Found::with(&place().with(HTTPS.0, HTTPS.1), flags).has("settings", "problem", &[says]);
        assert!(!found.done.stdout.contains("hunter2") && !found.done.stdout.contains("changeme"));
    }
    for (flags, says) in [
        (&["--public-url=http://auth.example.com"][..], "in the clear"),
        (&["--host=0.0.0.0"], "HOST=0.0.0.0 without TLS"),
        (&["--port=3000"], "PORT=3000 and PUBLIC_URL is http://localhost:8080"),
        (&["--metrics-bind=0.0.0.0:9090"], "METRICS_BIND=0.0.0.0:9090"),
        (&["--public-url=https://auth.example.com"], "TRUSTED_PROXIES"),
        (
            &["--public-url=https://auth.example.com", "--cors-origins=http://localhost:3000"],
            "CORS_ORIGINS has http://localhost:3000",
        ),
    ] {
        Found::with(&place(), flags).has("settings", "warning", &[says]);
    }
    let behind_a_proxy = [
        &*format!("--secret-key={RANDOM}"),
        "--trusted-proxies=10.0.0.1",
        "--cors-origins=https://a.example",
    ];
    let found = Found::with(&place().with(HTTPS.0, HTTPS.1), &behind_a_proxy);
    assert!(
        found.rows.iter().all(|(check, verdict, _)| check != "settings" || verdict == "ok"),
        "{:?}",
        found.rows
    );
}

#[test]
fn the_service_does_not_start_in_production_with_a_secret_that_can_be_guessed() {
    let guessed = "test-key-not-secret-0123456789ab";
    let production = place().with(HTTPS.0, HTTPS.1);
    for (flags, name) in [
        (&["--secret-key=test-key-not-secret-0123456789ab"][..], "SECRET_KEY"),
        (&["--jwt-algorithm=HS256", "--jwt-secret=test-key-not-secret-0123456789ab"], "JWT_SECRET"),
    ] {
        let done = production.run(flags).expect(2).says(&[name, "can be guessed", "openssl rand -hex 32"]);
        assert!(!done.stderr.contains(guessed));
        assert!(production.files().is_empty());
        // In development it is told.
        let place = place();
        place.serve(flags).stop().expect(0).says(&["WARN", name, "can be guessed"]);
    }
    // Also where it is in the file.
    let place = used_place().with(HTTPS.0, HTTPS.1);
    fs::write(place.path("data/secret.key"), guessed).unwrap();
    place.run(&[]).expect(1).says(&["data/secret.key can be guessed"]);
    Found::of(&place).has("files", "problem", &["data/secret.key can be guessed"]);
}

#[test]
fn secrets_that_everyone_may_read_are_problems_and_the_services_own_is_refused() {
    let place = used_place();
    let secret = place.path("data/secret.key");
    chmod(&secret, 0o604);
    Found::of(&place).has("files", "problem", &["every user", "data/secret.key", "chmod 600"]);
    place.run(&[]).expect(1).says(&["every user", "data/secret.key", "chmod 600"]);
    chmod(&secret, 0o640);
    Found::of(&place).well();
    place.serve(&[]).stop().expect(0);

    chmod(place.path("data/portcullis.db"), 0o644);
    Found::of(&place).well();
    chmod(place.path("data"), 0o755);
    let found = Found::of(&place).has("files", "problem", &["data/portcullis.db", "password hashes"]);
    let found = found.has("files", "warning", &["data/", "chmod 700 data"]);
    // What is not there has no mode.
    assert!(!found.done.stdout.contains("portcullis.db-"), "{}", found.done.stdout);
    let server = place.serve(&[]);
    let all = "chmod 600 data/portcullis.db data/portcullis.db-wal data/portcullis.db-shm";
    Found::of(&place).has("files", "problem", &[all]);
    server.stop().expect(0);

    let place = self::place();
    fs::write(place.path(".env"), format!("SECRET_KEY={RANDOM}\n")).unwrap();
    chmod(place.path(".env"), 0o644);
    Found::of(&place).has("files", "warning", &[".env", "SECRET_KEY"]);
    let found = Found::with(&place, &["--public-url=https://auth.example.com"]);
    let found = found.has("files", "problem", &[".env", "SECRET_KEY", "chmod 600"]);
    assert!(!found.done.stdout.contains(RANDOM));
    chmod(place.path(".env"), 0o600);
    Found::of(&place).well();
}

#[test]
fn a_certificate_that_does_not_do_or_soon_will_not_is_told() {
    let place = place().with("TLS_CERT", "tls.crt").with("TLS_KEY", "tls.key").with(HTTPS.0, HTTPS.1);
    Found::of(&place).has("tls", "problem", &["TLS_CERT, tls.crt", "can't be read"]);
    let put = |names: &[&str], days: i64| {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        let end = std::time::UNIX_EPOCH.elapsed().unwrap() + Duration::from_secs(days as u64 * 86400);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + end;
        fs::write(place.path("tls.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(place.path("tls.key"), key.serialize_pem()).unwrap();
        chmod(place.path("tls.key"), 0o600);
    };
    put(&["auth.example.com"], 90);
    let found = Found::of(&place);
    assert!(
        found
            .rows
            .iter()
            .any(|(check, verdict, what)| check == "tls" && verdict == "ok" && what.contains("89 more days"))
    );
    put(&["auth.example.com"], 10);
    Found::of(&place).has("tls", "warning", &["expires in 9 days"]);
    put(&["localhost"], 90);
    Found::of(&place).has("tls", "warning", &["not for auth.example.com"]);
    chmod(place.path("tls.key"), 0o644);
    Found::of(&place).has("tls", "problem", &["TLS_KEY, tls.key", "every user"]);
}

#[tokio::test]
async fn a_database_that_is_damaged_newer_or_out_of_reach_is_told() {
    let place = place();
    fs::write(
        place.path("plain"),
        "neither a database nor a folder; long enough to be told from an empty one",
    )
    .unwrap();
    Found::with(&place, &["--database-url=sqlite://plain"]).has(
        "migrations",
        "problem",
        &["not a database", "DATABASE_URL"],
    );
    Found::with(&place, &["--database-url=sqlite://plain/x.db"]).has(
        "database",
        "problem",
        &["plain/x.db", "DATABASE_URL"],
    );
    assert_eq!(place.files(), ["plain"]);

    let place = used_place();
    sql(&place, "update _sqlx_migrations set version = 4711 where version = (select max(version) from _sqlx_migrations)").await;
    let found = Found::of(&place).has("migrations", "warning", &["newer version", "4711"]);
    found.has("migrations", "problem", &["[13]", "later ones"]);

    let place = used_place();
    let newer = "insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
                 select 4711, description, installed_on, success, checksum, execution_time \
                 from _sqlx_migrations where version = 2";
    sql(&place, newer).await;
    Found::of(&place).has("migrations", "warning", &["newer version", "4711"]);
    sql(&place, "update compatibility set lowest = 4711").await;
    Found::of(&place).has("migrations", "problem", &["newer version", "4711"]);

    let place = used_place();
    sql(&place, "update _sqlx_migrations set success = false where version = 2").await;
    Found::of(&place).has("migrations", "problem", &["[2]", "backup"]);

    // Tables of somebody else's, as far as one can tell: the start fails, too.
    let place = used_place();
    sql(&place, "delete from _sqlx_migrations").await;
    let found = Found::of(&place).has("migrations", "problem", &["(users, ", "of its own"]);
    assert!(!found.done.stdout.contains("first start"), "{:?}", found.done);
    place.run(&[]).expect(1).says(&["users", "already exists"]);

    // Pages in the middle of nothing.
    let place = used_place();
    let file = place.path("data/portcullis.db");
    let mut bytes = fs::read(&file).unwrap();
    let tail = bytes.len() - 8192;
    bytes[tail..].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    Found::of(&place).has("database", "problem", &["data/portcullis.db", "backup"]);
}

#[test]
fn a_postgres_that_is_not_there_or_frozen_is_told_within_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let frozen = listener.local_addr().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, says) in [(frozen, "no answer within"), (closed, "refused")] {
        let url = format!("--database-url=postgres://ada:hunter2@{address}/portcullis");
        let found = Found::with(&place(), &[&url]);
        let found = found.has("database", "problem", &[&address.to_string(), says, "DATABASE_URL"]);
        assert!(!found.done.stdout.contains("hunter2"));
    }
}

#[tokio::test]
async fn keys_that_no_secret_opens_are_told() {
    let place = used_place();
    Found::with(&place, &["--jwt-algorithm=EdDSA"]).has(
        "keys",
        "warning",
        &["JWT_ALGORITHM is EdDSA", "ES256"],
    );
    Found::with(&place, &["--key-rotation=off"]).has("keys", "ok", &["KEY_ROTATION=off"]);
    Found::with(&place, &[&format!("--secret-key={RANDOM}")]).has(
        "keys",
        "problem",
        &["another SECRET_KEY", "SECRET_KEY_PREVIOUS"],
    );
    fs::rename(place.path("data/secret.key"), place.path("kept")).unwrap();
    Found::of(&place).has("keys", "problem", &["data/secret.key is not here"]);
    fs::rename(place.path("kept"), place.path("data/secret.key")).unwrap();

    sql(&place, "update signing_keys set signs_from = '2001-02-03T04:05:06.000000+00:00'").await;
    Found::of(&place).has("keys", "warning", &["should have been replaced", "keys rotate"]);
    sql(&place, "update signing_keys set private_key = x'00'").await;
    Found::of(&place).has("keys", "problem", &["can't be decrypted", "keys revoke"]);
}

#[tokio::test]
async fn that_nobody_may_administer_is_told() {
    let place = place();
    place.serve(&[]).stop().expect(0);
    let create = "portcullis user create --username NAME --role admin";
    Found::of(&place).has("admins", "warning", &["no user", create]);
    let first = ["--admin-username=root", "--admin-password=correct-horse-battery"];
    Found::with(&place, &first).has("admins", "ok", &["the next start makes the first"]);

    let place = used_place();
    Found::of(&place).has("admins", "ok", &["enabled"]);
    sql(&place, "update users set disabled = 1").await;
    Found::of(&place).has("admins", "warning", &["disabled", "portcullis user enable", create]);
    // No first one is made beside it.
    Found::with(&place, &first).has("admins", "warning", &["disabled"]);
}

#[tokio::test]
async fn a_clock_that_is_behind_the_newest_change_is_told() {
    let place = used_place();
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    Found::of(&place).well();
    sql(&place, "update audit_events set at = '2999-02-03T04:05:06.000000+00:00'").await;
    Found::of(&place).has("clock", "warning", &["2999-02-03", "NTP"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_is_tried_without_a_mail() {
    // Base64 of `\0ada\0p@ss`.
    const LOGIN: &str = "AGFkYQBwQHNz";
    let smtp = SmtpServer::with(Encryption::Implicit, Some(LOGIN)).await;
    let place = place().with("MAIL_FROM", "Portcullis <no-reply@example.com>");
    let url = |password: &str| format!("--smtp-url=smtps://ada:{password}@localhost:{}", smtp.address.port());
    Found::with(&place, &[&url("p%40ss")]).has("mail", "problem", &["localhost", "certificate"]);
    let ca = place.path("ca.pem");
    fs::write(&ca, smtp.certificate()).unwrap();
    let place = place.with("SSL_CERT_FILE", ca.to_str().unwrap());
    Found::with(&place, &[&url("p%40ss")]).well();
    assert_eq!(smtp.logins(), [LOGIN]);
    let found =
        Found::with(&place, &[&url("hunter2")]).has("mail", "problem", &["localhost", "docs/mail.md"]);
    assert!(!found.done.stdout.contains("hunter2"));
    assert!(smtp.mails().is_empty());

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Found::with(&place, &[&format!("--smtp-url=smtp://{closed}")]).has(
        "mail",
        "problem",
        &[&closed.to_string(), "refused"],
    );

    // Without one, mails are files.
    let place = self::place();
    Found::with(&place, &["--public-url=https://auth.example.com"]).has(
        "mail",
        "warning",
        &["nobody gets them", "SMTP_URL"],
    );
    fs::create_dir(place.path("data")).unwrap();
    chmod(place.path("data"), 0o700);
    fs::write(place.path("data/mail"), "no folder").unwrap();
    Found::of(&place).has("mail", "problem", &["data/mail", "can't write"]);
}

#[test]
fn a_health_check_asks_the_service_that_runs_here() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut place = Place::quick().with("PORT", &port);
    place.run(&["doctor", "--ready"]).expect(1).says(&["no service answers", &port]);
    let server = place.serve(&[]);
    assert_eq!(place.run(&["doctor", "--ready"]).expect(0).stdout, "ready\n");
    server.stop().expect(0);

    let made = rcgen::generate_simple_self_signed(["auth.example.com".to_owned()]).unwrap();
    fs::write(place.path("tls.crt"), made.cert.pem()).unwrap();
    fs::write(place.path("tls.key"), made.signing_key.serialize_pem()).unwrap();
    chmod(place.path("tls.key"), 0o600);
    place.set("TLS_CERT", "tls.crt");
    place.set("TLS_KEY", "tls.key");
    let server = place.serve(&[]);
    place.run(&["doctor", "--ready"]).expect(0);
    server.stop().expect(0);
    place.set("PORT", "x");
    place.run(&["doctor", "--ready"]).expect(2).says(&["PORT"]);
}
