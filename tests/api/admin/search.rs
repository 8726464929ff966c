//! No search walks along all users, nor sorts many, however many there are.

use portcullis::id::UserId;
use portcullis::store::users::{
    Filter, Lead, MANY_BEGIN_SO, MANY_HAVE_IT, lead, page, page_led_by, page_sql,
};

use crate::api::support::{Database, Server, id, plans};

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

/// Makes `crowd` a role that half of them have, so that more do than are looked through.
async fn crowd(server: &Server) {
    for sql in [
        "insert into roles (name, description) values ('crowd', '')",
        "insert into user_roles (user_id, role) select id, 'crowd' from users where username like 'user%' and \
         (username like '%0' or username like '%2' or username like '%4' or username like '%6' or username like '%8')",
    ] {
        server.sql(sql).execute().await.unwrap();
    }
}

/// All searches for one prefix and one role, or without them.
fn searches(prefix: &str, role: &str) -> Vec<Filter> {
    let mut all = Vec::new();
    for disabled in [None, Some(true), Some(false)] {
        for prefix in [None, Some(prefix)] {
            for role in [None, Some(role)] {
                let (prefix, role) = (prefix.map(str::to_owned), role.map(str::to_owned));
                all.push(Filter { prefix, role, disabled });
            }
        }
    }
    all
}

/// What the statement is given, as literals.
fn values(filter: &Filter) -> Vec<String> {
    let text = |text: &String| format!("'{text}'");
    let end = filter.prefix.as_ref().map(|prefix| format!("'{prefix}\u{10ffff}'"));
    let filters = [filter.prefix.as_ref().map(text), end, filter.role.as_ref().map(text)];
    [id(0xff), "51".to_owned()].into_iter().chain(filters.into_iter().flatten()).collect()
}

fn is_led_by_an_index(plan: &str, filter: &Filter, lead: Lead) -> bool {
    let crowd = filter.role.as_deref() == Some("crowd");
    let [ids, names, addresses] = match crate::DATABASE {
        // Which of the unique columns: the id is the first, then the keys.
        Database::Sqlite => {
            ["sqlite_autoindex_users_1", "sqlite_autoindex_users_2", "sqlite_autoindex_users_3"]
        }
        Database::Postgres => ["users_pkey", "users_username_key_key", "users_email_key_key"],
    };
    let by_role = plan.contains("user_roles_by_role");
    let by_disabled = plan.contains("users_disabled");
    match lead {
        Lead::Names => plan.contains(names) && plan.contains(addresses),
        // The newest of a crowd are met soon along all ids, too.
        Lead::Role if crowd => by_role || plan.contains(ids),
        // Only so many have the role, and a few are disabled.
        Lead::Role => by_role || filter.disabled == Some(true) && by_disabled,
        Lead::Newest if filter.disabled == Some(true) => by_disabled,
        Lead::Newest => plan.contains(ids),
    }
}

/// Whether it brings all that it finds into order before it gives the first.
fn sorts(plan: &str) -> bool {
    plan.contains("TEMP B-TREE FOR ORDER BY") || plan.contains("Sort Key")
}

async fn check(server: &Server, prefix: &str, role: &str) {
    for filter in searches(prefix, role) {
        let lead = lead(&server.app.db, &filter).await.unwrap();
        for plan in plans(server, page_sql(&filter, lead), &values(&filter)).await {
            let walks = plan.lines().any(|line| {
                // "SCAN n" is of the few that a name found.
                line.contains("Seq Scan on users") || line.contains("SCAN u") || line.contains("SCAN f")
            });
            assert!(!walks && is_led_by_an_index(&plan, &filter, lead), "{filter:?}, {lead:?}:\n{plan}");
            // A few may be sorted.
            let few =
                lead == Lead::Names || role != "crowd" && lead == Lead::Role || filter.disabled == Some(true);
            assert!(few || !sorts(&plan), "{filter:?}, {lead:?}:\n{plan}");
        }
    }
    let end = format!("'{prefix}\u{10ffff}'");
    for (sql, values) in
        [(MANY_BEGIN_SO, vec![format!("'{prefix}'"), end]), (MANY_HAVE_IT, vec![format!("'{role}'")])]
    {
        for plan in plans(server, sql, &values).await {
            // Of a crowd any are as good.
            assert!(!plan.contains("SCAN user") && !sorts(&plan), "{plan}");
        }
    }
}

/// A few and many begin so, or have the role.
async fn check_all(server: &Server) {
    for (prefix, role) in
        [("user123", "introspect"), ("user123", "crowd"), ("user", "introspect"), ("user", "crowd")]
    {
        check(server, prefix, role).await;
    }
}

#[actix_web::test]
async fn every_search_is_led_by_an_index_and_none_sorts_a_crowd() {
    let server = Server::start().await;
    server.admin("root").await;
    fill(&server).await;
    crowd(&server).await;
    if crate::DATABASE == Database::Sqlite {
        // Nobody analyses it as a rule.
        check_all(&server).await;
    }
    for analyze in ["analyze users", "analyze user_roles"] {
        server.sql(analyze).execute().await.unwrap();
    }
    check_all(&server).await;
    // 12300 is the one whose number ends in two zeros.
    let filter = Filter { prefix: Some("mail123".to_owned()), disabled: Some(true), role: None };
    assert_eq!(page(&server.app.db, &filter, None, 51).await.unwrap().len(), 1);
}

/// All that a search finds, page by page.
async fn found(server: &Server, filter: &Filter, lead: Lead, limit: u32) -> Vec<Vec<UserId>> {
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let users = page_led_by(&server.app.db, filter, lead, before, limit).await.unwrap();
        let Some(last) = users.last() else { return pages };
        before = Some(last.id);
        pages.push(users.iter().map(|user| user.id).collect());
    }
}

#[actix_web::test]
async fn whatever_leads_a_search_its_pages_are_the_same() {
    let server = Server::start().await;
    server.admin("root").await;
    fill(&server).await;
    crowd(&server).await;
    let lead = async |prefix: &str, role: Option<&str>, disabled| {
        let (prefix, role) = (Some(prefix.to_owned()), role.map(str::to_owned));
        lead(&server.app.db, &Filter { prefix, role, disabled }).await.unwrap()
    };
    assert_eq!(lead("user123", Some("crowd"), None).await, Lead::Names);
    assert_eq!(lead("user1", None, None).await, Lead::Newest);
    assert_eq!(lead("mail1", Some("crowd"), None).await, Lead::Role);
    assert_eq!(lead("", Some("introspect"), Some(true)).await, Lead::Role);
    assert_eq!(lead("", Some("crowd"), Some(true)).await, Lead::Newest);
    for (prefix, role, limit) in [("user12", "introspect", 150), ("mail1", "crowd", 2000)] {
        for filter in searches(prefix, role) {
            let expected = found(&server, &filter, Lead::Newest, limit).await;
            let all = expected.concat();
            assert!(all.is_sorted_by(|one, next| one > next), "{filter:?}");
            // Nobody whose number ends in 50 is disabled.
            assert!(!all.is_empty() || role == "introspect", "{filter:?}");
            let others = [Lead::Names, Lead::Role].into_iter();
            let newest = page_sql(&filter, Lead::Newest);
            for lead in others.filter(|lead| page_sql(&filter, *lead) != newest) {
                assert_eq!(found(&server, &filter, lead, limit).await, expected, "{filter:?}, {lead:?}");
            }
        }
    }
}
