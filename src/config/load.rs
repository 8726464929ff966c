//! Reading all settings at once: flags first, then the environment, then `.env`.
//!
//! clap stops at the first value that it can't parse. So each setting is parsed by itself first, which finds all
//! that is wrong; only then is the command line read as a whole.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, FromArgMatches};

use super::{Config, LogFormat, value};

/// A setting that is not as it must be: its name, and what is wrong and allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub name: String,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

/// The variable of a setting.
fn variable(setting: &Arg) -> String {
    setting.get_id().as_str().to_uppercase()
}

fn settings() -> Vec<Arg> {
    let command = <Config as clap::Args>::augment_args(Command::new("settings"));
    command.get_arguments().cloned().collect()
}

/// The variables of all settings, in the order of [`Config`], with their defaults.
pub fn variables() -> Vec<(String, Option<String>)> {
    let default = |setting: &Arg| {
        setting.get_default_values().first().map(|value| value.to_string_lossy().into_owned())
    };
    settings().iter().map(|setting| (variable(setting), default(setting))).collect()
}

/// `command` with a flag for each setting. It takes any text for them: [`collect`] judges it.
pub fn with_settings(command: Command) -> Command {
    settings().into_iter().fold(command, |command, setting| {
        let help =
            format!("{} [env: {}]", setting.get_help().cloned().unwrap_or_default(), variable(&setting));
        command.arg(setting.help_heading("Settings").help(help).value_parser(ValueParser::os_string()))
    })
}

/// Variables and their values.
pub type Variables = Vec<(OsString, OsString)>;

/// What `.env` in the working directory holds, where there is one, and what is wrong with it.
pub fn dotenv(path: &Path) -> (Variables, Vec<Problem>) {
    let problem = |what: &str| Problem { name: path.display().to_string(), what: what.to_owned() };
    let unreadable = "can't be read; check that it is a text file that this user may read";
    // dotenvy's own errors quote the line, which may hold a secret.
    let lines = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Default::default(),
        Err(_) => return (Variables::new(), vec![problem(unreadable)]),
    };
    let (mut read, mut problems) = (Variables::new(), Vec::new());
    for line in lines {
        match (line, read.last()) {
            (Ok((name, value)), _) => read.push((name.into(), value.into())),
            (Err(dotenvy::Error::LineParse(..)), None) => {
                problems.push(problem("the first line is not NAME=value, perhaps with quotes, or a byte order mark stands before it"));
            }
            (Err(dotenvy::Error::LineParse(..)), Some((name, _))) => {
                problems.push(problem(&format!(
                    "a line after that of {name:?} is not NAME=value, perhaps with quotes"
                )));
            }
            // It would be met again, for ever.
            (Err(_), _) => {
                problems.push(problem(unreadable));
                break;
            }
        }
    }
    (read, problems)
}

/// The settings that `matches` (of a command [with them](with_settings)) and `environment` give. The environment
/// is in the order of precedence: the first value of a variable that is not empty counts. `judge` says what else is wrong with
/// settings that are sound as far as this room knows: the field of each, and what is allowed.
pub fn collect(
    matches: &ArgMatches,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    judge: impl FnOnce(&Config) -> Vec<(&'static str, String)>,
) -> Result<Config, Vec<Problem>> {
    let mut given = BTreeMap::new();
    for (name, value) in environment {
        if !value.is_empty() {
            given.entry(name).or_insert(value);
        }
    }
    // Of each setting in its order, how it was named, and what is wrong with it.
    let mut found = Vec::new();
    let mut line = vec![OsString::from("settings")];
    for setting in settings() {
        let id = setting.get_id().as_str();
        let flag = setting.get_long().expect("each setting has a flag");
        let variable = variable(&setting);
        let (name, value) = match from_command_line(matches, id) {
            Some(value) => (format!("--{flag}"), value),
            None => match given.get(&OsString::from(&variable)) {
                Some(value) => (variable, value.clone()),
                None => {
                    found.push((id.to_owned(), variable, None));
                    continue;
                }
            },
        };
        let mut argument = OsString::from(format!("--{flag}="));
        argument.push(value);
        let wrong = match parse([OsString::from("settings"), argument.clone()]) {
            Ok(_) => {
                line.push(argument);
                None
            }
            Err(error) => Some(reason(&error)),
        };
        found.push((id.to_owned(), name, wrong));
    }
    // The sound ones alone make a whole, since no setting is obligatory by itself.
    let config =
        parse(line).map_err(|error| vec![Problem { name: "settings".into(), what: reason(&error) }])?;
    for (wrong, what) in config.contradictions().into_iter().chain(judge(&config)) {
        if let Some((.., known)) = found.iter_mut().find(|(id, ..)| id == wrong) {
            known.get_or_insert(what);
        }
    }
    let problems: Vec<_> =
        found.into_iter().filter_map(|(_, name, what)| Some(Problem { name, what: what? })).collect();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// How log lines are to be written, whatever is wrong with all else.
pub fn log_format_given(
    matches: &ArgMatches,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> LogFormat {
    let of_environment =
        environment.into_iter().find(|(name, value)| name == "LOG_FORMAT" && !value.is_empty());
    let text = from_command_line(matches, "log_format").or(of_environment.map(|(_, value)| value));
    let format = text.and_then(|text| value::log_format(text.to_str()?).ok());
    format.unwrap_or(LogFormat::Text)
}

/// A flag's text, where it was given.
fn from_command_line(matches: &ArgMatches, id: &str) -> Option<OsString> {
    let given = matches.value_source(id) == Some(ValueSource::CommandLine);
    let values: Vec<_> = given.then(|| matches.get_raw(id)).flatten()?.collect();
    Some(values.join(std::ffi::OsStr::new(",")))
}

fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Config, clap::Error> {
    let command = <Config as clap::Args>::augment_args(Command::new("settings"));
    Config::from_arg_matches(&command.try_get_matches_from(line)?)
}

/// What the value's parser said; clap's own message would quote the value, which may be a secret.
fn reason(error: &clap::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => "is not valid UTF-8".to_owned(),
    }
}
