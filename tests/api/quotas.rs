//! `/api/v1/admin/users/{id}/quota`, and what it means for the user.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use portcullis::store::Executor;
use serde_json::{Value, json};

use crate::DATABASE;
use crate::api::support::{Answer, Database, PASSWORD, Server, Tokens};

/// A user, an admin who sets the quota, and the service.
struct Place {
    server: Server,
    root: Tokens,
    ada: Tokens,
    path: String,
}

impl Place {
    async fn new(settings: &[&str]) -> Place {
        Place::on(Server::with(settings).await).await
    }

    async fn on(server: Server) -> Place {
        let (root, ada) = (server.admin("root").await, server.user("ada").await);
        let me = server.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
        let path = format!("/api/v1/admin/users/{}/quota", me["id"].as_str().unwrap());
        Place { server, root, ada, path }
    }

    async fn set(&self, requests: i64, per: &str) {
        let body = json!({ "requests": requests, "per": per });
        let set = self.server.put(&self.path).bearer(&self.root.access).json(body.clone());
        assert_eq!(set.expect(200).await.json(), body);
    }

    async fn ask(&self) -> Answer {
        ask(&self.server, &self.ada).await
    }
}

/// Waits until the replica knows of all changes so far: also of its own, by which it drops once more what was cached.
async fn settle(server: &Server) {
    let (newest,): (i64,) = server.sql("select seq from newest_change").fetch_one().await.unwrap();
    server.app.changes.seen().wait_for(|seen| *seen >= newest).await.unwrap();
}

/// What is left, after one request more.
async fn left(server: &Server, tokens: &Tokens) -> i64 {
    let usage = server.get("/api/v1/me/usage").bearer(&tokens.access).expect(200).await;
    let left = usage.header("ratelimit").split(';').nth(1).and_then(|left| left.strip_prefix("r="));
    left.expect("it tells what is left").parse().unwrap()
}

async fn ask(server: &Server, tokens: &Tokens) -> Answer {
    let answer = server.get("/api/v1/me").bearer(&tokens.access).send().await;
    if answer.status == 429 {
        assert_eq!(answer.json()["code"], "quota_exceeded");
    }
    answer
}

/// How many of so many requests, ten at a time, are let through.
async fn allowed(server: &Server, tokens: &Tokens, requests: usize) -> usize {
    let mut allowed = 0;
    for _ in 0..requests / 10 {
        let answers = join_all((0..10).map(|_| ask(server, tokens))).await;
        allowed += answers.iter().filter(|answer| answer.status == 200).count();
    }
    allowed
}

#[actix_web::test]
async fn a_quota_is_set_shown_and_taken_away() {
    let place = Place::new(&[]).await;
    let Place { server, root, ada, path } = &place;
    let as_root = |method: &str| server.request(method, path).bearer(&root.access);
    as_root("GET").expect_problem(404, "not_found").await;
    as_root("DELETE").expect_problem(404, "not_found").await;
    place.set(1000, "day").await;
    assert_eq!(as_root("GET").expect(200).await.json(), json!({ "requests": 1000, "per": "day" }));
    let by_form = as_root("PUT").form("requests=0&per=month").expect(200).await.json();
    assert_eq!(by_form, json!({ "requests": 0, "per": "month" }));
    for (body, broken) in [
        (json!({}), &["requests required", "per required"][..]),
        (json!({ "requests": -1, "per": "day" }), &["requests invalid"]),
        (json!({ "requests": 1.5, "per": "day" }), &["requests invalid"]),
        (json!({ "requests": 1_000_000_000_001_i64, "per": "day" }), &["requests invalid"]),
        (json!({ "requests": u64::MAX, "per": "day" }), &["requests invalid"]),
        (json!({ "requests": [], "per": "day" }), &["requests wrong_type"]),
        (json!({ "requests": 1, "per": "week" }), &["per invalid"]),
    ] {
        let answer = as_root("PUT").json(body.clone()).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), broken, "{body}");
    }
    for none in ["x", "019a96b3-0400-7000-8000-000000000001"] {
        let path = format!("/api/v1/admin/users/{none}/quota");
        let body = json!({ "requests": 1, "per": "day" });
        server.put(&path).bearer(&root.access).json(body).expect_problem(404, "not_found").await;
        server.get(&path).bearer(&root.access).expect_problem(404, "not_found").await;
        server.delete(&path).bearer(&root.access).expect_problem(404, "not_found").await;
    }
    as_root("DELETE").expect(204).await;
    for method in ["GET", "PUT", "DELETE"] {
        server.request(method, path).expect_problem(401, "missing_token").await;
        let request = server.request(method, path).bearer(&ada.access).json(json!({}));
        request.expect_problem(403, "forbidden").await;
    }
    let told = server.get("/api/v1/admin/audit?event=quota_changed").bearer(&root.access).expect(200).await;
    let told: Vec<_> =
        told.json()["items"].as_array().unwrap().iter().map(|event| event["details"].clone()).collect();
    let set = |requests: i64, per: &str| json!({ "requests": requests, "per": per });
    assert_eq!(told, [json!({ "requests": null }), set(0, "month"), set(1000, "day")]);
    // What is set already is no change.
    place.set(5, "day").await;
    let changes = server.changes().await;
    place.set(5, "day").await;
    assert_eq!(server.changes().await, changes);
}

#[actix_web::test]
async fn so_many_requests_and_not_one_more() {
    let place = Place::new(&[]).await;
    let Place { server, root, ada, .. } = &place;
    let key = server.post("/api/v1/me/keys").bearer(&ada.access).json(json!({ "name": "k" }));
    let key = key.expect(201).await.json()["key"].as_str().unwrap().to_owned();
    let now: DateTime<Utc> = server.clock.now();
    let left = (86_400 - now.timestamp() % 86_400).to_string();
    for quota in [1, 5, 10] {
        let policy = format!("\"quota\";q={quota};w=86400");
        // Another time begins anew.
        place.set(1, "month").await;
        place.set(quota, "day").await;
        for n in 1..=quota {
            let (path, token) = [
                ("/api/v1/me", &ada.access),
                ("/forward-auth", &key),
                ("/api/v1/me/usage", &key),
                ("/api/v1/me/sessions", &ada.access),
            ][n as usize % 4];
            let answer = server.get(path).bearer(token).expect(200).await;
            // Who asks for the usage is told what is left of it; others, when nothing is.
            let (told, policy) = match path {
                "/api/v1/me/usage" => (format!("\"quota\";r={};t={left}", quota - n), policy.as_str()),
                _ => (String::new(), ""),
            };
            assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), (&*told, policy));
        }
        for (path, token) in
            [("/api/v1/me", &ada.access), ("/forward-auth", &key), ("/api/v1/me/usage", &ada.access)]
        {
            let answer = server.get(path).bearer(token).expect_problem(429, "quota_exceeded").await;
            assert_eq!(answer.header("retry-after"), left);
            assert_eq!(answer.header("ratelimit"), format!("\"quota\";r=0;t={left}"));
            assert_eq!(answer.header("ratelimit-policy"), policy);
            assert!(answer.json()["detail"].as_str().unwrap().contains(&format!("{quota} requests a day")));
        }
        // To look after the account is never refused.
        for path in ["/api/v1/me/keys", "/api/v1/me/sessions"] {
            let answer = server.get(path).bearer(&ada.access).expect(200).await;
            assert_eq!(answer.header("ratelimit"), format!("\"quota\";r=0;t={left}"));
        }
        // What needs no token, and what is refused otherwise, is not the quota's.
        server.post("/api/v1/refresh").json(json!({ "refresh_token": ada.refresh })).expect(200).await;
        server.get("/api/v1/admin/users").bearer(&ada.access).expect_problem(403, "forbidden").await;
        server.delete("/api/v1/me/keys/x").bearer(&key).expect_problem(403, "session_required").await;
        // Nor is it others'.
        let other = server.get("/api/v1/me").bearer(&root.access).expect(200).await;
        assert_eq!(other.header("ratelimit"), "");
    }
    place.set(0, "day").await;
    assert_eq!(place.ask().await.status, 429);
    // Refused requests are no usage; those that are let in beyond the quota are.
    server.app.usage.flush(&server.app.db).await.unwrap();
    let sql = "select cast(sum(requests) as bigint) from usage u join users a on a.id = u.user_id where a.username = 'ada'";
    let (counted,): (i64,) = server.sql(sql).fetch_one().await.unwrap();
    assert_eq!(counted, 1 + 1 + 16 + 3 * 2);
}

#[actix_web::test]
async fn what_is_limited_twice_tells_both() {
    let place = Place::new(&[]).await;
    place.set(0, "day").await;
    let body = json!({ "current_password": "wrong-lantern-42", "new_password": "another-lantern-77" });
    let change = place.server.put("/api/v1/me/password").bearer(&place.ada.access).json(body);
    let answer = change.expect(422).await;
    let (limit, quota) = answer.header("ratelimit").split_once(", ").unwrap();
    assert!(limit.starts_with("\"confirm\";r=") && quota.starts_with("\"quota\";r=0;t="), "{limit} {quota}");
}

#[actix_web::test]
async fn a_day_and_a_month_end_at_midnight_utc() {
    for (per, form, begins) in [("day", "%H:%M:%S", "00:00:00"), ("month", "%d %H:%M:%S", "01 00:00:00")] {
        let place = Place::new(&["--access-token-ttl=1d"]).await;
        let server = &place.server;
        place.set(2, per).await;
        assert_eq!([place.ask().await, place.ask().await].map(|answer| answer.status), [200, 200]);
        let refused = place.ask().await;
        assert_eq!(refused.status, 429);
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        let window: u64 = refused.header("ratelimit-policy").rsplit('=').next().unwrap().parse().unwrap();
        assert!(
            wait <= window && window.is_multiple_of(86_400) && (window == 86_400) == (per == "day"),
            "{window}"
        );
        server.clock.advance(Duration::from_secs(wait - 1));
        let ada = server.login("ada").await;
        assert_eq!(ask(server, &ada).await.status, 429);
        server.clock.advance(Duration::from_secs(1));
        assert_eq!(server.clock.now().format(form).to_string(), begins);
        assert_eq!(left(server, &ada).await, 1);
        assert_eq!(
            [ask(server, &ada).await, ask(server, &ada).await].map(|answer| answer.status),
            [200, 429]
        );
    }
}

#[actix_web::test]
async fn a_changed_quota_holds_at_once_here_and_within_a_second_there() {
    let place = Place::new(&[]).await;
    let (here, there) = (&place.server, place.server.replica(&[]).await);
    for server in [here, &there] {
        assert_eq!(ask(server, &place.ada).await.status, 200);
    }
    let within_a_second = async |status: u16| {
        let changed = Instant::now();
        assert_eq!(place.ask().await.status, status);
        loop {
            let asked = changed.elapsed();
            if ask(&there, &place.ada).await.status == status {
                break;
            }
            assert!(asked < Duration::from_secs(1), "{status} does not hold there");
        }
    };
    place.set(0, "day").await;
    within_a_second(429).await;
    place.set(1000, "day").await;
    within_a_second(200).await;
    place.set(1, "day").await;
    within_a_second(429).await;
    here.delete(&place.path).bearer(&place.root.access).expect(204).await;
    within_a_second(200).await;
    let usage = place.server.get("/api/v1/me/usage").bearer(&place.ada.access).expect(200).await;
    assert_eq!(usage.header("ratelimit"), "");
}

#[actix_web::test]
async fn what_was_used_counts_on_when_a_quota_is_raised() {
    let place = Place::new(&[]).await;
    place.set(3, "day").await;
    assert_eq!(allowed(&place.server, &place.ada, 10).await, 3);
    place.set(5, "day").await;
    assert_eq!(allowed(&place.server, &place.ada, 10).await, 2);
    place.set(4, "day").await;
    assert_eq!(allowed(&place.server, &place.ada, 10).await, 0);
    // Taken away and set again, it begins anew.
    place.server.delete(&place.path).bearer(&place.root.access).expect(204).await;
    place.set(4, "day").await;
    assert_eq!(allowed(&place.server, &place.ada, 10).await, 4);
}

/// A part that was taken ahead of the old one is no use of the new one.
#[actix_web::test]
async fn a_quota_that_is_lowered_below_the_part_that_is_held_has_all_that_was_not_used() {
    let place = Place::new(&[]).await;
    place.set(1_000_000, "month").await;
    assert_eq!(place.ask().await.status, 200);
    place.set(10, "month").await;
    assert_eq!(allowed(&place.server, &place.ada, 30).await, 9);
}

#[actix_web::test]
async fn what_is_left_is_told_as_the_database_has_it_whoever_used_the_rest() {
    let place = Place::new(&[]).await;
    let there = place.server.replica(&[]).await;
    place.set(10_000, "day").await;
    settle(&there).await;
    assert_eq!(left(&place.server, &place.ada).await, 9_999);
    assert_eq!(allowed(&there, &place.ada, 300).await, 300);
    // But for what the other holds, which is a half of a hundredth at most.
    let told = left(&place.server, &place.ada).await;
    assert!((9_600..=9_698).contains(&told), "{told}");
}

/// What a used-up quota lets in all the same is no refusal.
#[actix_web::test]
async fn a_refusal_is_counted_and_nothing_else() {
    let place = Place::new(&[]).await;
    place.set(0, "day").await;
    let (server, ada) = (&place.server, &place.ada);
    for (path, status) in [("/api/v1/me", 429), ("/forward-auth", 429), ("/api/v1/me/sessions", 200)] {
        server.get(path).bearer(&ada.access).expect(status).await;
    }
    assert_eq!(server.app.counts.quota_refusals.count(), 2);
}

#[actix_web::test]
async fn two_replicas_that_are_hammered_let_through_what_is_allowed_within_2_percent() {
    let place = Place::new(&[]).await;
    let there = place.server.replica(&[]).await;
    for quota in [7, 50, 1000] {
        place.set(1, "month").await;
        place.set(quota, "day").await;
        settle(&there).await;
        let requests = quota as usize + 40;
        let both = join(allowed(&place.server, &place.ada, requests), allowed(&there, &place.ada, requests));
        let (here_too, there_too) = both.await;
        let all = here_too + there_too;
        let least = if quota < 400 { quota } else { quota * 98 / 100 };
        assert!((least as usize..=quota as usize).contains(&all), "{all} of {quota}");
        // Of a few, one may have had all.
        assert!(quota < 1000 || (here_too > 0 && there_too > 0));
    }
}

#[actix_web::test]
async fn requests_do_not_wait_for_the_database_where_a_part_is_held() {
    let place = Place::new(&[]).await;
    place.set(1_000_000, "day").await;
    settle(&place.server).await;
    place.ask().await;
    // A part of 5,000 is held, and who asks is known.
    place.server.sql("alter table quotas rename to quotas_away").execute().await.unwrap();
    assert_eq!(allowed(&place.server, &place.ada, 100).await, 100);
    place.server.sql("alter table quotas_away rename to quotas").execute().await.unwrap();
}

/// Who is deleted meanwhile is gone; on Postgres the row that is to belong to them would fail on that.
#[actix_web::test]
async fn a_quota_for_who_is_being_deleted_is_not_found() {
    let place = Place::new(&[]).await;
    let mut deletion = place.server.app.db.begin().await.unwrap();
    let sql = "delete from users where username = 'ada'";
    Executor::query(&mut deletion, sql).execute().await.unwrap();
    let body = json!({ "requests": 10, "per": "day" });
    let set = place.server.put(&place.path).bearer(&place.root.access).json(body);
    join(set.expect_problem(404, "not_found"), place.server.commit_once_waited_for(deletion)).await;
}

/// The next part is being taken beside the requests when they use up this one: who then waits does not go on to try for as long again.
#[actix_web::test]
async fn who_waits_for_a_part_that_does_not_come_is_told_so_within_5_seconds() {
    let (server, proxy) = match DATABASE {
        Database::Sqlite => (Server::start().await, None),
        Database::Postgres => {
            let (server, proxy) = Server::behind_a_proxy().await;
            (server, Some(proxy))
        }
    };
    let place = Place::on(server).await;
    place.set(10_000, "day").await;
    settle(&place.server).await;
    // A part of 50 is held, and who asks is known.
    place.ask().await;
    let _writer = match &proxy {
        Some(proxy) => {
            proxy.freeze();
            None
        }
        None => Some(place.server.app.db.begin().await.unwrap()),
    };
    let mut answered = 0;
    let refused = loop {
        let me = place.server.get("/api/v1/me").bearer(&place.ada.access).within(Duration::from_secs(5));
        let answer = me.send().await;
        if answer.status != 200 {
            break answer;
        }
        answered += 1;
        assert!(answered < 50, "more is let through than was held");
    };
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("unavailable")));
}

#[actix_web::test]
async fn what_is_not_needed_is_given_back() {
    let place = Place::new(&[]).await;
    let server = &place.server;
    let taken = async || -> i64 {
        let (taken,): (i64,) = server.sql("select taken from quotas").fetch_one().await.unwrap();
        taken
    };
    place.set(100_000, "day").await;
    for _ in 0..3 {
        place.ask().await;
    }
    assert_eq!(taken().await, 500);
    let quotas = &server.app.usage.quotas;
    quotas.give_back(&server.app.db, false).await.unwrap();
    assert_eq!(taken().await, 500, "it is in use");
    quotas.give_back(&server.app.db, false).await.unwrap();
    assert_eq!(taken().await, 3);
    place.ask().await;
    quotas.give_back(&server.app.db, true).await.unwrap();
    assert_eq!(taken().await, 4);
    // Of a quota that was changed, too.
    place.ask().await;
    place.set(200_000, "day").await;
    assert_eq!(left(server, &place.ada).await, 199_994);
    // Nothing is lost where that fails.
    server.sql("alter table quotas rename to moved").execute().await.unwrap();
    quotas.give_back(&server.app.db, true).await.unwrap_err();
    server.sql("alter table moved rename to quotas").execute().await.unwrap();
    quotas.give_back(&server.app.db, true).await.unwrap();
    assert_eq!(taken().await, 6);
}

#[actix_web::test]
async fn a_quota_goes_with_its_user() {
    let place = Place::new(&[]).await;
    place.set(10, "day").await;
    let delete = place.server.delete("/api/v1/me").bearer(&place.ada.access);
    delete.json(json!({ "password": PASSWORD })).expect(204).await;
    let (rows,): (i64,) = place.server.sql("select count(*) from quotas").fetch_one().await.unwrap();
    assert_eq!(rows, 0);
    let gone: Value = place.server.get(&place.path).bearer(&place.root.access).expect(404).await.json();
    assert_eq!(gone["code"], "not_found");
}
