//! Names in `.env` that are no settings: a mistyped one would be left out in silence.

use std::collections::BTreeSet;
use std::path::Path;

use super::load::{dotenv, variables};

/// How the names begin of what others read: docker compose and its containers, and libraries, in the environment that compose makes of
/// the file.
const OF_OTHERS: [&str; 5] = ["POSTGRES_", "COMPOSE_", "DOCKER_", "PG", "SSL_CERT_"];

/// And of what some is ours.
const NEXT_TO_OURS: [&str; 2] = ["OTEL_", "RUST_"];

const ALSO_OF_OTHERS: [&str; 4] = ["TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// What is to be said of each, in the file's order of letters. A file that can't be read has none: [`dotenv`] tells of that.
pub fn strangers(path: &Path) -> Vec<String> {
    let settings: Vec<_> = variables().into_iter().map(|(name, _)| name).collect();
    let names: BTreeSet<_> =
        dotenv(path).0.into_iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    let known = |name: &str| {
        settings.iter().any(|setting| setting == name)
            || OF_OTHERS.iter().any(|start| name.starts_with(start))
            || NEXT_TO_OURS.iter().any(|start| name.starts_with(start)) && nearest(name, &settings).is_none()
            || ALSO_OF_OTHERS.contains(&name.to_ascii_uppercase().as_str())
    };
    let told = |name: &String| {
        let guess = nearest(name, &settings).map(|setting| format!("; did you mean {setting}?"));
        format!("`{name}` in {} is no setting{}", path.display(), guess.unwrap_or_default())
    };
    names.iter().filter(|name| !known(name)).map(told).collect()
}

/// The setting that was meant, if one can be: a letter in four may be another, or two.
fn nearest<'a>(name: &str, settings: &'a [String]) -> Option<&'a str> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("PORTCULLIS_").unwrap_or(&name);
    let far = |setting: &String| strsim::damerau_levenshtein(name, setting);
    let (far, setting) = settings.iter().map(|setting| (far(setting), setting)).min()?;
    (far <= 2.max(setting.len() / 4) && far < setting.len() / 2 + 1).then_some(setting)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        fs::write(&file, text).unwrap();
        let place = format!("in {} is", file.display());
        strangers(&file).into_iter().map(|told| told.replace(&place, "is")).collect()
    }

    #[test]
    fn a_mistyped_one_is_told_with_what_was_meant() {
        let text = "REGISTRATON=closed\nport=80\nPORTCULLIS_HOST=::\nDATABSE_ULR=x\nOTEL_SERVICE_NMAE=x\nCOLOUR=red\nCOLOUR=blue\n";
        let expected = [
            "`COLOUR` is no setting",
            "`DATABSE_ULR` is no setting; did you mean DATABASE_URL?",
            "`OTEL_SERVICE_NMAE` is no setting; did you mean OTEL_SERVICE_NAME?",
            "`PORTCULLIS_HOST` is no setting; did you mean HOST?",
            "`REGISTRATON` is no setting; did you mean REGISTRATION?",
            "`port` is no setting; did you mean PORT?",
        ];
        assert_eq!(of(text), expected);
    }

    #[test]
    fn what_others_read_is_left_to_them() {
        let all: String = variables().iter().map(|(name, _)| format!("{name}=1\n")).collect();
        assert!(of(&all).is_empty());
        let others = "POSTGRES_PASSWORD=x\nCOMPOSE_PROFILES=mail\nPGPASSWORD=x\nOTEL_RESOURCE_ATTRIBUTES=a=b\nRUST_BACKTRACE=1\nhttps_proxy=x\nTZ=UTC\n";
        assert!(of(others).is_empty());
        assert!(strangers(Path::new("no/such/file")).is_empty());
    }
}
