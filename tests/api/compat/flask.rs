//! Flask and PyJWT.

use chrono::TimeDelta;
use serde_json::json;

use super::{expect, post_form, python, token, with_ada};

#[actix_web::test]
async fn its_client_logs_in_and_is_verified() {
    let server = with_ada().await;
    let answer = post_form(&server, "/loginEndpoint", "username=ada&password=password").await;
    let token = token(&answer);
    // In 15 minutes, at the whole second that the token has.
    let until = (server.clock.now() + TimeDelta::minutes(15)).format("%Y-%m-%d %H:%M:%S.000000").to_string();
    assert_eq!(
        answer.json(),
        json!({ "error": "0", "message": "Successful", "token": token, "Elapse_time": until })
    );
    let answer = python(&server, "POST /anEndpoint", &format!("TOKEN: {token}\r\n"), None).await;
    expect(&answer, 200, json!({ "error": "0", "message": "You Are verified" }));

    // And it is over when it was said to be, but for the seconds by which clocks may differ.
    server.clock.advance((TimeDelta::minutes(15) + TimeDelta::seconds(5)).to_std().unwrap());
    let answer = python(&server, "POST /anEndpoint", &format!("token: {token}\r\n"), None).await;
    expect(&answer, 401, json!({ "error": "1", "message": "Token has expired" }));
}

#[actix_web::test]
async fn the_token_header_is_looked_at_alone() {
    let server = with_ada().await;
    let token = token(&post_form(&server, "/loginEndpoint", "username=ada&password=password").await);
    let headers = format!("Authorization: Bearer {token}\r\n");
    let answer = python(&server, "POST /anEndpoint", &headers, None).await;
    expect(&answer, 401, json!({ "error": "2", "message": "Token required" }));
    let twice = format!("TOKEN: {token}\r\nTOKEN: {token}\r\n");
    let answer = python(&server, "POST /anEndpoint", &twice, None).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("invalid_request")));
}

#[actix_web::test]
async fn wrong_credentials_are_a_401_and_which_of_them_is_not_told() {
    let server = with_ada().await;
    for form in ["username=ada&password=wrong", "username=nobody&password=password"] {
        let answer = post_form(&server, "/loginEndpoint", form).await;
        expect(&answer, 401, json!({ "error": "1", "message": "Invalid username or password" }));
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="portcullis""#);
    }
    // Who has moved here with an address for a username has it for that alone.
    token(&post_form(&server, "/loginEndpoint", "username=ada%40example.com&password=password").await);
}
