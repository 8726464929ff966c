create table users (
    id uuid primary key,
    username text,
    -- The name in lower case; "C" makes prefix searches use the index, and SQLite agree on the order.
    username_key text collate "C" unique,
    email text,
    email_key text collate "C" unique,
    email_verified boolean not null,
    display_name text,
    password_hash text not null,
    -- Rises with each change of the password; not when its hash is merely renewed.
    password_version bigint not null,
    disabled boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    last_login_at timestamptz,
    check (username is not null or email is not null)
);

create table roles (
    name text primary key,
    description text not null
);

insert into roles (name, description) values
    ('admin', 'May administer everything.'),
    ('introspect', 'May ask whether a token is active, and follow revocations.');

create table user_roles (
    user_id uuid not null references users (id) on delete cascade,
    role text not null references roles (name) on delete cascade,
    primary key (user_id, role)
);

create index user_roles_by_role on user_roles (role, user_id);
