//! `/api/v1/admin/roles`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{USERS, change, id_of};
use crate::api::support::{Database, Server, Tokens};

const ROLES: &str = "/api/v1/admin/roles";

async fn list(server: &Server, admin: &Tokens, query: &str) -> Value {
    server.get(&format!("{ROLES}?{query}")).bearer(&admin.access).expect(200).await.json()
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect()
}

async fn make(server: &Server, admin: &Tokens, role: Value) -> Value {
    server.post(ROLES).bearer(&admin.access).json(role).expect(201).await.json()
}

/// What happened to roles, the oldest first: who did it, and the details.
async fn events(server: &Server, admin: &Tokens, event: &str) -> Vec<Value> {
    let path = format!("/api/v1/admin/audit?event={event}");
    let list = server.get(&path).bearer(&admin.access).expect(200).await.json();
    let items = list["items"].as_array().unwrap().iter().rev();
    items.map(|event| json!([event["actor_id"], event["user_id"], event["details"]])).collect()
}

#[actix_web::test]
async fn roles_are_made_given_and_taken_away_with_the_role() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin("root").await, server.user("ada").await);
    let (root, id) = (id_of(&server, &admin).await, id_of(&server, &ada).await);
    let made = make(&server, &admin, json!({ "name": "auditor", "description": "Reads the books." })).await;
    assert_eq!(made, json!({ "name": "auditor", "description": "Reads the books." }));
    let form = server.post(ROLES).bearer(&admin.access).form("name=a-1_b&description=").expect(201).await;
    assert_eq!(form.json(), json!({ "name": "a-1_b", "description": null }));
    let empty = make(&server, &admin, json!({ "name": "z", "description": "" })).await;
    assert_eq!(empty, json!({ "name": "z", "description": null }));
    server.delete(&format!("{ROLES}/z")).bearer(&admin.access).expect(204).await;
    let all = list(&server, &admin, "").await;
    assert_eq!(names(&all), ["a-1_b", "admin", "auditor", "introspect"]);
    assert_eq!((&all["items"][0], &all["items"][2]), (&form.json(), &made));

    let asked = || server.get("/forward-auth?role=auditor").bearer(&ada.access);
    asked().expect_problem(403, "forbidden").await;
    change(&server, &admin, &id, json!({ "roles": ["auditor", "introspect"] })).await;
    // From memory, which is not used in a moment when the feed is late.
    server.follows().await;
    asked().expect(200).await;
    server.delete(&format!("{ROLES}/auditor")).bearer(&admin.access).expect(204).await;
    server.follows().await;
    asked().expect_problem(403, "forbidden").await;
    let me = server.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
    assert_eq!(me["roles"], json!(["introspect"]));
    assert_eq!(names(&list(&server, &admin, "").await), ["a-1_b", "admin", "introspect"]);
    let answer =
        server.patch(&format!("{USERS}/{id}")).bearer(&admin.access).json(json!({ "roles": ["auditor"] }));
    answer.expect_problem(422, "validation_failed").await;
    // A role of that name is another one, which nobody has.
    make(&server, &admin, json!({ "name": "auditor", "description": null })).await;
    asked().expect_problem(403, "forbidden").await;

    let event = |details: Value| json!([root, null, details]);
    let created = ["auditor", "a-1_b", "z", "auditor"].map(|name| event(json!({ "role": name })));
    assert_eq!(events(&server, &admin, "role_created").await, created);
    assert_eq!(
        events(&server, &admin, "role_deleted").await,
        [event(json!({ "role": "z", "users": 0 })), event(json!({ "role": "auditor", "users": 1 }))]
    );
    assert_eq!(events(&server, &admin, "role_revoked").await, Vec::<Value>::new());
    // No token became worthless by it.
    let told = server.get("/api/v1/revocations?since=0").bearer(&admin.access).expect(200).await.json();
    assert_eq!(told["items"], json!([]));
}

#[actix_web::test]
async fn a_role_goes_on_every_replica_within_a_second() {
    let server = Server::start().await;
    let replica = server.replica(&[]).await;
    let admin = server.admin("root").await;
    make(&server, &admin, json!({ "name": "auditor" })).await;
    let ada = server.user_with("ada", "auditor").await;
    let asked = || replica.get("/forward-auth?role=auditor").bearer(&ada.access);
    asked().expect(200).await;
    server.delete(&format!("{ROLES}/auditor")).bearer(&admin.access).expect(204).await;
    tokio::time::timeout(Duration::from_secs(20), async {
        while asked().send().await.status != 403 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the replica hears of it");
}

#[actix_web::test]
async fn what_no_role_can_be_is_refused() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let long = "x".repeat(201);
    for (body, broken) in [
        (json!({}), vec!["name required"]),
        (json!({ "name": null }), vec!["name required"]),
        (json!({ "name": "" }), vec!["name invalid"]),
        (json!({ "name": "Admin" }), vec!["name invalid"]),
        (json!({ "name": "a b" }), vec!["name invalid"]),
        (json!({ "name": "a,b" }), vec!["name invalid"]),
        (json!({ "name": "é" }), vec!["name invalid"]),
        (json!({ "name": "x".repeat(33) }), vec!["name invalid"]),
        (json!({ "name": ["a"] }), vec!["name wrong_type"]),
        (json!({ "name": "a", "description": long }), vec!["description too_long"]),
        (json!({ "name": "a", "description": "a\u{0}b" }), vec!["description invalid"]),
        (json!({ "name": "A", "description": 7 }), vec!["name invalid", "description wrong_type"]),
    ] {
        let answer = server.post(ROLES).bearer(&admin.access).json(body.clone());
        assert_eq!(answer.expect_problem(422, "validation_failed").await.broken(), broken, "{body}");
    }
    let longest = json!({ "name": "x".repeat(32), "description": "ü".repeat(200) });
    assert_eq!(make(&server, &admin, longest.clone()).await, longest);
    for name in ["admin", "introspect", &"x".repeat(32)] {
        let body = json!({ "name": name, "description": "Another one." });
        server.post(ROLES).bearer(&admin.access).json(body).expect_problem(409, "role_taken").await;
    }
    for name in ["admin", "introspect"] {
        let delete = server.delete(&format!("{ROLES}/{name}")).bearer(&admin.access);
        delete.expect_problem(409, "role_protected").await;
    }
    for name in ["no-such-role", "Admin", "%00", "%ff", "a%20b", &"x".repeat(33)] {
        let delete = server.delete(&format!("{ROLES}/{name}")).bearer(&admin.access);
        delete.expect_problem(404, "not_found").await;
    }
    assert_eq!(names(&list(&server, &admin, "").await).len(), 3);
}

#[actix_web::test]
async fn only_an_admin_may() {
    let server = Server::start().await;
    let ada = server.user_with("ada", "introspect").await;
    let requests = || {
        let body = json!({ "name": "Bad" });
        [server.get(ROLES), server.post(ROLES).json(body), server.delete(&format!("{ROLES}/introspect"))]
    };
    for request in requests() {
        request.expect_problem(401, "missing_token").await;
    }
    for request in requests() {
        request.bearer(&ada.access).expect_problem(403, "forbidden").await;
    }
}

#[actix_web::test]
async fn roles_are_paged_by_name() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    // In the order of bytes, whatever the database's language is.
    for name in ["b", "a", "a-b", "a_b", "ab", "0", "z"] {
        make(&server, &admin, json!({ "name": name })).await;
    }
    let all = ["0", "a", "a-b", "a_b", "ab", "admin", "b", "introspect", "z"];
    assert_eq!(names(&list(&server, &admin, "").await), all);
    for limit in [1, 2, 8, 9] {
        let (mut seen, mut query) = (Vec::new(), format!("limit={limit}"));
        loop {
            let page = list(&server, &admin, &query).await;
            seen.extend(names(&page).into_iter().map(str::to_owned));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("limit={limit}&cursor={cursor}");
        }
        assert_eq!(seen, all, "{limit}");
    }
    for (query, code) in
        [("limit=0", "invalid_request"), ("cursor=%21", "invalid_cursor"), ("cursor=QUJD", "invalid_cursor")]
    {
        let answer = server.get(&format!("{ROLES}?{query}")).bearer(&admin.access);
        answer.expect_problem(400, code).await;
    }
}

/// By several statements, in one transaction, with one change and one event.
#[actix_web::test]
async fn a_role_that_a_crowd_has_is_deleted_as_well() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    make(&server, &admin, json!({ "name": "crowd" })).await;
    let ada = server.user_with("ada", "crowd").await;
    let id = match crate::DATABASE {
        Database::Sqlite => "unhex(printf('%032x', n))",
        Database::Postgres => "lpad(to_hex(n), 32, '0')::uuid",
    };
    let people = format!(
        "with recursive numbers (n) as (select cast($1 as bigint) union all select n + 1 from numbers where n < $2) \
         insert into users (id, username, username_key, email_verified, password_hash, password_version, disabled, \
         created_at, updated_at) select {id}, 'c' || n, 'c' || n, email_verified, '-', 1, disabled, created_at, \
         updated_at from numbers, users where username = 'ada'"
    );
    let grants = "insert into user_roles (user_id, role) select id, 'crowd' from users \
                  where username like 'c%' and id not in (select user_id from user_roles)";
    let people: &str = people.leak();
    for first in (0..25_000).step_by(5000) {
        server.sql(people).bind(first + 1).bind(first + 5000).execute().await.unwrap();
        server.sql(grants).execute().await.unwrap();
    }
    let before = server.changes().await;
    server.delete(&format!("{ROLES}/crowd")).bearer(&admin.access).expect(204).await;
    server.get("/forward-auth?role=crowd").bearer(&ada.access).expect_problem(403, "forbidden").await;
    let left: (i64,) =
        server.sql("select count(*) from user_roles where role = 'crowd'").fetch_one().await.unwrap();
    assert_eq!((left.0, server.changes().await), (0, before + 1));
    let details = events(&server, &admin, "role_deleted").await;
    assert_eq!(details[0][2], json!({ "role": "crowd", "users": 25_001 }));
}

/// Nobody keeps a role that is gone, or is given one that is going.
#[actix_web::test]
async fn a_role_is_given_and_deleted_at_once() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let id = server.register("ada").await;
    for _ in 0..8 {
        make(&server, &admin, json!({ "name": "brief" })).await;
        let body = json!({ "roles": ["brief"] });
        let give = server.patch(&format!("{USERS}/{id}")).bearer(&admin.access).json(body);
        let delete = server.delete(&format!("{ROLES}/brief")).bearer(&admin.access);
        let (given, deleted) = futures_util::future::join(give.send(), delete.send()).await;
        assert!([200, 422].contains(&given.status), "{}", given.text);
        assert_eq!(deleted.status, 204, "{}", deleted.text);
        let user = server.get(&format!("{USERS}/{id}")).bearer(&admin.access).expect(200).await.json();
        assert_eq!(user["roles"], json!([]));
    }
}
