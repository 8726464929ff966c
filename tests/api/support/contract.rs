//! Holds every response that the suite sees against the OpenAPI document: status, headers, content type, body.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(portcullis::http::OPENAPI).expect("the document is JSON"));

/// Every method and path in the document.
pub fn documented_routes() -> BTreeSet<(String, String)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let operations = |path: &str, item: &Value| -> Vec<_> {
        let methods = item.as_object().unwrap().keys();
        let methods = methods
            .filter(|method| ["get", "post", "put", "patch", "delete", "options"].contains(&method.as_str()));
        methods.map(|method| (method.to_uppercase(), path.to_owned())).collect()
    };
    paths.iter().flat_map(|(path, item)| operations(path, item)).collect()
}

/// Fails the test where a response is not as the document says.
pub fn check(method: &str, path: &str, status: u16, headers: &HeaderMap, body: &[u8]) {
    let what = format!("{method} {path} answered {status}");
    for always in ["x-request-id", "x-content-type-options", "referrer-policy", "cache-control"] {
        assert!(headers.contains_key(always), "{what} without {always}");
    }
    let Some((pointer, response)) = find(method, path, status) else {
        return assert!(path.starts_with("/test/"), "{what}, which the document does not have");
    };
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        check_header(&what, name, resolve(header), headers);
    }
    let Some(content) = response["content"].as_object() else {
        return assert!(body.is_empty(), "{what} with a body that the document does not have");
    };
    let media_type = headers.get("content-type").unwrap_or_else(|| panic!("{what} without content-type"));
    let essence = media_type.to_str().unwrap().split(';').next().unwrap().trim();
    let media = content.get(essence).unwrap_or_else(|| panic!("{what} as {essence}"));
    if method == "HEAD" {
        return assert!(body.is_empty(), "{what} with a body");
    }
    if essence.ends_with("json") {
        let body: Value = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{what}: {error}"));
        if let Some(schema) = media.get("schema") {
            check_body(&what, &format!("{pointer} {essence}"), schema, &body);
        }
    }
}

/// The documented response, and a name for it. A path or method that the document does not have is a 404 or 405.
fn find(method: &str, path: &str, status: u16) -> Option<(String, &'static Value)> {
    let named = |name: &str| (name.to_owned(), &DOCUMENT["components"]["responses"][name]);
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let path = path.split('?').next().unwrap();
    let Some((template, item)) = paths.iter().find(|(template, _)| matches(template, path)) else {
        return (status == 404).then(|| named("NotFound"));
    };
    let operation = match method {
        "HEAD" => item.get("get"),
        method => item.get(method.to_lowercase()),
    };
    let Some(operation) = operation else { return (status == 405).then(|| named("MethodNotAllowed")) };
    let response = operation["responses"].get(status.to_string())?;
    Some((format!("{method} {template} {status}"), resolve(response)))
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            resolve(DOCUMENT.pointer(reference.trim_start_matches('#')).expect("the reference leads on"))
        }
        None => value,
    }
}

fn check_header(what: &str, name: &str, header: &'static Value, headers: &HeaderMap) {
    let Some(value) = headers.get(name) else {
        return assert!(header["required"] != true, "{what} without {name}");
    };
    let text = value.to_str().unwrap();
    let schema = resolve(&header["schema"]);
    let value = match schema["type"].as_str() {
        Some("integer") => {
            json!(text.parse::<i64>().unwrap_or_else(|_| panic!("{what} with {name}: {text}")))
        }
        _ => json!(text),
    };
    check_body(&format!("{what} with {name}: {text}"), &schema.to_string(), schema, &value);
}

fn check_body(what: &str, name: &str, schema: &Value, body: &Value) {
    static COMPILED: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = *compiled.entry(name.to_owned()).or_insert_with(|| {
        // References start at the document's root, so the components come along.
        let mut whole: Map<String, Value> = schema.as_object().unwrap().clone();
        whole.insert("components".to_owned(), DOCUMENT["components"].clone());
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        Box::leak(Box::new(
            options.build(&Value::Object(whole)).unwrap_or_else(|error| panic!("{name}: {error}")),
        ))
    });
    drop(compiled);
    let broken: Vec<_> =
        validator.iter_errors(body).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(broken.is_empty(), "{what}: {broken:#?}\n{body:#}");
}
