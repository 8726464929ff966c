//! The routes and the OpenAPI document name the same methods and paths.

use std::collections::BTreeSet;

use portcullis::http::{Endpoint, tutorial_endpoints};

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
