//! `/api/v1/admin/audit`, as a list.

use std::time::Duration;

use serde_json::json;

use super::{AUDIT, events, note};
use crate::api::support::Server;

#[actix_web::test]
async fn only_an_admin_may_look() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    for path in [AUDIT.to_owned(), format!("{AUDIT}?limit=0"), format!("{AUDIT}/verify")] {
        server.get(&path).expect_problem(401, "missing_token").await;
        server.get(&path).bearer(&ada.access).expect_problem(403, "forbidden").await;
    }
}

#[actix_web::test]
async fn pages_hold_every_event_once_newest_first() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    note(&server, 25).await;
    let all = events(&server, &admin, "limit=200").await;
    let n: Vec<_> = all.iter().take(25).map(|event| event["details"]["n"].as_i64().unwrap()).collect();
    assert_eq!(n, (0..25).rev().collect::<Vec<_>>());
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{AUDIT}?limit=7{cursor}")).bearer(&admin.access);
        let page = page.expect(200).await.json();
        seen.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
}

#[actix_web::test]
async fn filters_narrow_it_down() {
    let server = Server::start().await;
    // Ids ascend within a process, and other tests' clocks were advanced, too: by less than this.
    server.clock.advance(Duration::from_secs(20 * 365 * 24 * 3600));
    let admin = server.admin("root").await;
    let start = server.clock.now();
    server.clock.advance(Duration::from_secs(60));
    let ada = server.register("ada").await;
    server.login("ada").await;
    server.clock.advance(Duration::from_secs(60));
    server.login("ada").await;
    let names = async |query: &str| {
        let found = events(&server, &admin, query).await;
        found.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let at = |seconds: u64| {
        (start + Duration::from_secs(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    };
    let to_ada = format!("user={ada}");
    assert_eq!(names(&to_ada).await, ["login_succeeded", "login_succeeded", "user_registered"]);
    assert_eq!(names(&format!("{to_ada}&event=user_registered")).await, ["user_registered"]);
    assert_eq!(names(&format!("{to_ada}&event=user_deleted")).await, [""; 0]);
    // From a moment on, that included; to another, that not included.
    assert_eq!(
        names(&format!("from={}&to={}", at(60), at(120))).await,
        ["login_succeeded", "user_registered"]
    );
    assert_eq!(names(&format!("from={}", at(120))).await, ["login_succeeded"]);
    assert_eq!(names(&format!("from={}", at(121))).await, [""; 0]);
    assert_eq!(names(&format!("to={}", at(60))).await, ["login_succeeded", "role_granted", "user_created"]);
    // The same moment in another place.
    let elsewhere = at(120).replace('Z', "%2B00:00");
    assert_eq!(names(&format!("from={elsewhere}&event=login_succeeded")).await.len(), 1);
}

#[actix_web::test]
async fn what_can_not_be_asked_is_refused() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    for query in [
        "event=emperor_crowned",
        "event=",
        "event=LOGIN_FAILED",
        "event=login_failed&event=login_failed",
        "user=ada",
        "user=",
        "from=yesterday",
        "from=2026-11-22",
        "from=2026-11-22T08:00:00",
        "from=2026-13-22T08:00:00Z",
        "to=1700000000",
        "limit=201",
    ] {
        let path = format!("{AUDIT}?{query}");
        server.get(&path).bearer(&admin.access).expect_problem(400, "invalid_request").await;
    }
    server
        .get(&format!("{AUDIT}?cursor=x"))
        .bearer(&admin.access)
        .expect_problem(400, "invalid_cursor")
        .await;
    for far in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"] {
        let path = format!("{AUDIT}?from={far}&to={far}");
        let found = server.get(&path).bearer(&admin.access).expect(200).await.json();
        assert_eq!(found["items"], json!([]), "{far}");
    }
}
