//! Turns the OpenAPI document, which people write and read as YAML, into the JSON that is served; and takes from Swagger
//! UI's distribution the files that the page to try it from is made of.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const DOCUMENT: &str = "src/http/openapi.yaml";

/// The tag of what is there with `COMPAT_ROUTES` alone.
const TUTORIALS: &str = "tutorials";

const ASSETS: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

fn main() {
    // sqlx's `migrate!` does not see new files by itself.
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed={DOCUMENT}");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    documents(&folder);
    assets(&folder);
}

fn documents(folder: &Path) {
    let yaml = fs::read_to_string(DOCUMENT).unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"));
    // YAML 1.2: `y` and `no` are texts.
    let yaml_1_2 = serde_saphyr::options! { strict_booleans: true };
    let mut document: Value = serde_saphyr::from_str_with_options(&yaml, yaml_1_2)
        .unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"));
    write(&folder.join("openapi.json"), document.to_string().as_bytes());
    leave_out_tutorials(&mut document);
    write(&folder.join("openapi-native.json"), document.to_string().as_bytes());
}

/// What there is without `COMPAT_ROUTES`.
fn leave_out_tutorials(document: &mut Value) {
    let of_tutorials = |operation: &Value| {
        let tags = operation["tags"].as_array();
        tags.is_some_and(|tags| tags.iter().any(|tag| tag == TUTORIALS))
    };
    let paths = document["paths"].as_object_mut().expect("the document has paths");
    paths.retain(|_, path| !path.as_object().is_some_and(|path| path.values().any(of_tutorials)));
    let tags = document["tags"].as_array_mut().expect("the document has tags");
    tags.retain(|tag| tag["name"] != TUTORIALS);
}

fn assets(folder: &Path) {
    let mut archive =
        ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)).expect("the distribution is an archive");
    for asset in ASSETS {
        let end = format!("/dist/{asset}");
        let path = archive.file_names().flatten().map(String::from).find(|name| name.ends_with(&end));
        let path = path.unwrap_or_else(|| panic!("the distribution has no {asset}"));
        let mut bytes = Vec::new();
        let read = archive.by_name(&path).map(|mut file| file.read_to_end(&mut bytes));
        read.expect("the distribution is whole").expect("the distribution is whole");
        write(&folder.join(asset), &bytes);
    }
}

fn write(target: &Path, bytes: &[u8]) {
    fs::write(target, bytes).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
}
