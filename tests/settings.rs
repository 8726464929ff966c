//! The settings: `.env.example` says what there is, wrong ones are all told, and none of the secrets ever is.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use portcullis::cli::config_from;
use portcullis::config::{Config, Problem, dotenv, variables};

/// What `.env` holds for `docker-compose.yml` and not for the service, with what that uses where it is unset.
const COMPOSE_ONLY: [(&str, &str); 1] = [("POSTGRES_PASSWORD", "portcullis")];

/// A text that must never be shown.
const HIDDEN: &str = "hunter2";

fn project_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn config(flags: &[&str], pairs: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    config_from([&["portcullis"], flags].concat(), environment(pairs))
}

fn problems(flags: &[&str], pairs: &[(&str, &str)]) -> Vec<Problem> {
    config(flags, pairs).expect_err("a setting is wrong")
}

fn names(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.name.as_str()).collect()
}

/// What `dotenv` makes of a file with these bytes.
fn read(bytes: impl AsRef<[u8]>) -> Result<Vec<(OsString, OsString)>, Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    fs::write(&file, bytes).unwrap();
    match dotenv(&file) {
        (read, problems) if problems.is_empty() => Ok(read),
        (_, problems) => Err(problems),
    }
}

/// A setting of `.env.example`: a line that is commented out, without the space that a comment has.
fn setting(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('#')
        .filter(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))?
        .split_once('=')
}

#[test]
fn the_example_has_every_setting_at_its_default() {
    let example = project_file(".env.example");
    let found: Vec<_> = example.lines().filter_map(setting).collect();
    let mut expected: Vec<_> =
        variables().into_iter().map(|(name, default)| (name, default.unwrap_or_default())).collect();
    expected.extend(COMPOSE_ONLY.map(|(name, default)| (name.to_owned(), default.to_owned())));
    let expected: Vec<_> = expected.iter().map(|(name, default)| (name.as_str(), default.as_str())).collect();
    assert_eq!(found, expected, ".env.example (left) and the settings (right) differ");
}

#[test]
fn the_example_sets_nothing_and_explains_each_setting() {
    let example = project_file(".env.example");
    let mut above = "";
    for line in example.lines() {
        assert!(line.is_empty() || line.starts_with('#'), "this line of .env.example sets something: {line}");
        if setting(line).is_some() {
            assert!(above.starts_with("# "), "in .env.example no comment explains {line}");
        }
        above = line;
    }
}

#[test]
fn the_example_uncommented_is_the_default() {
    let example = project_file(".env.example");
    let uncommented = example.lines().map(|line| match setting(line) {
        Some(_) => format!("{}\n", &line[1..]),
        None => format!("{line}\n"),
    });
    let file = read(uncommented.collect::<String>()).unwrap();
    assert_eq!(file.len(), variables().len() + COMPOSE_ONLY.len());
    let from_example = config_from(["portcullis"], file).unwrap();
    assert_eq!(format!("{from_example:?}"), format!("{:?}", config(&[], &[]).unwrap()));
}

#[test]
fn the_compose_file_takes_from_the_example_what_that_has() {
    let compose = project_file("docker-compose.yml");
    let taken: BTreeSet<_> =
        compose.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    let known: Vec<_> = variables()
        .into_iter()
        .filter_map(|(name, default)| Some((name, default?)))
        .chain(COMPOSE_ONLY.map(|(name, default)| (name.to_owned(), default.to_owned())))
        .map(|(name, default)| format!("{name}:-{default}"))
        .collect();
    for variable in &taken {
        assert!(
            known.iter().any(|known| known == variable),
            "docker-compose.yml takes an unknown ${{{variable}}}"
        );
    }
    for (name, default) in COMPOSE_ONLY {
        assert!(
            taken.contains(format!("{name}:-{default}").as_str()),
            "docker-compose.yml does not take {name}"
        );
    }
}

#[test]
fn all_wrong_settings_are_reported_together() {
    let wrong = [
        ("HOST", "localhost"),
        ("PORT", "65536"),
        ("TLS_CERT", "certificates/"),
        ("TLS_KEY", "keys/"),
        ("PUBLIC_URL", "auth.example.com"),
        ("DRAIN_DELAY", "61s"),
        ("DATABASE_URL", "mysql://db/x"),
        ("DATABASE_MAX_CONNECTIONS", "0"),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY_PREVIOUS", "short"),
        ("JWT_ALGORITHM", "none"),
        ("JWT_SECRET", "short"),
        ("KEY_ROTATION", "59m"),
        ("JWT_AUDIENCE", "a\tb"),
        ("ACCESS_TOKEN_TTL", "15"),
        ("REFRESH_TOKEN_TTL", "1w"),
        ("SESSION_MAX_AGE", "0d"),
        ("SESSION_CACHE_SIZE", "many"),
        ("AUDIT_RETENTION", "23h"),
        ("BCRYPT_COST", "17"),
        ("HASHING_NICENESS", "20"),
        ("PASSWORD_MIN_LENGTH", "129"),
        ("PASSWORD_CHECK_COMMON", "perhaps"),
        ("BREACH_CHECK_URL", "api.pwnedpasswords.com"),
        ("REGISTRATION", "ajar"),
        ("REQUIRE_VERIFIED_EMAIL", "maybe"),
        ("SMTP_URL", "mail.example.com:25"),
        ("MAIL_FROM", "Portcullis"),
        ("MAIL_TEMPLATES", "no/such/folder"),
        ("ADMIN_USERNAME", "a b"),
        ("ADMIN_EMAIL", "root"),
        ("ADMIN_PASSWORD", "short"),
        ("RATE_LIMIT", "sometimes"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("CORS_ORIGINS", "*"),
        ("METRICS_BIND", "9090"),
        ("COMPAT_ROUTES", "all"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "info,=,="),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_SERVICE_NAME", "a\tb"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ];
    let all: Vec<_> = variables().into_iter().map(|(name, _)| name).collect();
    assert_eq!(wrong.map(|(name, _)| name).as_slice(), all, "a setting has no wrong value in this test");

    let from_environment = problems(&[], &wrong);
    assert_eq!(names(&from_environment), all);
    for Problem { name, what } in &from_environment {
        assert!(what.len() > 15, "{name} does not say what is allowed: {what}");
    }

    let flags = wrong.map(|(name, value)| format!("--{}={value}", name.to_lowercase().replace('_', "-")));
    let from_flags = problems(&flags.each_ref().map(String::as_str), &[]);
    let flag_names = flags.each_ref().map(|flag| flag.split('=').next().unwrap());
    assert_eq!(names(&from_flags), flag_names, "a flag is named as it was given");
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let bind = |address| ("METRICS_BIND", address);
    for (host, address) in [
        ("127.0.0.1", "127.0.0.1:9090"),
        ("0.0.0.0", "127.0.0.1:9090"),
        ("127.0.0.1", "[::]:9090"),
        ("::1", "[::1]:9090"),
    ] {
        let found = problems(&[], &[("HOST", host), ("PORT", "9090"), bind(address)]);
        assert_eq!(names(&found), ["METRICS_BIND"]);
        assert!(found[0].what.contains("PORT=9090") && found[0].what.contains(host), "{}", found[0]);
    }
    assert!(config(&[], &[("PORT", "9091"), bind("127.0.0.1:9090")]).is_ok());
    assert!(config(&[], &[("PORT", "9090"), bind("127.0.0.2:9090")]).is_ok());
    assert!(config(&[], &[("HOST", "::1"), ("PORT", "9090"), bind("0.0.0.0:9090")]).is_ok());
    assert!(config(&[], &[("PORT", "0"), bind("127.0.0.1:0")]).is_ok());
}

#[test]
fn a_collectors_address_that_is_none_is_told_with_a_collectors_example() {
    let found = problems(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")]);
    assert!(found[0].what.ends_with(": http://localhost:4318"), "{}", found[0]);
    // The path is of another variable, which is not read.
    for url in ["http://collector:4318/v1/traces", "http://collector:4318/v1/traces/"] {
        let found = problems(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", url)]);
        assert!(
            found[0].what.ends_with("without /v1/traces, which is appended: http://collector:4318"),
            "{}",
            found[0]
        );
    }
    assert!(config(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp")]).is_ok());
}

#[test]
fn hs256_needs_its_secret() {
    let secret = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    assert!(config(&[], &[("JWT_ALGORITHM", "HS256"), secret]).is_ok());
    assert!(config(&["--jwt-algorithm=hs256"], &[secret]).is_ok());
    let found = problems(&[], &[("JWT_ALGORITHM", "HS256")]);
    assert_eq!(names(&found), ["JWT_SECRET"]);
    assert!(found[0].what.contains("32 bytes"), "{}", found[0]);
    // Empty is unset.
    assert_eq!(names(&problems(&[], &[("JWT_ALGORITHM", "HS256"), ("JWT_SECRET", "")])), ["JWT_SECRET"]);
}

#[test]
fn of_certificate_and_key_none_is_there_without_the_other() {
    let (certificate, key) = (("TLS_CERT", "tls.crt"), ("TLS_KEY", "tls.key"));
    assert!(config(&[], &[certificate, key]).is_ok());
    assert_eq!(names(&problems(&[], &[certificate])), ["TLS_KEY"]);
    assert_eq!(names(&problems(&["--tls-key=tls.key"], &[])), ["TLS_CERT"]);
}

#[test]
fn a_mail_server_needs_a_sender() {
    let server = ("SMTP_URL", "smtp://mail.example.com");
    let from = |pairs: &[(&str, &str)]| config(&[], pairs).unwrap().mail_from().0.to_string();
    assert_eq!(from(&[server, ("MAIL_FROM", "Ada <ada@example.com>")]), "Ada <ada@example.com>");
    assert_eq!(names(&problems(&[], &[server])), ["MAIL_FROM"]);
    // Once, where it is there and wrong.
    assert_eq!(names(&problems(&[], &[server, ("MAIL_FROM", "Ada")])), ["MAIL_FROM"]);
    let public = ("PUBLIC_URL", "https://auth.example.com:8443");
    assert_eq!(from(&[public]), "Portcullis <no-reply@auth.example.com>");
}

#[test]
fn a_missing_secret_is_reported_beside_wrong_settings() {
    let found = problems(&[], &[("PORT", "x"), ("JWT_ALGORITHM", "HS256")]);
    assert_eq!(BTreeSet::from_iter(names(&found)), BTreeSet::from(["JWT_SECRET", "PORT"]));
    // Once, where it is there and too short.
    let found = problems(&["--jwt-secret=short"], &[("JWT_ALGORITHM", "HS256")]);
    assert_eq!(names(&found), ["--jwt-secret"]);
}

#[test]
fn no_secret_is_quoted() {
    let url = format!("mysql://root:{HIDDEN}@db/x");
    let mail = format!("smtp://root:{HIDDEN}@mail?tls=perhaps");
    let mut said = problems(
        &[],
        &[
            ("SECRET_KEY", HIDDEN),
            ("JWT_SECRET", HIDDEN),
            ("DATABASE_URL", &url),
            ("SMTP_URL", &mail),
            ("ADMIN_EMAIL", "a@example.com"),
            ("ADMIN_PASSWORD", HIDDEN),
        ],
    );
    assert_eq!(names(&said), ["DATABASE_URL", "SECRET_KEY", "JWT_SECRET", "SMTP_URL", "ADMIN_PASSWORD"]);
    for flag in [
        &format!("--secret-key={HIDDEN}"),
        &format!("--jwt-secret={HIDDEN}"),
        &format!("--database-url={url}"),
        &format!("--smtp-url={mail}"),
        &format!("--admin-password={HIDDEN}"),
    ] {
        said.extend(problems(&[flag], &[]));
    }
    said.extend(problems(&["--secret-key", HIDDEN], &[]));
    for problem in &said {
        assert!(!problem.to_string().contains(HIDDEN), "{problem}");
    }

    let secret = HIDDEN.repeat(8);
    let database = format!("postgres://root:{HIDDEN}@db/x");
    let mail = format!("smtps://root:{HIDDEN}@mail");
    let sound = [
        ("SECRET_KEY", &*secret),
        ("JWT_SECRET", &*secret),
        ("DATABASE_URL", &*database),
        ("SMTP_URL", &*mail),
        ("MAIL_FROM", "no-reply@example.com"),
        ("ADMIN_USERNAME", "root"),
        ("ADMIN_PASSWORD", &*secret),
    ];
    let shown = format!("{:?}", config(&[], &sound).unwrap());
    assert!(!shown.contains(HIDDEN), "{shown}");
}

#[test]
fn a_password_in_another_url_is_not_quoted() {
    let [public, origin] = ["auth", "app"].map(|host| format!("https://root:{HIDDEN}@{host}.example.com"));
    let found = problems(&[], &[("PUBLIC_URL", &public), ("CORS_ORIGINS", &origin)]);
    assert_eq!(names(&found), ["PUBLIC_URL", "CORS_ORIGINS"]);
    for problem in &found {
        assert!(!problem.to_string().contains(HIDDEN), "{problem}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_is_refused_and_not_quoted() {
    use std::os::unix::ffi::OsStringExt;
    let mangled = || OsString::from_vec([HIDDEN.as_bytes(), b"\xff", &[b'x'; 32]].concat());
    for name in ["SECRET_KEY", "DATABASE_URL", "PORT", "RUST_LOG"] {
        let found = config_from(["portcullis"], [(name.into(), mangled())]).unwrap_err();
        assert_eq!(names(&found), [name]);
        assert!(!found[0].to_string().contains(HIDDEN), "{}", found[0]);
    }
}

#[test]
fn flags_beat_the_environment_and_that_beats_the_file() {
    let file = || read("PORT=1\nBCRYPT_COST=4\nREGISTRATION=closed\n").unwrap();
    let read = |flags: &[&str], pairs: &[(&str, &str)]| {
        let all = environment(pairs).into_iter().chain(file());
        let config = config_from([&["portcullis"], flags].concat(), all).unwrap();
        (config.port, config.bcrypt_cost)
    };
    assert_eq!(read(&[], &[]), (1, 4));
    assert_eq!(read(&[], &[("PORT", "2")]), (2, 4));
    assert_eq!(read(&["--port=3"], &[("PORT", "2"), ("BCRYPT_COST", "5")]), (3, 5));
    // Flags stand before a command or after it.
    assert_eq!(read(&["serve", "--port", "3"], &[("PORT", "2")]), (3, 4));
    assert_eq!(read(&["--port", "3", "migrate"], &[]), (3, 4));
    // What is beaten is not read.
    assert_eq!(read(&["--port=3"], &[("PORT", "x")]), (3, 4));
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let everything: Vec<_> = variables().into_iter().map(|(name, _)| (name.into(), "".into())).collect();
    let empty = config_from(["portcullis"], everything).unwrap();
    assert_eq!(format!("{empty:?}"), format!("{:?}", config(&[], &[]).unwrap()));
    // It does not hide the file's value either.
    let from_file = environment(&[("PORT", "")]).into_iter().chain(read("PORT=1").unwrap());
    assert_eq!(config_from(["portcullis"], from_file).unwrap().port, 1);
}

#[test]
fn other_variables_are_left_alone() {
    assert!(config(&[], &[("PORTS", "x"), ("port", "x"), ("PATH", "/bin")]).is_ok());
}

#[test]
fn lists_are_separated_by_commas() {
    let lists = [
        ("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7"),
        ("CORS_ORIGINS", "https://a.example,http://b.example:81"),
    ];
    let read = config(&[], &lists).unwrap();
    assert_eq!(
        read.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.0/8", "192.0.2.7/32"]
    );
    assert_eq!(read.cors_origins, ["https://a.example", "http://b.example:81"]);
    let twice =
        config(&["--cors-origins=https://a.example", "--cors-origins=https://b.example"], &[]).unwrap();
    assert_eq!(twice.cors_origins, ["https://a.example", "https://b.example"]);
}

#[test]
fn a_file_that_is_absent_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(dotenv(&folder.path().join(".env")), (Vec::new(), Vec::new()));
}

#[test]
fn a_file_is_read_with_comments_quotes_and_either_line_end() {
    let found =
        read("# a comment\r\n\r\nPORT=1 # why\r\nexport SECRET_KEY='a b$c#d'\r\nJWT_AUDIENCE=\"x y\"\n")
            .unwrap();
    assert_eq!(found, environment(&[("PORT", "1"), ("SECRET_KEY", "a b$c#d"), ("JWT_AUDIENCE", "x y")]));
}

#[test]
fn a_malformed_file_is_reported_without_its_lines() {
    for (text, place) in [
        (format!("{HIDDEN}\nPORT=1\n"), "first line"),
        (format!("SECRET_KEY='{HIDDEN}\n"), "first line"),
        (format!("PORT=1\n\nSECRET_KEY={HIDDEN} {HIDDEN}\n"), "PORT"),
        (format!("PORT=1\nSECRET_KEY=\"{HIDDEN}\nHOST=::\n"), "PORT"),
    ] {
        let problem = &read(&text).unwrap_err()[0];
        assert!(problem.name.ends_with(".env"), "{problem}");
        assert!(problem.what.contains(place), "{problem}");
        assert!(!problem.to_string().contains(HIDDEN), "{problem}");
    }
    let problem = &read([HIDDEN.as_bytes(), b"=\xff\n"].concat()).unwrap_err()[0];
    assert!(!problem.to_string().contains(HIDDEN), "{problem}");
}

#[test]
fn each_malformed_line_is_reported_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    fs::write(&file, "one bad\nPORT=1\nanother bad\nHOST=::\n").unwrap();
    let (read, problems) = dotenv(&file);
    assert_eq!((read, problems.len()), (environment(&[("PORT", "1"), ("HOST", "::")]), 2));
}

#[test]
fn a_folder_in_the_files_place_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (_, problems) = dotenv(folder.path());
    assert_eq!(names(&problems), [folder.path().display().to_string()]);
}
