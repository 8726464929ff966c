//! aiohttp and PyJWT.

use serde_json::json;

use super::{expect, get, id_of, post_form, start, token, with_ada};

#[actix_web::test]
async fn its_client_logs_in_and_reads_its_user() {
    let server = start().await;
    let user = json!({ "email": "user@email.com", "password": "password" });
    server.post("/api/v1/register").json(user).expect(201).await;

    let answer = post_form(&server, "/login", "email=user%40email.com&password=password").await;
    let token = token(&answer);
    assert_eq!(answer.json(), json!({ "token": token }));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("ratelimit").starts_with("\"login\";"), "{:?}", answer.headers);

    let id = id_of(&server, &token).await;
    let answer = get(&server, "/get-user", &format!("authorization: {token}\r\n")).await;
    expect(&answer, 200, json!({ "user": format!("User id={id}: <user@email.com, is_admin=False>") }));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[actix_web::test]
async fn an_admin_is_told_as_one_and_a_user_without_an_address_by_the_username() {
    let server = start().await;
    let root = server.admin("root").await;
    let id = id_of(&server, &root.access).await;
    let answer = get(&server, "/get-user", &format!("Authorization: {}\r\n", root.access)).await;
    expect(&answer, 200, json!({ "user": format!("User id={id}: <root, is_admin=True>") }));
}

#[actix_web::test]
async fn wrong_credentials_are_a_400() {
    let server = with_ada().await;
    for form in [
        "email=ada%40example.com&password=wrong",
        "email=nobody%40example.com&password=password",
        // An address is asked for.
        "email=ada&password=password",
    ] {
        let answer = post_form(&server, "/login", form).await;
        expect(&answer, 400, json!({ "message": "Wrong credentials" }));
        assert_eq!(answer.header("www-authenticate"), "", "of a 400 it would make no sense");
    }
    server.post("/login").form("email=ada%40example.com").expect_problem(422, "validation_failed").await;
    server.post("/login").body("text/plain", "x").expect_problem(415, "unsupported_media_type").await;
    server.post("/login").body("application/json", "{").expect_problem(400, "malformed_body").await;
}
