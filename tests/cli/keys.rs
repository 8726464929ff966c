//! `portcullis keys`.

use std::time::{Duration, Instant};

use crate::program::{Place, Server, read};

/// The columns of a list, without its heading.
fn list(place: &Place) -> Vec<Vec<String>> {
    let told = place.run(&["keys", "list"]).expect(0).stdout;
    let row = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    told.lines().skip(1).map(row).collect::<Vec<_>>()
}

async fn published(server: &Server) -> Vec<String> {
    let (_, keys) = read(server.request("GET", "/.well-known/jwks.json")).await;
    let kid = |key: &serde_json::Value| key["kid"].as_str().unwrap().to_owned();
    keys["keys"].as_array().unwrap().iter().map(kid).collect()
}

#[tokio::test]
async fn a_rotation_shows_on_the_running_service_within_a_second() {
    let place = Place::quick();
    let server = place.serve(&[]);
    let first = list(&place);
    assert_eq!(
        (first.len(), first[0][1].as_str(), first[0][2].as_str()),
        (1, "ES256", "active"),
        "{first:?}"
    );
    assert_eq!(published(&server).await, [first[0][0].clone()]);

    let told = place.run(&["keys", "rotate"]).expect(0).stdout;
    let made = Instant::now();
    loop {
        let asked = Instant::now();
        if published(&server).await.len() == 2 {
            break;
        }
        assert!(asked - made < Duration::from_secs(1), "the service does not know the new key");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let both = list(&place);
    assert_eq!([both[0][2].as_str(), both[1][2].as_str()], ["active", "next"]);
    assert!(told.contains(&both[1][0]) && told.contains(&both[1][3]), "{told} {both:?}");
    let again = place.run(&["keys", "rotate"]).expect(0).stdout;
    assert!(again.contains("was published already") && again.contains(&both[1][0]), "{again}");
    assert_eq!(list(&place).len(), 2);

    place.run(&["keys", "revoke", &both[0][0]]).expect(0);
    let left = list(&place);
    assert_eq!(left.len(), 2);
    assert_eq!(left[1][2], "active", "another one signs at once: {left:?}");
    for none in [both[0][0].as_str(), "-kqeMccxrGDlC", "-hABCDEF"] {
        place.run(&["keys", "revoke", none]).expect(1).says(&["keys list"]);
    }
    server.stop().expect(0);
}

/// Its settings may be others than the service's.
#[tokio::test]
async fn the_commands_make_no_key_that_nobody_asked_for() {
    let mut place = Place::quick();
    place.run(&["migrate"]).expect(0);
    assert!(list(&place).is_empty());
    place.run(&["keys", "rotate"]).expect(1).says(&["portcullis serve"]);
    place.set("JWT_ALGORITHM", "EdDSA");
    place.serve(&[]).stop().expect(0);
    place.set("JWT_ALGORITHM", "RS256");
    let before = list(&place);
    assert_eq!((before.len(), before[0][1].as_str()), (1, "EdDSA"));
    place.run_with_input(&["user", "create", "--username=ada"], "tidal-lantern-mosaic-42\n").expect(0);
    assert_eq!(list(&place), before);
    // The next one is of the kind that the service has.
    place.run(&["keys", "rotate"]).expect(0);
    assert_eq!(list(&place)[1][1], "EdDSA");
}

#[test]
fn hs256_has_nothing_to_rotate() {
    let place =
        Place::quick().with("JWT_ALGORITHM", "HS256").with("JWT_SECRET", "not-secret-not-secret-not-secret");
    place.serve(&[]).stop().expect(0);
    assert_eq!(list(&place)[0][1], "HS256");
    let told = place.run(&["keys", "rotate"]).expect(1).says(&["JWT_SECRET"]);
    assert!(!told.stderr.contains("not-secret"), "{}", told.stderr);
}
