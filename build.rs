//! Turns the OpenAPI document, which people write and read as YAML, into the JSON that is served.

use std::path::PathBuf;
use std::{env, fs};

const DOCUMENT: &str = "src/http/openapi.yaml";

fn main() {
    // sqlx's `migrate!` does not see new files by itself.
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed={DOCUMENT}");
    let yaml = fs::read_to_string(DOCUMENT).unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"));
    // YAML 1.2: `y` and `no` are texts.
    let yaml_1_2 = serde_saphyr::options! { strict_booleans: true };
    let document: serde_json::Value = serde_saphyr::from_str_with_options(&yaml, yaml_1_2)
        .unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"));
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("openapi.json");
    fs::write(&target, document.to_string()).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
}
