//! No search in the log walks along all of it, however long it is.

use chrono::{DateTime, TimeDelta, Utc};
use portcullis::id::EventId;
use portcullis::store::audit::{Filter, page, page_sql};

use crate::api::support::{Database, Server, id, plans};

/// Events, a second after another, of which every thousandth is of a kind that is seldom, and each is of one of 100 users.
const EVENTS: i64 = 20_000;

async fn fill(server: &Server) -> DateTime<Utc> {
    let first = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let (event_id, user_id, at, hash) = match crate::DATABASE {
        Database::Sqlite => (
            "unhex(printf('%012x%020x', (1700000000 + n) * 1000, n))",
            "unhex(printf('%032x', n % 100))",
            "strftime('%Y-%m-%dT%H:%M:%f+00:00', 1700000000 + n, 'unixepoch')",
            "x''",
        ),
        Database::Postgres => (
            "(lpad(to_hex((1700000000 + n) * 1000), 12, '0') || lpad(to_hex(n), 20, '0'))::uuid",
            "lpad(to_hex(n % 100), 32, '0')::uuid",
            "to_timestamp(1700000000 + n)",
            "''::bytea",
        ),
    };
    let sql = format!(
        "with recursive numbers (n) as (select cast(0 as bigint) union all select n + 1 from numbers where n < $1 - 1) \
         insert into audit_events (id, at, event, user_id, details, hash, seq) select {event_id}, {at}, \
         case when n % 1000 = 0 then 'role_created' else 'login_failed' end, {user_id}, '{{}}', {hash}, 1000000 + n \
         from numbers"
    );
    server.sql(sql.leak()).bind(EVENTS).execute().await.unwrap();
    first
}

async fn check(server: &Server) {
    let user = Some("00000000-0000-0000-0000-000000000007".parse().unwrap());
    let [ids, by_user, by_event] = match crate::DATABASE {
        Database::Sqlite => {
            ["sqlite_autoindex_audit_events_1", "audit_events_by_user", "audit_events_by_event"]
        }
        Database::Postgres => ["audit_events_pkey", "audit_events_by_user", "audit_events_by_event"],
    };
    for (user, event, index) in [
        (None, None, ids),
        (user, None, by_user),
        (None, Some("role_created"), by_event),
        (user, Some("role_created"), by_user),
    ] {
        let (from, to) = ("'2023-11-14T22:13:20+00:00'", "'2023-11-14T22:23:20+00:00'");
        let mut values = vec![id(0), id(0xff), from.to_owned(), to.to_owned(), "51".to_owned()];
        values.extend(user.map(|_| id(7)));
        values.extend(event.map(|event| format!("'{event}'")));
        let filter = Filter { user, event, from: None, to: None };
        for plan in plans(server, page_sql(&filter), &values).await {
            let walks = plan.contains("Seq Scan") || plan.contains("SCAN audit_events");
            assert!(plan.contains(index) && !walks, "{filter:?}:\n{plan}");
            assert!(
                !plan.contains("TEMP B-TREE") || event.is_some() && user.is_some(),
                "{filter:?}:\n{plan}"
            );
        }
    }
}

#[actix_web::test]
async fn every_search_is_led_by_an_index() {
    let server = Server::start().await;
    let first = fill(&server).await;
    if crate::DATABASE == Database::Sqlite {
        // Nobody analyses it as a rule.
        check(&server).await;
    }
    server.sql("analyze audit_events").execute().await.unwrap();
    check(&server).await;
    // By time, to the second; and on from a cursor.
    let seconds = |from, to| Filter {
        from: Some(first + TimeDelta::seconds(from)),
        to: Some(first + TimeDelta::seconds(to)),
        ..Filter::default()
    };
    let db = &server.app.db;
    let found = page(db, &seconds(5000, 5100), None, 200).await.unwrap();
    assert_eq!(found.len(), 100);
    assert_eq!(found[0].at, first + TimeDelta::seconds(5099));
    let rest = page(db, &seconds(5000, 5100), Some(found[29].id), 200).await.unwrap();
    assert_eq!(
        rest.iter().map(|event| event.id).collect::<Vec<EventId>>(),
        found.iter().skip(30).map(|event| event.id).collect::<Vec<_>>()
    );
    let seldom = Filter { event: Some("role_created"), ..seconds(1, 3001) };
    assert_eq!(page(db, &seldom, None, 200).await.unwrap().len(), 3);
}

/// A clock may be a little off from the one that made the id.
#[actix_web::test]
async fn a_time_is_exact_whatever_the_id_says() {
    let server = Server::start().await;
    let first = fill(&server).await;
    let off = match crate::DATABASE {
        Database::Sqlite => {
            "update audit_events set at = '2023-11-14T23:00:00.000000+00:00' where seq = 1002830"
        }
        Database::Postgres => "update audit_events set at = '2023-11-14T23:00:00+00:00' where seq = 1002830",
    };
    // The id of it says 23:00:30.
    server.sql(off).execute().await.unwrap();
    let at = DateTime::parse_from_rfc3339("2023-11-14T23:00:00Z").unwrap().to_utc();
    assert_eq!(at, first + TimeDelta::seconds(2800));
    let filter = Filter { from: Some(at), to: Some(at + TimeDelta::seconds(1)), ..Filter::default() };
    assert_eq!(page(&server.app.db, &filter, None, 200).await.unwrap().len(), 2);
}
