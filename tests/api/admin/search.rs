//! No search walks along all users, however many there are.

use portcullis::store::Executor;
use portcullis::store::users::{Filter, page, page_sql};

use crate::api::support::{Database, Server};

const USERS: i64 = 20_000;

/// Users of which every hundredth is disabled, and as many have a role.
async fn fill(server: &Server) {
    let id = match crate::DATABASE {
        Database::Sqlite => "unhex(printf('%032x', n))",
        Database::Postgres => "lpad(to_hex(n), 32, '0')::uuid",
    };
    let people = format!(
        "with recursive numbers (n) as (select cast($1 as bigint) union all select n + 1 from numbers where n < $2) \
         insert into users (id, username, username_key, email, email_key, email_verified, password_hash, \
         password_version, disabled, created_at, updated_at) \
         select {id}, 'user' || n, 'user' || n, 'mail' || n || '@example.com', 'mail' || n || '@example.com', \
         email_verified, '-', 1, n % 100 = 0, created_at, updated_at from numbers, users where username = 'root'"
    );
    let people: &str = people.leak();
    for first in (0..USERS).step_by(4000) {
        server.sql(people).bind(first + 1).bind(first + 4000).execute().await.unwrap();
    }
    let grants = "insert into user_roles (user_id, role) select id, 'introspect' from users where username like 'user%50'";
    server.sql(grants).execute().await.unwrap();
}

/// All searches, each with its parameters after the first two, as literals.
fn searches() -> Vec<(Filter, Vec<&'static str>)> {
    let mut all = Vec::new();
    for disabled in [None, Some(true), Some(false)] {
        for prefix in [None, Some("user123")] {
            for role in [None, Some("introspect")] {
                let filter =
                    Filter { prefix: prefix.map(str::to_owned), role: role.map(str::to_owned), disabled };
                let end = prefix.map(|_| "user123\u{10ffff}");
                all.push((filter, [prefix, end, role].into_iter().flatten().collect()));
            }
        }
    }
    all
}

/// How the database goes about a search, line by line; for Postgres a plan for these values, and one for any.
async fn plans(server: &Server, filter: &Filter, parameters: &[&str]) -> Vec<String> {
    let sql = page_sql(filter);
    if crate::DATABASE == Database::Sqlite {
        let explain: &str = format!("explain query plan {sql}").leak();
        let mut query = server.sql(explain).bind([0xff_u8; 16].as_slice()).bind(51_i64);
        for parameter in parameters {
            query = query.bind(*parameter);
        }
        let rows: Vec<(i64, i64, i64, String)> = query.fetch_all().await.unwrap();
        return vec![rows.into_iter().map(|(.., line)| line + "\n").collect()];
    }
    let mut plans = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let mut tx = server.app.db.begin().await.unwrap();
        let literals: String = parameters.iter().map(|text| format!(", '{text}'")).collect();
        let execute =
            format!("explain execute search ('ffffffff-ffff-ffff-ffff-ffffffffffff', 51{literals})");
        for sql in [format!("set local plan_cache_mode = {mode}"), format!("prepare search as {sql}")] {
            tx.query(sql.leak()).execute().await.unwrap();
        }
        let rows: Vec<(String,)> = tx.query(execute.leak()).fetch_all().await.unwrap();
        tx.query("deallocate search").execute().await.unwrap();
        plans.push(rows.into_iter().map(|(line,)| line + "\n").collect());
    }
    plans
}

fn is_led_by_an_index(plan: &str, filter: &Filter) -> bool {
    let names = match crate::DATABASE {
        // Which of the unique columns: the id is the first, then the keys.
        Database::Sqlite => ["sqlite_autoindex_users_2", "sqlite_autoindex_users_3"],
        Database::Postgres => ["users_username_key_key", "users_email_key_key"],
    };
    let by_name = names.iter().all(|index| plan.contains(index));
    let by_role = plan.contains("user_roles_by_role");
    let by_disabled = plan.contains("users_disabled");
    match (&filter.prefix, &filter.role, filter.disabled) {
        (Some(_), ..) => by_name,
        // A few have the role, and a few are disabled.
        (None, Some(_), Some(true)) => by_role || by_disabled,
        (None, Some(_), _) => by_role,
        (None, None, Some(true)) => by_disabled,
        (None, None, _) => plan.contains("users_pkey") || plan.contains("sqlite_autoindex_users_1"),
    }
}

async fn check(server: &Server) {
    for (filter, parameters) in searches() {
        for plan in plans(server, &filter, &parameters).await {
            let walks = plan.lines().any(|line| {
                // "SCAN n" is of the few that a name found.
                line.contains("Seq Scan on users") || line.contains("SCAN u") || line.contains("SCAN f")
            });
            assert!(!walks && is_led_by_an_index(&plan, &filter), "{filter:?}:\n{plan}");
        }
    }
}

#[actix_web::test]
async fn every_search_is_led_by_an_index() {
    let server = Server::start().await;
    server.admin("root").await;
    fill(&server).await;
    if crate::DATABASE == Database::Sqlite {
        // Nobody analyses it as a rule.
        check(&server).await;
    }
    for analyze in ["analyze users", "analyze user_roles"] {
        server.sql(analyze).execute().await.unwrap();
    }
    check(&server).await;
    // 12300 is the one whose number ends in two zeros.
    let filter = Filter { prefix: Some("mail123".to_owned()), disabled: Some(true), role: None };
    assert_eq!(page(&server.app.db, &filter, None, 51).await.unwrap().len(), 1);
}
