//! Which form a file has, and its rows.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{HashParameters, Record, django, firebase, keycloak, record, supabase};

/// What wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Ours: an object a line.
    JsonLines,
    /// Ours, with a header.
    Csv,
    Supabase,
    Firebase,
    Keycloak,
    Django,
}

/// A file's rows.
#[derive(Debug)]
pub struct File {
    pub format: Format,
    rows: Vec<Result<Value, String>>,
}

impl File {
    /// Reads all rows, of the `format` that is given or else found by what the text has. The error is what the whole can't
    /// be read for; what is wrong with one row is told when its [record](Self::records) is asked for.
    pub fn read(text: &str, format: Option<Format>) -> Result<File, String> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err("the file is empty".to_owned());
        }
        let rows = rows(text)?;
        let first = rows.iter().find_map(|row| row.as_ref().ok()).unwrap_or(&Value::Null);
        let has = |name: &str| first.get(name).is_some();
        let found = match text.as_bytes()[0] {
            _ if has("encrypted_password") => Format::Supabase,
            _ if has("localId") => Format::Firebase,
            _ if has("model") && has("fields") => Format::Django,
            _ if has("credentials") || has("createdTimestamp") || has("realmRoles") => Format::Keycloak,
            b'{' | b'[' => Format::JsonLines,
            _ => Format::Csv,
        };
        let format = format.unwrap_or(found);
        let named = |row: &Value| ["username", "email", "name"].iter().any(|name| row.get(name).is_some());
        let ours = matches!(format, Format::JsonLines | Format::Csv);
        if ours && !rows.is_empty() && !rows.iter().flatten().any(named) {
            let known = "JSON Lines or CSV with `username`, `email` or `name`, and exports of Supabase, Firebase, Keycloak and Django";
            return Err(format!(
                "this is no file of users that is known here{}; known are {known}",
                columns(first)
            ));
        }
        let mut file = File { format, rows };
        if format == Format::Django {
            // A dump may have more than users.
            let is_user = |row: &Value| row["fields"].get("password").is_some();
            file.rows.retain(|row| row.as_ref().is_ok_and(is_user));
        }
        Ok(file)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The records, in order: why one can't be read, in place of it. `parameters` are what a Firebase project's hashes need.
    pub fn records<'a>(
        &'a self,
        parameters: Option<&'a HashParameters>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Result<Record, String>> + 'a {
        self.rows.iter().map(move |row| {
            let row = row.as_ref().map_err(String::clone)?;
            match self.format {
                Format::JsonLines | Format::Csv => record::read(row),
                Format::Supabase => supabase::read(row, now),
                Format::Firebase => firebase::read(row, parameters),
                Format::Keycloak => keycloak::read(row),
                Format::Django => django::read(row),
            }
        })
    }
}

/// What to say of the names that a row has. Without a header, a file's first row is taken for one, and may hold a password: none of
/// it is told where it does not look like a header.
fn columns(row: &Value) -> String {
    let usual = ["name", "mail", "user", "login", "password", "hash", "created"];
    let names: Vec<_> = row.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    let plain = |name: &&str| {
        name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_ -".contains(&byte))
    };
    let is_usual = |name: &&str| usual.iter().any(|usual| name.to_lowercase().contains(usual));
    if names.is_empty() {
        String::new()
    } else if names.iter().all(plain) && names.iter().any(is_usual) {
        format!(": it has {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
    } else {
        ": its first line does not look like a header".to_owned()
    }
}

fn rows(text: &str) -> Result<Vec<Result<Value, String>>, String> {
    match text.as_bytes().first() {
        Some(b'[') => match serde_json::from_str(text) {
            Ok(Value::Array(rows)) => Ok(rows.into_iter().map(Ok).collect()),
            Ok(_) => Err("this is no list".to_owned()),
            Err(error) => Err(format!("this is no sound JSON: {error}")),
        },
        Some(b'{') => match serde_json::from_str::<Value>(text) {
            Ok(mut whole) => match whole.get_mut("users").map(Value::take) {
                Some(Value::Array(users)) => Ok(users.into_iter().map(Ok).collect()),
                _ => Ok(vec![Ok(whole)]),
            },
            Err(_) => lines(text),
        },
        _ => csv(text),
    }
}

fn lines(text: &str) -> Result<Vec<Result<Value, String>>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let rows: Vec<_> = lines
        .map(|line| serde_json::from_str(line).map_err(|error| format!("it is no sound JSON: {error}")))
        .collect();
    if rows.iter().all(Result::is_err) {
        return Err("this is no sound JSON, neither as a whole nor line by line".to_owned());
    }
    Ok(rows)
}

/// Each row as an object of texts.
fn csv(text: &str) -> Result<Vec<Result<Value, String>>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| format!("this is no sound CSV: {error}"))?.clone();
    let row = |row: csv::StringRecord| {
        let fields = header.iter().zip(&row).map(|(name, value)| (name.trim().to_lowercase(), value.into()));
        Value::Object(fields.collect::<Map<_, Value>>())
    };
    Ok(reader
        .records()
        .map(|read| read.map(row).map_err(|error| format!("it is no sound CSV: {error}")))
        .collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::Secret;
    use super::*;

    const FIREBASE: HashParameters =
        HashParameters { signer_key: String::new(), salt_separator: String::new(), rounds: 8, mem_cost: 14 };

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    /// The only record of a text, and what it was taken for.
    fn read(text: &str) -> (Format, Result<Record, String>) {
        let file = File::read(text, None).unwrap();
        let mut records: Vec<_> = file.records(Some(&FIREBASE), now()).collect();
        assert_eq!(records.len(), 1, "{text}");
        (file.format, records.remove(0))
    }

    fn fine(text: &str) -> (Format, Record) {
        let (format, record) = read(text);
        (format, record.unwrap())
    }

    fn hash(record: &Record) -> Option<&str> {
        match record.secret.as_ref()? {
            Secret::Hash(hash) => Some(hash),
            Secret::Password(_) => None,
        }
    }

    #[test]
    fn every_form_is_known_by_what_it_has() {
        for (text, format) in [
            ("{\"email\": \"a\"}", Format::JsonLines),
            ("[{\"username\": \"a\"}]", Format::JsonLines),
            ("\u{feff}email,password\na,b\n", Format::Csv),
            ("password,email,encrypted_password\n,a,b\n", Format::Supabase),
            ("[{\"encrypted_password\": null, \"email\": \"a\"}]", Format::Supabase),
            ("{\"users\": [{\"localId\": \"a\"}]}", Format::Firebase),
            ("{\"realm\": \"a\", \"users\": [{\"username\": \"a\", \"credentials\": []}]}", Format::Keycloak),
            ("[{\"model\": \"auth.user\", \"fields\": {\"password\": \"\"}}]", Format::Django),
        ] {
            assert_eq!(File::read(text, None).unwrap().format, format, "{text}");
            assert_eq!(File::read(text, Some(Format::Firebase)).unwrap().format, Format::Firebase);
        }
    }

    #[test]
    fn supabase_has_its_states() {
        let row = |name: &str, value: Value| {
            let mut row = json!({ "email": "a@example.com", "encrypted_password": "$2a$10$x" });
            row[name] = value;
            json!([row]).to_string()
        };
        let (_, record) = fine(&row("banned_until", "2026-01-01T00:00:00+00:00".into()));
        assert_eq!((record.disabled, record.email_verified, hash(&record)), (false, false, Some("$2a$10$x")));
        assert!(fine(&row("banned_until", "2126-01-01 00:00:00+00".into())).1.disabled);
        assert!(fine(&row("email_confirmed_at", "2026-01-01 00:00:00.1+00".into())).1.email_verified);
        let name = fine(&row("raw_user_meta_data", json!({ "name": "Ada" }))).1.display_name;
        assert_eq!(name.as_deref(), Some("Ada"));
        for (name, value) in [
            ("deleted_at", "2026-01-01 00:00:00+00".into()),
            ("is_anonymous", true.into()),
            ("raw_user_meta_data", "{".into()),
            ("banned_until", "soon".into()),
        ] {
            assert!(read(&row(name, value)).1.is_err(), "{name}");
        }
    }

    #[test]
    fn the_others_have_theirs() {
        let keycloak = |more: &str| {
            read(&format!(r#"{{"users": [{{"username": "ada", "createdTimestamp": 1{more}}}]}}"#))
        };
        let record = keycloak("").1.unwrap();
        assert!(!record.disabled && hash(&record).is_none() && record.created_at.is_some());
        assert!(keycloak(r#", "enabled": false"#).1.unwrap().disabled);
        assert!(hash(&keycloak(r#", "credentials": [{"type": "otp"}]"#).1.unwrap()).is_none());
        assert!(keycloak(r#", "serviceAccountClientId": "x""#).1.is_err());

        let django = |password: &str, more: &str| {
            let fields = format!(r#"{{"username": "ada", "email": "", "password": "{password}"{more}}}"#);
            let others = r#"{"model": "auth.group", "fields": {"name": "x"}}"#;
            fine(&format!(r#"[{others}, {{"model": "auth.user", "fields": {fields}}}]"#)).1
        };
        let record = django("!unusable", "");
        assert!(!record.disabled && record.email.is_none() && hash(&record).is_none());
        assert!(django("x", r#", "is_active": false"#).disabled);
        assert_eq!(django("x", r#", "last_name": "L", "first_name": """#).display_name.as_deref(), Some("L"));

        let firebase = r#"{"users": [{"localId": "x", "email": "a", "disabled": true, "passwordHash": "H", "salt": "S"}]}"#;
        let record = fine(firebase).1;
        assert_eq!((record.disabled, hash(&record)), (true, Some("$fbscrypt$v=1,n=14,r=8,p=1,ss=,sk=$S$H")));
        let file = File::read(firebase, None).unwrap();
        assert!(file.records(None, now()).all(|record| record.is_err()));
    }

    #[test]
    fn a_refused_file_is_told_what_it_has_unless_that_may_be_a_password() {
        let refused = |text: &str| File::read(text, None).unwrap_err();
        assert!(
            refused("Benutzername,Passwort,E-Mail\na,b,c\n")
                .contains(": it has `benutzername`, `e-mail`, `passwort`;")
        );
        assert!(
            refused(r#"{"login": "ada", "password_hash": "x"}"#)
                .contains(": it has `login`, `password_hash`;")
        );
        for without_header in
            ["ada@example.com,hunter\nb,c\n", "ada,hunter\nb,c\n", "title,$2b$10$hunter\nb,c\n"]
        {
            let told = refused(without_header);
            assert!(told.contains("like a header") && !told.contains("hunter"), "{told}");
        }
        let (format, record) = fine("EMail , Email,PASSWORD_HASH,Roles\nx,ada@example.com,h,admin\n");
        assert_eq!((format, record.email.as_deref()), (Format::Csv, Some("ada@example.com")));
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(
            text in "\\PC{0,80}|[\\[{]{0,2}\"(users|email|fields|model)\"[:,\\[\\]{}\"a0\n]{0,20}|email,a\n[a,\"\n]{0,20}"
        ) {
            if let Ok(file) = File::read(&text, None) {
                prop_assert_eq!(file.records(None, now()).count(), file.len());
            }
        }
    }
}
