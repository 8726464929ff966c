//! The texts of mails: the service's own, and those of the operator in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, escape_formatter};
use serde_json::{Map, Value, json};

use super::letter::{Template, one_line};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// All templates that there are, by the names of their files.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("templates/", $name)))),*];
    };
}

files![
    "layout.html",
    "verify_email.txt",
    "verify_email.html",
    "reset_password.txt",
    "reset_password.html",
    "confirm_email.txt",
    "confirm_email.html",
    "email_change_requested.txt",
    "email_change_requested.html",
    "email_changed.txt",
    "email_changed.html",
    "password_changed.txt",
    "password_changed.html",
    "new_sign_in.txt",
    "new_sign_in.html",
];

/// What the first line of a text starts with.
const SUBJECT: &str = "Subject: ";

/// All of them, compiled.
pub(super) struct Templates {
    environment: Environment<'static>,
    public_url: String,
}

impl Templates {
    /// The service's own, and in place of some those in `folder`. Each is rendered, so that what is wrong with it shows now.
    pub fn load(folder: Option<&Path>, public_url: &str) -> anyhow::Result<Templates> {
        let Some(folder) = folder else { return Templates::compile(Vec::new(), public_url) };
        let templates = replacements(folder).and_then(|theirs| Templates::compile(theirs, public_url));
        templates.with_context(|| format!("MAIL_TEMPLATES={}", folder.display()))
    }

    fn compile(theirs: Vec<(&'static str, String)>, public_url: &str) -> anyhow::Result<Templates> {
        let mut sources: BTreeMap<&str, String> =
            FILES.iter().map(|(name, source)| (*name, (*source).to_owned())).collect();
        sources.extend(theirs);
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line with nothing but a block on it leaves nothing behind.
        let syntax =
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
        environment.set_syntax(syntax?);
        // What there is none of is nothing, rather than the word `none`.
        environment.set_formatter(
            |out, state, value| {
                if value.is_none() { Ok(()) } else { escape_formatter(out, state, value) }
            },
        );
        for (name, source) in sources {
            environment.add_template_owned(name, source).map_err(|error| fault(name, &error))?;
        }
        let templates = Templates { environment, public_url: public_url.to_owned() };
        Template::ALL.into_iter().try_for_each(|template| templates.check(template))?;
        Ok(templates)
    }

    /// The subject, and the text without it.
    pub fn text(&self, template: Template, values: &Map<String, Value>) -> anyhow::Result<(String, String)> {
        let name = format!("{}.txt", template.name());
        let rendered = self.render(&name, template, values)?;
        let (first, text) = rendered.split_once('\n').unwrap_or((&rendered, ""));
        let subject = first.strip_prefix(SUBJECT).map(str::trim).filter(|subject| !subject.is_empty());
        let subject = subject
            .ok_or_else(|| anyhow!("{name}, line 1: it must be `{SUBJECT}` and what the mail is about"))?;
        Ok((subject.to_owned(), text.trim_start_matches(['\r', '\n']).to_owned()))
    }

    pub fn html(&self, template: Template, values: &Map<String, Value>) -> anyhow::Result<String> {
        self.render(&format!("{}.html", template.name()), template, values)
    }

    fn render(&self, file: &str, template: Template, values: &Map<String, Value>) -> anyhow::Result<String> {
        let told = template.values().iter().map(|name| match values.get(*name) {
            None | Some(Value::Null) => (*name, minijinja::Value::from(())),
            Some(Value::String(text)) if *name == "at" => (*name, for_people(text).into()),
            Some(Value::String(text)) => (*name, text.as_str().into()),
            Some(other) => (*name, other.to_string().into()),
        });
        let all = minijinja::Value::from_pairs(told.chain([("public_url", self.public_url.as_str().into())]));
        let compiled = self.environment.get_template(file).map_err(|error| fault(file, &error))?;
        compiled.render(all).map_err(|error| fault(file, &error))
    }

    /// With all values, and with none but those that every mail has.
    fn check(&self, template: Template) -> anyhow::Result<()> {
        let known: BTreeSet<_> = template.values().iter().copied().chain(["public_url"]).collect();
        let list = known.iter().copied().collect::<Vec<_>>().join(", ");
        let there_is = || format!("the values of {} are: {list}", template.name());
        for file in [format!("{}.txt", template.name()), format!("{}.html", template.name())] {
            let compiled = self.environment.get_template(&file).map_err(|error| fault(&file, &error))?;
            let globals: BTreeSet<_> = self.environment.globals().map(|(name, _)| name.to_owned()).collect();
            // Also where a condition hides it from the samples.
            let mut strangers: Vec<_> = compiled.undeclared_variables(false).into_iter().collect();
            strangers
                .retain(|name| !known.contains(name.as_str()) && !globals.contains(name) && name != "self");
            if let Some(stranger) = strangers.first() {
                let line = compiled.source().lines().position(|line| line.contains(stranger.as_str()));
                let line = line.map_or(1, |line| line + 1);
                bail!("{file}, line {line}: there is no value `{stranger}`; {}", there_is());
            }
        }
        for values in [sample(template), Map::new()] {
            self.text(template, &values).with_context(there_is)?;
            self.html(template, &values).with_context(there_is)?;
        }
        Ok(())
    }
}

/// The operator's files, each of which must have the name of one of ours.
fn replacements(folder: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What editors and mounts leave.
        if name.starts_with('.') {
            continue;
        }
        let Some((known, _)) = FILES.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
            bail!("{name} is not the name of a template; there are: {}", known.join(", "));
        };
        found.push((*known, fs::read_to_string(entry.path()).with_context(|| name)?));
    }
    Ok(found)
}

fn fault(file: &str, error: &minijinja::Error) -> anyhow::Error {
    let (file, line) = (error.name().unwrap_or(file), error.line().unwrap_or(1));
    let what = error.detail().map_or_else(|| error.kind().to_string(), ToString::to_string);
    anyhow!("the mail template {file}, line {line}: {what}")
}

/// A moment in RFC 3339, as people write it.
fn for_people(text: &str) -> String {
    DateTime::parse_from_rfc3339(text).map_or_else(
        |_| text.to_owned(),
        |at| at.with_timezone(&Utc).format("%-d %B %Y, %H:%M UTC").to_string(),
    )
}

/// Values as a letter may have them.
fn sample(template: Template) -> Map<String, Value> {
    let value = |name: &str| match name {
        "username" => "ada",
        "hours" => "24",
        "minutes" => "30",
        "api_keys" => "2",
        "new_email" => "ada@example.org",
        "ip" => "192.0.2.7",
        "user_agent" => "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "at" => "2026-11-22T09:50:00Z",
        _ => "https://auth.example.com/link?token=sample",
    };
    template.values().iter().map(|name| ((*name).to_owned(), json!(one_line(value(name))))).collect()
}
