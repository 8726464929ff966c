//! What the log tells of a database that is away.

use crate::postgres_server::Postgres;
use crate::program::Place;
use crate::setting::place;

/// What is done beside the requests each second, and fails meanwhile.
const TASKS: [&str; 3] =
    ["mails could not be looked for", "mailed links", "the audit log could not be sealed"];

#[tokio::test(flavor = "multi_thread")]
async fn that_it_went_away_and_came_back_is_told_once_each() {
    let mut postgres = Postgres::start().await;
    for is_killed in [true, false] {
        let place: Place = place().with("DATABASE_URL", &postgres.url());
        let mut server = place.with("RUST_LOG", "info,portcullis::store::outage=debug").serve(&[]);
        match is_killed {
            true => postgres.kill(),
            false => postgres.freeze(),
        }
        let gone = server.running.line_with("the database does not answer");
        assert!(gone.contains("WARN"), "{gone}");
        // A second time, each.
        for task in TASKS.iter().chain(&TASKS) {
            let line = server.running.line_with(task);
            assert!(line.contains("DEBUG"), "{line}");
        }
        match is_killed {
            true => postgres.start_again().await,
            false => postgres.thaw(),
        }
        let back = server.running.line_with("the database answers again, after");
        assert!(back.contains("INFO"), "{back}");
        let done = server.stop().expect(0);
        let (_, told) = done.stderr.split_once("listening on").unwrap();
        let warnings: Vec<_> =
            told.lines().filter(|line| !line.contains("DEBUG") && !line.contains("INFO")).collect();
        assert_eq!(warnings.len(), 1, "{told}");
    }
}
