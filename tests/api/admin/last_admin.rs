//! Of the admins who demote, disable or delete each other at once, one stays.

use futures_util::future::join_all;
use serde_json::json;

use super::{USERS, id_of};
use crate::api::support::{PASSWORD, Server, Tokens};

/// How often they meet, in each way.
const ROUNDS: usize = 12;

/// What one does to another, or to himself.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Demote,
    Disable,
    Delete,
    Leave,
}

use Deed::*;

async fn attempt(server: &Server, actor: &Tokens, deed: Deed, id: &str) -> (u16, String) {
    let path = format!("{USERS}/{id}");
    let request = match deed {
        Demote => server.patch(&path).json(json!({ "roles": ["introspect"] })),
        Disable => server.patch(&path).json(json!({ "disabled": true })),
        Delete => server.delete(&path),
        Leave => server.delete("/api/v1/me").json(json!({ "password": PASSWORD })),
    };
    let answer = request.bearer(&actor.access).send().await;
    let code = if answer.text.is_empty() { String::new() } else { answer.json()["code"].to_string() };
    (answer.status, code)
}

async fn enabled_admins(server: &Server) -> i64 {
    let sql = "select count(*) from user_roles r join users u on u.id = r.user_id where r.role = 'admin' and not u.disabled";
    let (count,): (i64,) = server.sql(sql).fetch_one().await.unwrap();
    count
}

/// Rounds in which admins try all these at once, on two replicas; each of them the deed to the next of them.
async fn meet(deeds: &[Deed]) {
    let server = Server::start().await;
    let replica = server.replica(&[]).await;
    let mut met = 0;
    for round in 0..ROUNDS {
        let mut admins = Vec::new();
        for n in 0..deeds.len() {
            let tokens = server.admin(&format!("admin{round}-{n}")).await;
            admins.push((id_of(&server, &tokens).await, tokens));
        }
        // Who leaves is nobody's victim: the others are each other's, in a circle.
        let fighters: Vec<_> = (0..deeds.len()).filter(|n| !matches!(deeds[*n], Leave)).collect();
        let attempts = deeds.iter().enumerate().map(|(n, deed)| {
            let next = fighters.iter().find(|fighter| **fighter > n).unwrap_or(&fighters[0]);
            let on = if n % 2 == 0 { &server } else { &replica };
            attempt(on, &admins[n].1, *deed, &admins[*next].0)
        });
        let outcomes = join_all(attempts).await;
        for outcome in &outcomes {
            // Who was faster may have ended the other's session, or taken the role.
            let fine = [
                (200, "null"),
                (204, ""),
                (409, "\"last_admin\""),
                (401, "\"revoked_token\""),
                (403, "\"forbidden\""),
            ];
            let fine = fine.map(|(status, code)| (status, code.to_owned()));
            assert!(fine.contains(outcome), "{deeds:?}: {outcomes:?}");
        }
        met += usize::from(outcomes.iter().any(|(status, _)| *status == 409));
        // Of more than two, some may be refused for other reasons, and more than one stays.
        let left = enabled_admins(&server).await;
        assert!(left == 1 || left > 1 && deeds.len() > 2, "{left} after {deeds:?}: {outcomes:?}");
        server.sql("delete from users").execute().await.unwrap();
    }
    // How often they really met is for the machine to say.
    println!("{deeds:?}: {met} of {ROUNDS} rounds were refused the last");
}

#[actix_web::test]
async fn two_who_demote_each_other() {
    meet(&[Demote, Demote]).await;
}

#[actix_web::test]
async fn two_who_disable_each_other() {
    meet(&[Disable, Disable]).await;
}

#[actix_web::test]
async fn two_who_delete_each_other() {
    meet(&[Delete, Delete]).await;
}

#[actix_web::test]
async fn four_in_a_circle() {
    meet(&[Demote, Disable, Delete, Demote]).await;
}

#[actix_web::test]
async fn one_who_leaves_while_two_fight() {
    meet(&[Leave, Demote, Delete]).await;
}
