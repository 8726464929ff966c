//! `portcullis audit`.

use portcullis::store::{Db, Executor};

use crate::program::{PASSWORD, Place};

#[tokio::test]
async fn a_sound_log_is_counted_and_a_broken_one_named() {
    let place = Place::quick();
    place.run(&["migrate"]).expect(0);
    place.run(&["audit", "verify"]).expect(0);
    place
        .run_with_input(&["user", "create", "--username=ada", "--role=admin"], &format!("{PASSWORD}\n"))
        .expect(0);
    let told = place.run(&["audit", "verify"]).expect(0).stdout;
    assert!(told.contains("sound: 2 rows, 2 of them not sealed"), "{told}");

    let server = place.serve(&[]);
    assert_eq!(server.login("ada", "wrong-lantern-42").await.0, 401);
    assert_eq!(server.login("ada", PASSWORD).await.0, 200);
    // What it has not sealed by itself, it seals at the end.
    server.stop().expect(0);
    let told = place.run(&["audit", "verify"]).expect(0).stdout;
    assert!(told.contains("sound: 4 rows, 0 of them") && told.contains("number 4"), "{told}");

    let url = format!("sqlite://{}", place.path("data/portcullis.db").display());
    let db = Db::open(&url, 1).await.unwrap();
    db.query("delete from audit_events where event = 'login_failed'").execute().await.unwrap();
    let (next,): (String,) =
        db.query("select lower(hex(id)) from audit_events where seq = 4").fetch_one().await.unwrap();
    db.close().await;
    let told = place.run(&["audit", "verify"]).expect(1).says(&["missing before", "2 rows are sound"]);
    assert!(told.stderr.replace('-', "").contains(&next), "{}", told.stderr);
}
