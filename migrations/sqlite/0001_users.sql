create table users (
    id blob not null primary key,
    username text,
    -- The name in lower case.
    username_key text unique,
    email text,
    email_key text unique,
    email_verified integer not null,
    display_name text,
    password_hash text not null,
    -- Rises with each change of the password; not when its hash is merely renewed.
    password_version integer not null,
    disabled integer not null,
    created_at text not null,
    updated_at text not null,
    last_login_at text,
    check (username is not null or email is not null)
) strict;

create table roles (
    name text not null primary key,
    description text not null
) strict;

insert into roles (name, description) values
    ('admin', 'May administer everything.'),
    ('introspect', 'May ask whether a token is active, and follow revocations.');

create table user_roles (
    user_id blob not null references users (id) on delete cascade,
    role text not null references roles (name) on delete cascade,
    primary key (user_id, role)
) strict, without rowid;

create index user_roles_by_role on user_roles (role, user_id);
