//! The rule for migrations after the twelfth: they only add, so that the program of before goes on while replicas are replaced one by
//! one; or they say that it can't.

use std::path::Path;

use super::files;

/// The first that the rule is for.
const SINCE: u32 = 13;

/// The statements of a file, in lower case and on one line, without comments.
fn statements(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split("--").next().unwrap().trim());
    let text = lines.collect::<Vec<_>>().join(" ").to_lowercase();
    let words = text.split(';').map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|one| !one.is_empty()).collect()
}

/// The parts between commas, but for those in parentheses or in a text.
fn clauses(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted) = (0, false);
    let parts = text.split(|c| {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0 && !quoted
    });
    parts.map(str::trim).collect()
}

fn has_any(clause: &str, unwanted: &[&str]) -> bool {
    clause.split([' ', '(', ')']).any(|word| unwanted.contains(&word))
}

fn adds_column(clause: &str) -> bool {
    clause.starts_with("add column ")
        && !has_any(clause, &["unique", "references", "check", "primary"])
        && (!clause.contains("not null") || has_any(clause, &["default"]))
}

/// Whether rows of other tables can go as before, whatever stands in the new one: the program of before knows nothing of it.
fn lets_others_delete(create: &str) -> bool {
    let body =
        create.split_once('(').map_or("", |(_, rest)| rest.rsplit_once(')').map_or(rest, |(body, _)| body));
    let clauses = clauses(body);
    let must_be_there = |clause: &str| clause.contains("not null") || clause.contains("primary key");
    clauses.iter().all(|clause| {
        let times = |what: &str| clause.matches(what).count();
        // Those of a table's constraint stand elsewhere.
        let own = clause.split_once("foreign key").map_or("", |(_, rest)| rest);
        let own = own.split_once(')').map_or("", |(names, _)| names.trim_matches([' ', '(']));
        let columns: Vec<_> = own.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let nulled = times("on delete set null");
        let can_be_null = !must_be_there(clause)
            && !clauses.iter().any(|other| {
                columns.iter().any(|name| other.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))
                    && must_be_there(other)
            });
        times("references ") == times("on delete cascade") + nulled && (nulled == 0 || can_be_null)
    })
}

/// What of a migration is more than an addition, unless it says that programs which don't know it can't go on.
fn more_than_added(number: u32, text: &str) -> Vec<String> {
    let statements = statements(text);
    let raises = format!("update compatibility set lowest = {number}");
    if statements.iter().any(|one| one.starts_with(&raises)) {
        return Vec::new();
    }
    let new: Vec<_> = statements
        .iter()
        .filter_map(|one| one.strip_prefix("create table ")?.split([' ', '(']).next())
        .collect();
    let adds = |one: &&String| {
        let words: Vec<_> = one.split([' ', '(']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            ["create", "table", ..] => lets_others_delete(one),
            ["create", "index", ..] => true,
            // Of a table that is there already it could refuse what the program of before writes.
            ["create", "unique", "index", _, "on", table, ..] => new.contains(&table),
            ["insert", "into", table, ..] => new.contains(&table),
            // Postgres takes several changes in one statement.
            ["alter", "table", _, ..] => {
                clauses(one.splitn(4, ' ').last().unwrap()).into_iter().all(adds_column)
            }
            _ => false,
        }
    };
    statements.iter().filter(|one| !adds(one)).cloned().collect()
}

#[test]
fn migrations_only_add_or_say_who_can_not_go_on() {
    for folder in ["postgres", "sqlite"] {
        for name in files(folder) {
            let number: u32 = name[..4].parse().unwrap();
            if number < SINCE {
                continue;
            }
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder).join(&name);
            let more = more_than_added(number, &std::fs::read_to_string(file).unwrap());
            assert!(
                more.is_empty(),
                "migrations/{folder}/{name} does more than add, so a program of before can't go on: {more:?}. Do it in two \
                 releases, or add `update compatibility set lowest = {number};`"
            );
        }
    }
}

#[test]
fn the_rule_tells_them_apart() {
    let additions = [
        "create table a (id text primary key, b text not null unique); create unique index c on a (b);",
        "create table a (\n    id text primary key\n) strict;\ninsert into a (id) values ('x');",
        "-- drop table users;\nalter table users add column a text; create index b on users (a) where a is null;",
        "alter table users add column a bigint not null default 0;",
        "alter table users add column a text default 'x, drop column email', add column b numeric(3, 1);",
        "create table a (id text primary key, b text not null references users (id) on delete cascade);",
        "create table a (id text primary key, b text references users (id) on delete set null) strict;",
        "create table a (id text, b text, primary key (id), foreign key (b) references users (id) on delete set null);",
    ];
    for text in additions {
        assert_eq!(more_than_added(14, text), Vec::<String>::new(), "{text}");
    }
    let more = [
        "drop table users;",
        "drop index users_disabled;",
        "alter table users drop column email;",
        "alter table users rename column email to address;",
        "alter table users rename to people;",
        "alter table users alter column email set not null;",
        "alter table users alter column email type bytea;",
        "alter table users add column a text not null;",
        "alter table users add column a text unique;",
        "alter table users add column a uuid references roles (name);",
        "alter table users add column a text, drop column email;",
        "alter table users add column a text, alter column email set not null;",
        "alter table users add column a text not null, add column b text default '';",
        "alter table users add column a text, add column b text unique;",
        "create table a (id text primary key, b text references users (id));",
        "create table a (id text primary key references users);",
        "create table a (id text, b text references users (id) on delete restrict);",
        "create table a (id text, b text references users (id) on update cascade);",
        "create table a (id text, b text not null references users (id) on delete set null);",
        "create table a (id text, b text references users (id) on delete cascade, c text references roles (name));",
        "create table a (id text, b text, foreign key (b) references users (id));",
        "create table a (b text not null, foreign key (b) references users (id) on delete set null);",
        "alter table users add constraint a check (email is not null);",
        "create unique index a on users (display_name);",
        "insert into roles (name, description) values ('a', 'b');",
        "update users set email = null;",
        "delete from sessions;",
        "update compatibility set lowest = 13;",
        "create trigger a before insert on users execute function b();",
    ];
    for text in more {
        assert_eq!(more_than_added(14, text).len(), 1, "{text}");
        let said = format!("{text}\nupdate compatibility set lowest = 14;");
        assert!(more_than_added(14, &said).is_empty(), "{said}");
    }
}
