//! The first admin, whom the settings name.

use futures_util::future::join_all;
use portcullis::accounts::provide_admin;
use portcullis::error::Error;
use serde_json::json;

use crate::api::support::{PASSWORD, Server};

const SETTINGS: [&str; 3] =
    ["--admin-username=root", "--admin-email=root@example.com", "--admin-password=tidal-lantern-mosaic-42"];

/// How often replicas start at once.
const ROUNDS: usize = 8;

#[actix_web::test]
async fn of_replicas_that_start_at_once_one_makes_it() {
    let server = Server::with(&SETTINGS).await;
    let replica = server.replica(&SETTINGS).await;
    for _ in 0..ROUNDS {
        let apps = [&server.app, &replica.app, &server.app, &replica.app];
        let made = join_all(apps.map(|app| provide_admin(app))).await;
        let made: Vec<_> = made.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!((made[0].roles.names(), made[0].email_verified), (&["admin".to_owned()][..], true));
        server.login("root").await;
        assert!(provide_admin(&replica.app).await.unwrap().is_none());
        server.sql("delete from users").execute().await.unwrap();
    }
}

#[actix_web::test]
async fn who_has_the_name_is_left_as_it_is() {
    let server = Server::with(&SETTINGS).await;
    for (name, expected) in [("username", "Root"), ("email", "ROOT@example.com")] {
        let mut body = json!({ "password": PASSWORD });
        body[name] = json!(expected);
        let before = server.post("/api/v1/register").json(body).expect(201).await.json();
        let refused = provide_admin(&server.app).await.unwrap_err();
        assert_eq!(matches!(refused, Error::UsernameTaken), name == "username", "{refused}");
        assert_eq!(matches!(refused, Error::EmailTaken), name == "email", "{refused}");
        let login = json!({ name: expected, "password": PASSWORD });
        let after = server.post("/api/v1/login").json(login).expect(200).await.json();
        assert_eq!(after["user"]["roles"], before["roles"]);
        server.sql("delete from users").execute().await.unwrap();
    }
}

#[actix_web::test]
async fn nobody_is_made_unless_asked() {
    let server = Server::start().await;
    assert!(provide_admin(&server.app).await.unwrap().is_none());
    let (count,): (i64,) = server.sql("select count(*) from users").fetch_one().await.unwrap();
    assert_eq!(count, 0);
}
