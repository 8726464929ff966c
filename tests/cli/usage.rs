//! `portcullis usage`, and what is left of counting when the service stops.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{PASSWORD, Place, read};

#[tokio::test]
async fn what_was_counted_is_written_when_the_service_stops_and_shown() {
    let place = Place::quick();
    place.run(&["migrate"]).expect(0);
    assert!(place.run(&["usage"]).expect(0).stdout.starts_with("0 requests from 2"));
    place.run_with_input(&["user", "create", "--username=ada"], &format!("{PASSWORD}\n")).expect(0);
    let server = place.serve(&[]);
    let (_, tokens) = server.login("ada", PASSWORD).await;
    for _ in 0..3 {
        assert_eq!(server.me(tokens["access_token"].as_str().unwrap()).await.0, 200);
    }
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let ask = server.request("GET", "/forward-auth").header("authorization", bearer);
    assert_eq!(ask.header("x-forwarded-host", "api.example.com").send().await.unwrap().status(), 200);
    server.stop().expect(0);

    let told = place.run(&["usage"]).expect(0).stdout;
    for line in ["4 requests from ", "api.example.com", "portcullis"] {
        assert!(told.lines().any(|told| told.starts_with(line)), "no {line:?} in {told}");
    }
    let told = place.run(&["usage", "--json", "--plot=usage.svg"]).expect(0).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let days = told["days"].as_array().unwrap();
    assert_eq!((&told["total"], days.len(), &told["users"][0]["name"]), (&4.into(), 30, &"ada".into()));
    assert_eq!(
        (&told["services"][0]["service"], &told["services"][0]["requests"]),
        (&"portcullis".into(), &3.into())
    );
    let drawing = fs::read_to_string(place.path("usage.svg")).unwrap();
    assert!(
        drawing.starts_with("<svg ")
            && drawing.contains("prefers-color-scheme:dark")
            && drawing.contains(">ada<")
    );

    let past = place.run(&["usage", "--from=2020-01-01", "--to=2020-01-02"]).expect(0).stdout;
    assert!(past.starts_with("0 requests from 2020-01-01 to 2020-01-02"), "{past}");
    place.run(&["usage", "--from=2026-02-30"]).expect(2).says(&["--from", "2026-02-30"]);
    place.run(&["usage", "--from=2020-01-02", "--to=2020-01-01"]).expect(1).says(&["2020-01-02", "earlier"]);
    place.run(&["usage", "--plot=nowhere/usage.svg"]).expect(1).says(&["nowhere/usage.svg"]);
}

/// It loses what was counted since the last time, and no more.
#[tokio::test]
async fn what_showed_once_is_there_after_a_crash() {
    let place = Place::quick();
    place.run_with_input(&["user", "create", "--username=ada"], &format!("{PASSWORD}\n")).expect(0);
    let mut server = place.serve(&[]);
    let (_, tokens) = server.login("ada", PASSWORD).await;
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let mut shown = 0;
    for _ in 0..15 {
        let usage = server.request("GET", "/api/v1/me/usage").header("authorization", &bearer);
        shown = read(usage).await.1["total"].as_i64().unwrap();
        if shown > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(shown > 0, "it does not show within 15 seconds");
    server.running.signal(Signal::KILL);
    assert_eq!(server.running.done().code, None);
    let told = place.run(&["usage", "--json"]).expect(0).stdout;
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["total"], shown);
}
