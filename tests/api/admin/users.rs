//! `/api/v1/admin/users`.

use std::time::Duration;

use portcullis::id::UserId;
use serde_json::{Value, json};

use super::USERS;
use crate::api::support::{PASSWORD, Server, Tokens};

async fn list(server: &Server, admin: &Tokens, query: &str) -> Value {
    server.get(&format!("{USERS}?{query}")).bearer(&admin.access).expect(200).await.json()
}

/// The names in a list: each user's username, or else the address.
fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|user| user["username"].as_str().or(user["email"].as_str()).unwrap()).collect()
}

async fn register(server: &Server, username: Value, email: Value) {
    let body = json!({ "username": username, "email": email, "password": PASSWORD });
    server.post("/api/v1/register").json(body).expect(201).await;
}

#[actix_web::test]
async fn only_an_admin_may_look() {
    let server = Server::start().await;
    let id = server.register("ada").await;
    let tokens = server.login("ada").await;
    for path in
        [USERS, &format!("{USERS}/{id}"), &format!("{USERS}/none"), &format!("{USERS}?limit=0&cursor=x")]
    {
        let stranger = server.get(path).expect_problem(401, "missing_token").await;
        assert_eq!(stranger.header("www-authenticate"), r#"Bearer realm="portcullis""#);
        let user = server.get(path).bearer(&tokens.access).expect_problem(403, "forbidden").await;
        assert!(user.header("www-authenticate").contains(r#"error="insufficient_scope""#));
        assert!(!user.text.contains("ada"));
    }
}

#[actix_web::test]
async fn another_role_is_not_enough() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let sql = "insert into user_roles (user_id, role) select id, 'introspect' from users";
    server.sql(sql).execute().await.unwrap();
    server.get(USERS).bearer(&tokens.access).expect_problem(403, "forbidden").await;
}

#[actix_web::test]
async fn users_are_listed_newest_first() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    for name in ["zoe", "ada", "Bob"] {
        server.clock.advance(Duration::from_millis(1));
        server.register(name).await;
    }
    let all = list(&server, &admin, "").await;
    assert_eq!(names(&all), ["Bob", "ada", "zoe", "root"]);
    assert_eq!(all["next_cursor"], json!(null));
    assert_eq!(all["items"][3]["roles"], json!(["admin"]));
    assert_eq!(all["items"][3], server.get("/api/v1/me").bearer(&admin.access).expect(200).await.json());
}

#[actix_web::test]
async fn pages_hold_everyone_once() {
    let server = Server::start().await;
    let admin = server.admin("user00").await;
    for n in 1..12 {
        server.register(&format!("user{n:02}")).await;
    }
    let all: Vec<_> = (0..12).rev().map(|n| format!("user{n:02}")).collect();
    for (limit, pages) in [(1, 12), (4, 3), (5, 3), (11, 2), (12, 1), (200, 1)] {
        let (mut seen, mut query) = (Vec::new(), format!("limit={limit}"));
        for page in 1..=pages {
            let part = list(&server, &admin, &query).await;
            assert!(names(&part).len() <= limit);
            seen.extend(names(&part).into_iter().map(str::to_owned));
            let cursor = part["next_cursor"].as_str();
            assert_eq!(cursor.is_none(), page == pages, "page {page} of {limit}");
            query = format!("limit={limit}&cursor={}", cursor.unwrap_or_default());
        }
        assert_eq!(seen, all, "limit {limit}");
    }
}

#[actix_web::test]
async fn who_comes_while_one_pages_is_not_in_the_way() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    for name in ["ada", "bob", "eve"] {
        server.register(name).await;
    }
    let first = list(&server, &admin, "limit=2").await;
    server.register("late").await;
    server.sql("delete from users where username_key = 'bob'").execute().await.unwrap();
    let second = list(&server, &admin, &format!("cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((names(&first), names(&second)), (vec!["eve", "bob"], vec!["ada", "root"]));
}

#[actix_web::test]
async fn fifty_are_listed_unless_told_otherwise() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let sql = "insert into users (id, username, username_key, email_verified, password_hash, \
               password_version, disabled, created_at, updated_at) select $1, $2, $2, email_verified, \
               password_hash, password_version, disabled, created_at, updated_at from users where username_key = 'root'";
    for n in 0..50 {
        let insert = server.sql(sql).bind(UserId::new(server.clock.now())).bind(format!("user{n:02}"));
        insert.execute().await.unwrap();
    }
    let page = list(&server, &admin, "").await;
    assert_eq!((names(&page).len(), names(&page)[0]), (50, "user49"));
    let rest = list(&server, &admin, &format!("cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!((names(&rest), &rest["next_cursor"]), (vec!["root"], &json!(null)));
}

#[actix_web::test]
async fn a_bad_parameter_is_refused() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    for (query, code) in [
        ("limit=0", "invalid_request"),
        ("limit=201", "invalid_request"),
        ("limit=-1", "invalid_request"),
        ("limit=1.5", "invalid_request"),
        ("limit=ten", "invalid_request"),
        ("limit=", "invalid_request"),
        ("limit=1&limit=2", "invalid_request"),
        ("limit=99999999999999999999", "invalid_request"),
        ("disabled=maybe", "invalid_request"),
        ("disabled=1", "invalid_request"),
        ("query=a%00b", "invalid_request"),
        ("query=%ff", "invalid_request"),
        ("query=a&query=b", "invalid_request"),
        ("role=a%20b", "invalid_request"),
        ("role=", "invalid_request"),
        ("cursor=", "invalid_cursor"),
        ("cursor=x", "invalid_cursor"),
        ("cursor=%21%21", "invalid_cursor"),
        ("cursor=019a96b3-0400-7000-8000-000000000001", "invalid_cursor"),
        ("cursor=AZqlrMEAcACAAAAAAAAAAAAA", "invalid_cursor"),
    ] {
        let path = format!("{USERS}?{query}");
        let answer = server.get(&path).bearer(&admin.access).send().await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some(code)), "{query}");
    }
}

#[actix_web::test]
async fn a_query_is_the_start_of_a_name_in_any_case() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    register(&server, json!("Ada.L"), json!("Countess@Example.com")).await;
    register(&server, json!("adam"), json!(null)).await;
    register(&server, json!(null), json!("Ünal@example.com")).await;
    register(&server, json!("a_b"), json!("per%cent@example.com")).await;
    register(&server, json!("axb"), json!("perXcent@example.com")).await;
    for (query, found) in [
        ("ada", vec!["adam", "Ada.L"]),
        ("ADA", vec!["adam", "Ada.L"]),
        ("Ada.", vec!["Ada.L"]),
        ("adam", vec!["adam"]),
        ("adamant", vec![]),
        ("dam", vec![]),
        ("cOUNTESS%40", vec!["Ada.L"]),
        ("countess%40example.com", vec!["Ada.L"]),
        ("example", vec![]),
        ("%C3%BCNAL", vec!["Ünal@example.com"]),
        ("%C3%9C", vec!["Ünal@example.com"]),
        ("u", vec![]),
        ("a_", vec!["a_b"]),
        ("a%25", vec![]),
        ("per%25", vec!["a_b"]),
        ("%25", vec![]),
        ("_", vec![]),
        ("*", vec![]),
        ("%5C", vec![]),
        ("'", vec![]),
        ("", vec!["axb", "a_b", "Ünal@example.com", "adam", "Ada.L", "root"]),
    ] {
        assert_eq!(names(&list(&server, &admin, &format!("query={query}")).await), found, "{query}");
    }
}

#[actix_web::test]
async fn a_query_finds_what_a_login_with_that_spelling_finds() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    register(&server, json!(null), json!("Ünal@example.com")).await;
    for query in ["%C3%9Cnal", "%C3%BCnal", "U%CC%88nal", "u%CC%88nal"] {
        assert_eq!(
            names(&list(&server, &admin, &format!("query={query}")).await),
            ["Ünal@example.com"],
            "{query}"
        );
    }
}

#[actix_web::test]
async fn filters_all_have_to_hold() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    for name in ["rosa", "rolf", "ada"] {
        server.register(name).await;
    }
    server.admin("roger").await;
    let sql = "update users set disabled = $1 where username_key = 'rolf' or username_key = 'roger'";
    server.sql(sql).bind(true).execute().await.unwrap();
    for (query, found) in [
        ("role=admin", vec!["roger", "root"]),
        ("role=introspect", vec![]),
        ("role=no-such-role", vec![]),
        ("disabled=true", vec!["roger", "rolf"]),
        ("disabled=false", vec!["ada", "rosa", "root"]),
        ("query=ro&disabled=false", vec!["rosa", "root"]),
        ("query=ro&disabled=true", vec!["roger", "rolf"]),
        ("role=admin&disabled=true", vec!["roger"]),
        ("query=roo&role=admin&disabled=false", vec!["root"]),
        ("query=ada&role=admin", vec![]),
        ("unknown=x&role=admin", vec!["roger", "root"]),
    ] {
        assert_eq!(names(&list(&server, &admin, query).await), found, "{query}");
    }
}

#[actix_web::test]
async fn a_filtered_list_is_paged_too() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    for name in ["ada1", "bob1", "ada2", "bob2", "ada3", "bob3"] {
        server.register(name).await;
    }
    let first = list(&server, &admin, "query=ada&limit=2").await;
    assert_eq!(names(&first), ["ada3", "ada2"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&server, &admin, &format!("query=ada&limit=2&cursor={cursor}")).await;
    assert_eq!((names(&second), &second["next_cursor"]), (vec!["ada1"], &json!(null)));
}

#[actix_web::test]
async fn one_user_is_found_by_id() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let body =
        json!({ "username": "Ada", "email": "ada@example.com", "display_name": "A", "password": PASSWORD });
    let user = server.post("/api/v1/register").json(body).expect(201).await.json();
    let path = format!("{USERS}/{}", user["id"].as_str().unwrap());
    let found = server.get(&path).bearer(&admin.access).expect(200).await;
    assert_eq!(found.json(), user);
    assert_eq!(found.header("cache-control"), "no-store");
}

#[actix_web::test]
async fn an_id_of_no_one_or_none_at_all_is_not_found() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    for id in [
        "019a96b3-0400-7000-8000-000000000001",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "root",
        "1",
        "019a96b3-0400-7000-8000-00000000000",
        "019a96b3-0400-7000-8000-0000000000011",
        "'",
        "%00",
        "%ff",
        "%2e%2e",
    ] {
        server.get(&format!("{USERS}/{id}")).bearer(&admin.access).expect_problem(404, "not_found").await;
    }
}
