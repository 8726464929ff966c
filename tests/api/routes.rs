//! The routes and the OpenAPI document name the same methods and paths.

use std::collections::BTreeSet;

use portcullis::http::{Endpoint, tutorial_endpoints};
use serde_json::Value;

use crate::api::support::documented_routes;

/// With those that a setting turns on.
fn endpoints() -> Vec<Endpoint> {
    portcullis::http::endpoints().into_iter().chain(tutorial_endpoints()).collect()
}

#[test]
fn the_routes_are_those_of_the_document() {
    let endpoints = endpoints();
    // HEAD is GET without a body, and goes without saying.
    let routes = endpoints.iter().flat_map(|endpoint| {
        let methods = endpoint.methods.iter().filter(|method| *method != "HEAD");
        methods.map(|method| (method.to_string(), endpoint.path.to_owned()))
    });
    let routes: BTreeSet<_> = routes.collect();
    let documented = documented_routes();
    let undocumented: Vec<_> = routes.difference(&documented).collect();
    let unserved: Vec<_> = documented.difference(&routes).collect();
    assert!(
        undocumented.is_empty() && unserved.is_empty(),
        "not in the document: {undocumented:?}; only there: {unserved:?}"
    );
}

/// Every protected operation is metered, and a user may have a quota.
#[test]
fn a_protected_operation_says_that_a_quota_may_be_used_up() {
    let document: Value = serde_json::from_str(portcullis::http::OPENAPI).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    });
    let silent = operations.filter(|(_, _, operation)| {
        operation["security"].is_array() && operation["responses"]["429"].is_null()
    });
    let silent: Vec<_> = silent.map(|(path, method, _)| format!("{method} {path}")).collect();
    assert!(
        silent.is_empty(),
        "no 429 (`QuotaExceeded`, or `RateLimitedOrOverQuota`) in the document of {silent:?}"
    );
}

#[test]
fn no_path_is_served_twice() {
    let mut paths: Vec<_> = endpoints().into_iter().map(|endpoint| endpoint.path).collect();
    paths.sort_unstable();
    let twice: Vec<_> = paths.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "actix asks the first of these alone: {twice:?}");
}

#[test]
fn whoever_answers_get_answers_head() {
    for endpoint in endpoints() {
        let has = |name: &str| endpoint.methods.iter().any(|method| method == name);
        assert_eq!(has("GET"), has("HEAD"), "{}", endpoint.path);
    }
}
