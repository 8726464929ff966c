//! What is found of who may administer.

use super::{Found, place, sql, used_place};

#[tokio::test]
async fn that_nobody_may_administer_is_told() {
    let place = place();
    place.serve(&[]).stop().expect(0);
    let create = "portcullis user create --username NAME --role admin";
    Found::of(&place).has("admins", "warning", &["no user", create]);
    let first = ["--admin-username=root", "--admin-password=correct-horse-battery"];
    Found::with(&place, &first).has("admins", "ok", &["the next start makes the first"]);

    let place = used_place();
    Found::of(&place).has("admins", "ok", &["enabled"]);
    sql(&place, "update users set disabled = 1").await;
    Found::of(&place).has("admins", "warning", &["disabled", "portcullis user enable", create]);
    // No first one is made beside it.
    Found::with(&place, &first).has("admins", "warning", &["disabled"]);
}
