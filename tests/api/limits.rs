//! Guessing at passwords, and flooding.

use std::time::Duration;

use serde_json::json;

use crate::api::support::{Answer, PASSWORD, Server};

const BEHIND_A_PROXY: &str = "--trusted-proxies=127.0.0.1";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A login of this name from this address.
async fn login(server: &Server, name: &str, password: &str, from: &str) -> Answer {
    let body = json!({ "login": name, "password": password });
    server.post("/api/v1/login").header("x-forwarded-for", from).json(body).send().await
}

async fn fail(server: &Server, name: &str, from: &str, times: usize) {
    for n in 0..times {
        let answer = login(server, name, "wrong", from).await;
        assert_eq!(answer.status, 401, "failure {n} of {name} from {from}: {}", answer.text);
    }
}

/// For how long it has to wait; 0 where it has not.
async fn wait(server: &Server, name: &str, password: &str, from: &str) -> u64 {
    let answer = login(server, name, password, from).await;
    if answer.status != 429 {
        return 0;
    }
    assert_eq!(answer.json()["code"], "rate_limited");
    answer.header("retry-after").parse().unwrap()
}

#[actix_web::test]
async fn after_five_failures_the_wait_doubles_and_the_right_password_waits_too() {
    let server = Server::with(&[BEHIND_A_PROXY]).await;
    server.register("ada").await;
    let here = "192.0.2.1";
    fail(&server, "ada", here, 5).await;
    let mut expected = 1;
    for _ in 0..12 {
        for password in ["wrong", PASSWORD] {
            assert_eq!(wait(&server, "ada", password, here).await, expected, "{password}");
        }
        server.clock.advance(seconds(expected));
        fail(&server, "ada", here, 1).await;
        expected = (expected * 2).min(900);
    }
    server.clock.advance(seconds(900));
    assert_eq!(login(&server, "ada", PASSWORD, here).await.status, 200);
    // All is forgiven.
    fail(&server, "ada", here, 5).await;
    assert_eq!(wait(&server, "ada", PASSWORD, here).await, 1);
}

/// What was counted by the time of before is an hour ahead then.
#[actix_web::test]
async fn a_clock_that_is_set_back_makes_nobody_wait_for_longer() {
    let server = Server::with(&[BEHIND_A_PROXY]).await;
    server.register("ada").await;
    let here = "192.0.2.1";
    let set_back = || server.sql("update guesses set failed_at = failed_at + 3600000000").execute();
    fail(&server, "ada", here, 4).await;
    set_back().await.unwrap();
    fail(&server, "ada", here, 1).await;
    assert_eq!(wait(&server, "ada", PASSWORD, here).await, 1);
    set_back().await.unwrap();
    assert_eq!(wait(&server, "ada", PASSWORD, here).await, 0);
}

#[actix_web::test]
async fn an_unknown_name_waits_as_a_known_one_does() {
    let server = Server::with(&[BEHIND_A_PROXY]).await;
    server.register("ada").await;
    let told = async |name: &str, from: &str| {
        let mut told = Vec::new();
        for _ in 0..8 {
            let answer = login(&server, name, "wrong", from).await;
            let retry = answer.header("retry-after").to_owned();
            told.push((answer.status, answer.json()["detail"].clone(), retry));
        }
        told
    };
    assert_eq!(told("ada", "192.0.2.1").await, told("nobody", "192.0.2.2").await);
}

#[actix_web::test]
async fn nobody_locks_the_owner_out_from_where_the_owner_is_known() {
    let server = Server::with(&[BEHIND_A_PROXY]).await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    server.post("/api/v1/register").json(body).expect(201).await;
    let home = "192.0.2.1";
    assert_eq!(login(&server, "ada", PASSWORD, home).await.status, 200);
    for network in 1..=100 {
        for name in ["ada", "ada@example.com"] {
            login(&server, name, "wrong", &format!("198.51.100.{network}")).await;
        }
    }
    // A stranger waits, with the right password, too; the owner does not, by either name.
    let stranger = "203.0.113.9";
    assert!(wait(&server, "ada", PASSWORD, stranger).await > 0);
    for name in ["ada", "ADA@example.com"] {
        assert_eq!(login(&server, name, PASSWORD, home).await.status, 200, "{name}");
    }
    // The owner's mistakes count, from home as well.
    fail(&server, "ada", home, 5).await;
    assert!(wait(&server, "ada", PASSWORD, home).await > 0);
    // And the stranger may come when it is quiet again.
    server.clock.advance(seconds(15 * 60));
    assert_eq!(login(&server, "ada", PASSWORD, stranger).await.status, 200);
}

#[actix_web::test]
async fn a_network_that_fails_at_many_accounts_waits() {
    let server = Server::with(&[BEHIND_A_PROXY]).await;
    server.register("ada").await;
    let here = "2001:db8:0:1::7";
    for n in 0..50 {
        fail(&server, &format!("name{n}"), here, 1).await;
    }
    assert_eq!(wait(&server, "another", "wrong", "2001:db8:0:1::8").await, 1, "the same /64");
    assert_eq!(wait(&server, "ada", PASSWORD, here).await, 1);
    assert_eq!(login(&server, "ada", PASSWORD, "2001:db8:0:2::7").await.status, 200);
    server.clock.advance(seconds(1));
    assert_eq!(login(&server, "ada", PASSWORD, here).await.status, 200);
}

#[actix_web::test]
async fn replicas_count_together_and_many_at_once_are_counted_one_by_one() {
    let server = Server::with(&[BEHIND_A_PROXY]).await;
    let other = server.replica(&[BEHIND_A_PROXY]).await;
    server.register("ada").await;
    let both = [&server, &other];
    let tries = (0..40).map(|n| login(both[n % 2], "ada", "wrong", "192.0.2.1"));
    let told = futures_util::future::join_all(tries).await;
    let tried = told.iter().filter(|answer| answer.status == 401).count();
    // Five, and on each replica those whose turn it was when the fifth became known.
    assert!((5..=5 + 8).contains(&tried), "{tried} were tried");
    assert!(told.iter().all(|answer| [401, 429].contains(&answer.status)));
    assert!(wait(&other, "ada", PASSWORD, "192.0.2.1").await > 0);
}

#[actix_web::test]
async fn who_knows_the_password_logs_in_as_often_as_they_like() {
    let server = Server::start().await;
    server.register("ada").await;
    let logins = futures_util::future::join_all((0..40).map(|_| login(&server, "ada", PASSWORD, "-"))).await;
    assert!(logins.iter().all(|answer| answer.status == 200));
}

#[actix_web::test]
async fn a_spoofed_address_does_not_help() {
    let server = Server::start().await;
    server.register("ada").await;
    for n in 0..5 {
        fail(&server, "ada", &format!("192.0.2.{n}"), 1).await;
    }
    assert!(wait(&server, "ada", PASSWORD, "192.0.2.99").await > 0);
}

#[actix_web::test]
async fn a_wrong_password_beside_a_good_token_is_a_guess() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let change = |current: &str| {
        let body = json!({ "current_password": current, "new_password": "copper-ferry-almanac-17" });
        server.put("/api/v1/me/password").bearer(&tokens.access).json(body)
    };
    for _ in 0..5 {
        change("wrong").expect_problem(422, "validation_failed").await;
    }
    change(PASSWORD).expect_problem(429, "rate_limited").await;
    let delete = server.delete("/api/v1/me").bearer(&tokens.access).json(json!({ "password": PASSWORD }));
    delete.expect_problem(429, "rate_limited").await;
    server.clock.advance(seconds(1));
    change(PASSWORD).expect(204).await;
}

#[actix_web::test]
async fn oauths_password_grant_is_no_way_around() {
    let server = Server::start().await;
    server.register("ada").await;
    let grant = |password: &str| {
        server.post("/oauth/token").form(&format!("grant_type=password&username=ada&password={password}"))
    };
    for _ in 0..3 {
        grant("wrong").expect(400).await;
    }
    fail(&server, "ada", "-", 2).await;
    grant(PASSWORD).expect_problem(429, "rate_limited").await;
}

#[actix_web::test]
async fn a_flood_is_told_to_come_back_and_where_it_stands() {
    let server = Server::with(&[BEHIND_A_PROXY]).await;
    let refresh = |from: &str| {
        let request = server.post("/api/v1/refresh").header("x-forwarded-for", from);
        request.json(json!({ "refresh_token": "x" }))
    };
    let first = refresh("192.0.2.1").expect(401).await;
    assert_eq!(first.header("ratelimit-policy"), r#""refresh";q=600;w=60"#);
    assert_eq!(first.header("ratelimit"), r#""refresh";r=599;t=1"#);
    let refused = loop {
        let answer = refresh("192.0.2.1").send().await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_eq!(refused.json()["code"], "rate_limited");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("1", r#""refresh";r=0;t=1"#));
    refresh("192.0.2.2").expect(401).await;
    // What is asked all the time has no limit, and says so.
    let me = server.get("/api/v1/me").expect(401).await;
    assert_eq!(me.header("ratelimit"), "");
}

#[actix_web::test]
async fn without_limits_there_are_none() {
    let server = Server::with(&["--rate-limit=false"]).await;
    server.register("ada").await;
    fail(&server, "ada", "-", 20).await;
    let login = login(&server, "ada", PASSWORD, "-").await;
    assert_eq!((login.status, login.header("ratelimit")), (200, ""));
}

#[actix_web::test]
async fn what_is_long_ago_is_deleted() {
    let server = Server::start().await;
    server.register("ada").await;
    fail(&server, "ada", "-", 1).await;
    server.login("ada").await;
    let count = async |sql: &'static str| {
        portcullis::background::prune(&server.app).await.unwrap();
        let (count,): (i64,) = server.sql(sql).fetch_one().await.unwrap();
        count
    };
    assert_eq!(count("select count(*) from guesses").await, 2);
    // By the username, and by the id, for who is logged in.
    assert_eq!(count("select count(*) from known_networks").await, 2);
    server.clock.advance(seconds(24 * 3600 + 1));
    assert_eq!(count("select count(*) from guesses").await, 0);
    assert_eq!(count("select count(*) from known_networks").await, 2);
    server.clock.advance(seconds(90 * 24 * 3600));
    assert_eq!(count("select count(*) from known_networks").await, 0);
}
