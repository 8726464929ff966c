//! The rules of the house, held against `src`: which room may know which library and which other room, and
//! how it reads. The map and its reasons stand in `src/lib.rs`.
//!
//! The sources are taken apart into tokens, so that comments and texts don't count, nor do the unit tests.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenTree};

use source::{Breach, Named, Source, group, inside, name};

/// Which places may name a library that is not for everyone. A place is a room (`http`) or a file in it
/// (`config/value`); what follows `:` are the only items of the library that it may name.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("actix_web", &["http"]),
    ("actix_web_httpauth", &["http"]),
    ("actix_cors", &["http"]),
    ("futures_util", &["http", "mail", "store/copy"]),
    ("percent_encoding", &["http", "config/mail"]),
    ("num_bigint", &["http/compat"]),
    // An id and a hash are columns, wherever they are defined.
    ("sqlx", &["store", "id: Type", "hasher: Type"]),
    ("jsonwebtoken", &["tokens"]),
    ("ed25519_dalek", &["tokens/signing_key"]),
    ("bcrypt", &["hasher/scheme", "hasher/foreign"]),
    ("bcrypt_lanes", &["hasher"]),
    ("argon2", &["hasher/foreign"]),
    ("scrypt", &["hasher/foreign"]),
    ("rustix", &["hasher/queue", "cli/doctor", "http/listener: net"]),
    ("foldhash", &["usage"]),
    ("governor", &["limits/addresses"]),
    ("lettre", &["mail", "config/mail: message::Mailbox"]),
    ("minijinja", &["mail/templates", "http/pages"]),
    ("reqwest", &["breaches", "cli/doctor/ready", "traces/export"]),
    ("rustls", &["tls"]),
    ("x509_parser", &["tls/pair"]),
    ("opentelemetry", &["traces/export"]),
    ("opentelemetry_http", &["traces/export"]),
    ("opentelemetry_otlp", &["traces/export"]),
    ("opentelemetry_sdk", &["traces/export"]),
    ("rustls_native_certs", &["mail/smtp"]),
    ("quick_cache", &["tokens/session_cache"]),
    ("zxcvbn", &["accounts", "secret/guessable"]),
    ("email_address", &["accounts"]),
    ("clap", &["cli", "config"]),
    ("rpassword", &["cli"]),
    ("indicatif", &["cli"]),
    ("unicode_width", &["cli"]),
    ("csv", &["accounts/import"]),
    ("socket2", &["cli/stop"]),
    ("dotenvy", &["config"]),
    ("strsim", &["config"]),
    // The settings check that a filter is one.
    ("tracing_subscriber", &["telemetry", "config/value: EnvFilter"]),
    ("aws_lc_rs", &["secret", "hasher", "tokens/signing_key", "breaches"]),
    ("base64", &["secret", "hasher", "http/pages"]),
];

/// Which rooms a room may use, in the same way. Who is not listed may use none.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "http",
            "background",
            "accounts",
            "audit: Actor",
            "tokens: KeyInfo KeyState look",
            "mail: reach",
            "tls: Files",
            "usage: Report report day_of date_of DAYS_BY_DEFAULT",
            "store: Db users look migrations secret_fingerprint backup copy",
            "app",
            "telemetry",
            "config",
            "error",
            "clock",
            "id",
            "private",
        ],
    ),
    (
        "http",
        &[
            "background",
            "metrics: Metrics",
            "accounts",
            "api_keys",
            "sessions",
            "audit: Actor Event",
            "tokens: JWKS_MAX_AGE",
            "limits: Limit Standing",
            "usage",
            "tls: Tls",
            "store",
            "app",
            "patience: patiently",
            "traces",
            "counts",
            "error",
            "id",
            "secret",
        ],
    ),
    (
        "background",
        &["accounts: answer_link_requests", "sessions: note_uses", "store", "app", "config", "error"],
    ),
    ("metrics", &["tokens: KeyState", "store", "app", "config", "counts"]),
    (
        "accounts",
        &[
            "sessions: end_all letter tell Client",
            "api_keys: delete_all",
            "mail: Letter Template",
            "tokens: Effect",
            "audit: Actor Event",
            "limits: Subject ONE_MORE_AFTER",
            "hasher",
            "store",
            "app",
            "config",
            "counts",
            "error",
            "id",
            "secret",
        ],
    ),
    (
        "sessions",
        &[
            "api_keys",
            "tokens",
            "audit: Actor Event",
            "limits: Guess Network Subject",
            "mail: Letter Template",
            "hasher",
            "store",
            "app",
            "patience: briefly",
            "counts",
            "error",
            "id",
        ],
    ),
    ("api_keys", &["tokens: Effect", "audit: Actor Event", "store", "app", "error", "id", "secret"]),
    (
        "app",
        &[
            "tokens",
            "audit: Audit",
            "limits",
            "usage: Usage",
            "mail: Mail",
            "breaches: Breaches",
            "tls: Tls",
            "hasher",
            "store",
            "config",
            "counts",
            "traces: Traces",
            "clock",
            "private",
            "secret",
        ],
    ),
    ("limits", &["store", "patience: spend", "counts", "error", "secret"]),
    ("usage", &["store", "traces: along", "patience", "error", "id"]),
    ("mail", &["store", "config", "counts", "error", "clock", "id", "private", "secret"]),
    ("tokens", &["audit", "store", "config", "error", "clock", "id", "secret"]),
    ("audit", &["store", "error", "id", "secret"]),
    // A hash is a value, as an id is; the hasher itself knows no store.
    (
        "store",
        &[
            "hasher: PasswordHash",
            "traces: Part part",
            "patience",
            "error",
            "id",
            "private",
            "secret: Sha256",
        ],
    ),
    ("hasher", &["traces: Part part", "patience", "counts", "error", "secret"]),
    ("breaches", &["traces: present", "patience"]),
    ("traces", &["config", "counts", "secret"]),
    ("telemetry", &["traces: Present present", "config"]),
    ("tls", &["config", "private", "secret"]),
    ("config", &["secret"]),
    ("private", &["secret"]),
];

const LONGEST_FILE: usize = 300;

const NAMES_THAT_SAY_NOTHING: [&str; 14] = [
    "util", "utils", "helper", "helpers", "common", "misc", "type", "types", "service", "services",
    "manager", "managers", "get", "post",
];

/// What a store function does whose name starts so: it writes.
const WRITES: [&str; 7] = ["insert", "set", "end", "delete", "rotate", "grant", "spend"];

/// What a list of permissions says of `module`: `None` for nothing, else the items that may be named; no item
/// means all.
fn permission<'a>(permitted: &[&'a str], module: &[String]) -> Option<Vec<&'a str>> {
    let module = module.join("/");
    permitted.iter().find_map(|permission| {
        let (place, items) = permission.split_once(": ").unwrap_or((permission, ""));
        let holds = module == place || module.starts_with(&format!("{place}/"));
        holds.then(|| items.split_whitespace().collect())
    })
}

fn permits(items: &[&str], path: &[String]) -> bool {
    let path = path.join("::");
    items.is_empty() || items.iter().any(|item| path == *item || path.starts_with(&format!("{item}::")))
}

#[track_caller]
fn none(breaches: impl IntoIterator<Item = Breach>) {
    let breaches: BTreeSet<_> = breaches.into_iter().map(|Breach(what)| what).collect();
    assert!(breaches.is_empty(), "\n{}\n", breaches.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_library_stays_in_its_room() {
    none(Source::all().iter().flat_map(|source| {
        let judge = |named: Named| {
            let (library, permitted) = LIBRARIES.iter().find(|(library, _)| *library == named.names[0])?;
            // A path, or the library itself brought in under its name; anything else is a name of ours.
            let items =
                (named.names.len() > 1 || named.imports).then(|| permission(permitted, &source.module))?;
            let fine = items.is_some_and(|items| permits(&items, &named.names[1..]));
            let rule =
                format!("`{}` here, but `{library}` is for {permitted:?} alone", named.names.join("::"));
            (!fine).then(|| source.breach(named.line, rule))
        };
        source.named().into_iter().filter_map(judge).collect::<Vec<_>>()
    }));
}

#[test]
fn a_room_knows_only_those_below_it() {
    let sources = Source::all();
    let rooms: BTreeSet<_> = sources.iter().map(Source::room).collect();
    none(sources.iter().flat_map(|source| {
        let room = source.room();
        let permitted =
            ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, permitted)| permitted);
        let judge = |named: Named| {
            let names = &named.names;
            let of_ours = ["crate", "portcullis"].contains(&names[0].as_str());
            let other =
                names.get(1).filter(|other| of_ours && *other != room && rooms.contains(other.as_str()))?;
            let items = permission(permitted, std::slice::from_ref(other));
            // Of a room that is brought in as a whole, what is then named counts.
            let whole = named.imports && names.len() == 2;
            let fine = items.is_some_and(|items| whole || permits(&items, &names[2..]));
            let rule = format!("`{}` here, but `{room}` may know {permitted:?} alone", names.join("::"));
            (!fine).then(|| source.breach(named.line, rule))
        };
        source.named().into_iter().filter_map(judge).collect::<Vec<_>>()
    }));
}

#[test]
fn no_arrow_leads_back_up() {
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (room, permitted) in ROOMS {
        below.insert(room, permitted.iter().map(|other| other.split(':').next().unwrap()).collect());
    }
    while !below.is_empty() {
        let lowest = below.iter().find(|(_, others)| others.iter().all(|other| !below.contains_key(other)));
        let lowest =
            *lowest.unwrap_or_else(|| panic!("these rooms know each other in a circle: {below:?}")).0;
        below.remove(lowest);
    }
}

#[test]
fn handlers_and_commands_write_through_a_room() {
    let outside = |source: &&Source| ["http", "cli"].contains(&source.room());
    none(Source::all().iter().filter(outside).flat_map(|source| {
        let judge = |named: Named| {
            let (last, of_store) =
                (named.names.last()?, named.names.starts_with(&["crate".to_owned(), "store".to_owned()]));
            let writes = WRITES.iter().any(|verb| last == verb || last.starts_with(&format!("{verb}_")));
            let rule = format!("`{}` writes to the store; only a room may", named.names.join("::"));
            let begins = last == "begin" || last == "Tx";
            (begins || of_store && writes).then(|| source.breach(named.line, rule))
        };
        source.named().into_iter().filter_map(judge).collect::<Vec<_>>()
    }));
}

/// They have to be the last thing before a commit, and what is cached has to be dropped after it.
#[test]
fn changes_are_noted_in_one_place() {
    let elsewhere = |source: &&Source| source.module != ["tokens", "changes"] && source.room() != "store";
    none(Source::all().iter().filter(elsewhere).flat_map(|source| {
        let notes = |named: &Named| named.names == ["crate", "store", "changes", "insert"];
        let rule = "`changes::insert` here; `tokens::Changes::commit` does it";
        let found = source.named().into_iter().filter(notes);
        found.map(|named| source.breach(named.line, rule)).collect::<Vec<_>>()
    }));
}

/// Each with its hash.
#[test]
fn events_are_kept_in_one_place() {
    let elsewhere = |source: &&Source| source.room() != "audit" && source.room() != "store";
    none(Source::all().iter().filter(elsewhere).flat_map(|source| {
        let keeps = |named: &Named| named.names == ["crate", "store", "audit", "insert"];
        let rule = "`audit::insert` here; `audit::Audit::note` does it";
        let found = source.named().into_iter().filter(keeps);
        found.map(|named| source.breach(named.line, rule)).collect::<Vec<_>>()
    }));
}

#[test]
fn what_the_store_keeps_is_never_serialised() {
    none(Source::all().iter().filter(|source| source.room() == "store").flat_map(|source| {
        let serialises =
            |named: &Named| named.names.iter().any(|name| name == "Serialize" || name == "serde");
        let rule =
            "`Serialize` in the store; rows go out through a body in `http`, so that no hash ever does";
        let found = source.named().into_iter().filter(serialises);
        found.map(|named| source.breach(named.line, rule)).collect::<Vec<_>>()
    }));
}

/// An upgrade adds columns while the program of before goes on: a statement that it has prepared with `*` would fail from then on.
#[test]
fn statements_name_their_columns() {
    none(Source::all().iter().filter(|source| source.room() == "store").flat_map(|source| {
        let all = |text: &str| {
            let code = text.split("//").next().unwrap_or_default();
            ["select *", "returning *"].iter().any(|star| code.contains(star))
        };
        let found = source.text.lines().enumerate().filter(|(_, text)| all(text));
        found.map(|(line, _)| source.breach(line + 1, "`*` for columns; name them")).collect::<Vec<_>>()
    }));
}

#[test]
fn every_handler_of_an_admins_says_so() {
    let sources = Source::all();
    let admin = |source: &&Source| source.module.starts_with(&["http".to_owned(), "admin".to_owned()]);
    let mut handlers = 0;
    let mut breaches = Vec::new();
    for source in sources.iter().filter(admin) {
        for (at, token) in source.tokens.iter().enumerate() {
            if name(Some(token)).as_deref() != Some("async")
                || name(source.tokens.get(at + 1)).as_deref() != Some("fn")
            {
                continue;
            }
            handlers += 1;
            let arguments =
                source.tokens[at..].iter().find_map(|token| group(Some(token), Delimiter::Parenthesis));
            let takes = |token: TokenTree| name(Some(&token)).as_deref() == Some("Admin");
            if !arguments.is_some_and(|arguments| inside(arguments).into_iter().any(takes)) {
                let what = name(source.tokens.get(at + 2)).unwrap_or_default();
                breaches.push(source.breach(token.span().start().line, format!("`{what}` takes no `Admin`")));
            }
        }
    }
    assert!(handlers > 0, "src/http/admin has no handlers any more");

    // And no path of theirs leads to a handler that lives elsewhere.
    let surface = sources.iter().find(|source| source.module == ["http"]).unwrap();
    for (line, text) in
        surface.text.lines().enumerate().filter(|(_, text)| text.contains(r#"at("/api/v1/admin"#))
    {
        let handlers = text.split(").").skip(1).filter_map(|method| method.split_once('('));
        for (method, handler) in handlers.filter(|(_, handler)| !handler.starts_with("admin::")) {
            breaches.push(surface.breach(line + 1, format!("`{method}({handler}` is not in src/http/admin")));
        }
    }
    none(breaches);
}

#[test]
fn nothing_is_unsafe() {
    none(Source::all().iter().flat_map(|source| {
        let is_unsafe = |named: &Named| named.names.iter().any(|name| name == "unsafe");
        let found = source.named().into_iter().filter(is_unsafe);
        found.map(|named| source.breach(named.line, "`unsafe`")).collect::<Vec<_>>()
    }));
}

#[test]
fn a_file_is_short_and_its_name_and_first_line_say_what_it_holds() {
    none(Source::all().iter().flat_map(|source| {
        let lines = source.text.lines().count();
        let rules = [
            (
                lines > LONGEST_FILE,
                lines,
                format!("more than {LONGEST_FILE} lines; a file is one thing or use case"),
            ),
            (!source.text.starts_with("//! "), 1, "no `//!` says what the file holds".to_owned()),
        ];
        let idle = |name: &&String| NAMES_THAT_SAY_NOTHING.contains(&name.as_str());
        let names =
            source.module.iter().filter(idle).map(|name| source.breach(1, format!("`{name}` says nothing")));
        let broken =
            rules.into_iter().filter(|(broken, ..)| *broken).map(|(_, line, rule)| source.breach(line, rule));
        broken.chain(names).collect::<Vec<_>>()
    }));
}

/// Of a promise that names a test, the test is there.
#[test]
fn every_test_that_the_promises_name_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (page, at_least) in [("docs/security.md", 20), ("docs/faults.md", 15)] {
        let (mut file, mut named, mut missing) = (None, 0, Vec::new());
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        for line in text.lines().filter(|line| line.starts_with('|')) {
            for quoted in line.rsplit('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2) {
                if quoted.contains('/') {
                    let text = std::fs::read_to_string(root.join(quoted));
                    if !root.join(quoted).exists() {
                        missing.push(quoted.to_owned());
                    }
                    file = text.ok().map(|text| (quoted, text));
                } else if let Some((path, text)) = &file {
                    named += 1;
                    if !text.contains(&format!("fn {quoted}(")) {
                        missing.push(format!("{path}: {quoted}"));
                    }
                }
            }
        }
        assert!(missing.is_empty(), "{page} names what is not there: {missing:?}");
        assert!(named > at_least, "{page} has no table any more");
    }
}
