//! What is found of the settings.

use super::{Found, HTTPS, RANDOM, place};

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
